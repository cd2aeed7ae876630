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
    """What stands behind a guest page."""

    ABSENT = "absent"
    MAPPED = "mapped"
    BALLOONED = "ballooned"
    PROMISED = "promised"
    """The page reads as zeroes, and has no frame yet: populate on demand."""
    IDLE = "idle"
    """In its frame, without translations, so that the next access exits: access tracking."""
    SWAPPED = "swapped"
    AWAITED = "awaited"
    """The page is still on the machine that the VM ran on before: postcopy migration."""


@attrs.frozen
class P2mEntry:
    """What the monitor records of a guest page."""

    backing: Backing = Backing.ABSENT
    mfn: Mfn = NOTHING
    writable: bool = False
    """Whether the guest may write to the page without an exit; for an idle page, whether it may once the page is mapped again."""
    slot: Slot = NOTHING
    """The slot of the swap device that holds a copy of the page; NOTHING if there is no valid copy."""

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
    """The rights to a page that processors may still have cached though the p2m no longer gives them, until a flush is
    acknowledged."""

    reads: bool = False
    """Whether a processor may still read the page in the frame that it was in."""
    writes: bool = False
    """Whether a processor may still store to the page there."""
    mfn: Mfn = NOTHING
    """The frame that the page has left, or NOTHING."""


class Supply(enum.Enum):
    """The result of ``supply``: whether an access to a page can go on."""

    READY = "ready"
    HOLE = "no memory there"
    LATER = "not now: a frame was wanting, or is being read in"


class Reclaim(enum.Enum):
    """What a step of taking a page from its frame did."""

    CLEAN = "clean"
    TAKEN = "taken"
    NO_SLOT = "no slot is free"


@attrs.frozen
class Reclaimed:
    """The result of a step of taking a page from its frame, and the page."""

    reclaim: Reclaim
    vm: Vm
    gfn: Gfn


class P2m(Frames, BareMemory):
    """The p2m, what memory management and the MMU ask of each other, and the methods that mechanisms override."""

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
        """MMU with dirty flags: whether a flag says that a page may have been stored to since ``clean`` was last called for it."""
        return False

    def may_be_clean(self, vm: Vm, gfn: Gfn) -> bool:
        """MMU with dirty flags: whether a page's dirty flag is clear in the table and in every cached translation."""
        return False

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        """MMU with dirty flags: clear a page's dirty flag. The mechanism that logs stores has recorded the page as written."""
        raise NotImplementedError

    def is_watched_for_stores(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a mechanism that logs stores has to notice the next store to a page."""
        return False

    def has_log_room(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a mechanism that logs stores has room to log a store to a page; if not, the guest waits."""
        return True

    def log_entries_of(self, vm: Vm, gfn: Gfn) -> int:
        """MMU with page-modification logs: how many entries of a VM's logs name a page."""
        return 0

    def was_written(self, vm: Vm, gfn: Gfn) -> None:
        """A processor's log says that a page was stored to. A mechanism that logs stores overrides this."""

    def move_contents(self, vm: Vm, gfn: Gfn) -> Cells:
        """The contents of a page that is sent to another machine when nobody can reach the page: those of its frame, or a copy sent
        before."""
        return self.memory[self.p2m[vm, gfn].mfn]

    def kept_apart(self, vm: Vm, region: Region) -> int:
        """How many pages of a region have to be mapped by entries of their own, and not by a large page."""
        return 0

    def is_table(self, mfn: Mfn) -> bool:
        """MMU: whether a frame holds one of the MMU's page tables."""
        return False

    def is_apart(self, vm: Vm, gfn: Gfn) -> bool:
        """MMU: whether no large page maps this page; if one does, the large page must be split first, which takes a frame for a
        table."""
        return True

    def lies_in(self, gfn: Gfn, region: Region) -> bool:
        """MMU: whether a page belongs to a region, which one large page can map."""
        return False

    def is_covered(self, gfn: Gfn) -> bool:
        """MMU: whether its tables can hold a guest frame number at all."""
        return True

    # ------------------------------------------------------------ what processors may still have: nothing, if flushes are at once

    def stale_of(self, vm: Vm, gfn: Gfn) -> Stale:
        """The rights to a page that processors may still have cached. By default none: flushes end at once."""
        return Stale()

    def is_write_protected(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no processor can store to a page without an exit."""
        return not self.p2m[vm, gfn].writable and not self.stale_of(vm, gfn).writes

    def is_flushed(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no processor has more rights to a page than the p2m gives."""
        stale = self.stale_of(vm, gfn)
        return not stale.reads and not stale.writes

    def may_translate(self, vm: Vm, gfn: Gfn, mfn: Mfn, write: bool) -> bool:
        """Whether a translation may lead a processor from a page to a frame, by the p2m or by a stale translation, to read or to
        write."""
        entry, stale = self.p2m[vm, gfn], self.stale_of(vm, gfn)
        is_here = entry.resident and entry.mfn == mfn
        return (
            (is_here or (stale.mfn == mfn and mfn != NOTHING))
            and (stale.reads or (is_here and entry.mapped))
            and (not write or stale.writes or (is_here and entry.writable))
        )

    def frame_left(self, vm: Vm, gfn: Gfn) -> Mfn:
        """The frame that a page has left and that a stale translation may still lead to; NOTHING if there is none."""
        return self.stale_of(vm, gfn).mfn

    def may_leave(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page may leave its frame now: not while a stale translation may lead to the frame that it left before."""
        return self.frame_left(vm, gfn) == NOTHING

    def retired_references(self, mfn: Mfn) -> int:
        """How many pages have left a frame that stale translations of them may still lead to."""
        return 0

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """A page has left a frame. Release the frame once no processor has a translation of the page to the frame."""
        self.release(mfn)

    def protect_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        """From now on every store to a page exits. The caller goes on once every processor has acknowledged the flush."""
        self.withdraw_write(vm, gfn)
        require(self.is_write_protected(vm, gfn))

    def forget_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        """From now on every access to a page exits. The caller goes on once every processor has acknowledged the flush."""
        self.forget(vm, gfn)
        require(self.is_flushed(vm, gfn))

    # ------------------------------------------------------------ what an MMU asks for

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        """Make the p2m allow an access: map the page, and make it writable for a store."""
        if not self.p2m[vm, gfn].mapped:
            found = self.bring(vm, gfn)
            if found != Supply.READY:
                return found
        if write and not self.p2m[vm, gfn].writable and not self.let_write(vm, gfn):
            return Supply.LATER
        return Supply.READY

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        """Map a page that is not mapped. A mechanism that unmaps pages overrides this to bring its pages back."""
        if self.p2m[vm, gfn].backing != Backing.IDLE:
            return Supply.HOLE
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], backing=Backing.MAPPED)
        return Supply.READY

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        """Make a mapped page writable. Returns False, and changes nothing, if that takes a frame and there is none. Only a page
        whose frame is private becomes writable here; a mechanism that shares frames overrides this."""
        if self.frames[self.p2m[vm, gfn].mfn].use != Use.PRIVATE or not self.may_leave(vm, gfn):
            return False
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)
        return True

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """MMU: the monitor stores to a cell for the guest. Translations that were derived from the cell become stale, as they do if
        the guest stores to it."""

    def access_for_guest(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Reply:
        """The monitor reads or writes a cell for the guest, in a page that ``supply`` has made ready."""
        if access == Access.WRITE:
            self.behind(vm, gfn, offset)
        return self.touch(self.p2m[vm, gfn].mfn, offset, access, value)

    def touch(self, mfn: Mfn, offset: Index, access: Access, value: Cell) -> Reply:
        """Read or write a cell of a machine frame."""
        page = self.memory[mfn]
        if access == Access.WRITE:
            self.memory[mfn] = page.put(offset, value)
        return Reply(Event.COMPLETED, page[offset])

    def lets_through(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether the p2m allows an access as it is, so that an MMU without a translation can install one."""
        return self.p2m[vm, gfn].mapped and (self.p2m[vm, gfn].writable or not write)

    # ------------------------------------------------------------ what mechanisms share

    def has_memory(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a guest page has memory, in a frame or elsewhere, such as on swap."""
        return self.p2m[vm, gfn].resident

    def in_frame(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a guest page has memory, and the memory is in a frame."""
        return self.p2m[vm, gfn].resident and self.has_memory(vm, gfn)

    def in_flight(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page is being read in or written out, so that nothing else may be done with the page until that ends."""
        return False

    def may_be_taken(self, vm: Vm) -> bool:
        """Whether the monitor may take a frame from a VM without being asked: the VM has more frames than are reserved for it."""
        return True

    def may_come(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether the monitor may give a VM memory for a guest page that has none."""
        return True

    def may_go(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a guest may give a page up for good."""
        return True

    def merges(self) -> bool:
        """Whether the design lets several pages lie in one frame."""
        return False

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page must keep its frame, for instance because a device knows the frame's address."""
        return False

    def withdraw_write(self, vm: Vm, gfn: Gfn) -> None:
        """Take the right to write to a page from the p2m and from the MMU."""
        self.protect(vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=False)

    def make_idle(self, vm: Vm, gfn: Gfn) -> None:
        """Unmap a page so that the next access exits. The page keeps its frame and, for later, its right to write."""
        self.forget(vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], backing=Backing.IDLE)

    def vacate(self, vm: Vm, gfn: Gfn) -> None:
        """Remove a page from the p2m and from the MMU, and release its frame if it has one."""
        entry = self.p2m[vm, gfn]
        require(self.may_leave(vm, gfn))
        self.forget(vm, gfn)
        if entry.resident:
            self.retire(vm, gfn, entry.mfn)
        self.p2m[vm, gfn] = P2mEntry()

    def unplug_page(self, vm: Vm, gfn: Gfn) -> None:
        """A guest gives up a page for good: the page is removed from the MMU and from the p2m, and its frame is released."""
        require(self.may_go(vm, gfn))
        require(self.has_memory(vm, gfn))
        require(not self.in_flight(vm, gfn))
        require(not self.held(vm, gfn))
        self.forget_and_wait(vm, gfn)
        self.vacate(vm, gfn)
        self.unplug(vm, gfn)

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor gives a VM memory for a guest page that has none."""
        require(self.p2m[vm, gfn].backing == Backing.ABSENT)
        require(self.may_come(vm, gfn))
        if self.give_frame(vm, gfn):
            self.plug(vm, gfn)

    def give_frame(self, vm: Vm, gfn: Gfn) -> bool:
        """Put a scrubbed frame behind a guest page. Returns False, and changes nothing, if there is none."""
        if not self.is_flushed(vm, gfn) or self.lacks_frame(vm):
            return False
        mfn = self.free_frame(vm)
        self.memory[mfn] = self.scrubbed(mfn)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn, writable=True)
        return True


def references(s: P2m, mfn: Mfn) -> int:
    """How many guest pages are in a frame."""
    return count(s.p2m, lambda entry, vm, gfn: entry.resident and entry.mfn == mfn)
