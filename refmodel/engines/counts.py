"""How many entries count after what was written: said of the arbitrary state that the writes began from.

A store to one key takes away what stood there and adds what stands there now. What was written to many entries at once is put into
the condition: as many count afterwards as there were entries of which what became counts, those that were written and those that
were not (``became``). That is exact, and each a condition like any other. Nearly always such a write changes nothing that counts,
which is easier to see, and is said first (``_after``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import z3

from refmodel.engines.conditions import Counted, Counting, Later, counting_of, formal
from refmodel.engines.connectives import choice, conj, is_false, negation, number_of
from refmodel.engines.questions import simplified
from refmodel.engines.symbolic_tables import Put, Reset, Table
from refmodel.engines.templates import Template
from refmodel.engines.terms import Term, sort_of

if TYPE_CHECKING:
    from refmodel.engines.symbolic import Symbolic

CASES = 8
"""Cases of what becomes of an entry by several writes to many; with more, how many count is any number."""
Holds = Callable[[Sequence[Term], Sequence[Term]], Term]
"""Whether an entry counts, by its key and its leaves."""


def applied(name: str, arguments: Sequence[Term], sort: object) -> Term:
    """What an unknown function gives of these."""
    return z3.Function(name, *(t.sort() for t in arguments), sort)(*arguments) if arguments else z3.Const(name, sort)


def number_now(reading: Symbolic, table: Table, condition: Counting, spoken_of: Sequence[Term]) -> Term:
    """How many entries of a table count now."""

    def holds(key: Sequence[Term], leaves: Sequence[Term]) -> Term:
        return condition.holds(key, leaves, spoken_of)

    first = _counted(table, condition, spoken_of)
    reading.note_count(first)
    total = first.number
    for number, write in enumerate(table.writes):
        if isinstance(write, Put):
            total = total + _change(table, holds, write)
        else:
            total = _after(reading, table, first, holds, number, write, total)
    return simplified(total)


def _counted(table: Table, condition: Counting, spoken_of: Sequence[Term]) -> Counted:
    """The entries that count in the arbitrary state."""
    number = applied(f"{table.base}.count!{table.kind.name}.{condition.name}", spoken_of, z3.IntSort())
    return Counted(table.base, table.kind.name, number, condition)


def _change(table: Table, holds: Holds, write: Put) -> Term:
    """How many more count after a store than before it."""
    old, new = table.peek(write.key, as_of=write.stamp), list(table.written(write, write.key))
    if write.when is not None:
        new = [choice(write.when, a, b) for a, b in zip(new, old, strict=True)]
    return _one(table, holds, write.key, new) - _one(table, holds, write.key, old)


def _one(table: Table, holds: Holds, key: Sequence[Term], leaves: Sequence[Term]) -> Term:
    """1 for an entry that counts, and 0 for another."""
    plain = holds(key, leaves if table.domain is None else leaves[1:])
    return choice(plain if table.domain is None else conj((leaves[0], plain)), z3.IntVal(1), z3.IntVal(0))


def _after(reading: Symbolic, table: Table, first: Counted, holds: Holds, number: int, write: Reset, total: Term) -> Term:
    """How many count after many entries were written: as many as before, unless there is one that was written and counts now
    where it did not, or the other way round. If there is, it is any number, which claims less than is so; how many exactly is
    noted, for where that is not enough."""
    name, spoken_of = f"{first.number.decl().name()}.reset{write.stamp}", first.number.children()
    key = tuple(applied(f"{name}.key{i}", spoken_of, sort_of(kind)) for i, kind in enumerate(table.kind.keys))
    before = _one(table, holds, key, table.peek(key, as_of=write.stamp))
    after = _one(table, holds, key, table.written(write, key))
    any_number = applied(name, spoken_of, z3.IntSort())
    differs = z3.And(table.covers(write, key), before != after)
    found: Term = z3.If(differs, z3.If(any_number >= 0, any_number, z3.IntVal(0)), total)
    writes = tuple(table.writes[: number + 1])
    is_last = len(writes) == len(table.writes)
    later = Later(table.kind.name, found, key, any_number, differs, partial(_exactly, table, holds, writes), is_last)
    reading.note_count(attrs.evolve(first, later=(later,)))
    return found


def _exactly(
    table: Table, holds: Holds, writes: Sequence[Put | Reset]
) -> tuple[Term, tuple[Counted, ...], tuple[Term, ...]] | None:
    """How many count after these writes, by what became of each entry of the arbitrary state; what was counted there; and the sums
    that this leans on. None if what became of an entry depends on more than the entry, its key and names, or if there are too many
    cases."""
    at = formal(table.kind)
    cases = [holds(at.key, at.leaves)]
    total: Term = z3.IntVal(0)
    parts: list[tuple[Term, Term]] = []
    for write in reversed(writes):
        if isinstance(write, Put):
            for case in cases:
                total = total + _change(table, _of_entries(table, case), write)
            continue
        if write.stated.counts:
            return None
        parts += [(case, write.covered) for case in cases]
        cases = [each for case in cases for each in became(table, case, write) if not is_false(each)]
        if len(cases) > CASES:
            return None
    of = [_counted(table, *general(table, case)) for case in cases]
    for counted in of:
        total = total + counted.number
    sums = []
    for case, covered in parts:
        whole, *both = [
            _counted(table, *general(table, simplified(part)))
            for part in (case, conj((covered, case)), conj((negation(covered), case)))
        ]
        of += [whole, *both]
        sums.append(whole.number == both[0].number + both[1].number)
    for case in cases:
        more, said = _by_alternatives(table, case)
        of += more
        sums += said
    return simplified(total), tuple(of), tuple(sums)


def _by_alternatives(table: Table, holds: Term) -> tuple[list[Counted], list[Term]]:
    """If one of two things makes an entry count: what each counts by itself, and the sums. An entry that is equal to two different
    terms there is none of."""
    parts = holds.children() if z3.is_and(holds) else [holds]
    alternatives = [part for part in parts if z3.is_or(part) and part.num_args() == 2]
    if len(alternatives) != 1:
        return [], []
    rest, (one, other) = [part for part in parts if not part.eq(alternatives[0])], alternatives[0].children()
    whole, first, second, both = [
        _counted(table, *general(table, simplified(conj((*rest, *each)))))
        for each in ((alternatives[0],), (one,), (other,), (one, other))
    ]
    sums = [whole.number == first.number + second.number - both.number]
    if z3.is_eq(one) and z3.is_eq(other):
        values = [
            (x, y)
            for a, x in (one.children(), one.children()[::-1])
            for b, y in (other.children(), other.children()[::-1])
            if a.eq(b) and not _is_of_entries(table, x) and not _is_of_entries(table, y)
        ]
        sums += [z3.Implies(x != y, both.number == 0) for x, y in values]
    return [whole, first, second, both], sums


def _is_of_entries(table: Table, term: Term) -> bool:
    """Whether a term depends on an arbitrary entry or its key."""
    at = formal(table.kind)
    own = [t for t in (*at.key, *at.leaves) if t.eq(term)]
    return bool(own) or any(_is_of_entries(table, each) for each in term.children())


def _of_entries(table: Table, holds: Term) -> Holds:
    """A condition of an arbitrary entry, for any entry."""
    at = formal(table.kind)
    template = Template([*at.key, *at.leaves], [holds])
    return lambda key, leaves: template.at([*key, *leaves])[0]


def became(table: Table, counts: Term, write: Reset) -> list[Term]:
    """The cases in which what becomes of an arbitrary entry counts, if entries for which this holds do: it is written, or not."""
    at = formal(table.kind)
    covered, new = write.covered, write.stated.template.terms[1 : write.stated.number]
    kept = simplified(conj((negation(covered), counts)))
    if table.domain is not None:  # an entry of a partial table goes
        return [kept]
    return [simplified(conj((covered, Template(at.leaves, [counts]).at(new)[0]))), kept]


def general(table: Table, holds: Term) -> tuple[Counting, list[Term]]:
    """A condition of an arbitrary entry as one of formal names, and what it speaks of in their place."""
    at = formal(table.kind)
    own = {number_of(t) for t in (*at.key, *at.leaves)}
    known: dict[int, tuple[Term, bool]] = {}
    spoken_of: dict[int, tuple[Term, Term]] = {}

    def is_own(term: Term) -> bool:
        """Whether it depends on the entry or its key."""
        if number_of(term) not in known:
            known[number_of(term)] = term, number_of(term) in own or any(map(is_own, term.children()))
        return known[number_of(term)][1]

    def generalised(term: Term) -> Term:
        if number_of(term) in own or _is_constant(term):
            return term
        if is_own(term):
            return term.decl()(*map(generalised, term.children()))
        return spoken_of.setdefault(number_of(term), (term, z3.Const(f"spoken.of.{len(spoken_of)}", term.sort())))[1]

    found = generalised(holds)
    terms = [term for term, _ in spoken_of.values()]
    condition, occurring = counting_of(at, [name for _, name in spoken_of.values()], found)
    return condition, [terms[number] for number in occurring]


def _is_constant(term: Term) -> bool:
    """Whether a term is a constant of its sort: a number, a flag, a member, NOTHING."""
    if term.num_args():
        return False
    return bool(term.decl().kind() != z3.Z3_OP_UNINTERPRETED or term.decl().name().endswith(".NOTHING"))
