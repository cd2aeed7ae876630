"""Random runs in compiled code, every law after every step: some millions of steps a second.

Batches of runs are weighted by chance: an operation that has seldom applied is tried more often, and some operations are left out
of a batch, so that others come after one another. Runs start at power-on, or in a state that earlier runs got to: one after a step
that had seldom been taken, or of a shape that had not been seen, where a shape is what is left of a state without names. One seed
decides everything.
"""

from __future__ import annotations

import ctypes
import random
import time
from collections import Counter
from typing import Any

import attrs
import numpy as np

from refmodel.engines.compiled.context import FINE, aligned
from refmodel.engines.compiled.keys import SHAPE_BITS
from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.shared import WALKING
from refmodel.engines.compiled.walks import PICK
from refmodel.engines.compiled.ways import failure_of, power_ons
from refmodel.engines.machine import Failure, Machine, recorded
from refmodel.language.laws import Law

RUNS = 400
"""Runs of a batch."""
LENGTHS = (6, 12, 30)
"""Steps of a run; one of these for a batch."""
SELDOM = 6
"""A step of an operation that has applied less often than this is gone on from."""
EACH = 16
"""Batches for which operations are weighed alike."""
STARTS = 8
"""States that the runs of a batch start from."""
FROM_POWER_ON = 0.1
"""Share of them that are power-on."""
IDLE = 20
"""Batches in which nothing applied, after which a search ends."""
KEPT = 20_000
"""States that are kept to start from."""
DEEPEST = 400
"""Steps from power-on after which a state is not kept."""


@attrs.define
class Mark:
    """A state that a run got to, and how: what memory held at power-on, and the ways from there."""

    state: Any
    initial: int
    ways: tuple[int, ...]
    visits: int = 0
    is_broken: bool = False
    """At power-on: whether a law does not hold there, before any step."""


class Walks:
    """Random runs of one design, with what they remember."""

    def __init__(self, native: Native, seed: str) -> None:
        self.native, self.context = native, native.context()
        self.draw = random.Random(seed)
        self.width = native.places.padded
        self.steps = self.tried = self._batches = 0
        self.power_on = list(power_ons(native.design, native.geometry))
        self.marks: list[Mark] = []
        self._powered: dict[int, Mark] = {}
        self._walks = native.function("walks", ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)
        self._log = np.zeros(max(LENGTHS) + 1, dtype=np.int64)
        self._weights = np.zeros(PICK, dtype=np.int16)
        self._starts = aligned(STARTS * self.width)
        seen = np.zeros(1 << SHAPE_BITS, dtype=np.uint8)
        for name, array in (("log", self._log), ("weights", self._weights), ("starts", self._starts), ("shapes_seen", seen)):
            self.context.lend(name, array)
        self.context["mode"], self.context["seldom"] = WALKING, SELDOM
        self.context["random"] = self.draw.getrandbits(63) | 1

    # ------------------------------------------------------------ coverage

    @property
    def runs(self) -> int:
        """Runs that were begun."""
        return self.context["runs"]

    @property
    def applied(self) -> Counter[str]:
        """How often each operation applied."""
        counts = self.context.buffer("applied", len(self.native.operations), np.int64)
        return Counter({traced.op.name: int(n) for traced, n in zip(self.native.operations, counts, strict=True) if n})

    @property
    def met(self) -> frozenset[Law]:
        """The laws of which a premise held in some state or step."""
        met = self.context.buffer("met", len(self.native.design.laws))
        return frozenset(law for law, was in zip(self.native.design.laws, met, strict=True) if was)

    # ------------------------------------------------------------ running

    def run(self, *, seconds: float, steps: int | None = None, least: int = 0) -> Failure | None:
        """Batches of runs until a law is broken, the number of steps is up, or the time is and the least number has been tried,
        whether they applied or not."""
        began, batches = time.perf_counter(), 0
        while (steps is None or self.steps < steps) and (time.perf_counter() - began < seconds or self.tried < least):
            batches += 1
            if not self.steps and batches > IDLE:
                return None  # nothing applies
            failure = self._batch()
            if failure is not None:
                return failure
        return None

    def _batch(self) -> Failure | None:
        starts = self._chosen()
        for each in starts:
            if each.is_broken:
                return failure_of(self.native.design, self.native.geometry, self.power_on[each.initial], ())
        if self._batches % EACH == 0:
            self._weigh()
        self._batches += 1
        length = self.draw.choice(LENGTHS)
        self.context["trouble"], self.context["novel"] = FINE, 0
        before = self.runs
        self.steps += self._walks(self.context.pointer, RUNS, length)
        self.tried += (self.runs - before) * length
        start = starts[self.context["start"]]
        ways = (*start.ways, *(int(way) for way in self._log[: self.context["logged"]]))
        if self.context["trouble"]:
            return failure_of(self.native.design, self.native.geometry, self.power_on[start.initial], ways)
        if self.context["novel"] and len(ways) <= DEEPEST:
            self._keep(Mark(self.context.buffer("current", self.width).copy(), start.initial, ways))
        return None

    def _keep(self, mark: Mark) -> None:
        if len(self.marks) < KEPT:
            self.marks.append(mark)
        else:
            self.marks[self.draw.randrange(KEPT)] = mark

    def _chosen(self) -> list[Mark]:
        """The states that a batch starts from."""
        found = [
            self._start()
            if not self.marks or self.draw.random() < FROM_POWER_ON
            else min((self.draw.choice(self.marks) for _ in range(4)), key=lambda m: m.visits)
            for _ in range(STARTS)
        ]
        for number, mark in enumerate(found):
            mark.visits += 1
            self._starts[number * self.width : (number + 1) * self.width] = mark.state
        self.context["starts_count"] = STARTS
        return found

    def _start(self) -> Mark:
        number = self.draw.randrange(len(self.power_on))
        if number not in self._powered:
            self._powered[number] = self._powered_on(number)
        return self._powered[number]

    def _powered_on(self, number: int) -> Mark:
        machine = Machine(self.native.design, self.native.geometry)
        machine.power_on(recorded(self.power_on[number]))
        state = np.zeros(self.width, dtype=np.uint8)
        column = self.native.layout.column(machine.state)[:, 0]
        state[: len(column)] = column.view(np.uint8)
        return Mark(state, number, (), is_broken=machine.broken(None, (), None) is not None)

    def _weigh(self) -> None:
        """Weigh the operations for a batch: the seldomer one has applied the more, and some not at all."""
        counts = self.context.buffer("applied", len(self.native.operations), np.int64)
        weights = 1.0 / np.sqrt(counts + 1.0)
        left_out = self.draw.choice((0.0, 0.0, 0.2, 0.4))
        mask = np.array([self.draw.random() >= left_out for _ in weights])
        weights = np.where(mask, weights, 0.0) if mask.any() else weights
        weights = weights + np.where(weights > 0, weights.sum() / (2 * len(weights)), 0)  # and each with a share of its own
        table = np.repeat(np.arange(len(weights)), np.ceil(weights / weights.sum() * (PICK - len(weights))).astype(int))
        self._weights[: len(table)] = table
        self.context["total_weight"] = len(table)


__all__ = ["Mark", "Walks"]
