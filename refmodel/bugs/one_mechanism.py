"""Mutants of the designs that have one mechanism each."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import MonitorPages, ShadowRoles
from refmodel.language import NOTHING, operation, require
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.mmu.shadow_roles import PageOf
from refmodel.monitor.host_pages import DeviceMapped, DevicePlugged, HostMapping, HostPage, Kind, Lent, Party


class FrameGivenTwice(ShadowRoles):
    """A page gets a frame that already belongs to another page."""

    @operation
    def populate(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(self.host[vm, gfn] == NOTHING)
        self.host[vm, gfn] = mfn
        self.owner[mfn] = PageOf(vm, gfn)


class MemoryReadOnly(MonitorPages):
    """A guest gets a page of memory that is read-only."""

    @operation
    def give(self, mfn: Mfn, vm: Vm, gfn: Gfn) -> None:
        super().give(mfn, vm, gfn)
        self.physmap[vm, gfn] = HostMapping(True, mfn, False)


class MemoryUnmapped(MonitorPages):
    """The operation that unmaps a device's page also unmaps a guest's memory."""

    @operation
    def unmap_device(self, vm: Vm, gfn: Gfn) -> None:
        mapping = self.physmap[vm, gfn]
        require(mapping.mapped)
        self.physmap[vm, gfn] = HostMapping()
        self.pages[mapping.mfn] = attrs.evolve(self.pages[mapping.mfn], at=NOTHING, held=False)


class DeviceMappedReadOnly(MonitorPages):
    """A write to a device's page faults, and the page is mapped read-only again and again."""

    @operation
    def map_device(self, vm: Vm, mfn: Mfn, gfn: Gfn, write: bool) -> DeviceMapped:
        super().map_device(vm, mfn, gfn, write)
        self.physmap[vm, gfn] = HostMapping(True, mfn, False)
        return DeviceMapped(vm, gfn, write)


class StatusBesideSecrets(MonitorPages):
    """A status page contains internal data of the monitor, and the guest maps the whole page."""

    @operation
    def use(self, mfn: Mfn, vm: Vm, status: bool) -> None:
        require(self.unused(mfn))
        self.pages[mfn] = HostPage(Kind.STATUS if status else Kind.INTERNAL, vm, secret=True)


class LentAsItIs(MonitorPages):
    """The host lends a page to a guest without scrubbing it."""

    def may_be_lent(self, mfn: Mfn, to: Party) -> bool:
        return True


class HandedOutWhileLent(MonitorPages):
    """A page is lent to a guest, and the monitor uses it for its own purposes."""

    def unused(self, mfn: Mfn) -> bool:
        return self.pages[mfn].kind == Kind.FREE


class OfferedUnscrubbed(MonitorPages):
    """Frames are scrubbed when guests get them as memory, and not when a driver offers them."""

    def scrubs(self, page: HostPage) -> bool:
        return False

    def found_in(self, mfn: Mfn) -> bool:
        return False

    @operation
    def plug_device(self, mfn: Mfn, vm: Vm, read_only: bool) -> DevicePlugged:
        secret = self.pages[mfn].secret
        done = super().plug_device(mfn, vm, read_only)
        self.pages[mfn] = HostPage(Kind.DEVICE, vm, read_only=read_only, secret=secret)
        return done


class OfferedForWriting(MonitorPages):
    """A page that a driver offers read-only is recorded as writable."""

    @operation
    def plug_device(self, mfn: Mfn, vm: Vm, read_only: bool) -> DevicePlugged:
        super().plug_device(mfn, vm, False)
        return DevicePlugged(mfn, read_only)


class UsedAsIfPublic(MonitorPages):
    """A page that the monitor uses internally is recorded as holding no secret, and is never scrubbed."""

    @operation
    def use(self, mfn: Mfn, vm: Vm, status: bool) -> None:
        super().use(mfn, vm, status)
        self.pages[mfn] = attrs.evolve(self.pages[mfn], secret=False)


class FreedWhileHeld(MonitorPages):
    """A driver frees a page that it was asked to hold, and the guest's device continues to use the page."""

    @operation
    def free(self, mfn: Mfn) -> None:
        page = self.pages[mfn]
        require(page.kind != Kind.FREE)
        require(not self.lent[mfn].shared)
        if page.at != NOTHING:
            self.physmap[page.vm, page.at] = HostMapping()
        self.pages[mfn] = HostPage()


class LentToItself(MonitorPages):
    """The host lends pages to any named party, even to itself, and then records itself as a borrower of its own pages."""

    @operation
    def share(self, mfn: Mfn, to: Party) -> None:
        require(not self.lent[mfn].shared)
        require(self.may_be_lent(mfn, to))
        self.lent[mfn] = Lent(True, to)
        self.borrowed[mfn, to] = True


MUTANTS = {
    "roles-frame-given-twice": Mutant(FrameGivenTwice, "RES-2"),
    "host-memory-read-only": Mutant(MemoryReadOnly, "EQV-1"),
    "host-memory-unmapped": Mutant(MemoryUnmapped, "EQV-1"),
    "host-device-mapped-read-only": Mutant(DeviceMappedReadOnly, "EFF-2"),
    "host-status-beside-secrets": Mutant(StatusBesideSecrets, "ISO-4"),
    "host-lent-as-it-is": Mutant(LentAsItIs, "ISO-4"),
    "host-handed-out-while-lent": Mutant(HandedOutWhileLent, "ISO-1"),
    "host-freed-while-held": Mutant(FreedWhileHeld, "ISO-1"),
    "host-lent-to-itself": Mutant(LentToItself, "RES-1"),
    "host-offered-unscrubbed": Mutant(OfferedUnscrubbed, "ISO-4"),
    "host-offered-for-writing": Mutant(OfferedForWriting, "ISO-1"),
    "host-used-as-if-public": Mutant(UsedAsIfPublic, "ISO-4"),
}
"""By name."""
