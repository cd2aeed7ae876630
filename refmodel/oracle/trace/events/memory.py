"""What the monitor did with memory and translations."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from refmodel.oracle.trace.events.base import Address, Count, Event, Gfn, Id, Level, Mfn, Page, Pages, SlotPages


class Ram(Event, tag="ram", kw_only=True):
    """A VM has ``bytes`` bytes of guest-physical memory at ``gpa`` from the start, which hold zeroes, with or without frames."""

    gpa: Address
    bytes: Annotated[int, Meta(ge=0, le=1 << 52)]


class Populate(Pages, tag="populate", kw_only=True):
    """The monitor gives a VM a new page in a scrubbed frame, or a frame for a page that has none: a populate-on-demand page, or
    memory of ``ram`` or ``slot_add``."""

    mfn: Mfn


class Promise(Pages, tag="promise", kw_only=True):
    """A page becomes a populate-on-demand page: a new page, or one that holds zeroes and loses its frame. The page has no frame
    until it is populated."""


class Fill(Pages, tag="fill", kw_only=True):
    """Contents arrive in pages (restore, post-copy), and the pages become present. With ``zero`` the filled pages hold zeroes,
    otherwise unknown contents of the ``source``. With ``userfaultfd`` a page arrives for a waiting access, and holds the guest's
    last contents if they are known."""

    source: Literal["restore", "userfaultfd", "image", "migration", "copy", "other"] = "other"
    zero: bool = False
    mfn: Mfn | None = None
    """The frame, if it is known: of many pages the first of as many frames."""


class Plug(Pages, tag="plug", kw_only=True):
    """A running VM gets more memory, which holds zeroes, or unknown contents if ``zero`` is false."""

    zero: bool = True


class Unplug(Pages, tag="unplug", kw_only=True):
    """A VM loses memory, whose translations were removed before."""


class SlotAdd(Event, tag="slot_add", kw_only=True):
    """A memory slot is added (KVM_SET_USER_MEMORY_REGION). The memory of the new slot holds unknown contents or, with ``zero``,
    zeroes. A slot that is told again with the same pages keeps its contents: then ``zero`` is to be left out."""

    slot: Id
    gfn: Gfn
    pages: SlotPages
    zero: bool = False
    readonly: bool = False


class SlotMove(Event, tag="slot_move", kw_only=True):
    """A memory slot moves to another guest address with its contents. The translations of the old address were removed before."""

    slot: Id
    gfn: Gfn


class SlotDelete(Event, tag="slot_delete", kw_only=True):
    """A memory slot is deleted with its memory, whose translations were removed before."""

    slot: Id


class VmDestroyed(Event, tag="vm_destroyed", kw_only=True):
    """A VM is destroyed with its processors: all its frames are free, none of its translations is cached, the IOMMU maps none of
    its pages, and all its grants end. No other VM may still map a page that it granted."""


class Report(Pages, tag="report", kw_only=True):
    """A guest reports pages as free (free page reporting or hinting). A reported page may lose its contents and its frame at any
    time."""


class Move(Event, tag="move", kw_only=True):
    """The contents of a frame move to another frame, with every page in it (compaction, migration between NUMA nodes)."""

    mfn: Mfn
    to_mfn: Mfn
    pages: Annotated[int, Meta(ge=1, le=512)] = 1


class Convert(Pages, tag="convert", kw_only=True):
    """Pages become private to their VM, or shared with the monitor again (guest_memfd). The contents of converted pages become
    unknown."""

    private: bool


class Map(Pages, tag="map", kw_only=True):
    """A translation is installed: an EPT, NPT or shadow leaf. A leaf of ``level`` 2 or 3 maps 512 or 262,144 pages and frames, and
    replaces the smaller leaves of its region (a collapse)."""

    mfn: Mfn
    writable: bool
    execute: bool | None = None
    level: Level = 1


class Split(Page, tag="split", kw_only=True):
    """A leaf of ``level`` 2 or 3 becomes a table of smaller leaves with the same frames and rights. A split needs no flush."""

    level: Annotated[int, Meta(ge=2, le=3)]


class Unmap(Pages, tag="unmap", kw_only=True):
    """The translation of a page is removed."""


class Protect(Pages, tag="protect", kw_only=True):
    """The translation of a page loses its write permission. The page may become writable again at any time."""


class Unprotect(Pages, tag="unprotect", kw_only=True):
    """The monitor allows stores to a page again, so the page's copy on swap is no longer valid. The translation of the page may be
    writable from now on. A writable ``map`` has the effect of ``unprotect``."""


class Track(Pages, tag="track", kw_only=True):
    """A page is write-tracked from now on (KVM's page tracking): until ``untrack``, no translation may be writable."""


class Untrack(Pages, tag="untrack", kw_only=True):
    """A page is no longer write-tracked."""


class FlushBegin(Event, tag="flush_begin", kw_only=True):
    """The monitor asks processors to flush a VM's cached translations that were removed before this event: all of them, or those of
    some pages.

    ``kind`` names the kind of flush, and makes no difference to the judge.
    """

    gfn: Gfn | None = None
    pages: Count | None = None
    kind: Literal["invept-single", "invept-all", "invvpid", "asid", "invlpga", "range", "other"] = "other"


class FlushEnd(Event, tag="flush_end", kw_only=True):
    """Every processor has completed the flush that this CPU began."""

    gfn: Gfn | None = None
    """The same as in the ``flush_begin``."""


class DmaMap(Pages, tag="dma_map", kw_only=True):
    """The IOMMU maps a page for the VM's devices, at its guest-physical address."""

    mfn: Mfn
    writable: bool = True


class DmaUnmap(Pages, tag="dma_unmap", kw_only=True):
    """The IOMMU no longer maps a page, and no IOTLB has the page cached."""


class Grant(Page, tag="grant", kw_only=True):
    """A VM grants a page: ``to_vm`` may access the page at its ``to_gfn``."""

    to_vm: Id
    to_gfn: Gfn
    writable: bool = False


class Revoke(Page, tag="revoke", kw_only=True):
    """The grant of a page to another VM has ended."""

    to_vm: Id
    to_gfn: Gfn


class Alias(Page, tag="alias", kw_only=True):
    """A guest has one page at two addresses, on purpose: an access to this page reaches the page at ``of_gfn``."""

    of_gfn: Gfn
    writable: bool = True


class Free(Event, tag="free", kw_only=True):
    """A machine frame becomes free."""

    mfn: Mfn


class Table(Event, tag="table", kw_only=True):
    """A machine frame becomes a page table, or another frame of the monitor that no guest may access."""

    mfn: Mfn


class Abort(Event, tag="abort", kw_only=True):
    """The monitor has aborted: BUG, panic or a failed assertion."""

    why: str = ""
