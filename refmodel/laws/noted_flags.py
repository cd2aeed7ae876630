"""Accessed and dirty flags: what happened to a page is never more than flags say of it, or have said."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.cells import Flags
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.noted_flags import Aged, Collected, NotedFlags


@law("EQV-4", "Flags say, or have said, that a page was written if a vCPU has stored to it since it was last clean.")
def stores_are_said_by_flags(s: NotedFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.happened[vm, gfn].dirty, s.said_of(vm, gfn).dirty)


@law("EQV-4", "Flags say, or have said, that a page was accessed if a vCPU has reached it since its age was taken.")
def accesses_are_said_by_flags(s: NotedFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.happened[vm, gfn].accessed, s.said_of(vm, gfn).accessed)


@law("EFF-2", "Flags that were collected are clear, so that a page can be found old or clean.")
def collected_flags_are_clear(s: NotedFlags, outcome: Collected) -> Any:
    return s.flags_of(outcome.vm, outcome.gfn) == Flags()


@law("EFF-2", "A page whose age was taken is not said to be accessed: it is found old if nobody comes for it.")
def aged_pages_are_old(s: NotedFlags, outcome: Aged) -> Any:
    return not s.said_of(outcome.vm, outcome.gfn).accessed
