"""One exploration that several workers share. It counts what one alone counts, however many they are.

A class of states belongs to the worker that its key says. The workers take turns together: each takes in what the others handed
over in the last turn, and takes some states of the layer further. A layer is done when none has any left, and none is on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.exploring import MEMORY, explored, initial_states
from refmodel.engines.compiled.member import Lost, Workers
from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.part import Standing
from refmodel.engines.compiled.program import Program
from refmodel.engines.compiled.ways import power_ons
from refmodel.engines.exploration import Exploration, Progress
from refmodel.engines.spread import TRIES
from refmodel.language.unsound import BadDesign

Starting = Callable[[Program, npt.NDArray[np.uint8], int, int], Workers]
"""Starts workers for a program, from these states, with so much memory together; so many of them, or as many as there are."""


class Together:
    """One exploration under way. If a worker dies it begins again with those that are left: a death costs time only."""

    def __init__(self, native: Native, start: Starting, number: int, memory: int = MEMORY, seconds: float = 0.0) -> None:
        self.native, self.memory = native, memory
        self.initial = list(power_ons(native.design, native.geometry))
        self.seconds = seconds
        """Seconds that the search has taken, with those before it was shared."""
        self.deaths = 0
        """Workers that have died."""
        self._start, self._number = start, number
        self._begin()

    def _begin(self) -> None:
        self.depth = 0
        self.standings: list[Standing] = []
        self.workers: Workers | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to be done: every state was taken further, or something was found."""
        return any(each.trouble for each in self.standings) or (
            self.depth > 0 and self._layer_is_done and not any(each.waiting for each in self.standings)
        )

    @property
    def is_full(self) -> bool:
        """Whether the search has ended because a worker has no room for more."""
        return any(each.is_full for each in self.standings)

    @property
    def _layer_is_done(self) -> bool:
        return not any(each.left or each.outgoing for each in self.standings)

    @property
    def judged(self) -> int:
        """Every run of up to so many steps is judged."""
        return self.depth - bool(self.depth and not self._layer_is_done)

    def run(self, seconds: float | None = None, progress: Progress | None = None, deepest: int | None = None) -> Exploration:
        """To the last state, to the first broken law, until every run of up to ``deepest`` steps is judged, or until time or memory
        is up. Called again, it goes on from there.

        Raises ``BadDesign`` when several workers have died.
        """
        began, before = time.perf_counter(), self.seconds
        while True:
            try:
                self._run(None if seconds is None else began + seconds, progress, deepest)
                self.seconds = before + time.perf_counter() - began
                return self._explored()
            except Lost as why:
                self._begin_again(why)

    def close(self) -> None:
        """End the workers."""
        if self.workers is not None:
            self.workers.close()
        self.workers = None

    def _run(self, until: float | None, progress: Progress | None, deepest: int | None) -> None:
        if self.workers is None:
            states = initial_states(self.native, self.initial)
            self.workers = self._start(self.native.program(in_parts=True), states, self.memory, self._number)
            self.standings = self.workers.turn(next_layer=False)
        while not self.is_over and not self.is_full and (until is None or time.perf_counter() < until):
            if self.judged == deepest:
                break
            next_layer = self._layer_is_done
            self.standings = self.workers.turn(next_layer)
            self.depth += next_layer
            if progress:
                progress(self.depth, sum(each.classes for each in self.standings), sum(each.steps for each in self.standings))

    def _explored(self) -> Exploration:
        workers = self.workers
        assert workers is not None
        came = self.depth, self.judged, self.seconds, self.is_over
        return explored(
            self.native,
            self.initial,
            self.standings,
            came,
            workers.counted(),
            lambda number: workers.reached(number % workers.number, number // workers.number),
        )

    def _begin_again(self, why: Lost) -> None:
        """A worker has died: begin again without it, unless too many have."""
        self.deaths += 1
        number = self.workers.number if self.workers is not None else self._number
        self.close()
        if self.deaths == TRIES:
            raise BadDesign(
                f"{self.native.design.name}: {TRIES} workers died while they explored it; expected more memory, or "
                f"fewer --jobs{f' ({why})' if str(why) else ''}"
            ) from None
        self._number = max(1, number - 1)
        self._begin()


__all__ = ["Starting", "Together"]
