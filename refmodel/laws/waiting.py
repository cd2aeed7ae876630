"""What an access may wait for where pages are shared and nothing else is done to them: a store, for a frame of its own."""

from typing import Any

from refmodel.bare import Event, Seen
from refmodel.language import implies, law
from refmodel.machine.cells import Access
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.interpreter import PhysicalEmulation
from refmodel.mmu.nested import NestedMmu
from refmodel.mmu.replies import Filled, Handled, Result
from refmodel.mmu.shadow import ShadowMmu
from refmodel.mmu.shadow_pages import ShadowPagesMmu
from refmodel.mmu.shadow_unsync import ShadowUnsyncMmu
from refmodel.mmu.two_levels import LinearFilled
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2m


def waits(s: P2m, before: P2m, vm: Vm, gfn: Gfn, write: bool) -> Any:
    """Whether an access wants a frame: it is a store to a page that lies in a frame with others, and the page still does."""
    entry, frame = before.p2m[vm, gfn], before.frames[before.p2m[vm, gfn].mfn]
    return (write and entry.mapped and not entry.writable and frame.use == Use.SHARED and frame.references != 1
            and not s.p2m[vm, gfn].writable)


@law("EFF-1", "An access that the monitor carries out waits only to store to a page that lies in a frame with others.")
def an_emulated_access_waits_only_for_a_frame(s: PhysicalEmulation, before: PhysicalEmulation, outcome: Seen, actor: int) -> Any:
    return implies(outcome.shown.event == Event.EXITED, waits(s, before, actor, outcome.gfn, outcome.write))


@law("EFF-2", "Serving an EPT violation fails only for want of a table, or for a store to a page in a frame with others.")
def a_violation_waits_only_for_a_frame(s: EptMmu, before: EptMmu, outcome: Handled) -> Any:
    return implies(outcome.result == Result.FAILED, waits(s, before, outcome.vm, outcome.gfn, outcome.write)
                   or not before.eptp[outcome.vm].present)


@law("EFF-2", "Serving a hidden fault fails only for a store to a page that lies in a frame with others.")
def a_fault_waits_only_for_a_frame(s: ShadowMmu, before: ShadowMmu, outcome: Filled) -> Any:
    entry = before.guest_entry(outcome.vm, outcome.vcpu, outcome.page)
    return implies(outcome.result == Result.FAILED, waits(s, before, outcome.vm, entry.gfn, outcome.access == Access.WRITE))


@law("EFF-2", "Serving a hidden fault on two levels fails only for a store to a page that lies in a frame with others.")
def a_linear_fault_waits_only_for_a_frame(s: ShadowUnsyncMmu, before: ShadowUnsyncMmu, outcome: LinearFilled) -> Any:
    above = before.guest_cell(outcome.vm, before.paging[outcome.vm, outcome.vcpu].root, outcome.upper)
    leaf = before.guest_cell(outcome.vm, above.gfn, outcome.page)
    return implies(outcome.result == Result.FAILED, waits(s, before, outcome.vm, leaf.gfn, outcome.access == Access.WRITE))


@law("EFF-2", "Serving a fault on a shadow page fails only for a store to a page that lies in a frame with others.")
def a_shadow_page_fault_waits_only_for_a_frame(s: ShadowPagesMmu, before: ShadowPagesMmu, outcome: LinearFilled) -> Any:
    above = before.guest_cell(outcome.vm, before.paging[outcome.vm, outcome.vcpu].root, outcome.upper)
    entry = before.guest_path(outcome.vm, above, outcome.page)
    return implies(outcome.result == Result.FAILED, waits(s, before, outcome.vm, entry.gfn, outcome.access == Access.WRITE))


@law("EFF-2", "Serving a violation of L1's fails only for a store to a page that lies in a frame with others.")
def a_violation_of_l1_waits_only_for_a_frame(s: NestedMmu, before: NestedMmu, outcome: Handled) -> Any:
    return implies(outcome.result == Result.FAILED, waits(s, before, outcome.vm, outcome.gfn, outcome.write))


@law("EFF-2", "Serving a violation of L2's fails only for a store to a page that lies in a frame with others.")
def a_violation_of_l2_waits_only_for_a_frame(s: NestedMmu, before: NestedMmu, outcome: Filled) -> Any:
    cell = before.guest_cell(outcome.vm, before.nested[outcome.vm, outcome.vcpu].eptp, outcome.page)
    return implies(outcome.result == Result.FAILED, waits(s, before, outcome.vm, cell.gfn, outcome.access == Access.WRITE))


EMULATED = (an_emulated_access_waits_only_for_a_frame,)
"""Of any design whose monitor carries out accesses to guest-physical memory."""
EPT = (a_violation_waits_only_for_a_frame,)
SHADOW = (a_fault_waits_only_for_a_frame,)
SHADOW_UNSYNC = (a_linear_fault_waits_only_for_a_frame,)
SHADOW_PAGES = (a_shadow_page_fault_waits_only_for_a_frame,)
NESTED = (a_violation_of_l1_waits_only_for_a_frame, a_violation_of_l2_waits_only_for_a_frame)
LAWS = EMULATED + EPT + SHADOW + SHADOW_UNSYNC + SHADOW_PAGES + NESTED
