"""Vectors: every path is among them, they say what the walks do, and they are always the same."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import msgspec
import pytest

from refmodel.language import BadDesign
from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, flags_of
from refmodel.machine.x86.guest_walk import walk
from refmodel.oracle.implementations import IMPLEMENTATIONS, Absent
from refmodel.oracle.known import new_titles
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.telling import lines
from refmodel.oracle.vectors import files, monitor, paths, running, walks
from refmodel.oracle.vectors.results import judge_results
from refmodel.oracle.x86.nested_tests import NestedTest
from refmodel.oracle.x86.outcomes import Observed
from refmodel.oracle.x86.walk_campaign import WalkCampaign, end_of
from refmodel.oracle.x86.walk_tests import Profile, WalkTest

CLIENTS = Path(running.__file__).parents[2] / "clients"


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    for name in ("guest-4", "nested-ept", "npt-4"):
        tests = files.SETS[name]()
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in files._walk_lines(name, tests, 1500)))
    return folder


def test_what_is_written_is_what_the_walks_do_and_is_read_back(some: Path) -> None:
    for name in ("guest-4", "nested-ept", "npt-4"):
        for vector, test, ways in files.read(some / f"{name}.jsonl"):
            assert walks.due(test) == ways, vector.id
            assert ways and vector.clauses


def test_every_kind_of_end_is_among_them(some: Path) -> None:
    ends = {end.end for name in ("guest-4", "nested-ept", "npt-4")
            for vector, _, _ in files.read(some / f"{name}.jsonl") for end in vector.allowed}
    assert ends == {"completed", "#PF", "#GP", "EPT violation", "EPT misconfiguration", "#NPF"}


def test_each_path_of_the_walk_has_a_vector() -> None:
    """What a processor looks at, and how it ends: nothing that random tests meet is missing from the paths."""
    def way(test: WalkTest) -> tuple[object, ...]:
        (first, *_) = walks.due(test)
        return len(test.entries), first.outcome.kind, first.outcome.code & 9

    found = {way(test) for test in paths.guest_tests(4, 40)}
    drawn = (test for why, test in walks.guest(4) if why == "drawn")
    for _, test in zip(range(300), drawn, strict=False):
        assert isinstance(test, WalkTest)
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


def test_they_are_always_the_same(tmp_path: Path) -> None:
    made = []
    for seed in "12":
        code = f"from refmodel.oracle.vectors.files import *; write_set(Path({str(tmp_path)!r}), 'guest-5', 1200)"
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        made.append((tmp_path / "guest-5.jsonl").read_bytes().splitlines())
    assert made[0] == made[1] and len(set(made[0])) == 1200


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


@pytest.mark.parametrize("number, of_a_mutant", [(60, 4), pytest.param(300, 60, marks=pytest.mark.slow)])
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


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_consumer_in_c_agrees_with_every_vector_and_notices_a_wrong_one(some: Path, tmp_path: Path) -> None:
    program = tmp_path / "vectors"
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-O2", "-o", str(program), str(CLIENTS / "c" / "vectors.c")], check=True)
    done = subprocess.run([str(program), str(some / "guest-4.jsonl")], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith("1500 vectors, 0 wrong\n")
    told = subprocess.run([str(program), "--results", str(some / "guest-4.jsonl")], capture_output=True, check=True).stdout
    (tmp_path / "results.jsonl").write_bytes(told)
    (verdict,) = judge_results(some, tmp_path / "results.jsonl")
    assert verdict.checks == 1500 and not verdict.deviations
    wrong = (some / "guest-4.jsonl").read_text().replace('"code":"0x4"', '"code":"0x5"')
    assert subprocess.run([str(program)], input=wrong, capture_output=True, text=True, check=False).returncode == 1


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
    assert right.checks == 1500 and not right.deviations
    results.write_bytes(_results(some / "guest-4.jsonl", forget=True))
    (wrong,) = judge_results(some, results)
    assert wrong.deviations and sum(wrong.seen.values()) >= len(wrong.deviations)
    for deviation in wrong.deviations:
        assert deviation.finding.title in wrong.seen and next(iter(deviation.test.lines())).startswith("vector guest-4/")
    results.write_bytes(_results(some / "guest-4.jsonl", flags=True))
    (unmarked,) = judge_results(some, results)
    assert any("accessed" in each.finding.title or "flag" in each.finding.title for each in unmarked.deviations)


@pytest.mark.parametrize("line, expected", [
    (b"{}", "not a result"), (b'{"id":"guest-4/000000","end":"lost"}', "not a result"), (b"", "no results"),
    (b'{"id":"other/1","end":"#GP"}', "id: other/1"), (b'{"id":"guest-4/999999","end":"#GP"}', "no vector"),
    (b'{"id":"guest-5/000000","end":"#GP"}', "no such file")])
def test_what_is_no_result_is_said(line: bytes, expected: str, some: Path, tmp_path: Path) -> None:
    (tmp_path / "results").write_bytes(line)
    with pytest.raises(BadDesign, match=expected):
        judge_results(some, tmp_path / "results")


@pytest.mark.parametrize("change, expected", [
    (lambda v: {**v, "kind": "other"}, "kind"), (lambda v: {**v, "memory": {"0x10": "12"}}, "memory"),
    (lambda v: {k: x for k, x in v.items() if k != "allowed"}, "allowed"), (lambda v: {**v, "cpu": {"cr9": 1}}, "cr9"),
    (lambda v: {**v, "address": "0x" + "f" * 17}, "address"), (lambda v: [], "object")])
def test_a_broken_vector_is_told_with_its_line(some: Path, tmp_path: Path, change: object, expected: str) -> None:
    first, second, *_ = (some / "guest-4.jsonl").read_bytes().splitlines()
    assert callable(change)
    (tmp_path / "v.jsonl").write_bytes(first + b"\n" + msgspec.json.encode(change(json.loads(second))) + b"\n")
    with pytest.raises(BadDesign, match=rf"v.jsonl:2: .*{expected}"):
        list(files.read(tmp_path / "v.jsonl"))


def test_nested_vectors_have_tests_of_both_dimensions(some: Path) -> None:
    kinds = {type(test) for _, test, _ in files.read(some / "nested-ept.jsonl")}
    assert kinds == {NestedTest}
