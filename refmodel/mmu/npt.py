"""Nested page tables: what AMD's second translation does otherwise than EPT.

Where a page lies, and what a guest is shown, is the same (``ept``). What differs is how translations are told apart and forgotten.

They are tagged with an *ASID* that the monitor writes into the VMCB, which has nothing to do with where the table is (APM Vol. 2
15.16). There is no INVEPT: to have a VM's translations forgotten the monitor gives it another ASID the next time it runs, on each
processor. Old translations stay where they are, under an ASID that nobody has. When a processor's ASIDs are spent it flushes them
all at once (TLB_CONTROL), and begins anew. (KVM: ``new_asid``, and generations for "nobody has it any more".)

A processor that runs the VM meanwhile uses the old ASID until it exits, so it is *kicked*. It has acknowledged when it has exited.

To the nested walk every access of a guest's is a user's (15.25.5): an entry that is not the user's lets nothing through, and the
exit comes again for ever.
"""

import attrs

from refmodel.language import NOTHING, Total, assign, cached, choose, count, operation, pending, require, reset
from refmodel.machine.names import Cpu, Gfn, Tag, Vm
from refmodel.mmu.acknowledged import Acknowledged, AcknowledgingMmu
from refmodel.mmu.contract import Derived, DerivedTable, ProcessorAccesses


@attrs.frozen
class Asid:
    """The ASID that a VM has on a processor, if any that is good still."""

    given: bool = False
    asid: Tag = NOTHING


@attrs.frozen
class Vmcb:
    """What a processor runs, and with which ASID. ``kicked``: it was interrupted, and has not exited yet."""

    active: bool = False
    vm: Vm = NOTHING
    asid: Tag = NOTHING
    kicked: bool = False


@attrs.frozen
class AllFlushed:
    """A processor has flushed what is cached under every ASID."""

    cpu: Cpu


class NestedTable(DerivedTable):
    """The table that nCR3 leads to."""

    user: Total[tuple[Vm, Gfn], bool]
    """Of each of its entries, the user flag."""

    def gives(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether the nested table lets an access through, which is a user's whoever makes it."""
        return self.user[vm, gfn] and super().gives(vm, gfn, write)

    def supplied(self, vm: Vm, gfn: Gfn) -> Derived:
        self.user[vm, gfn] = True
        return super().supplied(vm, gfn)


class AsidMmu(ProcessorAccesses, NestedTable, AcknowledgingMmu):
    asids: Total[tuple[Cpu, Vm], Asid]
    spent: Total[tuple[Cpu, Tag], bool]
    """The ASIDs that a processor has used since it last flushed them all."""
    asid_tlb: Total[tuple[Cpu, Tag, Gfn], Derived]
    """What a processor has cached under each ASID."""
    running: Total[Cpu, Vmcb]

    # ------------------------------------------------------------ the hardware

    def translate(self, vm: Vm, cpu: Cpu, gfn: Gfn, write: bool) -> Derived:
        """From what is cached under the ASID, or by a nested walk; not present if the access exits."""
        require(self.running[cpu].active and self.running[cpu].vm == vm)
        asid = self.running[cpu].asid
        found = self.asid_tlb[cpu, asid, gfn]
        if found.present and (found.writable or not write) and cached("nested translation"):
            return found
        if not self.gives(vm, gfn, write):
            return Derived()
        self.asid_tlb[cpu, asid, gfn] = self.derived[vm, gfn]
        return self.derived[vm, gfn]

    # ------------------------------------------------------------ entering, leaving, ASIDs

    @operation
    def new_asid(self, cpu: Cpu, vm: Vm) -> None:
        """A VM that is about to run on a processor, and has no ASID there, gets one that was not used since the last flush."""
        require(not self.running[cpu].active)
        require(not self.asids[cpu, vm].given)
        asid: Tag = choose(Tag, lambda asid: self.is_fresh(cpu, asid))
        self.asids[cpu, vm] = Asid(True, asid)
        self.spent[cpu, asid] = True

    def is_fresh(self, cpu: Cpu, asid: Tag) -> bool:
        return not self.spent[cpu, asid]

    @operation
    def flush_all(self, cpu: Cpu) -> AllFlushed:
        """TLB_CONTROL: a processor forgets all translations, and all ASIDs can be given again. Nobody has one until then."""
        require(not self.running[cpu].active)
        self.invalidate_all(cpu)
        reset(self.spent, lambda spent, of, asid: of == cpu)
        reset(self.asids, lambda held, of, vm: of == cpu)
        return AllFlushed(cpu)

    def invalidate_all(self, cpu: Cpu) -> None:
        reset(self.asid_tlb, lambda found, of, asid, gfn: of == cpu)

    @operation
    def vmrun(self, vm: Vm, cpu: Cpu) -> None:
        require(not self.running[cpu].active)
        require(self.asids[cpu, vm].given)
        self.running[cpu] = Vmcb(True, vm, self.asids[cpu, vm].asid)

    @pending(
        "EFF-4", "A processor that was sent an IPI can exit, and then no longer runs the VM under the old ASID.", until="vmexit"
    )
    def unacknowledged(self, cpu: Cpu) -> bool:
        return self.running[cpu].active and self.running[cpu].kicked

    @operation
    def vmexit(self, cpu: Cpu) -> None:
        require(self.running[cpu].active)
        self.running[cpu] = Vmcb()

    # ------------------------------------------------------------ flushing

    def drop_asids(self, vm: Vm) -> None:
        """What is cached of a VM, on any processor, is not to be used any more."""
        reset(self.asids, lambda held, cpu, of: of == vm)
        self.kick(vm)

    def kick(self, vm: Vm) -> None:
        assign(self.running, lambda vmcb, cpu: vmcb.active and vmcb.vm == vm, lambda vmcb, cpu: attrs.evolve(vmcb, kicked=True))

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no processor that was kicked for a VM runs it still."""
        return count(self.running, lambda vmcb, cpu: vmcb.active and vmcb.vm == vm and vmcb.kicked) == 0

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        super().protect(vm, gfn)
        self.drop_asids(vm)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        super().forget(vm, gfn)
        self.drop_asids(vm)


class NptMmu(Acknowledged, AsidMmu):
    """AMD's nested paging with ASIDs, for mechanisms that wait until flushes are acknowledged."""
