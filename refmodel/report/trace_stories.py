"""A trace that deviates as a story: the history of the pages concerned, and the state after each of its events."""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from refmodel.engines.words import place
from refmodel.language.kinds import NameKind, TableKind
from refmodel.language.tables import NOTHING
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.concerned import LOOKED_AT, OUTLINE
from refmodel.oracle.trace.following import happens_all_the_same, is_about, lines
from refmodel.oracle.trace.holding import BY_DEVICES, STALE
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.known_states import (
    CACHED,
    KIND,
    MOST_FRAMES,
    MOST_PAGES,
    TABLES,
    Concerned,
    State,
    add_names,
    known,
    said,
)
from refmodel.oracle.trace.verdicts import Deviation
from refmodel.report.pictures import Marked, Picture, frame_fields, picture
from refmodel.report.stories import Change, Story, StoryStep, Verdict

LAST = 25
"""Events of a history that are drawn."""
LONGEST = 600
"""Letters of a line that are shown."""


@attrs.frozen
class _Drawn:
    """The tables that are drawn."""

    tables: tuple[TableKind, ...]
    actors: NameKind = NameKind("Vm")
    arbitrary: tuple[str, ...] = ()
    constant: frozenset[str] = frozenset()


DRAWN = _Drawn(TABLES)


def of_trace(name: str, deviation: Deviation) -> Story:
    """The history of what a deviation is about. The file is read again twice, up to there: to see what that is, and for this."""
    return of_pages(name, _concerned(name, deviation), deviation.line, deviation)


def of_pages(name: str, about: Concerned, line: int, deviation: Deviation | None = None) -> Story:
    """The history of some pages and frames up to a line; ``deviation`` is what is wrong with that line. Raises ``BadDesign`` for a
    line that is no event."""
    title = f"{name}: up to line {line}" if deviation is None else f"{name}: line {line} breaks {deviation.clause}"
    return Story(title, tuple(_history(name, about, line, deviation)), history=about.words())


def _history(name: str, about: Concerned, until: int, deviation: Deviation | None) -> Iterable[StoryStep]:
    """The last events that are about this."""
    judge, steps = Judge(name), deque[StoryStep](maxlen=LAST)
    before: State = {}
    for line, text in _up_to(name, until):
        event = judge.decode(line, text)
        found = deviation if line == until else None
        shows = found is not None or is_about(judge.knowledge, event, about)
        _judge(judge, line, event, text, found is not None)
        if shows:
            state = known(judge.knowledge, about)
            steps.append(_step(line, event, text, state, before, found))
            before = state
    return steps


def _up_to(name: str, until: int) -> Iterator[tuple[int, bytes]]:
    return itertools.takewhile(lambda each: each[0] <= until, lines(name))


def _judge(judge: Judge, line: int, event: e.Event, text: bytes, deviates: bool) -> None:
    """Judge an event; one that deviates happens all the same."""
    if deviates:
        happens_all_the_same(judge, event)
    else:
        judge.one(line, event, text)


def _concerned(name: str, deviation: Deviation) -> Concerned:
    """What a deviation is about: what it names, and what has to do with that just before and after the event."""
    judge = Judge(name)
    names = dict(deviation.names)
    pages = [(names["vm"], names["gfn"])] if {"vm", "gfn"} <= set(names) else []
    frames = [names["mfn"]] if "mfn" in names else []
    for line, text in _up_to(name, deviation.line):
        event = judge.decode(line, text)
        last = line == deviation.line
        if last:
            add_names(judge.knowledge, event, pages, frames)
        _judge(judge, line, event, text, last)
        if last:
            add_names(judge.knowledge, event, pages, frames)
    return Concerned(tuple(pages[:MOST_PAGES]), tuple(frames[:MOST_FRAMES]))


def _step(line: int, event: e.Event, text: bytes, state: State, before: State, found: Deviation | None) -> StoryStep:
    """An event, and the state after it."""

    def words(of: State, table: str, key: Any) -> str:
        return said(KIND[table].value, of.get(table, {}).get(key))

    changed = frozenset(
        (table, key)
        for table in state
        for key in {*state[table], *before.get(table, {})}
        if words(state, table, key) != words(before, table, key)
    )
    changes = tuple(
        Change(f"{table.replace('_', ' ')}[{place(KIND[table], key)}]", words(before, table, key), words(state, table, key))
        for table, key in sorted(changed, key=str)[:12]
    )
    verdict, broken, fields = None, frozenset[tuple[str, Any]](), None
    if found is not None:
        verdict = Verdict(
            found.clause, found.law.replace("_", " "), found.sentence, _decimal(found.why), tuple(map(_decimal, found.expected))
        )
        broken = offending(state, found)
        fields = frozenset({"mfn"})
    told = text.decode(errors="replace").strip()
    return StoryStep(
        f"line {line}: {event.__struct_config__.tag}",
        told if len(told) <= LONGEST else told[:LONGEST] + " …",
        changes if before else (),
        None,
        verdict,
        picture(DRAWN, state, Marked(changed if before else frozenset(), broken, fields=fields), said),
    )


def _decimal(words: str) -> str:
    """Numbers of pages, frames and addresses as the trace has them."""
    return re.sub(
        r"\b(gfn|mfn|offset|gpa|value) (0x[0-9a-f]+)", lambda found: f"{found[1]} {int(found[2], 16)} ({found[2]})", words
    )


def offending(state: State, found: Deviation) -> frozenset[tuple[str, Any]]:
    """The entry that breaks the law: in the law's own text, the first of those that lead somewhere; or the first of all."""
    names = dict(found.names)
    key: Any = (names["vm"], names["gfn"]) if {"vm", "gfn"} <= set(names) else names.get("mfn", NOTHING)
    if STALE in found.why and key in state[CACHED]:
        return frozenset({(CACHED, key)})
    if BY_DEVICES in found.why and key in state["dma"]:
        return frozenset({("dma", key)})
    law = next((law for law in OUTLINE.laws if law.name == found.law), None)
    if law is None:
        return frozenset()
    text = [name for name in law.function.__code__.co_names if name in LOOKED_AT[law]]
    tables = [name for name in dict.fromkeys([*text, *sorted(LOOKED_AT[law])]) if key in state.get(name, {})]
    leading = [name for name in tables if frame_fields(KIND[name].value)]
    return frozenset((name, key) for name in (leading or tables)[:1])


def of_lines(title: str, lines: Sequence[str], verdict: Verdict) -> Story:
    """Lines only, where the trace cannot be read again."""
    empty = Picture(0, 0, 0, (), (), (), ())
    steps = [
        StoryStep(f"event {number}", text[:LONGEST], (), None, verdict if number == len(lines) else None, empty)
        for number, text in enumerate(lines, 1)
    ]
    return Story(title, tuple(steps))
