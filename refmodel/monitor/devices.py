"""Assigned devices: a guest drives a device directly, and the device accesses memory through an IOMMU.

The guest tells its device guest-physical addresses, and the IOMMU translates them as the p2m says (VT-d second-stage tables, or an
AMD-Vi nested table). Most devices cannot take a fault and try again, so a page must stay where it is for as long as a device may
reach for it: it is *held*. Nobody moves it, merges it, writes it out or takes it for the balloon, and a store that nobody sees may
come at any time, so it counts as dirty all the while.

To be held a page must be the guest's own, also for a device that only reads: were it shared, the guest's next store would move the
guest's page to another frame, and the device would go on reading the old one (CVE-2020-29374 was about pins of that kind).

It ends in two steps. The entry goes, and the IOMMU may still use what its IOTLB has cached; only when that has been invalidated is
the page let go. The monitor can end it too, as if the device had been unplugged.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.bare import Reply
from refmodel.language import NOTHING, Total, cached, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vm
from refmodel.monitor.p2m import P2m, Supply


class Hold(enum.Enum):
    """Whether a page is a device's to reach."""

    FREE = "no device's"
    MAPPED = "mapped"
    UNMAPPED = "unmapped, perhaps cached still"


@attrs.frozen
class DmaMapping:
    """What the IOMMU has for a guest frame, in its table or in its IOTLB."""

    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


@attrs.frozen
class Handed:
    """What came of a guest's letting its device reach a page."""

    shown: ClassVar[None] = None
    """The guest is shown nothing but time: it waits while the page cannot be supplied, and asks again."""

    vm: Vm
    gfn: Gfn
    found: Supply
    write: bool
    """Whether the device is to store to it."""


@attrs.frozen
class DeviceAccess:
    """A device's access to a page: its result, the result on the bare machine, the page's gfn, and whether it was a store."""

    shown: Reply
    due: Reply
    gfn: Gfn
    write: bool


@attrs.frozen
class LetGo:
    """A step of taking a page back from a device."""

    shown: ClassVar[None] = None
    """The guest is shown nothing but time: it waits until the IOTLB is flushed."""

    vm: Vm
    gfn: Gfn
    flushed: bool


class Devices(P2m):
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"dma_read": ("load_physical",), "dma_write": ("store_physical",)}

    holds: Total[tuple[Vm, Gfn], Hold]
    iommu: Total[tuple[Vm, Gfn], DmaMapping]
    iotlb: Total[tuple[Vm, Gfn], DmaMapping]

    # ------------------------------------------------------------ what the guest does

    @guest
    def hand_to_device(self, vm: Vm, gfn: Gfn, write: bool) -> Handed:
        """The guest lets its device reach a page, for reading or for both."""
        require(self.holds[vm, gfn] == Hold.FREE)
        found = self.supply(vm, gfn, self.supplied_for_writing(write))
        if found == Supply.READY:
            self.holds[vm, gfn] = Hold.MAPPED
            self.iommu[vm, gfn] = DmaMapping(True, self.p2m[vm, gfn].mfn, write)
        return Handed(vm, gfn, found, write)

    def supplied_for_writing(self, write: bool) -> bool:
        """Whether the page has to be the guest's own."""
        return True

    @guest
    def take_from_device(self, vm: Vm, gfn: Gfn) -> LetGo:
        """The guest unmaps a page from its device; the IOTLB may still hold the page."""
        return self.unmap(vm, gfn)

    # ------------------------------------------------------------ what the monitor does

    @operation
    def unplug_device(self, vm: Vm, gfn: Gfn) -> LetGo:
        """The monitor unmaps a page from a device to get the page back; the IOTLB may still hold the page."""
        return self.unmap(vm, gfn)

    def unmap(self, vm: Vm, gfn: Gfn) -> LetGo:
        require(self.may_unmap(vm, gfn))
        self.iommu[vm, gfn] = DmaMapping()
        self.holds[vm, gfn] = Hold.UNMAPPED
        return LetGo(vm, gfn, flushed=False)

    def may_unmap(self, vm: Vm, gfn: Gfn) -> bool:
        return self.holds[vm, gfn] == Hold.MAPPED

    @pending("EFF-4", "A page that was unmapped from the IOMMU is unpinned when the IOTLB is flushed.", until="flush_iotlb")
    def iotlb_not_flushed(self, vm: Vm, gfn: Gfn) -> bool:
        return self.may_flush(vm, gfn)

    @operation
    def flush_iotlb(self, vm: Vm, gfn: Gfn) -> LetGo:
        """The IOTLB is invalidated for a page, and nobody holds it any more."""
        require(self.may_flush(vm, gfn))
        self.invalidate_iotlb(vm, gfn)
        self.holds[vm, gfn] = Hold.FREE
        return LetGo(vm, gfn, flushed=True)

    def may_flush(self, vm: Vm, gfn: Gfn) -> bool:
        return self.holds[vm, gfn] == Hold.UNMAPPED

    def invalidate_iotlb(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.iotlb, lambda entry, of, page: of == vm and page == gfn)

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return self.holds[vm, gfn] != Hold.FREE or super().held(vm, gfn)

    # ------------------------------------------------------------ what the device does

    @guest
    def dma_read(self, vm: Vm, gfn: Gfn, offset: Index) -> DeviceAccess:
        """The device reads a cell, and its guest sees what."""
        return self.dma(vm, gfn, offset, Access.READ, Cell())

    @guest
    def dma_write(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> DeviceAccess:
        """The device stores to a cell."""
        return self.dma(vm, gfn, offset, Access.WRITE, value)

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        """Through the IOTLB if it has an entry and uses it, and else through the table."""
        if not (self.iotlb[vm, gfn].present and cached("IOTLB entry")):
            require(self.iommu[vm, gfn].present)
            self.iotlb[vm, gfn] = self.iommu[vm, gfn]
        entry = self.iotlb[vm, gfn]
        require(entry.writable or access == Access.READ)
        if access == Access.WRITE:
            self.behind(vm, gfn, offset)
        shown = self.touch(entry.mfn, offset, access, value)
        return DeviceAccess(shown, self.bare_physical(vm, gfn, offset, access, value), gfn, access == Access.WRITE)
