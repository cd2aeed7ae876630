"""From an annotation to the kind that it denotes, and what is refused on the way."""

from __future__ import annotations

import enum
import functools
import re
import types
import typing
from abc import ABCMeta
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, MemberDescriptorType
from typing import Annotated, Any, NewType, NoReturn

import attr
import attrs

from refmodel.language.kinds import (
    EnumKind,
    FlagKind,
    Kind,
    NameKind,
    NaturalKind,
    PageKind,
    RecordKind,
    Scalar,
    TableKind,
    TupleKind,
    WordKind,
)
from refmodel.language.tables import NOTHING, Page, Total
from refmodel.language.unsound import BadDesign


@attrs.frozen
class Bits:
    """``Annotated[int, Bits(64)]``: an unsigned word of that many bits."""

    width: int


@attrs.frozen
class Name:
    """``Annotated[int, Name("Gfn")]``: a name. A design may only compare names for equality."""

    sort: str


@attrs.frozen
class Natural:
    """``Annotated[int, Natural()]``: a count, an unbounded number as Python's own."""


PUT_BY_PYTHON = frozenset(
    [
        "__module__",
        "__qualname__",
        "__doc__",
        "__annotations__",
        "__dict__",
        "__weakref__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotate__",
        "__annotations_cache__",
        "__annotate_func__",
        "__classdictcell__",
        "__type_params__",
        "__orig_bases__",
        "__parameters__",
    ]
)
"""What Python itself puts into every class."""
PUT_BY_ATTRS = frozenset(["__attrs_attrs__", "__attrs_props__", "__attrs_own_setattr__", "__match_args__", "__slots__"])
"""What attrs puts into a class besides methods."""
PRINTING = ("__str__", "__repr__", "__format__")
"""How the members of an enum are printed, which decides nothing."""


def annotation_in_words(annotation: Any) -> str:
    """An annotation as a text spells it: a class by its name, and without the modules that it comes from."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return re.sub(r"<class '([^']+)'>", r"\1", re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])", "", repr(annotation)))


def kind_of(annotation: Any) -> Kind:
    """The kind an annotation denotes; ``BadDesign`` if it denotes none."""
    try:
        hash(annotation)
    except TypeError:
        raise BadDesign(
            f"{annotation_in_words(annotation)} is no type of the language; expected Annotated[int, ...] with one of "
            "Bits(n), Name(sort) and Natural()"
        ) from None
    try:
        return _kind_of(annotation)
    except RecursionError:
        raise BadDesign(f"{annotation_in_words(annotation)} contains itself") from None


@functools.cache
def _kind_of(annotation: Any) -> Kind:
    if annotation is bool:
        return FlagKind()
    _refuse_marks(annotation)
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
        record = RecordKind(annotation, tuple((a.name, _field(annotation, a.name, hints)) for a in attrs.fields(annotation)))
        for field, (name, kind) in zip(attrs.fields(annotation), record.fields, strict=True):
            if field.default is not attrs.NOTHING and not is_written(kind, field.default):
                raise BadDesign(f"the record {annotation.__qualname__}: {_odd_default(name, kind, field.default)}")
        return record
    raise BadDesign(
        f"{annotation_in_words(annotation)} is no type of the language: expected bool, an enum, a frozen attrs record, "
        "Annotated[int, Bits(n) | Name(sort) | Natural()], tuple[...] or Page[...]"
        f"{_without_none(annotation)}{_as_a_table(annotation)}{_INSTEAD.get(annotation, '')}{_as_a_record(annotation)}"
    )


_INSTEAD = {
    int: "; for int write Annotated[int, Natural()] or Annotated[int, Bits(64)]",
    float: "; for float write Annotated[int, Natural()] or Annotated[int, Bits(64)]: there are no fractions",
    str: "; for str write an enum",
}
"""What to write in place of types of Python's that newcomers try."""


def _field(record: type, name: str, hints: dict[str, Any]) -> Kind:
    """The kind of a record's field; ``BadDesign`` that names it if its annotation denotes none."""
    try:
        return kind_of(hints[name])
    except BadDesign as why:
        raise BadDesign(f"field {name} of the record {record.__qualname__}: {why}") from None


def _odd_default(name: str, kind: Kind, value: Any) -> str:
    """What is wrong with the default of a field."""
    instead = f"; a name is no number: write {name} = NOTHING" if isinstance(kind, NameKind) else ""
    return f"the default of {name} is {value!r}, which is no value of its type that a design may state{instead}"


def _as_a_record(annotation: Any) -> str:
    """What to write in place of a class that is no record."""
    if not isinstance(annotation, type) or annotation.__module__ == "builtins":
        return ""
    return f"; write @attrs.frozen above {annotation.__name__}" if vars(annotation).get("__annotations__") else ""


def _as_a_table(annotation: Any) -> str:
    """What to write in place of a value that is a collection."""
    if (typing.get_origin(annotation) or annotation) not in COLLECTIONS:
        return ""
    return "; what one entry has several of is a table with one more key, such as Total[tuple[Vm, Gfn], bool]"


COLLECTIONS = (set, frozenset, list, dict, Total)
"""Types of values that have any number of parts."""


def _without_none(annotation: Any) -> str:
    """What to write in place of a type that may be None."""
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType) or type(None) not in parts:
        return ""
    others = " | ".join(annotation_in_words(each) for each in parts if each is not type(None))
    return f"; a name may be NOTHING, so that None is not needed: write {others} alone"


def _refuse_marks(annotation: Any) -> None:
    """What is meant as a name, a count or a word, and is written as Python's types are: by a class of its own, or by the mark."""
    is_class = isinstance(annotation, type)
    mark = next((each for each in _SCALARS if (is_class and issubclass(annotation, each)) or isinstance(annotation, each)), None)
    if isinstance(annotation, NewType):
        how = "a NewType"
    elif mark is not None and (annotation is mark or not is_class):
        how = "a mark, and no type by itself"
    elif mark is not None or (
        is_class and annotation is not int and issubclass(annotation, int) and not issubclass(annotation, enum.Enum)
    ):
        how = f"a class derived from {annotation.__mro__[1].__name__}"
    else:
        return
    raise BadDesign(f"{annotation_in_words(annotation)} is {how}; expected {_as_written(annotation, mark or Name)}")


def _as_written(annotation: Any, mark: type) -> str:
    """How a text spells the type that is meant, with what it imports for it."""
    own = str(annotation.sort if isinstance(annotation, Name) else getattr(annotation, "__name__", mark.__name__))
    name = {"Name": "Dev", "Natural": "Count", "Bits": "Word"}.get(own, own)
    inside = {Name: f'"{name}"', Bits: str(annotation.width if isinstance(annotation, Bits) else 64), Natural: ""}[mark]
    kind = mark.__name__
    return f"{name} = Annotated[int, {kind}({inside})], with from typing import Annotated and from refmodel import {kind}"


def _refuse_odd_enum(cls: type[enum.Enum]) -> None:
    """A member is itself and equals nothing else; what Python adds to that (IntEnum, Flag, ``__eq__``) is refused."""
    if not list(cls):
        raise BadDesign(f"the enum {cls.__qualname__} has no members")
    odd = [base.__name__ for base in cls.__mro__ if base not in (cls, enum.Enum, object) and not issubclass(base, enum.Enum)]
    own = [
        name
        for base in cls.__mro__
        if base not in (enum.Enum, object)
        for name, member in vars(base).items()
        if _is_special(name) and name not in PUT_BY_PYTHON and not (name == "__new__" and member is enum.Enum.__new__)
        if not (type(member) is FunctionType and (member.__module__ == "enum" or name in PRINTING))
    ]
    if type(cls) is not enum.EnumType:
        odd.append(type(cls).__name__)
    if odd or own or issubclass(cls, enum.Flag):
        more = list(dict.fromkeys([*odd, *own])) or ["Flag"]
        few = ", ".join(more[:3]) + (f" and {len(more) - 3} more" if len(more) > 3 else "")
        raise BadDesign(f"the enum {cls.__qualname__} is more than its members ({few}); expected a plain enum.Enum")


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
            if _is_odd(name, member):
                refuse(f"has a {name} of its own")
    if not isinstance(vars(cls).get("__hash__"), FunctionType):
        refuse("has no __hash__ by its fields")
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


def refuse_odd_fault(cls: type, plain: type) -> None:
    """``BadDesign`` for a fault that, below the plain one, runs code of its own when it is raised, compared or printed."""
    for base in cls.__mro__[: cls.__mro__.index(plain)]:
        for name, member in vars(base).items():
            if name == "args" or _is_odd(name, member):
                raise BadDesign(f"the fault {cls.__qualname__} has a {name} of its own; expected a plain subclass of Fault")


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_odd(name: str, member: object) -> bool:
    """Whether a class says under a name of Python's own how it is to be treated. What Python and attrs put there is not odd."""
    if not _is_special(name) or name in PUT_BY_PYTHON or name in PUT_BY_ATTRS or (name == "__hash__" and member is None):
        return False
    return not (type(member) is FunctionType and _by_attrs(member))


def _by_attrs(method: FunctionType) -> bool:
    """Whether attrs wrote a method, and not the author of the class."""
    file = method.__code__.co_filename
    return file.startswith("<attrs generated") or Path(file).is_relative_to(Path(attr.__file__).parent)


def _word(width: Any) -> WordKind:
    if type(width) is not int or not 1 <= width <= 128:
        raise BadDesign(f"Bits({width!r}): expected a number of bits from 1 to 128")
    return WordKind(width)


def _name(sort: Any) -> NameKind:
    if not isinstance(sort, str) or not sort.isidentifier():
        raise BadDesign(f"Name({sort!r}): expected an identifier, such as Gfn")
    return NameKind(sort)


_SCALARS: dict[type, Callable[[Any], Scalar]] = {
    Bits: lambda mark: _word(mark.width),
    Name: lambda mark: _name(mark.sort),
    Natural: lambda mark: NaturalKind(),
}


def _annotated(annotation: Any) -> Scalar:
    of, *marks = typing.get_args(annotation)
    known = [mark for mark in marks if type(mark) in _SCALARS]
    bare = next((mark for mark in marks if mark in _SCALARS), None)
    if bare is not None:
        raise BadDesign(f"{annotation_in_words(annotation)} names the class {bare.__name__}; expected {_as_written(bare, bare)}")
    if not known:
        raise BadDesign(f"{annotation_in_words(annotation)} carries neither Bits, Name nor Natural")
    if of is not int or len(known) > 1:
        raise BadDesign(f"{annotation_in_words(annotation)}: expected Annotated[int, ...] with one of Bits, Name and Natural")
    return _SCALARS[type(known[0])](known[0])


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
        raise BadDesign(
            "a key is a name, a flag or an enum member, or a tuple of these, not "
            f"{annotation_in_words(key)}; numbers are no keys: declare a sort of names, such as "
            'Age = Annotated[int, Name("Age")], or an enum'
        )
    return TableKind(name, scalars, kind_of(value), partial=origin is dict)
