"""What to write in place of what a text may not have, where that depends on the types that meet."""

from __future__ import annotations

import ast
import enum
import typing
from typing import Any

from refmodel.language.kinds import EnumKind, FlagKind, NaturalKind, WordKind
from refmodel.language.types import Ints, NoneType, Table, Type

NO_NONE = "None is no value of the language; the name of nobody is NOTHING: use == NOTHING or != NOTHING"
_EVERY = "use count, reset or assign over the table; a law is claimed for all values of its parameters"
_OF_TABLES: dict[str, str] = {
    "get": "write {t}[key] if key in {t} else OTHER for a partial table; a total table has an entry for every key: {t}[key]",
    "setdefault": "write if key not in {t}: {t}[key] = VALUE",
    "pop": "read {t}[key] first, and then del {t}[key] from a partial table, or store the default to a total one",
    "update": "store to each entry by {t}[key] = VALUE, or to many by assign({t}, CONDITION, VALUE)",
    "clear": "write reset({t}, CONDITION), with a condition that is always true",
    "keys": _EVERY,
    "values": _EVERY,
    "items": _EVERY,
    "reset": "write reset({t}, CONDITION), with a condition on an entry and its key",
    "assign": "write assign({t}, CONDITION, VALUE), with a condition on an entry and its key",
    "count": "write count({t}, CONDITION), with a condition on an entry and its key",
    "copy": "a law may have a parameter before, which is the state before the step",
}


def for_attribute(of: Type, name: str) -> str:
    """What to write for an attribute that Python's own values have; empty where nothing is known."""
    if isinstance(of, Table) and name in _OF_TABLES:
        return f"; {_OF_TABLES[name].format(t=f'self.{of.kind.name}')}"
    if isinstance(of, EnumKind) and name in ("value", "name"):
        members: list[enum.Enum] = list(of.cls)
        return f"; compare the member itself, such as == {of.cls.__name__}.{members[0].name}"
    return ""


def for_comparison(left: Type, right: Type) -> str:
    """What to write where two are compared that have no common type."""
    both = (left, right)
    if any(isinstance(each, NoneType) for each in both):
        return "; the name of nobody is NOTHING, and a record says by a flag whether it is there"
    if any(isinstance(each, FlagKind) for each in both) and any(isinstance(each, Ints | NaturalKind | WordKind) for each in both):
        return "; write (1 if FLAG else 0) for the flag, or compare the number with a number"
    return _ONE_KIND if _mixed(left, right) else _too_large(left, right)


def for_arithmetic(sign: str, left: Type, right: Type) -> str:
    """What to write for arithmetic that the types do not have."""
    if _mixed(left, right):
        return _ONE_KIND
    if any(isinstance(each, NaturalKind) for each in (left, right)):
        sum_ = "; for a product by a constant write the sum, such as n + n" if sign == "*" else ""
        return f"; natural numbers have + and -{sum_}; a number of the type Annotated[int, Bits(n)] has {sign} too"
    if any(isinstance(each, FlagKind) for each in (left, right)):
        return "; write (1 if FLAG else 0) for the flag"
    return _too_large(left, right)


def _too_large(*both: Type) -> str:
    """What to write where a number is larger than the word that it meets."""
    largest = max((max(each.values) for each in both if isinstance(each, Ints)), default=0)
    for word in both:
        if isinstance(word, WordKind) and largest >> word.width:
            most, bits = (1 << word.width) - 1, largest.bit_length()
            again = f"; what begins anew after {most} is (0 if n == {most} else n + 1)" if largest == most + 1 else ""
            return f"; {largest} does not fit in a word of {word.width} bits, at most {most}: declare it with Bits({bits}){again}"
    return ""


def for_call(node: ast.expr, value: Any) -> str:
    """What to write for a call of what is no function of the language; empty where nothing is known."""
    if typing.get_origin(value) is typing.Annotated:
        return f"{ast.unparse(node)} is a type, and makes no value; a name is a parameter, one that choose finds, or NOTHING"
    return ""


_ONE_KIND = "; a word has an end and a natural number has none, so that neither becomes the other: declare both as Natural()"


def _mixed(left: Type, right: Type) -> bool:
    """Whether a word meets a natural number."""
    return any(isinstance(each, WordKind) for each in (left, right)) and any(
        isinstance(each, NaturalKind) for each in (left, right)
    )


def for_value(name: str, value: Any) -> str:
    """What to write for a value of Python's that a text reaches; empty where nothing is known."""
    if isinstance(value, dict):
        return f"; for a table of constants write a helper with if and == that is given the key, in place of {name}"
    if isinstance(value, list | set | frozenset):
        return "; write a tuple"
    return ""


def for_store_to_field(target: ast.Attribute, node: ast.AST) -> str:
    """The line that replaces a field of a record."""
    of = ast.unparse(target.value)
    value = ast.unparse(node) if isinstance(node, ast.expr) else "VALUE"
    return f"a record is replaced as a whole: {of} = attrs.evolve({of}, {target.attr}={value})"
