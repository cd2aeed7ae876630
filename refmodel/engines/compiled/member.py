"""What one worker of a shared search does, whatever carries its messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.context import BOX, aligned
from refmodel.engines.compiled.part import Box, Counted, Part, Standing, box_size
from refmodel.engines.compiled.program import Program


class Lost(Exception):
    """A worker has died, or cannot be reached."""


class Workers(Protocol):
    """The workers of a shared search. Each method raises ``Lost`` if one of them is."""

    number: int

    def turn(self, next_layer: bool) -> list[Standing]:
        """Have each take in what was handed over in the last turn, and take some states further. ``next_layer``: of the next layer,
        since this one is done."""

    def reached(self, part: int, index: int) -> tuple[int, int]:
        """How a class of a part was reached: ``Part.reached``."""

    def counted(self) -> list[Counted]:
        """What each part has seen."""

    def close(self) -> None:
        """End them."""


class Member:
    """One worker."""

    def __init__(self, program: Program, states: npt.NDArray[np.uint8], memory: int, part: int, parts: int) -> None:
        self.number, self.part = part, Part(program, memory, part, parts)
        for first in range(0, len(states), BOX):  # each worker has all of them, so what is handed over is dropped
            self.part.hand_over_to([aligned(box_size(program))] * parts)
            self.part.begin(states[first : first + BOX], first)

    def turn(self, incoming: Iterable[Box], outgoing: Sequence[Box], next_layer: bool) -> Standing:
        """Take in what others handed over, and take some states further. What belongs to others is put into ``outgoing``."""
        for box in incoming:
            self.part.take_in(box)
        if next_layer:
            self.part.next_layer()
        self.part.hand_over_to(outgoing)
        self.part.further()
        return self.part.standing()


__all__ = ["Lost", "Member", "Workers"]
