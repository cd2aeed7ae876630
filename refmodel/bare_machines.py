"""The bare machines by themselves: what their own instructions do, and what a processor may do between instructions.

Each is a design without a monitor, made of the same text (``bare.py``) that equivalence is judged against. Popek and Goldberg's
homomorphism (CACM 1974, theorem 1) says of each monitored machine that its steps are steps of the one here whose tables it
shares; ``engines/simulation.py`` proves it.
"""

from typing import ClassVar

import attrs

from refmodel.bare import BareMachine, BareMemory, Event, Reply
from refmodel.bare_levels import L1Instructions, LargePageBareMachine, TwoLevelBareMachine
from refmodel.bare_physical import PhysicalMachine, TmemMachine
from refmodel.language import (
    Design,
    EveryLaw,
    Law,
    cached,
    choose,
    every_law,
    fails,
    geometry,
    guest,
    operation,
    outline,
    require,
    reset,
)
from refmodel.language.design import Outline
from refmodel.machine.cells import Access, Cell, gives, permits
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.control_registers import ControlRegisters
from refmodel.mmu.direct import Base, BaseLoaded, CachedTranslation, DirectBareMachine, Hypercall, MachineWord, as_cell
from refmodel.mmu.nested import NestedBareMachine
from refmodel.monitor.tmem import Tmem


class UnpagedInstructions(PhysicalMachine):
    """Accesses while CR0.PG is clear, when linear addresses are guest-physical."""

    @guest
    def load_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index) -> Reply:
        require(not self.paging[vm, vcpu].enabled)
        return self.bare_physical(vm, gfn, offset, Access.READ, Cell())

    @guest
    def store_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Reply:
        require(not self.paging[vm, vcpu].enabled)
        return self.bare_physical(vm, gfn, offset, Access.WRITE, value)


class OneLevelMachine(UnpagedInstructions, BareMachine, ControlRegisters):
    """A machine whose tables have one level."""

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """There is no other cache than the bare machine's."""

    @guest
    def access(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Reply:
        """An access by linear address: from the cache, if the processor still has it there, or by a walk, which it may remember."""
        require(self.paging[vm, vcpu].enabled)
        mode, entry = self.paging[vm, vcpu].mode, self.bare_tlb[vm, vcpu, page]
        if not (permits(entry, access, mode) and cached("translation")):
            entry = self.bare_walk(vm, vcpu, page)
            if permits(entry, access, mode) and cached("what was walked"):
                self.bare_tlb[vm, vcpu, page] = entry
        return self.bare_access(vm, vcpu, entry, offset, access, value)

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Reply:
        return self.access(vm, vcpu, page, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Reply:
        return self.access(vm, vcpu, page, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Reply:
        return self.access(vm, vcpu, page, offset, Access.FETCH, Cell())

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()

    def bare_tlb_may_be(self, vm: Vm, vcpu: Vcpu, page: Index, cell: Cell) -> bool:
        """A processor forgets what it likes, and may walk and remember before anything asks it to (SDM Vol. 3A 4.10.2.3)."""
        return cell == Cell() or (self.paging[vm, vcpu].enabled and cell.present and cell == self.bare_walk(vm, vcpu, page))

    @operation
    def cache(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """The processor drops or fills its cached translation of a linear page."""
        self.bare_tlb[vm, vcpu, page] = choose(Cell, lambda cell: self.bare_tlb_may_be(vm, vcpu, page, cell))


class MachineWithL2(L1Instructions, OneLevelMachine):
    """A machine with one-level tables whose guest runs a guest of its own (L2) by shadow tables, as another vCPU."""


class LinearMachine(UnpagedInstructions, ControlRegisters):
    """A machine whose tables have two levels, with large pages or without."""

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """There is no other cache than the bare machine's."""

    @guest
    def access(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> Reply:
        """An access by linear address."""
        raise NotImplementedError

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index) -> Reply:
        return self.access(vm, vcpu, upper, page, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, value: Cell) -> Reply:
        return self.access(vm, vcpu, upper, page, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index) -> Reply:
        return self.access(vm, vcpu, upper, page, offset, Access.FETCH, Cell())


class TwoLevelMachine(TwoLevelBareMachine, LinearMachine):
    """A machine without large pages."""

    @guest
    def access(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> Reply:
        """From the cache; or by a walk, or with the leaf as the processor read it ahead, which it may remember."""
        require(self.paging[vm, vcpu].enabled)
        mode, entry = self.paging[vm, vcpu].mode, self.bare_tlb[vm, vcpu, upper, page]
        if not (permits(entry, access, mode) and cached("translation")):
            ahead = cached("leaf")
            entry = self.bare_before(vm, vcpu, upper, page) if ahead else self.bare_walk(vm, vcpu, upper, page)
            require(permits(entry, access, mode) or not ahead)
            if permits(entry, access, mode) and cached("what was walked"):
                self.bare_tlb[vm, vcpu, upper, page] = entry
        return self.bare_access(vm, vcpu, entry, offset, access, value)

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, upper, page] = Cell()
        self.bare_old[vm, vcpu, upper, page] = Cell()

    def bare_tlb_may_be(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, cell: Cell) -> bool:
        """A processor forgets what it likes, and may walk and remember before anything asks it to (SDM Vol. 3A 4.10.2.3)."""
        return cell == Cell() or (self.paging[vm, vcpu].enabled and cell.present and cell == self.bare_walk(vm, vcpu, upper, page))

    def bare_old_may_be(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, cell: Cell) -> bool:
        """Whether a processor may have this cached for an entry of a leaf table: nothing, or what the table holds (SDM Vol. 3A
        4.10.2.3)."""
        return cell == Cell() or cell == self.bare_cell(vm, self.bare_upper(vm, vcpu, upper).gfn, page)

    @operation
    def cache(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """The processor drops or fills its cached translation of a linear page."""
        self.bare_tlb[vm, vcpu, upper, page] = choose(Cell, lambda cell: self.bare_tlb_may_be(vm, vcpu, upper, page, cell))

    @operation
    def cache_leaf(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """The processor drops or fills its cached copy of an entry of a leaf table."""
        self.bare_old[vm, vcpu, upper, page] = choose(Cell, lambda cell: self.bare_old_may_be(vm, vcpu, upper, page, cell))


class LargePageMachine(LargePageBareMachine, LinearMachine):
    """A machine with large pages, and flags that it sets in its walk."""

    arbitrary = ("within",)

    @guest
    def access(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> Reply:
        """From the cache, but for a store through a translation that was cached clean; or by a walk, which marks what it uses."""
        require(self.paging[vm, vcpu].enabled)
        mode, entry = self.paging[vm, vcpu].mode, self.bare_tlb[vm, vcpu, upper, page]
        marked = entry.dirty or access != Access.WRITE
        if permits(entry, access, mode) and marked and cached("translation"):
            return self.bare_access(vm, vcpu, entry, offset, access, value)
        if permits(self.bare_walk(vm, vcpu, upper, page), access, mode) and cached("what is walked"):
            self.bare_fill(vm, vcpu, upper, page, access)
            return self.bare_access(vm, vcpu, self.bare_tlb[vm, vcpu, upper, page], offset, access, value)
        return self.bare_linear(vm, vcpu, upper, page, offset, access, value)

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, upper, page] = Cell()

    @guest
    def set_flags(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> None:
        """The first part of an access, which others may see before the rest: the processor marks one of the entries it uses."""
        require(self.paging[vm, vcpu].enabled)
        require(permits(self.bare_walk(vm, vcpu, upper, page), access, self.paging[vm, vcpu].mode))
        root, write = self.paging[vm, vcpu].root, access == Access.WRITE
        above = self.bare_cell(vm, root, upper)
        if above.large or not above.accessed:
            self.bare_mark(vm, root, upper, write and above.large)
        else:
            self.bare_mark(vm, above.gfn, page, write)

    def bare_tlb_may_be(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, cell: Cell) -> bool:
        """A processor forgets what it likes. Before it remembers anything it marks what it walked, which is an access."""
        return cell == Cell()

    @operation
    def cache(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """The processor drops or fills its cached translation of a linear page."""
        self.bare_tlb[vm, vcpu, upper, page] = choose(Cell, lambda cell: self.bare_tlb_may_be(vm, vcpu, upper, page, cell))


class NestedMachine(PhysicalMachine, NestedBareMachine):
    """A machine whose guest (L1) runs a guest of its own (L2) by tables that the processor walks."""

    @guest
    def load_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index) -> Reply:
        require(not self.nested[vm, vcpu].in_l2)
        return self.bare_physical(vm, gfn, offset, Access.READ, Cell())

    @guest
    def store_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Reply:
        require(not self.nested[vm, vcpu].in_l2)
        return self.bare_physical(vm, gfn, offset, Access.WRITE, value)

    @guest
    def access_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Reply:
        """An access of L2's: from the cache, or by a walk of EPT12, which the processor may remember."""
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        entry = self.bare_tlb12[vm, vcpu, nested.eptp, page]
        if not (gives(entry, access) and cached("translation")):
            entry = self.bare_cell(vm, nested.eptp, page)
            if gives(entry, access) and cached("what was walked"):
                self.bare_tlb12[vm, vcpu, nested.eptp, page] = entry
        reply = self.bare_l2(vm, entry, offset, access, value)
        if reply.event == Event.PAGE_FAULT:
            self.nested[vm, vcpu] = attrs.evolve(nested, in_l2=False)  # an EPT violation of L1's
        return reply

    @guest
    def load_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Reply:
        return self.access_l2(vm, vcpu, page, offset, Access.READ, Cell())

    @guest
    def store_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Reply:
        return self.access_l2(vm, vcpu, page, offset, Access.WRITE, value)

    @guest
    def fetch_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Reply:
        return self.access_l2(vm, vcpu, page, offset, Access.FETCH, Cell())

    @guest
    def vmsave(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Reply:
        """L2's VMSAVE: an exit to L1 if L1 wants one, and else a store to L2's memory, of what we call nothing."""
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        if nested.intercepts:
            self.nested[vm, vcpu] = attrs.evolve(nested, in_l2=False)
            return Reply()
        return self.access_l2(vm, vcpu, page, offset, Access.WRITE, Cell())

    def bare_tlb12_may_be(self, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index, cell: Cell) -> bool:
        """A processor forgets what it likes, and may walk and remember before anything asks it to (SDM Vol. 3C 28.4.2)."""
        return cell == Cell() or (cell.present and cell == self.bare_cell(vm, eptp, page))

    @operation
    def cache(self, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index) -> None:
        """The processor drops or fills its cached translation of a linear page."""
        self.bare_tlb12[vm, vcpu, eptp, page] = choose(Cell, lambda cell: self.bare_tlb12_may_be(vm, vcpu, eptp, page, cell))


class DirectMachine(DirectBareMachine):
    """The machine of a paravirtual guest, which knows its machine frames. Its hypercalls change tables, or are refused."""

    laws: ClassVar[tuple[Law, ...] | EveryLaw] = every_law("refmodel.laws.isolation", "refmodel.laws")
    geometry = geometry(
        Vm=1,
        Vcpu=1,
        Mfn=2,
        Index=1,
        only={MachineWord: (MachineWord(), MachineWord(True, True, mfn=0), MachineWord(True, True, large=True, mfn=0))},
    )

    def walk(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index) -> CachedTranslation:
        """What the guest's tables say."""
        base = self.base[vm, vcpu]
        top = self.bare_words[base.mfn, upper] if base.loaded else MachineWord()
        if not top.present or top.large:
            return CachedTranslation(top.present, top.mfn, top.writable) if top.present else CachedTranslation()
        leaf = self.bare_words[top.mfn, lower]
        return CachedTranslation(True, leaf.mfn, top.writable and leaf.writable) if leaf.present else CachedTranslation()

    def translated(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, write: bool) -> CachedTranslation:
        """From the cache, or by a walk, which the processor remembers; what does not let the access through is invalid."""
        found = self.bare_tlb[vm, vcpu, upper, lower]
        if found.valid and (found.writable or not write) and cached("translation"):
            return found
        found = self.walk(vm, vcpu, upper, lower)
        if not found.valid or (write and not found.writable):
            return CachedTranslation()
        self.bare_tlb[vm, vcpu, upper, lower] = found
        return found

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index) -> Reply:
        found = self.translated(vm, vcpu, upper, lower, False)
        return Reply(Event.COMPLETED, as_cell(self.bare_words[found.mfn, offset])) if found.valid else Reply(Event.PAGE_FAULT)

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index, word: MachineWord) -> Reply:
        found = self.translated(vm, vcpu, upper, lower, True)
        if not found.valid:
            return Reply(Event.PAGE_FAULT)
        shown = Reply(Event.COMPLETED, as_cell(self.bare_words[found.mfn, offset]))
        self.bare_words[found.mfn, offset] = word
        return shown

    @guest
    def dma(self, vm: Vm, mfn: Mfn, offset: Index, word: MachineWord) -> None:
        self.bare_words[mfn, offset] = word

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index) -> None:
        self.bare_tlb[vm, vcpu, upper, lower] = CachedTranslation()

    @guest
    def mmu_update(self, vm: Vm, table: Mfn, index: Index, word: MachineWord) -> Hypercall:
        if fails("hypercall"):
            return Hypercall(False)
        self.bare_words[table, index] = word
        return Hypercall(True)

    @guest
    def update_va_mapping(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, word: MachineWord) -> Hypercall:
        base = self.base[vm, vcpu]
        link = self.bare_words[base.mfn, upper]
        require(base.loaded)
        require(link.present)
        require(not link.large)
        if fails("hypercall"):
            return Hypercall(False)
        self.bare_words[link.mfn, lower] = word
        return Hypercall(True)

    @guest
    def write_table(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index, word: MachineWord) -> Hypercall:
        found = self.walk(vm, vcpu, upper, lower)
        require(found.valid)
        if fails("hypercall"):
            return Hypercall(False)
        self.bare_words[found.mfn, offset] = word
        return Hypercall(True)

    @guest
    def new_baseptr(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> BaseLoaded:
        if fails("hypercall"):
            return BaseLoaded(False, vcpu, mfn)
        self.base[vm, vcpu] = Base(True, mfn)
        reset(self.bare_tlb, lambda found, v, c, upper, lower: v == vm and c == vcpu)
        return BaseLoaded(True, vcpu, mfn)

    @operation
    def gain_frame(self) -> None:
        """A frame of zeroes is added."""
        mfn = choose(Mfn, lambda mfn: True)
        reset(self.bare_words, lambda word, frame, index: frame == mfn)

    @operation
    def gain_tables(self, index: Index) -> None:
        """Two frames are added, the one a table that links to the other."""
        second = choose(Mfn, lambda mfn: True)
        reset(self.bare_words, lambda word, frame, index: frame == second)
        first = choose(Mfn, lambda mfn: mfn != second)
        reset(self.bare_words, lambda word, frame, index: frame == first)
        self.bare_words[second, index] = MachineWord(True, True, mfn=first)


BARE_MACHINES: dict[type[Design], type[Design]] = {
    L1Instructions: MachineWithL2,
    NestedBareMachine: NestedMachine,
    BareMachine: OneLevelMachine,
    TwoLevelBareMachine: TwoLevelMachine,
    LargePageBareMachine: LargePageMachine,
    Tmem: TmemMachine,
    BareMemory: PhysicalMachine,
    DirectBareMachine: DirectMachine,
}
"""For the designs that are made of one of these, the bare machine that each of their VMs believes it runs on; the first counts."""


def bare_machine(cls: type[Design]) -> type[Design] | None:
    """The bare machine that a design's VMs believe they run on; None if none is stated."""
    if cls.no_bare_machine:
        return None
    return next((machine for base, machine in BARE_MACHINES.items() if issubclass(cls, base)), None)


def bare_machine_of(design: Outline) -> Outline | None:
    """The outline of the bare machine that a design's VMs believe they run on; None if none is stated."""
    machine = bare_machine(design.cls)
    return None if machine is None else outline(machine)
