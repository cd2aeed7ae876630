"""Nested virtualization: the composed table shows the composition, no more and no less, as stale as L1 allows."""

from typing import Any

import attrs

from refmodel.bare import Event, Reply, Seen
from refmodel.language import implies, law
from refmodel.laws.equivalence import given_as_due
from refmodel.laws.isolation import keeps_out, leads_where_the_p2m_says
from refmodel.machine.cells import Access, Cell, gives
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.nested import NestedGuests, NestedMmu
from refmodel.mmu.replies import Attempt, Filled, Handled, Result
from refmodel.mmu.shadow import ShadowEntry


@law("ISO-1", "Every EPT01 entry maps its gfn to a frame of guest memory, the p2m's mfn, with at most the p2m's rights.")
def ept01_leads_where_the_p2m_says(s: NestedMmu, vm: Vm, gfn: Gfn) -> Any:
    entry = s.ept01[vm, gfn]
    return leads_where_the_p2m_says(s, vm, entry) and keeps_out(s, entry) and implies(entry.present, entry.gfn == gfn)


@law("ISO-1", "Every EPT02 entry gives the p2m's mfn for its L1 gfn, a frame of guest memory, and at most the p2m's rights.")
def ept02_leads_where_the_p2m_says(s: NestedMmu, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index) -> Any:
    entry = s.ept02[vm, vcpu, eptp, page]
    return leads_where_the_p2m_says(s, vm, entry) and keeps_out(s, entry)


@law("ISO-1", "Every cached EPT02 entry gives the p2m's mfn for its L1 gfn, a frame of guest memory, and at most the p2m's rights.")
def cached_ept02_leads_where_the_p2m_says(s: NestedMmu, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index) -> Any:
    entry = s.tlb02[vm, vcpu, eptp, page]
    return leads_where_the_p2m_says(s, vm, entry) and keeps_out(s, entry)


@law(
    "EQV-5",
    "Every EPT02 entry maps the gfn of an EPT12 entry that L1's processor may still cache, with at most that entry's rights.",
)
def ept02_is_the_composition(s: NestedMmu, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index) -> Any:
    return _composed(s.ept02[vm, vcpu, eptp, page], s.bare_tlb12[vm, vcpu, eptp, page])


@law(
    "EQV-5",
    "Every cached EPT02 entry maps the gfn of an EPT12 entry that L1's processor may still cache, with at most that "
    "entry's rights.",
)
def cached_ept02_is_the_composition(s: NestedMmu, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index) -> Any:
    return _composed(s.tlb02[vm, vcpu, eptp, page], s.bare_tlb12[vm, vcpu, eptp, page])


def _composed(entry: ShadowEntry, cell: Cell) -> Any:
    return implies(
        entry.present,
        cell.present and entry.gfn == cell.gfn and entry.executable == cell.executable and implies(entry.writable, cell.writable),
    )


@law("EQV-1", "An L2 access that completes shows the same data as on a bare machine whose hardware walks EPT12.")
def l2_reads_what_was_written(s: NestedGuests, outcome: Attempt) -> Any:
    shown, due = outcome.shown, outcome.due
    return implies(shown.event == Event.COMPLETED, shown.event == due.event and shown.cell == due.cell)


@law("EQV-2", "An L2 instruction that L1 intercepts exits to L1 and stores nothing.")
def intercepted_instructions_exit_to_l1(s: NestedGuests, before: NestedGuests, outcome: Attempt, actor: Vm, mfn: Mfn) -> Any:
    was, now = before.nested[actor, outcome.vcpu], s.nested[actor, outcome.vcpu]
    return implies(
        outcome.sensitive and was.intercepts,
        was.in_l2 and now == attrs.evolve(was, in_l2=False) and outcome.shown == Reply() and s.memory[mfn] == before.memory[mfn],
    )


@law("EQV-2", "A sensitive L2 instruction that L1 does not intercept causes no exit to L1, unless the instruction faults.")
def other_instructions_do_not_exit_to_l1(s: NestedGuests, before: NestedGuests, outcome: Attempt, actor: Vm) -> Any:
    was, now = before.nested[actor, outcome.vcpu], s.nested[actor, outcome.vcpu]
    return implies(outcome.sensitive and not was.intercepts and outcome.shown.event != Event.PAGE_FAULT, now == was)


@law("EQV-2", "L0 reflects an EPT violation or missing memory to L1 only where the bare machine reports the same.")
def reflected_violations_are_l1s_own(s: NestedMmu, outcome: Filled) -> Any:
    return given_as_due(outcome.result, outcome.reflected, outcome.due)


@law("EQV-2", "After L0 reflects an EPT violation of L2, the vCPU runs L1.")
def reflected_violations_exit_to_l1(s: NestedMmu, before: NestedMmu, outcome: Filled) -> Any:
    was, now = before.nested[outcome.vm, outcome.vcpu], s.nested[outcome.vm, outcome.vcpu]
    return implies(outcome.result == Result.REFLECTED, now == attrs.evolve(was, in_l2=False))


@law("EQV-2", "For an exit of L1, L0 reports missing memory only where the bare machine has none, and never reflects a page fault.")
def holes_of_l1_are_real(s: NestedMmu, outcome: Handled) -> Any:
    return implies(outcome.result == Result.HOLE, not s.plugged[outcome.vm, outcome.gfn]) and outcome.result != Result.REFLECTED


@law("EFF-1", "An L2 access exits to L0 only if EPT02 has no entry that allows it.")
def composed_accesses_do_not_exit(s: NestedMmu, outcome: Attempt, actor: Vm) -> Any:
    return implies(outcome.shown.event == Event.EXITED, not gives(s.walked(actor, outcome.vcpu, outcome.page), outcome.access))


@law("EFF-1", "An L1 access exits only if EPT01 has no entry that allows it.")
def l1_accesses_do_not_exit(s: NestedMmu, outcome: Seen, actor: Vm) -> Any:
    return implies(
        outcome.shown.event == Event.EXITED, not gives(s.ept01[actor, outcome.gfn], Access.WRITE if outcome.write else Access.READ)
    )


@law("EFF-2", "Every L1 access that exits is an EPT violation that L0 can serve, including a store to a read-only page.")
def exits_of_l1_are_served(s: NestedMmu, outcome: Seen, actor: Vm) -> Any:
    return implies(outcome.shown.event == Event.EXITED, s.violates(actor, outcome.gfn, outcome.write))


@law("EFF-2", "After L0 serves an EPT violation of L2, EPT02 has an entry that allows the access.")
def a_served_violation_makes_progress(s: NestedMmu, outcome: Filled) -> Any:
    return implies(outcome.result == Result.INSTALLED, gives(s.walked(outcome.vm, outcome.vcpu, outcome.page), outcome.access))


@law("EFF-2", "After L0 serves an EPT violation of L1's own access, EPT01 has an entry that allows the access.")
def a_served_violation_of_l1_makes_progress(s: NestedMmu, outcome: Handled) -> Any:
    return implies(
        outcome.result == Result.INSTALLED, gives(s.ept01[outcome.vm, outcome.gfn], Access.WRITE if outcome.write else Access.READ)
    )
