"""Guests whose tables have two levels: what an access by linear address comes to, under any MMU, and under any shadow MMU."""

from typing import Any, Protocol

from refmodel.bare import Event
from refmodel.bare_levels import LinearAttempt
from refmodel.language import Total, implies, law
from refmodel.laws.equivalence import given_as_due
from refmodel.machine.cells import Access, Paging
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.large_pages import Flagged, LargePageMmu, Marking
from refmodel.mmu.replies import Result
from refmodel.mmu.shadow import ShadowEntry, lets
from refmodel.mmu.two_levels import LinearFilled, LinearMmu


class LinearShadow(Protocol):
    """An MMU whose processor walks shadow tables of two levels."""

    paging: Total[tuple[Vm, Vcpu], Paging]

    def walked(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> ShadowEntry: ...


def lets_through(s: LinearShadow, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
    """Whether an access needs no exit."""
    return lets(s.walked(vm, vcpu, upper, page), access, s.paging[vm, vcpu].mode)


@law("EQV-1", "An access by linear address that does not exit ends as on the bare machine, and shows the guest the same data.")
def linear_data_read_is_data_written(s: LinearMmu, outcome: LinearAttempt) -> Any:
    shown, due = outcome.shown, outcome.due
    return implies(shown.event != Event.EXITED, shown.event == due.event and shown.cell == due.cell)


@law(
    "EQV-2",
    "A page fault under two-level guest tables is reflected, as a page fault or as missing memory, "
    "only if the bare machine reports the same.",
)
def linear_faults_are_the_guests_own(s: LinearShadow, outcome: LinearFilled) -> Any:
    return given_as_due(outcome.result, outcome.reflected, outcome.due)


@law("EFF-1", "An access by linear address exits only if the shadow tables do not allow it.")
def shadowed_accesses_do_not_exit(s: LinearShadow, outcome: LinearAttempt, actor: Vm) -> Any:
    return implies(
        outcome.shown.event == Event.EXITED, not lets_through(s, actor, outcome.vcpu, outcome.upper, outcome.page, outcome.access)
    )


@law("EFF-2", "After the monitor serves a hidden page fault, the shadow table has an entry that allows the access.")
def a_served_linear_fault_makes_progress(s: LinearShadow, outcome: LinearFilled) -> Any:
    return implies(
        outcome.result == Result.INSTALLED, lets_through(s, outcome.vm, outcome.vcpu, outcome.upper, outcome.page, outcome.access)
    )


@law("EQV-4", "An accessed or dirty flag is set in a guest's memory exactly where the bare machine has it set.")
def flags_in_memory_are_the_bare_machines(s: LargePageMmu, vm: Vm, gfn: Gfn, index: Index) -> Any:
    table = s.p2m[vm, gfn]
    cell, bare = s.memory[table.mfn][index], s.bare_memory[vm, gfn][index]
    return implies(table.resident, cell.accessed == bare.accessed and cell.dirty == bare.dirty)


@law(
    "EFF-2",
    "After flags are set in a guest entry for an access, the entry has every flag that the access needs, and lacked one before.",
)
def marked_entries_are_marked(s: LargePageMmu, before: LargePageMmu, outcome: Marking) -> Any:
    vm, write, root = outcome.vm, outcome.access == Access.WRITE, s.paging[outcome.vm, outcome.vcpu].root
    was, above = before.guest_cell(vm, root, outcome.upper), s.guest_cell(vm, root, outcome.upper)
    leaf_was, leaf = before.guest_cell(vm, was.gfn, outcome.page), s.guest_cell(vm, above.gfn, outcome.page)
    return implies(
        outcome.result == Flagged.UPPER, before.unmarked(was, write, was.large) and not s.unmarked(above, write, above.large)
    ) and implies(outcome.result == Flagged.LEAF, before.unmarked(leaf_was, write, True) and not s.unmarked(leaf, write, True))
