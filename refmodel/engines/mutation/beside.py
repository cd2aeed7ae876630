"""Which designs are compared to judge a mutant: two that a guest cannot tell apart, or of which one refines the other, and of which
one only has the function."""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any

from refmodel.designs import REFERENCES, SHIPPED
from refmodel.engines.differential import common
from refmodel.engines.mutation.reach import reached
from refmodel.language.design import Design, Outline, hashable, outline
from refmodel.language.unsound import BadDesign
from refmodel.points import REFINED_OVER, REFINING, abstract_of, over

Pair = tuple[type[Design], type[Design]]

ENOUGH = 2
"""Pairs that judge the mutants of one function."""


def partners(design: Outline, function: FunctionType) -> tuple[Pair, ...]:
    """Pairs of designs of which one only has a function, those first of which this design is one."""
    found = [pair for pair in _pairs() if len([cls for cls in map(hashable, pair) if function in _functions(cls)]) == 1]
    return tuple(sorted(found, key=lambda pair: hashable(design.cls) not in pair)[:ENOUGH])


def refining(function: FunctionType) -> tuple[Pair, ...]:
    """Pairs of a design and the one that it refines, of which one only has a function."""
    return tuple(pair for pair in _refining() if len([cls for cls in map(hashable, pair) if function in _functions(cls)]) == 1)


@functools.cache
def _refining() -> tuple[Pair, ...]:
    return tuple((over(mmu, REFINED_OVER), over(abstract_of(mmu), REFINED_OVER)) for mmu in REFINING)


@functools.cache
def _pairs() -> tuple[Pair, ...]:
    """Every design that ships, beside the reference for guests of its kind."""
    return tuple(
        (cls, reference)
        for cls in map(hashable, SHIPPED.values())
        if (reference := _reference(cls)) is not None and reference is not cls
    )


def _reference(cls: type[Design]) -> type[Design] | None:
    """The reference that a design can be run beside."""
    for candidate in REFERENCES["interpreter"]:
        try:
            common(outline(cls), outline(candidate))
        except BadDesign:
            continue
        return candidate
    return None


@functools.cache
def _functions(cls: Any) -> frozenset[FunctionType]:
    return frozenset(reached(outline(cls)))
