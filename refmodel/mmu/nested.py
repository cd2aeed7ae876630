"""Nested virtualization: the monitor runs a monitor. A VM (L1) makes tables (EPT12) for a guest of its own (L2), and the hardware
has room for one more translation only.

So L0 composes: what L1's table EPT12 and its own EPT01 say together goes into a third table, EPT02, which the processor walks
while L2 runs. EPT12 lies in L1's memory and is edited by ordinary stores; EPT02 is to it what a shadow table is to a guest's, and
L1's INVEPT is what INVLPG is there: EPT02 forgets just what a processor would. A fault on EPT02 is L1's business if EPT12 does
not let the access through, and is *reflected* to it; otherwise it is L0's, and L1 never hears of it. (Ben-Yehuda et al., *The
Turtles Project*, OSDI 2010, section 3.3.3; Popek and Goldberg's theorem 2, recursive virtualizability.)

An EPT pointer has a table of its own on each vCPU, kept while others are in use, as Xen's nested p2ms are. L2's guest-physical
pages have the names that the entries of a table have. If L1 shadows L2's tables instead, nothing of this is needed: what L0 sees
is a guest with tables, over EPT01.
"""

from typing import ClassVar

import attrs

from refmodel.bare import BareMemory, Event, Reply, Seen
from refmodel.bare_levels import NestedInstructions
from refmodel.language import NOTHING, Total, cached, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell, gives
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.interpreter import GuestTables
from refmodel.mmu.replies import Attempt, Filled, Handled, Result
from refmodel.mmu.shadow import ShadowEntry
from refmodel.monitor.p2m import Supply

L0_INTERCEPTS = True
"""L0 always wants to hear of an instruction that takes a physical address: only it can translate one."""


@attrs.frozen
class NestedVcpu:
    """Whether a vCPU runs L2, and under which of L1's EPT pointers; whether L1 wants to hear of L2's VMSAVE."""

    in_l2: bool = False
    eptp: Gfn = NOTHING
    intercepts: bool = False


class NestedBareMachine(BareMemory):
    """The bare machine of a guest that has a guest. On it EPT12 is the hardware's."""

    nested: Total[tuple[Vm, Vcpu], NestedVcpu]
    bare_tlb12: Total[tuple[Vm, Vcpu, Gfn, Index], Cell]
    """The entries of EPT12 that the processor may have cached."""

    @guest
    def vmlaunch(self, vm: Vm, vcpu: Vcpu, eptp: Gfn, intercepts: bool) -> None:
        """L1 enters L2 under an EPT pointer. What is cached is tagged with the pointer, so nothing is forgotten."""
        require(not self.nested[vm, vcpu].in_l2)
        self.nested[vm, vcpu] = NestedVcpu(True, eptp, intercepts)

    @guest
    def invept(self, vm: Vm, vcpu: Vcpu, eptp: Gfn) -> None:
        """L1's INVEPT, single-context: this vCPU forgets what it made under the pointer, in use or not."""
        require(not self.nested[vm, vcpu].in_l2)
        self.forget_composed(vm, vcpu, eptp)
        reset(self.bare_tlb12, lambda cell, v, c, pointer, page: v == vm and c == vcpu and pointer == eptp)

    @guest
    def invept_all(self, vm: Vm, vcpu: Vcpu) -> None:
        """L1's INVEPT, all-context."""
        require(not self.nested[vm, vcpu].in_l2)
        self.forget_all_composed(vm, vcpu)
        reset(self.bare_tlb12, lambda cell, v, c, pointer, page: v == vm and c == vcpu)

    def forget_composed(self, vm: Vm, vcpu: Vcpu, eptp: Gfn) -> None:
        """L0 forgets, on a vCPU, what it composed under one of L1's pointers."""

    def forget_all_composed(self, vm: Vm, vcpu: Vcpu) -> None:
        """L0 forgets, on a vCPU, all that it composed."""

    def bare_l2(self, vm: Vm, entry: Cell, offset: Index, access: Access, value: Cell) -> Reply:
        """L2's access through an entry of EPT12, which asks for no mode."""
        if not gives(entry, access):
            return Reply(Event.PAGE_FAULT)
        return self.bare_physical(vm, entry.gfn, offset, access, value)

    @guest
    def vmcall(self, vm: Vm, vcpu: Vcpu) -> None:
        """L2 exits, to L1."""
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        self.nested[vm, vcpu] = attrs.evolve(nested, in_l2=False)


class NestedGuests(NestedInstructions, NestedBareMachine, GuestTables):
    """L1 and L2: what a guest with a guest does, under any L0."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"ept_violation": ("load_physical",), "nested_ept_violation": ("access_l2",)}

    # ------------------------------------------------------------ L1

    def execute_l1(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        """L1 touches its memory."""
        raise NotImplementedError

    @guest
    def load_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index) -> Seen:
        return self.execute_l1(vm, vcpu, gfn, offset, Access.READ, Cell())

    @guest
    def store_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute_l1(vm, vcpu, gfn, offset, Access.WRITE, value)

    # ------------------------------------------------------------ L2

    @guest
    def vmsave(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, number: Mfn) -> Attempt:
        """An instruction whose operand is a physical address, such as AMD's VMSAVE. The page and ``number`` are the same bits,
        taken as L2's physical address and as the machine's.

        L1 may have no wish to intercept it, since it may run L2 with the operand taken as L2's; the hardware knows nothing of that.
        """
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        if not self.intercepted(nested):
            self.memory[number] = self.memory[number].put(offset, Cell())
            return Attempt(Reply(Event.COMPLETED), Reply(Event.COMPLETED), vcpu, page, Access.WRITE, sensitive=True)
        if nested.intercepts:
            self.nested[vm, vcpu] = attrs.evolve(nested, in_l2=False)
            return Attempt(Reply(), Reply(), vcpu, NOTHING, Access.WRITE, sensitive=True)  # the exit is for no page
        return attrs.evolve(self.save_l2(vm, vcpu, page, offset), sensitive=True)

    def intercepted(self, nested: NestedVcpu) -> bool:
        """An exit is due if either monitor wants it."""
        return L0_INTERCEPTS or nested.intercepts


class NestedMmu(NestedGuests):
    """L0 that composes."""

    ept01: Total[tuple[Vm, Gfn], ShadowEntry]
    """What the processor walks while L1 runs."""
    ept02: Total[tuple[Vm, Vcpu, Gfn, Index], ShadowEntry]
    """What it walks while L2 runs: for each of L1's EPT pointers, L2's pages."""
    tlb02: Total[tuple[Vm, Vcpu, Gfn, Index], ShadowEntry]
    """What it remembers of that, tagged with the pointer."""

    # ------------------------------------------------------------ L1

    def execute_l1(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        """L1 touches its memory."""
        require(not self.nested[vm, vcpu].in_l2)
        entry = self.ept01[vm, gfn]
        if not gives(entry, access):
            return Seen(gfn=gfn, write=access == Access.WRITE)
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(entry.mfn, offset, access, value), due, gfn, access == Access.WRITE)

    # ------------------------------------------------------------ L2

    def walked(self, vm: Vm, vcpu: Vcpu, page: Index) -> ShadowEntry:
        """What the processor finds for a page of L2's."""
        return self.ept02[vm, vcpu, self.nested[vm, vcpu].eptp, page]

    def execute_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Attempt:
        """L2 touches its memory. The bare machine finds the same by its two translations, EPT12 and its own memory."""
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        entry = self.tlb02[vm, vcpu, nested.eptp, page]
        if not (gives(entry, access) and cached("guest-physical mapping")):
            entry = self.walked(vm, vcpu, page)
            if not gives(entry, access):
                return Attempt(Reply(), Reply(), vcpu, page, access)
            self.tlb02[vm, vcpu, nested.eptp, page] = entry
        due = self.bare_l2(vm, self.bare_tlb12[vm, vcpu, nested.eptp, page], offset, access, value)
        return Attempt(self.touch(entry.mfn, offset, access, value), due, vcpu, page, access, gfn=entry.gfn)

    # ------------------------------------------------------------ L0

    @pending(
        "EFF-2",
        "If the p2m allows an L1 access, serving its EPT violation installs the missing EPT01 entry.",
        until="ept_violation",
    )
    def entry_not_installed(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        return self.lets_through(vm, gfn, write) and self.violates(vm, gfn, write)

    @pending(
        "EFF-2",
        "If EPT12 and the p2m allow an L2 access, serving its EPT violation installs the missing EPT02 entry.",
        until="nested_ept_violation",
    )
    def entry_not_composed(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        here = self.nested[vm, vcpu]
        cell = self.guest_cell(vm, here.eptp, page)
        return (
            here.in_l2
            and gives(cell, access)
            and self.lets_through(vm, cell.gfn, access == Access.WRITE)
            and not gives(self.walked(vm, vcpu, page), access)
        )

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """L1 lacks a page in EPT01: L0 installs what the p2m says."""
        require(self.violates(vm, gfn, write))
        found = self.supply(vm, gfn, write)
        if found == Supply.HOLE:
            return Handled(Result.HOLE, vm, gfn, write)
        if found == Supply.LATER:
            return Handled(Result.FAILED, vm, gfn, write)
        self.install01(vm, gfn)
        return Handled(Result.INSTALLED, vm, gfn, write)

    def violates(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether L0 has something to serve where L1 loads, or stores."""
        return not gives(self.ept01[vm, gfn], Access.WRITE if write else Access.READ)

    def install01(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        self.ept01[vm, gfn] = ShadowEntry(True, entry.mfn, entry.writable, True, gfn)

    @operation
    def nested_ept_violation(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        """L2 lacks a page in EPT02. If EPT12 lets the access through, the fault is L0's; otherwise L1 is told."""
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        require(not gives(self.walked(vm, vcpu, page), access))
        if self.lacks_table(vm, nested.eptp):
            return Filled(Result.FAILED, vm, vcpu, page, access, gfn=nested.eptp)
        cell, bare = self.guest_cell(vm, nested.eptp, page), self.bare_cell(vm, nested.eptp, page)
        if not gives(cell, access):
            self.nested[vm, vcpu] = attrs.evolve(nested, in_l2=False)
            due = self.bare_l2(vm, bare, page, access, Cell())
            return Filled(Result.REFLECTED, vm, vcpu, page, access, Reply(Event.PAGE_FAULT), due)
        found = self.supply(vm, cell.gfn, access == Access.WRITE)
        if found == Supply.HOLE:
            due = self.bare_l2(vm, bare, page, access, Cell())
            return Filled(Result.HOLE, vm, vcpu, page, access, Reply(Event.HOLE), due, cell.gfn)
        if found == Supply.LATER:
            return Filled(Result.FAILED, vm, vcpu, page, access, gfn=cell.gfn)
        self.install01(vm, cell.gfn)
        self.compose(vm, vcpu, nested.eptp, page, cell)
        self.bare_tlb12[vm, vcpu, nested.eptp, page] = bare
        return Filled(Result.INSTALLED, vm, vcpu, page, access, gfn=cell.gfn)

    def compose(self, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index, cell: Cell) -> None:
        """What EPT12 and EPT01 say together, with the rights that both give."""
        below = self.ept01[vm, cell.gfn]
        self.tlb02[vm, vcpu, eptp, page] = ShadowEntry()
        self.ept02[vm, vcpu, eptp, page] = ShadowEntry(
            True, below.mfn, cell.writable and below.writable, cell.executable and below.executable, cell.gfn
        )

    def forget_composed(self, vm: Vm, vcpu: Vcpu, eptp: Gfn) -> None:
        reset(self.ept02, lambda entry, v, c, pointer, page: v == vm and c == vcpu and pointer == eptp)
        reset(self.tlb02, lambda entry, v, c, pointer, page: v == vm and c == vcpu and pointer == eptp)

    def forget_all_composed(self, vm: Vm, vcpu: Vcpu) -> None:
        reset(self.ept02, lambda entry, v, c, pointer, page: v == vm and c == vcpu)
        reset(self.tlb02, lambda entry, v, c, pointer, page: v == vm and c == vcpu)

    @operation
    def evict(self, vm: Vm, vcpu: Vcpu, eptp: Gfn) -> None:
        """L0 reclaims a composed table: it can always be made again."""
        self.forget_composed(vm, vcpu, eptp)

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """A page of L1's goes: from EPT01, and from all that was composed with it."""
        self.ept01[vm, gfn] = ShadowEntry()
        reset(self.ept02, lambda entry, v, vcpu, eptp, page: v == vm and entry.gfn == gfn)
        reset(self.tlb02, lambda entry, v, vcpu, eptp, page: v == vm and entry.gfn == gfn)


class NestedInterpreterMmu(NestedGuests):
    """L1 and L2 with every access carried out by L0, by EPT12 as it stands."""

    def execute_l1(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        require(not self.nested[vm, vcpu].in_l2)
        return self.carried_out(vm, gfn, offset, access, value)

    def execute_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Attempt:
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        if self.lacks_table(vm, nested.eptp):
            return Attempt(Reply(), Reply(), vcpu, page, access)
        cell, bare = self.guest_cell(vm, nested.eptp, page), self.bare_cell(vm, nested.eptp, page)
        if not gives(cell, access):
            self.nested[vm, vcpu] = attrs.evolve(nested, in_l2=False)
            return Attempt(Reply(Event.PAGE_FAULT), self.bare_l2(vm, bare, offset, access, value), vcpu, page, access)
        shown = self.emulate(vm, cell.gfn, offset, access, value)
        if shown.event == Event.EXITED:
            return Attempt(Reply(), Reply(), vcpu, page, access, gfn=cell.gfn)
        return Attempt(shown, self.bare_l2(vm, bare, offset, access, value), vcpu, page, access, gfn=cell.gfn)

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m that could be too permissive."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m."""
