"""Nested page tables: what AMD's second translation does otherwise than EPT.

Where a page lies, and what a guest is shown, is the same (``ept``). What differs is how translations are told apart and forgotten.

They are tagged with an *ASID* that the monitor writes into the VMCB, which has nothing to do with where the table is (APM Vol. 2
15.16). There is no INVEPT: to have a VM's translations forgotten the monitor gives it another ASID the next time it runs, on each
processor. Old translations stay where they are, under an ASID that nobody has. When a processor's ASIDs are spent it flushes them
all at once (TLB_CONTROL), and begins anew. (KVM: ``new_asid``, and generations for "nobody has it any more".)

A processor that runs the VM meanwhile uses the old ASID until it exits; so it is *kicked*, and until it has exited, frames that
went are retired and not reused.

To the nested walk every access of a guest's is a user's (15.25.5): an entry that is not the user's lets nothing through, and the
exit comes again for ever.
"""

import enum

import attrs

from refmodel.bare import BareMemory, Event, Reply
from refmodel.language import NOTHING, Total, assign, cached, choose, count, fails, guest, operation, require, reset
from refmodel.machine.cells import Access, Cell, Cells
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Tag, Vm


class NptRole(enum.Enum):
    FREE = "free"
    PAGE = "page"
    RETIRED = "retired"


@attrs.frozen
class NptFrame:
    """The monitor's record of a machine frame, and of the page that it is or was."""

    role: NptRole = NptRole.FREE
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING


@attrs.frozen
class NestedEntry:
    """What the p2m, a nested table or a processor's cache says of a guest page."""

    valid: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False
    user: bool = False


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
class NptSeen:
    """An instruction on both machines; after an exit, for what page and whether to write."""

    shown: Reply
    due: Reply
    vm: Vm
    gfn: Gfn
    write: bool


@attrs.frozen
class NptServed:
    """A nested page fault that was served."""

    vm: Vm
    gfn: Gfn
    write: bool


class NptMmu(BareMemory):
    owners: Total[Mfn, NptFrame]
    memory: Total[Mfn, Cells]
    p2m: Total[tuple[Vm, Gfn], NestedEntry]
    nested: Total[tuple[Vm, Gfn], NestedEntry]
    """The table that nCR3 leads to."""
    asids: Total[tuple[Cpu, Vm], Asid]
    spent: Total[tuple[Cpu, Tag], bool]
    """The ASIDs that a processor has used since it last flushed them all."""
    tlb: Total[tuple[Cpu, Tag, Gfn], NestedEntry]
    running: Total[Cpu, Vmcb]

    arbitrary = ("memory",)

    # ------------------------------------------------------------ the hardware

    def translate(self, vm: Vm, cpu: Cpu, gfn: Gfn, write: bool) -> NestedEntry:
        """From what is cached under the ASID, or by a nested walk."""
        asid = self.running[cpu].asid
        found = self.tlb[cpu, asid, gfn]
        if found.valid and (found.writable or not write) and cached("nested translation"):
            return found
        if not self.lets(vm, gfn, write):
            return NestedEntry()
        self.tlb[cpu, asid, gfn] = self.nested[vm, gfn]
        return self.nested[vm, gfn]

    def lets(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether the nested table lets an access through, which is a user's whoever makes it."""
        entry = self.nested[vm, gfn]
        return entry.valid and entry.user and (entry.writable or not write)

    @guest
    def load(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> NptSeen:
        require(self.runs(cpu, vm))
        found = self.translate(vm, cpu, gfn, False)
        if not found.valid:
            return NptSeen(Reply(), Reply(), vm, gfn, False)
        due = self.bare_physical(vm, gfn, offset, Access.READ, Cell())
        return NptSeen(Reply(Event.COMPLETED, self.memory[found.mfn][offset]), due, vm, gfn, False)

    @guest
    def store(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> NptSeen:
        require(self.runs(cpu, vm))
        found = self.translate(vm, cpu, gfn, True)
        if not found.valid:
            return NptSeen(Reply(), Reply(), vm, gfn, True)
        due = self.bare_physical(vm, gfn, offset, Access.WRITE, value)
        was = self.memory[found.mfn][offset]
        self.memory[found.mfn] = self.memory[found.mfn].put(offset, value)
        return NptSeen(Reply(Event.COMPLETED, was), due, vm, gfn, True)

    def runs(self, cpu: Cpu, vm: Vm) -> bool:
        return self.running[cpu].active and self.running[cpu].vm == vm

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
    def flush_all(self, cpu: Cpu) -> None:
        """TLB_CONTROL: a processor forgets all translations, and all ASIDs can be given again. Nobody has one until then."""
        require(not self.running[cpu].active)
        self.invalidate_all(cpu)
        reset(self.spent, lambda spent, of, asid: of == cpu)
        reset(self.asids, lambda held, of, vm: of == cpu)

    def invalidate_all(self, cpu: Cpu) -> None:
        reset(self.tlb, lambda found, of, asid, gfn: of == cpu)

    @operation
    def vmrun(self, vm: Vm, cpu: Cpu) -> None:
        require(not self.running[cpu].active)
        require(self.asids[cpu, vm].given)
        self.running[cpu] = Vmcb(True, vm, self.asids[cpu, vm].asid)

    @operation
    def vmexit(self, cpu: Cpu) -> None:
        require(self.running[cpu].active)
        self.running[cpu] = Vmcb()

    def drop_asids(self, vm: Vm) -> None:
        """What is cached of a VM, on any processor, is not to be used any more."""
        reset(self.asids, lambda held, cpu, of: of == vm)
        self.kick(vm)

    def kick(self, vm: Vm) -> None:
        assign(self.running, lambda vmcb, cpu: vmcb.active and vmcb.vm == vm, lambda vmcb, cpu: attrs.evolve(vmcb, kicked=True))

    def still_running(self, vm: Vm) -> int:
        """How many processors were kicked for a VM and run it still."""
        return count(self.running, lambda vmcb, cpu: vmcb.active and vmcb.vm == vm and vmcb.kicked)

    # ------------------------------------------------------------ pages

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor gives a VM a page, once no processor shows it the one that was there before."""
        require(not self.plugged[vm, gfn])
        require(self.still_running(vm) == 0)
        if fails("frame"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.owners[mfn].role == NptRole.FREE)
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.owners[mfn] = NptFrame(NptRole.PAGE, vm, gfn)
        self.p2m[vm, gfn] = NestedEntry(True, mfn, True, True)
        self.plug(vm, gfn)

    @operation
    def nested_page_fault(self, vm: Vm, gfn: Gfn, write: bool) -> NptServed:
        """Install what the p2m says."""
        backing = self.p2m[vm, gfn]
        require(backing.valid and (backing.writable or not write))
        require(not self.lets(vm, gfn, write))
        self.nested[vm, gfn] = self.made_of(backing)
        return NptServed(vm, gfn, write)

    def made_of(self, backing: NestedEntry) -> NestedEntry:
        return backing

    @operation
    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nobody is to store to the page from the next VMRUN on."""
        require(self.p2m[vm, gfn].valid and self.p2m[vm, gfn].writable)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=False)
        self.nested[vm, gfn] = NestedEntry()
        self.drop_asids(vm)

    @operation
    def unprotect(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].valid and not self.p2m[vm, gfn].writable)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)

    @guest
    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gives a page up. Its frame is retired until every processor that runs the VM has exited."""
        old = self.p2m[vm, gfn]
        require(old.valid)
        self.p2m[vm, gfn] = NestedEntry()
        self.nested[vm, gfn] = NestedEntry()
        self.drop_asids(vm)
        self.owners[old.mfn] = NptFrame(NptRole.RETIRED, vm, gfn)
        self.unplug(vm, gfn)

    @operation
    def reuse(self, mfn: Mfn) -> None:
        frame = self.owners[mfn]
        require(frame.role == NptRole.RETIRED)
        require(self.may_reuse(frame))
        self.owners[mfn] = NptFrame()

    def may_reuse(self, frame: NptFrame) -> bool:
        return self.still_running(frame.vm) == 0
