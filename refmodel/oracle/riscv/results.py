"""What a walker that ran RISC-V's vectors reports, judged: a line of JSON for each vector (specs/riscv.md)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import attrs
import msgspec

from refmodel.language import BadDesign
from refmodel.machine.riscv.hart import Trap
from refmodel.machine.riscv.words import N
from refmodel.oracle.judging import Finding, Verdict
from refmodel.oracle.results import Classes, entries_after, read_results, refuse_unknown
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome
from refmodel.oracle.riscv.vectors import SETS, Hex, Vector, Words, file_of, read, set_name
from refmodel.oracle.riscv.walk_campaign import compare
from refmodel.oracle.riscv.walk_tests import Stages, WalkTest
from refmodel.oracle.trace.reading import Source

EXAMPLE = '{"id":"Sv39/000000","end":"trap","cause":13,"tval":"0x8000"}'


class Result(msgspec.Struct, forbid_unknown_fields=True):
    """How a walk ended: at a physical address, or with a trap. Without ``flags``, the flags that it set are not compared."""

    id: str
    end: Literal["completed", "trap"]
    physical: Hex | None = None
    cause: int | None = None
    tval: Hex = "0x0"
    tval2: Hex = "0x0"
    tinst: Hex = "0x0"
    gva: bool = False
    flags: Words | None = None

    def outcome(self) -> Outcome:
        """What is compared. Raises ``BadDesign`` if the end lacks what it has to say."""
        if self.end == "completed":
            if self.physical is None:
                raise BadDesign('physical: missing; expected the physical address of an access whose end is "completed"')
            return Outcome(physical=int(self.physical, 16))
        if self.cause is None:
            raise BadDesign('cause: missing; expected mcause of an access whose end is "trap"')
        return Outcome(trap=Trap(self.cause, int(self.tval, 16), int(self.tval2, 16), int(self.tinst, 16), self.gva))


@attrs.frozen
class Example:
    """A vector, as an example of a class of deviations."""

    vector: Vector
    test: WalkTest

    def lines(self) -> Iterator[str]:
        """The vector in words."""
        yield f"vector {self.vector.id} ({self.vector.because})"
        yield from self.test.lines()

    def size(self) -> tuple[int, int, str]:
        """Smaller examples come first: fewer entries, fewer bits that are set."""
        entries = self.test.entries.values()
        return len(entries), sum(entry.bit_count() for entry in entries), self.vector.id


def are_results(file: Path) -> bool:
    """Whether a file has results, and no signature: the first byte that is no space begins an object."""
    return any(block.lstrip().startswith(b"{") for _, block in itertools.islice(Source(str(file)).blocks(), 1))


def judge_results(folder: Path, file: Path) -> list[Verdict]:
    """Judge results by the vectors in a folder: a verdict for each set that has some. Raises ``BadDesign`` for what is no result,
    and where nothing can be judged."""
    sets = {set_name(stages): stages for stages in SETS}
    return [
        _judge(file_of(folder, sets[name]), sets[name], file, of_set) for name, of_set in read_results(file, Result, sets, EXAMPLE)
    ]


def _judge(vectors: Path, stages: Stages, file: Path, results: dict[str, tuple[Result, int]]) -> Verdict:
    classes, left, number = Classes(), dict(results), 0
    for number, (vector, test, way) in enumerate(read(vectors, stages), 1):  # noqa: B007
        result, line = left.pop(vector.id, (None, 0))
        if result is None:
            classes.without_result(_needs(test))
            continue
        try:
            got = result.outcome()
            finding = _finding(test, way, result, got)
        except BadDesign as why:
            raise BadDesign(f"{file}:{line}: {why}") from None
        classes.met(_needs(test), got.kind, finding, Example(vector, test))
    refuse_unknown(left, vectors, file)
    return classes.verdict(file.name, f"vectors of {stages.name}", number)


def _finding(test: WalkTest, way: Lawful, result: Result, got: Outcome) -> Finding | None:
    """What is wrong with a result."""
    must = way.must if way.outcome == got else {}
    after = entries_after(result.flags, test.entries, test.fixed, must, "specs/riscv.md")
    return after if isinstance(after, Finding) else compare(test, way, Observed(got, after))


def _needs(test: WalkTest) -> frozenset[str]:
    """The extensions without which a machine cannot run a test."""
    hart = test.hart
    needed = {
        "Svadu": hart.adue or hart.vs_adue,
        "Svade": not hart.adue or (test.stages.virtual and not hart.vs_adue),
        "Svpbmt": hart.pbmte or hart.vs_pbmte,
        "Svnapot": any(entry & N for entry in test.entries.values()),
    }
    return frozenset(name for name, is_needed in needed.items() if is_needed)
