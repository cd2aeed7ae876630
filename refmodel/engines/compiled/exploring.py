"""Every state of a geometry, breadth first, in compiled code.

A layer's states are kept as bytes; of older layers only a key of eight
bytes is kept for each class, and how it was first reached. What breaks a law is run again on ints before it is shown.
"""

from __future__ import annotations

import ctypes
import time
from collections import Counter

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.context import GOES_WRONG, LAW_BROKEN, PADDING, TOO_LARGE
from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.ways import failure_of, power_ons
from refmodel.engines.exploration import COMPILED, Exploration, Progress
from refmodel.engines.machine import Failure, Machine, recorded

CHUNK, WORK = 1 << 12, 1 << 18
"""States taken further between two looks at the clock: so many, or fewer if there are many renamings to be summed."""
MEMORY = 4 << 30
"""Bytes after which a search ends."""
SPARE = 64
"""Room beyond what one state's successors need."""

class Search:
    """One exploration under way."""

    def __init__(self, native: Native, memory: int = MEMORY) -> None:
        self.native, self.context, self.memory = native, native.context(), memory
        self._chunk = max(16, min(CHUNK, WORK // native.words.lanes))
        self.width = native.places.padded
        self._layer = native.function("layer", ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)
        self._root = native.function("root", None, ctypes.c_void_p, ctypes.c_int64)
        self.parents = np.zeros(1 << 12, dtype=np.int64)
        self.ways = np.zeros(1 << 12, dtype=np.int64)
        self.seen = np.zeros(1 << 14, dtype=np.int64)
        self.next = _States(self.width)
        self.initial = list(power_ons(native.design, native.geometry))
        self.depth = 0
        self.seconds = 0.0
        self._done = self._count = self._first = 0
        self._layer_of: _States = self.next
        """The states that are taken further, how many they are, the number of the first, and how many were."""
        self._lend()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to be done: every state was taken further, or something was found."""
        return bool(self.context["trouble"]) or (self.depth > 0 and self._done == self._count and not self.context["next_count"])

    @property
    def taken(self) -> int:
        """Bytes that the search has taken."""
        return sum(array.nbytes for array in (self.parents, self.ways, self.seen)) + self.next.size + self._layer_of.size

    def run(self, seconds: float | None = None, progress: Progress | None = None) -> Exploration:
        """To the last state, to the first broken law, or until time or memory is up. Called again, it goes on from there."""
        began = time.perf_counter()
        if not self.depth:
            self._begin()
        while not self.is_over and self.taken < self.memory and (seconds is None or time.perf_counter() - began < seconds):
            if self._done == self._count:
                self._next_layer()
            self._make_room()
            size = min(self._chunk, self._count - self._done)
            states = self._layer_of.address(self._done)
            self._done += self._layer(self.context.pointer, states, size, self._first + self._done)
            if progress:
                progress(self.depth, self.context["classes"], self.context["steps"])
        self.seconds += time.perf_counter() - began
        return self._explored()

    def _next_layer(self) -> None:
        self._first += self._count
        self._layer_of, self._count, self._done = self.next, self.context["next_count"], 0
        self.next, self.context["next_count"] = _States(self.width), 0
        self.depth += 1

    def _explored(self) -> Exploration:
        failure, too_large = self._failure(), self.context["trouble"] == TOO_LARGE
        applied = self.context.buffer("applied", len(self.native.operations), np.int64)
        met = self.context.buffer("met", len(self.native.design.laws))
        complete = self.is_over and failure is None and not too_large
        return Exploration(
            failure, complete, self.context["states"], self.context["classes"], self.context["steps"], self.depth, self.seconds,
            Counter({traced.op.name: int(n) for traced, n in zip(self.native.operations, applied, strict=True) if n}),
            frozenset(law for law, was in zip(self.native.design.laws, met, strict=True) if was),
            COMPILED, too_large)

    def _begin(self) -> None:
        """The states that a run may begin with."""
        machine_states = []
        for answers in self.initial:
            machine = Machine(self.native.design, self.native.geometry)
            machine.power_on(recorded(answers))
            machine_states.append(self.native.layout.column(machine.state)[:, 0])
        roots = _States(self.width)
        roots.hold(len(machine_states))
        for number, state in enumerate(machine_states):
            roots.row(number)[:len(state)] = state.view(np.uint8)
            self._make_room()
            self._root(self.context.pointer, roots.address(number), -1 - number)

    def _lend(self) -> None:
        for name in ("parents", "ways", "seen"):
            self.context.lend(name, getattr(self, name))
        self.context["mask"] = len(self.seen) - 1

    def _make_room(self) -> None:
        """Have room for what a chunk finds; compiled code stops where the room ends."""
        context, most = self.context, self.native.successors + SPARE
        wanted = most + CHUNK
        known, waiting = context["classes"], context["next_count"]
        if known + wanted > len(self.parents):
            size = max(2 * len(self.parents), known + 2 * wanted)
            self.parents, self.ways = (np.concatenate([old, np.zeros(size - len(old), dtype=np.int64)])
                                       for old in (self.parents, self.ways))
        if 2 * (known + wanted) > len(self.seen):
            self.seen = _rehashed(self.seen, known + wanted)
        self.next.hold(waiting + wanted)
        context["next"] = self.next.address(0)
        context["next_limit"] = waiting + CHUNK
        self._lend()

    # ------------------------------------------------------------ what was found

    def _failure(self) -> Failure | None:
        context, design = self.context, self.native.design
        if context["trouble"] not in (LAW_BROKEN, GOES_WRONG):
            return None
        ways, at = [context["trouble_way"]], context["trouble_parent"]
        while at >= 0:
            ways.append(int(self.ways[at]))
            at = int(self.parents[at])
        ways.pop()  # what a run begins with is reached by nothing
        return failure_of(design, self.native.geometry, self.initial[-1 - at], ways[::-1])


class _States:
    """States one behind the other, with a margin before the first: a key that is NOTHING points before its table."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._memory: npt.NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self._start = 0

    def hold(self, count: int) -> None:
        """Have room for so many."""
        wanted = (count + 1) * self.width + PADDING
        if wanted > len(self._memory):
            new = np.zeros(max(wanted, 2 * len(self._memory)), dtype=np.uint8)
            start = -new.ctypes.data % PADDING + self.width
            kept = self._memory[self._start:]
            new[start:start + len(kept)] = kept[:len(new) - start]
            self._memory, self._start = new, start

    @property
    def size(self) -> int:
        return len(self._memory)

    def row(self, number: int) -> npt.NDArray[np.uint8]:
        at = self._start + number * self.width
        return self._memory[at:at + self.width]

    def address(self, number: int) -> int:
        return int(self._memory.ctypes.data) + self._start + number * self.width


def _rehashed(seen: npt.NDArray[np.int64], wanted: int) -> npt.NDArray[np.int64]:
    """The keys seen so far in a table with room for more, each where compiled code looks for it."""
    size = 1 << (2 * wanted).bit_length()
    keys = seen[seen != 0].view(np.uint64)
    table = np.zeros(size, dtype=np.uint64)
    slots = ((keys * np.uint64((-7046029254386353131) % (1 << 64))) >> np.uint64(20)) & np.uint64(size - 1)
    while len(keys):
        free = table[slots] == 0
        slots_free, keys_free = slots[free], keys[free]
        table[slots_free] = keys_free  # of several that want one place, the last has it
        kept = table[slots] != keys
        keys, slots = keys[kept], (slots[kept] + np.uint64(1)) & np.uint64(size - 1)
    return table.view(np.int64)


__all__ = ["Search"]
