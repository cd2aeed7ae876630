"""The bare machine: what each VM believes it runs on, and the yardstick of equivalence.

Every guest instruction is executed here too, beside the monitored machine. Popek and Goldberg's homomorphism
(CACM 1974) is then a law like the others: results agree, and the relation between the two machines survives.
The monitor's own work leaves the bare machine alone; a balloon changes it only as the guest asked.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.language import NOTHING, Design, EveryLaw, Law, Total, every_law, reset
from refmodel.machine.cells import Access, Cell, Cells, Paging, permits
from refmodel.machine.names import Cpu, Gfn, Index, Vcpu, Vm


class Event(enum.Enum):
    """How an instruction ends."""

    COMPLETED = "completed"
    PAGE_FAULT = "page fault"
    EXITED = "VM exit"
    """On the monitored machine only: nothing has happened, the guest will try again."""
    HOLE = "no memory there"
    """The guest touched a guest-physical page it does not have, for instance one in its balloon."""


@attrs.frozen
class Reply:
    """What the guest is shown: how the instruction ended, and the cell as it was. (A store shows it too, so that each is an
    exchange, and every read-modify-write is one of those: a guest that only stores does not look.)"""

    event: Event = Event.EXITED
    cell: Cell = Cell()


@attrs.frozen
class Seen:
    """One instruction on both machines: what the guest was shown, and what the bare machine shows.

    After a VM exit, ``gfn``, ``write`` and ``fetch`` say what a second translation did not give, where there is one.
    """

    shown: Reply = Reply()
    due: Reply = Reply()
    gfn: Gfn = NOTHING
    write: bool = False
    cpu: Cpu = NOTHING
    """The processor that it ran on, where there are several."""
    fetch: bool = False
    """Whether the access was a fetch, where the second translation has a right of its own for that."""
    full: Vcpu = NOTHING
    """After a VM exit because a page-modification log is full: the vCPU whose it is."""


class BareMemory(Design):
    """Plain memory and registers, one of each for every VM."""

    plugged: Total[tuple[Vm, Gfn], bool]
    bare_memory: Total[tuple[Vm, Gfn], Cells]
    paging: Total[tuple[Vm, Vcpu], Paging]

    laws: ClassVar[tuple[Law, ...] | EveryLaw] = every_law("refmodel.laws.isolation", "refmodel.laws")
    known: ClassVar[tuple[str, ...]] = ("plugged", "bare_memory", "paging")

    def bare_cell(self, vm: Vm, gfn: Gfn, index: Index) -> Cell:
        """An entry of a table as memory has it. Where there is no memory there are no entries."""
        return self.bare_memory[vm, gfn][index] if self.plugged[vm, gfn] else Cell()

    def bare_access(self, vm: Vm, vcpu: Vcpu, entry: Cell, offset: Index, access: Access, value: Cell) -> Reply:
        """Carry out a vCPU's access through a guest entry, cached or just walked."""
        if not permits(entry, access, self.paging[vm, vcpu].mode):
            return Reply(Event.PAGE_FAULT)
        return self.bare_physical(vm, entry.gfn, offset, access, value)

    def bare_physical(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Reply:
        """Carry out an access to guest-physical memory."""
        if not self.plugged[vm, gfn]:
            return Reply(Event.HOLE)
        page = self.bare_memory[vm, gfn]
        if access == Access.WRITE:
            self.bare_memory[vm, gfn] = page.put(offset, value)
        return Reply(Event.COMPLETED, page[offset])

    def plug(self, vm: Vm, gfn: Gfn) -> None:
        """The machine gains a page of zeroes."""
        self.plugged[vm, gfn] = True
        self.bare_memory[vm, gfn] = self.bare_memory[vm, gfn].scrubbed()

    def unplug(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gave a page up: there is no memory there any more."""
        self.plugged[vm, gfn] = False
        self.bare_memory[vm, gfn] = self.bare_memory[vm, gfn].scrubbed()

    def lets_store(self, vm: Vm, gfn: Gfn, other: Vm) -> bool:
        """Whether a guest has agreed that another VM stores to a page of its own, which that has mapped."""
        return False

    def is_called_free(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether the guest has said that a page holds nothing it needs, and has not stored to it since."""
        return False


class BareMachine(BareMemory):
    """A machine whose tables have one level, with a translation cache for every vCPU."""

    bare_tlb: Total[tuple[Vm, Vcpu, Index], Cell]
    """The guest entries that the processor may use without looking: each was valid when it was cached, and no
    invalidation has covered it since (SDM Vol. 3A 4.10.2)."""

    def bare_walk(self, vm: Vm, vcpu: Vcpu, page: Index) -> Cell:
        """The entry that the guest's own table holds now."""
        return self.bare_cell(vm, self.paging[vm, vcpu].root, page)

    def bare_flush(self, vm: Vm, vcpu: Vcpu) -> None:
        """A vCPU's cache is emptied."""
        reset(self.bare_tlb, lambda cell, v, c, page: v == vm and c == vcpu)
