"""Mutants of frames that change hands under direct paging: grants, transfers and descriptors."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import DirectWithGrants
from refmodel.language import count, require
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.direct import Held, Standing, TypedFrame
from refmodel.mmu.direct_grants import (
    DescriptorsSet,
    Grant,
    GrantChanged,
    GrantDeviceMapped,
    GrantEntryMapped,
    GrantMapping,
    MachphysUpdated,
)


class GrantUnmappedInName(DirectWithGrants):
    """A grant is recorded as unmapped, and the entry that maps it stays."""

    def grant_unmap(self, vm: Vm, mfn: Mfn, host: bool, device: bool) -> None:
        track = self.maptrack[vm, mfn]
        require(track.host and host and not device)
        self.maptrack[vm, mfn] = attrs.evolve(track, host=False)


class GrantOutlivesTheTable(DirectWithGrants):
    """A page table whose entry maps a granted frame loses its type, and the grant's maptrack record still names the table."""

    def dissolve_entry(self, mfn: Mfn, index: Index) -> None:
        held = self.held[mfn, index]
        require(self.frames[mfn].standing == Standing.DISSOLVING and held.live)
        self.held[mfn, index] = Held()
        self.unchecked[mfn, index] = True
        self.drop(held)


class DeviceLosesTheGrant(DirectWithGrants):
    """Unmapping the entry part of a grant also removes the frame from the device, although the device part stays."""

    def grant_unmap(self, vm: Vm, mfn: Mfn, host: bool, device: bool) -> None:
        super().grant_unmap(vm, mfn, host, device)
        if self.maptrack[vm, mfn].device:
            self.iommu[vm, mfn] = False


class RevokedFromDevices(DirectWithGrants):
    """A frame's owner ends its offer, and a device that has mapped the frame loses it at once."""

    def revoke(self, vm: Vm, mfn: Mfn) -> GrantChanged:
        grant = self.grants[mfn]
        require(self.frames[mfn].owned and self.frames[mfn].vm == vm)
        require(not self.maptrack[grant.to, mfn].host)
        if self.maptrack[grant.to, mfn].device:
            self.unmap_device(grant.to, mfn)
            self.maptrack[grant.to, mfn] = GrantMapping()
        self.grants[mfn] = Grant()
        return GrantChanged(True, mfn, Grant())


class RefusedAndGivenBackTwice(DirectWithGrants):
    """A refused hypercall releases its reference twice."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        done = super().machphys_update(vm, mfn, gfn)
        if not done.done:
            self.put_page(mfn)
        return done


class RevokedByAnyone(DirectWithGrants):
    """A VM ends the offer of another VM's frame."""

    def revoke(self, vm: Vm, mfn: Mfn) -> GrantChanged:
        require(self.frames[mfn].owned)
        return self.change_grant(mfn, Grant())


class GivenAwayByAnyone(DirectWithGrants):
    """A VM transfers another VM's frame to itself."""

    def transfer(self, vm: Vm, mfn: Mfn, other: Vm) -> None:
        owner = self.frames[mfn].vm
        require(self.idle(owner, mfn))
        self.forget_frame(mfn)
        self.iommu[owner, mfn] = False
        self.grants[mfn] = Grant()
        self.frames[mfn] = TypedFrame(True, other)
        self.iommu[other, mfn] = True


class MachphysUpdatedByAnyone(DirectWithGrants):
    """A VM changes the machine-to-physical entry of another VM's frame."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        require(self.frames[mfn].owned)
        done = self.frames[mfn].vm == vm
        self.m2p[mfn] = gfn
        return MachphysUpdated(done, mfn, gfn)


class MachphysUpdatedInName(DirectWithGrants):
    """An update of the machine-to-physical table is reported as successful, and the table does not change."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        return MachphysUpdated(self.owns(vm, mfn), mfn, gfn)


class MachphysRefusalTypesTheFrame(DirectWithGrants):
    """A refused update of the machine-to-physical table leaves an extra use of the frame's type."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        answer = super().machphys_update(vm, mfn, gfn)
        if not answer.done and self.frames[mfn].owned:
            self.get_writable(mfn)
        return answer


class GrantChangedInName(DirectWithGrants):
    """A change of a grant is reported as successful, and the grant does not change."""

    def change_grant(self, mfn: Mfn, grant: Grant) -> GrantChanged:
        return GrantChanged(self.mapped(mfn) == 0, mfn, grant)


class GrantMappedForAnyone(DirectWithGrants):
    """A request to map a grant is answered for a frame that was never granted to the caller."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        require(self.owns(vm, mfn) and writable)
        return GrantEntryMapped(False, mfn, table, index, aligned, writable)


class EveryGrantInUse(DirectWithGrants):
    """A frame's owner cannot change the frame's grant while any other frame's grant is mapped."""

    def mapped(self, mfn: Mfn) -> int:
        return count(self.maptrack, lambda track, vm, frame: track.host or track.device)


class WritableGrantRefused(DirectWithGrants):
    """A request to map a grant writable is always refused."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        answer = super().grant_map_pte(vm, mfn, table, index, aligned and not writable, writable)
        return GrantEntryMapped(answer.done, mfn, table, index, aligned, writable)


class GrantMappedReadOnly(DirectWithGrants):
    """A VM that requests a writable mapping of a grant gets a read-only mapping."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        answer = super().grant_map_pte(vm, mfn, table, index, aligned, False)
        done = answer.done and (not writable or self.grants[mfn].writable)
        return GrantEntryMapped(done, mfn, table, index, aligned, writable)


class RefusedGrantTakesTheUse(DirectWithGrants):
    """A request to map a grant at an invalid address is refused, and leaves a writable use of the frame."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        answer = super().grant_map_pte(vm, mfn, table, index, aligned, writable)
        if not aligned and writable:
            self.get_writable(mfn)
        return answer


class DeviceMappedInName(DirectWithGrants):
    """A device mapping of a grant is reported as successful, and the devices cannot access the frame."""

    def grant_map_device(self, vm: Vm, mfn: Mfn) -> GrantDeviceMapped:
        require(self.granted(vm, mfn))
        return GrantDeviceMapped(self.grants[mfn].writable, mfn)


class RefusedDeviceTakesTheUse(DirectWithGrants):
    """A request to map a read-only grant for devices is refused, and leaves a writable use of the frame."""

    def grant_map_device(self, vm: Vm, mfn: Mfn) -> GrantDeviceMapped:
        answer = super().grant_map_device(vm, mfn)
        if not answer.done:
            self.get_writable(mfn)
        return answer


class FitDescriptorsRefused(DirectWithGrants):
    """A frame that is one vCPU's descriptor table cannot become another vCPU's descriptor table."""

    def set_gdt(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> DescriptorsSet:
        if self.frames[mfn].uses > 0:
            return DescriptorsSet(False, vcpu, mfn)
        return super().set_gdt(vm, vcpu, mfn)


class DescriptorsSetInName(DirectWithGrants):
    """A new descriptor table is reported as set, and the vCPU keeps the old table."""

    def set_gdt(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> DescriptorsSet:
        require(self.idle(vm, mfn) and self.call_gates(mfn) == 0)
        return DescriptorsSet(True, vcpu, mfn)


class RefusedDescriptorsTakeTheUse(DirectWithGrants):
    """A request to set invalid descriptors is refused, and leaves a use of the frame."""

    def set_gdt(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> DescriptorsSet:
        answer = super().set_gdt(vm, vcpu, mfn)
        if not answer.done:
            self.get_table(mfn)
        return answer


MUTANTS = {
    "direct-grant-outlives-the-table": Mutant(GrantOutlivesTheTable, "ISO-1"),
    "direct-grant-unmapped-in-name": Mutant(GrantUnmappedInName, "ISO-1"),
    "direct-device-loses-the-grant": Mutant(DeviceLosesTheGrant, "EQV-2"),
    "direct-revoked-from-devices": Mutant(RevokedFromDevices, "EQV-2"),
    "direct-refused-and-given-back-twice": Mutant(RefusedAndGivenBackTwice, "EFF-3"),
    "direct-revoked-by-anyone": Mutant(RevokedByAnyone, "ISO-5"),
    "direct-given-away-by-anyone": Mutant(GivenAwayByAnyone, "ISO-5"),
    "direct-machphys-updated-by-anyone": Mutant(MachphysUpdatedByAnyone, "ISO-5"),
    "direct-machphys-updated-in-name": Mutant(MachphysUpdatedInName, "EQV-2"),
    "direct-machphys-refusal-types-the-frame": Mutant(MachphysRefusalTypesTheFrame, "EQV-2"),
    "direct-grant-changed-in-name": Mutant(GrantChangedInName, "EQV-2"),
    "direct-grant-mapped-for-anyone": Mutant(GrantMappedForAnyone, "ISO-1"),
    "direct-every-grant-in-use": Mutant(EveryGrantInUse, "EQV-2"),
    "direct-writable-grant-refused": Mutant(WritableGrantRefused, "EQV-2"),
    "direct-grant-mapped-read-only": Mutant(GrantMappedReadOnly, "EQV-2"),
    "direct-refused-grant-takes-the-use": Mutant(RefusedGrantTakesTheUse, "EQV-2"),
    "direct-device-mapped-in-name": Mutant(DeviceMappedInName, "EQV-2"),
    "direct-refused-device-takes-the-use": Mutant(RefusedDeviceTakesTheUse, "EQV-2"),
    "direct-fit-descriptors-refused": Mutant(FitDescriptorsRefused, "EQV-2"),
    "direct-descriptors-set-in-name": Mutant(DescriptorsSetInName, "EQV-2"),
    "direct-refused-descriptors-take-the-use": Mutant(RefusedDescriptorsTakeTheUse, "EQV-2"),
}
"""By name."""
