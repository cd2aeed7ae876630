"""What an operation chooses along a path, and what that may be taken to fall on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import z3

from refmodel.engines.conditions import Lookup
from refmodel.engines.connectives import number_of
from refmodel.engines.hypotheses import members, some_name
from refmodel.engines.paths import Path
from refmodel.engines.terms import Term, constant
from refmodel.language.kinds import Kind, NameKind, Scalar
from refmodel.language.opaque import Opaque
from refmodel.language.tables import NOTHING

FEW_NAMES = 6
"""Names of a sort that a choice is taken to fall on."""


def choices_of(path: Path) -> list[tuple[Scalar, Term]]:
    """The scalars of what is chosen along a path, and what they are called."""
    return [leaf for answer in path.answers if isinstance(answer, tuple) for leaf in _leaves(*answer)]


def _leaves(kind: Kind, value: Any) -> list[tuple[Scalar, Term]]:
    """The scalars of a value that is chosen, and what they are called."""
    leaves = zip(kind.leaves(), kind.flatten(value), strict=True)
    return [(leaf, part.term) for (_, leaf), part in leaves if isinstance(part, Opaque)]


def some_of(kind: Scalar) -> list[Term]:
    """Some name, for what is a name."""
    return [some_name(kind)] if isinstance(kind, NameKind) else []


def looked_up_somewhere(path: Path) -> Iterator[Lookup]:
    """What a path looks up for names that it chooses, as looked up for some name of the sort."""
    some = {number_of(term): each for kind, term in choices_of(path) for each in some_of(kind)}
    for lookup in path.lookups.values() if some else ():
        if not some.keys().isdisjoint(lookup.ids):
            yield Lookup(lookup.base, lookup.table, tuple(some.get(number_of(part), part) for part in lookup.key))


def may_fall_on(kind: Scalar, term: Term, path: Path, named: Iterable[Term], counted: Iterable[Term]) -> list[Term]:
    """What a choice along a path may be taken to fall on: names that the path compares it with, names that the path looks something
    up for (``named``), names whose entries count where some do (``counted``), any name that there is, flags, members of enums."""
    near = of_sort(term, (*_compared_with(kind, term, path.segments[-1].conditions), *named))
    return members(kind) or [*near[:FEW_NAMES], *of_sort(term, counted)[:FEW_NAMES], *some_of(kind)]


def _compared_with(kind: Scalar, term: Term, conditions: Iterable[Term]) -> list[Term]:
    """What conditions say a name is or is not, each once; not NOTHING, which is never chosen."""
    found: dict[int, Term] = {}
    todo, seen = list(conditions), set[int]()
    while todo:
        each = todo.pop()
        if number_of(each) not in seen:
            seen.add(number_of(each))
            sides = each.children()
            todo += sides
            if z3.is_eq(each) and number_of(term) in map(number_of, sides):
                found |= {number_of(side): side for side in sides}
    never = [term, constant(kind, NOTHING)] if isinstance(kind, NameKind) else [term]
    return [each for number, each in found.items() if number not in map(number_of, never)]


def of_sort(term: Term, terms: Iterable[Term]) -> list[Term]:
    """Those of the terms that are of the sort of another, each once."""
    return list({number_of(each): each for each in terms if each.sort() == term.sort()}.values())
