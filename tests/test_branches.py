"""An exploration says which ways out of a design's conditions no step has gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.exhaustive import explore
from refmodel.engines.exploration import Branch
from refmodel.language import NOTHING, Design, Total, geometry, law, operation, outline, require
from refmodel.machine.names import Gfn, Mfn


class Frames(Design):
    """Frames that are taken and given back; none is ever lent."""

    taken: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def take(self, mfn: Mfn) -> None:
        require(not self.taken[mfn])
        if self.lent[mfn]:  # never
            self.lent[mfn] = False
        elif not self.lent[mfn]:  # seen to be so before anything runs
            self.taken[mfn] = True

    @operation
    def give_back(self, mfn: Mfn) -> None:
        if self.taken[mfn]:  # both
            self.taken[mfn] = False

    @operation
    def settle(self, mfn: Mfn) -> None:
        require(self.lent[mfn])
        if self.taken[mfn]:  # not reached
            self.taken[mfn] = False

    @operation
    def forget(self, mfn: Mfn) -> None:
        if not self.lent[mfn]:  # always
            self.taken[mfn] = False
        else:
            self.lent[mfn] = False

    @law("RES-1", "No frame is lent.")
    def none_is_lent(s: Any, mfn: Mfn) -> bool:
        return not s.lent[mfn]


def line_of(comment: str) -> int:
    [number] = [n for n, line in enumerate(Path(__file__).read_text().splitlines(), 1) if line.endswith(f":  # {comment}")]
    return number


NOT_GONE = {(line_of("never"), True), (line_of("not reached"), True), (line_of("not reached"), False), (line_of("always"), False)}


def not_gone(found: frozenset[Branch]) -> set[tuple[int, bool]]:
    assert {each.file for each in found} == {__file__}
    return {(each.line, each.holds) for each in found}


def test_ways_that_no_step_goes_are_known() -> None:
    done = explore(outline(Frames), Frames.geometry)
    assert done.complete and not_gone(done.branches - done.taken) == NOT_GONE
    assert (line_of("both"), True) in not_gone(done.taken) and (line_of("both"), False) in not_gone(done.taken)


def test_the_report_names_them() -> None:
    [report] = check(outline(Frames), engines=("exhaustive",), asked=Asked())
    told = {int(note.split(":")[1]): note for note in report.notes if note.startswith(__file__) and "condition" in note}
    assert set(told) == {line for line, _ in NOT_GONE}
    assert "true in no explored step" in told[line_of("never")] and "no explored step evaluates" in told[line_of("not reached")]
    assert "true in every explored step" in told[line_of("always")]
    assert (report.numbers.branches, report.numbers.branches - report.numbers.taken) == (8, len(NOT_GONE))


class Scrubbed(Design):
    """Frames that are scrubbed once others have run: the last part of it never begins."""

    taken: Total[Mfn, bool]
    leaving: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def take(self, mfn: Mfn) -> None:
        self.taken[mfn] = True

    @operation
    def give_back(self, mfn: Mfn) -> Iterator[None]:
        require(self.taken[mfn])
        self.taken[mfn] = False
        self.leaving[mfn] = True
        yield
        self.leaving[mfn] = False
        yield  # goes on nowhere
        require(self.lent[mfn])
        self.lent[mfn] = False

    @law("RES-1", "No frame is lent.")
    def none_is_lent(s: Any, mfn: Mfn) -> bool:
        return not s.lent[mfn]


def test_the_report_names_a_yield_after_which_nothing_goes_on() -> None:
    [report] = check(outline(Scrubbed), engines=("exhaustive",), asked=Asked())
    [note] = [note for note in report.notes if "yield" in note]
    assert note == f"{__file__}:{line_of_text('# goes on nowhere')}: no step that was explored goes on after this yield"


def test_the_report_names_what_no_state_has_otherwise() -> None:
    [report] = check(outline(Frames), engines=("exhaustive",), asked=Asked())
    [note] = [note for note in report.notes if "power-on value" in note]
    where = f"{__file__}:{line_of_text('lent: Total')}"
    assert note == f"{where}: Frames.lent keeps its power-on value in every explored state, and none_is_lent reads it"
    [report] = check(outline(Exchange), engines=("exhaustive",), asked=Asked())
    assert [note.partition(": ")[2].partition(" keeps")[0] for note in report.notes if "power-on value" in note] == [
        "Exchange.entry, field dirty,",
        "Exchange.seen, field dirty,",
    ]


def line_of_text(text: str) -> int:
    return next(n for n, line in enumerate(Path(__file__).read_text().splitlines(), 1) if text in line)


@attrs.frozen
class Entry:
    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False
    dirty: bool = False


class Exchange(Design):
    """An entry is made writable only if it is still what was seen."""

    entry: Total[Gfn, Entry]
    seen: Total[Gfn, Entry]
    geometry = geometry(Gfn=1, Mfn=2)

    @operation
    def fill(self, gfn: Gfn, mfn: Mfn) -> None:
        self.entry[gfn] = Entry(True, mfn)

    @operation
    def see(self, gfn: Gfn) -> None:
        require(self.entry[gfn].present)
        self.seen[gfn] = self.entry[gfn]

    @operation
    def exchange(self, gfn: Gfn) -> None:
        if self.entry[gfn] == self.seen[gfn]:  # compared
            self.entry[gfn] = attrs.evolve(self.seen[gfn], writable=True)

    @law("ISO-1", "What was not seen is not written to.")
    def only_what_was_seen(s: Any, gfn: Gfn) -> bool:
        return not (s.entry[gfn].writable and not s.entry[gfn].present and s.seen[gfn].dirty)


def test_whether_records_are_equal_is_decided_where_they_are_compared() -> None:
    done = explore(outline(Exchange), Exchange.geometry)
    assert done.complete and done.branches == done.taken
    assert not_gone(done.taken) == {(line_of("compared"), True), (line_of("compared"), False)}


class InOneOfTwo(Design):
    """A page is in the pool or on the disk. What the first condition leaves open, what is required decides."""

    pool: dict[Gfn, bool]
    disk: dict[Gfn, bool]
    geometry = geometry(Gfn=1)

    @operation
    def store(self, gfn: Gfn, small: bool) -> None:
        require(gfn not in self.pool and gfn not in self.disk)
        if small:
            self.pool[gfn] = True
        else:
            self.disk[gfn] = True

    @operation
    def invalidate(self, gfn: Gfn) -> None:
        require(gfn in self.pool or gfn in self.disk)
        if gfn in self.pool:
            del self.pool[gfn]
        if gfn in self.disk:
            del self.disk[gfn]

    @law("INV-1", "A page is not in the pool and on the disk.")
    def in_one(s: Any, gfn: Gfn) -> bool:
        return not (gfn in s.pool and gfn in s.disk)


def test_a_condition_that_was_decided_before_is_gone_by() -> None:
    [report] = check(outline(InOneOfTwo), ["exhaustive"])
    assert not [note for note in report.notes if "condition" in note]
