"""Hostile input: whatever readers are given, they come to an end with a verdict or a clear error, within bounded memory."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refmodel.oracle.trace.judge import TraceVerdict
from refmodel.oracle.trace.table import KINDS
from refmodel.oracle.trace.telling import lines
from refmodel.oracle.vectors.files import Vector
from tests.fuzz.readers import READERS, Refusal, agree, packed
from tests.test_traces import LAWFUL, UNLAWFUL

ROOT = Path(__file__).parent.parent
TRACES = [*LAWFUL.values(), *(told for _, told in UNLAWFUL.values())]
KERNEL = (ROOT / "tests" / "data" / "kvmmmu.txt").read_bytes()
VECTOR = (
    json.dumps(
        {
            "id": "x",
            "kind": "guest",
            "clauses": ["EQV-2"],
            "needs": ["nx"],
            "because": "a path",
            "cpu": {"cr3": "0x2000", "levels": 4},
            "second": {},
            "address": "0x0",
            "access": {"write": 1},
            "memory": {"0x2000": "0x3"},
            "allowed": [{"end": "#PF", "code": "0x2", "address": "0x0", "flags": {}, "may": {}}],
        }
    ).encode()
    + b"\n"
)
QUIET = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))

VALUES = st.one_of(
    st.integers(),
    st.integers(0, 1 << 70),
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.floats(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
FIELDS = sorted({field for cls in KINDS.values() for field in cls.__struct_fields__})
EVENTS = st.builds(
    lambda kind, fields: {"e": kind, **fields},
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(st.sampled_from(FIELDS), st.one_of(st.integers(0, 5), VALUES), max_size=8),
)
"""Events with fields of any event's, of any type."""


SMALL = st.integers(0, 3)
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "gpa": st.builds(lambda gfn, word: gfn << 12 | word << 3, SMALL, SMALL),
    "gva": st.integers(0, 1 << 48),
    "bytes": st.integers(0, 1 << 20),
    "physical_bits": st.integers(32, 52),
    "size": st.integers(1, 16),
    "pages": st.integers(1, 4),
    "level": st.integers(2, 3),
    "bits": st.sampled_from(("", "01", "05c0")),
}
"""Fields that are no small number."""


def values_of(field: msgspec.structs.FieldInfo) -> st.SearchStrategy[Any]:
    """Values that a field may have."""
    parts = [part for part in (field.type, *get_args(field.type)) if get_origin(part) is Literal]
    if parts:
        return st.sampled_from(get_args(parts[0]))
    return st.booleans() if "bool" in str(field.type) else NUMBERS.get(field.name, SMALL)


def good(kind: str) -> st.SearchStrategy[dict[str, object]]:
    """An event that is well formed, in any order with others: what is wrong with it is what it says."""
    fields = [field for field in msgspec.structs.fields(KINDS[kind]) if field.name not in ("seq", "at")]
    return st.builds(
        lambda required, optional: {"e": kind, **optional, **required},
        st.fixed_dictionaries({f.name: values_of(f) for f in fields if f.required}),
        st.fixed_dictionaries({}, optional={f.name: values_of(f) for f in fields if not f.required}),
    )


GOOD = st.lists(st.one_of([good(kind) for kind in sorted(KINDS) if kind not in ("trace", "gap", "abort")]), max_size=30)


@QUIET
@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300))
def test_any_bytes(reader: str, data: bytes) -> None:
    """What comes of them fits them (``tests.fuzz.readers``); where no line is an event or a vector, nothing is judged or read."""
    found = READERS[reader](data)
    if reader != "serve" and not packed(data) and not any(map(is_json_object, data.split(b"\n"))) and b"kvm" not in data:
        cut = isinstance(found, TraceVerdict) and found.events == 0 and found.notes
        assert isinstance(found, Refusal) or cut or found == [], found


def is_json_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


@QUIET
@given(st.lists(EVENTS, max_size=6))
def test_events_with_fields_of_any_type(events: list[dict[str, object]]) -> None:
    """A file and a conversation refuse the same line for the same reason: the first with a field that its event has not, if any."""
    data = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    agree(data)
    wrong = next((n for n, event in enumerate(events, 1) if not event.keys() - {"e"} <= allowed(str(event["e"]))), None)
    found = READERS["trace"](data)
    if wrong is not None and isinstance(found, Refusal):
        assert found.line is not None and found.line <= wrong
    if wrong is not None and isinstance(found, TraceVerdict):
        assert found.deviation is not None and found.deviation.line < wrong


def allowed(kind: str) -> set[str]:
    return set(KINDS[kind].__struct_fields__)


@settings(QUIET)
@given(
    st.sampled_from(
        [{}, {"start": "power-on"}, {"flushes": "told"}, {"start": "power-on", "flushes": "told", "silent": ["break"]}]
    ),
    GOOD,
)
def test_well_formed_events_in_any_order(header: dict[str, object], events: list[dict[str, object]]) -> None:
    """A file and a conversation come to the same; what is refused is refused for what it says of its frames, never for its form."""
    data = lines([{"e": "trace", **header}, *events])
    agree(data)
    found = READERS["trace"](data)
    assert not isinstance(found, Refusal) or not re.search("not an event|Expected|unknown field|missing", found), found


@QUIET
@given(st.sampled_from(TRACES), st.randoms(use_true_random=False))
def test_traces_cut_shuffled_doubled_and_spliced(trace: tuple[dict[str, object], ...], draw: random.Random) -> None:
    """However a trace is spoiled, and packed: what comes of it fits its lines, and judging by blocks and by lines is the same."""
    told = [*trace, *draw.choice(TRACES)]
    kind = draw.randrange(5)
    if kind == 0:
        draw.shuffle(told)
    elif kind == 1:
        told += told
    numbered = draw.choice((0, len(told), draw.randrange(len(told))))  # the first that has a number, if any has
    data = lines([{**event, "seq": n} if n >= numbered else event for n, event in enumerate(told)])
    if kind == 2:
        data = data[: draw.randrange(len(data))]
    elif kind == 3:
        at = draw.randrange(len(data))
        data = data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at:]
    else:
        data = draw.choice((b"", b"\n")) + data.replace(b"\n", draw.choice((b"\n\n", b"\n \t\n", b"\r\n")), draw.randrange(9))
    plain = READERS["trace"](data)
    for packing in (gzip.compress, zstandard.compress):
        assert ending(READERS["trace"](packing(data))) == ending(plain)
        part = READERS["trace"](packing(data)[: draw.randrange(20, 2000)])
        assert isinstance(part, Refusal) or part.deviation is None or ending(part) == ending(plain)
    agree(data if data.endswith(b"\n") else data + b"\n")


def ending(found: Refusal | TraceVerdict) -> object:
    """What a trace came to, whatever the file is called."""
    if isinstance(found, Refusal):
        return found.partition(": ")[2], found.line
    return found.events, found.deviation, found.notes


@QUIET
@given(st.sampled_from([("kvmmmu", KERNEL[:6000]), ("vectors", VECTOR * 2)]), st.randoms(use_true_random=False))
def test_other_files_with_bytes_changed(what: tuple[str, bytes], draw: random.Random) -> None:
    """Nothing is said of a line before the first that was changed or cut."""
    reader, data = what
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 6)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    given_ = bytes(changed[: draw.randrange(1, len(changed) + 1)])
    first = next((at for at, (one, other) in enumerate(zip(data, given_, strict=False)) if one != other), len(given_))
    line = data[:first].count(b"\n") + 1
    found = READERS[reader](given_)
    if isinstance(found, Refusal):
        assert found.line is None or found.line >= line, found
    elif isinstance(found, TraceVerdict):
        assert found.deviation is None or found.deviation.line >= line, found
    else:
        whole = [vector for vector, _, _ in found[: line - 1]]
        assert whole == [msgspec.json.decode(VECTOR, type=Vector)] * (line - 1)


@pytest.mark.parametrize(
    ("told", "line", "note"),
    [
        (b"\n%b\n%b\n", 3, ""),
        (b"%b\n \n%b\n", 3, ""),
        (b"%b\n\t\n\n%b", 4, ""),
        (b"%b\r\n%b\r\n", 2, ""),
        (b'%b\n{"e":"gap"}\n%b\n', None, "line 2 tells of a gap"),
    ],
)
def test_the_line_is_told_by_its_place_in_the_file(told: bytes, line: int | None, note: str) -> None:
    """Blank lines count, and a gap is said wherever it is: judging by blocks once lost both."""
    found = READERS["trace"](told % (b'{"e":"load","gpa":0,"value":1}', b'{"e":"load","gpa":0,"value":2}'))
    assert (found.deviation and found.deviation.line) == line and note in "".join(found.notes)


@pytest.mark.parametrize(
    ("second", "third", "refused"),
    [(b'"seq":5', b'"seq":3', "seq: 3 comes after 5; expected 6"), (b'"\\u0073eq":5', b'"seq":4', "seq: 4 comes after 5")],
)
def test_numbers_are_heeded_that_begin_in_the_middle(second: bytes, third: bytes, refused: str) -> None:
    load = b'{"e":"load","gpa":0,"value":1,%b}\n'
    found = READERS["trace"](load % b'"cpu":0' + load % second + load % third)
    assert isinstance(found, Refusal) and found.line == 3 and refused in found


@pytest.mark.parametrize("data", [b'{"\r\ne": "trace"}\n', b'{"\r\r\n', b'{" \t\r\n', b'{"e":"gap"}\r\n{"\r\n'])
def test_a_line_that_ends_as_on_windows_is_refused_alike_in_a_file_and_in_lockstep(data: bytes) -> None:
    agree(data)
    assert isinstance(READERS["trace"](data), Refusal)


def measured(code: str, limit_mb: int = 700) -> subprocess.CompletedProcess[str]:
    """A process that may not take more memory than this."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit_mb} << 20,) * 2)\n{code}"
    return subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, timeout=200, check=False, cwd=ROOT)


@pytest.mark.parametrize("packed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_gigabyte_without_a_line_is_refused_in_little_memory(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "t"
    if packed:
        file.write_bytes(zstandard.compress(b'{"e":"load","gpa":' + b"1" * (1 << 30)))
    else:
        with file.open("wb") as out:
            out.truncate(1 << 30)
    done = measured(f"""
from refmodel.oracle.trace.judge import judge_trace
try:
    judge_trace({str(file)!r})
except Exception as why:
    print(type(why).__name__, why)
""")
    assert done.stdout.startswith("BadDesign") and "t:1: longer than" in done.stdout, done.stdout + done.stderr


def test_memory_is_bounded_however_much_of_it_is_told(tmp_path: Path) -> None:
    """A trace of 1,600,000 words: the first are forgotten, which is said."""
    file = tmp_path / "t.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        for first in range(0, 1_600_000, 10_000):
            out.write(b"".join(b'{"e":"store","gpa":%d,"value":1}\n' % (8 * n) for n in range(first, first + 10_000)))
    done = measured(f"""
from refmodel.oracle.trace.judge import judge_trace
verdict = judge_trace({str(file)!r})
print(verdict.events, verdict.deviation, verdict.notes)
""")
    assert done.stdout.startswith("1600000 None") and "forgotten" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="Atheris is not installed")
@pytest.mark.parametrize("reader", sorted(READERS))
@pytest.mark.slow
def test_atheris_finds_no_crash(reader: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    seeds = {"kvmmmu": [KERNEL[:1500]], "vectors": [VECTOR]}.get(reader, [lines(list(trace)) for trace in TRACES])
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    flags = ["-max_total_time=60", "-timeout=20", "-rss_limit_mb=8000", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.atheris_readers", reader, str(corpus), *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
