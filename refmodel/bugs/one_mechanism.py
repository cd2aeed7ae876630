"""Mutants of the designs that have one mechanism each."""

from refmodel.designs import MonitorPages, ShadowLarge, ShadowRoles, WriteProtection
from refmodel.language import NOTHING, operation, require, reset
from refmodel.machine.names import Gfn, Index, Mfn, Region, Vm
from refmodel.mmu.shadow_large import DirectTable, SmallEntry, SmallMapped, Taken
from refmodel.mmu.shadow_roles import PageOf
from refmodel.mmu.write_protection import Backed, Served, Spte
from refmodel.monitor.host_pages import HostMapping, HostPage, Kind, Lent, Party


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


class MappedForAnotherEntry(ShadowLarge):
    """A fault on one large entry maps a page of the region that another names."""

    @operation
    def fault(self, vm: Vm, slot: Index, page: Index) -> SmallMapped:
        region = self.large[vm, page]
        require(region != NOTHING and self.backed[vm, region])
        self.drop(vm, slot)
        self.direct[vm, slot] = DirectTable(True, region)
        self.entries[vm, slot, page] = SmallEntry(True, region)
        self.rmap[vm, region, page, slot] = True
        return SmallMapped(vm, slot, page)


class TakenInName(ShadowLarge):
    """The monitor takes a region's memory: the entries go, and the region keeps it."""

    @operation
    def take(self, vm: Vm, region: Region) -> Taken:
        require(self.backed[vm, region])
        reset(self.entries, lambda entry, v, slot, page: v == vm and self.rmap[v, region, page, slot])
        reset(self.rmap, lambda mapped, v, r, page, slot: v == vm and r == region)
        return Taken(vm, region)


class SwappedOutMapped(WriteProtection):
    """A page goes out, and its entry stays."""

    @operation
    def swap_out(self, gfn: Gfn) -> None:
        page = self.backed[gfn]
        require(page.resident)
        self.differs[gfn] = False
        self.backed[gfn] = Backed(False, False, True)


class StatusBesideSecrets(MonitorPages):
    """A status page is a part of what the monitor keeps for itself, and the guest maps all of it."""

    @operation
    def use(self, mfn: Mfn, vm: Vm, status: bool) -> None:
        require(self.unused(mfn))
        self.pages[mfn] = HostPage(Kind.STATUS if status else Kind.INTERNAL, vm, secret=True)


class LentAsItIs(MonitorPages):
    """The host lends a guest a page, with whatever is in it."""

    def may_be_lent(self, mfn: Mfn, to: Party) -> bool:
        return True


class HandedOutWhileLent(MonitorPages):
    """A page is lent to a guest, and used for the monitor's own purposes meanwhile."""

    def unused(self, mfn: Mfn) -> bool:
        return self.pages[mfn].kind == Kind.FREE


class OfferedUnscrubbed(MonitorPages):
    """Frames are scrubbed when they are given to guests as memory, and not when a driver offers them."""

    def scrubs(self, page: HostPage) -> bool:
        return False

    def found_in(self, mfn: Mfn) -> bool:
        return False

    @operation
    def plug_device(self, mfn: Mfn, vm: Vm, read_only: bool) -> None:
        secret = self.pages[mfn].secret
        super().plug_device(mfn, vm, read_only)
        self.pages[mfn] = HostPage(Kind.DEVICE, vm, read_only=read_only, secret=secret)


class ShadowedUnflushed(WriteProtection):
    """A page becomes a table and its entry read-only; a processor that has it cached writes to it as before."""

    def write_protect_table(self, gfn: Gfn) -> None:
        self.note_dirty(gfn, self.sptes[gfn])
        self.sptes[gfn] = Spte(self.sptes[gfn].present, False, False)


class LogFetchedUnflushed(WriteProtection):
    """The log is handed out and emptied before processors have forgotten that they may write."""

    @operation
    def fetch_log(self, gfn: Gfn) -> None:
        self.logging[gfn] = True
        self.logged[gfn] = False
        self.take_write(gfn)


class SwappedOutCached(WriteProtection):
    """A page goes out and its entry with it; processors have it cached still."""

    @operation
    def swap_out(self, gfn: Gfn) -> None:
        require(self.backed[gfn].resident)
        self.sptes[gfn] = Spte()
        self.differs[gfn] = False
        self.backed[gfn] = Backed(False, False, True)


class FreedWhileHeld(MonitorPages):
    """A driver frees a page that it was asked to hold; the guest's mapping goes with it, while the guest's device goes on."""

    @operation
    def free(self, mfn: Mfn) -> None:
        page = self.pages[mfn]
        require(page.kind != Kind.FREE)
        require(not self.lent[mfn].shared)
        if page.at != NOTHING:
            self.physmap[page.vm, page.at] = HostMapping()
        self.pages[mfn] = HostPage()


class LentToItself(MonitorPages):
    """The host lends pages to whoever is named, itself included, and has a borrower's record of its own pages then."""

    @operation
    def share(self, mfn: Mfn, to: Party) -> None:
        require(not self.lent[mfn].shared)
        require(self.may_be_lent(mfn, to))
        self.lent[mfn] = Lent(True, to)
        self.borrowed[mfn, to] = True


class FaultsServedInName(WriteProtection):
    """A write has faulted and is logged, and the entry stays read-only."""

    @operation
    def fast_fault(self, gfn: Gfn) -> Served:
        require(self.sptes[gfn].mmu_writable and not self.sptes[gfn].writable)
        self.logged[gfn] = True
        return Served(gfn, write=True)


class ReadOnlyForEver(WriteProtection):
    """A page is a table no more, and nothing makes it writable again."""

    @operation
    def unshadow(self, gfn: Gfn) -> None:
        require(self.shadowed[gfn])
        self.shadowed[gfn] = False
