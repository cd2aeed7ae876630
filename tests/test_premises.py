"""A law that asks for something under a condition only is vacuous where that is never the case, in whatever way it is written."""

from pathlib import Path
from typing import Any

import attrs

from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.unseen import ALTERNATIVE, CONDITION
from refmodel.engines.verdicts import Verdict
from refmodel.language import NOTHING, Design, Total, count, geometry, implies, law, operation, outline
from refmodel.machine.names import Mfn


def helper(s: Any, mfn: Mfn) -> bool:
    return not s.lent[mfn] or s.used[mfn]


def lost(s: Any, mfn: Mfn) -> bool:
    return s.lent[mfn] and not s.used[mfn]


def used(s: Any, mfn: Mfn) -> bool:
    return not s.used[mfn] or s.dirty[mfn]


@attrs.frozen
class Note:
    pinned: bool = False
    by: Mfn = NOTHING

    @property
    def has_owner(self) -> bool:
        return not self.pinned or self.by != NOTHING


class Vacuous(Design):
    """Nothing is ever lent, and no frame is the next of any. Used frames are dirty."""

    used: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    next: Total[Mfn, Mfn]
    note: Total[Mfn, Note]
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
        self.note[mfn] = Note()

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

    @law("ISO-1", "by | of flags")
    def one_bit_or_another(s: Any, mfn: Mfn) -> bool:
        return (not s.lent[mfn]) | s.used[mfn] | s.dirty[mfn]

    @law("ISO-1", "by ^ and or")
    def turned_round(s: Any, mfn: Mfn) -> bool:
        return (s.lent[mfn] ^ True) or s.used[mfn]

    @law("ISO-1", "by any of several")
    def any_of_several(s: Any, mfn: Mfn) -> bool:
        return any((not s.lent[mfn], s.used[mfn]))

    @law("ISO-1", "by & of what is not so at once")
    def not_at_once_by_bits(s: Any, mfn: Mfn) -> bool:
        bad = s.lent[mfn] & (not s.used[mfn])
        return not bad

    @law("ISO-1", "by all of what is not so at once")
    def not_all_at_once(s: Any, mfn: Mfn) -> bool:
        return not all((s.lent[mfn], s.used[mfn]))

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
    def by_a_property_of_the_state(s: Any) -> bool:
        return s.none_is_lent_alone

    @law("ISO-1", "by a function with a keyword")
    def by_a_keyword(s: Any, mfn: Mfn) -> bool:
        return helper(s, mfn=mfn)

    @law("ISO-1", "by a function that says what is wrong")
    def by_a_denied_function(s: Any, mfn: Mfn) -> bool:
        return not lost(s, mfn)

    @law("ISO-1", "by a property of a record")
    def by_a_property(s: Any, mfn: Mfn) -> bool:
        return s.note[mfn].has_owner

    @law("ISO-1", "by a lambda")
    def by_a_lambda(s: Any, mfn: Mfn) -> bool:
        fine = lambda note: not note.pinned or note.by != NOTHING
        return fine(s.note[mfn])

    @law("ISO-1", "by a local name for what is wrong")
    def by_a_denied_name(s: Any, mfn: Mfn) -> bool:
        wrong = s.lent[mfn] and not s.used[mfn]
        return not wrong

    @law("ISO-1", "by a flag that is set under a condition")
    def by_a_flag(s: Any, mfn: Mfn) -> bool:
        ok = True
        if s.lent[mfn]:
            ok = s.used[mfn]
        return ok

    @law("ISO-1", "by a flag that is cleared where something is wrong")
    def by_a_flag_that_is_cleared(s: Any, mfn: Mfn) -> bool:
        ok = True
        if s.lent[mfn] and not s.used[mfn]:
            ok = False
        return ok

    @law("ISO-1", "by a flag that goes through a loop")
    def by_a_loop(s: Any, mfn: Mfn, other: Mfn) -> bool:
        ok = True
        for each in (mfn, other):
            ok = ok and (not s.lent[each] or s.used[each])
        return ok

    @law("ISO-1", "by none of several")
    def by_none(s: Any, mfn: Mfn, other: Mfn) -> bool:
        return not any(s.lent[each] and s.dirty[each] for each in (mfn, other))

    @law("ISO-1", "by all of a tuple")
    def by_all(s: Any, mfn: Mfn) -> bool:
        return all((not s.lent[mfn] or s.used[mfn], not s.note[mfn].pinned or s.used[mfn]))

    @law("ISO-1", "by a comparison with False")
    def by_false(s: Any, mfn: Mfn) -> bool:
        return (s.lent[mfn] and s.dirty[mfn]) == False

    @law("ISO-1", "a helper by which the premise is worked out is met, and the premise is not")
    def by_a_premise_of_its_own(s: Any, mfn: Mfn) -> bool:
        return implies(used(s, mfn) and s.lent[mfn], s.used[mfn])

    @law("ISO-1", "a premise of what is worked out before is met, and the law's is not")
    def by_what_was_worked_out(s: Any, mfn: Mfn) -> bool:
        ok = used(s, mfn)
        return implies(s.lent[mfn], ok)

    @law("ISO-1", "likewise, by or")
    def by_what_was_worked_out_or(s: Any, mfn: Mfn) -> bool:
        ok = used(s, mfn)
        return s.lent[mfn] == False or ok

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

    @law("ISO-1", "by a function that another law asks in a premise")
    def by_a_function(s: Any, mfn: Mfn) -> bool:
        return used(s, mfn)

    @law("ISO-1", "by a plain claim beside one whose condition is never the case")
    def plain_and_conditional(s: Any, mfn: Mfn) -> bool:
        return s.used[mfn] == s.dirty[mfn] and (not s.seen[mfn] or s.used[mfn])

    @law("ISO-1", "by what is wrong, before a condition that is never the case")
    def wrong_and_conditional(s: Any, mfn: Mfn) -> bool:
        if s.used[mfn] != s.dirty[mfn]:
            return False
        if s.seen[mfn]:
            return s.used[mfn]
        return True

    @law("ISO-1", "by cases, one of which is never the case")
    def cases(s: Any, mfn: Mfn) -> bool:
        if s.seen[mfn]:
            return not s.used[mfn] or s.dirty[mfn]
        if s.used[mfn]:
            return s.dirty[mfn]
        return not s.dirty[mfn]

    @law("ISO-1", "by a flag that is cleared by what never is the case")
    def cleared(s: Any, mfn: Mfn) -> bool:
        ok = True
        if s.seen[mfn]:
            ok = False
        return ok

    @law("ISO-1", "by a flag that begins as a claim")
    def flag(s: Any, mfn: Mfn) -> bool:
        ok = s.used[mfn] == s.dirty[mfn]
        if s.seen[mfn]:
            ok = ok and s.used[mfn]
        return ok

    @law("ISO-1", "by one side or the other")
    def sides(s: Any, mfn: Mfn) -> bool:
        return s.dirty[mfn] if s.used[mfn] else not s.dirty[mfn]


class Alternatives(Design):
    """Used frames are dirty, and no frame is the next of any."""

    used: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    next: Total[Mfn, Mfn]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.dirty[mfn] = True

    @operation
    def release(self, mfn: Mfn) -> None:
        self.next[mfn] = NOTHING

    @law("ISO-1", "the first is always so")
    def always(s: Any, mfn: Mfn) -> bool:
        return s.next[mfn] == NOTHING or s.used[mfn]  # noted

    @law("ISO-1", "the first is always so, in the conclusion of an implication")
    def always_within(s: Any, mfn: Mfn) -> bool:
        return implies(s.used[mfn], s.next[mfn] == NOTHING or s.dirty[mfn])  # noted

    @law("ISO-1", "the first is not always so")
    def not_always(s: Any, mfn: Mfn) -> bool:
        return s.dirty[mfn] or not s.used[mfn]

    @law("ISO-1", "the first is never so")
    def never(s: Any, mfn: Mfn) -> bool:
        return s.next[mfn] == mfn or s.used[mfn] == s.dirty[mfn]


ENGINES = ("random", "exhaustive", "prove")


def test_a_law_whose_condition_is_never_the_case_is_vacuous() -> None:
    for report in check(outline(Vacuous), ENGINES, Asked(runs=200)):
        assert len(report.verdicts) == 38
        assert {law.name: verdict for law, verdict in report.verdicts.items() if verdict != Verdict.VACUOUS} == {}, report.engine


def test_a_law_that_asks_for_something_is_not() -> None:
    for report in check(outline(Met), ENGINES, Asked(runs=200)):
        assert report.verdicts and Verdict.VACUOUS not in report.verdicts.values() and not report.failed, report.verdicts


def lines(text: str) -> set[int]:
    """The lines of this file that have this text at their end."""
    return {number for number, line in enumerate(Path(__file__).read_text().splitlines(), 1) if line.endswith(text)}


def noted(design: type[Design], engine: str, what: str) -> set[int]:
    """The lines of which an engine notes this."""
    [report] = check(outline(design), [engine], Asked(runs=200))
    return {int(note.split(":")[1]) for note in report.notes if what in note}


def test_a_condition_beside_a_plain_claim_is_told_where_it_is_never_the_case() -> None:
    told = lines("and (not s.seen[mfn] or s.used[mfn])")
    assert told <= noted(Met, "exhaustive", CONDITION) & noted(Met, "prove", CONDITION)


def test_a_first_alternative_that_always_holds_is_noted_and_is_no_premise() -> None:
    assert noted(Alternatives, "exhaustive", ALTERNATIVE) == lines("# noted")
    for report in check(outline(Alternatives), ENGINES, Asked(runs=200)):
        assert Verdict.VACUOUS not in report.verdicts.values() and not report.failed, report.verdicts
