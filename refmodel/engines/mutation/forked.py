"""Work of which each piece spoils the process that does it: every item has a process of its own, forked from a clean one."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")

SECONDS = 600
"""Seconds of a processor that one item may take."""
BYTES = 4 << 30
"""Memory that one item may take."""


def forked(work: Callable[[A], B], items: Sequence[A], jobs: int, seconds: int = SECONDS) -> Iterator[tuple[int, B | None]]:
    """The numbers of items, each with what the work gives of it, in the order in which they are done. An item whose process died or
    took too long has None. Answers can be pickled; items and work need not be."""
    context = get_context("fork")
    at_work: dict[Any, tuple[int, Any]] = {}
    todo = iter(enumerate(items))
    try:
        while True:
            while len(at_work) < jobs and (given := next(todo, None)) is not None:
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(work, given[1], sender, seconds))
                process.start()
                sender.close()
                at_work[receiver] = given[0], process
            if not at_work:
                return
            for receiver in map(_as_is, wait(list(at_work))):
                number, process = at_work.pop(receiver)
                answer: B | None = None
                with contextlib.suppress(EOFError):
                    answer = receiver.recv()
                process.join()
                receiver.close()
                yield number, answer
    finally:
        for _, process in at_work.values():
            process.kill()
            process.join()


def _as_is(receiver: Any) -> Any:
    return receiver


def _child(work: Callable[[A], B], item: A, sender: Any, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    gc.freeze()  # what the parent made is not looked through again and again, nor copied by that
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sender.send(work(item))
    sender.close()
