"""Abstraction functions: what a table of another design holds, worked out of a design's own tables.

A design may keep in a tree, a cache or a log what another keeps in one plain table. Where the two are compared, a method under
``@abstraction`` says what that table holds in each state (Hoare, *Proof of correctness of data representations*, 1972; Abadi and
Lamport, *The existence of refinement mappings*, 1991).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import attrs

from refmodel.language.annotations import kind_of
from refmodel.language.kept import kept
from refmodel.language.kinds import Kind
from refmodel.language.places import decorated, not_evaluated, place_of
from refmodel.language.unsound import BadDesign

F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen
class Abstraction:
    """A method that says what another design's table holds."""

    table: str
    method: Any
    home: type
    """The class in whose body it stands."""
    keys: tuple[Kind, ...]
    value: Kind

    @property
    def place(self) -> str:
        """``file:line: Class.method``."""
        return place_of(self.home, self.method.__name__)


def abstraction(table: str) -> Callable[[F], F]:
    """Mark a method that works out, from this design's state, an entry of a table of another design. Its parameters after ``self``
    are the key in that table. It changes nothing.

    ``refine --to`` relates the two designs by such methods. Raises ``BadDesign`` if it does not stand above a plain method.
    """

    def bind(method: F) -> F:
        if type(method) is not FunctionType:
            raise BadDesign(f"{decorated(method)}, stands under @abstraction; expected a plain method, with no decorator between")
        if not (isinstance(table, str) and table.isidentifier()):
            raise BadDesign(
                f"{decorated(method)}: @abstraction is given {table!r}; expected the name of a table of another "
                'design: @abstraction("derived")'
            )
        method.__abstracts__ = table  # type: ignore[attr-defined]
        return method

    return bind


def abstractions(cls: type) -> tuple[Abstraction, ...]:
    """The abstractions that a design states; the method of a derived class takes the place of one of the same name."""
    stated: Any = cls  # a class is hashable
    return _abstractions(stated)


@kept
def _abstractions(cls: Any) -> tuple[Abstraction, ...]:
    found: dict[str, Abstraction] = {}
    for name in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
        home = next(base for base in cls.__mro__ if name in vars(base))
        marked = next((vars(base)[name] for base in cls.__mro__ if hasattr(vars(base).get(name), "__abstracts__")), None)
        if marked is None:
            continue
        each = _read(marked.__abstracts__, vars(home)[name], home)
        if each.table in found:
            raise BadDesign(f"{each.place}: {found[each.table].place} says what {each.table} holds, too; expected one of them")
        found[each.table] = each
    return tuple(found.values())


def _read(table: str, method: Any, home: type) -> Abstraction:
    if type(method) is not FunctionType:
        raise BadDesign(f"{place_of(home)}: what stands in the place of an abstraction of {table} is no plain method")
    place = place_of(home, method.__name__)
    try:
        hints = typing.get_type_hints(method, include_extras=True)
    except Exception as why:
        raise BadDesign(f"{place}: {not_evaluated(why)}") from None
    _self, *parameters = inspect.signature(method).parameters.values()
    if any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) or p.default is not p.empty for p in parameters):
        raise BadDesign(f"{place}: expected a plain parameter for each key of {table}, with a type and no default")
    if untyped := [p.name for p in parameters if p.name not in hints] + ["return"] * ("return" not in hints):
        raise BadDesign(f"{place}: has no type for {', '.join(untyped)}; expected those of the keys of {table}, and of its entry")
    try:
        return Abstraction(table, method, home, tuple(kind_of(hints[p.name]) for p in parameters), kind_of(hints["return"]))
    except BadDesign as why:
        raise BadDesign(f"{place}: {why}") from None
