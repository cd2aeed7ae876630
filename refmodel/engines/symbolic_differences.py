"""What may be different between a state of one design and a state of another, as terms: what a simulation has to refute.

The two designs share tables by name. The first one may say what a table of the other's holds that it has not itself
(``abstraction``), and the other one what it may change of itself at any time (``NAME_may_be``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.comparing import differences, is_exit
from refmodel.engines.computed import Computed, computed
from refmodel.engines.connectives import conj, disj, identical, is_false, negation, number_of, same
from refmodel.engines.corresponding import replies, shared
from refmodel.engines.outcomes import shown_by
from refmodel.engines.paths import Segment, base_of
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Lookup, Reset, Table
from refmodel.engines.terms import ANY, FALSE, TRUE, Term
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline

FREELY = ((), ("before",), ("before", "after"))
"""When the other design may do something of itself, before a step or after it. What mostly suffices, and is soon said, is first."""


@attrs.frozen
class Step:
    """A path of the other design: what it takes, and where it leads."""

    number: int
    operation: Operation
    segment: Segment
    looked: tuple[Lookup, ...]
    """What it looked at before it ended."""
    goes_wrong: tuple[Term, ...]
    """For each thing that has to hold on the way, that it does not: no law of the other design is assumed."""

    def may_look_at(self, table: Table, key: tuple[Term, ...]) -> Term:
        """That it might look at an entry or write to it, so that a change of the entry before it could lead elsewhere."""
        writes = [write for name in self.segment.written for write in getattr(self.segment.after, name).writes]
        if any(isinstance(write, Reset) for write in writes):  # its condition may look at any entry
            return TRUE
        keys = [look.key for look in self.looked if look.table == table.kind.name]
        keys += [write.key for write in getattr(self.segment.after, table.kind.name).writes]
        return disj([conj([same(a, b) for a, b in zip(each, key, strict=True)]) for each in keys])


class Comparison:
    """One operation's paths beside what another design does instead."""

    def __init__(self, design: Outline, other: Outline, operation: Operation) -> None:
        self.design, self.other, self.operation = design, other, operation
        self.shared = shared(design, other)
        self.computed = computed(design, other)
        """Of these, the tables that the design says what they hold, and has not."""
        self.looked_at = frozenset[str]().union(*(design.text.abstracted[name] for name in self.computed))
        """What it looks at for that."""
        self.freely: dict[tuple[str, str, int], tuple[Term, list[Term]]] = {}
        """For an arbitrary state, a table and a step, what the other design may make of an entry, and the terms that this is said
        of."""

    def changed(self, segment: Segment) -> list[str]:
        """The shared tables that a path may have changed."""
        return [name for name in self.shared if self.may_have_changed(name, segment)]

    def may_have_changed(self, name: str, segment: Segment) -> bool:
        """Whether a path has written to a table, or to one that the design looks at to say what it holds."""
        return bool(segment.written & (self.design.text.abstracted[name] if name in self.computed else {name}))

    def free(self, segment: Segment) -> bool:
        """Whether the other design may by itself change a table that the path has written to."""
        return any(hasattr(self.other.cls, f"{name}_may_be") for name in self.shared if self.may_have_changed(name, segment))

    def differs(self, reading: Symbolic, segment: Segment, step: Step, freely: Sequence[str]) -> Term:
        """That a step is not taken, leads elsewhere, or shows something else; ``freely``: even with what the other design may do
        of itself then."""
        theirs = step.segment.outcome
        goals = [*step.goes_wrong, *(negation(c) for c in step.segment.conditions if number_of(c) not in segment.ids)]
        if type(theirs) is type(segment.outcome) and shown_by(theirs) is None:
            goals += differences(segment.outcome, theirs)
        else:
            told = replies(self.operation, step.operation, segment.outcome, theirs)
            goals += [TRUE] if told is None else differences(*told)
        after = self._seen(reading, segment.after)
        for name in self.shared:
            mine, other = getattr(after, name), getattr(step.segment.after, name)
            if self.may_have_changed(name, segment) or other.writes:
                goals.append(self._apart(reading, segment, mine, other, step, freely))
        left = [goal for goal in goals if not is_false(goal)]
        return z3.Or(left) if left else FALSE

    def moves(self, reading: Symbolic, segment: Segment, shown: Any, changed: Sequence[str], freely: Sequence[str]) -> Term:
        """That something was changed or shown."""
        goals = [] if shown is None else [z3.Not(is_exit(shown))]
        before, after = self._seen(reading, segment.before), self._seen(reading, segment.after)
        goals += [self._apart(reading, segment, getattr(after, name), getattr(before, name), None, freely) for name in changed]
        return z3.Or(goals) if goals else FALSE

    def _apart(
        self, reading: Symbolic, segment: Segment, one: Table, other: Table, step: Step | None, freely: Sequence[str]
    ) -> Term:
        """That a table is not the same in two states, at an entry of which nothing is known; nor what the other design may make of
        it by itself, before the step or after it. The entry is another one for each step: a step has to be right everywhere."""
        kind, number = one.kind, 0 if step is None else step.number
        names = [reading.arbitrary(k, f"{ANY}{kind.name}.{i}.{number}") for i, k in enumerate(kind.keys)]
        key = tuple(name.term for name in names)
        leaves = []
        for table in (one, other):
            table.reading = reading
            with answering(reading):
                leaves.append(table.peek(key))
        apart = [negation(same(a, b)) for a, b in zip(*leaves, strict=True) if not identical(a, b)]
        if not apart:
            return FALSE
        may_be = getattr(self.other.cls, f"{kind.name}_may_be", None)
        if not freely or may_be is None:
            return disj(apart)
        before = self._may_be_before(reading, segment, one, names, leaves[0], number)
        if step is None:
            return conj((disj(apart), negation(before)))
        wrong = [disj(apart), negation(conj((before, negation(step.may_look_at(one, key)))))]
        if "after" in freely:
            with answering(reading):
                after = reading.fold(may_be, self._seen(reading, step.segment.after), *names, one.value_of(leaves[0]))
            wrong.append(negation(after))
        return conj(wrong)

    def _may_be_before(
        self, reading: Symbolic, segment: Segment, table: Table, names: Sequence[Any], leaves: Sequence[Term], number: int
    ) -> Term:
        """That the other design may make this of an entry by itself, in the state before. It is worked out once for any entry."""
        base = base_of(self.other, self._seen(reading, segment.before))
        known = self.freely.get((base, table.kind.name, number))
        if known is None:
            value = reading.arbitrary(table.kind.value, f"{ANY}{table.kind.name}.value")
            may_be = getattr(self.other.cls, f"{table.kind.name}_may_be")
            with answering(reading):
                may = reading.fold(may_be, self._seen(reading, segment.before), *names, value)
            known = self.freely[base, table.kind.name, number] = may, [v.term for v in table.kind.value.flatten(value)]
        may, of = known
        return z3.substitute(may, *zip(of, leaves, strict=True))

    def _seen(self, reading: Symbolic, seen: Any) -> Any:
        """A state as the other design sees it."""
        state = self.other.blank()
        tables = vars(seen)  # a method may have the name of a table of the other design
        for name in self.looked_at:
            if name in tables:  # it is one of the design's states, and not one of the other's
                tables[name].reading = reading
        for name in self.shared:
            table = tables[name] if name in tables else self._computed(reading, seen, name)
            table.reading = reading
            setattr(state, name, table)
        return state

    def _computed(self, reading: Symbolic, seen: Any, name: str) -> Computed:
        """A table of the other's, as a state of the design comes to it."""
        return Computed(reading, self.other.table(name), base_of(self.design, seen), seen, self.computed[name])

    def start(self, reading: Symbolic, segment: Segment) -> Any:
        """The state before, for a step of the other design to start from."""
        state = self._seen(reading, segment.before)
        for name in self.shared:
            setattr(state, name, getattr(state, name).frozen())
        return state
