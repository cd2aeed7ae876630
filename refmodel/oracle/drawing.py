"""Drawing a test from bytes."""

from __future__ import annotations


class Draw:
    """Small choices out of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def byte(self) -> int:
        return next(self._data, 0)

    def one_in(self, chances: int) -> bool:
        """True for few bytes, and not for zero."""
        return self.byte() >= 256 - 256 // chances
