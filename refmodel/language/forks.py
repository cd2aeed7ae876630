"""Following every path of a function by running it again: the decisions so far replayed, then the next one taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from refmodel.language.unsound import Unsound

DEPTH = 150
"""Decisions on one path; more means a loop whose end no value decides."""


class Forks:
    """The tree of decisions of one exploration."""

    def __init__(self) -> None:
        self._path: list[Any] = []
        self._open: list[list[Any]] = []
        self._at = 0

    def paths(self) -> Iterator[None]:
        """Loop over this, running the function each time, until every path has been followed."""
        while True:
            self._at = 0
            yield
            while self._open and not self._open[-1]:
                self._open.pop()
                self._path.pop()
            if not self._open:
                return
            self._path[-1] = self._open[-1].pop()

    @property
    def depth(self) -> int:
        """How many decisions this path has taken."""
        return self._at

    def replaying(self) -> bool:
        """Whether the next decision has been taken before."""
        return self._at < len(self._path)

    def again(self) -> Any:
        """The decision taken before."""
        choice = self._path[self._at]
        self._at += 1
        return choice

    def prune(self) -> None:
        """Leave out what has not been decided on this path: whoever asked goes on elsewhere."""
        del self._path[self._at :], self._open[self._at :]

    def take(self, options: Sequence[Any]) -> Any:
        """A new decision: its first option now, the others on later paths."""
        if self._at >= DEPTH:
            raise Unsound(f"more than {DEPTH} decisions on one path, too many to follow; expected shorter loops")
        self._path.append(options[0])
        self._open.append(list(reversed(options[1:])))
        self._at += 1
        return options[0]
