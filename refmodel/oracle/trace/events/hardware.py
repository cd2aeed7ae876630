"""What the hardware held, and what the trace does not say."""

from __future__ import annotations

from typing import Literal

from refmodel.oracle.trace.events.base import Address, Event, Id, Mfn, Page, Word


class Entry(Page, tag="entry", kw_only=True):
    """A dump: one translation in a page table or in a TLB."""

    mfn: Mfn
    writable: bool
    execute: bool | None = None
    where: Literal["table", "tlb"] = "table"


class Backed(Page, tag="p2m", kw_only=True):
    """A dump: the frame that the monitor records for a page. ``shared`` says whether the monitor records the frame as shared."""

    mfn: Mfn
    writable: bool | None = None
    shared: bool | None = None


class FrameIs(Event, tag="frame", kw_only=True):
    """A dump: what the monitor records of a frame. ``references`` is the number of guest pages in the frame."""

    mfn: Mfn
    use: Literal["free", "private", "shared", "table"] | None = None
    references: Id | None = None


class Cell(Event, tag="memory", kw_only=True):
    """A dump: one word of guest memory, in whatever frame it is."""

    gpa: Address
    value: Word


class Gap(Event, tag="gap", kw_only=True):
    """Events of the trace were lost, so the judge treats all state as unknown from now on."""
