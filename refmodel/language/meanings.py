"""What the names of a text stand for: Python's objects as types of the language, functions as texts that can be read.

Whatever a text reaches comes through here, by whatever road, and is refused if it is nothing that the readings agree on.
"""

from __future__ import annotations

import ast
import enum
import types
import typing
from abc import ABCMeta
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

import attrs

from refmodel.language import asking
from refmodel.language.annotations import kind_of
from refmodel.language.arithmetic import Place
from refmodel.language.asking import Site
from refmodel.language.kinds import Kind, RecordKind, TableKind
from refmodel.language.laws import Law
from refmodel.language.places import file_of
from refmodel.language.remedies import for_value
from refmodel.language.sources import code_of, definition_of, is_of_a_library
from refmodel.language.tables import NOTHING
from refmodel.language.types import (
    FLAG,
    NONE,
    Ints,
    Known,
    Nothing,
    Scope,
    Table,
    Text,
    TupleOf,
    Type,
    Words,
    fits,
    said,
)
from refmodel.language.unsound import BadDesign

BUILTINS: tuple[Any, ...] = (any, all, min, max, range, super)
WORDS = (
    asking.require,
    asking.choose,
    asking.fails,
    asking.cached,
    asking.count,
    asking.reset,
    asking.assign,
    asking.implies,
    attrs.evolve,
)


@attrs.frozen
class Complaint:
    """A place in a text that says what it may not."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@attrs.define
class Effects:
    """What a text has done so far: which tables it looked at, and where it stated premises."""

    reads: set[str] = attrs.field(factory=set)
    writes: set[str] = attrs.field(factory=set)
    premises: set[Site] = attrs.field(factory=set)

    def add(self, other: Effects) -> None:
        self.reads |= other.reads
        self.writes |= other.writes
        self.premises |= other.premises


@attrs.define(eq=False)
class Frame:
    """One call under way."""

    text: Text
    names: dict[str, Type]
    returned: list[Type] = attrs.field(factory=list)


class Seen(Mapping[str, Type]):
    """What a lambda sees of the function that it stands in: what its names are when it is called, as Python has it."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def __getitem__(self, name: str) -> Type:
        names = self.frame.names
        return names[name] if name in names else self.frame.text.scope.names[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.frame.text.scope.names, **self.frame.names})

    def __len__(self) -> int:
        return len({**self.frame.text.scope.names, **self.frame.names})


class Stop(Exception):
    """The expression was complained about: nothing more can be said of it."""


class Meanings:
    """One design's text."""

    def __init__(self, cls: type, tables: Sequence[TableKind]) -> None:
        self.cls = cls
        self.tables = {t.name: Table(t) for t in tables}
        self.complaints: dict[Complaint, None] = {}
        self.functions: dict[FunctionType, None] = {}
        self.effects = Effects()
        self.looked_at_by_counts: list[tuple[Complaint, str]] = []
        """Tables that a condition of a count looks at, each with the complaint that is due if an operation writes to it."""
        self.looking = ""
        """What the text under way is, where it may only look: a law, a condition, a method that states what a table may be."""
        self.called: dict[tuple[FunctionType, Place], list[Text]] = {}
        """What is called where: by a call, or by the mention of a property."""
        self.chosen: dict[Kind, None] = {}
        """The kinds of what operations choose."""
        self.raised: dict[type, str] = {}
        """The faults that are raised, each with where."""
        self.widths: dict[FunctionType, dict[Place, int]] = {}
        """Where there is arithmetic on words of so many bits, or (0) on naturals."""
        self.largest: dict[tuple[FunctionType, Place], int] = {}
        """The largest number that arithmetic on constants alone comes to, where it stands."""
        self._texts: dict[FunctionType, Text] = {}
        self._calls: dict[Any, tuple[Type, Effects]] = {}
        self._frames: list[Frame] = []
        self._line = 0

    # ------------------------------------------------------------ complaints

    def complain(self, what: str, node: ast.AST | None = None, of: FunctionType | None = None) -> Type:
        """Note what is wrong with a place; its value is taken for anything, lest one mistake be reported twice. ``of``: whose
        text it is, if not that of the function under way."""
        self.complaints.setdefault(self.complaint(what, node, of))
        raise Stop

    def complaint(self, what: str, node: ast.AST | None, of: FunctionType | None = None) -> Complaint:
        """What is wrong with a place."""
        line = getattr(node, "lineno", 0) or self._line
        of = self._frames[-1].text.scope.function if of is None and self._frames else of
        return Complaint(file_of(self.cls) if of is None else code_of(of).co_filename, line, what)

    def expect(self, what: Type, kind: Kind, node: ast.AST, where: str) -> None:
        if not fits(what, kind):
            self.complain(f"{said(what)} stands where {said(kind)} is expected ({where})", node)

    def may(self, node: ast.AST, what: str, instead: str) -> None:
        """Only an operation may do this; what only looks does something else instead."""
        if self.looking:
            self.complain(f"{self.looking} only looks: it may not {what}; {instead}", node)

    # ------------------------------------------------------------ from Python's objects to types

    def meaning(self, value: Any, node: ast.AST | None = None, name: str = "") -> Type:
        """What an object of Python's is to a text."""
        if value is None:
            return NONE
        kind = type(value)  # not what the object gives for its class
        if kind is bool:
            return FLAG
        if kind is int:
            return Nothing() if value == NOTHING else Ints(frozenset([value]))
        if kind is str:
            return Words()
        if kind is tuple:
            return TupleOf(tuple(self.meaning(v, node, name) for v in value))
        if kind is FunctionType:
            return Known(value) if value in WORDS else self.text(value, node)
        if any(kind is each for each in (ModuleType, Law, type, ABCMeta, enum.EnumType)):
            return Known(value)
        if issubclass(kind, type):
            return self.complain(f"{name or value!r} has a metaclass of its own, {kind.__name__}; use a plain class", node)
        if issubclass(kind, enum.Enum):
            return self.kind(kind, node)
        if _is_annotation(value) or value is typing.Annotated:  # which is a class up to Python 3.12
            return Known(value)
        if attrs.has(kind):
            record = self.kind(kind, node)
            assert isinstance(record, RecordKind)
            for field, of in record.fields:
                if not fits(self.meaning(getattr(value, field), node, name), of):
                    self.complain(f"{name}: the field {field} of this record is no {said(of)}", node)
            return record
        if any(value is each for each in BUILTINS):
            return Known(value)
        return self.complain(
            f"{name or value!r} is a {kind.__name__}: a design's code may only use functions with readable source, "
            f"frozen records, enum members, numbers, flags and tuples of these; state is in tables only{for_value(name, value)}",
            node,
        )

    def kind(self, annotation: Any, node: ast.AST | None) -> Kind:
        try:
            return kind_of(annotation)
        except (BadDesign, TypeError) as why:
            self.complain(str(why), node)
            raise AssertionError from None

    def text(self, function: FunctionType, node: ast.AST | None = None) -> Text:
        """A function's text; refused if it has none, or if it is a library's that is no word of the language."""
        if function not in self._texts and self._frames and is_of_a_library(function):
            instead = "; write attrs.evolve(record, field=value)" if function.__name__ in ("replace", "assoc") else ""
            self.complain(f"{function.__module__}.{function.__name__} is no word of the language{instead}", node)
        if function not in self._texts:
            definition = definition_of(function)
            if definition is None:
                code = code_of(function)
                what = (
                    f"{function.__qualname__} has no source that can be read ({code.co_filename}:{code.co_firstlineno}): what a "
                    "design is made of is plain functions and lambdas in a file, as it was loaded"
                )
                if not self._frames:  # nothing reaches it: it is an operation or a law itself
                    self.complaints.setdefault(Complaint(code.co_filename, code.co_firstlineno, what))
                    raise Stop
                self.complain(what, node)
            assert definition is not None
            self._texts[function] = Text(definition, Scope({}, function))
            cells = dict(zip(code_of(function).co_freevars, function.__closure__ or (), strict=True))
            names = {name: self._cell(cell, name, node) for name, cell in cells.items()}
            self._texts[function] = Text(definition, Scope(names, function))
            self.functions[function] = None
        return self._texts[function]

    def _cell(self, cell: Any, name: str, node: ast.AST | None) -> Type:
        try:
            value = cell.cell_contents
        except ValueError:
            return self.complain(f"{name} has no value yet", node)
        return self.meaning(value, node, name)

    def call(self, text: Text, given: Sequence[Type], named: Mapping[str, Type], node: ast.AST | None) -> Type:
        """What a text returns for arguments of these types (``inference``)."""
        raise NotImplementedError

    @property
    def names(self) -> dict[str, Type]:
        """What is known of the local names of the text under way."""
        return self._frames[-1].names


def _is_annotation(value: object) -> bool:
    """Whether an object is one of Python's own, as ``Annotated[int, Bits(8)]`` and ``tuple[int, bool]`` are."""
    mine = type(value)
    return any(getattr(module, mine.__name__, None) is mine for module in (typing, types)) and typing.get_origin(value) is not None
