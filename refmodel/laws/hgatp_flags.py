"""RISC-V's accessed and dirty flags in the G-stage: what a hart will not report again, an entry says."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.cells import Flags
from refmodel.machine.names import Cpu, Gfn, Vm
from refmodel.machine.riscv.leaf import Leaf
from refmodel.mmu.hgatp_flags import FlaggedVmidMmu


def says(flags: Flags, leaf: Leaf) -> Any:
    """Whether flags say all that the flags of an entry say."""
    return implies(leaf.accessed, flags.accessed) and implies(leaf.dirty, flags.dirty)


@law("EQV-4", "A flag that a hart caches as set under a VM's VMID is set in the G-stage entry, unless the page's fence is pending.")
def remembered_flags_are_set(s: FlaggedVmidMmu, cpu: Cpu, vm: Vm, gfn: Gfn) -> Any:
    tagged = s.tags[vm]
    return implies(
        tagged.given and not s.unfenced[cpu, tagged.tag, gfn], says(s.flags_of(vm, gfn), s.vmid_tlb[cpu, tagged.tag, gfn].leaf)
    )


@law("EQV-4", "A flag that a running hart caches as set is set in the G-stage entry, or was recorded by the monitor.")
def used_flags_are_said(s: FlaggedVmidMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.harts[cpu]
    return implies(here.active, says(s.said_of(here.vm, gfn), s.vmid_tlb[cpu, s.tags[here.vm].tag, gfn].leaf))
