"""What is under way, on a terminal: what is done, what is at work, what is left. Nothing is shown where output is piped."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from refmodel.cli.common import err
from refmodel.cli.loudness import loudness

WIDE = 56
"""Letters of the names of what is left: the bar and the numbers stand before them."""

BETWEEN = 1.0
"""Seconds between two lines on how far an engine is."""


def hidden(quiet: bool = False) -> bool:
    """Whether no bar is drawn: lines are printed in its place, or nothing is wanted, or nobody sits at a terminal."""
    return quiet or loudness.quiet or loudness.verbose or not err.is_terminal


class Counting:
    """A bar of items that end in any order."""

    def __init__(self, what: str, names: Sequence[str], *, quiet: bool = False) -> None:
        self.what = what
        self.left = dict.fromkeys(names)
        self._lock = threading.Lock()
        self._bar = Progress(
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=hidden(quiet),
        )
        self._names = list(names)
        self._task = self._bar.add_task(self._words(), total=len(names))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def ended(self, number: int) -> None:
        """The item of this number has ended. Any thread may say so."""
        with self._lock:
            self.left.pop(self._names[number], None)
            done = len(self._names) - len(self.left)
            self._bar.update(self._task, completed=done, description=self._words())
            loudness.say(f"{self.what}: {self._names[number]} is done, {done} of {len(self._names)}")

    def _words(self) -> str:
        names = list(self.left)
        if not names:
            return self.what
        shown = [names[0] if len(names[0]) <= WIDE else f"{names[0][: WIDE - 1]}…"]
        while len(shown) < len(names) and len(", ".join([*shown, names[len(shown)]])) <= WIDE:
            shown.append(names[len(shown)])
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        return f"{self.what}; left: {', '.join(shown)}{more}"


@contextlib.contextmanager
def at_work(name: str, *, quiet: bool = False) -> Iterator[Callable[[str, str], None]]:
    """What to call with the engine at work and how far it is."""
    with Progress(
        BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}"), console=err, transient=True, disable=hidden(quiet)
    ) as bar:
        task = bar.add_task(name, total=None)
        said: tuple[str, float] = ("", 0.0)

        def told(engine: str, text: str) -> None:
            nonlocal said
            bar.update(task, description=f"{name}: {engine} {text}")
            now = time.monotonic()
            if engine != said[0] or now - said[1] >= BETWEEN:
                loudness.say(f"{name}: {engine} {text or 'begins'}")
                said = engine, now

        yield told


@contextlib.contextmanager
def writing(what: str) -> Iterator[Callable[[int, int], None]]:
    """What to call with how many of these have been written, and how many are to be."""
    with Progress(
        BarColumn(20), MofNCompleteColumn(), TextColumn(what), TimeElapsedColumn(), console=err, transient=True, disable=hidden()
    ) as bar:
        task = bar.add_task(what, total=None)
        last = (0, 0)

        def written(done: int, of: int) -> None:
            nonlocal last
            last = (done, of)
            bar.update(task, completed=done, total=of)

        yield written
        loudness.say(f"{what}: {last[0]:,} of {last[1]:,}")
