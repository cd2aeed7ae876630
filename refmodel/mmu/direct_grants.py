"""Frames that change hands under direct paging: grants, transfers, and descriptor pages, whose type outlives their use.

A *grant* lets another VM map one frame. The mapping has two parts, each with references of its own: the *host* part is an entry
of the grantee's table, the *device* part lets the grantee's devices at the frame. Either can be unmapped without the other. (Xen's
``grant_table.c``; XSA-224 was about whose reference went when.) A *transfer* gives a frame away for good, and with it must go
whatever was found out about its contents under its former owner (XSA-214).
"""

import attrs

from refmodel.language import NOTHING, Total, count, guest, require
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.direct import Base, DirectMmu, Held, MachineWord, Standing, Type, TypedFrame


@attrs.frozen
class Grant:
    """What the owner of a frame offers, to whom."""

    offered: bool = False
    to: Vm = NOTHING
    writable: bool = False


@attrs.frozen
class GrantMapping:
    """What a VM has mapped of a grant: a table entry, a device mapping, both or neither."""

    host: bool = False
    table: Mfn = NOTHING
    index: Index = NOTHING
    device: bool = False


@attrs.frozen
class GrantChanged:
    """What a VM learns that offers one of its frames, or ends the offer: whether the grant is what it asked for now."""

    done: bool
    mfn: Mfn
    asked: Grant


@attrs.frozen
class GrantEntryMapped:
    """The result of mapping a granted frame with an entry of the caller's page table."""

    done: bool
    mfn: Mfn
    table: Mfn
    index: Index
    aligned: bool
    writable: bool


@attrs.frozen
class GrantDeviceMapped:
    """The result of mapping a granted frame for the caller's devices."""

    done: bool
    mfn: Mfn


@attrs.frozen
class MachphysUpdated:
    """The result of MMU_MACHPHYS_UPDATE: whether it was done, for which frame, and with which gfn."""

    done: bool
    mfn: Mfn
    gfn: Gfn


@attrs.frozen
class DescriptorsSet:
    """The result of setting a vCPU's GDT."""

    done: bool
    vcpu: Vcpu
    mfn: Mfn


class DirectGrants(DirectMmu):
    no_bare_machine = "which entry a grant is mapped by is known to the monitor alone"

    grants: Total[Mfn, Grant]
    maptrack: Total[tuple[Vm, Mfn], GrantMapping]
    gdt: Total[tuple[Vm, Vcpu], Base]
    """Where a vCPU's descriptors are."""
    gates: Total[Vm, bool]
    """Which VMs may have call gates in their descriptors: an old kind of guest may, a new one may not."""

    m2p: Total[Mfn, Gfn]
    """Which of its guest frames an owner says that a machine frame is."""

    arbitrary = ("gates",)

    @guest
    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        """MMU_MACHPHYS_UPDATE: set the gfn of the caller's frame in the machine-to-physical table, holding a page reference."""
        self.get_page(mfn)
        if not self.owns(vm, mfn):
            self.put_page(mfn)
            return MachphysUpdated(False, mfn, gfn)
        self.m2p[mfn] = gfn
        self.put_page(mfn)
        return MachphysUpdated(True, mfn, gfn)

    # ------------------------------------------------------------ grants

    @guest
    def grant(self, vm: Vm, mfn: Mfn, to: Vm, writable: bool) -> GrantChanged:
        """The owner of a frame offers it to another VM, or changes its offer, while nothing of it is mapped."""
        require(self.owns(vm, mfn))
        require(vm != to)
        return self.change_grant(mfn, Grant(True, to, writable))

    @guest
    def revoke(self, vm: Vm, mfn: Mfn) -> GrantChanged:
        """The offer ends, once nothing of it is mapped."""
        require(self.owns(vm, mfn))
        return self.change_grant(mfn, Grant())

    def change_grant(self, mfn: Mfn, grant: Grant) -> GrantChanged:
        """Change what is offered of a frame, while nothing of it is mapped."""
        if self.mapped(mfn) > 0:
            return GrantChanged(False, mfn, grant)
        self.grants[mfn] = grant
        return GrantChanged(True, mfn, grant)

    def granted(self, vm: Vm, mfn: Mfn) -> bool:
        grant = self.grants[mfn]
        return self.frames[mfn].owned and grant.offered and grant.to == vm

    @guest
    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        """GNTTABOP_map_grant_ref with GNTMAP_contains_pte: an entry of the caller's own table is to map the frame.

        The caller names the entry by its machine address, which need not be that of an entry at all.
        """
        track, home = self.maptrack[vm, mfn], self.frames[table]
        require(self.granted(vm, mfn) and not track.host)
        require(home.owned and home.vm == vm and home.type == Type.L1 and home.standing == Standing.VALID)
        if not aligned or (writable and not self.grants[mfn].writable) or self.held[table, index].granted:
            return GrantEntryMapped(False, mfn, table, index, aligned, writable)
        if writable and not self.get_writable(mfn):
            return GrantEntryMapped(False, mfn, table, index, aligned, writable)
        self.get_page(mfn)
        old = self.held[table, index]
        word = MachineWord(True, writable, mfn=mfn)
        self.words[table, index] = word
        self.bare_words[table, index] = word
        self.held[table, index] = Held(True, mfn, writable, granted=True)
        self.maptrack[vm, mfn] = attrs.evolve(track, host=True, table=table, index=index)
        self.drop(old)
        return GrantEntryMapped(True, mfn, table, index, aligned, writable)

    @guest
    def grant_map_device(self, vm: Vm, mfn: Mfn) -> GrantDeviceMapped:
        """GNTMAP_device_map: the caller's devices are to write to the frame."""
        track = self.maptrack[vm, mfn]
        require(self.granted(vm, mfn) and not track.device)
        if not self.grants[mfn].writable or not self.get_writable(mfn):
            return GrantDeviceMapped(False, mfn)
        self.get_page(mfn)
        self.iommu[vm, mfn] = True
        self.maptrack[vm, mfn] = attrs.evolve(track, device=True)
        return GrantDeviceMapped(True, mfn)

    @guest
    def grant_unmap(self, vm: Vm, mfn: Mfn, host: bool, device: bool) -> None:
        """GNTTABOP_unmap_grant_ref: the parts that are named go, and their references; the others stay."""
        track = self.maptrack[vm, mfn]
        require(track.host or not host)
        require(track.device or not device)
        if host:
            self.words[track.table, track.index] = MachineWord()
            self.bare_words[track.table, track.index] = MachineWord()
            self.drop(self.held[track.table, track.index])
            self.held[track.table, track.index] = Held()
            self.forget_frame(mfn)
        if device:
            self.unmap_device(vm, mfn)
        left = GrantMapping(False, NOTHING, NOTHING, track.device) if host else track
        self.maptrack[vm, mfn] = attrs.evolve(left, device=left.device and not device)

    def unmap_device(self, vm: Vm, mfn: Mfn) -> None:
        """The caller's devices lose a frame."""
        self.iommu[vm, mfn] = False
        self.put_type(mfn)
        self.put_page(mfn)

    def mapped(self, mfn: Mfn) -> int:
        """How many VMs have mapped something of a grant."""
        return count(self.maptrack, lambda track, vm, frame: frame == mfn and (track.host or track.device))

    # ------------------------------------------------------------ transfers, and descriptors

    @guest
    def transfer(self, vm: Vm, mfn: Mfn, other: Vm) -> None:
        """GNTTABOP_transfer: a frame gets another owner. What it was used as, and found fit for, goes with the old one."""
        require(self.idle(vm, mfn))
        self.forget_frame(mfn)
        self.iommu[vm, mfn] = False
        self.grants[mfn] = Grant()
        self.frames[mfn] = TypedFrame(True, other)
        self.iommu[other, mfn] = True

    @guest
    def set_gdt(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> DescriptorsSet:
        """Use a frame as a vCPU's descriptors. One that was found fit and not written to since need not be looked at again."""
        frame, old = self.frames[mfn], self.gdt[vm, vcpu]
        require(frame.owned and frame.vm == vm)
        if frame.standing != Standing.PLAIN or (frame.type != Type.SEGMENT and frame.uses > 0):
            return DescriptorsSet(False, vcpu, mfn)
        if frame.type != Type.SEGMENT:
            if self.call_gates(mfn) > 0 and not self.gates[vm]:
                return DescriptorsSet(False, vcpu, mfn)
            self.forget_frame(mfn)
            self.iommu[vm, mfn] = False
        self.frames[mfn] = attrs.evolve(frame, type=Type.SEGMENT, uses=frame.uses + 1)
        self.gdt[vm, vcpu] = Base(True, mfn)
        if old.loaded:
            self.put_type(old.mfn)
        return DescriptorsSet(True, vcpu, mfn)

    @guest
    def reset_gdt(self, vm: Vm, vcpu: Vcpu) -> None:
        """The vCPU has no descriptors any more. Their frame stays fit to hold some."""
        old = self.gdt[vm, vcpu]
        require(old.loaded)
        self.gdt[vm, vcpu] = Base()
        self.put_type(old.mfn)

    def call_gates(self, mfn: Mfn) -> int:
        return count(self.words, lambda word, frame, index: frame == mfn and word.gate)

    # ------------------------------------------------------------ what grants add to

    def decrease_reservation(self, vm: Vm, mfn: Mfn) -> None:
        super().decrease_reservation(vm, mfn)
        self.grants[mfn] = Grant()

    def may_map(self, vm: Vm, mfn: Mfn) -> bool:
        return self.owns(vm, mfn) or self.maptrack[vm, mfn].host

    def may_reach_by_device(self, vm: Vm, mfn: Mfn) -> bool:
        return self.owns(vm, mfn) or self.maptrack[vm, mfn].device

    def uses(self, mfn: Mfn) -> int:
        return super().uses(mfn) + self.devices(mfn) + count(self.gdt, lambda gdt, vm, vcpu: gdt.loaded and gdt.mfn == mfn)

    def leading_to(self, mfn: Mfn) -> int:
        return super().leading_to(mfn) + self.devices(mfn)

    def devices(self, mfn: Mfn) -> int:
        """How many VMs' devices were let at a granted frame."""
        return count(self.maptrack, lambda track, vm, frame: frame == mfn and track.device)
