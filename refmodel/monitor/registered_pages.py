"""Registered pages: a guest names a page to which the monitor stores repeatedly, and the monitor keeps the translation.

A clock page, the time that was stolen from a vCPU, the state of a guest of the guest's: such a page is stored to often, so that
the monitor does not ask for it each time. It *keeps* the frame (KVM's ``gfn_to_pfn_cache``; Xen maps such pages for good, and holds
a reference). What is kept is a translation like any that a processor caches. The page may be merged, written out, moved or given
up. So it has to go when the page loses rights or its frame, as translations do, and it has to go when stores to the page are to be
noted from now on, however they are noted.

KVM kept the host's address of a clock page while the guest's memory came and went (CVE-2013-1797).
"""

from typing import ClassVar

import attrs

from refmodel.bare import Event, Reply, Seen
from refmodel.language import NOTHING, Total, guest, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vm
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.p2m import Supply


@attrs.frozen
class RegisteredPage:
    """The page that a guest has registered, if any."""

    gfn: Gfn = NOTHING


@attrs.frozen
class KeptFrame:
    """The frame that the monitor stores to without asking, if it keeps one."""

    mfn: Mfn = NOTHING


@attrs.frozen
class PageRegistered:
    """A guest has registered a page: the one that it named."""

    shown: ClassVar[None] = None
    """The guest is shown nothing."""

    vm: Vm
    gfn: Gfn


class RegisteredPages(GuestCopies):
    registered: Total[Vm, RegisteredPage]
    kept_frames: Total[Vm, KeptFrame]

    known: ClassVar[tuple[str, ...]] = ("registered",)
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"update_registered": ("store_physical",)}

    @guest
    def register_page(self, vm: Vm, gfn: Gfn) -> PageRegistered:
        """The guest says which page it is, in place of the one before. (KVM: an MSR, such as MSR_KVM_SYSTEM_TIME.)"""
        self.registered[vm] = RegisteredPage(gfn)
        self.kept_frames[vm] = KeptFrame()
        return PageRegistered(vm, gfn)

    @guest
    def update_registered(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        """The monitor stores to the page: to the frame that it keeps, or to one that it asks for and keeps from then on."""
        require(self.registered[vm].gfn == gfn)
        if self.kept_frames[vm].mfn == NOTHING:
            found = self.ready_to_copy(vm, gfn)
            if found == Supply.LATER:
                return Seen(gfn=gfn, write=True)
            if found == Supply.HOLE:
                return Seen(Reply(Event.HOLE), self.bare_physical(vm, gfn, offset, Access.WRITE, value))
            self.kept_frames[vm] = KeptFrame(self.p2m[vm, gfn].mfn)
        self.behind(vm, gfn, offset)
        shown = self.touch(self.kept_frames[vm].mfn, offset, Access.WRITE, value)
        return Seen(shown, self.bare_physical(vm, gfn, offset, Access.WRITE, value))

    # ------------------------------------------------------------ what ends it

    def drop_kept(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor asks for a page again before it next stores there."""
        if self.registered[vm].gfn == gfn:
            self.kept_frames[vm] = KeptFrame()

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.drop_kept(vm, gfn)
        super().protect(vm, gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.drop_kept(vm, gfn)
        super().forget(vm, gfn)

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        self.drop_kept(vm, gfn)
        super().clean(vm, gfn)
