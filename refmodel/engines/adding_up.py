"""Counts of one table that add up: what one of them counts, just one of two others counts, so it is their sum.

Which three counts these may be is found out first, of an arbitrary entry, as if all names of a sort were one. What is stated then
is true of any names: either some entry is counted otherwise, or the numbers add up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import z3

from refmodel.engines.conditions import Counted, Formal, formal
from refmodel.engines.connectives import negation
from refmodel.engines.questions import Solver
from refmodel.engines.terms import Term
from refmodel.language.kinds import TableKind

MOST = 12
"""Counts of one table that are looked at: those that were spoken of first."""
TIMEOUT = 200
"""Milliseconds for the question whether what one count counts may be what two others count."""


def sums(table: TableKind, counts: Iterable[Counted]) -> Iterator[tuple[tuple[int, ...], Term]]:
    """For three counts of a table that may add up, which they are, and that they do unless an entry tells otherwise."""
    by_base: dict[str, list[Counted]] = {}
    for each in counts:
        by_base.setdefault(each.base, []).append(each)
    for of_state in by_base.values():
        for whole, one, other in _that_may_add_up(table, of_state[:MOST]):
            which = whole.which, one.which, other.which
            at = _some_entry(table, which)
            adds = _is_parted(*(_holds(each, at, each.number.children()) for each in (whole, one, other)))
            yield which, z3.Implies(adds, whole.number == one.number + other.number)


def _that_may_add_up(table: TableKind, counts: Sequence[Counted]) -> Iterator[tuple[Counted, Counted, Counted]]:
    at = formal(table)
    alike = [_holds(each, at, [_one_of_its_sort(name) for name in each.number.children()]) for each in counts]
    numbers = range(len(counts))
    for one, other in itertools.combinations(numbers, 2):
        if not _is_always(negation(z3.And(alike[one], alike[other]))):
            continue
        either = z3.Or(alike[one], alike[other])
        for whole in numbers:
            if whole not in (one, other) and _is_always(alike[whole] == either):
                yield counts[whole], counts[one], counts[other]


def _is_parted(whole: Term, one: Term, other: Term) -> Term:
    """Whether an entry that is counted in the whole is counted in one of the parts, and only in one; and no other entry is."""
    return z3.And(whole == z3.Or(one, other), negation(z3.And(one, other)))


def _holds(counted: Counted, at: Formal, names: Sequence[Term]) -> Term:
    return counted.counting.holds(at.key, at.leaves, names)


def _one_of_its_sort(name: Term) -> Term:
    return z3.Const(f"alike.{name.sort()}", name.sort())


def _some_entry(table: TableKind, which: Sequence[int]) -> Formal:
    """The key and the leaves of an entry that is counted otherwise, if there is one."""
    name, at = "parted." + ".".join(map(str, which)), formal(table)
    key = [z3.Const(f"{name}.key{n}", part.sort()) for n, part in enumerate(at.key)]
    return Formal(tuple(key), tuple(z3.Const(f"{name}.leaf{n}", leaf.sort()) for n, leaf in enumerate(at.leaves)))


def _is_always(term: Term) -> bool:
    """Whether this holds of any entry and any names."""
    return bool(Solver(timeout=TIMEOUT).check(negation(term), says="an entry is counted by one of two counts") == z3.unsat)
