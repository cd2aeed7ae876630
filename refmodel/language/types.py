"""What an expression of a text can be: a value of a kind, a table, a state, a text to run, or something that only Python knows."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import attrs

from refmodel.language.kinds import (
    EnumKind,
    FlagKind,
    Kind,
    NameKind,
    NaturalKind,
    PageKind,
    RecordKind,
    TableKind,
    TupleKind,
    WordKind,
)


@attrs.frozen
class Ints:
    """A number written in the text: a word or a natural, as its place wants it."""

    values: frozenset[int]


@attrs.frozen
class Nothing:
    """``NOTHING``: a name of any sort."""


@attrs.frozen
class Words:
    """A string, which only says what is asked."""


@attrs.frozen
class NoneType:
    """What a function that returns nothing returns."""


@attrs.frozen
class Never:
    """What an expression is that does not come to an end: it raises."""


@attrs.frozen
class TupleOf:
    """Several values together."""

    parts: tuple[Type, ...]


@attrs.frozen
class OneOf:
    """Different things on different paths: nothing can be done with it but return it."""

    options: frozenset[Type]


@attrs.frozen
class State:
    """The state of a design, in an operation; or as laws and conditions see it, to look at only."""

    cls: type
    after: type | None = None
    """For ``super()``: the class after which attributes are looked up."""


@attrs.frozen
class Table:
    kind: TableKind


@attrs.frozen(eq=False)
class Scope:
    """The names that a function or lambda sees."""

    names: Mapping[str, Type]
    function: Any
    """The Python function that holds it."""


@attrs.frozen
class Text:
    """A function or lambda of a text, with what it sees and what it is bound to."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    bound: tuple[Type, ...] = ()
    cls: type | None = None
    """The class in which it stands, for ``super()``."""
    owner: State | None = None


@attrs.frozen
class Known:
    """Something of Python's that the text names: a module, a class, a word of the language, an annotation."""

    value: Any = attrs.field(eq=id)


Type = Kind | Ints | Nothing | Words | NoneType | Never | TupleOf | OneOf | State | Table | Text | Known
FLAG, NATURAL = FlagKind(), NaturalKind()
NONE, NEVER = NoneType(), Never()


def said(what: Type) -> str:
    """A type in words."""
    match what:
        case FlagKind():
            return "a flag"
        case NameKind(sort):
            return f"a {sort} (a name)"
        case NaturalKind():
            return "a natural number"
        case WordKind(width):
            return f"a word of {width} bits"
        case EnumKind(cls):
            return f"a member of {cls.__name__}"
        case RecordKind(cls, _):
            return f"a {cls.__name__}"
        case TupleKind(parts) | TupleOf(parts):
            return f"a tuple of {', '.join(map(said, parts))}"
        case PageKind():
            return "a page"
        case Ints(values):
            some = sorted(values)
            return f"the number {'/'.join(map(str, some[:4]))}{'/...' if len(some) > 4 else ''}"
        case Nothing():
            return "NOTHING (a name)"
        case Table(kind):
            return f"the table {kind.name}"
        case State(cls):
            return f"the state of {cls.__name__}"
        case OneOf(options):
            return " or ".join(sorted(map(said, options)))
        case NoneType():
            return "None"
        case Words():
            return "a string"
        case Text(ast.FunctionDef(name)) | Known((PageKind(), str(name))):
            return f"{name} without a call"
        case Text():
            return "a lambda"
        case Known(value):
            return f"{getattr(value, '__qualname__', getattr(value, '__name__', repr(value)))}, which is no value of the language"
    return "nothing"


def no_condition(what: Type, instead: str) -> str:
    """That something is no condition, and what to write: a method whose call was forgotten is not compared."""
    match what:
        case Text(ast.FunctionDef(name)) | Known((PageKind(), str(name))):
            return f"{said(what)} is no condition; expected {name}(...)"
    return f"{said(what)} is no condition; {instead}"


def fits(what: Type, kind: Kind) -> bool:
    """Whether a value may stand where this kind is expected."""
    if what == kind or isinstance(what, Never):
        return True
    match what, kind:
        case Ints(values), WordKind(width):
            return all(0 <= v < 1 << width for v in values)
        case Ints(values), NaturalKind():
            return min(values) >= 0
        case Nothing(), NameKind():
            return True
        case TupleOf(parts), TupleKind(kinds):
            return len(parts) == len(kinds) and all(map(fits, parts, kinds))
    return False


def joined(a: Type, b: Type) -> Type:
    """What a value is that is one thing on one path and another on another."""
    if a == b or isinstance(b, Never):
        return a
    if isinstance(a, Never):
        return b
    if isinstance(a, Ints) and isinstance(b, Ints):
        return Ints(a.values | b.values)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Kind) and fits(other, one):
            return one
    if isinstance(a, TupleOf) and isinstance(b, TupleOf) and len(a.parts) == len(b.parts):
        return TupleOf(tuple(map(joined, a.parts, b.parts)))
    return OneOf(_options(a) | _options(b))


def _options(a: Type) -> frozenset[Type]:
    return a.options if isinstance(a, OneOf) else frozenset([a])
