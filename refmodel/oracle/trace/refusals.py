"""What to write instead of a line that is no event: the names that there are, and the values that a field has."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any

import msgspec

from refmodel.language.nearly import did_you_mean
from refmodel.language.unsound import UNDECODABLE
from refmodel.oracle.trace import events as e

TOO_LONG = "Integer value out of range"
"""What the decoder says of a number that Python would not read either (``sys.get_int_max_str_digits``)."""
MOST_DIGITS = 4300
MANY = 12
"""Names that are listed where none is near."""


def expected(text: bytes, message: str, field: str, kinds: dict[str, type[e.Event]]) -> str:
    """A decoder's message, with what was expected in its place. ``kinds``: the events there are, by name."""
    if message == TOO_LONG:
        return f"a number of more than {MOST_DIGITS:,} digits; expected fewer: tell a large access as several events"
    if not any(each in message for each in ("Invalid value", "unknown field", "enum value")):
        return message
    try:
        told: Any = msgspec.json.decode(text)
    except UNDECODABLE:
        return message
    name = told.get("e") if isinstance(told, dict) else None
    if not isinstance(name, str):
        return message
    if name not in kinds:
        return f"there is no event {name!r}; {_near(name, kinds)} (specs/traces.md lists them)"
    fields = {each.name: each for each in msgspec.structs.fields(kinds[name])}
    if "unknown field" in message:
        return f"{message}; {_near(field, ['e', *fields])}"
    if "enum value" in message and field in fields:
        values = [value for part in _parts(fields[field].type) for value in typing.get_args(part)]
        return f"{message}; expected {', '.join(map(str, values))}" if values else message
    return message


def _parts(annotation: Any) -> Iterable[Any]:
    """The literals in a type."""
    if typing.get_origin(annotation) is typing.Literal:
        yield annotation
    for part in typing.get_args(annotation):
        yield from _parts(part)


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return did_you_mean(name, names) or (f"expected {', '.join(names)}" if len(names) <= MANY else "expected another name")
