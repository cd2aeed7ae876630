"""What compiled code shares with Python: a block of memory with numbers at its front, and buffers behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.code import Function, Value

NUMBERS = (
    "words",
    "offsets",
    "seen",
    "mask",
    "next",
    "next_count",
    "next_limit",
    "parents",
    "ways",
    "classes",
    "states",
    "steps",
    "key",
    "parent",
    "instance",
    "trouble",
    "trouble_law",
    "trouble_way",
    "trouble_parent",
    "mode",
    "possible",
    "random",
    "waiting",
    "picked_type",
    "picked_actor",
    "picked_way",
    "picked_operation",
    "weights",
    "total_weight",
    "log",
    "logged",
    "starts",
    "starts_count",
    "start",
    "seldom",
    "novel",
    "shape",
    "shape_words",
    "shapes_seen",
    "runs",
    "collected",
    "collected_count",
    "collected_limit",
    "parts",
    "part",
    "boxes",
    "sent",
    "outgoing",
)
"""Fields of eight bytes each: addresses of what Python allocates, counters, and what was found."""

RING = 32
"""New states wait in a ring until the memory that says whether they were seen has arrived."""
BOX = 1 << 13
"""States for other workers that end a turn."""
SENT = 1 << 17
"""Keys that are remembered of those that were handed to other workers."""
MIXING = -7046029254386353131
"""What a key is multiplied by, so that each of its bits has a say in the highest."""
PADDING = 64
"""Vectors are read whole, so every buffer begins at a multiple of this."""

FINE, LAW_BROKEN, GOES_WRONG, TOO_LARGE = 0, 1, 2, 3
"""What ``trouble`` says."""


class Places:
    """Where each field and buffer of a context is, in bytes from its beginning."""

    def __init__(self, height: int, lanes: int, laws: int, operations: int, outcome: int, ends: int) -> None:
        self.height = height
        self.padded = -(-height // PADDING) * PADDING
        self.lanes = lanes
        self.outcome = -(-max(outcome, 1) // PADDING) * PADDING
        self.entry = self.padded + self.outcome + PADDING
        """Bytes of a step that is kept to be compared."""
        self.record = PADDING + self.padded
        """Bytes of a state that is handed to another worker: its key, way, parent and size, and the state."""
        self.at: dict[str, int] = {name: 8 * i for i, name in enumerate(NUMBERS)}
        self.size = -(-8 * len(NUMBERS) // PADDING) * PADDING
        for name, size in (
            ("margin", self.padded),
            ("scratch", self.padded),
            ("margin2", self.padded),
            ("current", self.padded),
            ("margin3", self.padded),
            ("picked", self.padded),
            ("outcome", outcome),
            ("picked_outcome", outcome),
            ("sums", 8 * lanes),
            ("after", 8 * lanes),
            ("was", 8 * self.padded),
            ("now", 8 * self.padded),
            ("ring_keys", 8 * RING),
            ("ring_ways", 8 * RING),
            ("ring_parents", 8 * RING),
            ("ring_sizes", 8 * RING),
            ("ring_margin", self.padded),
            ("ring_states", RING * self.padded),
            ("met", laws),
            ("applied", 8 * operations),
            ("ended", ends),
        ):
            self.at[name] = self.size
            self.size += -(-max(size, 1) // PADDING) * PADDING

    def address(self, function: Function, name: str) -> Value:
        """The address of a field or buffer, in a function that has the context as ``%c``."""
        return function.given("ptr", "c").at(self.at[name])

    def get(self, function: Function, name: str, type: str = "i64") -> Value:
        return self.address(function, name).load(type)

    def set(self, function: Function, name: str, value: Value | int, type: str = "i64") -> None:
        self.address(function, name).store(value, type)


class Context:
    """One block of memory, as Python sees it."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.memory = aligned(places.size)
        self._numbers = self.memory[: 8 * len(NUMBERS)].view(np.int64)
        self._kept: dict[str, npt.NDArray[Any]] = {}

    @property
    def pointer(self) -> int:
        return int(self.memory.ctypes.data)

    def __getitem__(self, name: str) -> int:
        return int(self._numbers[self.places.at[name] // 8])

    def __setitem__(self, name: str, value: int) -> None:
        self._numbers[self.places.at[name] // 8] = value

    def lend(self, name: str, array: npt.NDArray[Any]) -> None:
        """Let a field hold the address of an array, which is kept for as long."""
        self._kept[name] = array
        self[name] = int(array.ctypes.data)

    def buffer(self, name: str, count: int, type: Any = np.uint8) -> npt.NDArray[Any]:
        at = self.places.at[name]
        size = count * np.dtype(type).itemsize
        return self.memory[at : at + size].view(type)


def aligned(size: int) -> npt.NDArray[np.uint8]:
    """Zeroes, from a multiple of what vectors want."""
    raw = np.zeros(size + PADDING, dtype=np.uint8)
    start = -raw.ctypes.data % PADDING
    return raw[start : start + size]


__all__ = [
    "BOX",
    "FINE",
    "GOES_WRONG",
    "LAW_BROKEN",
    "MIXING",
    "PADDING",
    "RING",
    "SENT",
    "TOO_LARGE",
    "Context",
    "Places",
    "aligned",
]
