"""Scripts for the agent on RISC-V: what to do step by step, and the results."""

from __future__ import annotations

import enum
import struct

_STEP = struct.Struct("<8Q")
_RESULTS = struct.Struct("<32x4Q")
SIZE = _STEP.size
Results = list[tuple[int, int, int, int]]


class Step(enum.IntEnum):
    """What the agent can do; ``agent.S`` says what arguments and results each has."""

    STOP = 0
    STORE = 1
    EXCHANGE = 2
    TABLES = 3
    STATUS = 4
    ACCESS = 5
    FENCE = 6
    LOOK = 7


class Script:
    """Steps in order. ``add`` gives the number of the step, under which its results are found."""

    def __init__(self) -> None:
        self._steps: list[bytes] = []

    def add(self, step: Step, a: int = 0, b: int = 0, c: int = 0) -> int:
        self._steps.append(_STEP.pack(step, a, b, c, 0, 0, 0, 0))
        return len(self._steps) - 1

    def packed(self) -> bytes:
        return b"".join(self._steps) + _STEP.pack(Step.STOP, 0, 0, 0, 0, 0, 0, 0)

    def results(self, memory: bytes) -> Results:
        """The results of all steps, from the memory that the script lay in."""
        return [_RESULTS.unpack_from(memory, SIZE * number) for number in range(len(self._steps))]
