"""Swapping: the monitor takes any page from a guest by writing it to a device, and reads the page back when the guest needs it.

Any page can be taken, without its guest's help and in two steps; also one that shares its frame with others, which is free when the
last of them has gone. *Write back* copies the page to a slot while it stays mapped, read-only: it is *clean* then, and goes without
another write. A store in between makes it dirty again, and the slot worthless. That is also what keeps a page that has come back
and was not written to from being written out twice: it keeps its slot.

It comes back in two steps too, since a device takes its time. An access that finds the page gone begins the *read*, into a frame
set aside for it, and is made to try again; when the read has ended the frame is mapped. In between the slot has one reader and
stays where it is: were it freed, another page might be written there, and "the entry still names this slot" would prove nothing
(Linux 13ddaf26be32).

Guests that page themselves out, unaware, pay twice: *double paging* (Waldspurger, OSDI 2002, section 2.2; Goldberg and Hassinger,
AFIPS 1974). To the guest, swapping is nothing but time.
"""

from typing import ClassVar

import attrs

from refmodel.language import NOTHING, Total, choose, fails, operation, pending, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Gfn, Mfn, Slot, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2m, P2mEntry, Reclaim, Reclaimed, Supply


@attrs.frozen
class SlotUse:
    """Whose copy a slot holds, and the frame that it is being read into, if any."""

    used: bool = False
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING
    reader: Mfn = NOTHING


class Swapping(P2m):
    slots: Total[Slot, SlotUse]
    swap: Total[Slot, Cells]
    """What the device holds."""
    reading: Total[Mfn, Slot]
    """For a frame that is being read into: from which slot."""

    arbitrary: ClassVar[tuple[str, ...]] = ("swap",)  # nobody knows what a device holds at power-on

    # ------------------------------------------------------------ out

    @operation
    def write_back(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        """Write a page to a slot, and see to it that nobody changes it unnoticed."""
        entry = self.p2m[vm, gfn]
        require(self.may_write_back(vm, gfn))
        if fails("swap slot"):
            return Reclaimed(Reclaim.NO_SLOT, vm, gfn)
        slot: Slot = choose(Slot, lambda slot: not self.slots[slot].used)
        self.protect_and_wait(vm, gfn)
        self.slots[slot] = SlotUse(True, vm, gfn)
        self.swap[slot] = self.memory[entry.mfn]
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], slot=slot)
        return Reclaimed(Reclaim.CLEAN, vm, gfn)

    def may_write_back(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.p2m[vm, gfn].slot == NOTHING and not self.held(vm, gfn)

    @operation
    def swap_out(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        """Take a clean page from its frame."""
        entry = self.p2m[vm, gfn]
        require(self.may_swap_out(vm, gfn))
        require(self.may_be_taken(vm))
        require(self.may_leave(vm, gfn))
        self.forget(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.SWAPPED, slot=entry.slot)
        self.retire(vm, gfn, entry.mfn)
        return Reclaimed(Reclaim.TAKEN, vm, gfn)

    def may_swap_out(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.p2m[vm, gfn].slot != NOTHING and not self.held(vm, gfn)

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        """The first store to a clean page: its copy is worth nothing from now on."""
        if not super().let_write(vm, gfn):
            return False
        self.drop_copy(vm, gfn)
        return True

    def drop_copy(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        if entry.slot != NOTHING:
            self.slots[entry.slot] = SlotUse()
            self.p2m[vm, gfn] = attrs.evolve(entry, slot=NOTHING)

    def copy_of(self, slot: Slot) -> Cells:
        """What the page is whose copy a slot holds."""
        return self.swap[slot]

    # ------------------------------------------------------------ in

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        """Begin to read a page that is on swap, unless that has been done."""
        if self.p2m[vm, gfn].backing != Backing.SWAPPED:
            return super().bring(vm, gfn)
        if self.may_read(self.p2m[vm, gfn].slot):
            self.begin_reading(vm, gfn)
        return Supply.LATER

    def may_read(self, slot: Slot) -> bool:
        """A slot has one reader."""
        return self.slots[slot].reader == NOTHING

    def begin_reading(self, vm: Vm, gfn: Gfn) -> None:
        if self.lacks_frame(vm):
            return
        mfn, slot = self.free_frame(vm), self.p2m[vm, gfn].slot
        self.frames[mfn] = Frame(Use.READING, vm, gfn)
        self.memory[mfn] = self.copy_of(slot)
        self.reading[mfn] = slot
        self.slots[slot] = attrs.evolve(self.slots[slot], reader=mfn)

    @pending(
        "EFF-4", "Every read of a page from swap ends, either with the page mapped or with its frame free.", until="finish_reading"
    )
    def read_not_finished(self, mfn: Mfn) -> bool:
        return self.frames[mfn].use == Use.READING

    @operation
    def finish_reading(self, mfn: Mfn) -> None:
        """The device has delivered a page, which is clean. If its entry does not name the slot any more, nobody wants it."""
        frame, slot = self.frames[mfn], self.reading[mfn]
        require(frame.use == Use.READING)
        self.reading[mfn] = NOTHING
        self.slots[slot] = attrs.evolve(self.slots[slot], reader=NOTHING)
        if self.p2m[frame.vm, frame.gfn].backing == Backing.SWAPPED and self.p2m[frame.vm, frame.gfn].slot == slot:
            self.frames[mfn] = Frame(Use.PRIVATE, frame.vm, frame.gfn, references=1)
            self.p2m[frame.vm, frame.gfn] = P2mEntry(Backing.MAPPED, mfn, slot=slot)
        else:
            self.release(mfn)

    # ------------------------------------------------------------ what others see of it

    def has_memory(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].backing == Backing.SWAPPED or super().has_memory(vm, gfn)

    def in_flight(self, vm: Vm, gfn: Gfn) -> bool:
        return self.slots[self.p2m[vm, gfn].slot].reader != NOTHING or super().in_flight(vm, gfn)

    def vacate(self, vm: Vm, gfn: Gfn) -> None:
        self.drop_copy(vm, gfn)
        super().vacate(vm, gfn)
