"""Functions of a text as they run: from code in which arithmetic is checked, and in which laws tell their premises.

The code is compiled from the very same text, and every reading runs what is made of this one. A function that has neither stays
as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import FunctionType
from typing import Any, cast

import attrs

from refmodel.language import arithmetic, premises
from refmodel.language.arithmetic import Checked, Place
from refmodel.language.compiling import compiled
from refmodel.language.premises import Stated, Telling
from refmodel.language.sources import Definition, code_of, definition_of, replaced
from refmodel.language.unsound import BadDesign


@attrs.frozen
class Held:
    """What a function is held to."""

    widths: Mapping[Place, int] = attrs.field(factory=dict)
    """Where its arithmetic is of words of so many bits, or of naturals (0)."""
    largest: Mapping[Place, int] = attrs.field(factory=dict)
    """Where its arithmetic is also of constants alone: the largest number that it comes to."""
    stated: Stated = attrs.field(factory=Stated)
    """Where it states premises."""


_held: dict[FunctionType, Held] = {}
_since: dict[FunctionType, int] = {}


def version(function: FunctionType) -> int:
    """How often more has become known of a function."""
    return _since.get(function, 0)


def hold_to_kinds(function: FunctionType, widths: Mapping[Place, int], largest: Mapping[Place, int]) -> None:
    """From now on a function's arithmetic is checked: at each of these places as a word of this width, or as a natural (0).
    ``largest``: what arithmetic on constants alone comes to.

    Raises ``BadDesign`` if another design has it of another kind there.
    """
    known = _held.get(function, Held())
    wider = {at: max(number, known.largest.get(at, 0)) for at, number in {**known.largest, **largest}.items()}
    held = {**known.widths, **widths}
    others = any(known.widths.get(at, width) != width for at, width in widths.items())
    if others or any(held.get(at) and number >> held[at] for at, number in wider.items()):
        code = code_of(function)
        raise BadDesign(
            f"{code.co_filename}:{code.co_firstlineno}: {function.__qualname__} computes with numbers of one kind in this design, "
            "and of another in a design that was loaded before; write one function for each kind"
        )
    _hold(function, attrs.evolve(known, widths=held, largest=wider))


def tell_premises(function: FunctionType, stated: Stated) -> None:
    """From now on a function tells these premises."""
    _hold(function, attrs.evolve(_held.get(function, Held()), stated=stated))


def _hold(function: FunctionType, to: Held) -> None:
    if to == _held.get(function, Held()):
        return
    _held[function] = to
    _since[function] = _since.get(function, 0) + 1
    new = held_definition(function)
    if new is not None:
        function.__globals__.update({arithmetic.NAME: arithmetic.computed, **premises.NAMES})
        replaced(function)
        function.__code__ = compiled(function, new)


def let_go(function: FunctionType) -> None:
    """A function is given another text: nothing is known of it yet."""
    _held.pop(function, None)
    _since[function] = _since.get(function, 0) + 1


def held_definition(function: FunctionType) -> Definition | None:
    """A copy of a function's definition that is held to what is known of it; None if it has no text."""
    definition = copy.deepcopy(definition_of(function))
    if definition is None:
        return None
    held = _held.get(function, Held())
    changed: Any = Checked(held.widths).visit(Telling(held.stated).visit(definition))
    return cast(Definition, changed)
