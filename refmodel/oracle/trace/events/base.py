"""What all events have in common, and the header of a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

VERSION = 2
WINDOW = 64
"""Lines that two CPUs' events may be apart and still be swapped, where the header does not say."""
LAST_GFN, LAST_MFN = (1 << 40) - 1, (1 << 63) - 1
"""The last guest frame, and the last machine frame, that there can be."""

Id: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""Somebody's own number for a VM, a CPU, a frame, a slot: only whether two are the same matters."""
Address: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 52) - 1, description="guest-physical, in bytes")]
Gfn: TypeAlias = Annotated[int, Meta(ge=0, le=LAST_GFN, description="a guest frame number: a guest-physical address / 4096")]
Mfn: TypeAlias = Annotated[int, Meta(ge=0, le=LAST_MFN, description="the implementation's name for a machine frame")]
Value: TypeAlias = Annotated[int, Meta(ge=0, description="at most 8 * size bits")]
Word: TypeAlias = Annotated[int, Meta(ge=0, description="64 bits at most")]
Size: TypeAlias = Annotated[int, Meta(ge=1, le=4096, description="in bytes")]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 28, description="how many pages of 4 KiB, from this one on")]
Level: TypeAlias = Annotated[int, Meta(ge=1, le=3, description="the level of a leaf: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB")]


class Event(msgspec.Struct, forbid_unknown_fields=True, tag_field="e", gc=False):
    """What every event may say besides: ``seq``, its number, one more than that of the event before; ``cpu``, the implementation's;
    ``vm``; ``at``, where in the implementation's source it was told, such as ``mmu.c:120``; ``time``, when it happened, by a clock
    that counts in any unit."""

    vm: Id = 0
    cpu: Id = 0
    seq: Id | None = None
    at: str | None = None
    time: Id | None = None

    def judge(self, k: Knowledge) -> None:
        """Hold this event against what is known; raises ``Deviates``."""
        k.judged(self)


class Header(Event, tag="trace", kw_only=True):
    """The first line, if there is one: the version of the format and what the implementation promises to tell.

    ``start``: ``power-on`` if no memory has been given to anybody before the trace begins, ``running`` if anything may have
    happened before. ``flushes``: ``told`` if a translation that was taken away may still be cached until a ``flush_end``,
    ``implied`` if taking it away includes that. ``marks``: ``late`` if the dirty log may note a store after it has happened,
    as with PML and vhost.
    ``silent``: kinds of events that happen without being told.
    ``order``: ``cpu`` if only the events of one CPU are in the order in which they happened, and ``seq`` counts those of a CPU.
    Then events of two CPUs whose lines are at most ``window`` apart may have happened in the other order. With ``skew``, those that
    have a ``time`` may have if their times are at most that far apart, however far apart their lines are.
    Neither field is lawful without that order.
    """

    version: Literal[1, 2] = 2
    name: str = ""
    start: Literal["power-on", "running"] = "running"
    flushes: Literal["told", "implied"] = "implied"
    marks: Literal["before", "late"] = "before"
    silent: tuple[str, ...] = ()
    order: Literal["total", "cpu"] = "total"
    window: Annotated[int, Meta(ge=1, le=4096)] | None = None
    skew: Id | None = None


class Page(Event, kw_only=True):
    """An event about one page of a VM's."""

    gfn: Gfn


class Pages(Page, kw_only=True):
    """An event about pages of a VM's that follow each other: ``pages`` of them, or those whose bit is set in ``bits``; one page
    without either. An event has no more than one of the two fields.

    ``bits`` is a bitmap in hexadecimal, byte by byte as KVM_GET_DIRTY_LOG gives it: bit 0 of the first byte is the first page.
    """

    pages: Count | None = None
    bits: Annotated[str, Meta(pattern="^([0-9a-f]{2})*$", max_length=1 << 16)] | None = None

    @property
    def is_of_one_page(self) -> bool:
        """Whether it is about the page ``gfn`` and no other."""
        return self.bits is None and (self.pages is None or self.pages == 1)

    def runs(self) -> Iterator[tuple[int, int]]:
        """The first and the last page of each stretch that the event is about."""
        if self.bits is None:
            yield self.gfn, self.gfn + (self.pages or 1) - 1
            return
        start: int | None = None
        at = self.gfn
        for byte in bytes.fromhex(self.bits):
            if start is not None and byte == 0xFF:
                at += 8
                continue
            for bit in range(8 if byte or start is not None else 0):
                if byte >> bit & 1:
                    start = at + bit if start is None else start
                elif start is not None:
                    yield start, at + bit - 1
                    start = None
            at += 8
        if start is not None:
            yield start, at - 1
