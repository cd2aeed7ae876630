"""Free page hinting: during migration the guest says which pages are free, so that the source can skip them (virtio 1.2 section
5.5.6.6).

Nothing is taken from the guest, and it does not say when it uses such a page again. So a hint is worth something only while the
page is watched: a store to it is noted like any other, and it is sent after all. A hint about a page that may be stored to
unnoticed is not taken.

What was skipped is not kept when the page is handed over to the other machine: the guest finds zeroes there, and can rely on
nothing until it has stored to the page.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Reply
from refmodel.language import Total, guest, require
from refmodel.machine.cells import Access, Cell, Cells
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.monitor.dirty_logging import DirtyLog, Sent


@attrs.frozen
class CalledFree:
    """A guest has said that a page is free: which."""

    shown: ClassVar[None] = None
    """The guest is shown nothing: whether the hint is taken is the monitor's choice."""

    vm: Vm
    gfn: Gfn


class FreePageHinting(DirtyLog):
    flows: ClassVar[dict[str, str]] = {"hand_over": "a page that its guest called free is lost"}

    called_free: Total[tuple[Vm, Gfn], bool]
    """The pages that the guest says hold nothing it needs, until it stores to them."""

    @guest
    def hint_free(self, vm: Vm, gfn: Gfn) -> CalledFree:
        """The guest says that a page is free."""
        require(self.plugged[vm, gfn])
        self.called_free[vm, gfn] = True
        if self.takes_hint(vm, gfn):
            self.sent[vm, gfn] = Sent.SKIPPED
        return CalledFree(vm, gfn)

    def takes_hint(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no store to a page goes unnoticed."""
        return self.in_frame(vm, gfn) and self.sent[vm, gfn] == Sent.PROTECTED and self.is_watched(vm, gfn)

    def is_called_free(self, vm: Vm, gfn: Gfn) -> bool:
        return self.called_free[vm, gfn]

    def move_contents(self, vm: Vm, gfn: Gfn) -> Cells:
        if self.sent[vm, gfn] == Sent.SKIPPED and not self.is_written(vm, gfn):
            self.plug(vm, gfn)
            return self.bare_memory[vm, gfn]
        return super().move_contents(vm, gfn)

    # ------------------------------------------------------------ what ends it

    def bare_physical(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Reply:
        if access == Access.WRITE and self.plugged[vm, gfn]:
            self.called_free[vm, gfn] = False
        return super().bare_physical(vm, gfn, offset, access, value)

    def plug(self, vm: Vm, gfn: Gfn) -> None:
        super().plug(vm, gfn)
        self.called_free[vm, gfn] = False

    def unplug(self, vm: Vm, gfn: Gfn) -> None:
        super().unplug(vm, gfn)
        self.called_free[vm, gfn] = False
