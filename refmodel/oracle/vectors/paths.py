"""A test for every path of the walks, its tables where the machines under judgement have them."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Iterator

import attrs

from refmodel.engines.walk_models import Layout, Model, ept_models, guest_models
from refmodel.machine.x86.ept_walk import Ept, Use
from refmodel.oracle.x86.agent.image import SLOT, TABLES, WINDOW
from refmodel.oracle.x86.walk_tests import WalkTest

LAYOUT = Layout(TABLES, WINDOW[0], SLOT)


@attrs.frozen
class EptTest:
    """A use of a guest-physical address under EPT."""

    entries: dict[int, int]
    ept: Ept
    gpa: int
    use: Use


def guest_tests(levels: int, physical_bits: int) -> Iterator[WalkTest]:
    """One for every path of the guest's walk."""
    models = copy.copy(_guest_models(levels, physical_bits))  # from the first on
    return (WalkTest(dict(m.entries), m.registers, m.address, m.access) for m in models)


@functools.cache
def _guest_models(levels: int, physical_bits: int) -> Iterator[Model]:
    """Each is looked for once, also where several sets of vectors are made of them."""
    (first,) = itertools.tee(guest_models(levels, physical_bits, LAYOUT), 1)
    return first


def ept_tests(levels: int, physical_bits: int) -> Iterator[EptTest]:
    """One for every path of the EPT walk."""
    return (EptTest(m.entries, m.registers, m.address, m.access) for m in ept_models(levels, physical_bits, LAYOUT))


__all__ = ["EptTest", "ept_tests", "guest_tests"]
