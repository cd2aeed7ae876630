"""A trace taken event by event: which events have to do with some pages and frames, and what is known before and after each."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import attrs

from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.judge import Judge, judge_trace
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.known_states import (
    MOST_FRAMES,
    MOST_PAGES,
    Concerned,
    State,
    add_names,
    entry_texts,
    known,
)
from refmodel.oracle.trace.naming import names_of
from refmodel.oracle.trace.reading import Source
from refmodel.oracle.trace.tables import Key
from refmodel.oracle.trace.verdicts import Deviation

AROUND = 1000
"""Events that are listed before a line, and from it on."""
KEPT = 256
"""Events whose states are kept, so that going back to them takes no time."""


def concerned_in(words: str) -> Concerned | None:
    """The pages and frames that ``vm 0, gfn 5; mfn 7`` names; None if it says anything else."""
    rest = re.sub(r"\bvm\s*(\d+)[\s,]*gfn\s*(\d+)\b|\bmfn\s*(\d+)\b|[\s,;]", "", words)
    found = re.findall(r"\bvm\s*(\d+)[\s,]*gfn\s*(\d+)\b|\bmfn\s*(\d+)\b", words)
    if rest or not found:
        return None
    return Concerned(tuple((int(vm), int(gfn)) for vm, gfn, _ in found if vm), tuple(int(mfn) for *_, mfn in found if mfn))


def lines(name: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a trace that hold an event, each with its number. Raises ``BadDesign``."""
    for first, block in Source(name).blocks():
        for number, text in enumerate(block.split(b"\n"), first):
            if text.strip():
                yield number, text


# ---------------------------------------------------------------- what an event is about


def is_about(k: Knowledge, event: e.Event, about: Concerned) -> bool:
    """Whether an event has to do with any of this."""
    if isinstance(event, e.Header | e.Gap):
        return True
    if isinstance(event, e.FlushBegin | e.FlushEnd):
        return any(key[0] == event.vm and k.lingering.told(key) for key in about.pages)
    near = names_of(k, event)
    own = near.reads | near.writes
    return (
        any(("page", *key) in own for key in about.pages)
        or any(("frame", mfn) in own for mfn in about.frames)
        or any(("vm", key[0]) in near.writes for key in about.pages)
        or any(
            first <= number <= last
            for before, first, last in near.spans
            for number in [
                *(key[1] for key in about.pages if before == ("page", key[0])),
                *(mfn for mfn in about.frames if before == ("frame",)),
            ]
        )
    )


# ---------------------------------------------------------------- event by event


class Listed(NamedTuple):
    """An event in a list."""

    line: int
    event: str
    """The line itself."""


@attrs.frozen
class Listing:
    """Some of the events of a trace."""

    events: tuple[Listed, ...]
    more_before: int
    """Events that were asked for too, and come before these."""
    more_after: bool
    """Whether the trace goes on."""


@attrs.frozen
class Followed:
    """One event, with what is known of its pages and frames."""

    line: int
    event: e.Event
    text: str
    about: Concerned
    before: State
    after: State
    deviation: Deviation | None
    """What is wrong with it. After it nothing is judged."""

    def changes(self) -> list[tuple[str, str, str]]:
        """The entries that it changed: each place, what was known, and what is."""
        was, now = entry_texts(self.before), entry_texts(self.after)
        return [
            (where, was.get(where, "-"), now.get(where, "-")) for where in sorted({*was, *now}) if was.get(where) != now.get(where)
        ]


class Follower:
    """A trace of refmodel's own format, of which any event can be looked at. Going on takes as long as judging what lies between;
    going back to what was not looked at before takes as long as judging from the beginning."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._seen: dict[int, Followed] = {}
        self._begin()
        self._found = judge_trace(name).deviation if self._waits() else None
        """What deviates, where that is not known at its line: it may wait for events of other CPUs."""

    def _waits(self) -> bool:
        number, text = next(lines(self.name), (0, b"{}"))
        event = self._judge.decode(number, text) if number else None
        return isinstance(event, e.Header) and event.order == "cpu"

    def _begin(self) -> None:
        self._judge, self._lines = Judge(self.name), lines(self.name)
        self._done, self._over = 0, False

    def list(self, wanted: str = "", line: int = 1) -> Listing:
        """The events near a line that have to do with pages and frames, as ``vm 0, gfn 5; mfn 7`` names them; or that contain a
        text. None comes after the first that deviates. Raises ``BadDesign`` for a line that is no event."""
        about, judge = concerned_in(wanted), Judge(self.name)
        before, after, passed = deque[Listed](maxlen=AROUND), list[Listed](), 0
        for number, text in lines(self.name):
            event = judge.decode(number, text)
            if is_about(judge.knowledge, event, about) if about is not None else wanted.encode() in text:
                if len(after) == AROUND:
                    return Listing((*before, *after), passed - len(before), True)
                passed += number < line
                (before if number < line else after).append(Listed(number, text.decode(errors="replace").strip()))
            if judge.one(number, event, text) is not None:
                break
        return Listing((*before, *after), passed - len(before), False)

    def at(self, line: int) -> Followed | None:
        """The event of a line; None if there is none, or one before it deviates. Raises ``BadDesign`` for a line that is no
        event."""
        if line in self._seen:
            return self._seen[line]
        if self._found is not None and line > self._found.line:
            return None
        if line <= self._done or self._over:
            self._begin()
        for number, text in self._lines:
            self._done = number
            event = self._judge.decode(number, text)
            if number == line:
                return self._keep(self._look(line, event, text))
            self._over = number > line or self._judge.one(number, event, text) is not None
            if self._over:
                break
        return None

    def knowledge_at(self, line: int) -> Knowledge | None:
        """What is known after the event of a line; None where ``at`` gives none."""
        if self._done != line:
            self._seen.pop(line, None)
            if self.at(line) is None:
                return None
        return self._judge.knowledge

    def _look(self, line: int, event: e.Event, text: bytes) -> Followed:
        k, pages, frames = self._judge.knowledge, list[Key](), list[int]()
        add_names(k, event, pages, frames)
        before = known(k, Concerned(tuple(pages), tuple(frames)))
        deviation = self._judge.one(line, event, text)
        if self._found is not None and self._found.line == line:
            deviation = self._found
        if deviation is not None:
            self._over = True
            happens_all_the_same(self._judge, event)
        add_names(k, event, pages, frames)
        about = Concerned(tuple(pages[:MOST_PAGES]), tuple(frames[:MOST_FRAMES]))
        told = text.decode(errors="replace").strip()
        return Followed(line, event, told, about, _of(before, about), known(k, about), deviation)

    def _keep(self, seen: Followed) -> Followed:
        if len(self._seen) >= KEPT:
            self._seen.clear()
        self._seen[seen.line] = seen
        return seen


def _of(state: State, about: Concerned) -> State:
    """The part of a state that is about these pages and frames."""
    return {
        table: {key: value for key, value in of_table.items() if key in about.pages or key in about.frames}
        for table, of_table in state.items()
    }


def happens_all_the_same(judge: Judge, event: e.Event) -> None:
    """Carry out an event that deviates, to see the state after it. Nothing is judged after that."""
    judge.finish()
    judge.knowledge.keeps_what_breaks = True
    with contextlib.suppress(Deviates, Inconsistent):
        event.judge(judge.knowledge)
