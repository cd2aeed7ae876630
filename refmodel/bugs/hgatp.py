"""Mutants of RISC-V's second translation."""

import attrs

from refmodel.bare import Event, Reply, Seen
from refmodel.bugs.frames import NeverRetired, Unscrubbed
from refmodel.bugs.mutant import Mutant
from refmodel.designs import Riscv
from refmodel.language import assign, guest, operation, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Tag, Vm
from refmodel.machine.riscv.guest_faults import Cause, Implicit, lacked
from refmodel.machine.riscv.leaf import Leaf
from refmodel.mmu.hgatp import HartRuns
from refmodel.monitor.p2m import Supply


class CauseAlone(Riscv):
    """The monitor reads the cause and ignores htinst, so that a fault of a fetch's page-table walk makes a table executable
    forever."""

    def access_of(self, cause: Cause, implicit: Implicit) -> Access:
        return lacked(cause, Implicit.NONE)


class ReadsForMarks(Riscv):
    """A VS-stage walk has to set a flag in an entry, and the monitor gives only the read permission of the load's cause."""

    def access_of(self, cause: Cause, implicit: Implicit) -> Access:
        return lacked(cause, Implicit.NONE if implicit == Implicit.WRITE else implicit)


class WriteOnly(Riscv):
    """A fault on a store gives W without R, which is a reserved encoding."""

    def with_right(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        given = super().with_right(vm, gfn, access)
        return attrs.evolve(given, readable=self.leaves[vm, gfn].readable or access == Access.READ)


class NotTheUsersLeaf(Riscv):
    """Entries are created without U, so that every fault recurs."""

    def with_right(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        return attrs.evolve(super().with_right(vm, gfn, access), user=False)


class FlagsLeftToTheHart(Riscv):
    """Entries are created with A and D clear on harts with Svade, so that every fault recurs."""

    def made(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        return self.with_right(vm, gfn, access)


class RightsReplaced(Riscv):
    """A fault replaces the rights of an entry: a fetch makes the page execute-only, and the next load faults."""

    def with_right(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        given = super().with_right(vm, gfn, access)
        return attrs.evolve(
            given, readable=access != Access.FETCH, writable=access == Access.WRITE, executable=access == Access.FETCH
        )


class FaultServedUnfenced(Riscv):
    """An entry gains a right without a fence, so that the hart faults again on its cached copy."""

    def hfence_gvma(self, cpu: Cpu, vmid: Tag, gfn: Gfn) -> None:
        """Nothing."""


class NoHartInterrupted(Riscv):
    """Harts have to fence when they next enter a VM, and harts that run the VM now get no IPI."""

    def interrupt(self, vm: Vm) -> None:
        """Nothing."""


class AddressUnshifted(Riscv):
    """HFENCE.GVMA expects the address shifted right by 2 and gets it unshifted, so that another page is fenced."""

    geometry = Riscv.further_geometries[0]

    def request_fence(self, vm: Vm, gfn: Gfn) -> None:
        tag = self.tags[vm].tag
        assign(self.unfenced, lambda unfenced, cpu, of, page: of == tag and page != gfn, True)
        self.interrupt(vm)


class VmidReusedUnfenced(Riscv):
    """A VMID is reused while harts still cache another VM's translations under it."""

    def mark_stale(self, tag: Tag) -> None:
        """Nothing."""


class VmidGivenTwice(Riscv):
    """A VMID that one VM holds is assigned to another VM."""

    def tagged_so(self, tag: Tag) -> int:
        return 0


class EnteredUnfenced(Riscv):
    """A hart that did not run the VM when a fence was requested enters the VM without the fence."""

    @operation
    def enter(self, vm: Vm, cpu: Cpu) -> None:
        require(not self.harts[cpu].active)
        require(self.tags[vm].given)
        self.harts[cpu] = HartRuns(True, vm)


class FencedInName(Riscv):
    """A hart acknowledges a fence, and keeps its cached translations."""

    def fence_pending(self, cpu: Cpu, vmid: Tag) -> None:
        assign(self.unfenced, lambda unfenced, on, of, gfn: on == cpu and of == vmid, False)


class FencesNotAwaited(Riscv):
    """Fences count as executed before every hart has executed them."""

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class FreedUnfenced(Riscv):
    """The old frame of a page is free while a hart may still use it."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        self.release(mfn)


class WritableUnasked(Riscv):
    """Every entry is writable, whatever the p2m allows."""

    geometry = Riscv.further_geometries[0]

    def with_right(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        given = super().with_right(vm, gfn, access)
        return attrs.evolve(given, writable=given.readable)


class InvalidWithRights(Riscv):
    """Only V is cleared when a page is removed, and the entry's old rights apply when it becomes valid again."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        old = self.leaves[vm, gfn]
        super().forget(vm, gfn)
        self.leaves[vm, gfn] = attrs.evolve(old, present=False)


class RiscvShortageIsAHole(Riscv):
    """A page that cannot be supplied now is reported to the guest as missing memory."""

    geometry = attrs.evolve(Riscv.geometry).resized(Mfn=1)

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        return Supply.HOLE if self.p2m[vm, gfn].mapped else super().supply(vm, gfn, write)


class FaultNeverServed(Riscv):
    """A fault on a present page is left unserved forever."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        return Supply.LATER if self.p2m[vm, gfn].mapped else super().supply(vm, gfn, write)


class RiscvPopulatedUnscrubbed(Unscrubbed, Riscv):
    """A guest gets a page with the old contents of its frame."""


class FrameKeptWithoutItsPage(NeverRetired, Riscv):
    """A page is removed, and its frame is still recorded as the page's frame."""


class RiscvZeroesRead(Riscv):
    """Every load shows zero."""

    @guest
    def load_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> Seen:
        seen = super().load_physical(vm, cpu, gfn, offset)
        return attrs.evolve(seen, shown=Reply(seen.shown.event, Cell()))


class RiscvFetchesExit(Riscv):
    """Every fetch exits."""

    @guest
    def fetch_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> Seen:
        require(self.harts[cpu].active and self.harts[cpu].vm == vm)
        return Seen(Reply(Event.EXITED), Reply(), gfn, cpu=cpu, fetch=True)


MUTANTS = {
    "riscv-cause-alone": Mutant(CauseAlone, "EFF-2"),
    "riscv-reads-for-marks": Mutant(ReadsForMarks, "EFF-2"),
    "riscv-write-only": Mutant(WriteOnly, "EFF-2"),
    "riscv-not-the-users": Mutant(NotTheUsersLeaf, "EFF-2"),
    "riscv-flags-left-to-the-hart": Mutant(FlagsLeftToTheHart, "EFF-2"),
    "riscv-rights-replaced": Mutant(RightsReplaced, "EFF-2"),
    "riscv-fault-served-unfenced": Mutant(FaultServedUnfenced, "EFF-2"),
    "riscv-no-hart-interrupted": Mutant(NoHartInterrupted, "EQV-5"),
    "riscv-address-unshifted": Mutant(AddressUnshifted, "ISO-1"),
    "riscv-vmid-reused-unfenced": Mutant(VmidReusedUnfenced, "ISO-1"),
    "riscv-vmid-given-twice": Mutant(VmidGivenTwice, "EQV-5"),
    "riscv-entered-unfenced": Mutant(EnteredUnfenced, "EQV-5"),
    "riscv-fenced-in-name": Mutant(FencedInName, "ISO-1"),
    "riscv-fences-not-awaited": Mutant(FencesNotAwaited, "ISO-1"),
    "riscv-freed-unfenced": Mutant(FreedUnfenced, "ISO-3"),
    "riscv-writable-unasked": Mutant(WritableUnasked, "ISO-2"),
    "riscv-invalid-with-rights": Mutant(InvalidWithRights, "ISO-1"),
    "riscv-shortage-is-a-hole": Mutant(RiscvShortageIsAHole, "EQV-2"),
    "riscv-fault-never-served": Mutant(FaultNeverServed, "EFF-2"),
    "riscv-populated-unscrubbed": Mutant(RiscvPopulatedUnscrubbed, "ISO-4"),
    "riscv-frame-kept-without-its-page": Mutant(FrameKeptWithoutItsPage, "RES-2"),
    "riscv-zeroes-read": Mutant(RiscvZeroesRead, "EQV-1"),
    "riscv-fetches-exit": Mutant(RiscvFetchesExit, "EFF-1"),
}
"""By name."""
