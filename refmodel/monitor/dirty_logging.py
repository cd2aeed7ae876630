"""Dirty logging, and what it is for: a VM's memory is copied to another machine while the VM runs.

A page that the other machine has is read-only here; the first store to it is noted, and lets further stores through. What was noted
is taken page by page, in an order that matters: the mark is taken *first*, then the page is write-protected, and then it is copied.
Were it protected first, a store in between would be noted in the marks that are about to be taken, and the next one in none
(KVM edde99ce0529). Each of the three is a step of its own here, with guests running in between.

The rule: a page that is neither marked nor about to be protected is read-only, and the other machine has it as it is. When no page
is left that is marked, the VM can go on over there and see no difference (*pre-copy*: Clark et al., NSDI 2005); if it goes earlier,
marked pages are what has to be fetched (*post-copy*).

Nobody knows what the other machine's memory held before. Where a migration fails, every page is marked again.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.language import Total, assign, operation, pending, require, reset
from refmodel.machine.cells import Cells
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.p2m import P2m


class Sent(enum.Enum):
    """How far a page is on its way. The first is also what a page is that nobody has asked about."""

    MARKED = "marked"
    TAKEN = "taken"
    """Its mark was taken; it may still be written to, unmarked."""
    PROTECTED = "protected"
    THERE = "there"
    SKIPPED = "skipped"
    """Its guest has called it free, so that it need not be sent."""


def is_watched_for(sent: Sent) -> bool:
    """Whether the first store to a page is to be noted: its mark was taken, and it is watched."""
    return sent == Sent.PROTECTED or sent == Sent.THERE or sent == Sent.SKIPPED


@attrs.frozen
class DestinationLost:
    """The machine that a VM was to move to is lost."""

    vm: Vm


class DirtyLog(P2m):
    """What all ways to notice stores have in common."""

    sent: Total[tuple[Vm, Gfn], Sent]
    destination: Total[tuple[Vm, Gfn], Cells]
    """The other machine's memory."""

    arbitrary: ClassVar[tuple[str, ...]] = ("destination",)  # a page of zeroes has to be sent too

    @pending("EFF-4", "If a page is marked dirty in the bitmap, the monitor can take the mark.", until="take_mark")
    def mark_not_taken(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.sent[vm, gfn] == Sent.MARKED and self.in_bitmap(vm, gfn)

    @pending(
        "EFF-4",
        "A page whose dirty mark was taken can be watched for stores, unless it is pinned or mapped by a large entry.",
        until="protect_taken",
    )
    def page_not_protected(self, vm: Vm, gfn: Gfn) -> bool:
        return (
            self.in_frame(vm, gfn)
            and self.sent[vm, gfn] == Sent.TAKEN
            and self.in_bitmap(vm, gfn)
            and not self.held(vm, gfn)
            and self.is_apart(vm, gfn)
            and self.may_watch(vm, gfn)
        )

    @pending("EFF-4", "A page that is watched for stores can be sent.", until="send")
    def page_not_sent(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.sent[vm, gfn] == Sent.PROTECTED and self.is_watched(vm, gfn)

    @operation
    def take_mark(self, vm: Vm, gfn: Gfn) -> None:
        require(self.in_frame(vm, gfn))
        require(self.sent[vm, gfn] == Sent.MARKED)
        require(self.in_bitmap(vm, gfn))
        self.sent[vm, gfn] = Sent.TAKEN

    def in_bitmap(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether it is a bitmap that says how far a page is on its way."""
        return True

    @operation
    def protect_taken(self, vm: Vm, gfn: Gfn) -> None:
        require(self.in_frame(vm, gfn))
        require(self.sent[vm, gfn] == Sent.TAKEN)
        require(self.in_bitmap(vm, gfn))
        require(not self.held(vm, gfn))  # what a device may store to stays marked
        require(self.may_watch(vm, gfn))
        self.begin_watching(vm, gfn)

    def begin_watching(self, vm: Vm, gfn: Gfn) -> None:
        """A page whose mark was taken is watched, and can be sent as soon as every processor knows."""
        self.watch(vm, gfn)
        self.sent[vm, gfn] = Sent.PROTECTED

    def may_watch(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page can be watched from now on."""
        return True

    def watch(self, vm: Vm, gfn: Gfn) -> None:
        """From now on no store to a page is to go unnoticed."""
        raise NotImplementedError

    def is_watched(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no store to a page goes unnoticed any more."""
        raise NotImplementedError

    def is_watched_for_stores(self, vm: Vm, gfn: Gfn) -> bool:
        return is_watched_for(self.sent[vm, gfn]) or super().is_watched_for_stores(vm, gfn)

    @operation
    def send(self, vm: Vm, gfn: Gfn) -> None:
        require(self.in_frame(vm, gfn))
        require(self.sent[vm, gfn] == Sent.PROTECTED)
        require(self.is_watched(vm, gfn))
        self.destination[vm, gfn] = self.memory[self.p2m[vm, gfn].mfn]
        self.sent[vm, gfn] = Sent.THERE

    @operation
    def lose_destination(self, vm: Vm) -> DestinationLost:
        """The other machine is lost, or the migration was cancelled. Another machine has nothing of what was sent."""
        reset(self.destination, lambda cells, of, gfn: of == vm)
        self.mark_all(vm)
        return DestinationLost(vm)

    def mark_all(self, vm: Vm) -> None:
        """Every page of a VM is to be sent, whether it was or not."""
        assign(self.sent, lambda sent, of, gfn: of == vm, Sent.MARKED)

    def move_contents(self, vm: Vm, gfn: Gfn) -> Cells:
        """What was sent of a page is good, if nobody has stored to it since."""
        if self.sent[vm, gfn] == Sent.THERE and not self.is_written(vm, gfn):
            return self.destination[vm, gfn]
        return super().move_contents(vm, gfn)

    def mark(self, vm: Vm, gfn: Gfn) -> None:
        """The page is not, or is soon not to be, what the other machine has."""
        self.sent[vm, gfn] = Sent.MARKED

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        if not self.has_log_room(vm, gfn) or not super().let_write(vm, gfn):
            return False
        self.mark_store(vm, gfn)
        return True

    def mark_store(self, vm: Vm, gfn: Gfn) -> None:
        """A guest is let store to a page."""
        self.mark(vm, gfn)

    def plug(self, vm: Vm, gfn: Gfn) -> None:
        super().plug(vm, gfn)
        self.mark(vm, gfn)

    def unplug(self, vm: Vm, gfn: Gfn) -> None:
        super().unplug(vm, gfn)
        self.mark(vm, gfn)


class DirtyLogging(DirtyLog):
    """A dirty log by write protection: the first store to a logged page exits."""

    def watch(self, vm: Vm, gfn: Gfn) -> None:
        self.withdraw_write(vm, gfn)

    def is_watched(self, vm: Vm, gfn: Gfn) -> bool:
        return self.is_write_protected(vm, gfn)
