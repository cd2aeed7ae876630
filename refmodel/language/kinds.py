"""What a specification's values are made of: words, names, naturals, flags, enums, records, tables, pages.

A kind is read off an annotation. It knows three things only: which scalar *leaves* a value consists of,
what the value is before anybody wrote it, and which values exist in a stated small geometry.
"""

from __future__ import annotations

import enum
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING, Page
from refmodel.language.unsound import BadDesign


@attrs.frozen
class Kind:
    """What a value is. Scalars (flag, word, name, natural, enum) are their own only leaf."""

    def leaves(self) -> tuple[tuple[str, Scalar], ...]:
        raise NotImplementedError

    def default(self) -> Any:
        raise NotImplementedError

    def values(self, geometry: Geometry) -> Iterator[Any]:
        raise NotImplementedError

    def flatten(self, value: Any) -> list[Any]:
        """The leaves of a value, in the order of ``leaves``."""
        raise NotImplementedError

    def build(self, leaves: Iterator[Any]) -> Any:
        """The value with these leaves."""
        raise NotImplementedError


@attrs.frozen
class Scalar(Kind):
    def leaves(self) -> tuple[tuple[str, Scalar], ...]:
        return (("", self),)

    def flatten(self, value: Any) -> list[Any]:
        return [value]

    def build(self, leaves: Iterator[Any]) -> Any:
        return next(leaves)

    def encode(self, value: Any) -> int:
        """A concrete value as a small int, for packing."""
        return int(value)

    def decode(self, code: int) -> Any:
        return code


@attrs.frozen
class FlagKind(Scalar):
    def default(self) -> bool:
        return False

    def values(self, geometry: Geometry) -> Iterator[bool]:
        yield from (False, True)

    def decode(self, code: int) -> bool:
        return bool(code)


@attrs.frozen
class WordKind(Scalar):
    width: int

    def default(self) -> int:
        return 0

    def values(self, geometry: Geometry) -> Iterator[int]:
        few = min(1 << self.width, geometry.words)
        yield from (*range(few), *(n for n in geometry.also if few <= n < 1 << self.width))


@attrs.frozen
class NameKind(Scalar):
    sort: str

    def default(self) -> int:
        return NOTHING

    def values(self, geometry: Geometry) -> Iterator[int]:
        yield from range(geometry.size(self.sort))


@attrs.frozen
class NaturalKind(Scalar):
    def default(self) -> int:
        return 0

    def values(self, geometry: Geometry) -> Iterator[int]:
        yield from (*range(geometry.naturals + 1), *(n for n in geometry.also if n > geometry.naturals))


@attrs.frozen
class EnumKind(Scalar):
    cls: type[enum.Enum]

    def default(self) -> enum.Enum:
        return next(iter(self.cls))

    def values(self, geometry: Geometry) -> Iterator[enum.Enum]:
        yield from self.cls

    def encode(self, value: Any) -> int:
        return _codes(self.cls)[value]

    def decode(self, code: int) -> enum.Enum:
        return list(self.cls)[code]


@functools.cache
def _codes(cls: type[enum.Enum]) -> dict[Any, int]:
    return {member: code for code, member in enumerate(cls)}


@attrs.frozen(slots=False)
class RecordKind(Kind):
    cls: type
    fields: tuple[tuple[str, Kind], ...]

    def leaves(self) -> tuple[tuple[str, Scalar], ...]:
        return self._leaves

    @functools.cached_property
    def _leaves(self) -> tuple[tuple[str, Scalar], ...]:
        return tuple((f"{f}.{path}" if path else f, leaf) for f, kind in self.fields for path, leaf in kind.leaves())

    def default(self) -> Any:
        given = {a.name: a.default for a in attrs.fields(self.cls) if a.default is not attrs.NOTHING and a.init}
        plain = {f: kind.default() for f, kind in self.fields if f not in given}
        return self.cls(**plain)

    def values(self, geometry: Geometry) -> Iterator[Any]:
        if self.cls in geometry.only:
            yield from _renamed(self, geometry)
            return
        for combination in itertools.product(*(held_by(kind, geometry) for _, kind in self.fields)):
            yield self.made(combination)

    def made(self, values: Iterable[Any]) -> Any:
        """The record with these fields, in the order of its class."""
        return self.cls(**dict(zip([name for name, _ in self.fields], values, strict=True)))

    def flatten(self, value: Any) -> list[Any]:
        if type(value) is not self.cls:
            raise BadDesign(f"{value!r} is not a {self.cls.__name__}")
        return [leaf for f, kind in self.fields for leaf in kind.flatten(getattr(value, f))]

    def build(self, leaves: Iterator[Any]) -> Any:
        if self.by_keyword:
            return self.made([kind.build(leaves) for _, kind in self.fields])
        return self.cls(*[kind.build(leaves) for _, kind in self.fields])

    @property
    def by_keyword(self) -> bool:
        """Whether it has fields that are given by name only."""
        return _by_keyword(self.cls)


@attrs.frozen
class TupleKind(Kind):
    parts: tuple[Kind, ...]

    def leaves(self) -> tuple[tuple[str, Scalar], ...]:
        return tuple((f"{i}.{p}" if p else str(i), leaf) for i, kind in enumerate(self.parts) for p, leaf in kind.leaves())

    def default(self) -> Any:
        return tuple(kind.default() for kind in self.parts)

    def values(self, geometry: Geometry) -> Iterator[Any]:
        yield from itertools.product(*(held_by(kind, geometry) for kind in self.parts))

    def flatten(self, value: Any) -> list[Any]:
        return [leaf for part, kind in zip(value, self.parts, strict=True) for leaf in kind.flatten(part)]

    def build(self, leaves: Iterator[Any]) -> Any:
        return tuple(kind.build(leaves) for kind in self.parts)


def held_by(kind: Kind, geometry: Geometry) -> Iterator[Any]:
    """What a field of a record may be, or an entry of a table: a name may be NOTHING there."""
    yield from kind.values(geometry)
    if isinstance(kind, NameKind):
        yield NOTHING


@functools.cache
def _by_keyword(cls: Any) -> bool:
    return any(a.kw_only for a in attrs.fields(cls))


@attrs.frozen
class PageKind(Kind):
    """``Page[Index, Cell]``. Its leaves are those of a cell; each reading adds the index its own way."""

    index: Scalar
    cell: Kind

    def leaves(self) -> tuple[tuple[str, Scalar], ...]:
        return self.cell.leaves()

    def default(self) -> Page[Any, Any]:
        return Page(self.cell.default())

    def values(self, geometry: Geometry) -> Iterator[Page[Any, Any]]:
        indices = list(self.index.values(geometry))
        for cells in itertools.product(*(list(self.cell.values(geometry)) for _ in indices)):
            yield Page(self.cell.default(), dict(zip(indices, cells, strict=True)))


@attrs.frozen
class TableKind:
    """A table of a design: its name, the kinds of its key's parts, and of its value."""

    name: str
    keys: tuple[Scalar, ...]
    value: Kind
    partial: bool

    def all_keys(self, geometry: Geometry) -> list[Any]:
        """Every key there is in a geometry, spelled as a text spells it (a tuple, or the bare name)."""
        keys: list[Any] = list(itertools.product(*(list(k.values(geometry)) for k in self.keys)))
        return keys if len(self.keys) != 1 else [k for (k,) in keys]


def _renamed(kind: RecordKind, geometry: Geometry) -> Iterator[Any]:
    """The listed values of a record type, under every renaming."""
    sorts = sorted({leaf.sort for _, leaf in kind.leaves() if isinstance(leaf, NameKind)})
    seen = []
    for value in geometry.only[kind.cls]:
        for names in itertools.product(*(itertools.permutations(range(geometry.size(s))) for s in sorts)):
            renaming = dict(zip(sorts, names, strict=True))
            leaves = zip(kind.leaves(), kind.flatten(value), strict=True)
            new = kind.build(iter([rename(leaf, v, renaming) for (_, leaf), v in leaves]))
            if new not in seen:
                seen.append(new)
    yield from seen


def rename(leaf: Scalar, value: Any, renaming: Mapping[str, Sequence[int]]) -> Any:
    """A scalar under a renaming of names."""
    if isinstance(leaf, NameKind) and value != NOTHING and leaf.sort in renaming:
        return renaming[leaf.sort][value]
    return value
