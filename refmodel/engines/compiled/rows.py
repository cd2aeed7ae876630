"""Rows of bytes that compiled code writes one after the other.

What exceeds a share of memory lies in a file without a name, of which nothing is left whatever becomes of the process.
"""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.context import PADDING


class Rows:
    """Rows of one width. Those that were written last are in memory, with a margin of a row before the first."""

    def __init__(self, width: int, share: int) -> None:
        self.width, self.share = width, share
        self._memory: npt.NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self._start = self._first = 0
        """Where in memory rows begin, and the number of the row there."""
        self._file: IO[bytes] | None = None

    @property
    def in_memory(self) -> int:
        """Bytes of memory."""
        return len(self._memory)

    @property
    def on_disk(self) -> int:
        """Bytes of a file."""
        return self._first * self.width if self._file is not None else 0

    @property
    def base(self) -> int:
        """The address that row 0 would have if all rows were in memory."""
        return int(self._memory.ctypes.data) + self._start - self._first * self.width

    def hold(self, written: int, more: int) -> None:
        """Have room for more rows behind those that are written. ``OSError`` if a file is needed and there is no room for it."""
        wanted = (written - self._first + more) * self.width
        if self._start + wanted <= len(self._memory):
            return
        if wanted > self.share and written > self._first:
            self._spill(written)
            wanted = more * self.width
        if self._start + wanted > len(self._memory):
            self._grow(max(wanted, min(2 * len(self._memory), self.share)))

    def piece(self, number: int, most: int) -> tuple[int, int]:
        """The address of a row and of those behind it, and how many there are at that place, at most so many."""
        if number >= self._first:
            return self.base + number * self.width, most
        count = min(most, self._first - number)
        self._piece = self._read(number, count)  # kept, since it is looked at by address
        return int(self._piece.ctypes.data) + self._behind_margin(self._piece), count

    def number(self, at: int) -> int:
        """What a row holds, as one number."""
        if at < self._first:
            assert self._file is not None
            self._file.seek(at * self.width)
            return int.from_bytes(self._file.read(self.width), "little", signed=True)
        start = self._start + (at - self._first) * self.width
        return int.from_bytes(self._memory[start : start + self.width].tobytes(), "little", signed=True)

    def row(self, at: int) -> npt.NDArray[np.uint8]:
        """A row that is in memory."""
        start = self._start + (at - self._first) * self.width
        return self._memory[start : start + self.width]

    def _behind_margin(self, memory: npt.NDArray[np.uint8]) -> int:
        """Where the first row is: a row from the beginning, where vectors may begin."""
        return self.width + (-int(memory.ctypes.data) - self.width) % PADDING

    def _read(self, number: int, count: int) -> npt.NDArray[np.uint8]:
        assert self._file is not None
        memory = np.zeros((count + 1) * self.width + 2 * PADDING, dtype=np.uint8)
        start = self._behind_margin(memory)
        self._file.seek(number * self.width)
        memory[start : start + count * self.width] = np.frombuffer(self._file.read(count * self.width), dtype=np.uint8)
        return memory

    def _spill(self, written: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="refmodel-")  # noqa: SIM115 (it goes with the rows)
        self._file.seek(self._first * self.width)
        self._file.write(self._memory[self._start : self._start + (written - self._first) * self.width].data)
        self._file.flush()
        self._first = written

    def _grow(self, size: int) -> None:
        new = np.zeros(size + 2 * PADDING + self.width, dtype=np.uint8)
        start = self._behind_margin(new)
        kept = self._memory[self._start :]
        count = min(len(kept), len(new) - start)
        new[start : start + count] = kept[:count]
        self._memory, self._start = new, start


__all__ = ["Rows"]
