"""Any MMU at all, as memory management sees it.

Below the seam an MMU is whatever has told the processor where guest pages lie, in whatever tables and caches: what counts is the
most that any of them gives. So there is one table here, of what was derived from the p2m and has not been taken back. An MMU may
derive what the p2m says at any time, after it had the page supplied; it has to take back when told; and it may drop what it likes.
A mechanism that breaks a law here breaks it under the MMU that keeps all that it may.

The other way more is needed, since an MMU may keep what was made of guest memory too, such as shadows of guest tables. So the
real ones are proved over all mechanisms each for itself. The guest's addresses are guest-physical here: what leads to them is an
MMU's own.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Seen
from refmodel.language import NOTHING, Total, guest, operation, pending, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Vm
from refmodel.mmu.replies import Handled, Result
from refmodel.monitor.p2m import P2m, Supply


@attrs.frozen
class Derived:
    """The most that any table or cache lets a guest do with a page."""

    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


class ProcessorAccesses(P2m):
    """What a guest does on a processor that caches translations: its addresses are guest-physical."""

    def translate(self, vm: Vm, cpu: Cpu, gfn: Gfn, write: bool) -> Derived:
        """Where the processor finds a page, cached or by a walk; not present if the access exits."""
        raise NotImplementedError

    def execute(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        write = access == Access.WRITE
        found = self.translate(vm, cpu, gfn, write)
        if not found.present:
            return Seen(gfn=gfn, write=write, cpu=cpu)
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(found.mfn, offset, access, value), due, gfn, write, cpu)

    @guest
    def load_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, cpu, gfn, offset, Access.READ, Cell())

    @guest
    def store_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute(vm, cpu, gfn, offset, Access.WRITE, value)


class DerivedTable(P2m):
    """The table that an MMU derives from the p2m."""

    derived: Total[tuple[Vm, Gfn], Derived]

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"derive": ("load_physical",)}

    def gives(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether an access needs no exit."""
        entry = self.derived[vm, gfn]
        return entry.present and (entry.writable or not write)

    @pending(
        "EFF-2", "If the p2m allows an access that the MMU cannot translate, serving the exit adds the translation.", until="derive"
    )
    def translation_not_derived(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        return self.lets_through(vm, gfn, write) and not self.gives(vm, gfn, write)

    @operation
    def derive(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """An exit, or a guess: have the page supplied, and derive what the p2m says."""
        require(not self.gives(vm, gfn, write))
        found = self.supply(vm, gfn, write)
        if found == Supply.HOLE:
            return Handled(Result.HOLE, vm, gfn, write)
        if found == Supply.LATER:
            return Handled(Result.FAILED, vm, gfn, write)
        self.derived[vm, gfn] = self.supplied(vm, gfn)
        return Handled(Result.INSTALLED, vm, gfn, write)

    def supplied(self, vm: Vm, gfn: Gfn) -> Derived:
        """What the p2m says of a page that has been supplied."""
        entry = self.p2m[vm, gfn]
        return Derived(True, entry.mfn, entry.writable)

    @operation
    def evict(self, vm: Vm, gfn: Gfn) -> None:
        """The MMU drops what it derived: it can always be made again."""
        require(self.derived[vm, gfn].present)
        self.derived[vm, gfn] = Derived()

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.derived[vm, gfn] = attrs.evolve(self.derived[vm, gfn], writable=False)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.derived[vm, gfn] = Derived()


class ContractMmu(DerivedTable):
    """Where flushes are at once the table stands for all caches too."""

    def execute(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        write = access == Access.WRITE
        if not self.gives(vm, gfn, write):
            return Seen(gfn=gfn, write=write)
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(self.derived[vm, gfn].mfn, offset, access, value), due, gfn, write)

    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, gfn, offset, Access.READ, Cell())

    @guest
    def store_physical(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute(vm, gfn, offset, Access.WRITE, value)
