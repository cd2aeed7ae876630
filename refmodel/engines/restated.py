"""Methods by which claims of a base are stated, and which a design beyond the shipped ones states anew.

A law or a condition that asks such a method says what the method says. Where a derived class overrides it, what is proved of the
claim may be less than its sentence, as read of the base.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType

from refmodel.language.design import Outline
from refmodel.language.gathering import subject_of
from refmodel.language.laws import Law
from refmodel.language.places import home_of, line_of

SHOWN = 3
"""Claims that a note names."""


def restated(design: Outline) -> tuple[str, ...]:
    """A note for each method that claims of a base ask, and that a class outside of this package states anew."""
    asked: dict[str, list[str]] = {}
    for claim, about in _claims(design):
        for name in sorted(design.mentions(claim)):
            if _is_stated_anew(design.cls, about, name):
                asked.setdefault(name, []).append(claim.name)
    return tuple(
        f"{name}, which {home_of(design.cls, name).__name__} states anew ({line_of(getattr(design.cls, name))}), decides "
        f"what is claimed by {', '.join(claims[:SHOWN])}{' and others' if claims[SHOWN:] else ''}"
        for name, claims in asked.items()
    )


def _claims(design: Outline) -> Iterator[tuple[Law, type]]:
    """The claims of a design, each with the class that it is about."""
    within = {law: base for base in design.cls.__mro__ for law in vars(base).values() if isinstance(law, Law)}
    for law in design.laws:
        about = within[law] if law in within else subject_of(law)
        if isinstance(about, type):
            yield law, about
    for each in design.pending:
        yield each.law, home_of(design.cls, each.name)


def _is_stated_anew(cls: type, about: type, name: str) -> bool:
    """Whether a class that is not of this package overrides a method that those have whom a claim is about."""
    home = home_of(cls, name)
    is_method = isinstance(vars(home).get(name), FunctionType) and isinstance(getattr(about, name, None), FunctionType)
    return is_method and not issubclass(about, home) and home.__module__.split(".")[0] != __name__.split(".")[0]


__all__ = ["restated"]
