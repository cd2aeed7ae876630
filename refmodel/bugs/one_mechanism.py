"""Mutants of the designs that have one mechanism each."""

from refmodel.designs import ShadowLarge, ShadowRoles, WriteProtection
from refmodel.language import NOTHING, operation, require
from refmodel.machine.names import Gfn, Mfn, Region, Vm
from refmodel.mmu.shadow_roles import PageOf
from refmodel.mmu.write_protection import Backed


class FrameGivenTwice(ShadowRoles):
    """A page gets a frame that is another's."""

    @operation
    def populate(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(self.host[vm, gfn] == NOTHING)
        self.host[vm, gfn] = mfn
        self.owner[mfn] = PageOf(vm, gfn)


class BackedByNothing(ShadowLarge):
    """The monitor takes a region's memory, and leaves its entries."""

    @operation
    def unback(self, vm: Vm, region: Region) -> None:
        require(self.backed[vm, region])
        self.backed[vm, region] = False


class SwappedOutMapped(WriteProtection):
    """A page goes out, and its entry stays."""

    @operation
    def swap_out(self, gfn: Gfn) -> None:
        page = self.backed[gfn]
        require(page.resident)
        self.differs[gfn] = False
        self.backed[gfn] = Backed(False, False, True)
