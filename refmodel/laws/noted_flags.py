"""Accessed and dirty flags: what happened to a page is never more than flags say of it, or have said."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.cells import Flags
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.noted_flags import Aged, Collected, NotedFlags


@law(
    "EQV-4",
    "If a vCPU has stored to a page since the page was last clean, the page's dirty flag is set or recorded by the monitor.",
)
def stores_are_said_by_flags(s: NotedFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.happened[vm, gfn].dirty, s.said_of(vm, gfn).dirty)


@law(
    "EQV-4",
    "If a vCPU has accessed a page since the page's age was taken, the page's accessed flag is set or recorded by the monitor.",
)
def accesses_are_said_by_flags(s: NotedFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.happened[vm, gfn].accessed, s.said_of(vm, gfn).accessed)


@law("EFF-2", "After the accessed and dirty flags of a page are collected, both flags are clear.")
def collected_flags_are_clear(s: NotedFlags, outcome: Collected) -> Any:
    return s.flags_of(outcome.vm, outcome.gfn) == Flags()


@law("EFF-2", "After the age of a page is taken, the page's accessed flag is clear and the monitor has recorded no access.")
def aged_pages_are_old(s: NotedFlags, outcome: Aged) -> Any:
    return not s.said_of(outcome.vm, outcome.gfn).accessed
