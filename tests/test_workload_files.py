"""Files of workloads that are made to be hard to read: what they cost, and how what is wrong with them is told."""

from __future__ import annotations

import codecs
import json
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmodel.cli.management import mechanisms
from refmodel.language import BadDesign
from refmodel.management.activity import Replayed
from refmodel.management.recording import shipped
from refmodel.management.scenario import MOST_BYTES, read
from refmodel.management.simulation import POLICIES, simulate
from refmodel.management.toml_lines import Refused, lines
from refmodel.oracle.trace.commands import read_commands
from refmodel.oracle.vectors import files as vectors
from refmodel.oracle.vectors import manifest
from refmodel.oracle.vectors.results import judge_results


def steps(text: str) -> int:
    """Calls that reading takes, and names that it keeps."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        found = lines(text)
    except Refused:
        found = {}
    finally:
        sys.setprofile(None)
    return calls + sum(map(len, found))


DOTTED = ".".join("a" * 20_000)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 20_000,
        "x = " + "[\n" * 20_000,
        "x = " + "{a = " * 20_000,
        f"{DOTTED} = 1",
        f"[{DOTTED}]",
        f"[[{DOTTED}]]",
        "[a.b.c.d.e]\nf.g.h.i = 1",
    ],
)
def test_what_lies_too_deep_is_refused_before_anything_takes_the_square_of_it(text: str, tmp_path: Path) -> None:
    """Before, 3,000 brackets took minutes: each noted all those around it."""
    assert steps(text) < 3 * len(text) + 2_000
    (tmp_path / "w.toml").write_text(f"\n{text}")
    with pytest.raises(BadDesign, match=r"w.toml:\d+: [ax][^ ]{14,30}: expected at most 8 names below each other, got more"):
        read(tmp_path / "w.toml")


PIECES = [
    "k{} = 1\n",
    "[t{}]\n",
    "[[t]]\n",
    "[[t]]\nu.v = 1\n",
    "[t.a{}.b]\nu = 1\n",
    "a{} = [1, [2]]\n",
    "b{} = {{ c.d = 1, e = '' }}\n",
    "#\n",
    " ",
    r's{} = "\n\\"' + "\n",
    r'"""\\\\',
    "'''",
    '"',
    "[",
    "x = [1,",
]
HEADS = ["", "x = [", 'x = """', 'x = "']


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("piece", PIECES)
def test_a_file_of_twice_the_length_takes_twice_the_steps(head: str, piece: str) -> None:
    few, many = (steps(head + "".join(piece.format(number) for number in range(count))) for count in (300, 600))
    assert 0 < many <= 2.2 * few + 100


NAMES = st.sampled_from(["a", "b-1", "'c.d'", '"e\\"f"', "_", "9"])
STRINGS = st.sampled_from(["''", '"]"', "'#'", '"\\\\"', '"""x\n"y""""', "'''\n[z]\n'''", '"""\\""""'])
SCALARS = STRINGS | st.sampled_from(["1", "-2.5e3", "true", "1979-05-27 07:32:00", "0xFF", "inf"])
GAPS = st.sampled_from(["", " ", "\n", " # ] } '\n"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda some, gap: f"[{gap}{f'{gap},{gap}'.join(some)}{gap}]", st.lists(inner, max_size=3), GAPS),
        st.builds(
            lambda some: "{" + ", ".join(f"{name} = {value}" for name, value in some.items()) + "}",
            st.dictionaries(NAMES, inner.filter(lambda value: "\n" not in value), max_size=3),
        ),
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=2), max_size=3),
    st.booleans(),
)
def test_whatever_is_toml_is_read_to_its_end(pairs: dict[str, str], heads: dict[str, dict[str, str]], many: bool) -> None:
    """Each key and each element of an array has a line, and that is where ``tomllib`` finds it."""
    text = "".join(f"k.{name} = {value}\n" for name, value in pairs.items())
    for name, table in heads.items():
        text += f"[[t.{name}]]\n" if many else f"[t.{name}]\n"
        text += "".join(f"{key} = {each}\n" for key, each in table.items())
    assert set(lines(text)) == paths(tomllib.loads(text))


def paths(value: object, before: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Of each key and element in what was read."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path for key, each in inner for path in ((*before, key), *paths(each, (*before, key)))}


def test_a_file_that_is_too_long_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(BadDesign, match=r"w.toml: expected a workload of at most 1,048,576 bytes"):
        read(tmp_path / "w.toml")


def test_a_recording_is_read_once_for_all_vms_that_run_it(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text("pages = 99\n" + "".join(f"[vm.a{n}]\nmaximum = 9\nrecording = 'web'\n" for n in range(3)))
    found = {id(vm.activity.recording) for vm in read(tmp_path / "w.toml").vms if isinstance(vm.activity, Replayed)}
    assert len(found) == 1


def test_of_a_recording_with_few_samples_only_the_contents_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before, two samples of which all pages of the first are new were taken for what a VM does, and got advice on estimators."""
    (tmp_path / "w.toml").write_text("pages = 9\n[vm.a]\nmaximum = 9\nrecording = 'fleet'")
    with pytest.raises(BadDesign, match=r"w.toml:4: vm.a.recording: fleet has 2 samples; expected at least 10: of a shorter one"):
        read(tmp_path / "w.toml")
    file = tmp_path / "mine.memory.zst"
    file.write_bytes(shipped()["fleet"].read_bytes())
    mechanisms(file, None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["estimators"] == told["mechanisms"] == {} != told["saved"]
    mechanisms(file, None, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "mine has 2 samples: mechanisms that take memory and estimators need 10 or more" in shown and "memory saved" in shown


VM = "maximum = 1\nrecording = 'web'\n"


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            r"""[vm.b]
[vm."a\u001b[31m"]""",
            r"w.toml:3: vm.a\\x1b\[31m: expected a name of 1 to 60 printable characters",
        ),
        ('[vm.""]', r'w.toml:2: vm."": expected a name of'),
        ('[vm." "]', r"w.toml:2: vm. : expected a name of"),
        (f"[vm.{'a' * 99}]", r"w.toml:2: vm.a{60}\.\.\.: expected a name of 1 to 60"),
        (
            r"""[vm.a]
"\u001b[1m" = 3""",
            r"w.toml:3: vm.a.\\x1b\[1m: Object contains unknown field `\\x1b\[1m`; expected one of maximum",
        ),
        (f"{'a' * 99} = 3\nvm.a.maximum = 1", r"w.toml:2: a{60}\.\.\.: Object contains unknown field `a{60}\.\.\.`"),
        (
            r'''[vm.a]
maximum = 1
recording = "\u001b[1m"''',
            r"w.toml:4: vm.a.recording: \\x1b\[1m: expected a file, or one of",
        ),
        (f"[vm.a]\nmaximum = 1\nrecording = '{'a' * 999}'", r"w.toml:4: vm.a.recording: a{60}\.\.\.: expected a file, or one of"),
        (f"[vm.a]\n{VM}skip = 19", "w.toml:5: vm.a.skip: expected less than the 19 samples of web, got 19"),
        (f"[vm.a]\n{VM}pause = 2\nrepeat = false", "w.toml:5: vm.a.pause: goes between runs that repeat, and repeat is false"),
        ("[vm.a]\nmaximum = 1\nphases = [{ at = 0, active = 1 }]\nskip = 1", "w.toml:5: vm.a.skip: goes with a recording"),
        (f"seed = {'9' * 5000}", "w.toml:2: seed: expected at most 100 characters, got 5,000"),
        (f"[vm.a]\nshares = 0x{'f' * 5000}", "w.toml:3: vm.a.shares: expected at most 100 characters, got 5,002"),
        ("".join(f"[vm.a{n}]\n{VM}" for n in range(99)), "w.toml:194: vm.a64: expected at most 64 VMs, and with this there are 65"),
        (f"[vm.a]\n{VM}count = 60\n[vm.b]\n{VM}count = 5", "w.toml:6: vm.b: expected at most 64 VMs, and with this there are 65"),
    ],
)
def test_names_and_numbers_are_shown_as_a_terminal_and_python_can_take_them(text: str, expected: str, tmp_path: Path) -> None:
    """Before, a number of 5,000 digits and a name of 1,000 characters ended in a traceback."""
    (tmp_path / "w.toml").write_text(f"pages = 9\n{text}")
    with pytest.raises(BadDesign, match=expected):
        read(tmp_path / "w.toml")


def test_a_vm_needs_a_maximum_of_a_page_and_may_use_more_pages_than_its_maximum(tmp_path: Path) -> None:
    """Before, a maximum of no page was accepted."""
    file = tmp_path / "w.toml"
    phases = "phases = [{ at = 0, active = ACTIVE }]"
    file.write_text(f"pages = 99\n[vm.a]\nmaximum = 0\n{phases.replace('ACTIVE', '1')}")
    with pytest.raises(BadDesign, match=r"w.toml:3: vm.a.maximum: expected a whole number from 1 to 16,777,216, got 0"):
        read(file)
    file.write_text(f"pages = 99\n[vm.a]\nmaximum = 9\n{phases.replace('ACTIVE', '16777217')}")
    with pytest.raises(BadDesign, match=r"w.toml:4: vm.a.phases\[0\].active: expected a whole number from 0 to 16,777,216, got"):
        read(file)
    file.write_text(f"pages = 99\nperiods = 9\n[vm.a]\nmaximum = 9\n{phases.replace('ACTIVE', '30')}")
    for period in simulate(read(file), POLICIES["esx"])[1:]:
        assert period.allocated["a"] <= 9 and period.again["a"] >= 21 and period.waited["a"] > 0


READERS = {
    "w.toml": read,
    "commands": read_commands,
    "walks.jsonl": lambda file: list(vectors.read(file)),
    "results": lambda file: judge_results(file.parent, file),
    "manifest.json": lambda file: manifest.check(file.parent),
}


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
@pytest.mark.parametrize("name", READERS)
def test_a_file_that_begins_with_a_byte_order_mark_is_told_so(name: str, mark: bytes, tmp_path: Path) -> None:
    """Before, only traces were."""
    (tmp_path / name).write_bytes(mark + b"pages = 9")
    with pytest.raises(BadDesign, match=f"{name}:? ?.*begins with a byte order mark; expected UTF-8 without one$"):
        READERS[name](tmp_path / name)
