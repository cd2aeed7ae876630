"""What a walker that runs RISC-V's vectors reports in lines of JSON, and how it is judged."""

import gzip
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from typer.testing import CliRunner

from refmodel.cli.common import app
from refmodel.language import BadDesign
from refmodel.machine.riscv.words import A
from refmodel.oracle.riscv.outcomes import Lawful, due
from refmodel.oracle.riscv.results import EXAMPLE, are_results, judge_results
from refmodel.oracle.riscv.vectors import SETS_32, SETS_64, Vector, chosen, file_of, read, write
from refmodel.oracle.riscv.walk_tests import Stages, WalkTest

EACH = 200
OVER = SETS_64[1]
Told = dict[str, Any]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    for sets in (SETS_64, SETS_32):
        write(folder, EACH * len(sets), sets=sets)
    return folder


def told(vector: Vector) -> Told:
    """What a walker says that does what the vector says."""
    fields = {name: value for name, value in json.loads(msgspec.json.encode(vector.end)).items() if name != "may"}
    return {"id": vector.id, **fields}


def results(folder: Path, stages: Stages, change: Callable[[Told, WalkTest, Lawful], Told | None] = lambda line, *_: line) -> str:
    lines = [change(told(vector), test, way) for vector, test, way in read(file_of(folder, stages), stages)]
    return "".join(json.dumps(line) + "\n" for line in lines if line is not None)


@pytest.mark.parametrize("stages", (*SETS_64, *SETS_32), ids=lambda each: each.name)
def test_a_walker_that_does_what_vectors_say_has_no_deviation(vectors: Path, tmp_path: Path, stages: Stages) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(results(vectors, stages))
    assert are_results(file)
    (verdict,) = judge_results(vectors, file)
    assert (verdict.checks, verdict.of, verdict.deviations, verdict.unexplained) == (EACH, EACH, (), 0)
    assert verdict.subject == f"vectors of {stages.name}"


def test_what_a_walker_does_wrong_is_found_by_class(vectors: Path, tmp_path: Path) -> None:
    def forgets(line: Told, test: WalkTest, way: Lawful) -> Told:
        return line | {"flags": {at: hex(int(word, 16) & ~A) for at, word in line["flags"].items()}}

    def swaps(line: Told, test: WalkTest, way: Lawful) -> Told:
        return line | ({"cause": 5} if line.get("cause", 0) > 10 else {})

    def sets_elsewhere(line: Told, test: WalkTest, way: Lawful) -> Told:
        return line | {"flags": {**line["flags"], "0x10": "0x40"}}

    file = tmp_path / "results.jsonl"
    for change, title in ((forgets, "accessed flag"), (swaps, "fault"), (sets_elsewhere, "no entry of the vector")):
        file.write_text(results(vectors, OVER, change))
        (verdict,) = judge_results(vectors, file)
        assert verdict.deviations and all(title in each.finding.title for each in verdict.deviations), verdict
    done = CliRunner().invoke(app, ["vectors", "--architecture", "riscv", "--out", str(vectors), "--judge", str(file)])
    assert done.exit_code == 1 and "no entry of the vector" in done.output


def test_flags_that_are_not_reported_are_not_compared(vectors: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl.gz"
    told = results(vectors, OVER, lambda line, *_: {name: value for name, value in line.items() if name != "flags"})
    file.write_bytes(gzip.compress(told.encode()))
    assert are_results(file)
    assert not judge_results(vectors, file)[0].deviations


def test_vectors_without_a_result_need_an_extension_that_no_other_needs(vectors: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(results(vectors, OVER, lambda line, test, _: None if test.hart.pbmte or test.hart.vs_pbmte else line))
    (verdict,) = judge_results(vectors, file)
    assert "Svpbmt" in verdict.lacking and not verdict.unexplained and 0 < verdict.checks < EACH
    file.write_text("".join(results(vectors, OVER).splitlines(keepends=True)[:-3]))
    (verdict,) = judge_results(vectors, file)
    assert verdict.unexplained


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"id":"Sv39/000000","end":"completed"}', "1: physical: missing"),
        ('{"id":"Sv39/000000","end":"trap"}', "1: cause: missing"),
        ('{"id":"Sv39/999999","end":"trap","cause":5}', "has no such vector"),
        ('{"id":"Sv40/000000","end":"trap","cause":5}', "expected that of a vector of Sv39"),
        (f"{EXAMPLE}\n{EXAMPLE}", "2: id: Sv39/000000: was given before"),
        ('{"id":"Sv39/000000","end":"trap","cause":"5"}', "not a result"),
        ("{", "not a result"),
    ],
)
def test_what_is_no_result_is_bad_input(vectors: Path, tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(BadDesign, match=why):
        judge_results(vectors, file)


def test_the_example_is_a_result(vectors: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(EXAMPLE + "\n")
    (verdict,) = judge_results(vectors, file)
    assert verdict.checks == 1 and verdict.of == EACH


@pytest.mark.parametrize("stages", [each for each in (*SETS_64, *SETS_32) if not each.virtual], ids=lambda each: each.name)
def test_a_few_vectors_depend_on_mxr(stages: Stages) -> None:
    without = 0
    for _, test, way in itertools.islice(chosen(stages), 800):
        hart = attrs.evolve(test.hart, mxr=False)
        without += due({**test.fixed, **test.entries}, hart, test.instruction, test.address).outcome != way.outcome
    assert without >= 3
