"""Mutants of accessed and dirty flags in RISC-V's G-stage."""

from refmodel.bugs.mutant import Mutant
from refmodel.machine.cells import Access
from refmodel.machine.names import Gfn, Vm
from refmodel.machine.riscv.leaf import Leaf
from refmodel.mmu.hgatp import VmidMmu
from refmodel.mmu.hgatp_flags import HgatpFlagsMmu
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.points import over


class RiscvFlags(DirtyFlags, HgatpFlagsMmu):
    """RISC-V's G-stage over a dirty log that its flags keep."""

    geometry = over("riscv A/D", ("dirty-flags",)).geometry


class FlagsClearedUnfenced(RiscvFlags):
    """Flags are cleared, and harts continue to store through cached entries that are dirty."""

    def fence_flags(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class FlagsGoUnnoted(RiscvFlags):
    """A page is unmapped, and the A and D flags of its G-stage entry are not recorded for the dirty log and the page's age."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        VmidMmu.forget(self, vm, gfn)


class DirtyGoesWithTheRight(RiscvFlags):
    """A page loses W and D together, and the store that set D is not recorded."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        VmidMmu.protect(self, vm, gfn)


class CleanBeforeHartsFenced(RiscvFlags):
    """A page is sent when D is clear, although a hart that has not fenced can still store without setting D."""

    def have_learnt(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class FaultUnmarked(RiscvFlags):
    """With Svade a store faults for D and the monitor sets only A, so that the fault recurs."""

    def made(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        return super().made(vm, gfn, Access.READ if access == Access.WRITE and self.leaves[vm, gfn].writable else access)


MUTANTS = {
    "riscv-flags-cleared-unfenced": Mutant(FlagsClearedUnfenced, "EQV-4"),
    "riscv-flags-go-unnoted": Mutant(FlagsGoUnnoted, "EQV-4"),
    "riscv-dirty-goes-with-the-right": Mutant(DirtyGoesWithTheRight, "EQV-4"),
    "riscv-clean-before-harts-fenced": Mutant(CleanBeforeHartsFenced, "EQV-4"),
    "riscv-fault-unmarked": Mutant(FaultUnmarked, "EFF-2"),
}
"""By name."""
