"""What a class says besides tables and laws: attributes are of the kind that ``Design`` states, and no operation hides another."""

from __future__ import annotations

import difflib
import inspect
import itertools
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from refmodel.language.gathering import EveryLaw
from refmodel.language.laws import Law
from refmodel.language.nearly import nearly_or
from refmodel.language.places import place_of
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import BadDesign


def _names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) for each in value)


def _laws(value: Any) -> bool:
    return isinstance(value, EveryLaw) or (isinstance(value, tuple | list) and all(isinstance(each, Law) for each in value))


def _geometries(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(each, Geometry) for each in value)


def _flows(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for pair in value.items() for each in pair)


def _steps(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) and _names(names) for key, names in value.items())


EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "laws": (_laws, "a tuple of laws, or every_law(...)"),
    "geometry": (lambda value: isinstance(value, Geometry), "geometry(Vm=2, Gfn=2), with a number for each sort of names"),
    "further_geometries": (_geometries, "a tuple of geometries: (geometry(Vm=1, Gfn=4),)"),
    "arbitrary": (_names, 'a tuple of names of tables: ("memory",)'),
    "explored": (lambda value: isinstance(value, bool), "True or False"),
    "known": (_names, 'a tuple of names of tables: ("memory",)'),
    "flows": (_flows, 'names of operations, each with the name of a flow: {"send": "messages"}'),
    "steps": (_steps, 'names of operations, each with a tuple of names of operations: {"bring": ("gain_page",)}'),
    "no_bare_machine": (lambda value: isinstance(value, str), "a sentence that says why there is none"),
}


ALIKE = 0.8
"""How much of two names has to be the same, so that one may be a misspelt other."""
OF_TABLES, OF_OPERATIONS = ("arbitrary", "known"), ("flows", "steps")
"""The attributes that say something of tables, and those that say something of operations, by their names."""


def refuse_odd_attributes(cls: type) -> None:
    """``BadDesign`` where an attribute by which a class, or one that it is made of, says something of a design is of another kind
    than it should be."""
    for base, name in itertools.product(cls.__mro__, EXPECTED):
        if name in vars(base):
            _refuse_odd(base, name, vars(base)[name])


def refuse_misspelt_attributes(cls: type, tables: Iterable[str]) -> None:
    """``BadDesign`` where a class states something by nearly the name of an attribute by which something is said of a design, and
    nothing reads it: what was meant is not said then."""
    known = {*tables}
    for base in cls.__mro__:
        for name in [name for name in vars(base) if name not in EXPECTED and name not in known]:
            meant = difflib.get_close_matches(name, EXPECTED, n=1, cutoff=ALIKE)
            if meant and EXPECTED[meant[0]][0](vars(base)[name]):
                raise BadDesign(
                    f"{place_of(base, name)} says nothing of a design; did you mean {meant[0]}? "
                    "If it is something else, expected another name for it"
                )


def _refuse_odd(base: type, name: str, value: Any) -> None:
    is_right, expected = EXPECTED[name]
    if isinstance(value, Law):
        raise BadDesign(f"{place_of(base, name)} is a law; expected another name for it: what a design calls {name} is {expected}")
    if not is_right(value):
        raise BadDesign(f"{place_of(base, name)} is {_said(value)}; expected {expected}")


def refuse_unknown_names(cls: type, tables: Iterable[str], operations: Iterable[str]) -> None:
    """``BadDesign`` where a class, or one that it is made of, says something of a table or of an operation that there is not: a
    misspelt name says nothing of the one that was meant. (A mechanism of this package may name an operation of another, which it
    is not always put together with; the tests have every one of those.)"""
    own = tuple(base for base in cls.__mro__ if base.__module__.partition(".")[0] != __name__.partition(".")[0])
    for what, attributes, known, bases in (
        ("table", OF_TABLES, [*tables], cls.__mro__),
        ("operation", OF_OPERATIONS, [*operations], own),
    ):
        for base, name in itertools.product(bases, attributes):
            for typed in vars(base).get(name, ()):
                if typed not in known:
                    expected = nearly_or(typed, known, f"expected one of {', '.join(known)}")
                    raise BadDesign(f"{place_of(base, name)} names {typed!r}, which is no {what} of {cls.__name__}; {expected}")


def refuse_hidden_law(cls: type) -> None:
    """``BadDesign`` where a class states something else by the name of a law of a class that it is derived from: that law is judged
    as it was stated, whatever the class means to say instead."""
    for at, base in enumerate(cls.__mro__):
        for name, member in vars(base).items():
            if isinstance(member, Law):
                continue
            if above := next((each for each in cls.__mro__[at + 1 :] if isinstance(vars(each).get(name), Law)), None):
                raise BadDesign(
                    f"{place_of(base, name)} has the name of a law of {above.__name__}, which is judged as {above.__name__} "
                    "states it; expected another name, or another law under @law"
                )


def refuse_arbitrary_keys(cls: type, partial: Iterable[str]) -> None:
    """``BadDesign`` where a partial table is said to hold anything at power-on: which keys it has then is a part of that."""
    for base in cls.__mro__:
        if name := next((each for each in vars(base).get("arbitrary", ()) if each in {*partial}), None):
            raise BadDesign(
                f"{place_of(base, 'arbitrary')} names {name}, which is a dict: it has no keys at power-on; expected a Total "
                "table, whose entries are records with a flag for what may be absent"
            )


def refuse_hidden_operation(cls: type, name: str, place: str) -> None:
    """``BadDesign`` where an operation of one class that a design is made of hides another's of that name, which would never be
    taken: its class is not derived from the other, and it does not go on to it by ``super()`` with the same parameters."""
    stated = [(base, vars(base)[name]) for base in cls.__mro__ if isinstance(vars(base).get(name), FunctionType)]
    for at, (above, mine) in enumerate(stated):
        goes_on = "super" in mine.__code__.co_names
        for base, hidden in stated[at + 1 : at + 2] if goes_on else stated[at + 1 :]:
            takes, other = (list(inspect.signature(each).parameters)[1:] for each in (mine, hidden))
            if issubclass(above, base) or (goes_on and takes == other):
                continue
            there = f"{hidden.__code__.co_filename}:{hidden.__code__.co_firstlineno}"
            or_else = "the same parameters" if takes != other else f"super().{name}(...) in it"
            raise BadDesign(
                f"{place} of {above.__name__} hides the one of {base.__name__} ({there}), which would never be taken; "
                f"expected another name for one of them, or {or_else}"
            )
        if not goes_on:
            return


def _said(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, type) or callable(value):
        return f"{getattr(value, '__name__', type(value).__name__)}, a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
