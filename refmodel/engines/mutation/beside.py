"""Which designs can be run side by side to judge a mutant: two that a guest cannot tell apart, of which one has the function."""

from __future__ import annotations

from types import FunctionType

from refmodel.designs import REFERENCES, SHIPPED
from refmodel.engines.differential import common
from refmodel.engines.mutation.reach import reached
from refmodel.language.design import Design, Outline, hashable, outline
from refmodel.language.unsound import BadDesign

Pair = tuple[type[Design], type[Design]]

ENOUGH = 2
"""Pairs that judge the mutants of one function."""


def partners(design: Outline) -> list[tuple[Pair, frozenset[FunctionType]]]:
    """The pairs of designs of which this is one, each with the functions that only this one has."""
    mine = frozenset(reached(design))
    found = []
    for pair in _pairs(design):
        (other,) = [cls for cls in pair if cls is not design.cls]
        found.append((pair, mine - frozenset(reached(outline(other)))))
    return found


def _pairs(design: Outline) -> list[Pair]:
    references = REFERENCES["interpreter"]
    if design.cls in references:
        beside = [cls for cls in map(hashable, SHIPPED.values()) if cls is not design.cls and _reference(cls) is design.cls]
        return [(cls, design.cls) for cls in beside[:ENOUGH]]
    reference = _reference(design.cls)
    return [] if reference is None else [(design.cls, reference)]


def _reference(cls: type[Design]) -> type[Design] | None:
    """The reference that a design can be run beside."""
    for candidate in REFERENCES["interpreter"]:
        try:
            common(outline(cls), outline(candidate))
        except BadDesign:
            continue
        return candidate
    return None
