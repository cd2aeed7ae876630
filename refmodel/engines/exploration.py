"""What an exploration covered, and what it found: the same for every reading that explores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from refmodel.engines.machine import Failure, Run
from refmodel.language.laws import Law

Progress = Callable[[int, int, int], None]
"""Told the depth that a search has come to, how many classes of states it knows, and how many steps it has taken."""

COMPILED, ON_INTS = "in compiled code", "on ints"
"""Which reading explored, in words."""


@attrs.frozen(order=True)
class Branch:
    """One of the two ways in which a condition of an operation sends a step on."""

    file: str
    line: int
    holds: bool
    """Whether it is the way where the condition holds."""
    resumes: bool = False
    """Whether it is the way on after a ``yield``, and no condition."""


@attrs.frozen
class Exploration:
    """What an exploration covered, and what it found."""

    failure: Failure | None
    complete: bool
    """Whether it went to the last state."""
    states: int
    """All states, those that differ only in names counted apart."""
    classes: int
    """Classes of states that differ only in names."""
    steps: int
    depth: int
    seconds: float
    applied: Counter[str]
    met: frozenset[Law]
    reading: str = ON_INTS
    """Which reading explored, in words."""
    too_large: bool = False
    """Whether it ended at a step that stores a number larger than exploration keeps."""
    is_full: bool = False
    """Whether it ended because it had no room for more: its memory was full, or the disk that holds what does not fit there."""

    branches: frozenset[Branch] = frozenset()
    """The branches of operations that some step in this geometry may take. The reading on ints does not look at them."""
    taken: frozenset[Branch] = frozenset()
    """Those that a step took."""
    parts: frozenset[Law] = frozenset()
    """The implications of laws that state several, each as its law. The reading on ints does not tell them apart."""
    parts_met: frozenset[Law] = frozenset()
    """Those of them of which some state or step met the premise."""
    judged: int = 0
    """Every run of up to so many steps was judged."""
    visited: tuple[tuple[Any, Run], ...] = ()
    """Some of its states, or all if they are few, each with a run that leads there. There are none of a design that states nothing
    pending, and none in which a split operation is under way."""
    whole: bool = False
    """Whether these are all that are there, up to names."""
    changed: frozenset[tuple[str, str]] = frozenset()
    """The tables, and the field of their entries, that ever held anything else than in the first state."""

    @property
    def loss(self) -> float:
        """The chance that some class was taken for another because both have the same key of 64 bits."""
        return self.classes**2 / 2**65 if self.reading == COMPILED else 0.0
