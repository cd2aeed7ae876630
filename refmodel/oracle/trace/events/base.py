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
Address: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 52) - 1, description="a guest-physical address, in bytes")]
Gfn: TypeAlias = Annotated[int, Meta(ge=0, le=LAST_GFN, description="a guest frame number: a guest-physical address / 4096")]
Mfn: TypeAlias = Annotated[int, Meta(ge=0, le=LAST_MFN, description="the implementation's number for a machine frame")]
Value: TypeAlias = Annotated[int, Meta(ge=0, description="a value of at most 8 * size bits")]
Word: TypeAlias = Annotated[int, Meta(ge=0, description="a word of at most 64 bits")]
Size: TypeAlias = Annotated[int, Meta(ge=1, le=4096, description="the size in bytes")]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 28, description="the number of 4 KiB pages, beginning with this page")]
SlotPages: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 40, description="the number of 4 KiB pages of the slot")]
Level: TypeAlias = Annotated[int, Meta(ge=1, le=3, description="the level of a leaf: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB")]


class Event(msgspec.Struct, forbid_unknown_fields=True, tag_field="e", gc=False):
    """Every event may have these fields. ``seq`` is the event's number, one more than that of the event before. ``cpu`` is the
    implementation's number of the CPU, and ``vm`` that of the VM. ``at`` is the place in the implementation's source that reported
    the event, such as ``mmu.c:120``. ``time`` is when the event happened, by a clock of any unit."""

    vm: Id = 0
    cpu: Id = 0
    seq: Id | None = None
    at: str | None = None
    time: Id | None = None

    def judge(self, k: Knowledge) -> None:
        """Hold this event against what is known; raises ``Deviates``."""
        k.judged(self)


class Header(Event, tag="trace", kw_only=True):
    """The optional first line of a trace: the version of the format, and what the implementation promises to report.

    ``start``: ``power-on`` if no VM had memory before the trace begins, ``running`` if anything may have happened before.
    ``flushes``: ``told`` if a removed translation may stay cached until a ``flush_end``, ``implied`` if its removal includes the
    flush. ``marks``: ``late`` if the dirty log may record a store after the store has happened, as with PML and vhost.
    ``silent``: kinds of events that happen without being reported.
    ``order``: ``cpu`` if only the events of one CPU are in the order in which they happened, and ``seq`` counts those of a CPU.
    Then events of two CPUs whose lines are at most ``window`` apart may have happened in the other order. With ``skew``, events
    that have a ``time`` may have happened in the other order if their times are at most ``skew`` apart, however far apart their
    lines are. Without ``order``: ``cpu``, neither field is lawful.
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
    """An event about one page of a VM."""

    gfn: Gfn


class Pages(Page, kw_only=True):
    """An event about consecutive pages of a VM: about ``pages`` of them, or about those whose bit is set in ``bits``, or about one
    page if the event has neither field. No event has both fields.

    ``bits`` is a bitmap in hexadecimal, byte by byte as in KVM_GET_DIRTY_LOG: bit 0 of the first byte is the first page.
    """

    pages: Count | None = None
    bits: Annotated[str, Meta(pattern=r"^([0-9a-f]{2})*(?!\n)$", max_length=1 << 16)] | None = None

    @property
    def is_of_one_page(self) -> bool:
        """Whether it is about the page ``gfn`` and no other."""
        return self.bits is None and (self.pages is None or self.pages == 1)

    @property
    def is_of_no_page(self) -> bool:
        """Whether no bit of its bitmap is set."""
        return self.bits is not None and not self.bits.strip("0")

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
