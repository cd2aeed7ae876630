"""What the monitor did with memory and translations."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from refmodel.oracle.trace.events.base import Address, Count, Event, Gfn, Id, Level, Mfn, Page, Pages


class Ram(Event, tag="ram", kw_only=True):
    """Guest-physical memory of zeroes that is there from the start, however it is backed: ``bytes`` of it at ``gpa``."""

    gpa: Address
    bytes: Annotated[int, Meta(ge=0, le=1 << 52)]


class Populate(Pages, tag="populate", kw_only=True):
    """The monitor gives a VM a page that it has not: a scrubbed frame behind a guest frame. Also how a promise is kept."""

    mfn: Mfn


class Promise(Pages, tag="promise", kw_only=True):
    """A page is promised: one that the guest had not, or one that holds zeroes again and whose frame goes. It has no frame until
    it is populated."""


class Fill(Pages, tag="fill", kw_only=True):
    """Contents arrive in pages: they hold what the source says, which is not told, or zeroes. The pages are there from now on. By
    ``userfaultfd`` a page arrives for an access that waits for it, and holds what its guest has left in it, if that is known."""

    source: Literal["restore", "userfaultfd", "image", "migration", "copy", "other"] = "other"
    zero: bool = False
    mfn: Mfn | None = None
    """The frame, if it is known: of many pages the first of as many frames."""


class Plug(Pages, tag="plug", kw_only=True):
    """A VM gets memory while it runs: of zeroes, or of contents that are not told."""

    zero: bool = True


class Unplug(Pages, tag="unplug", kw_only=True):
    """Memory is taken from a VM: its translations went before."""


class SlotAdd(Event, tag="slot_add", kw_only=True):
    """A memory slot is added (KVM_SET_USER_MEMORY_REGION): its memory is there, its contents are not told, or zeroes."""

    slot: Id
    gfn: Gfn
    pages: Count
    zero: bool = False
    readonly: bool = False


class SlotMove(Event, tag="slot_move", kw_only=True):
    """A memory slot lies elsewhere from now on, with what it holds. The translations of its old place went before."""

    slot: Id
    gfn: Gfn


class SlotDelete(Event, tag="slot_delete", kw_only=True):
    """A memory slot is gone: there is no memory there. Its translations went before."""

    slot: Id


class VmDestroyed(Event, tag="vm_destroyed", kw_only=True):
    """A VM is gone, with its processors: all its frames are free, and nothing of it is cached."""


class Report(Pages, tag="report", kw_only=True):
    """A guest reports pages as free (free page reporting, hinting): they may lose what they hold at any time, and their frames."""


class Move(Event, tag="move", kw_only=True):
    """What a frame holds goes to another, with every page that stands on it (compaction, migration between nodes)."""

    mfn: Mfn
    to_mfn: Mfn
    pages: Annotated[int, Meta(ge=1, le=512)] = 1


class Convert(Pages, tag="convert", kw_only=True):
    """Pages become private to their VM, or shared with the monitor again (guest_memfd). What they held is not relied on."""

    private: bool


class Map(Pages, tag="map", kw_only=True):
    """A translation is installed: an EPT, NPT or shadow leaf. One of ``level`` 2 or 3 maps 512 or 262,144 pages and frames; where
    small ones were, it replaces them (a collapse)."""

    mfn: Mfn
    writable: bool
    execute: bool | None = None
    level: Level = 1


class Split(Page, tag="split", kw_only=True):
    """A leaf of ``level`` 2 or 3 becomes a table of smaller ones that lead where it led, with its rights. It takes no flush."""

    level: Annotated[int, Meta(ge=2, le=3)]


class Unmap(Pages, tag="unmap", kw_only=True):
    """A translation is taken away."""


class Protect(Pages, tag="protect", kw_only=True):
    """The right to write is taken from a page's translation, once. It may be mapped writable again at any time."""


class Unprotect(Pages, tag="unprotect", kw_only=True):
    """The monitor lets stores to a page through again; a copy on swap is good no more. A writable ``map`` does so too."""


class Track(Pages, tag="track", kw_only=True):
    """Writes to a page are tracked from now on (KVM's page tracking): until ``untrack`` no translation lets anybody write to it."""


class Untrack(Pages, tag="untrack", kw_only=True):
    """Writes to a page are tracked no longer."""


class FlushBegin(Event, tag="flush_begin", kw_only=True):
    """Processors are told to forget a VM's cached translations that were taken away before this: all, or those of some pages.

    ``kind`` says by which means; it decides nothing.
    """

    gfn: Gfn | None = None
    pages: Count | None = None
    kind: Literal["invept-single", "invept-all", "invvpid", "asid", "invlpga", "range", "other"] = "other"


class FlushEnd(Event, tag="flush_end", kw_only=True):
    """They all have."""

    gfn: Gfn | None = None
    """The same as in the ``flush_begin``."""


class DmaMap(Pages, tag="dma_map", kw_only=True):
    """The IOMMU maps a page for devices of the VM's, at its guest-physical address."""

    mfn: Mfn
    writable: bool = True


class DmaUnmap(Pages, tag="dma_unmap", kw_only=True):
    """The IOMMU maps pages no longer, and no IOTLB has them cached."""


class Grant(Page, tag="grant", kw_only=True):
    """A page is granted: ``to_vm`` may reach it as its ``to_gfn``."""

    to_vm: Id
    to_gfn: Gfn
    writable: bool = False


class Revoke(Page, tag="revoke", kw_only=True):
    """A grant has ended."""

    to_vm: Id
    to_gfn: Gfn


class Alias(Page, tag="alias", kw_only=True):
    """A guest reaches one page at two addresses, on purpose: this one leads to the page at ``of_gfn``."""

    of_gfn: Gfn
    writable: bool = True


class Free(Event, tag="free", kw_only=True):
    """A frame goes back to the free ones."""

    mfn: Mfn


class Table(Event, tag="table", kw_only=True):
    """A frame becomes one of the monitor's own: a page table, or anything else that no guest may reach."""

    mfn: Mfn


class Abort(Event, tag="abort", kw_only=True):
    """The monitor has given up: BUG, panic, an assertion."""

    why: str = ""
