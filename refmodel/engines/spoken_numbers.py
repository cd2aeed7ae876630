"""The numbers that a text speaks of: what happens from 3 on is not seen in runs that are given numbers up to 1."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

import attrs

from refmodel.engines.unseen import is_own
from refmodel.language.design import Outline
from refmodel.language.kinds import Kind, NaturalKind, WordKind
from refmodel.language.sizes import Geometry

MOST = 16
"""Numbers that runs are given besides those of the geometry: the smallest."""


def given_kinds(design: Outline) -> list[Kind]:
    """The kinds of what a step is given or chooses, and of what power-on finds."""
    return [
        *(kind for op in design.operations for _, kind in op.parameters),
        *design.text.chosen,
        *(design.table(name).value for name in design.arbitrary),
    ]


def with_spoken_numbers(design: Outline, geometry: Geometry) -> Geometry:
    """The geometry with the numbers besides that the design's own files speak of, and those next to them. It is the same geometry
    where a step is given no numbers, and power-on finds none."""
    leaves = {leaf for kind in given_kinds(design) for _, leaf in kind.leaves() if isinstance(leaf, NaturalKind | WordKind)}
    if not leaves:
        return geometry
    near = {each for number in _numbers_in(design) for each in (number - 1, number, number + 1)}
    new = sorted(each for each in near if any(_lacks(geometry, leaf, each) for leaf in leaves))[:MOST]
    return attrs.evolve(geometry, also=tuple(sorted({*geometry.also, *new}))) if new else geometry


def _lacks(geometry: Geometry, leaf: NaturalKind | WordKind, number: int) -> bool:
    """Whether this is a number of the kind, and the geometry does not have it."""
    if isinstance(leaf, WordKind):
        return geometry.words <= number < 1 << leaf.width
    return number > geometry.naturals


def _numbers_in(design: Outline) -> set[int]:
    """The numbers in a design's own text, and those that it names."""
    found: set[int] = set()
    for function in design.text.functions:
        for code in _codes(function.__code__) if is_own(design, function.__code__.co_filename) else ():
            named = [function.__globals__.get(name, getattr(design.cls, name, None)) for name in code.co_names]
            found |= {each for each in (*code.co_consts, *named) if type(each) is int and each > 0}
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A piece of code, and those inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)
