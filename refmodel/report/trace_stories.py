"""A trace that deviates as a story: the history of the pages concerned, and the state after each of its events."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from refmodel.engines.words import place, shown
from refmodel.language.kinds import Kind, TableKind
from refmodel.language.tables import NOTHING
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.concerned import LOOKED_AT, OUTLINE
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.holding import BY_DEVICES, STALE
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.naming import names_of
from refmodel.oracle.trace.reading import Source
from refmodel.oracle.trace.shapes import as_kept
from refmodel.oracle.trace.tables import Key, Nowhere, Open
from refmodel.oracle.trace.verdicts import Deviation
from refmodel.report.pictures import Marked, Picture, State, frame_fields, picture
from refmodel.report.stories import Change, Story, StoryStep, Verdict

LAST = 25
"""Events of a history that are drawn."""
MOST_PAGES, MOST_FRAMES = 6, 8
"""Pages and frames that are drawn."""
LONGEST = 600
"""Letters of a line that are shown."""
CACHED = "may_be_cached"
"""The translations that were taken away and may be cached, as a table."""


@attrs.frozen
class _Drawn:
    """The tables that are drawn."""

    tables: tuple[TableKind, ...]


DRAWN = _Drawn((*OUTLINE.tables, attrs.evolve(OUTLINE.table("derived"), name=CACHED)))
KINDS = {kind.name: kind for kind in DRAWN.tables}


@attrs.frozen
class Concerned:
    """The pages and frames that a deviation is about."""

    pages: tuple[Key, ...]
    frames: tuple[int, ...]

    def words(self) -> str:
        of_pages = ", ".join(f"vm {vm}, gfn {gfn}" for vm, gfn in self.pages)
        return "; ".join(filter(None, [of_pages, ", ".join(f"mfn {mfn}" for mfn in self.frames)]))


def of_trace(name: str, deviation: Deviation) -> Story:
    """The history of what a deviation is about. The file is read again twice, up to there: to see what that is, and for this."""
    about = _concerned(name, deviation)
    judge, steps = Judge(name), deque[StoryStep](maxlen=LAST)
    before: State = {}
    for line, text in _lines(name, deviation.line):
        event = judge.decode(line, text)
        last = line == deviation.line
        shows = last or _is_about(judge.knowledge, event, about)
        _judge(judge, line, event, text, last)
        if shows:
            state = known(judge.knowledge, about)
            steps.append(_step(line, event, text, state, before, deviation if last else None))
            before = state
    return Story(f"{name}: line {deviation.line} breaks {deviation.clause}", tuple(steps), history=about.words())


def _judge(judge: Judge, line: int, event: e.Event, text: bytes, last: bool) -> None:
    """Judge an event; the last happens though it deviates."""
    if not last:
        judge.one(line, event, text)
        return
    judge.finish()
    judge.knowledge.keeps_what_breaks = True
    with contextlib.suppress(Deviates, Inconsistent):
        event.judge(judge.knowledge)


def _concerned(name: str, deviation: Deviation) -> Concerned:
    """What a deviation is about: what it names, and what has to do with that just before and after the event."""
    judge = Judge(name)
    names = dict(deviation.names)
    pages = [(names["vm"], names["gfn"])] if {"vm", "gfn"} <= set(names) else []
    frames = [names["mfn"]] if "mfn" in names else []
    for line, text in _lines(name, deviation.line):
        event = judge.decode(line, text)
        last = line == deviation.line
        if last:
            _add_names(judge.knowledge, event, pages, frames)
        _judge(judge, line, event, text, last)
        if last:
            _add_names(judge.knowledge, event, pages, frames)
    return Concerned(tuple(pages[:MOST_PAGES]), tuple(frames[:MOST_FRAMES]))


def _add_names(k: Knowledge, event: e.Event, pages: list[Key], frames: list[int]) -> None:
    near = names_of(k, event)
    for name in sorted(near.reads | near.writes, key=str):
        if name[0] == "page" and (name[1], name[2]) not in pages:
            pages.append((name[1], name[2]))
        elif name[0] == "frame" and name[1] not in frames:
            frames.append(name[1])
    for key in list(pages):
        entry = k.backing(key)
        if entry is not None and entry.resident and entry.mfn not in frames:
            frames.append(entry.mfn)


def _is_about(k: Knowledge, event: e.Event, about: Concerned) -> bool:
    """Whether an event has to do with any of this."""
    if isinstance(event, e.Header | e.Gap):
        return True
    if isinstance(event, e.FlushBegin | e.FlushEnd):
        return any(key[0] == event.vm and k.lingering.told(key) for key in about.pages)
    near = names_of(k, event)
    own = near.reads | near.writes
    return (any(("page", *key) in own for key in about.pages) or any(("frame", mfn) in own for mfn in about.frames)
            or any(("vm", key[0]) in near.writes for key in about.pages)
            or any(first <= number <= last for before, first, last in near.spans
                   for number in [*(key[1] for key in about.pages if before == ("page", key[0])),
                                  *(mfn for mfn in about.frames if before == ("frame",))]))


def _lines(name: str, last: int) -> Iterator[tuple[int, bytes]]:
    for first, block in Source(name).blocks():
        for number, text in enumerate(block.split(b"\n"), first):
            if number > last:
                return
            if text.strip():
                yield number, text


def known(k: Knowledge, about: Concerned) -> dict[str, dict[Any, Any]]:
    """What is known of these pages and frames, by table; what is as if nothing had happened is left out."""
    state: dict[str, dict[Any, Any]] = {}
    for kind in OUTLINE.tables:
        sorts = [getattr(key, "sort", "") for key in kind.keys]
        keys: Sequence[Any] = about.pages if sorts == ["Vm", "Gfn"] else about.frames if sorts == ["Mfn"] else ()
        state[kind.name] = {}
        for key in keys:
            value = as_kept(k.tables[kind.name], key)
            if isinstance(value, bool) and kind.name in ("bare_memory", "destination"):
                value = Contents(zeroed=value)
            if value is Open or value is Nowhere:
                continue
            if (value.words or value.zeroed) if isinstance(value, Contents) else value != kind.value.default():
                state[kind.name][key] = value.copy() if isinstance(value, Contents) else value
    state[CACHED] = {key: cached[-1].derived for key in about.pages if (cached := k.lingering.told(key))}
    return state


def _step(line: int, event: e.Event, text: bytes, state: State, before: State, found: Deviation | None) -> StoryStep:
    """An event, and the state after it."""
    def words(of: State, table: str, key: Any) -> str:
        return said(KINDS[table].value, of.get(table, {}).get(key))

    changed = frozenset((table, key) for table in state for key in {*state[table], *before.get(table, {})}
                        if words(state, table, key) != words(before, table, key))
    changes = tuple(Change(f"{table.replace('_', ' ')}[{place(KINDS[table], key)}]", words(before, table, key),
                           words(state, table, key)) for table, key in sorted(changed, key=str)[:12])
    verdict, broken, fields = None, frozenset[tuple[str, Any]](), None
    if found is not None:
        verdict = Verdict(found.clause, found.law.replace("_", " "), found.sentence, _decimal(found.why),
                          tuple(map(_decimal, found.expected)))
        broken = offending(state, found)
        fields = frozenset({"mfn"})
    told = text.decode(errors="replace").strip()
    return StoryStep(f"line {line}: {event.__struct_config__.tag}", told if len(told) <= LONGEST else told[:LONGEST] + " …",
                     changes if before else (), None, verdict,
                     picture(DRAWN, state, Marked(changed if before else frozenset(), broken, fields=fields), said))


def _decimal(words: str) -> str:
    """Numbers of pages, frames and addresses as the trace has them."""
    return re.sub(r"\b(gfn|mfn|offset|gpa|value) (0x[0-9a-f]+)",
                  lambda found: f"{found[1]} {int(found[2], 16)} ({found[2]})", words)


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
    leading = [name for name in tables if frame_fields(KINDS[name].value)]
    return frozenset((name, key) for name in (leading or tables)[:1])


def said(kind: Kind, value: Any) -> str:
    """A value in words; of contents, the first words that are known."""
    if value is None:
        return "-"
    if isinstance(value, Contents):
        words = [f"{at}: {word if isinstance(word, int) else 'partly known'}" for at, word in sorted(value.words.items())[:2]]
        more = "; …" if len(value.words) > 2 else ""
        return "zeroes" if value.zeroed and not words else "{" + "; ".join(words) + more + "}"
    return shown(kind, value)


def of_lines(title: str, lines: Sequence[str], verdict: Verdict) -> Story:
    """Lines only, where the trace cannot be read again."""
    empty = Picture(0, 0, 0, (), (), (), ())
    steps = [StoryStep(f"event {number}", text[:LONGEST], (), None, verdict if number == len(lines) else None, empty)
             for number, text in enumerate(lines, 1)]
    return Story(title, tuple(steps))
