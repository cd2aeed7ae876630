"""What an operation returns, and what of it its guest is shown.

An outcome may state that the guest is shown a part of it: by a field or property called ``shown`` that is a ``Reply``, or by
``shown = None`` in its class, for nothing. Beside such a reply, one called ``due`` is what the bare machine shows. Any other
outcome is shown as a whole, whatever its fields are called: a field of a record leaves out no other by its name alone.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from refmodel.bare import Event, Reply
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Kind, RecordKind
from refmodel.language.nearly import nearly_or
from refmodel.language.places import home_of, place_of
from refmodel.language.unsound import BadDesign
from refmodel.machine.cells import Access

ACCESSES = {"load": Access.READ, "store": Access.WRITE, "fetch": Access.FETCH}
"""Accesses, by what the names of guests' instructions are or begin with."""
_ABSENT = object()


def shown_to_guest(outcome: Any) -> Any:
    """What of an outcome the guest is shown: its reply, nothing (None), or all of it."""
    reply = shown_by(outcome)
    return reply if reply is not None else None if is_silent(type(outcome)) else outcome


def shown_by(outcome: Any) -> Reply | None:
    """The reply to the guest in what an operation returns, or that reply itself; None if there is none."""
    return outcome if type(outcome) is Reply else reply_in(outcome, "shown")


def reply_in(outcome: Any, name: str) -> Reply | None:
    """The reply that an outcome holds in a field or property of this name; None if it is no reply, or there is none."""
    value = getattr(outcome, name, None) if _is_record(type(outcome)) else None
    return value if type(value) is Reply else None


def is_silent(cls: type) -> bool:
    """Whether an outcome's class states that its guest is shown nothing (``shown = None``). A field of that name states nothing."""
    return _of_class(cls, "shown") is None


def exits(shown: Any) -> bool:
    """Whether what a guest is shown is that its instruction has exited, so that it has not happened yet."""
    return type(shown) is Reply and shown.event is Event.EXITED


def shows(reply: Any) -> bool:
    """Whether a reply is, or may be, more than an exit; None is no reply."""
    return reply is not None and reply.event is not Event.EXITED


def fields_of(outcome: Any) -> tuple[tuple[str, Kind], ...]:
    """The fields of an outcome, by name and kind."""
    kind = kind_of(type(outcome))
    return kind.fields if isinstance(kind, RecordKind) else ()


def step_of(cls: type) -> Mapping[str, str]:
    """Which fields of an outcome say of whom a step is on the other side, by the step's parameters, as its class states."""
    said = _of_class(cls, "step_of")
    return said if isinstance(said, dict) else {}


def refuse_odd_step_of(op: Operation, steps: Sequence[Operation]) -> None:
    """``BadDesign`` where an outcome's ``step_of`` names no parameter of a step that an operation may be, or no field."""
    cls, parameters = op.returns, {name for each in steps for name, _ in each.parameters}
    said = {} if cls is None else _of_class(cls, "step_of")
    if cls is None or said is _ABSENT:
        return
    place = place_of(home_of(cls, "step_of"), "step_of")
    if not isinstance(said, dict):
        raise BadDesign(f"{place} is {said!r}; expected parameters of a step, each with a field: {{'vm': 'owner'}}")
    fields = [field.name for field in attrs.fields(cls)]
    for what, typed, names in (
        *(("parameter of a step", key, sorted(parameters)) for key in said),
        *(("field", value, fields) for value in said.values()),
    ):
        if typed not in names:
            expected = nearly_or(str(typed), names, f"expected one of {', '.join(names)}")
            raise BadDesign(f"{place} names {typed!r}, which is no {what}; {expected}")


def partly_shown(design: Outline) -> tuple[str, ...]:
    """The outcomes of guests' operations that are shown in part or not at all, in words: what is left out is not compared."""
    classes = dict.fromkeys(op.returns for op in design.operations if op.by_guest and op.returns is not None)
    return tuple(words for cls in classes if (words := _left_out(cls)))


def _left_out(cls: type) -> str:
    """What of an outcome is not compared, in words; empty if all of it is."""
    if not _is_record(cls) or cls is Reply:
        return ""
    if is_silent(cls):
        return f"no field of {cls.__name__}"
    left = any(field.name != "shown" for field in attrs.fields(cls))
    return f"of {cls.__name__} only the field shown" if left and _states_a_reply(cls) else ""


def _states_a_reply(cls: type) -> bool:
    """Whether ``shown`` of an outcome's class is a reply: a field of that type, or a property that is not said to be another."""
    kind, stated = kind_of(cls), _of_class(cls, "shown")
    if isinstance(stated, property):
        return bool(typing.get_type_hints(stated.fget).get("return", Reply) is Reply)
    field = dict(kind.fields).get("shown") if isinstance(kind, RecordKind) else None
    return isinstance(field, RecordKind) and field.cls is Reply


def _of_class(cls: type, name: str) -> Any:
    """An attribute that a record's class states for all of its records, and is no field of theirs."""
    if not _is_record(cls) or any(field.name == name for field in attrs.fields(cls)):
        return _ABSENT
    return getattr(cls, name, _ABSENT)


def _is_record(cls: type) -> bool:
    """Whether outcomes of a class are records; a fault is shown as such, whatever it holds."""
    return attrs.has(cls) and not issubclass(cls, Fault)
