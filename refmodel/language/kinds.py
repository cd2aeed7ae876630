"""What a specification's values are made of: words, names, naturals, flags, enums, records, tables, pages.

A kind is read off an annotation. It knows three things only: which scalar *leaves* a value consists of,
what the value is before anybody wrote it, and which values exist in a stated small geometry.
"""

from __future__ import annotations

import enum
import functools
import itertools
import re
import typing
from abc import ABCMeta
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, MemberDescriptorType
from typing import Annotated, Any, Final, Generic, NewType, NoReturn, TypeVar

import attr
import attrs

from refmodel.language.unsound import BadDesign

NOTHING: Final = -1
"""The name that is nobody's: what a field of a name holds before anything was stored in it."""


@attrs.frozen
class Bits:
    """``Annotated[int, Bits(64)]``: an unsigned word of that many bits."""

    width: int


@attrs.frozen
class Name:
    """``Annotated[int, Name("Gfn")]``: a name, of which a text may only ask whether it equals another."""

    sort: str


@attrs.frozen
class Natural:
    """``Annotated[int, Natural()]``: a count, an unbounded number as Python's own."""


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Total(dict[K, V]):
    """A table in which every key has a value; what nobody stored reads as the value type's default.

    Nothing can be stored under the name of nobody, so an entry under NOTHING always reads as the default.
    """

    __slots__ = ("changed", "default")
    default: V
    changed: bool

    def __missing__(self, key: K) -> V:
        return self.default

    def __setitem__(self, key: K, value: V) -> None:
        if key == NOTHING or (isinstance(key, tuple) and NOTHING in key):
            raise KeyError("a store under NOTHING")
        self.changed = True
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: K) -> None:
        self.changed = True
        dict.__delitem__(self, key)

    def twin(self) -> Total[K, V]:
        """An independent copy, unchanged so far."""
        other = type(self)(self)
        other.default, other.changed = self.default, False
        return other


class Partial(Total[K, V]):
    """The concrete form of a ``dict[Key, Record]`` annotation: a key may be missing."""

    __slots__ = ()

    def __missing__(self, key: K) -> V:
        raise KeyError(key)


class Page(Generic[K, V]):
    """A page of cells, as one value: read a cell, make the page that differs in a cell, compare whole pages."""

    __slots__ = ("cells", "zero")

    def __init__(self, zero: V, cells: Mapping[K, V] | None = None) -> None:
        self.zero = zero
        self.cells: dict[K, V] = {k: c for k, c in (cells or {}).items() if c != zero}

    def __getitem__(self, index: K) -> V:
        return self.cells.get(index, self.zero)

    def put(self, index: K, cell: V) -> Page[K, V]:
        """This page with one cell replaced. Raises KeyError under the name of nobody."""
        if index == NOTHING:
            raise KeyError("a cell under NOTHING")
        return Page(self.zero, {**self.cells, index: cell})

    def is_zero(self) -> bool:
        """Whether every cell is zero: what a scrubbed frame holds."""
        return not self.cells

    def scrubbed(self) -> Page[K, V]:
        """The page of zeroes."""
        return Page(self.zero)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Page) and self.cells == other.cells

    def __hash__(self) -> int:
        return hash(frozenset(self.cells.items()))

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{k}: {c}" for k, c in sorted(self.cells.items(), key=lambda kc: str(kc[0]))) + "}"


@attrs.frozen(kw_only=True)
class Geometry:
    """How many names of each sort exist in a concrete run, and how far numbers go.

    ``only`` narrows the values of a record type that operations may be given, to keep a geometry small:
    the listed values and whatever renaming makes of them.
    """

    sizes: Mapping[str, int] = attrs.field(factory=dict)
    naturals: int = 1
    words: int = 4
    only: Mapping[type, tuple[Any, ...]] = attrs.field(factory=dict)
    given: Mapping[str, Mapping[Any, Any]] = attrs.field(factory=dict)
    """What entries of tables whose initial contents nobody knows hold at power-on, by table and key: where one case is enough."""

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

    def resized(self, naturals: int | None = None, words: int | None = None, **sizes: int) -> Geometry:
        """The same geometry with other numbers of names, and perhaps with other natural numbers and words."""
        return attrs.evolve(self, sizes={**self.sizes, **sizes}, naturals=self.naturals if naturals is None else naturals,
                            words=self.words if words is None else words)

    def __str__(self) -> str:
        return ", ".join(f"{n} {s}" for s, n in self.sizes.items())


def geometry(naturals: int = 1, words: int = 4, only: Mapping[type, tuple[Any, ...]] | None = None,
             **sizes: int) -> Geometry:
    """``geometry(Vm=2, Gfn=2, Mfn=3)``."""
    for sort, size in sizes.items():
        if not isinstance(size, int) or not 1 <= size <= 100:
            raise BadDesign(f"geometry: {sort} is {size!r}, expected a number of names from 1 to 100")
    for what, number, least in (("naturals", naturals, 0), ("words", words, 1)):
        if not isinstance(number, int) or number < least:
            raise BadDesign(f"geometry: {what} is {number!r}, expected a number from {least} on")
    return Geometry(sizes=sizes, naturals=naturals, words=words, only=only or {})


# ---------------------------------------------------------------- kinds


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
        yield from range(min(1 << self.width, geometry.words))


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
        yield from range(geometry.naturals + 1)


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
        for combination in itertools.product(*(_within(kind, geometry) for _, kind in self.fields)):
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
        yield from itertools.product(*(_within(kind, geometry) for kind in self.parts))

    def flatten(self, value: Any) -> list[Any]:
        return [leaf for part, kind in zip(value, self.parts, strict=True) for leaf in kind.flatten(part)]

    def build(self, leaves: Iterator[Any]) -> Any:
        return tuple(kind.build(leaves) for kind in self.parts)


def _within(kind: Kind, geometry: Geometry) -> Iterator[Any]:
    """What a field of a record may be: a name may be NOTHING there, as in a table."""
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


def annotation_in_words(annotation: Any) -> str:
    """An annotation as a text spells it: a class by its name, and without the modules that it comes from."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return re.sub(r"<class '([^']+)'>", r"\1", re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])", "", repr(annotation)))


def kind_of(annotation: Any) -> Kind:
    """The kind an annotation denotes; ``BadDesign`` if it denotes none."""
    try:
        return _kind_of(annotation)
    except RecursionError:
        raise BadDesign(f"{annotation_in_words(annotation)} contains itself") from None


@functools.cache
def _kind_of(annotation: Any) -> Kind:
    if annotation is bool:
        return FlagKind()
    if typing.get_origin(annotation) is Annotated:
        return _annotated(annotation)
    if typing.get_origin(annotation) is tuple:
        return TupleKind(tuple(kind_of(part) for part in typing.get_args(annotation)))
    if typing.get_origin(annotation) is Page:
        index, cell = (kind_of(part) for part in typing.get_args(annotation))
        if not isinstance(index, NameKind | FlagKind | EnumKind):
            raise BadDesign(f"a page is indexed by a name, a flag or an enum member, not by {index}")
        return PageKind(index, cell)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        _refuse_odd_enum(annotation)
        return EnumKind(annotation)
    if isinstance(annotation, type) and attrs.has(annotation):
        _refuse_odd_record(annotation)
        hints = typing.get_type_hints(annotation, include_extras=True)
        record = RecordKind(annotation, tuple((a.name, kind_of(hints[a.name])) for a in attrs.fields(annotation)))
        for field, (name, kind) in zip(attrs.fields(annotation), record.fields, strict=True):
            if field.default is not attrs.NOTHING and not is_written(kind, field.default):
                raise BadDesign(f"the record {annotation.__qualname__}: the default of {name} is {field.default!r}, which is no "
                                "value of its type that a text may write down")
        return record
    if isinstance(annotation, NewType):
        name = annotation.__name__
        raise BadDesign(f"{name} is a NewType, which is no type of the language; for names of a kind of their own write "
                        f'{name} = Annotated[int, Name("{name}")]')
    raise BadDesign(f"{annotation_in_words(annotation)} is no type of the language: expected bool, an enum, a frozen attrs record, "
                    "Annotated[int, Bits(n) | Name(sort) | Natural()], tuple[...] or Page[...]")


def _refuse_odd_enum(cls: type[enum.Enum]) -> None:
    """A member is itself and equals nothing else; what Python adds to that (IntEnum, Flag, ``__eq__``) is refused."""
    if not list(cls):
        raise BadDesign(f"the enum {cls.__qualname__} has no members")
    odd = [base.__name__ for base in cls.__mro__ if base not in (cls, enum.Enum, object) and not issubclass(base, enum.Enum)]
    own = [name for base in cls.__mro__ if base not in (enum.Enum, object) for name in ("__eq__", "__hash__", "__bool__", "__new__")
           if isinstance(vars(base).get(name), FunctionType) and vars(base)[name].__module__ != "enum"]
    if odd or own or issubclass(cls, enum.Flag):
        raise BadDesign(f"the enum {cls.__qualname__} is more than its members ({', '.join(odd + own) or 'Flag'}); expected a "
                        "plain enum.Enum")


def is_written(kind: Kind, value: Any) -> bool:
    """Whether a value may be written down in a text for this kind: of the names, only NOTHING may."""
    if isinstance(kind, RecordKind):
        return type(value) is kind.cls and all(is_written(k, getattr(value, name)) for name, k in kind.fields)
    if isinstance(kind, TupleKind):
        return type(value) is tuple and len(value) == len(kind.parts) and all(map(is_written, kind.parts, value))
    if isinstance(kind, FlagKind):
        return type(value) is bool
    if isinstance(kind, EnumKind):
        return isinstance(value, kind.cls)
    if isinstance(kind, NameKind):
        return type(value) is int and value == NOTHING
    if isinstance(kind, WordKind):
        return type(value) is int and 0 <= value < 1 << kind.width
    return isinstance(kind, NaturalKind) and type(value) is int and value >= 0


def _refuse_odd_record(cls: type) -> None:
    """A record is frozen, and equal where its fields are; what runs code of its own when it is made or compared is refused."""
    def refuse(why: str) -> NoReturn:
        raise BadDesign(f"the record {cls.__qualname__} {why}; expected a class under @attrs.frozen with plain fields")

    if vars(cls).get("__attrs_attrs__") is None:
        refuse("is not an attrs class itself, but derived from one")
    if getattr(cls.__setattr__, "__name__", "") != "_frozen_setattrs":
        refuse("can be changed")
    for name in ("__eq__", "__init__"):
        if not isinstance(vars(cls).get(name), FunctionType):
            refuse(f"has no {name} by its fields")
    if type(cls) is not type and type(cls) is not ABCMeta:
        refuse(f"has a metaclass of its own, {type(cls).__name__}")
    for base in cls.__mro__[:-1]:
        for name, member in vars(base).items():
            if name.startswith("__") and name.endswith("__") and isinstance(member, FunctionType) and not _by_attrs(member):
                refuse(f"has a {name} of its own")
    for field in attrs.fields(cls):
        if field.converter is not None or field.validator is not None or field.on_setattr is not None:
            refuse(f"converts or validates its field {field.name}")
        if field.eq is not True or field.eq_key is not None:
            refuse(f"leaves its field {field.name} out of ==, or compares it in another way")
        if isinstance(field.default, attrs.Factory) or not field.init:  # type: ignore[arg-type]
            refuse(f"computes its field {field.name}")
        if field.alias != field.name:
            refuse(f"is made with {field.alias} for its field {field.name}")
        shown = next((vars(base)[field.name] for base in cls.__mro__ if field.name in vars(base)), None)
        if shown is not None and not isinstance(shown, MemberDescriptorType):
            refuse(f"has something else under the name of its field {field.name}")


def _by_attrs(method: FunctionType) -> bool:
    """Whether attrs wrote a method, and not the author of the class."""
    file = method.__code__.co_filename
    return file.startswith("<attrs generated") or Path(file).is_relative_to(Path(attr.__file__).parent)


_SCALARS: dict[type, Callable[[Any], Scalar]] = {
    Bits: lambda mark: _word(mark.width),
    Name: lambda mark: _name(mark.sort),
    Natural: lambda mark: NaturalKind(),
}


def _word(width: Any) -> WordKind:
    if type(width) is not int or not 1 <= width <= 128:
        raise BadDesign(f"Bits({width!r}): expected a number of bits from 1 to 128")
    return WordKind(width)


def _name(sort: Any) -> NameKind:
    if not isinstance(sort, str) or not sort.isidentifier():
        raise BadDesign(f"Name({sort!r}): expected an identifier, such as Gfn")
    return NameKind(sort)


def _annotated(annotation: Any) -> Scalar:
    for mark in typing.get_args(annotation)[1:]:
        if type(mark) in _SCALARS:
            return _SCALARS[type(mark)](mark)
    raise BadDesign(f"{annotation_in_words(annotation)} carries neither Bits, Name nor Natural")


def table_kind(name: str, annotation: Any) -> TableKind | None:
    """The table an attribute's annotation declares, or None if it declares none."""
    origin = typing.get_origin(annotation)
    if origin not in (dict, Total):
        return None
    arguments = typing.get_args(annotation)
    if len(arguments) != 2:
        raise BadDesign(f"{annotation_in_words(annotation)}: expected a key and a value, such as Total[tuple[Vm, Gfn], Entry]")
    key, value = arguments
    key_kind = kind_of(key)
    parts = key_kind.parts if isinstance(key_kind, TupleKind) else (key_kind,)
    if isinstance(key_kind, TupleKind) and len(parts) == 1:
        raise BadDesign("a key of one part is written without tuple[...]")
    scalars = tuple(part for part in parts if isinstance(part, NameKind | FlagKind | EnumKind))
    if len(scalars) != len(parts):
        raise BadDesign("a key is a name, a flag or an enum member, or a tuple of these, not "
                        f"{annotation_in_words(key)}; words and natural numbers have no end")
    return TableKind(name, scalars, kind_of(value), partial=origin is dict)
