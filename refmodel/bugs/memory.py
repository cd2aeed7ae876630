"""Mutants of swapping, promises, the dirty log, and of what any MMU promises."""

import attrs

from refmodel.bare import Seen
from refmodel.bugs.mutant import Mutant
from refmodel.designs import Memory
from refmodel.language import NOTHING, Total, choose, fails, operation, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Slot, Vm
from refmodel.mmu.contract import Derived
from refmodel.monitor.access_tracking import Withdrawn
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry, Reclaim, Reclaimed, Supply
from refmodel.monitor.swapping import SlotUse


class CopyKeptAfterAStore(Memory):
    """A page that was stored to keeps its copy on swap as if it were clean."""

    def drop_copy(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class ZeroesNotWrittenOut(Memory):
    """A page of zeroes is not written to a swap slot that was never written to, as if the slot held zeroes."""

    written_to: Total[Slot, bool]

    @operation
    def write_back(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        require(self.may_write_back(vm, gfn))
        if fails("swap slot"):
            return Reclaimed(Reclaim.NO_SLOT, vm, gfn)
        slot: Slot = choose(Slot, lambda slot: not self.slots[slot].used)
        self.protect_and_wait(vm, gfn)
        page = self.memory[self.p2m[vm, gfn].mfn]
        if self.written_to[slot] or not page.is_zero():
            self.swap[slot] = page
            self.written_to[slot] = True
        self.slots[slot] = SlotUse(True, vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], slot=slot)
        return Reclaimed(Reclaim.CLEAN, vm, gfn)


class SlotFreedButNamed(Memory):
    """A swap slot is freed, and the page's p2m entry still names it."""

    def drop_copy(self, vm: Vm, gfn: Gfn) -> None:
        slot = self.p2m[vm, gfn].slot
        if slot != NOTHING:
            self.slots[slot] = SlotUse()


class SlotForgotten(Memory):
    """A page with a copy on swap goes into the balloon, and its swap slot is never freed."""

    def vacate(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        if entry.resident:
            self.forget(vm, gfn)
            self.release(entry.mfn)
        self.p2m[vm, gfn] = P2mEntry()


class InflatedInFlight(Memory):
    """A page goes into the balloon while it is being read from swap."""

    def in_flight(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class ReaderNeverLeaves(Memory):
    """A read from swap ends, and the slot still records a reader."""

    @operation
    def finish_reading(self, mfn: Mfn) -> None:
        frame, slot = self.frames[mfn], self.reading[mfn]
        require(frame.use == Use.READING)
        self.reading[mfn] = NOTHING
        self.frames[mfn] = Frame(Use.PRIVATE, frame.vm, frame.gfn, references=1)
        self.p2m[frame.vm, frame.gfn] = P2mEntry(Backing.MAPPED, mfn, slot=slot)


class ReadInVain(Memory):
    """A page is read from swap and its frame is freed, so that the waiting access waits forever."""

    @operation
    def finish_reading(self, mfn: Mfn) -> None:
        slot = self.reading[mfn]
        require(self.frames[mfn].use == Use.READING)
        self.reading[mfn] = NOTHING
        self.slots[slot] = attrs.evolve(self.slots[slot], reader=NOTHING)
        self.release(mfn)


class WithdrawnInName(Memory):
    """A page is withdrawn for access tracking and stays mapped, so that the next access is not noticed."""

    @operation
    def withdraw(self, vm: Vm, gfn: Gfn) -> Withdrawn:
        require(self.p2m[vm, gfn].mapped)
        self.forget(vm, gfn)
        return Withdrawn(vm, gfn)


class LastSharerWaitsForEver(Memory):
    """The last sharer of a frame never gets the frame as its private frame."""

    def break_sharing(self, vm: Vm, gfn: Gfn) -> bool:
        return self.frames[self.p2m[vm, gfn].mfn].references != 1 and super().break_sharing(vm, gfn)


class ProtectedUnmarked(Memory):
    """A page is write-protected before its dirty mark was taken, and not afterwards."""

    @operation
    def protect_taken(self, vm: Vm, gfn: Gfn) -> None:
        require(self.in_frame(vm, gfn))
        require(self.sent[vm, gfn] == Sent.MARKED)
        self.withdraw_write(vm, gfn)
        self.sent[vm, gfn] = Sent.PROTECTED


class ReclaimedUnlooked(Memory):
    """A page becomes a populate-on-demand page without a check that it holds zeroes."""

    @operation
    def reclaim_zeroes(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].resident)
        self.vacate(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.PROMISED)


class SentWhileWritable(Memory):
    """A page whose dirty mark was taken is sent without being write-protected."""

    @operation
    def protect_taken(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].resident)
        require(self.sent[vm, gfn] == Sent.TAKEN)
        self.sent[vm, gfn] = Sent.PROTECTED


class PromiseKeptWritable(Memory):
    """A page that was sent becomes a populate-on-demand page, and is populated again writable and unmarked."""

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        if self.p2m[vm, gfn].backing != Backing.PROMISED:
            return super().bring(vm, gfn)
        return Supply.READY if self.give_frame(vm, gfn) else Supply.LATER


class ForgottenButDerived(Memory):
    """A page is removed, and the MMU keeps its translation."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class ProtectedButDerivedWritable(Memory):
    """A page loses write permission, and the MMU keeps its writable translation."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class DerivedWritesExit(Memory):
    """Every store exits."""

    def store_physical(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        if self.gives(vm, gfn, write=True):
            return Seen(gfn=gfn, write=True)
        return self.execute(vm, gfn, offset, Access.WRITE, value)


class DerivedReadOnlyForEver(Memory):
    """The MMU's translations never allow stores."""

    def supplied(self, vm: Vm, gfn: Gfn) -> Derived:
        return Derived(True, self.p2m[vm, gfn].mfn)


class ShortageIsAHole(Memory):
    """When no frame is free, the guest gets a missing-memory error."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        return Supply.HOLE if found == Supply.LATER else found


class SharedPagesStay(Memory):
    """Pages in shared frames are never swapped out, so that guests with equal contents keep them forever."""

    def may_write_back(self, vm: Vm, gfn: Gfn) -> bool:
        return super().may_write_back(vm, gfn) and self.frames[self.p2m[vm, gfn].mfn].use == Use.PRIVATE


class SentPagesStay(Memory):
    """A page that was sent to the destination can no longer be swapped out."""

    def may_swap_out(self, vm: Vm, gfn: Gfn) -> bool:
        return super().may_swap_out(vm, gfn) and self.sent[vm, gfn] == Sent.MARKED


class FrameKeptAsShared(Memory):
    """The last page of a shared frame leaves, and the frame is not freed."""

    def release(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        if frame.use == Use.SHARED:
            self.frames[mfn] = attrs.evolve(frame, references=frame.references - 1)
        else:
            super().release(mfn)


MUTANTS = {
    "copy-kept-after-a-store": Mutant(CopyKeptAfterAStore, "EQV-1"),
    "zeroes-not-written-out": Mutant(ZeroesNotWrittenOut, "EQV-1"),
    "slot-freed-but-named": Mutant(SlotFreedButNamed, "RES-1"),
    "slot-forgotten": Mutant(SlotForgotten, "RES-2"),
    "inflated-in-flight": Mutant(InflatedInFlight, "RES-2"),
    "reader-never-leaves": Mutant(ReaderNeverLeaves, "RES-2"),
    "withdrawn-in-name": Mutant(WithdrawnInName, "RES-3"),
    "last-sharer-waits-for-ever": Mutant(LastSharerWaitsForEver, "EFF-2"),
    "protected-unmarked": Mutant(ProtectedUnmarked, "EQV-4"),
    "read-in-vain": Mutant(ReadInVain, "EFF-2"),
    "reclaimed-unlooked": Mutant(ReclaimedUnlooked, "EQV-1"),
    "sent-while-writable": Mutant(SentWhileWritable, "EQV-4"),
    "promise-kept-writable": Mutant(PromiseKeptWritable, "EQV-4"),
    "forgotten-but-derived": Mutant(ForgottenButDerived, "ISO-1"),
    "protected-but-derived-writable": Mutant(ProtectedButDerivedWritable, "ISO-2"),
    "shortage-is-a-hole": Mutant(ShortageIsAHole, "EQV-2"),
    "derived-writes-exit": Mutant(DerivedWritesExit, "EFF-1"),
    "shared-pages-stay": Mutant(SharedPagesStay, "RES-3"),
    "sent-pages-stay": Mutant(SentPagesStay, "RES-3"),
    "frame-kept-as-shared": Mutant(FrameKeptAsShared, "RES-3"),
    "derived-read-only-for-ever": Mutant(DerivedReadOnlyForEver, "EFF-2"),
}
"""By name."""
