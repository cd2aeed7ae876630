"""Expressions about what is known after an event of a trace: ``p2m[0, 5].mfn``, ``frames[7].use == Use.SHARED``."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from refmodel.engines.words import outcome_text
from refmodel.language import BadDesign
from refmodel.language.kinds import EnumKind, Kind, NameKind, RecordKind, TableKind, TupleKind
from refmodel.language.tables import NOTHING
from refmodel.oracle.trace.contents import WORD, Contents
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.known_states import CACHED, TABLES, said

UNKNOWN = "not known"


class _NotKnown(Exception):
    """The trace has not told what an expression asks for."""


def evaluate(k: Knowledge, expression: str) -> str:
    """What an expression is, in words; ``not known`` if the trace has not told. Raises ``BadDesign`` for what is no expression."""
    try:
        import simpleeval
    except ImportError as why:
        raise BadDesign(f"expressions need simpleeval ({why.name} is not installed): pip install 'refmodel[explorer]'") from None
    names = {kind.name: _Table(k, kind) for kind in TABLES} | _enumerations() | {"none": NOTHING, "true": True, "false": False}
    evaluator = simpleeval.EvalWithCompoundTypes(names=names, functions={}, allowed_attrs=_attributes())
    try:
        return _words(evaluator.eval(expression))
    except _NotKnown:
        return UNKNOWN
    except BadDesign:
        raise
    except simpleeval.NameNotDefined as why:
        raise BadDesign(f"{expression}: no table {why.name}; expected {', '.join(kind.name for kind in TABLES)}") from None
    except simpleeval.FeatureNotAvailable:
        fields = ", ".join(sorted({name for kind, names in _attributes().items() if kind is not enum.EnumType for name in names}))
        raise BadDesign(f"{expression}: asks for more than a field of an entry; the fields of entries are {fields}") from None
    except (
        simpleeval.InvalidExpression,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RecursionError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as why:
        raise BadDesign(f"{expression}: cannot be evaluated: {why}; expected such as p2m[0, 5].mfn == 7") from None


class _Table:
    """A table as expressions see it."""

    def __init__(self, k: Knowledge, kind: TableKind) -> None:
        self.k, self.kind = k, kind

    def __getitem__(self, key: Any) -> Any:
        names = key if isinstance(key, tuple) else (key,)
        sorts = [each.sort.lower() if isinstance(each, NameKind) else "number" for each in self.kind.keys]
        if len(names) != len(sorts) or not all(type(name) is int for name in names):
            raise BadDesign(f"{self.kind.name}[{key}]: expected {self.kind.name}[{', '.join(sorts)}], each a number")
        found = self._cached(key) if self.kind.name == CACHED else self.k.tables[self.kind.name].find(key)
        if found is None:
            raise _NotKnown
        return _Words(found) if isinstance(found, Contents) else found

    def _cached(self, key: Any) -> Any:
        told = self.k.lingering.told(key)
        return told[-1].derived if told else self.kind.value.default()


class _Words:
    """Contents of a page as expressions see them: 8-byte words by their offset in bytes."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents

    def __getitem__(self, offset: Any) -> int:
        if type(offset) is not int or not 0 <= offset < 1 << 12 or offset % WORD:
            raise BadDesign(f"[{offset}]: expected the offset of an 8-byte word in its page, such as 8")
        word = self.contents.words.get(offset, 0 if self.contents.zeroed else None)
        if not isinstance(word, int):
            raise _NotKnown
        return word


def _kinds(kind: Kind) -> list[Kind]:
    """A kind and those that it is made of."""
    parts = (
        [of_field for _, of_field in kind.fields]
        if isinstance(kind, RecordKind)
        else list(kind.parts)
        if isinstance(kind, TupleKind)
        else []
    )
    return [kind, *(inner for part in parts for inner in _kinds(part))]


def _of_tables() -> list[Kind]:
    return [kind for table in TABLES for kind in _kinds(table.value)]


def _enumerations() -> dict[str, Any]:
    """The enumerations that entries have values of, by name: ``Use``, ``Backing``."""
    return {kind.cls.__name__: kind.cls for kind in _of_tables() if isinstance(kind, EnumKind)}


def _attributes() -> dict[type, set[str]]:
    """By type: what an expression may ask of a value."""
    records: dict[type, set[str]] = {
        kind.cls: {*(name for name, _ in kind.fields), *(name for name, of in vars(kind.cls).items() if isinstance(of, property))}
        for kind in _of_tables()
        if isinstance(kind, RecordKind)
    }
    return records | {enum.EnumType: {name for of in _enumerations().values() for name in of.__members__}}


def _words(value: Any) -> str:
    if isinstance(value, _Words):
        return said(TABLES[0].value, value.contents)
    if isinstance(value, enum.Enum):
        return str(value.value or value.name)
    if isinstance(value, _Table):
        raise BadDesign(f"{value.kind.name}: is a table; expected one of its entries, such as {value.kind.name}[0]")
    return str(value).lower() if isinstance(value, bool) else outcome_text(value) if attrs.has(type(value)) else str(value)
