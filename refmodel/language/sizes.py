"""How large a concrete run is."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import attrs

from refmodel.language.tables import NOTHING
from refmodel.language.unsound import BadDesign

MOST_UNDER_WAY = 8
"""Split operations that may be under way at once in any run."""


@attrs.frozen(kw_only=True)
class Geometry:
    """The size of a concrete run: how many names of each type there are, and how far numbers go. ``geometry(...)`` makes one.

    Raises ``BadDesign`` where a field is not of its form.
    """

    sizes: Mapping[str, int] = attrs.field(factory=dict)
    """How many names of each type there are, by the type's name: ``{"Vm": 2, "Mfn": 3}``. A type that is not listed has two."""
    naturals: int = 1
    """The largest natural number that an operation is given as an argument. Counts may grow beyond it."""
    words: int = 4
    """How many values of a word operations are given as arguments: 4 are 0 to 3, or as many as the word has bits for."""
    under_way: int = 2
    """How many split operations may be under way at once."""
    only: Mapping[type, tuple[Any, ...]] = attrs.field(factory=dict)
    """The values of a record type that operations may be given, by type, to keep a geometry small: those listed, and those that
    differ from them in names only."""
    given: Mapping[str, Mapping[Any, Any]] = attrs.field(factory=dict)
    """What entries of tables whose initial contents nobody knows hold at power-on, by table and key: where one case is enough."""
    also: tuple[int, ...] = attrs.field(default=())
    """Numbers beyond the limits that there are too: those of a step that a solver found."""

    @only.validator
    def _only_values_of_their_type(self, _: Any, only: Any) -> None:
        for cls, values in only.items():
            if not isinstance(cls, type) or not isinstance(values, tuple) or not values or {*map(type, values)} != {cls}:
                name = cls.__name__ if isinstance(cls, type) else repr(cls)
                raise BadDesign(f"geometry: only={{{name}: {values!r:.60}}}; expected a tuple of one or more values of {name}")

    @also.validator
    def _also_numbers(self, _: Any, also: Any) -> None:
        if not isinstance(also, tuple) or not all(type(number) is int and number >= 0 for number in also):
            raise BadDesign(f"geometry: also is {also!r:.60}; expected a tuple of numbers from 0 on")

    def contents(self, table: str, key: Any, every: typing.Sequence[Any]) -> typing.Sequence[Any]:
        """What an entry of such a table may hold at power-on: what is given, or any of these values. A name that is given, and that
        this geometry has not, is nobody's."""
        given = self.given.get(table, {})
        if key not in given:
            return every
        value = given[key]
        return [value if value in every or not isinstance(value, int) else NOTHING]

    def size(self, sort: str) -> int:
        return self.sizes.get(sort, 2)

    def resized(
        self, naturals: int | None = None, words: int | None = None, under_way: int | None = None, **sizes: int
    ) -> Geometry:
        """This geometry with other numbers of names, and perhaps with other natural numbers and words, and another number of
        split operations under way."""
        return attrs.evolve(
            self,
            sizes={**self.sizes, **sizes},
            naturals=self.naturals if naturals is None else naturals,
            words=self.words if words is None else words,
            under_way=self.under_way if under_way is None else under_way,
        )

    def __str__(self) -> str:
        return ", ".join(f"{n} {s}" for s, n in self.sizes.items())


def geometry(
    naturals: int = 1, words: int = 4, only: Mapping[type, tuple[Any, ...]] | None = None, under_way: int = 2, **sizes: int
) -> Geometry:
    """A geometry with so many names of each type: ``geometry(Vm=2, Gfn=2, Mfn=3)``, each from 1 to 100. The other arguments are the
    fields of ``Geometry``. Raises ``BadDesign`` where one is out of its range."""
    for sort, size in sizes.items():
        if not isinstance(size, int) or not 1 <= size <= 100:
            raise BadDesign(f"geometry: {sort} is {size!r}, expected a number of names from 1 to 100")
    for what, number, least in (("naturals", naturals, 0), ("words", words, 1)):
        if not isinstance(number, int) or number < least:
            raise BadDesign(f"geometry: {what} is {number!r}, expected a number from {least} on")
    if not isinstance(under_way, int) or not 1 <= under_way <= MOST_UNDER_WAY:
        raise BadDesign(f"geometry: under_way is {under_way!r}, expected a number of split operations from 1 to {MOST_UNDER_WAY}")
    return Geometry(sizes=sizes, naturals=naturals, words=words, only=only or {}, under_way=under_way)
