"""A law that asks for something under a condition only is vacuous where that is never the case, in whatever way it is written."""

from typing import Any

from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.verdicts import Verdict
from refmodel.language import NOTHING, Design, Total, count, geometry, implies, law, operation, outline
from refmodel.machine.names import Mfn


def helper(s: Any, mfn: Mfn) -> bool:
    return not s.lent[mfn] or s.used[mfn]


class Vacuous(Design):
    """Nothing is ever lent, and no frame is the next of any. Used frames are dirty."""

    used: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    next: Total[Mfn, Mfn]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.dirty[mfn] = True

    @operation
    def release(self, mfn: Mfn) -> None:
        self.used[mfn] = False
        self.dirty[mfn] = False
        self.lent[mfn] = False
        self.next[mfn] = NOTHING

    @property
    def none_is_lent_alone(self) -> bool:
        return not (count(self.lent, lambda lent, mfn: lent) != 0 and count(self.used, lambda used, mfn: used) == 0)

    def method(self, mfn: Mfn) -> bool:
        return not (self.lent[mfn] and self.used[mfn])

    @law("ISO-1", "by implies")
    def implied(s: Any, mfn: Mfn) -> bool:
        return implies(s.lent[mfn], s.used[mfn])

    @law("ISO-1", "by an implication in the conclusion of another, whose own premise is met")
    def implied_twice(s: Any, mfn: Mfn) -> bool:
        return implies(s.lent[mfn], implies(s.used[mfn], s.dirty[mfn]))

    @law("ISO-1", "by or in the conclusion of an implication")
    def implied_by_or(s: Any, mfn: Mfn) -> bool:
        return implies(s.lent[mfn], not s.used[mfn] or s.dirty[mfn])

    @law("ISO-1", "by or")
    def either(s: Any, mfn: Mfn) -> bool:
        return not s.lent[mfn] or s.used[mfn]

    @law("ISO-1", "by or of three")
    def one_of_three(s: Any, mfn: Mfn) -> bool:
        return not s.used[mfn] or not s.lent[mfn] or s.dirty[mfn]

    @law("ISO-1", "by a comparison")
    def compared(s: Any, mfn: Mfn) -> bool:
        return s.next[mfn] != mfn or s.used[mfn]

    @law("ISO-1", "by what is not so at once")
    def not_at_once(s: Any, mfn: Mfn) -> bool:
        return not (s.lent[mfn] and s.dirty[mfn])

    @law("ISO-1", "by if")
    def if_so(s: Any, mfn: Mfn) -> bool:
        if s.lent[mfn]:
            return s.used[mfn]
        return True

    @law("ISO-1", "by an early return")
    def early(s: Any, mfn: Mfn) -> bool:
        if not s.lent[mfn]:
            return True
        return s.used[mfn]

    @law("ISO-1", "by an early return of what is wrong")
    def early_and_wrong(s: Any, mfn: Mfn) -> bool:
        if s.lent[mfn] and s.dirty[mfn]:
            return False
        return True

    @law("ISO-1", "by an if in an if")
    def if_in_if(s: Any, mfn: Mfn) -> bool:
        if s.lent[mfn]:
            if s.used[mfn]:
                return s.dirty[mfn]
        return True

    @law("ISO-1", "by a conditional expression")
    def conditional(s: Any, mfn: Mfn) -> bool:
        return s.used[mfn] if s.lent[mfn] else True

    @law("ISO-1", "by a conditional expression the other way round")
    def conditional_otherwise(s: Any, mfn: Mfn) -> bool:
        return True if not s.lent[mfn] else s.used[mfn]

    @law("ISO-1", "by a local name")
    def named(s: Any, mfn: Mfn) -> bool:
        holds = not s.lent[mfn] or s.used[mfn]
        return holds

    @law("ISO-1", "by a function")
    def by_a_function(s: Any, mfn: Mfn) -> bool:
        return helper(s, mfn)

    @law("ISO-1", "by a method")
    def by_a_method(s: Any, mfn: Mfn) -> bool:
        return s.method(mfn)

    @law("ISO-1", "by or, before an implication whose premise is plainly true")
    def plainly_true_within(s: Any, mfn: Mfn) -> bool:
        return not s.lent[mfn] or implies(True, s.used[mfn]) or implies(True, s.dirty[mfn])

    @law("ISO-1", "by a property")
    def by_a_property(s: Any) -> bool:
        return s.none_is_lent_alone

    @law("ISO-1", "by a step")
    def by_a_step(s: Any, before: Any, mfn: Mfn) -> bool:
        return not before.lent[mfn] or s.lent[mfn]


class Met(Design):
    """What is used is dirty, and these laws say so without being vacuous."""

    used: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    seen: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.dirty[mfn] = True

    @law("ISO-1", "by or")
    def either(s: Any, mfn: Mfn) -> bool:
        return not s.used[mfn] or s.dirty[mfn]

    @law("ISO-1", "by alternatives, of which one is always so")
    def alternatives(s: Any, mfn: Mfn) -> bool:
        return s.dirty[mfn] or not s.used[mfn] or s.seen[mfn]

    @law("ISO-1", "by what is wrong, which never is the case")
    def wrong(s: Any, mfn: Mfn) -> bool:
        if s.seen[mfn]:
            return False
        return True

    @law("ISO-1", "by several returns, of which one is always taken")
    def returns(s: Any, mfn: Mfn) -> bool:
        if not s.seen[mfn]:
            return True
        if s.used[mfn]:
            return True
        return False

    @law("ISO-1", "by what is not so at once, of which two things never are")
    def not_all_at_once(s: Any, mfn: Mfn) -> bool:
        return not (s.used[mfn] and not s.dirty[mfn] and s.seen[mfn])

    @law("ISO-1", "by alternatives that are all negated, of which two never are")
    def not_all(s: Any, mfn: Mfn) -> bool:
        return not s.used[mfn] or not s.seen[mfn] or s.dirty[mfn] != s.used[mfn]

    @law("ISO-1", "by a plain claim")
    def plain(s: Any, mfn: Mfn) -> bool:
        return s.used[mfn] == s.dirty[mfn]

    @law("ISO-1", "by one side or the other")
    def sides(s: Any, mfn: Mfn) -> bool:
        return s.dirty[mfn] if s.used[mfn] else not s.dirty[mfn]


ENGINES = ("random", "exhaustive", "prove")


def test_a_law_whose_condition_is_never_the_case_is_vacuous() -> None:
    for report in check(outline(Vacuous), ENGINES, Asked(runs=200)):
        assert len(report.verdicts) == 19
        assert {law.name: verdict for law, verdict in report.verdicts.items() if verdict != Verdict.VACUOUS} == {}, report.engine


def test_a_law_that_asks_for_something_is_not() -> None:
    for report in check(outline(Met), ENGINES, Asked(runs=200)):
        assert report.verdicts and Verdict.VACUOUS not in report.verdicts.values() and not report.failed, report.verdicts
