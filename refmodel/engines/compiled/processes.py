"""The workers of a shared search as processes of this machine. What they hand over lies in memory that all of them see."""

from __future__ import annotations

import contextlib
import gc
import mmap
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import current_process, get_all_start_methods, get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.member import Lost, Member
from refmodel.engines.compiled.part import Box, Counted, Standing, box_size
from refmodel.engines.compiled.program import Program
from refmodel.engines.spread import held_interrupts, leave_ending_to_the_parent

Boxes = list[list[list[Box]]]
"""By turn, even or odd; by the worker that hands over; by the worker that takes in. What was handed over in one turn is taken in
in the next, while other boxes are filled."""


def can_start() -> bool:
    """Whether this process may start others, which inherit the machine code that it has made."""
    return "fork" in get_all_start_methods() and not current_process().daemon


class Processes:
    """Several processes, each with a part of the states."""

    def __init__(self, program: Program, states: npt.NDArray[np.uint8], memory: int, number: int) -> None:
        program.function("layer", None)  # made here, and once
        self.number = number
        self._ends: list[Connection[Any, Any]] = []
        self._running: list[Any] = []
        boxes: Boxes = [[[_shared(box_size(program)) for _ in range(number)] for _ in range(number)] for _ in range(2)]
        context = get_context("fork")
        try:
            for part in range(number):
                mine, theirs = context.Pipe()
                self._ends.append(mine)
                make = partial(Member, program, states, memory // number, part, number)
                process = context.Process(target=_work, args=(make, boxes, theirs, tuple(self._ends)), daemon=True)
                with held_interrupts():
                    process.start()
                self._running.append(process)
                theirs.close()
        except BaseException:
            self.close()
            raise

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [process.pid for process in self._running]

    def turn(self, next_layer: bool) -> list[Standing]:
        """A turn of each: ``Workers.turn``."""
        return self._each("turn", next_layer)

    def reached(self, part: int, index: int) -> tuple[int, int]:
        """How a class of a part was reached."""
        self._tell(part, "reached", index)
        way, parent = self._answer(part)
        return way, parent

    def counted(self) -> list[Counted]:
        """What each part has seen."""
        return self._each("counted")

    def close(self) -> None:
        """End them, whatever they are at."""
        for end in self._ends:
            end.close()
        for process in self._running:
            process.kill()
            process.join()
        self._ends, self._running = [], []

    def _each(self, *message: Any) -> list[Any]:
        for part in range(self.number):
            self._tell(part, *message)
        return [self._answer(part) for part in range(self.number)]

    def _tell(self, part: int, *message: Any) -> None:
        try:
            self._ends[part].send(message)
        except OSError:
            raise Lost from None

    def _answer(self, part: int) -> Any:
        try:
            answer = self._ends[part].recv()
        except (EOFError, OSError):
            raise Lost from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _shared(size: int) -> Box:
    """Memory that processes share which are started from now on."""
    return np.frombuffer(mmap.mmap(-1, size), dtype=np.uint8)


def _work(make: Callable[[], Member], boxes: Boxes, end: Connection[Any, Any], others: Sequence[Connection[Any, Any]]) -> None:
    """Answer messages until nobody is there who sends them."""
    leave_ending_to_the_parent()
    gc.freeze()  # what the parent made is not looked through again and again
    for other in others:
        other.close()  # or this process would not notice that the parent has died
    with contextlib.suppress(EOFError, OSError):
        answering = _Answering(make(), boxes)
        while True:
            name, *given = end.recv()
            try:
                answer = getattr(answering, name)(*given)
            except Exception as why:
                answer = why
            end.send(answer)


class _Answering:
    """A worker with its boxes."""

    def __init__(self, member: Member, boxes: Boxes) -> None:
        self.member, self.boxes, self.turns = member, boxes, 0

    def turn(self, next_layer: bool) -> Standing:
        mine = self.member.number
        now, before = self.boxes[self.turns % 2], self.boxes[1 - self.turns % 2]
        self.turns += 1
        return self.member.turn([box[mine] for box in before], now[mine], next_layer)

    def reached(self, index: int) -> tuple[int, int]:
        return self.member.part.reached(index)

    def counted(self) -> Counted:
        return self.member.part.counted()


__all__ = ["Processes", "can_start"]
