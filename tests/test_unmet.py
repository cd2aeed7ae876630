"""What no run comes to: operations that apply in no state that is reached, conditions that are pending nowhere, premises that are
met by no run. A proof of them is no verdict."""

from typing import Any

import pytest

from refmodel.designs import COMBINED
from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.unmet import with_unmet
from refmodel.engines.verdicts import FAILS, HOLDS, MORE, UNDECIDED, EngineReport, Verdict, conclusion, status_of
from refmodel.language import NOTHING, Design, Total, count, fails, geometry, implies, law, operation, outline, pending, require
from refmodel.machine.names import Count, Mfn, Vcpu, Vm

SHORT = Asked(runs=30)


class NobodyLends(Design):
    """The law states its premise by arithmetic of truth, so that it is not seen to be conditional."""

    used: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True

    @operation
    def lend(self, mfn: Mfn) -> None:
        require(self.lent[mfn])
        self.used[mfn] = True

    @law("ISO-1", "A frame that is lent is used.")
    def lent_frames_are_used(s: Any, mfn: Mfn) -> bool:
        return s.lent[mfn] == (s.lent[mfn] and s.used[mfn])


class NeitherBegins(Design):
    """Two operations, each guarded by what only the other sets."""

    here: Total[Vm, bool]
    there: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def go(self, vm: Vm) -> None:
        require(self.there[vm])
        self.here[vm] = True

    @operation
    def come(self, vm: Vm) -> None:
        require(self.here[vm])
        self.there[vm] = True

    @law("RES-1", "A VM is in both places, or in neither.")
    def both_or_neither(s: Any, vm: Vm) -> bool:
        return s.here[vm] == s.there[vm]


class TakesThree(Design):
    """The operation needs three VMs, and the geometry has one."""

    lender: Total[Vm, Vm]
    geometry = geometry(Vm=1)

    @operation
    def lend(self, vm: Vm, other: Vm, third: Vm) -> None:
        require(vm != other and other != third and third != vm)
        self.lender[other] = vm

    @law("RES-1", "No VM lends to itself.")
    def none_to_itself(s: Any, vm: Vm) -> bool:
        return s.lender[vm] != vm


def said(cls: type[Design], *engines: str) -> tuple[list[EngineReport], str]:
    reports = check(outline(cls), engines or ("random", "exhaustive", "prove"), SHORT)
    return reports, conclusion(reports)


@pytest.mark.parametrize(
    ("cls", "words"),
    [(NobodyLends, "undecided: lend applied in no state"), (NeitherBegins, "undecided: go, come applied in no state")],
)
def test_a_design_with_an_operation_that_no_run_takes_is_undecided(cls: type[Design], words: str) -> None:
    reports, concluded = said(cls)
    assert status_of(reports) == UNDECIDED
    assert concluded == f"{words} of this geometry, and in no run with {MORE}"


def test_an_operation_that_applies_with_more_names_is_taken_somewhere() -> None:
    reports, _ = said(TakesThree)
    assert status_of(reports) == HOLDS
    assert [r.lacking for r in reports if r.engine == "exhaustive"] == [()], "it was looked for with three VMs"


class FewerTagsThanVms(Design):
    """A VM takes another's tag where none is left, which is so only where there are more VMs than tags."""

    tag: Total[Vm, Vcpu]
    geometry = geometry(Vm=2, Vcpu=2)

    @operation
    def give(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.tag[vm] == NOTHING and count(self.tag, lambda tag, vm: tag == vcpu) == 0)
        self.tag[vm] = vcpu

    @operation
    def take(self, vm: Vm, other: Vm) -> None:
        require(self.tag[vm] == NOTHING and self.tag[other] != NOTHING)
        require(count(self.tag, lambda tag, vm: tag != NOTHING) >= 2)
        self.tag[vm], self.tag[other] = self.tag[other], NOTHING

    @law("ISO-1", "No two VMs have one tag.")
    def tags_are_apart(s: Any, vm: Vm, other: Vm) -> bool:
        return implies(vm != other and s.tag[vm] != NOTHING, s.tag[vm] != s.tag[other])


def test_an_operation_that_applies_where_names_of_one_sort_are_scarce_is_taken_somewhere() -> None:
    """With a VM and a tag more it would not apply either."""
    reports, _ = said(FewerTagsThanVms)
    assert status_of(reports) == HOLDS
    assert [r.lacking for r in reports if r.engine == "exhaustive"] == [()], "it was looked for with three VMs and two tags"


class SaysMoreInOneLaw(Design):
    """A law states what has nothing to do with one of its names, and an operation names none of that sort."""

    mapped: Total[Vm, bool]
    at: Total[Vm, Mfn]
    held: Total[Mfn, bool]
    asked: Total[Vcpu, bool]
    answered: Total[Vcpu, bool]
    geometry = geometry(Vm=2, Mfn=2, Vcpu=1)

    @operation
    def give(self, vm: Vm, mfn: Mfn) -> None:
        self.at[vm] = mfn
        self.mapped[vm] = True

    @operation
    def ask(self, vcpu: Vcpu) -> None:
        self.answered[vcpu] = self.asked[vcpu]
        self.asked[vcpu] = True

    @operation
    def touch(self, vm: Vm) -> None:
        require(self.mapped[vm])
        self.held[self.at[vm]] = True

    @law("RES-1", "A VM that is mapped has a frame, and a vCPU that is answered was asked.")
    def mapped_or_answered(s: Any, vm: Vm, vcpu: Vcpu) -> bool:
        return implies(s.mapped[vm], s.at[vm] != NOTHING) and implies(s.answered[vcpu], s.asked[vcpu])


def test_a_law_helps_where_an_operation_names_nothing_of_one_of_its_sorts() -> None:
    """There is a name of each sort, whether or not anything speaks of one."""
    reports, _ = said(SaysMoreInOneLaw, "prove")
    assert status_of(reports) == HOLDS


class BreaksWithThree(TakesThree):
    @law("ISO-1", "No VM has a lender.")
    def no_lender(s: Any, vm: Vm) -> bool:
        return s.lender[vm] == NOTHING


def test_a_run_with_more_names_that_breaks_a_law_is_not_thrown_away() -> None:
    reports, words = said(BreaksWithThree, "random", "exhaustive")
    assert status_of(reports) == FAILS and words == "a law fails"
    failure = reports[-1].failure
    assert failure is not None and failure.run.steps[-1].operation == "lend"
    assert {law.name for law, verdict in reports[-1].verdicts.items() if verdict == Verdict.FAILS} == {"no_lender"}


class NeverAsked(Design):
    """A flush is pending where a vCPU was asked and armed, and nothing arms one."""

    asked: Total[Vcpu, bool]
    armed: Total[Vcpu, bool]
    geometry = geometry(Vcpu=2)

    @operation
    def ask(self, vcpu: Vcpu) -> None:
        self.asked[vcpu] = True

    @pending("EFF-4", "A vCPU that was asked to flush acknowledges.", until="acknowledge")
    def unacknowledged(self, vcpu: Vcpu) -> bool:
        return self.asked[vcpu] and self.armed[vcpu]

    @operation
    def acknowledge(self, vcpu: Vcpu) -> None:
        require(self.asked[vcpu] and self.armed[vcpu])
        self.asked[vcpu] = False


def test_what_is_pending_nowhere_does_not_end() -> None:
    reports, words = said(NeverAsked, "random", "prove")
    assert status_of(reports) == UNDECIDED and "vacuous" in words
    assert [set(r.verdicts.values()) for r in reports] == [{Verdict.VACUOUS}] * 2
    assert any("no run was found in which it is pending" in note for note in reports[-1].notes)


class EndsByFailingOnly(Design):
    """The operation ends what is pending only where an allocation fails: without failures it never applies."""

    asked: Total[Vcpu, bool]
    geometry = geometry(Vcpu=2)

    @operation
    def ask(self, vcpu: Vcpu) -> None:
        self.asked[vcpu] = True

    @pending("EFF-4", "A vCPU that was asked to flush acknowledges.", until="acknowledge")
    def unacknowledged(self, vcpu: Vcpu) -> bool:
        return self.asked[vcpu]

    @operation
    def acknowledge(self, vcpu: Vcpu) -> None:
        require(self.asked[vcpu] and fails("no memory"))
        self.asked[vcpu] = False


def test_an_operation_that_applies_only_where_an_allocation_fails_is_not_proved_to_end_anything() -> None:
    [report] = check(outline(EndsByFailingOnly), ["prove"], SHORT)
    assert set(report.verdicts.values()) != {Verdict.PROVED}
    why = "acknowledge applies where unacknowledged holds only if an allocation fails (no memory)"
    assert any(why in each for each in report.unproved)


class CountsForEver(Design):
    """A number that grows without end, so that exploration does not get to the last state."""

    used: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    steps: Total[Vm, Count]
    geometry = geometry(Mfn=1, Vm=1)

    @operation
    def use(self, vm: Vm, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.steps[vm] += 1

    @law("ISO-1", "A frame that is lent is used.")
    def lent_frames_are_used(s: Any, mfn: Mfn) -> bool:
        return implies(s.lent[mfn], s.used[mfn])


def test_a_verdict_says_what_no_run_has_met_where_nothing_tells_whether_one_can() -> None:
    reports, words = said(CountsForEver)
    assert status_of(reports) == HOLDS
    assert words.endswith("; random runs never met the premise of 1 law"), words


def test_a_proof_alone_says_what_a_few_runs_did_not_meet() -> None:
    [report], _ = said(CountsForEver, "prove")
    assert any("did not meet what lent_frames_are_used is about" in note for note in report.notes), report.notes


def test_what_few_runs_meet_in_a_large_design_is_not_called_vacuous() -> None:
    design = outline(COMBINED["memory+"])
    assert design.laws and design.pending
    runs, proof = (
        EngineReport(engine, dict.fromkeys((each.law for each in design.pending), verdict), "", 0.0)
        for engine, verdict in (("random", Verdict.VACUOUS), ("prove", Verdict.PROVED))
    )
    assert with_unmet(design, [runs, proof]) == [runs, proof], "exploration did not go to the last state"
