"""RISC-V's second translation with accessed and dirty flags that say what happened to a page.

With Svadu a hart sets A and D in the entry itself. It does so only if memory still holds the entry that it remembers; else it reads
the entry again (Supervisor, *Virtual Address Translation Process*, step 9). With Svade it faults instead, and the monitor sets
them. Either way a hart that remembers D as set stores and reports nothing, so that whoever clears flags has harts fence the page.
Some harts of a machine may have Svadu enabled, and others not.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Event, Seen
from refmodel.language import Total, operation, require
from refmodel.machine.cells import Access, Cell, Flags, both
from refmodel.machine.names import Cpu, Gfn, Index, Vm
from refmodel.machine.riscv.leaf import Leaf, flagged, has_flags, lets
from refmodel.mmu.acknowledged import Acknowledged
from refmodel.mmu.hgatp import Remembered, VmidMmu
from refmodel.mmu.noted_flags import Collected, NotedFlags


class FlaggedVmidMmu(NotedFlags, VmidMmu):
    svadu: Total[Cpu, bool]
    """Whether menvcfg.ADUE is set on a hart."""

    arbitrary: ClassVar[tuple[str, ...]] = ("svadu",)

    # ------------------------------------------------------------ the hart

    def gives(self, cpu: Cpu, leaf: Leaf, access: Access) -> bool:
        return lets(leaf, access) and (self.svadu[cpu] or has_flags(leaf, access))

    def found(self, vm: Vm, cpu: Cpu, gfn: Gfn, access: Access) -> Leaf:
        """With Svadu, the entry with the flags that the access sets."""
        leaf, now = super().found(vm, cpu, gfn, access), self.leaves[vm, gfn]
        if not self.svadu[cpu] or not lets(leaf, access) or has_flags(leaf, access):
            return leaf
        if lets(now, access):
            now = flagged(now, access)
            self.leaves[vm, gfn] = now
        self.vmid_tlb[cpu, self.tags[self.harts[cpu].vm].tag, gfn] = Remembered(True, now)
        return now

    def execute(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        seen = super().execute(vm, cpu, gfn, offset, access, value)
        if seen.shown.event == Event.COMPLETED:
            self.happened[vm, gfn] = both(self.happened[vm, gfn], Flags(True, access == Access.WRITE))
        return seen

    # ------------------------------------------------------------ what flags say

    def flags_of(self, vm: Vm, gfn: Gfn) -> Flags:
        return Flags(self.leaves[vm, gfn].accessed, self.leaves[vm, gfn].dirty)

    def have_learnt(self, vm: Vm, gfn: Gfn) -> bool:
        return self.acknowledged(vm, gfn)

    def made_ahead(self, leaf: Leaf, access: Access) -> Leaf:
        """No access was made, so the entry has no flag that it had not."""
        return leaf

    def note(self, vm: Vm, gfn: Gfn) -> None:
        """What flags say of a page is noted."""
        self.noted[vm, gfn] = self.said_of(vm, gfn)

    @operation
    def collect_flags(self, vm: Vm, gfn: Gfn) -> Collected:
        """Note what the flags of a page's entry say, and clear them. Harts are to forget that they were set."""
        require(self.flags_of(vm, gfn) != Flags())
        self.note(vm, gfn)
        self.leaves[vm, gfn] = attrs.evolve(self.leaves[vm, gfn], accessed=False, dirty=False)
        self.fence_flags(vm, gfn)
        return Collected(vm, gfn)

    def fence_flags(self, vm: Vm, gfn: Gfn) -> None:
        """Harts would set no flag again that they take to be set."""
        self.request_fence(vm, gfn)

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.note(vm, gfn)
        super().protect(vm, gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.note(vm, gfn)
        super().forget(vm, gfn)


class HgatpFlagsMmu(Acknowledged, FlaggedVmidMmu):
    """RISC-V's G-stage with A and D flags, for mechanisms that wait until fences are acknowledged."""
