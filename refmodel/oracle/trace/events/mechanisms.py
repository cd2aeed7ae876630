"""What the monitor did with pages: sharing, ballooning, swapping, logging and sending them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from refmodel.oracle.trace.events.base import Event, Gfn, Id, Mfn, Page, Pages


class Share(Page, tag="share", kw_only=True):
    """Two pages with equal contents are merged in one frame, and are read-only. Without ``mfn`` the frame of the merged pages is
    unknown."""

    with_vm: Id
    with_gfn: Gfn
    mfn: Mfn | None = None


class Break(Page, tag="break", kw_only=True):
    """A page leaves a shared frame and gets a private frame with a copy of its contents. The last sharer may keep the frame. The
    page that left becomes writable, unless it is write-tracked or dirty-logged."""

    mfn: Mfn | None = None


class Inflate(Pages, tag="inflate", kw_only=True):
    """A guest gives pages to its balloon, and the monitor takes their frames or swap slots."""

    touchable: bool = False
    """Whether the guest may still touch them, and finds zeroes: the memory is there, its contents and frames are gone."""


class Deflate(Pages, tag="deflate", kw_only=True):
    """A guest takes pages back from its balloon. The pages hold zeroes; after a ``touchable`` ``inflate``, what the guest stored to
    them since. With ``kept``, or if no ``inflate`` of the pages is known, their contents are unknown. Without ``mfn`` the frames of
    the deflated pages are unknown."""

    mfn: Mfn | None = None
    kept: bool = False


class Balloon(Event, tag="balloon", kw_only=True):
    """The monitor reports the number of pages in a VM's balloon."""

    actual: Id


class WriteBack(Page, tag="write_back", kw_only=True):
    """A page is written to a swap slot, and stays in its frame as a clean page. The page was write-protected or unmapped before, so
    that every store to the page exits."""

    slot: Id


class SwapOut(Page, tag="swap_out", kw_only=True):
    """A page loses its frame, and its contents are in the swap slot that it was written back to."""

    slot: Id | None = None


class SwapIn(Page, tag="swap_in", kw_only=True):
    """A page is read from its swap slot into a frame. With ``keep`` the slot stays a valid copy until the next store to the
    page."""

    mfn: Mfn | None = None
    keep: bool = False


class Mark(Pages, tag="mark", kw_only=True):
    """The dirty log marks a page as dirty."""


class TakeMark(Pages, tag="take_mark", kw_only=True):
    """The process that will send a page takes the page's mark from the dirty log."""


class Send(Pages, tag="send", kw_only=True):
    """A page is copied to the destination machine, with the present contents of its frame."""


class Resume(Event, tag="resume", kw_only=True):
    """The VM resumes on the destination machine, with the memory that was sent there. Unless ``fetched`` is false, marked pages are
    fetched before they are used."""

    fetched: bool = True
    """Whether pages that were still marked are fetched before they are used (post-copy). If not, each had to be sent before."""


class Pause(Event, tag="pause", kw_only=True):
    """The VM's CPUs stop running. Until they run again, a page may be sent without being write-protected first."""


class Unpause(Event, tag="unpause", kw_only=True):
    """The VM's CPUs run again on this machine."""


class Cancelled(Event, tag="cancelled", kw_only=True):
    """Migration has ended without moving the VM. The destination's copy is lost, and every page has to be sent again."""


class Ring(Event, kw_only=True):
    """An event about the dirty ring of a CPU."""

    ring: Id


class RingPush(Ring, tag="ring_push", kw_only=True):
    """A dirty ring records a page as dirty, in the ring's entry ``index``. The index of a dirty ring is never reset."""

    index: Id
    gfn: Gfn


class RingHarvest(Ring, tag="ring_harvest", kw_only=True):
    """The process that will send the pages takes all entries of a dirty ring up to the entry ``end``, without ``end`` itself."""

    end: Id


class RingReset(Ring, tag="ring_reset", kw_only=True):
    """All entries of a dirty ring before the entry ``end`` are free again. Their pages are write-protected, or lose their dirty
    flags."""

    end: Id


class RingFull(Ring, tag="ring_full", kw_only=True):
    """A CPU exits because its dirty ring is full, or nearly full; the ring has room for ``size`` entries."""

    size: Annotated[int, Meta(ge=1, le=1 << 24)]
