"""What an event comes to for all pages and frames of one shape, and how it is done to some of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import attrs

from refmodel.oracle.trace.ballooned import LOOKED_AT, become_other
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.knowledge import Knowledge, Lingering
from refmodel.oracle.trace.shapes import Shape, held_by
from refmodel.oracle.trace.tables import Key

put = dict.__setitem__


class Template:
    """A record with its names left out."""

    __slots__ = ("cls", "parts")

    def __init__(self, cls: type, parts: tuple[tuple[str, Any], ...]) -> None:
        self.cls, self.parts = cls, parts
        """Of each field: of which sort it is a name, and the place of what it names; or no sort, and the value."""

    def filled(self, pages: Sequence[Key], frames: Sequence[int]) -> Any:
        """The record for these."""
        return self.cls(
            *[
                value if sort == "" else frames[value] if sort == "Mfn" else pages[value][sort == "Gfn"]
                for sort, value in self.parts
            ]
        )


@functools.lru_cache(maxsize=1 << 12)
def template(cls: type, parts: tuple[tuple[str, Any], ...]) -> Template:
    """The one template of a record: what is made by it for a page is kept as long as the page has its frames."""
    return Template(cls, parts)


@attrs.frozen
class Made:
    """Contents that came to be held, of which nothing is known but this. Numbers are places in ``held_by``."""

    copy: int | None
    zeroed: bool
    either: int | None
    """Of what ``either`` is a copy."""
    former: int | None
    forgets: bool
    """Whether ``former`` is not that of what it is a copy of."""

    def made(self, held: list[Any]) -> Contents:
        new: Contents = Contents(zeroed=self.zeroed) if self.copy is None else held[self.copy].copy()
        if self.either is not None:
            new.either = held[self.either].copy()
        if self.former is not None:
            new.former = held[self.former]
        elif self.forgets:
            new.former = None
        return new


@attrs.frozen(eq=False)
class OfPage:
    """What comes to be of a page, beside the tables. Numbers are places of frames, but for those that are kept."""

    page: int
    cached: tuple[tuple[int, ...], tuple[tuple[Template, bool], ...]] | None
    """Of the translations that may be cached: the places of those that still may, and those that are added."""
    behind: tuple[int, ...] | None
    reached: tuple[int, ...] | None
    looks: tuple[bool, bool] | None
    """Of what it holds afterwards, if that is kept: ``plain`` and ``shut``."""


@attrs.define(eq=False)
class Step:
    """What an event comes to."""

    needs: tuple[tuple[int, ...], ...]
    """Contents that have to be equal, or one that has to be zeroes: places in ``held_by``."""
    ticks: int
    writes: tuple[tuple[str, int, Any, Any], ...]
    """The table; the place of the page, or of the frame counted from -1 down; the value, or how it is made."""
    contents: tuple[Made, ...] | None
    """What came to be held; None if contents stay where they are."""
    pages: tuple[OfPage, ...]
    shape: Shape | None
    """That of the first page afterwards, if it has to do with no other."""
    frames: tuple[int, ...] | None
    """The places of the frames that it has to do with afterwards, if they are others."""
    after: Any = None
    """Whatever is kept by the shape afterwards."""
    idle: bool = False
    """Whether nothing is done, and nothing changes."""

    is_counted: bool = attrs.field(init=False)
    """Whether it may change what is in a balloon."""
    is_of_one_page: bool = attrs.field(init=False)
    """Whether only tables of the first page are written to, and contents stay where they are. Then these are its writes:"""
    values: tuple[tuple[str, Any], ...] = attrs.field(init=False)
    """The table, and the value."""
    records: tuple[tuple[str, Template], ...] = attrs.field(init=False)
    """The table, and how the value is made."""

    def __attrs_post_init__(self) -> None:
        self.is_counted = any(name in LOOKED_AT for name, *_ in self.writes)
        self.is_of_one_page = self.contents is None and all(at == 0 for _, at, _, _ in self.writes)
        self.values = tuple((name, value) for name, _, value, how in self.writes if how is None)
        self.records = tuple((name, how) for name, _, _, how in self.writes if how is not None)

    def does_nothing(self) -> bool:
        return not self.writes and not self.pages and self.contents is None and self.frames is None


def may_be_done(k: Knowledge, step: Step, pages: tuple[Key, ...], frames: tuple[int, ...]) -> bool:
    """Whether contents are as they have to be."""
    held: list[Any] = held_by(k, pages, frames)
    return all(held[which[0]].is_zero() if len(which) == 1 else held[which[0]] == held[which[1]] for which in step.needs)


HELD = "held"
"""In a write: the value is a place in ``held_by``, and after that in ``contents``."""


def do(k: Knowledge, step: Step, pages: tuple[Key, ...], frames: tuple[int, ...], made: dict[Template, Any]) -> None:
    """Do this to pages and frames. ``made``: the records that were made for them before."""
    tables = k.tables
    k.time += step.ticks
    if step.is_of_one_page:
        key = pages[0]
        for name, value in step.values:
            put(tables[name], key, value)
        for name, how in step.records:
            record = made.get(how)
            if record is None:
                record = made[how] = how.filled(pages, frames)
            put(tables[name], key, record)
    else:
        _write(k, step, pages, frames, made)
    if step.is_counted and k.balloons:
        become_other(k, pages)
    for done in step.pages:
        key = pages[done.page]
        if done.cached is not None:
            _cached(k, key, done.cached, pages, frames, made)
        if done.behind is not None:
            k.behind.put(key, [frames[at] for at in done.behind])
        if done.reached is not None:
            k.reached.put(key, [frames[at] for at in done.reached])
        if done.looks is not None:
            page = k.pages[key]
            page.plain, page.shut = done.looks


def _write(k: Knowledge, step: Step, pages: tuple[Key, ...], frames: tuple[int, ...], made: dict[Template, Any]) -> None:
    """Write what a step says to the tables."""
    tables = k.tables
    held: list[Any] = [] if step.contents is None else _held(k, step.contents, pages, frames)
    for name, at, value, how in step.writes:
        if how is None:
            put(tables[name], pages[at] if at >= 0 else frames[-1 - at], value)
        elif how is HELD:
            put(tables[name], pages[at] if at >= 0 else frames[-1 - at], held[value])
        else:
            record = made.get(how)
            if record is None:
                record = made[how] = how.filled(pages, frames)
            put(tables[name], pages[at] if at >= 0 else frames[-1 - at], record)
        if at < 0:
            k.mentioned_frames.add(0, frames[-1 - at])


def _held(k: Knowledge, contents: tuple[Made, ...], pages: tuple[Key, ...], frames: tuple[int, ...]) -> list[Any]:
    """What pages, copies and frames hold, and what comes to be held."""
    held: list[Any] = held_by(k, pages, frames)
    held += [each.made(held) for each in contents]
    return held


def _cached(
    k: Knowledge,
    key: Key,
    cached: tuple[tuple[int, ...], tuple[tuple[Template, bool], ...]],
    pages: tuple[Key, ...],
    frames: tuple[int, ...],
    made: dict[Template, Any],
) -> None:
    """Translations may be cached, or are no longer."""
    kept, added = cached
    now: tuple[Lingering, ...] = ()
    if kept:
        old = k.lingering[key]
        now = tuple([old[at] for at in kept])
    for template, protects in added:
        record = made.get(template)
        if record is None:
            record = made[template] = template.filled(pages, frames)
        now = (*now, Lingering(record, k.time, protects))
    put(k.lingering, key, now)
    of_vm = k.cached.get(key[0])
    if of_vm is None:
        of_vm = k.cached[key[0]] = set()
    if now:
        of_vm.add(key[1])
    else:
        of_vm.discard(key[1])
