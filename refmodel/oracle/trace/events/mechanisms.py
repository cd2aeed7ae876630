"""What the monitor did with pages: sharing, ballooning, swapping, logging and sending them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from refmodel.oracle.trace.events.base import Event, Gfn, Id, Mfn, Page, Pages


class Share(Page, tag="share", kw_only=True):
    """Two pages that hold the same stand on one frame from now on, read-only; without ``mfn`` it is not said on which."""

    with_vm: Id
    with_gfn: Gfn
    mfn: Mfn | None = None


class Break(Page, tag="break", kw_only=True):
    """A page gets a frame of its own again, with a copy of what it held, and may be written to, unless that is watched for: it is
    tracked, or to be sent. The last may keep the old."""

    mfn: Mfn | None = None


class Inflate(Pages, tag="inflate", kw_only=True):
    """A guest gives pages up to its balloon; whatever stood behind them is the monitor's."""

    touchable: bool = False
    """Whether the guest may still touch them, and finds zeroes: the memory is there, its contents and frames are gone."""


class Deflate(Pages, tag="deflate", kw_only=True):
    """A guest takes pages back from its balloon: of zeroes, without ``mfn`` on frames that are not named; or, with ``kept``, with
    what they hold, which is not told. Nor is it where no ``inflate`` is known."""

    mfn: Mfn | None = None
    kept: bool = False


class Balloon(Event, tag="balloon", kw_only=True):
    """How many pages a VM's balloon holds, by the monitor's count."""

    actual: Id


class WriteBack(Page, tag="write_back", kw_only=True):
    """A page is written to a swap slot, and stays in its frame, clean: nobody can write to it unseen, for it was protected or
    unmapped before."""

    slot: Id


class SwapOut(Page, tag="swap_out", kw_only=True):
    """A page's frame is taken; what it held is in the slot that it was written back to, and still is what the page holds."""

    slot: Id | None = None


class SwapIn(Page, tag="swap_in", kw_only=True):
    """A page is back, in a frame, read from its slot. With ``keep`` the slot stays a copy as long as the page is not written to."""

    mfn: Mfn | None = None
    keep: bool = False


class Mark(Pages, tag="mark", kw_only=True):
    """The dirty log notes a page."""


class TakeMark(Pages, tag="take_mark", kw_only=True):
    """The mark is taken from the dirty log, by whoever is to send the page."""


class Send(Pages, tag="send", kw_only=True):
    """A page is copied to the other machine, as its frame is now."""


class Resume(Event, tag="resume", kw_only=True):
    """The VM goes on on the other machine, with the memory that was sent there; pages marked were fetched first."""

    fetched: bool = True
    """Whether pages that were still marked are fetched before they are used (post-copy). If not, each had to be sent before."""


class Cancelled(Event, tag="cancelled", kw_only=True):
    """Sending has ended, and the VM has not moved: what the other machine has of it is lost, and every page is to be sent again."""


class Ring(Event, kw_only=True):
    """An event about a dirty ring, one a CPU."""

    ring: Id


class RingPush(Ring, tag="ring_push", kw_only=True):
    """A dirty ring notes a page, in its entry ``index``: the entries are counted on and on."""

    index: Id
    gfn: Gfn


class RingHarvest(Ring, tag="ring_harvest", kw_only=True):
    """The entries of a ring up to ``end`` (not itself) are taken by whoever is to send the pages."""

    end: Id


class RingReset(Ring, tag="ring_reset", kw_only=True):
    """The entries of a ring up to ``end`` (not itself) are free again, and the right to write was taken from their pages."""

    end: Id


class RingFull(Ring, tag="ring_full", kw_only=True):
    """A CPU has left its guest because its ring is full; ``size`` entries are in it."""

    size: Annotated[int, Meta(ge=1, le=1 << 24)]
