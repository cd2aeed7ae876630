"""What the hardware held, and what the trace does not say."""

from __future__ import annotations

from typing import Literal

from refmodel.oracle.trace.events.base import Address, Event, Id, Mfn, Page, Word


class Entry(Page, tag="entry", kw_only=True):
    """A dump: a translation as it stands in a table, or in a TLB."""

    mfn: Mfn
    writable: bool
    execute: bool | None = None
    where: Literal["table", "tlb"] = "table"


class Backed(Page, tag="p2m", kw_only=True):
    """A dump: where the monitor says that a page is. ``shared`` if it says so of its frame."""

    mfn: Mfn
    writable: bool | None = None
    shared: bool | None = None


class FrameIs(Event, tag="frame", kw_only=True):
    """A dump: what the monitor says of a frame; ``references`` counts the guest pages that it stands behind."""

    mfn: Mfn
    use: Literal["free", "private", "shared", "table"] | None = None
    references: Id | None = None


class Cell(Event, tag="memory", kw_only=True):
    """A dump: a word of guest memory, wherever it lies."""

    gpa: Address
    value: Word


class Gap(Event, tag="gap", kw_only=True):
    """Events were lost here: nothing is known any more."""
