"""Scripts for the agent: what to do step by step, and the results."""

from __future__ import annotations

import enum
import struct

_STEP = struct.Struct("<8Q")
_RESULTS = struct.Struct("<32x4Q")
SIZE = _STEP.size


class Step(enum.IntEnum):
    """What the agent can do; ``agent.asm`` says what arguments and results each has."""

    STOP = 0
    STORE = 1
    LOAD = 2
    EXCHANGE = 3
    CONTROL = 4
    KEYS = 5
    RELOAD = 6
    FLUSH = 7
    ACCESS = 8
    RUN_SVM = 9
    ENABLE_SVM = 10
    ENABLE_VMX = 11
    VMWRITE = 12
    VMREAD = 13
    RUN_VMX = 14
    INVEPT = 15
    INVPCID = 16
    CPUID = 17
    INVVPID = 18


Results = list[tuple[int, int, int, int]]


class Script:
    """Steps in order."""

    def __init__(self) -> None:
        self._steps: list[bytes] = []
        self.settings: list[tuple[int, Step]] = []
        """The steps that set registers, with their numbers: that a machine refuses them is not expected."""

    def add(self, step: Step, a: int = 0, b: int = 0, c: int = 0, *, may_fault: bool = False) -> int:
        """The number of the step, under which its results are found. ``may_fault``: whether a machine may refuse a setting."""
        if step in (Step.CONTROL, Step.KEYS, Step.RELOAD) and not may_fault:
            self.settings.append((len(self._steps), step))
        self._steps.append(_STEP.pack(step, a, b, c, 0, 0, 0, 0))
        return len(self._steps) - 1

    def packed(self) -> bytes:
        return b"".join(self._steps) + _STEP.pack(Step.STOP, 0, 0, 0, 0, 0, 0, 0)

    def results(self, memory: bytes) -> Results:
        """The results of all steps, from the memory that the script lay in."""
        return [_RESULTS.unpack_from(memory, SIZE * n) for n in range(len(self._steps))]
