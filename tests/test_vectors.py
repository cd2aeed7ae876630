"""Vectors: every path is among them, they say what the walks do, and they are always the same."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import msgspec
import pytest

from refmodel.engines import walk_models
from refmodel.language import BadDesign
from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, flags_of
from refmodel.machine.x86.ept_walk import Ept
from refmodel.machine.x86.guest_walk import Cpu, walk
from refmodel.machine.x86.legacy_walk import Cpu32, CpuPae
from refmodel.machine.x86.words import FRAME, PS
from refmodel.oracle.implementations import IMPLEMENTATIONS, Absent
from refmodel.oracle.known import new_titles
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.telling import lines
from refmodel.oracle.vectors import features, files, manifest, monitor, paths, running, variations, walks, writing
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.vectors.results import judge_results
from refmodel.oracle.vectors.walks import NptTest
from refmodel.oracle.x86 import walk_tests
from refmodel.oracle.x86.agent.legacy_image import LegacyImage
from refmodel.oracle.x86.legacy_loads import LoadCampaign, loads_on
from refmodel.oracle.x86.legacy_tests import (
    NO_REGISTERS,
    LegacyCampaign,
    LegacyProfile,
    LegacyTest,
    LoadTest,
    with_pdptes_of_memory,
)
from refmodel.oracle.x86.legacy_walks import LegacyWalks, profile_of
from refmodel.oracle.x86.nested_tests import NestedTest, moved
from refmodel.oracle.x86.outcomes import Observed
from refmodel.oracle.x86.walk_campaign import WalkCampaign, end_of, level_used
from refmodel.oracle.x86.walk_tests import Profile, WalkTest
from tests.commands import refmodel
from tests.made_once import made_once
from tests.test_documents import fits

CLIENTS = Path(running.__file__).parents[2] / "clients"
SPECS = Path(__file__).parent.parent / "specs"
FILES = ("guest-4", "nested-ept", "npt-4", "guest-32", "guest-pae")
SOME = 2000
"""Vectors of each set that the tests look at."""


def write_some(name: str, folder: Path) -> None:
    lines_of = itertools.islice(writing.walk_lines(name, writing.CHOOSING[name]()), SOME)
    (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines_of))


@pytest.fixture(scope="session")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made_once(tmp_path_factory, "vectors", {name: partial(write_some, name) for name in FILES})
    return made_once(tmp_path_factory, "vectors", {"manifest": with_manifest})


def with_manifest(folder: Path) -> None:
    manifest.write(folder, dict.fromkeys(FILES, SOME), ())


def test_what_is_written_is_what_the_walks_do_and_is_read_back(some: Path) -> None:
    for name in FILES:
        for number, (vector, test, ways) in enumerate(files.read(some / f"{name}.jsonl")):
            assert number % 4 or walks.due(test) == ways, vector.id
            assert ways and vector.clauses


def test_every_kind_of_end_is_among_them(some: Path) -> None:
    ends = {
        end.end
        for name in ("guest-4", "nested-ept", "npt-4")
        for vector, _, _ in files.read(some / f"{name}.jsonl")
        for end in vector.allowed
    }
    assert ends == {"completed", "#PF", "#GP", "EPT violation", "EPT misconfiguration", "#NPF"}


def test_each_path_of_the_walk_has_a_vector() -> None:
    """What a processor looks at, and how it ends: nothing that random tests meet is missing from the paths."""

    def way(test: WalkTest) -> tuple[object, ...]:
        (first, *_) = walks.due(test)
        return len(test.entries), first.outcome.kind, first.outcome.code & 9

    found = {way(test) for test in paths.guest_tests(4, 40)}
    draw = random.Random(4)
    for _ in range(300):
        test = walk_tests.make(draw.randbytes(walk_tests.SIZE), Profile(physical_bits=40, amd=draw.random() < 0.5, pke=True))
        looked_at = {at: entry for at, entry in test.entries.items() if _is_read(test, at)}
        short = WalkTest(looked_at, test.cpu, test.gva, test.access)
        assert way(short) in found


def _is_read(test: WalkTest, at: int) -> bool:
    """Whether the walk looks at an entry."""

    class Noted(Marked):
        def read(self, address: int) -> int:
            seen.add(address)
            return super().read(address)

    seen: set[int] = set()
    with contextlib.suppress(Fault):
        walk(Noted(test.entries), test.cpu, test.gva, test.access)
    return at in seen


@pytest.mark.slow
def test_they_are_always_the_same(tmp_path: Path) -> None:
    made = []
    for seed in "12":
        code = f"from refmodel.oracle.vectors.writing import *; write_set(Path({str(tmp_path)!r}), 'guest-5', 150)"
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        made.append((tmp_path / "guest-5.jsonl").read_bytes().splitlines())
    assert made[0] == made[1] and len(set(made[0])) == 150


def test_a_wrong_walk_is_found_out(some: Path) -> None:
    """An implementation that forgets a rule deviates from some vector, and the one that does not from none."""

    def perform(forget: bool) -> WalkCampaign:
        def one(test: WalkTest) -> Observed:
            memory = Marked(test.entries)
            cpu = attrs.evolve(test.cpu, smep=False) if forget else test.cpu
            try:
                end: object = walk(memory, cpu, test.gva, test.access)
            except Fault as fault:
                end = fault
            flags = flags_of(memory.marks) if not isinstance(end, Fault) else {}
            return Observed(end_of(end, test.gva), {at: entry | flags.get(at, 0) for at, entry in test.entries.items()})

        return WalkCampaign("mine 1", Profile(), lambda tests: [one(test) for test in tests])

    right, wrong = (running.run(perform(forget), some) for forget in (False, True))
    assert right is not None and right.checks > 500 and not right.deviations
    assert wrong is not None and wrong.deviations


@pytest.mark.parametrize("name", ["unicorn", "bochs", "qemu"])
def test_shipped_machines_carry_them_out(name: str, some: Path) -> None:

    try:
        with contextlib.closing(IMPLEMENTATIONS[name].campaigns()) as campaigns:
            verdict = running.run(next(campaigns), some)
    except Absent as why:
        pytest.skip(str(why))
    assert verdict is not None and verdict.checks > 300
    assert not new_titles(verdict)


@pytest.mark.slow
@pytest.mark.parametrize("number, of_a_mutant", [(30, 2), (300, 60)])
def test_runs_of_a_monitor_are_judged_as_they_say(number: int, of_a_mutant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "RUNS", number)
    monkeypatch.setattr(monitor, "FOR_A_MUTANT", of_a_mutant)
    vectors = [json.loads(line) for line in monitor.vector_lines()]
    assert {"lawful"} < {v["verdict"] if v["verdict"] == "lawful" else v["verdict"]["clause"] for v in vectors}
    for vector in vectors:
        found = Judge("vector").block(1, lines(vector["trace"]))
        if vector["verdict"] == "lawful":
            assert found is None
        else:
            assert found is not None and found.line == vector["verdict"]["line"] == len(vector["trace"])
    done = {operation["do"] for v in vectors for operation in v["operations"]}
    assert {"share", "unmerge", "inflate", "deflate", "swap_out", "finish_reading", "send", "withdraw", "copy_to_guest"} <= done


needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def consumer(folder: Path, change: tuple[str, str] = ("", "")) -> str:
    """The consumer in C, built, with a part of its text changed."""
    text = (CLIENTS / "c" / "vectors.c").read_text()
    assert change[0] in text
    (folder / "vectors.c").write_text(text.replace(*change) if change[0] else text)
    program = str(folder / "vectors")
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-O2", "-o", program, str(folder / "vectors.c")], check=True)
    return program


@needs_gcc
def test_the_consumer_in_c_agrees_with_every_vector_and_notices_a_wrong_one(some: Path, tmp_path: Path) -> None:
    program = consumer(tmp_path)
    done = subprocess.run([program, str(some / "guest-4.jsonl")], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith(f"{SOME} vectors, 0 wrong\n")
    told = subprocess.run([program, "--results", str(some / "guest-4.jsonl")], capture_output=True, check=True).stdout
    (tmp_path / "results.jsonl").write_bytes(told)
    (verdict,) = judge_results(some, tmp_path / "results.jsonl")
    assert verdict.checks == SOME and not verdict.deviations
    wrong = (some / "guest-4.jsonl").read_text().replace('"code":"0x4"', '"code":"0x5"')
    assert subprocess.run([program], input=wrong, capture_output=True, text=True, check=False).returncode == 1


@needs_gcc
def test_the_consumer_in_c_says_why_it_checked_nothing(some: Path, tmp_path: Path) -> None:
    program, empty = consumer(tmp_path), tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    for words, said in (
        ([str(empty)], "no vectors; expected a file of refmodel vectors"),
        ([str(tmp_path)], "Is a directory"),
        ([str(tmp_path / "absent")], "No such file"),
        ([], "standard input: no vectors"),
        ([str(some / "guest-4.jsonl"), str(empty)], "expected one file at a time"),
    ):
        for more in ([], ["--results"]):
            done = subprocess.run([program, *words, *more], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
            assert done.returncode == 2 and said in done.stderr and not done.stdout, (words, done)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.one_in(2)
def test_what_is_ended_midway_ends_at_once_and_leaves_no_part_of_a_file(ending: signal.Signals, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background would ignore it
    command = subprocess.Popen(
        [sys.executable, "-m", "refmodel.cli", "vectors", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    while not list(tmp_path.glob("*.partial")):
        assert command.poll() is None
        time.sleep(0.05)
    os.killpg(command.pid, ending)
    _, said = command.communicate(timeout=60)  # all the vectors take minutes
    assert command.returncode == 130 and said == "refmodel: ended before it was done\n", said
    assert not list(tmp_path.glob("*.partial")) and not (tmp_path / "manifest.json").exists()


@needs_gcc
@pytest.mark.parametrize(
    ("right", "wrong", "title"),
    [
        pytest.param("g->write ? A | D : A", "A", "dirty flag of a 4 KiB leaf not set by an access that completes", id="forgets D"),
        pytest.param(
            "if (!leaf)\n            mark(slot, A);",
            "mark(slot, A);",
            "accessed flag of a 4 KiB leaf set although the access faults",
            id="sets A of a leaf that denies the access",
        ),
        pytest.param(
            "if (!(entry & P))",
            "mark(slot, A);\n        if (!(entry & P))",
            "accessed flag of a level 4 entry set although the access faults",
            id="sets A where nothing is present",
        ),
    ],
)
def test_the_consumer_in_c_notices_wrong_flags(right: str, wrong: str, title: str, some: Path, tmp_path: Path) -> None:
    program = consumer(tmp_path, (right, wrong))
    done = subprocess.run([program, str(some / "guest-4.jsonl")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "accessed and dirty flags are not as they must be" in done.stdout
    told = subprocess.run([program, "--results", str(some / "guest-4.jsonl")], capture_output=True, check=True).stdout
    (tmp_path / "results.jsonl").write_bytes(told)
    (verdict,) = judge_results(some, tmp_path / "results.jsonl")
    assert title in verdict.seen


@needs_gcc
def test_what_is_judged_can_be_had_as_a_document(some: Path, tmp_path: Path) -> None:
    program = consumer(tmp_path, ("if (!leaf)\n            mark(slot, A);", "mark(slot, A);"))
    told = subprocess.run([program, "--results", str(some / "guest-4.jsonl")], capture_output=True, check=True).stdout
    (tmp_path / "results.jsonl").write_bytes(told)
    done = refmodel("vectors", "--out", str(some), "--judge", str(tmp_path / "results.jsonl"), "--json")
    assert done.returncode == 1
    (document,) = json.loads(done.stdout)
    assert fits([document], "vectors --judge")
    assert any("accessed flag of a 4 KiB leaf" in each["title"] for each in document["deviations"])


@needs_gcc
@pytest.mark.parametrize("name", ["guest-32", "guest-pae"])
def test_the_consumer_in_c_walks_outside_ia32e_mode_too(name: str, some: Path, tmp_path: Path) -> None:
    program, file = consumer(tmp_path), str(some / f"{name}.jsonl")
    done = subprocess.run([program, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith(f"{SOME} vectors, 0 wrong\n")
    told = subprocess.run([program, "--results", file], capture_output=True, check=True).stdout
    (tmp_path / "results.jsonl").write_bytes(told)
    (verdict,) = judge_results(some, tmp_path / "results.jsonl")
    assert verdict.checks == SOME and not verdict.deviations


@needs_gcc
@pytest.mark.parametrize(
    ("name", "right", "wrong", "needs"),
    [
        ("guest-32", "entry >> 13 & 0xff) << 32", "0ull) << 32", ()),
        ("guest-32", "1 << 21 | (", "(", ()),
        ("guest-32", "pse && entry & PS", "(pse | 1) && entry & PS", ("no-pse",)),
        ("guest-32", '"cr3") & 0xfffff000)', '"cr3"))', ()),
        ("guest-pae", "g->beyond | 0x7ffull << 52", "g->beyond", ()),
        ("guest-pae", "0x1e6", "0x1e0", ("mov-cr3",)),
        ("guest-pae", "gva >> 30 & 3", "gva >> 30 & 1", ()),
        ("guest-pae", "& 0xffffffe0", "& 0xfffff000", ("mov-cr3",)),
    ],
)
def test_mistakes_outside_ia32e_mode_are_found_in_c(
    name: str, right: str, wrong: str, needs: tuple[str, ...], some: Path, tmp_path: Path
) -> None:
    program, file = consumer(tmp_path, (right, wrong)), str(some / f"{name}.jsonl")
    assert subprocess.run([program, file], capture_output=True, check=False).returncode == 1
    if needs:
        without = [word for need in needs for word in ("--without", need)]
        assert subprocess.run([program, *without, file], capture_output=True, check=False).returncode == 0


@needs_gcc
def test_the_consumer_in_c_leaves_out_what_it_is_told_to(some: Path, tmp_path: Path) -> None:
    """A walk without SMEP is wrong of some vectors, and of none that do not need it."""
    program = consumer(tmp_path, ('number(cpu, "smep")', "0"))
    file = str(some / "guest-4.jsonl")
    assert subprocess.run([program, file], capture_output=True, check=False).returncode == 1
    done = subprocess.run([program, "--without", "smap", "--without", "smep", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "vectors left out" in done.stderr
    checked, _, _ = done.stdout.partition(" vectors, 0 wrong")
    assert 1000 < int(checked) < SOME


# ---------------------------------------------------------------- variety


def completed(file: Path) -> Iterator[tuple[files.Vector, Any]]:
    """The vectors that must complete, with their tests."""
    for vector, test, ways in files.read(file):
        if len(ways) == 1 and ways[0].outcome.kind == "completed":
            yield vector, test


def entries_used(test: WalkTest) -> Iterator[tuple[int, int, bool]]:
    """The entries that a walk reads, in order: the level, the entry, and whether it maps a page."""
    table = test.cpu.cr3 & FRAME
    for level in range(test.cpu.levels, 0, -1):
        entry = test.entries[table | (test.gva >> 3 + 9 * level & 0x1FF) << 3]
        leaf = level == 1 or (level < 4 and entry & PS != 0)
        yield level, entry, leaf
        table = entry & FRAME
        if leaf:
            return


def test_walks_that_complete_have_every_ignored_bit_set_at_each_level(some: Path) -> None:
    """Software's bits, PWT, PCD, G, keys without CR4.PKE, D of an entry that maps no page, and PAT at its two places."""
    met = {(level, leaf): 0 for level in range(4, 0, -1) for leaf in (False, True) if (level, leaf) not in ((4, True), (1, False))}
    for _, test in completed(some / "guest-4.jsonl"):
        for level, entry, leaf in entries_used(test):
            met[level, leaf] |= entry
    for (level, leaf), bits in met.items():
        due = variations.ignored(Cpu(cr3=0), level, leaf)
        assert due & (1 << 12 if leaf and level > 1 else 1 << 7 if leaf else 1 << 6), (level, leaf)
        assert bits & due == due, f"level {level}: {due & ~bits:#x} is never set"


def test_walks_are_made_with_flags_of_cr3_and_pcids(some: Path) -> None:
    """A walker that takes bits 11:0 of CR3 for a part of the root's address goes wrong."""
    for name in ("guest-4", "nested-ept", "npt-4"):
        low = {
            int(str(v.cpu.get("cr3", 0) or 0), 16) & 0xFFF if v.kind != "npt" else int(str(v.second["cr3"]), 16) & 0xFFF
            for v, _ in completed(some / f"{name}.jsonl")
        }
        seen = 0
        for each in low:
            seen |= each
        assert 0 in low and seen == 0xFFF, name


def test_walks_go_through_tables_that_map_themselves(some: Path) -> None:
    """The root is read at two, three and four levels, and one entry is the table's, the page's and gets both its flags."""
    times = Counter[int]()
    for vector, test in completed(some / "guest-4.jsonl"):
        tables = [test.cpu.cr3 & FRAME, *(entry & FRAME for _, entry, leaf in entries_used(test) if not leaf)]
        times[tables.count(tables[0])] += 1
        if tables.count(tables[0]) == 4 and test.access.write and len(test.entries) == 1:
            assert set(vector.allowed[0].flags.values()) == {"0x60"}
            times[-1] += 1
    assert all(times[number] for number in (1, 2, 3, 4, -1))


def test_an_entry_that_serves_at_several_levels_is_named_by_the_last() -> None:
    """A deviation at a root's entry that maps a page is one at a leaf."""
    for because, test in variations.self_mapped(4):
        assert because == "a table that maps itself"
        last = [(level, at) for level, at in zip(range(4, 0, -1), _places(test), strict=False)]
        assert {at: level_used(test, at) for _, at in last} == {at: level for level, at in last}


def _places(test: WalkTest) -> Iterator[int]:
    """Where the entries lie that a walk of four levels reads."""
    table = test.cpu.cr3
    for level in range(4, 0, -1):
        at = table | (test.gva >> 3 + 9 * level & 0x1FF) << 3
        yield at
        table = test.entries[at] & FRAME


def test_pages_and_tables_lie_above_4_gib(some: Path) -> None:
    """A walker that keeps 32 bits of an address goes wrong."""
    for name in ("guest-4", "npt-4", "ept-4"):
        if name == "ept-4":
            read = [
                (test.ept.root, max(walks.due(test)[0].outcome.address, 0))
                for because, test in ept_varied()
                if walks.due(test)[0].outcome.kind == "completed"
            ]
        else:
            read = [
                ((test.cpu if isinstance(test, WalkTest) else test.host).cr3, int(vector.allowed[0].address, 16))
                for vector, test in completed(some / f"{name}.jsonl")
            ]
        assert sum(root >> 32 != 0 for root, _ in read) > 3 and sum(page >> 32 != 0 for _, page in read) > 3, name


def test_the_highest_bit_of_a_guest_physical_address_is_no_sign(some: Path) -> None:
    """An address that has it set is translated: a walker that has it repeated above, as a linear one's, goes wrong."""
    highest = [test for _, test in completed(some / "npt-4.jsonl") if isinstance(test, walks.NptTest) and test.gpa >> 47]
    assert len(highest) > 20
    plain = next(test for test in paths.ept_tests(4, 52) if walks.due(test)[0].outcome.kind == "completed")
    test = variations.with_the_highest_bit(plain, random.Random(0))
    assert test.gpa == plain.gpa | 1 << 47 and [w.outcome for w in walks.due(test)] == [w.outcome for w in walks.due(plain)]
    draw = random.Random(1)
    assert any("the highest bit" in what and other.gpa >> 47 for what, other in (variations.varied(plain, draw) for _ in range(9)))


def test_flags_of_entries_that_no_test_changes_are_as_they_are(some: Path, tmp_path: Path) -> None:
    """A right walker may report them, since they are set already; any other bit there is a deviation."""
    told, wrong, fixed = [], [], 0
    for vector, test, (way, *_) in itertools.islice(files.read(some / "nested-ept.jsonl"), 200):
        assert isinstance(test, NestedTest)
        flags = {at: way.must.get(at, 0) | way.may.get(at, 0) for at in {*way.must, *way.may}}
        result = files.End(way.outcome.kind, hex(way.outcome.code), hex(way.outcome.address), {}, {}, hex(way.outcome.linear))
        fixed += sum(at in test.fixed for at in flags)
        told.append(_result(vector.id, result, flags))
        wrong.append(_result(vector.id, result, {**flags, min(test.fixed): 0x40}))
    assert fixed > 100
    for results, right in ((told, True), (wrong, False)):
        (tmp_path / "results.jsonl").write_text("".join(results))
        (verdict,) = judge_results(some, tmp_path / "results.jsonl")
        assert verdict.checks == 200 and (not verdict.deviations) == right


UNDEFINED = 1 << 6, 0b111 << 9
"""Bits of an exit qualification that say nothing without mode-based execute control, and without advanced information."""


def test_deviations_of_an_ept_walk_name_the_rule_and_the_bits(tmp_path: Path) -> None:
    write_some("ept-4", tmp_path)
    manifest.write(tmp_path, {"ept-4": SOME}, ())
    told = list[str]()
    for vector, _, _ in files.read(tmp_path / "ept-4.jsonl"):
        end = vector.allowed[0]
        if end.end == "EPT misconfiguration":
            told.append(_result(vector.id, files.End("completed", "0x0", end.address, {}, {}), {}))
        elif end.end == "EPT violation":
            told.append(_result(vector.id, msgspec.structs.replace(end, code=hex(int(end.code, 16) ^ 1 << 3)), {}))
    (tmp_path / "results.jsonl").write_text("".join(told))
    (verdict,) = judge_results(tmp_path, tmp_path / "results.jsonl")
    assert sum(verdict.seen.values()) == len(told)
    titles = {title.removeprefix("not taken as a misconfiguration: ") for title in verdict.seen if "misconfiguration" in title}
    assert len(titles) > 3 and "a reserved memory type" in titles and "by no rule" not in titles
    violations = {title for title in verdict.seen if "misconfiguration" not in title}
    assert violations and all(re.match("exit qualification of an EPT violation (lacks|has) '", title) for title in violations)


def test_what_an_exit_leaves_undefined_is_not_compared(some: Path, tmp_path: Path) -> None:
    told, defined = list[str](), list[str]()
    for vector, _, _ in files.read(some / "nested-ept.jsonl"):
        made = json.loads(_result(vector.id, vector.allowed[0], {}))
        del made["flags"]
        told.append(json.dumps(made))
        if vector.allowed[0].end == "EPT misconfiguration":
            made |= {"code": "0x184", "linear": "0xdead000"}
        if vector.allowed[0].end == "EPT violation":
            code, lacking = int(vector.allowed[0].code, 16), [not vector.second[n] for n in ("mode_based_execute", "advanced")]
            made["code"] = hex(code | sum(bits for bits, lacks in zip(UNDEFINED, lacking, strict=True) if lacks))
            defined.append(json.dumps(made | {"code": hex(code ^ 1 << 3)}))
        told[-1] = json.dumps(made)
    (tmp_path / "results.jsonl").write_text("\n".join(told))
    (verdict,) = judge_results(some, tmp_path / "results.jsonl")
    assert verdict.checks == len(told) and not verdict.deviations
    (tmp_path / "results.jsonl").write_text("\n".join(defined))
    (verdict,) = judge_results(some, tmp_path / "results.jsonl")
    assert sum(verdict.seen.values()) == len(defined) > 0


def _result(name: str, end: files.End, flags: dict[int, int]) -> str:
    made = {"id": name, "end": end.end, "code": end.code, "address": end.address, "linear": end.linear}
    return json.dumps({**made, "flags": {hex(at): hex(word) for at, word in flags.items()}}) + "\n"


def ept_varied() -> Iterator[tuple[str, paths.EptTest]]:
    test = next(test for test in paths.ept_tests(4, 40) if walks.due(test)[0].outcome.kind == "completed")
    draw = random.Random(1)
    return (variations.varied(test, draw) for _ in range(40))


@pytest.mark.parametrize("name", ["guest-4", "nested-ept", "ept-4"])
def test_what_is_varied_as_ignored_changes_nothing(name: str) -> None:
    """How a walk ends and which flags it sets is as it was without the bits that it ignores."""
    draw, changed = random.Random(0), 0
    for _, test in itertools.islice(writing.CHOOSING[name](), 0, 60):
        for change in (variations.with_ignored_bits, variations.with_flags_of_cr3):
            other = change(test, draw)
            assert walks.due(other) == walks.due(test)
            changed += other != test
    assert changed > 50


# ---------------------------------------------------------------- 32-bit paging and PAE paging


@pytest.mark.parametrize("pae", [False, True])
def test_unicorn_carries_out_vectors_outside_ia32e_mode(pae: bool, some: Path) -> None:
    """It deviates where a PDPTE has changed in memory after CR3 was loaded, and nowhere else."""
    pytest.importorskip("unicorn")
    from refmodel.oracle.x86.unicorn_legacy import UnicornLegacy

    machine = UnicornLegacy(pae)
    verdict = running.run(LegacyCampaign(f"unicorn {machine.version}", LegacyProfile(pae), machine.walks, True), some)
    assert verdict is not None and verdict.checks > 700 and set(verdict.outcomes) == {"completed", "#PF"}
    assert set(verdict.seen) == ({NO_REGISTERS} if pae else set())


@pytest.mark.parametrize("pae", [False, True])
def test_a_machine_with_the_agent_carries_out_vectors_outside_ia32e_mode(pae: bool, some: Path) -> None:
    """MOV to CR3 among them. Bochs deviates nowhere; it has no memory that most pages above 4 GiB could be in."""
    from refmodel.oracle.x86 import bochs

    if bochs.version() is None:
        pytest.skip("the Bochs processor is not installed")
    with contextlib.closing(bochs.Bochs(LegacyImage(pae))) as host:
        campaigns: list[LegacyCampaign | LoadCampaign] = [LegacyCampaign("bochs 0", profile_of(host), LegacyWalks(host).walks)]
        if pae:
            campaigns.append(LoadCampaign("bochs 0", profile_of(host), functools.partial(loads_on, host)))
        for campaign in campaigns:
            verdict = running.run(campaign, some)
            assert verdict is not None and verdict.checks > (90 if isinstance(campaign, LoadCampaign) else 600)
            assert len(verdict.outcomes) == 2 and verdict.deviations == ()


MISTAKES: dict[str, tuple[bool, Callable[[Any], Any]]] = {
    "address bits 39:32 of a 4 MiB page forgotten": (
        False,
        lambda t: attrs.evolve(t, entries={at: e & ~0x1FE000 if e & PS and at >> 12 == 4 else e for at, e in t.entries.items()}),
    ),
    "PS taken for a large page without CR4.PSE": (False, lambda t: attrs.evolve(t, cpu=attrs.evolve(t.cpu, pse=True))),
    "bits 11:0 of CR3 not masked": (
        False,
        lambda t: attrs.evolve(t, cpu=attrs.evolve(t.cpu, cr3=t.cpu.cr3 + 0x1000 * (t.cpu.cr3 & 8))),
    ),
    "bits 62:52 ignored, as in IA-32e mode": (
        True,
        lambda t: attrs.evolve(t, entries={at: e & ~(0x7FF << 52) for at, e in t.entries.items()}),
    ),
    "EFER.NXE taken as set": (True, lambda t: attrs.evolve(t, cpu=attrs.evolve(t.cpu, nxe=True))),
    "PDPTEs read when it walks": (True, with_pdptes_of_memory),
    "another PDPTE selected": (True, lambda t: attrs.evolve(t, gva=t.gva ^ 1 << 30)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_outside_ia32e_mode_are_found(mistake: str, some: Path) -> None:
    """A walker with one of these mistakes ends otherwise than some vector allows."""
    pae, mistaken = MISTAKES[mistake]
    tests = [
        (test, ways) for _, test, ways in files.read(some / f"guest-{'pae' if pae else '32'}.jsonl") if isinstance(test, LegacyTest)
    ]
    wrong = [
        test
        for test, ways in tests
        if not {way.outcome.kind for way in walks.due(mistaken(test))} <= {way.outcome.kind for way in ways}
        or {(w.outcome.code, w.outcome.kind == "completed" and w.outcome.address) for w in walks.due(mistaken(test))}
        - {(w.outcome.code, w.outcome.kind == "completed" and w.outcome.address) for w in ways}
    ]
    assert wrong


def test_vectors_outside_ia32e_mode_have_what_their_formats_have(some: Path) -> None:
    """Pages above 4 GiB, flags of CR3, tables that map themselves, PDPTEs that changed, loads that fail, and may fail."""
    narrow = list(files.read(some / "guest-32.jsonl"))
    wide = list(files.read(some / "guest-pae.jsonl"))
    for vectors in (narrow, wide):
        assert sum(way.outcome.address >> 32 != 0 for _, _, ways in vectors for way in ways if way.outcome.kind == "completed") > 10
        assert sum(vector.because == "a table that maps itself" for vector, _, _ in vectors) == 12
    assert {test.cpu.cr3 & 8 for _, test, _ in narrow if isinstance(test, LegacyTest) and isinstance(test.cpu, Cpu32)} == {0, 8}
    assert {test.cr3 & 0x10 for _, test, _ in wide if isinstance(test, LegacyTest)} == {0, 0x10}
    assert sum("pdpte-registers" in vector.needs for vector, _, _ in wide) > 20
    ends = {tuple(end.end for end in vector.allowed) for vector, _, _ in wide if vector.kind == "mov-cr3"}
    assert ends == {("completed",), ("#GP",), ("completed", "#GP")}
    refused = [test for _, test, ways in wide if isinstance(test, LoadTest) and [way.outcome.kind for way in ways] == ["#GP"]]
    reserved = {bit for test in refused for word in test.entries.values() for bit in range(64) if word & 1 and word >> bit & 1}
    assert reserved >= {1, 2, 5, 6, 7, 8, *range(40, 64)}


# ---------------------------------------------------------------- features


@pytest.mark.parametrize("name", FILES)
def test_a_walker_that_lacks_features_agrees_with_every_vector_that_needs_none_of_them(name: str, some: Path) -> None:
    """Whichever features are lacking that a vector does not need, the walk ends as it says; those that it needs matter."""
    met = set[str]()
    for at, (vector, test, ways) in enumerate(files.read(some / f"{name}.jsonl")):
        needed = set(vector.needs)
        met |= needed
        if at % 17:
            continue
        on = [f for f, x in features.FEATURES.items() if x.field and x.without(test) is not None]
        rest = [f for f in on if f not in needed]
        for number in range(1, len(rest) + 1):
            for lacking in itertools.combinations(rest, number):
                assert not features._matters(test, ways, lacking), (vector.id, lacking)
        assert not needed & set(on) or features._matters(test, ways, needed & set(on)), vector.id
    assert len(met) >= 7


def test_a_walker_may_lack_a_feature_of_the_guests_whose_opposite_the_host_has() -> None:
    """A fetch that faults for want of SMEP or of NX: the one is a register of the guest's, whose host has no NX."""
    assert [{*each} for each in features._at_once(["smep", "nx", "no-nx", "wp"])] == [{"smep", "nx", "wp"}, {"smep", "no-nx", "wp"}]
    assert features._at_once(["smep", "nx"]) == [["smep", "nx"]]


def test_vectors_that_need_a_feature_can_be_left_out() -> None:
    lacking = frozenset({"smap", "no-nx", "maxphyaddr"})
    kept = [json.loads(line) for line in itertools.islice(writing.walk_lines("guest-4", walks.guest(4), lacking), 300)]
    assert [vector["id"] for vector in kept[:2]] == ["guest-4/000000", "guest-4/000001"]
    assert all(lacking.isdisjoint(vector["needs"]) for vector in kept)
    assert {need for vector in kept for need in vector["needs"]} >= {"smep", "keys", "nx", "no-wp"}
    assert writing.shares(80, frozenset({"5-levels"})) == {
        "guest-32": 10,
        "guest-pae": 10,
        "guest-4": 10,
        "guest-5": 0,
        "ept-4": 10,
        "ept-5": 0,
        "npt-4": 10,
        "nested-ept": 10,
        "nested-npt": 10,
        "monitor": 10,
    }
    with pytest.raises(BadDesign, match="smop: no such feature; expected one of smep, smap"):
        writing.write(Path("nowhere"), 1, without=frozenset({"smop"}))


def test_the_chapter_has_every_feature_and_the_schema_is_that_of_a_line(some: Path) -> None:
    chapter = (SPECS / "vectors.md").read_text()
    for name, feature in features.FEATURES.items():
        assert f"| `{name}` | {feature.about} |" in chapter
    assert json.loads((SPECS / "vectors.schema.json").read_text()) == json.loads(json.dumps(files.schema())), (
        "python -m refmodel.oracle.vectors.files > specs/vectors.schema.json"
    )
    validator = jsonschema.Draft202012Validator(files.schema())
    for line in (some / "nested-ept.jsonl").read_text().splitlines()[:200]:
        validator.validate(json.loads(line))


# ---------------------------------------------------------------- a few, and the manifest


def test_a_few_vectors_are_found_without_looking_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    solved, solve = [0], walk_models._Symbolic._model

    def counted(self: Any, *of: Any) -> Any:
        solved[0] += 1
        return solve(self, *of)

    monkeypatch.setattr(walk_models._Symbolic, "_model", counted)
    assert len(list(itertools.islice(writing.walk_lines("guest-4", walks.guest(4)), 3))) == 3
    assert solved[0] < 10


@pytest.mark.slow
def test_a_count_is_shared_by_all_files_and_written_with_a_manifest(tmp_path: Path) -> None:
    done = list[tuple[int, int]]()
    written = writing.write(tmp_path, 2, lambda *now: done.append(now), frozenset({"smap"}))
    assert sum(written.values()) == 2 and done[-1] == (2, 2)
    assert {file.name for file in tmp_path.iterdir()} == {*(f"{name}.jsonl" for name in writing.EVERY), "manifest.json"}
    about = json.loads((tmp_path / "manifest.json").read_text())
    assert about["vectors"] == written and about["without"] == ["smap"] and about["version"] == files.VERSION
    manifest.check(tmp_path)


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda folder: (folder / "guest-4.jsonl").write_bytes(b"{}\n"), "guest-4.jsonl: changed since it was written"),
        (lambda folder: (folder / "npt-4.jsonl").unlink(), "npt-4.jsonl: no such file, and manifest.json lists it"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json: not a manifest"),
        (
            lambda folder: (folder / "manifest.json").write_text(
                (folder / "manifest.json").read_text().replace('"version": 2', '"version": 1')
            ),
            "version: 1; expected 2",
        ),
    ],
)
def test_vectors_that_are_not_as_the_manifest_says_are_refused(break_it: Any, expected: str, some: Path, tmp_path: Path) -> None:
    for name in ("guest-4", "npt-4"):
        shutil.copy(some / f"{name}.jsonl", tmp_path)
    manifest.write(tmp_path, {"guest-4": SOME, "npt-4": SOME}, ())
    results = tmp_path / "results"
    results.write_bytes(_results(some / "guest-4.jsonl"))
    assert judge_results(tmp_path, results)[0].checks == SOME
    break_it(tmp_path)
    with pytest.raises(BadDesign, match=expected):
        judge_results(tmp_path, results)
    with pytest.raises(BadDesign, match=expected):
        running.run(WalkCampaign("mine 1", Profile(), lambda tests: []), tmp_path)


def _results(file: Path, forget: bool = False, flags: bool = False) -> bytes:
    """The results of a right walk, or of one that forgets SMEP."""
    told = []
    for vector, test, _ in files.read(file):
        assert isinstance(test, WalkTest)
        memory, cpu = Marked(test.entries), attrs.evolve(test.cpu, smep=False) if forget else test.cpu
        try:
            end = end_of(walk(memory, cpu, test.gva, test.access), test.gva)
        except Fault as fault:
            end = end_of(fault, test.gva)
        result = {"id": vector.id, "end": end.kind, "code": hex(end.code), "address": hex(end.address)}
        if flags and end.kind == "completed":
            result["flags"] = {}  # type: ignore[assignment]
        told.append(result)
    return lines(told)


def test_a_consumers_results_are_sorted_into_classes_with_the_smallest_example_of_each(some: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.write_bytes(_results(some / "guest-4.jsonl"))
    (right,) = judge_results(some, results)
    assert right.checks == SOME and not right.deviations
    results.write_bytes(_results(some / "guest-4.jsonl", forget=True))
    (wrong,) = judge_results(some, results)
    assert wrong.deviations and sum(wrong.seen.values()) >= len(wrong.deviations)
    for deviation in wrong.deviations:
        assert deviation.finding.title in wrong.seen and next(iter(deviation.test.lines())).startswith("vector guest-4/")
    results.write_bytes(_results(some / "guest-4.jsonl", flags=True))
    (unmarked,) = judge_results(some, results)
    assert any("accessed" in each.finding.title or "flag" in each.finding.title for each in unmarked.deviations)


def test_a_flag_that_is_set_elsewhere_is_a_deviation_and_vectors_without_a_result_are_counted(some: Path, tmp_path: Path) -> None:
    results, told = tmp_path / "results.jsonl", _results(some / "guest-4.jsonl", flags=True).splitlines(keepends=True)
    at = next(number for number, line in enumerate(told) if b'"flags"' in line)
    result = {**json.loads(told[at]), "flags": {"0xffff777000": "0x20"}}
    results.write_text(json.dumps(result) + "\n")
    (verdict,) = judge_results(some, results)
    assert list(verdict.seen) == ["flags set in a word that is no entry of the vector"]
    assert (verdict.checks, verdict.of) == (1, SOME)


def test_results_that_are_missing_are_explained_by_features_or_leave_it_undecided(some: Path, tmp_path: Path) -> None:
    """A walker without SMAP leaves vectors out; one that crashed leaves out others too."""
    results, told = tmp_path / "results.jsonl", _results(some / "guest-4.jsonl").splitlines(keepends=True)
    needs = [vector.needs for vector, _, _ in files.read(some / "guest-4.jsonl")]
    results.write_bytes(b"".join(line for line, needed in zip(told, needs, strict=True) if "smap" not in needed))
    (verdict,) = judge_results(some, results)
    assert "smap" in verdict.lacking and not verdict.unexplained and verdict.checks < SOME
    assert refmodel("vectors", "--out", str(some), "--judge", str(results)).returncode == 0
    results.write_bytes(b"".join(told[: SOME // 2]))
    (verdict,) = judge_results(some, results)
    assert verdict.unexplained > SOME // 4
    done = refmodel("vectors", "--out", str(some), "--judge", str(results))
    assert done.returncode == 3 and "vectors have no result, and no feature explains it" in done.stdout


@pytest.mark.parametrize(
    "line, expected",
    [
        (b"{}", "not a result"),
        (b'{"id":"guest-4/000000","end":"lost"}', "not a result"),
        (b"", "no results"),
        (b'{"id":"other/1","end":"#GP"}', "id: other/1"),
        (b'{"id":"guest-4/000000","end":"#GP","end":"#PF"}', "end: is given twice"),
        (b'{"id":"guest-4/999999","end":"#GP"}', r"results:1: id: guest-4/999999: .* has no such vector"),
        (b'{"id":"guest-5/000000","end":"#GP"}', "no such file"),
    ],
)
def test_what_is_no_result_is_said(line: bytes, expected: str, some: Path, tmp_path: Path) -> None:
    (tmp_path / "results").write_bytes(line)
    with pytest.raises(BadDesign, match=expected):
        judge_results(some, tmp_path / "results")


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda v: {**v, "kind": "other"}, "kind"),
        (lambda v: {**v, "memory": {"0x10": "12"}}, "memory"),
        (lambda v: {k: x for k, x in v.items() if k != "allowed"}, "allowed"),
        (lambda v: {**v, "cpu": {"cr9": 1}}, "cr9"),
        (lambda v: {**v, "address": "0x" + "f" * 17}, "address"),
        (lambda v: [], "object"),
    ],
)
def test_a_broken_vector_is_told_with_its_line(some: Path, tmp_path: Path, change: object, expected: str) -> None:
    first, second, *_ = (some / "guest-4.jsonl").read_bytes().splitlines()
    assert callable(change)
    (tmp_path / "v.jsonl").write_bytes(first + b"\n" + msgspec.json.encode(change(json.loads(second))) + b"\n")
    with pytest.raises(BadDesign, match=rf"v.jsonl:2: .*{expected}"):
        list(files.read(tmp_path / "v.jsonl"))


def test_nested_vectors_have_tests_of_both_dimensions(some: Path) -> None:
    kinds = {type(test) for _, test, _ in files.read(some / "nested-ept.jsonl")}
    assert kinds == {NestedTest}


# ---------------------------------------------------------------- mistakes that no single bit shows

Mistaken = Callable[[Any], Any]


def _without_smap_for_ac(test: Any) -> Any:
    """EFLAGS.AC lifts SMAP for an implicit access too."""
    return attrs.evolve(test, access=attrs.evolve(test.access, implicit=False)) if test.access.ac else test


def _tables_cut_short(test: LegacyTest) -> LegacyTest:
    """Bits 63:32 of a directory's entry that leads to a table are lost, and those of a PDPTE."""
    if not isinstance(test.cpu, CpuPae):
        return test
    low = (1 << 32) - 1
    entries = {at: entry & low if at & 0xF000 == 0x4000 and not entry & PS else entry for at, entry in test.entries.items()}
    return attrs.evolve(test, entries=entries, cpu=attrs.evolve(test.cpu, pdpte0=test.cpu.pdpte0 & low))


SUBTLE: dict[str, tuple[str, Mistaken]] = {
    "EFLAGS.AC lifts SMAP for implicit accesses": ("guest-4", _without_smap_for_ac),
    "the same in a virtual machine": ("nested-ept", _without_smap_for_ac),
    "a table's address cut short with PAE paging": ("guest-pae", _tables_cut_short),
    "mode-based execute control that is not known": (
        "nested-ept",
        lambda t: attrs.evolve(t, second=attrs.evolve(t.second, mode_based_execute=False)),
    ),
    "advanced information that is always given": (
        "nested-ept",
        lambda t: attrs.evolve(t, second=attrs.evolve(t.second, advanced=True)),
    ),
}


@pytest.mark.parametrize("mistake", SUBTLE)
def test_mistakes_in_combinations_of_rights_and_in_high_tables_are_found(mistake: str) -> None:
    """Vectors that are written if few are asked for show each of them, several times."""
    name, mistaken = SUBTLE[mistake]
    tests = (test for _, test in itertools.islice(writing.CHOOSING[name](), 3 * SOME))
    found = (test for test in tests if walks.due(mistaken(test)) != walks.due(test))
    assert len(list(itertools.islice(found, 4))) == 4


@pytest.mark.parametrize("name", ["nested-ept", "nested-npt"])
def test_tables_of_two_dimensional_walks_lie_above_4_gib(name: str) -> None:
    """The guest's in guest-physical memory, and the second tables; such a walk ends as it does where the tables are low."""
    tests = [test for _, test in itertools.islice(writing.CHOOSING[name](), SOME) if isinstance(test, NestedTest)]
    completed = [test for test in tests if walks.due(test)[0].outcome.kind == "completed"]
    roots = [test.second.root if isinstance(test.second, Ept) else test.second.cr3 for test in completed]
    assert sum(root >> 32 != 0 for root in roots) > 10 and sum(test.cpu.cr3 >> 39 != 0 for test in completed) > 5
    low = [test for test in tests if test.cpu.cr3 >> 32 == 0 and all(at >> 32 == 0 for at in test.entries)][:100]
    for test in low:
        high = moved(test, 3 << 36, False)
        assert [way.outcome for way in walks.due(high)] == [way.outcome for way in walks.due(test)]


def test_addresses_that_no_processor_uses_are_in_no_vector() -> None:
    for name, limit in (("ept-4", 48), ("npt-4", 48), ("ept-5", 52)):
        tests = [test for _, test in itertools.islice(writing.CHOOSING[name](), SOME // 8)]
        assert all(isinstance(test, EptTest | NptTest) and not test.gpa >> limit for test in tests)
