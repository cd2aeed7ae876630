"""A second translation of which nothing is known.

For a guest-physical address and a use it either answers with a physical address or fails, and marks what it marks. What is
shown over it holds for EPT, for nested page tables, for a G-stage, and for whatever a monitor puts in their place.
"""

from __future__ import annotations

from typing import Any

import z3

Term = Any
Use = tuple[Term, ...]


class AnyTranslation:
    """A second translation of which nothing is known: what it says of an address and a use is an arbitrary function."""

    def __init__(self, *use: Any) -> None:
        sorts = [z3.BitVecSort(64), *use]
        word, truth = z3.BitVecSort(64), z3.BoolSort()
        self._answers = z3.Function("translated", *sorts, truth)
        self._physical = z3.Function("physical", *sorts, word)
        self._failure = z3.Function("failure", *sorts, word)
        self._other_failure = z3.Function("otherwise failed", *sorts, truth)
        self._marked = z3.Function("marked", *sorts, word, word, truth)

    def answers(self, gpa: Term, use: Use) -> Term:
        return self._answers(gpa, *use)

    def physical(self, gpa: Term, use: Use) -> Term:
        return self._physical(gpa, *use)

    def failure(self, gpa: Term, use: Use) -> Term:
        """What it says of a failure: an exit qualification, or the code of a nested page fault."""
        return self._failure(gpa, *use)

    def other_failure(self, gpa: Term, use: Use) -> Term:
        """That it fails in the other of two ways: a misconfiguration."""
        return self._other_failure(gpa, *use)

    def marked(self, gpa: Term, use: Use, address: Term, flags: Term) -> Term:
        return self._marked(gpa, *use, address, flags)
