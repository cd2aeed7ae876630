"""The p2m: which machine frame stands behind each guest frame.

This is the seam. Memory management owns frames and p2m; the MMU derives what the hardware uses from them. Before a
mapping loses rights or goes away the MMU is told, and must have made every processor forget when it returns. (Linux
draws the same line between its memory management and KVM, and calls it the MMU notifier.)
"""

import enum

import attrs

from refmodel.bare import BareMemory, Event, Reply
from refmodel.language import NOTHING, Total, count, fails, operation, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vm
from refmodel.monitor.frames import Frame, Frames, Use


class Backing(enum.Enum):
    ABSENT = "absent"
    MAPPED = "mapped"
    BALLOONED = "ballooned"


@attrs.frozen
class P2mEntry:
    backing: Backing = Backing.ABSENT
    mfn: Mfn = NOTHING
    writable: bool = False

    @property
    def mapped(self) -> bool:
        return self.backing == Backing.MAPPED


class P2m(Frames, BareMemory):
    p2m: Total[tuple[Vm, Gfn], P2mEntry]

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """MMU: from now on no translation of this page, cached or installed, lets a write through."""
        raise NotImplementedError

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """MMU: from now on there is no translation of this page, cached or installed."""
        raise NotImplementedError

    def touch(self, mfn: Mfn, offset: Index, access: Access, value: Cell) -> Reply:
        """The access itself, on machine memory."""
        page = self.memory[mfn]
        if access == Access.WRITE:
            self.memory[mfn] = page.put(offset, value)
            return Reply(Event.COMPLETED)
        return Reply(Event.COMPLETED, page[offset])

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor gives a VM a page it never had."""
        require(self.p2m[vm, gfn].backing == Backing.ABSENT)
        self.give_page(vm, gfn)

    def give_page(self, vm: Vm, gfn: Gfn) -> bool:
        """Put a scrubbed frame behind a guest frame; False, and nothing done, if none can be had."""
        if fails("frame"):
            return False
        mfn = self.free_frame()
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn, writable=True)
        self.plug(vm, gfn)
        return True


def references(s: P2m, mfn: Mfn) -> int:
    """How many guest pages a frame stands behind."""
    return count(s.p2m, lambda entry, vm, gfn: entry.mapped and entry.mfn == mfn)
