"""The workers of a shared search on other machines, by Dask: an actor on each worker. What they hand over goes by this process."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.context import PADDING, aligned
from refmodel.engines.compiled.member import Lost, Member
from refmodel.engines.compiled.part import Box, Counted, Standing, box_size, number_in
from refmodel.engines.compiled.program import Program
from refmodel.engines.spread import dask_client

LOOKING = 1.0
"""Seconds between two looks at whether a worker that does not answer is there."""


class Actor:
    """A worker with its boxes. Dask keeps it where it was made."""

    def __init__(self, program: Program, states: npt.NDArray[np.uint8], memory: int, part: int, parts: int) -> None:
        self.member = Member(program, states, memory, part, parts)
        self.record = program.places.record
        self.boxes = [aligned(box_size(program)) for _ in range(parts)]

    def turn(self, incoming: list[bytes], next_layer: bool) -> tuple[Standing, list[bytes]]:
        """A turn, and what is handed over to each of the others."""
        standing = self.member.turn(map(_box, incoming), self.boxes, next_layer)
        return standing, [self._filled(box) for box in self.boxes]

    def reached(self, index: int) -> tuple[int, int]:
        """How a class of this part was reached."""
        return self.member.part.reached(index)

    def counted(self) -> Counted:
        """What this part has seen."""
        return self.member.part.counted()

    def pid(self) -> int:
        """The number of this process."""
        return os.getpid()

    def _filled(self, box: Box) -> bytes:
        count = number_in(box)
        return box[: PADDING + count * self.record].tobytes() if count else b""


def _box(sent: bytes) -> Box:
    box = aligned(max(len(sent), PADDING))
    box[: len(sent)] = np.frombuffer(sent, dtype=np.uint8)
    return box


class DaskWorkers:
    """An actor on each worker of a scheduler."""

    def __init__(self, address: str, program: Program, states: npt.NDArray[np.uint8], memory: int, number: int) -> None:
        """``number`` is how many are wanted; there are as many as the scheduler has."""
        self._client = dask_client(address)
        try:
            self._there = self._alive()
            self.number = len(self._there)
            self._kept = [
                self._client.submit(
                    Actor,
                    program,
                    states,
                    memory // self.number,
                    part,
                    self.number,
                    actor=True,
                    pure=False,
                    workers=[worker],
                    allow_other_workers=False,
                )
                for part, worker in enumerate(sorted(self._there))
            ]
            self._actors = [self._said(future) for future in self._kept]
        except BaseException:
            self.close()
            raise
        self._on_the_way: list[list[bytes]] = [[] for _ in range(self.number)]

    def pids(self) -> list[int]:
        """The numbers of the processes, each on its machine."""
        return [self._said(self._ask(part, "pid")) for part in range(self.number)]

    def turn(self, next_layer: bool) -> list[Standing]:
        """A turn of each: ``Workers.turn``."""
        asked = [self._ask(part, "turn", boxes, next_layer) for part, boxes in enumerate(self._on_the_way)]
        said = [self._said(each) for each in asked]
        self._on_the_way = [[boxes[part] for _, boxes in said if boxes[part]] for part in range(self.number)]
        return [standing for standing, _ in said]

    def reached(self, part: int, index: int) -> tuple[int, int]:
        """How a class of a part was reached."""
        way, parent = self._said(self._ask(part, "reached", index))
        return way, parent

    def counted(self) -> list[Counted]:
        """What each part has seen."""
        return [self._said(each) for each in [self._ask(part, "counted") for part in range(self.number)]]

    def _ask(self, part: int, name: str, *given: Any) -> Any:
        try:
            with self._client.as_current():  # an actor looks for its client there
                return getattr(self._actors[part], name)(*given)
        except Exception as why:
            raise Lost(str(why)) from why

    def _said(self, future: Any) -> Any:
        """What a worker answers. Dask raises errors of many kinds when a worker has died, or says nothing."""
        while True:
            try:
                return future.result(timeout=LOOKING)
            except TimeoutError:
                if not self._there <= self._alive():
                    raise Lost("the scheduler has lost a worker") from None
            except Exception as why:
                raise Lost(str(why)) from why

    def _alive(self) -> set[str]:
        return set(self._client.scheduler_info(n_workers=-1)["workers"])

    def close(self) -> None:
        """Let the actors go."""
        self._actors, self._kept = [], []
        with contextlib.suppress(OSError, TimeoutError):
            self._client.close()


__all__ = ["DaskWorkers"]
