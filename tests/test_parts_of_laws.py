"""A law that states several implications says something with each of them, or the proof tells which of them says nothing."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.exhaustive import explore
from refmodel.engines.random import campaign
from refmodel.engines.vacuity import never_met
from refmodel.language import Design, Total, geometry, implies, law, operation, outline, require
from refmodel.language.laws import Law
from refmodel.machine.names import Mfn


def bound(s: Any, mfn: Mfn) -> bool:
    """Two implications in a helper, of which one is reached where a frame is lent."""
    if s.lent[mfn]:
        return implies(s.marked[mfn], s.taken[mfn])
    return implies(s.taken[mfn], s.marked[mfn])


class Frames(Design):
    """Frames that are taken, marked, and given back; none is ever lent."""

    taken: Total[Mfn, bool]
    marked: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def take(self, mfn: Mfn) -> None:
        require(not self.taken[mfn])
        self.taken[mfn] = True
        self.marked[mfn] = True

    @operation
    def give_back(self, mfn: Mfn) -> None:
        require(self.taken[mfn])
        self.taken[mfn] = False
        self.marked[mfn] = False

    @law("RES-1", "No frame is lent.")
    def none_is_lent(s: Any, mfn: Mfn) -> bool:
        return not s.lent[mfn]

    @law("RES-2", "A frame is taken if, and only if, it is marked.")
    def both_ways(s: Any, mfn: Mfn) -> bool:
        return implies(s.taken[mfn], s.marked[mfn]) and implies(s.marked[mfn], s.taken[mfn])

    @law("RES-3", "Marks are right for frames that are lent, and for others.")
    def of_lent_frames_too(s: Any, mfn: Mfn) -> bool:
        return implies(s.taken[mfn], s.marked[mfn]) and implies(s.lent[mfn], s.marked[mfn])

    @law("RES-4", "A helper says the same.")
    def by_a_helper(s: Any, mfn: Mfn) -> bool:
        return bound(s, mfn)

    @law("RES-5", "A frame that is given back had been marked, and one that is lent stays taken.")
    def over_a_step(s: Any, before: Any, mfn: Mfn) -> bool:
        if before.lent[mfn]:
            return implies(before.taken[mfn], s.taken[mfn])
        return implies(before.taken[mfn] and not s.taken[mfn], before.marked[mfn])


def line_of(text: str) -> int:
    with open(__file__) as lines:
        [number] = [number for number, line in enumerate(lines, 1) if text in line and "line_of" not in line]
    return number


IDLE = {
    line_of("and implies(s.lent[mfn], s.marked[mfn])"),
    line_of("return implies(s.marked[mfn], s.taken[mfn])"),
    line_of("return implies(before.taken[mfn], s.taken[mfn])"),
}


def every_part() -> dict[Law, Law]:
    design = outline(Frames)
    return {part: law for law in design.laws for part in design.parts_of(law)}


def test_laws_have_a_part_for_each_implication() -> None:
    named = [law.name for law in every_part().values()]
    assert sorted(named) == sorted(["both_ways", "of_lent_frames_too", "by_a_helper", "over_a_step"] * 2)


@pytest.mark.parametrize("compiled", [True, False])
def test_runs_in_every_reading_meet_the_same_parts(compiled: bool) -> None:
    design = attrs.evolve(outline(Frames), laws=tuple(every_part()))
    met = explore(design, Frames.geometry).met if compiled else campaign(design, Frames.geometry, seconds=60, runs=50).met
    assert {law.part[1] for law in design.laws if law.part and law not in met} == IDLE


def test_the_solver_knows_of_the_others_that_they_can_be_met() -> None:
    design = outline(Frames)
    idle = {
        part.part[1]
        for part, law in every_part().items()
        if part.part and never_met(attrs.evolve(design, laws=tuple(each for each in design.laws if each is not law)), part)
    }
    assert idle == IDLE


def test_the_proof_tells_of_them_and_of_no_others() -> None:
    [report] = check(outline(Frames), engines=("prove",), asked=Asked(runs=50))
    told = {int(note.split(":")[1]) for note in report.notes if "says nothing" in note}
    assert told == IDLE and not report.failed


def test_the_exploration_tells_of_parts_that_it_did_not_meet_and_of_no_others() -> None:
    """Without the law that none is lent, a lent frame is lawful and a proof is silent; no run gets to one."""
    design = attrs.evolve(outline(Frames), laws=tuple(law for law in outline(Frames).laws if law.name != "none_is_lent"))
    [report] = check(design, engines=("exhaustive",), asked=Asked(explore_seconds=60.0))
    told = {int(note.split(":")[1]) for note in report.notes if "was not tested" in note}
    assert told == IDLE and not report.failed


def test_how_often_a_law_is_met_does_not_depend_on_its_parts() -> None:
    done = explore(outline(Frames), Frames.geometry)
    assert {law.name for law in done.met} == {"both_ways", "of_lent_frames_too", "by_a_helper", "over_a_step"}
    assert {law.part[1] for law in done.parts - done.parts_met if law.part} == IDLE


class Larger(Frames):
    """With two frames, one may be taken and not the other: one of two geometries is enough to meet a premise."""

    further_geometries = (geometry(Mfn=2),)
    geometry = geometry(Mfn=1)

    @law("RES-6", "Marks are right of two frames, and of one.")
    def of_two(s: Any, mfn: Mfn, other: Mfn) -> bool:
        two = implies(mfn != other and s.taken[mfn] and not s.taken[other], s.marked[mfn] and not s.marked[other])
        return two and implies(s.taken[mfn], s.marked[mfn])


def test_a_part_that_one_of_several_geometries_meets_is_met() -> None:
    [report] = check(outline(Larger), engines=("exhaustive",), asked=Asked(explore_seconds=60.0))
    told = {int(note.split(":")[1]) for note in report.notes if "was not tested" in note}
    assert told == IDLE
