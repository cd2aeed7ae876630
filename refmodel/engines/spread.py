"""Work spread over processes of this machine, or over machines through Dask: the same answers in the same order, whoever works.

An item that a worker died of is given to another, so that a death costs time only; one that several died of is given up.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from typing import Any, ClassVar, TypeVar

import attrs

from refmodel.language.unsound import BadDesign

A = TypeVar("A")
B = TypeVar("B")

TRIES = 3
"""Workers that may die of one item."""
SECONDS_TO_END = 5.0
"""How long a pool without workers may take to end."""
CONNECTING = 10.0
"""Seconds in which a Dask scheduler has to answer."""


class _Process:
    """What a process knows of those beside it."""

    shares: ClassVar[bool] = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") != "1"
    """Whether others are at work on all the processors that there are. pytest-xdist says so of its own."""
    is_led: ClassVar[bool] = False
    """Whether it was started by another, whose process group ends with that one's work."""


def share_processors() -> None:
    """Say that this process is one of several that keep all processors busy."""
    _Process.shares = True


def processors() -> int:
    """On how many processors a piece of work may be done at once: on one, if others keep the rest busy."""
    return 1 if _Process.shares else os.cpu_count() or 1


def leave_ending_to_the_parent() -> None:
    """For a process that works for another: Ctrl-C is the other's business, and a signal to end is the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def lead() -> None:
    """Prepare a process that starts others: it leads a process group, so that those end with it."""
    os.setpgid(0, 0)
    follow()


def follow() -> None:
    """Prepare a process that was started by one that leads a group: it stays in the group, and ends with it."""
    _Process.is_led = True
    share_processors()
    leave_ending_to_the_parent()


@contextlib.contextmanager
def held_interrupts() -> Iterator[None]:
    """While processes are started: Ctrl-C is this process's business, also before another has got to say that it is not its own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@attrs.frozen
class Where:
    """Who works: so many processes here, or the workers of a Dask scheduler."""

    jobs: int = 1
    on: str | None = None
    """The scheduler's address, such as ``tcp://10.0.0.1:8786``."""


def spread(
    work: Callable[[A], B], items: Iterable[A], where: Where, ended: Callable[[int], None] = lambda number: None
) -> Iterator[B]:
    """``map``, in order. ``work`` is a function of a module, or a partial of one; items and answers can be pickled.

    ``ended`` is called with the number of an item when its answer is there, in whatever order, and by any thread.

    Raises what ``work`` raises; ``BadDesign`` if there is nobody who works, or an item kills all who try.
    """
    if where.on is not None:
        yield from _over_dask(work, list(items), where.on, ended)
    elif where.jobs > 1:
        yield from _over_processes(work, list(items), where.jobs, ended)
    else:
        for number, item in enumerate(items):
            done = work(item)
            ended(number)
            yield done


def _over_processes(work: Callable[[A], B], items: list[A], jobs: int, ended: Callable[[int], None]) -> Iterator[B]:
    done: dict[int, Any] = {}
    tries = [0] * len(items)
    given = 0
    while given < len(items):
        alone = next((i for i in range(given, len(items)) if i not in done and tries[i] == TRIES - 1), None)
        todo = [i for i in range(given, len(items)) if i not in done] if alone is None else [alone]
        others = set(active_children())
        prepare = follow if _Process.is_led else lead
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=prepare) as pool:
            with held_interrupts():
                futures: dict[int, Future[B]] = {i: pool.submit(work, items[i]) for i in todo}
            for i, future in futures.items():
                future.add_done_callback(partial(_ended, ended, i))
            try:
                for i, future in futures.items():
                    done[i] = future.result()
                    while given in done:
                        yield done.pop(given)
                        given += 1
            except BrokenProcessPool:
                _note_deaths(futures, done, tries)
            except BaseException:
                end_at_once(pool, others)
                raise


def end_at_once(pool: ProcessPoolExecutor, others: Collection[BaseProcess]) -> None:
    """End a pool and its workers, which are the processes that were started since these others were."""
    manager = getattr(pool, "_executor_manager_thread", None)
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in set(active_children()) - set(others):
        _end(worker)
    if manager is not None:  # Python's end would wake it while it closes what it is woken by
        manager.join(SECONDS_TO_END)


def _end(worker: BaseProcess) -> None:
    """End a worker, and what it has started: nobody waits for what they are at."""
    with contextlib.suppress(ProcessLookupError):
        if worker.pid is not None and os.getpgid(worker.pid) == worker.pid:
            os.killpg(worker.pid, signal.SIGTERM)
        else:  # it has not got to lead a group yet
            worker.terminate()


def _ended(ended: Callable[[int], None], number: int, future: Future[Any]) -> None:
    """An answer is there, and the worker did not die of the item."""
    if not future.cancelled() and future.exception() is None:
        ended(number)


def _note_deaths(futures: dict[int, Future[Any]], done: dict[int, Any], tries: list[int]) -> None:
    """A pool breaks as a whole: what is not done may have broken it. What has done so often enough is tried alone, and given up."""
    for i, future in futures.items():
        if i in done:
            continue
        if future.done() and not future.cancelled() and future.exception() is None:
            done[i] = future.result()
            continue
        tries[i] += 1
        if len(futures) == 1 and tries[i] >= TRIES:
            raise BadDesign(f"{TRIES} processes in a row died of the same work")
        tries[i] = min(tries[i], TRIES - 1)


def dask_client(address: str) -> Any:
    """A client of the Dask scheduler at an address, which has workers. ``BadDesign`` if there is none."""
    try:
        from distributed import Client
    except ImportError:
        raise BadDesign("--on needs Dask, which is not installed (pip install 'refmodel[dask]')") from None
    try:
        client = Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as why:
        raise BadDesign(f"{address}: no Dask scheduler answers there ({why or 'time-out'})") from None
    if not client.scheduler_info()["workers"]:
        client.close()
        raise BadDesign(f"{address}: the scheduler has no workers")
    return client


def _over_dask(work: Callable[[A], B], items: list[A], address: str, ended: Callable[[int], None]) -> Iterator[B]:
    with dask_client(address) as client:
        from distributed.scheduler import KilledWorker

        futures = client.map(work, items, pure=False, retries=0)
        try:
            for number, future in enumerate(futures):
                answer = future.result()
                ended(number)
                yield answer
        except KilledWorker:
            raise BadDesign(f"{address}: several workers in a row died of the same work") from None
        finally:
            client.cancel(futures)
