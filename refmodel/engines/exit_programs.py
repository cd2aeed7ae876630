"""The guests whose exits are counted: what each does, instruction by instruction, under MMUs of its kind.

A program runs on ints. Whatever exits is served by the design's own handler and tried again; allocations succeed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from refmodel.bare import Seen
from refmodel.engines.machine import Machine
from refmodel.engines.outcomes import shown_by
from refmodel.language import geometry
from refmodel.language.design import Operation, Outline
from refmodel.language.sizes import Geometry
from refmodel.machine.cells import Cell
from refmodel.mmu.direct import MachineWord

ROOT, OTHER_ROOT, LEAF, DATA = 0, 1, 2, 3
TABLE_PAGE, DATA_PAGE = 1, 0
"""The linear page by which the guest reaches its own table, and one of data."""
EXECUTABLE = Cell(True, True, True, DATA)
"""An entry that leads to the page of data."""


class Program(Machine):
    """A VM that runs instruction after instruction, and counts its exits; ``misses`` empties the TLB."""

    size: ClassVar[Geometry]
    does: ClassVar[frozenset[str]] = frozenset(["touch", "touch_without_tlb", "edit_table", "switch"])
    """Those of the methods below that it has."""

    def __init__(self, design: Outline, trapping: frozenset[str]) -> None:
        super().__init__(design, self.size)
        self.trapping, self.misses, self.exits, self.instructions = trapping, False, 0, 0
        self.most = 0  # exits of one instruction that need not exit
        self.power_on(lambda options: options[0])
        self.boot()

    def yes(self, question: str) -> bool:
        return "cached" in question and not self.misses

    def named(self, name: str) -> Operation:
        return self.design.operation(name)

    def take(self, name: str, *arguments: Any) -> Any:
        """Take a step; None if it does not apply."""
        taken = self.attempt(self.named(name), arguments, lambda options: options[0])
        self.settle()
        return taken[1] if taken else None

    def run(self, name: str, *arguments: Any) -> None:
        """An instruction, to its end."""
        self.instructions += 1
        self.exits += name in self.trapping
        for exits in range(1, 9):
            outcome = self.take(name, *arguments)
            shown = shown_by(outcome)
            if shown is None or shown.event.name != "EXITED":
                return
            self.exits += 1
            if name not in self.trapping:
                self.most = max(self.most, exits)
            if self.served(name, arguments, outcome):
                return
        raise AssertionError(f"{self.design.name}: {name}{arguments} exits for ever")

    def served(self, name: str, arguments: tuple[Any, ...], outcome: Any) -> bool:
        """Let the monitor serve an exit; whether that completed the instruction."""
        raise NotImplementedError

    # ------------------------------------------------------------ what programs do

    def boot(self) -> None:
        """Memory, tables, and whatever else has to be there."""
        raise NotImplementedError

    def touch(self) -> None:
        """Load from a page, and store to it."""
        raise NotImplementedError

    def touch_without_tlb(self) -> None:
        """Load from a page and store to it, on a processor that caches no translation."""
        self.misses = True
        self.touch()

    def edit_table(self) -> None:
        """Change an entry of a table, invalidate it, use it."""
        raise NotImplementedError

    def switch(self) -> None:
        """Another address space, and what is touched there first."""
        raise NotImplementedError

    def map_for_l2(self) -> None:
        """A guest's guest lacks a page: it goes to its monitor, which changes a table for it and has it go on."""
        raise NotImplementedError


class Guest(Program):
    """A guest with tables of its own, of one level or two, under any MMU that runs it unchanged."""

    size = geometry(Vm=1, Vcpu=2, Gfn=4, Mfn=6, Index=2, naturals=1, only={Cell: (Cell(),)})

    @property
    def two_levels(self) -> bool:
        return any(len(t.keys) == 4 for t in self.design.tables if t.name == "tlb")

    def served(self, name: str, arguments: tuple[Any, ...], outcome: Any) -> bool:
        if isinstance(outcome, Seen):
            self.take("ept_violation", 0, outcome.gfn, outcome.write)
            return False
        place = arguments[:-2] if name == "store" else arguments[:-1]
        if self.take("page_fault", *place, outcome.access) is None and name == "store":
            return self.take("emulate_store", *arguments) is not None
        return False

    def page(self, number: int, vcpu: int = 0) -> tuple[int, ...]:
        """A linear page, as the instructions of this guest name it."""
        return (0, vcpu, 0, number) if self.two_levels else (0, vcpu, number)

    def boot(self) -> None:
        """Memory, tables, and paging on. Two roots that say the same, so that address spaces can be switched."""
        for gfn in range(4):
            self.take("populate", 0, gfn)
        to_leaf, tables = Cell(True, True, True, LEAF), (LEAF,) if self.two_levels else (ROOT, OTHER_ROOT)
        for root in (ROOT, OTHER_ROOT) if self.two_levels else ():
            self.run("store_unpaged", 0, 0, root, 0, to_leaf)
        for table in tables:
            self.run("store_unpaged", 0, 0, table, DATA_PAGE, EXECUTABLE)
            self.run("store_unpaged", 0, 0, table, TABLE_PAGE, Cell(True, True, True, tables[0]))
        self.run("mov_cr3", 0, 0, ROOT)
        for number in (DATA_PAGE, TABLE_PAGE):
            self.run("load", *self.page(number), 0)

    def touch(self) -> None:
        self.run("load", *self.page(DATA_PAGE), 0)
        self.run("store", *self.page(DATA_PAGE), 0, Cell())

    def edit_table(self) -> None:
        self.run("store", *self.page(TABLE_PAGE), DATA_PAGE, EXECUTABLE)
        self.run("invlpg", *self.page(DATA_PAGE))
        self.run("load", *self.page(DATA_PAGE), 0)

    def switch(self) -> None:
        for root in (OTHER_ROOT, ROOT):
            self.run("mov_cr3", 0, 0, root)
            self.run("load", *self.page(DATA_PAGE), 0)


class InShadowPages(Guest):
    """A guest on shadow pages from a pool: an exit is served in steps, of which the guest sees nothing."""

    size = Guest.size.resized(ShadowPage=6)

    def took(self, name: str, *arguments: Any) -> bool:
        """Whether a step applied."""
        taken = self.attempt(self.named(name), arguments, lambda options: options[0])
        self.settle()
        return taken is not None

    def found(self, name: str, *arguments: Any) -> bool:
        """Whether a step that takes a shadow page applied: with a page in that role, or with a free one."""
        pool = sorted(range(self.size.size("ShadowPage")), key=lambda shadow: not self.state.roles[shadow].used)
        return any(self.took(name, *arguments, shadow) for shadow in pool)

    def run(self, name: str, *arguments: Any) -> None:
        super().run(name, *arguments)
        self.found("load_root", 0, 0)  # the guest goes on

    def served(self, name: str, arguments: tuple[Any, ...], outcome: Any) -> bool:
        place, (vm, vcpu, upper) = arguments[:4], arguments[:3]
        for _ in range(8):
            if not self.took("set_flags", *place, outcome.access) and not self.found("link", vm, vcpu, upper):
                break
        if name == "store" and self.took("emulate_store", *arguments):
            return True
        self.took("page_fault", *place, outcome.access)
        return False


class Shadowing(Guest):
    """A guest on shadow pages that shadows a guest of its own: L2 is a vCPU whose root is a table of L1's."""

    does = Guest.does | {"map_for_l2"}

    def map_for_l2(self) -> None:
        """L2's fault exits to L1, by way of L0; L1 changes its shadow table, has L2's translations forgotten, and enters."""
        self.instructions += 1
        self.exits += 1
        self.run("store", *self.page(TABLE_PAGE), DATA_PAGE, EXECUTABLE)
        self.run("l1_invvpid", 0, 0, 1)
        self.run("vmresume", 0, 0, 1, ROOT)
        self.run("load", *self.page(DATA_PAGE, 1), 0)


class Paravirtual(Program):
    """A guest of direct paging, whose tables hold machine frames and are changed by hypercalls."""

    size = geometry(Vm=1, Vcpu=1, Mfn=5, Index=2, only={MachineWord: (MachineWord(),)})
    second, first, other_second, other_first, data = range(5)

    def boot(self) -> None:
        for _ in range(2):
            self.take("build_domain", 0, 0)
        self.take("increase_reservation", 0)
        for table in (self.first, self.other_first):
            self.run("mmu_update", 0, table, DATA_PAGE, MachineWord(True, True, mfn=self.data))
        self.run("new_baseptr", 0, 0, self.second)

    def touch(self) -> None:
        self.run("load", 0, 0, 0, DATA_PAGE, 0)
        self.run("store", 0, 0, 0, DATA_PAGE, 0, MachineWord())

    def edit_table(self) -> None:
        self.run("mmu_update", 0, self.first, DATA_PAGE, MachineWord(True, True, mfn=self.data))
        self.run("invlpg", 0, 0, 0, DATA_PAGE)
        self.run("load", 0, 0, 0, DATA_PAGE, 0)

    def switch(self) -> None:
        for root in (self.other_second, self.second):
            self.run("new_baseptr", 0, 0, root)
            self.run("load", 0, 0, 0, DATA_PAGE, 0)


class TwoDeep(Program):
    """A guest's guest, L2, under EPT on EPT. Its tables are memory like any other to both monitors."""

    size = Guest.size
    does = Shadowing.does - {"switch"}

    def served(self, name: str, arguments: tuple[Any, ...], outcome: Any) -> bool:
        if isinstance(outcome, Seen):
            self.take("ept_violation", 0, outcome.gfn, outcome.write)
        else:
            self.take("nested_ept_violation", 0, 0, outcome.page, outcome.access)
        return False

    def boot(self) -> None:
        for gfn in range(4):
            self.take("populate", 0, gfn)
        for pointer in (ROOT, OTHER_ROOT):
            self.run("store_unpaged", 0, 0, pointer, DATA_PAGE, EXECUTABLE)
            self.run("store_unpaged", 0, 0, pointer, TABLE_PAGE, Cell(True, True, True, LEAF))
        self.run("vmlaunch", 0, 0, ROOT, False)

    def touch(self) -> None:
        self.run("load_l2", 0, 0, DATA_PAGE, 0)
        self.run("store_l2", 0, 0, DATA_PAGE, 0, Cell())

    def edit_table(self) -> None:
        self.run("store_l2", 0, 0, TABLE_PAGE, DATA_PAGE, Cell())
        self.run("load_l2", 0, 0, DATA_PAGE, 0)

    def map_for_l2(self) -> None:
        """L2 exits to L1, which changes EPT12, has what was cached of it forgotten, and enters."""
        self.run("vmcall", 0, 0)
        self.run("store_unpaged", 0, 0, ROOT, DATA_PAGE, EXECUTABLE)
        self.run("invept", 0, 0, ROOT)
        self.run("vmlaunch", 0, 0, ROOT, False)
        self.run("load_l2", 0, 0, DATA_PAGE, 0)


class Untranslated(Program):
    """A guest of which only the second translation is seen, AMD's: its own tables are memory like any other."""

    size = geometry(Vm=1, Cpu=1, Tag=2, Gfn=4, Mfn=6, Index=2, naturals=1, only={Cell: (Cell(),)})
    does = Program.does - {"switch"}

    def served(self, name: str, arguments: tuple[Any, ...], outcome: Any) -> bool:
        self.take("derive", 0, outcome.gfn, outcome.write)
        return False

    def boot(self) -> None:
        for gfn in range(4):
            self.take("populate", 0, gfn)
        self.take("new_asid", 0, 0)
        self.take("vmrun", 0, 0)

    def touch(self) -> None:
        self.run("load_physical", 0, 0, DATA, 0)
        self.run("store_physical", 0, 0, DATA, 0, Cell())

    def edit_table(self) -> None:
        self.run("store_physical", 0, 0, ROOT, DATA_PAGE, EXECUTABLE)
        self.run("load_physical", 0, 0, DATA, 0)
