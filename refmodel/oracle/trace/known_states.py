"""What the events of a trace have told of some pages and frames so far, and how it is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import attrs

from refmodel.engines.words import place, shown
from refmodel.language.kinds import Kind, TableKind
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.concerned import OUTLINE
from refmodel.oracle.trace.contents import Contents, Reported
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.naming import names_of
from refmodel.oracle.trace.shapes import as_kept
from refmodel.oracle.trace.tables import Key, Nowhere, Open

MOST_PAGES, MOST_FRAMES = 6, 8
"""Pages and frames that an event is taken to be about."""
MOST_TOLD = 6
"""Entries that are told of what a deviation is about."""
CACHED = "may_be_cached"
"""The translations that were taken away and may be cached, as a table."""
TABLES: tuple[TableKind, ...] = (*OUTLINE.tables, attrs.evolve(OUTLINE.table("derived"), name=CACHED))
"""The tables of which something may be known."""
KIND = {kind.name: kind for kind in TABLES}
State: TypeAlias = dict[str, dict[Any, Any]]
"""By table: what is known of its entries, but of those that are as if nothing had happened."""


@attrs.frozen
class Concerned:
    """Some pages, as ``(vm, gfn)``, and frames."""

    pages: tuple[Key, ...]
    frames: tuple[int, ...]

    def words(self) -> str:
        of_pages = ", ".join(f"vm {vm}, gfn {gfn}" for vm, gfn in self.pages)
        return "; ".join(filter(None, [of_pages, ", ".join(f"mfn {mfn}" for mfn in self.frames)]))


def add_names(k: Knowledge, event: e.Event, pages: list[Key], frames: list[int]) -> None:
    """Add the pages and frames that an event has to do with, and the frames that these pages are in."""
    near = names_of(k, event)
    for name in sorted(near.reads | near.writes, key=str):
        if name[0] == "page" and (name[1], name[2]) not in pages:
            pages.append((name[1], name[2]))
        elif name[0] == "frame" and name[1] not in frames:
            frames.append(name[1])
    frames += frames_behind(k, pages, frames)


def frames_behind(k: Knowledge, pages: Sequence[Key], frames: Sequence[int]) -> list[int]:
    """The frames that these pages are in, and that are not among these."""
    found = [entry.mfn for entry in map(k.backing, pages) if entry is not None and entry.resident]
    return [mfn for mfn in dict.fromkeys(found) if mfn not in frames]


def known(k: Knowledge, about: Concerned) -> State:
    """What is known of these pages and frames; what is as if nothing had happened is left out."""
    state: State = {}
    for kind in OUTLINE.tables:
        sorts = [getattr(key, "sort", "") for key in kind.keys]
        keys: Sequence[Any] = about.pages if sorts == ["Vm", "Gfn"] else about.frames if sorts == ["Mfn"] else ()
        state[kind.name] = {}
        for key in keys:
            value = as_kept(k.tables[kind.name], key)
            if isinstance(value, bool | Reported) and kind.name in ("bare_memory", "destination"):
                value = value.contents() if isinstance(value, Reported) else Contents(zeroed=value)
            if value is Open or value is Nowhere:
                continue
            if (value.words or value.zeroed) if isinstance(value, Contents) else value != kind.value.default():
                state[kind.name][key] = value.copy() if isinstance(value, Contents) else value
    state[CACHED] = {key: cached[-1].derived for key in about.pages if (cached := k.lingering.told(key))}
    return state


def said(kind: Kind, value: Any) -> str:
    """A value in words; of contents, the first words that are known."""
    if value is None:
        return "-"
    if isinstance(value, Contents):
        words = [f"{at}: {word if isinstance(word, int) else 'partly known'}" for at, word in sorted(value.words.items())[:2]]
        more = "; …" if len(value.words) > 2 else ""
        return "zeroes" if value.zeroed and not words else "{" + "; ".join(words) + more + "}"
    return shown(kind, value)


def entry_texts(state: State) -> dict[str, str]:
    """What is known in words, by place: ``p2m[vm0, gfn5]`` and ``mapped, mfn7``."""
    return {
        f"{table}[{place(KIND[table], key)}]": said(KIND[table].value, value)
        for table, of_table in state.items()
        for key, value in of_table.items()
    }


def told_of(k: Knowledge, event: e.Event, names: dict[str, int]) -> tuple[str, ...]:
    """What is known of the page and the frames that a law is broken for, or else of those that the event is about; in words."""
    pages = [(names["vm"], names["gfn"])] if {"vm", "gfn"} <= names.keys() else []
    frames = [names["mfn"]] if "mfn" in names else []
    if not pages and not frames:
        add_names(k, event, pages, frames)
    frames += frames_behind(k, pages, frames)
    state = known(k, Concerned(tuple(sorted(pages)[:MOST_PAGES]), tuple(sorted(frames)[:MOST_FRAMES])))
    first = {table: state.pop(table) for table in ("p2m", "derived", CACHED, "frames")}
    state.pop("plugged")  # what is backed is plugged
    return tuple(f"{where}: {text}" for where, text in entry_texts({**first, **state}).items())[:MOST_TOLD]
