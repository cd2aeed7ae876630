"""The classes of states that one worker has: all of them, or those whose keys are its own.

A layer's states are kept as bytes; of older layers only a key of eight bytes is kept for each class, and how it was first reached.
States, and how they were reached, go to a file when they exceed a share of the memory.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled import seen
from refmodel.engines.compiled.context import BOX, PADDING, SENT
from refmodel.engines.compiled.program import Program
from refmodel.engines.compiled.rows import Rows

CHUNK, WORK = 1 << 12, 1 << 18
"""States taken further between two looks at the clock: so many, or fewer if there are many renamings to be summed."""
SPARE = 64
"""Room beyond what one state's successors need."""
SHARE = 16
"""A layer's states take a sixteenth of the memory at most, and so do the next layer's; those behind them lie in a file."""
FOR_KEYS = 13 / 16
"""What the table of keys takes of the memory at most, the old table included while a larger one is made of it."""

Box = npt.NDArray[np.uint8]
"""States for another worker, as ``compiled.handing`` says, from where vectors may begin."""


@attrs.frozen
class Standing:
    """How far a part has come. It travels from worker to worker."""

    left: int
    """States of this layer that are to be taken further."""
    waiting: int
    """States of the next layer."""
    outgoing: int
    """States that were handed over in the last turn."""
    classes: int
    states: int
    steps: int
    trouble: int
    trouble_way: int
    trouble_parent: int
    taken: int
    """Bytes of memory."""
    on_disk: int
    is_full: bool
    """Whether there is no room for more."""


@attrs.frozen
class Counted:
    """What a part has seen. It travels from worker to worker."""

    applied: tuple[int, ...]
    """How often each operation applied."""
    met: tuple[bool, ...]
    """Of which laws a premise held in some state or step."""
    ended: tuple[bool, ...]
    """To which ends of paths a step came."""
    changed: tuple[bool, ...]
    """Which bytes of a state ever were anything else than in the first."""


class Part:
    """The classes of one worker, and the layer that it is at."""

    def __init__(self, program: Program, memory: int, part: int = 0, parts: int = 1) -> None:
        self.program, self.context, self.memory = program, program.context(), memory
        self.most = program.successors + SPARE
        self.chunk = max(16, min(CHUNK, WORK // program.words.lanes))
        self.width = program.places.padded
        self._layer = program.function("layer", ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)
        self._root = program.function("root", None, ctypes.c_void_p, ctypes.c_int64)
        self.parents, self.ways = Rows(8, memory // SHARE // 4), Rows(8, memory // SHARE // 4)
        self.seen = np.zeros(1 << 14, dtype=np.int64)
        self.next = self._of_layer = Rows(self.width, memory // SHARE)
        self._done = self._count = self._first = self._before = 0
        """Of the layer how many were taken further, how many there are, the number of the first, and how many the last one had."""
        self._changed: npt.NDArray[np.uint8] = np.zeros(self.width, dtype=np.uint8)
        self._at_first = self._changed.copy()
        self.is_full = False
        if program.in_parts:
            self._take_in = program.function("take_in", None, ctypes.c_void_p)
            self.context["parts"], self.context["part"] = parts, part
            self.context.lend("sent", np.zeros(SENT, dtype=np.int64))

    @property
    def left(self) -> int:
        """States of this layer that are to be taken further."""
        return self._count - self._done

    @property
    def is_growing(self) -> bool:
        """Whether this layer has no fewer states than the last one."""
        return self._count >= self._before

    @property
    def taken(self) -> int:
        """Bytes of memory that this part takes."""
        layers = {id(rows): rows.in_memory for rows in (self.next, self._of_layer, self.parents, self.ways)}
        return int(self.seen.nbytes) + sum(layers.values())

    @property
    def on_disk(self) -> int:
        """Bytes of files."""
        return sum(rows.on_disk for rows in {self.next, self._of_layer, self.parents, self.ways})

    def standing(self) -> Standing:
        """How far this part has come."""
        numbers = {
            name: self.context[name]
            for name in ("outgoing", "classes", "states", "steps", "trouble", "trouble_way", "trouble_parent")
        }
        return Standing(
            self.left, self.context["next_count"], taken=self.taken, on_disk=self.on_disk, is_full=self.is_full, **numbers
        )

    def begin(self, states: npt.NDArray[np.uint8], first: int = 0) -> None:
        """From these states, a row each, the first of this number; a part keeps those that are its own."""
        roots = Rows(self.width, self.memory)
        roots.hold(0, len(states))
        for number, state in enumerate(states):
            roots.row(number)[: len(state)] = state
        self._at_first = roots.row(0).copy()
        for number in range(len(states)):
            if self._has_room(self.most):
                self._root(self.context.pointer, roots.base + number * self.width, -1 - first - number)

    def next_layer(self) -> None:
        """Go on with the states that were found."""
        self._first += self._count
        self._before = self._count
        self._of_layer, self._count, self._done = self.next, self.context["next_count"], 0
        self.next, self.context["next_count"] = Rows(self.width, self.memory // SHARE), 0

    def further(self) -> None:
        """Take some states of the layer further, if there is room."""
        if self.left and self._has_room(CHUNK + self.most):
            self.context["next_limit"] = self.context["next_count"] + CHUNK
            states, size = self._of_layer.piece(self._done, min(self.chunk, self.left))
            self._note_changes(states, size)
            self._done += self._layer(self.context.pointer, states, size, self._first + self._done)

    def _note_changes(self, states: int, size: int) -> None:
        """Note which bytes of these states are not what they were in the first."""
        memory = (ctypes.c_uint8 * (size * self.width)).from_address(states)
        rows = np.ctypeslib.as_array(memory).reshape(size, self.width)
        self._changed |= np.bitwise_or.reduce(rows ^ self._at_first, axis=0)

    def take_in(self, box: Box) -> None:
        """Take in what another worker has handed over, if there is room."""
        count = number_in(box)
        if count and self._has_room(count):
            self._take_in(self.context.pointer, int(box.ctypes.data))

    def hand_over_to(self, boxes: Sequence[Box]) -> None:
        """Put what belongs to others into these boxes, one for each worker, which are emptied."""
        for box in boxes:
            box[:8] = 0
        self._boxes = boxes  # compiled code has their addresses
        self.context.lend("boxes", np.array([box.ctypes.data for box in boxes], dtype=np.uint64))
        self.context["outgoing"] = 0

    def reached(self, index: int) -> tuple[int, int]:
        """The way that first led to one of the classes of this part, and the number of the class from which it did."""
        return self.ways.number(index), self.parents.number(index)

    def counted(self) -> Counted:
        """What was counted so far."""
        applied = self.context.buffer("applied", self.program.operations, np.int64)
        met, ended = self.context.buffer("met", self.program.laws), self.context.buffer("ended", self.program.ends)
        return Counted(tuple(map(int, applied)), tuple(map(bool, met)), tuple(map(bool, ended)), tuple(map(bool, self._changed)))

    def _has_room(self, more: int) -> bool:
        """Have room for more classes; compiled code stops where the room ends."""
        context, known = self.context, self.context["classes"]
        if seen.is_crowded(self.seen, known + more):
            size = seen.size_for(known + more)
            if self.seen.nbytes + 8 * size <= self.memory * FOR_KEYS:
                self.seen = seen.moved(self.seen, size)
        try:
            for rows, written in ((self.parents, known), (self.ways, known), (self.next, context["next_count"])):
                rows.hold(written, more)
        except OSError:  # the disk is full
            self.is_full = True
        self.is_full = self.is_full or seen.is_full(self.seen, known + more) or self.taken > self.memory
        context.lend("seen", self.seen)
        context["mask"] = len(self.seen) - 1
        for name, rows in (("parents", self.parents), ("ways", self.ways), ("next", self.next)):
            context[name] = rows.base
        return not self.is_full


def number_in(box: Box) -> int:
    """How many states are in a box."""
    return int(box[:8].view(np.int64)[0])


def box_size(program: Program) -> int:
    """Bytes of a box that no turn can fill."""
    return PADDING + (BOX + program.successors + SPARE) * program.places.record


__all__ = ["Box", "Counted", "Part", "Standing", "box_size", "number_in"]
