"""The shape of a state: what its tables hold, whatever the names are.

Random runs remember one run for each shape that they met, and go on from there. A shape is coarse on purpose: two states that
differ in names, or in how many more than a few entries look the same, have one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from refmodel.language.design import Outline
from refmodel.language.kinds import Kind, NameKind, NaturalKind, PageKind, RecordKind, TupleKind
from refmodel.language.tables import NOTHING

ALIKE = 2
"""So many entries of a table that look the same are counted; more are as many."""

Shape = tuple[frozenset[tuple[Hashable, int]], ...]


class Shapes:
    """Makes the shapes of one design's states."""

    def __init__(self, design: Outline) -> None:
        self._tables = [
            (kind.name, _nameless(kind.value), None if kind.partial else kind.value.default()) for kind in design.tables
        ]

    def of(self, state: Any) -> Shape:
        """The shape of a state on ints."""
        tables = state.__dict__
        return tuple(_counted(tables[name], nameless, default) for name, nameless, default in self._tables)


def _counted(table: dict[Any, Any], nameless: Callable[[Any], Hashable], default: Any) -> frozenset[tuple[Hashable, int]]:
    """How often each nameless entry occurs, entries at their default left out."""
    found: dict[Hashable, int] = {}
    for value in table.values():
        if value is default or value == default:
            continue
        look = nameless(value)
        number = found.get(look, 0)
        if number < ALIKE:
            found[look] = number + 1
    return frozenset(found.items())


def _nameless(kind: Kind) -> Callable[[Any], Hashable]:
    """A function from a kind's values to what is left of them without names."""
    if isinstance(kind, NameKind):
        return lambda value: value != NOTHING
    if isinstance(kind, NaturalKind):
        return lambda value: min(value, ALIKE)
    if isinstance(kind, PageKind):
        cell = _nameless(kind.cell)
        return _remembering(lambda page: frozenset(cell(c) for c in page.cells.values()))
    if isinstance(kind, RecordKind):
        fields = [(name, _nameless(inner)) for name, inner in kind.fields]
        return _remembering(lambda value: tuple([part(getattr(value, name)) for name, part in fields]))
    if isinstance(kind, TupleKind):
        parts = [_nameless(part) for part in kind.parts]
        return lambda value: tuple([part(v) for part, v in zip(parts, value, strict=True)])
    return lambda value: value


def _remembering(look: Callable[[Any], Hashable]) -> Callable[[Any], Hashable]:
    known: dict[Any, Hashable] = {}

    def remembered(value: Any) -> Hashable:
        if value not in known:
            known[value] = look(value)
        return known[value]

    return remembered
