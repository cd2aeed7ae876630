"""The p2m: which machine frame stands behind each guest frame.

This is the seam. Memory management owns frames and p2m; the MMU derives what the hardware uses from them. Before a
mapping loses rights or goes away the MMU is told, and must have made every processor forget when it returns. (Linux
draws the same line between its memory management and KVM, and calls it the MMU notifier.)

The other way, an MMU that lacks a translation asks memory management to *supply* the page, and then derives what the p2m says.
What stands in the way (a page that is shared, logged, on swap, not there yet) each mechanism knows for itself.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.bare import BareMemory, Event, Reply
from refmodel.language import NOTHING, Total, count, operation, require
from refmodel.machine.cells import Access, Cell, Cells
from refmodel.machine.names import Gfn, Index, Mfn, Region, Slot, Vm
from refmodel.monitor.frames import Frame, Frames, Use


class Backing(enum.Enum):
    ABSENT = "absent"
    MAPPED = "mapped"
    BALLOONED = "ballooned"
    PROMISED = "promised"
    """Zeroes, for which no frame has been found yet."""
    IDLE = "idle"
    """In its frame, withdrawn from the MMU to see whether anybody comes for it."""
    SWAPPED = "swapped"
    AWAITED = "awaited"
    """To come from the machine that the VM ran on before."""


@attrs.frozen
class P2mEntry:
    backing: Backing = Backing.ABSENT
    mfn: Mfn = NOTHING
    writable: bool = False
    """Whether the MMU may let writes through; for an idle page, whether it will again."""
    slot: Slot = NOTHING
    """The copy on swap, where there is one that is still good."""

    @property
    def mapped(self) -> bool:
        """Whether the MMU may derive translations."""
        return self.backing == Backing.MAPPED

    @property
    def resident(self) -> bool:
        """Whether there is a frame."""
        return self.backing == Backing.MAPPED or self.backing == Backing.IDLE


@attrs.frozen
class Stale:
    """What processors may still have of a page that the p2m does not say any more, until they have acknowledged a flush."""

    reads: bool = False
    """Whether one may read the page where it was."""
    writes: bool = False
    """Whether one may store to it there."""
    mfn: Mfn = NOTHING
    """The frame that the page has left."""


class Supply(enum.Enum):
    """What came of asking for a page."""

    READY = "ready"
    HOLE = "no memory there"
    LATER = "not now: a frame was wanting, or is being read in"


class Reclaim(enum.Enum):
    CLEAN = "clean"
    TAKEN = "taken"
    NO_SLOT = "no slot is free"


@attrs.frozen
class Reclaimed:
    """What came of a step of taking a page from its frame."""

    reclaim: Reclaim
    vm: Vm
    gfn: Gfn


class P2m(Frames, BareMemory):
    p2m: Total[tuple[Vm, Gfn], P2mEntry]

    flows: ClassVar[dict[str, str]] = {"populate": "memory is given"}

    # ------------------------------------------------------------ what an MMU is told

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """MMU: no translation of this page, cached or installed, lets a write through once this has been acknowledged."""
        raise NotImplementedError

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """MMU: there is no translation of this page, cached or installed, once this has been acknowledged."""
        raise NotImplementedError

    def is_written(self, vm: Vm, gfn: Gfn) -> bool:
        """MMU with dirty flags: whether they say that a page may have been stored to since it was last made clean."""
        return False

    def may_be_clean(self, vm: Vm, gfn: Gfn) -> bool:
        """MMU with dirty flags: whether a page's flag is clear, and no processor takes it to be set."""
        return False

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        """MMU with dirty flags: whoever took note that a page was written has done so. It may be clean, and is from now on."""
        raise NotImplementedError

    def is_watched_for_stores(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a mechanism that logs stores has to notice the next one to a page."""
        return False

    def has_log_room(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a mechanism that logs stores has room to note one to a page, so that the guest need not wait."""
        return True

    def log_entries_of(self, vm: Vm, gfn: Gfn) -> int:
        """MMU with page-modification logs: how many entries in a VM's logs are of a page."""
        return 0

    def was_written(self, vm: Vm, gfn: Gfn) -> None:
        """A mechanism that wants to know is told: a processor's log says that a page was stored to."""

    def move_contents(self, vm: Vm, gfn: Gfn) -> Cells:
        """What another machine gets of a page that nobody reaches any more: what its frame holds, or a copy sent before."""
        return self.memory[self.p2m[vm, gfn].mfn]

    def kept_apart(self, vm: Vm, region: Region) -> int:
        """How many pages of a region a mechanism wants mapped by entries of their own."""
        return 0

    def is_table(self, mfn: Mfn) -> bool:
        """MMU: whether a frame is one of its tables."""
        return False

    def is_apart(self, vm: Vm, gfn: Gfn) -> bool:
        """MMU: whether no entry maps a page together with others, so that treating it apart takes no frame for a table."""
        return True

    def lies_in(self, gfn: Gfn, region: Region) -> bool:
        """MMU: whether a page is one of those that an entry for a region maps together."""
        return False

    def is_covered(self, gfn: Gfn) -> bool:
        """MMU: whether its tables can hold a guest frame number at all."""
        return True

    # ------------------------------------------------------------ what processors may still have: nothing, if flushes are at once

    def stale_of(self, vm: Vm, gfn: Gfn) -> Stale:
        """What processors may still have of a page."""
        return Stale()

    def is_write_protected(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no processor can store to a page without an exit."""
        return not self.p2m[vm, gfn].writable and not self.stale_of(vm, gfn).writes

    def is_flushed(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no processor has more of a page than the p2m says."""
        stale = self.stale_of(vm, gfn)
        return not stale.reads and not stale.writes

    def may_translate(self, vm: Vm, gfn: Gfn, mfn: Mfn, write: bool) -> bool:
        """Whether a processor may find a page in a frame, by the p2m or by what is stale of it: a translation of the page has at
        most the rights that they give."""
        entry, stale = self.p2m[vm, gfn], self.stale_of(vm, gfn)
        is_here = entry.resident and entry.mfn == mfn
        return (
            (is_here or (stale.mfn == mfn and mfn != NOTHING))
            and (stale.reads or (is_here and entry.mapped))
            and (not write or stale.writes or (is_here and entry.writable))
        )

    def frame_left(self, vm: Vm, gfn: Gfn) -> Mfn:
        """The frame that a page was in, where a processor may look for it still."""
        return self.stale_of(vm, gfn).mfn

    def may_leave(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page may go from its frame: it cannot leave two at a time."""
        return self.frame_left(vm, gfn) == NOTHING

    def retired_references(self, mfn: Mfn) -> int:
        """How many pages have left a frame in which a processor may look for them still."""
        return 0

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """A page has left a frame, which is released once every processor knows."""
        self.release(mfn)

    def protect_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        """Nobody writes to a page from now on without an exit. Whoever calls this goes on when every processor knows."""
        self.withdraw_write(vm, gfn)
        require(self.is_write_protected(vm, gfn))

    def forget_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        """Nobody reaches a page from now on without an exit. Whoever calls this goes on when every processor knows."""
        self.forget(vm, gfn)
        require(self.is_flushed(vm, gfn))

    # ------------------------------------------------------------ what an MMU asks for

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        """See to it that the p2m lets an access through."""
        if not self.p2m[vm, gfn].mapped:
            found = self.bring(vm, gfn)
            if found != Supply.READY:
                return found
        if write and not self.p2m[vm, gfn].writable and not self.let_write(vm, gfn):
            return Supply.LATER
        return Supply.READY

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        """Map a page that is not mapped. A mechanism that knows why it is not overrides this."""
        if self.p2m[vm, gfn].backing != Backing.IDLE:
            return Supply.HOLE
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], backing=Backing.MAPPED)
        return Supply.READY

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        """Make a mapped page writable; False, and nothing done, if that takes a frame and none can be had. Nobody writes to what is
        not the page's own."""
        if self.frames[self.p2m[vm, gfn].mfn].use != Use.PRIVATE or not self.may_leave(vm, gfn):
            return False
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)
        return True

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """MMU: the monitor stores to a cell in the guest's name. What was derived from it may fall behind as a processor may, and
        no further."""

    def access_for_guest(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Reply:
        """An access by the monitor, in the guest's name, to a page that has been supplied."""
        if access == Access.WRITE:
            self.behind(vm, gfn, offset)
        return self.touch(self.p2m[vm, gfn].mfn, offset, access, value)

    def touch(self, mfn: Mfn, offset: Index, access: Access, value: Cell) -> Reply:
        """The access itself, on machine memory."""
        page = self.memory[mfn]
        if access == Access.WRITE:
            self.memory[mfn] = page.put(offset, value)
        return Reply(Event.COMPLETED, page[offset])

    def lets_through(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether the p2m lets an access through, so that an MMU which lacks a translation can make one at once."""
        return self.p2m[vm, gfn].mapped and (self.p2m[vm, gfn].writable or not write)

    # ------------------------------------------------------------ what mechanisms share

    def has_memory(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether there is memory where a guest looks, wherever it is kept."""
        return self.p2m[vm, gfn].resident

    def in_frame(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether there is, and it is in a frame."""
        return self.p2m[vm, gfn].resident and self.has_memory(vm, gfn)

    def in_flight(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page is on its way, so that whoever wants to change it has to wait."""
        return False

    def may_be_taken(self, vm: Vm) -> bool:
        """Whether the monitor may take a page of a VM's from its frame, unasked: the VM has more than it was promised."""
        return True

    def may_come(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether the monitor may give a VM memory in a place where it has none."""
        return True

    def may_go(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a guest may give a page up for good."""
        return True

    def merges(self) -> bool:
        """Whether several pages may come to lie in one frame."""
        return False

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a device knows the page's frame, so that it can neither go nor come to be another's."""
        return False

    def withdraw_write(self, vm: Vm, gfn: Gfn) -> None:
        """Nobody writes to a page from now on, without asking first."""
        self.protect(vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=False)

    def make_idle(self, vm: Vm, gfn: Gfn) -> None:
        """Nobody reaches a page from now on without an exit; it keeps its frame, and the rights that it gets back."""
        self.forget(vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], backing=Backing.IDLE)

    def vacate(self, vm: Vm, gfn: Gfn) -> None:
        """What stands behind a page goes."""
        entry = self.p2m[vm, gfn]
        require(self.may_leave(vm, gfn))
        self.forget(vm, gfn)
        if entry.resident:
            self.retire(vm, gfn, entry.mfn)
        self.p2m[vm, gfn] = P2mEntry()

    def unplug_page(self, vm: Vm, gfn: Gfn) -> None:
        """A guest gives a page up for good: the MMU forgets it, and what stood behind it is released."""
        require(self.may_go(vm, gfn))
        require(self.has_memory(vm, gfn))
        require(not self.in_flight(vm, gfn))
        require(not self.held(vm, gfn))
        self.forget_and_wait(vm, gfn)
        self.vacate(vm, gfn)
        self.unplug(vm, gfn)

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor gives a VM a page it never had."""
        require(self.p2m[vm, gfn].backing == Backing.ABSENT)
        require(self.may_come(vm, gfn))
        if self.give_frame(vm, gfn):
            self.plug(vm, gfn)

    def give_frame(self, vm: Vm, gfn: Gfn) -> bool:
        """Put a scrubbed frame behind a guest frame; False, and nothing done, if none can be had."""
        if not self.is_flushed(vm, gfn) or self.lacks_frame(vm):
            return False
        mfn = self.free_frame(vm)
        self.memory[mfn] = self.scrubbed(mfn)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn, writable=True)
        return True


def references(s: P2m, mfn: Mfn) -> int:
    """How many guest pages a frame stands behind."""
    return count(s.p2m, lambda entry, vm, gfn: entry.resident and entry.mfn == mfn)
