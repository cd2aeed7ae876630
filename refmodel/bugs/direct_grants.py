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
    """A grant is unmapped, and the entry that maps it stays."""

    def grant_unmap(self, vm: Vm, mfn: Mfn, host: bool, device: bool) -> None:
        track = self.maptrack[vm, mfn]
        require(track.host and host and not device)
        self.maptrack[vm, mfn] = attrs.evolve(track, host=False)


class GrantOutlivesTheTable(DirectWithGrants):
    """A table dissolves with an entry that maps a grant, whose mapping names it still."""

    def dissolve_entry(self, mfn: Mfn, index: Index) -> None:
        held = self.held[mfn, index]
        require(self.frames[mfn].standing == Standing.DISSOLVING and held.live)
        self.held[mfn, index] = Held()
        self.unchecked[mfn, index] = True
        self.drop(held)


class DeviceLosesTheGrant(DirectWithGrants):
    """A part of a grant is unmapped, and the device is not let at the frame any more, though its part is another and stays."""

    def grant_unmap(self, vm: Vm, mfn: Mfn, host: bool, device: bool) -> None:
        super().grant_unmap(vm, mfn, host, device)
        if self.maptrack[vm, mfn].device:
            self.iommu[vm, mfn] = False


class RevokedFromDevices(DirectWithGrants):
    """The owner of a frame ends its offer, and a device that has the frame mapped loses it on the spot."""

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
    """A hypercall that is refused gives the reference back that it took, and once more on its way out."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        done = super().machphys_update(vm, mfn, gfn)
        if not done.done:
            self.put_page(mfn)
        return done


class RevokedByAnyone(DirectWithGrants):
    """A VM ends the offer of a frame that is another's."""

    def revoke(self, vm: Vm, mfn: Mfn) -> GrantChanged:
        require(self.frames[mfn].owned)
        return self.change_grant(mfn, Grant())


class GivenAwayByAnyone(DirectWithGrants):
    """A VM transfers a frame to itself that is another's."""

    def transfer(self, vm: Vm, mfn: Mfn, other: Vm) -> None:
        owner = self.frames[mfn].vm
        require(self.idle(owner, mfn))
        self.forget_frame(mfn)
        self.iommu[owner, mfn] = False
        self.grants[mfn] = Grant()
        self.frames[mfn] = TypedFrame(True, other)
        self.iommu[other, mfn] = True


class MachphysUpdatedByAnyone(DirectWithGrants):
    """A VM writes down which guest frame a machine frame is that is another's."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        require(self.frames[mfn].owned)
        done = self.frames[mfn].vm == vm
        self.m2p[mfn] = gfn
        return MachphysUpdated(done, mfn, gfn)


class MachphysUpdatedInName(DirectWithGrants):
    """The owner of a machine frame learns that its guest frame is written down, and it is not."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        return MachphysUpdated(self.owns(vm, mfn), mfn, gfn)


class MachphysRefusalTypesTheFrame(DirectWithGrants):
    """An update of the machine-to-physical table that is refused gives the frame a use that nothing makes of it."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        answer = super().machphys_update(vm, mfn, gfn)
        if not answer.done and self.frames[mfn].owned:
            self.get_writable(mfn)
        return answer


class GrantChangedInName(DirectWithGrants):
    """The owner of a frame learns that its grant is what it asked for, and it is as it was."""

    def change_grant(self, mfn: Mfn, grant: Grant) -> GrantChanged:
        return GrantChanged(self.mapped(mfn) == 0, mfn, grant)


class GrantMappedForAnyone(DirectWithGrants):
    """A mapping of a grant is answered for a frame that was never granted to the caller."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        require(self.owns(vm, mfn) and writable)
        return GrantEntryMapped(False, mfn, table, index, aligned, writable)


class EveryGrantInUse(DirectWithGrants):
    """The owner of a frame cannot change its grant while any other frame's grant is mapped."""

    def mapped(self, mfn: Mfn) -> int:
        return count(self.maptrack, lambda track, vm, frame: track.host or track.device)


class WritableGrantRefused(DirectWithGrants):
    """No grant is mapped for writing, whatever was granted."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        answer = super().grant_map_pte(vm, mfn, table, index, aligned and not writable, writable)
        return GrantEntryMapped(answer.done, mfn, table, index, aligned, writable)


class GrantMappedReadOnly(DirectWithGrants):
    """A VM that asks for a writable mapping of a grant gets one that is read-only."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        answer = super().grant_map_pte(vm, mfn, table, index, aligned, False)
        done = answer.done and (not writable or self.grants[mfn].writable)
        return GrantEntryMapped(done, mfn, table, index, aligned, writable)


class RefusedGrantTakesTheUse(DirectWithGrants):
    """A mapping of a grant at an address that is no entry is refused, and the frame counts as written to."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        answer = super().grant_map_pte(vm, mfn, table, index, aligned, writable)
        if not aligned and writable:
            self.get_writable(mfn)
        return answer


class DeviceMappedInName(DirectWithGrants):
    """A VM learns that its devices are let at a granted frame, and they are not."""

    def grant_map_device(self, vm: Vm, mfn: Mfn) -> GrantDeviceMapped:
        require(self.granted(vm, mfn))
        return GrantDeviceMapped(self.grants[mfn].writable, mfn)


class RefusedDeviceTakesTheUse(DirectWithGrants):
    """A device mapping of a read-only grant is refused, and the frame counts as written to."""

    def grant_map_device(self, vm: Vm, mfn: Mfn) -> GrantDeviceMapped:
        answer = super().grant_map_device(vm, mfn)
        if not answer.done:
            self.get_writable(mfn)
        return answer


class FitDescriptorsRefused(DirectWithGrants):
    """A frame that one vCPU uses as its descriptors cannot be used by another."""

    def set_gdt(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> DescriptorsSet:
        if self.frames[mfn].uses > 0:
            return DescriptorsSet(False, vcpu, mfn)
        return super().set_gdt(vm, vcpu, mfn)


class DescriptorsSetInName(DirectWithGrants):
    """A VM learns that a vCPU has new descriptors, and it has those that it had."""

    def set_gdt(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> DescriptorsSet:
        require(self.idle(vm, mfn) and self.call_gates(mfn) == 0)
        return DescriptorsSet(True, vcpu, mfn)


class RefusedDescriptorsTakeTheUse(DirectWithGrants):
    """Descriptors that are not fit are refused, and the frame counts as used."""

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
