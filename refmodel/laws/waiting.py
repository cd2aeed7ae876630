"""What an access may wait for: its page, where it is in no frame; and if it stores, a frame of the page's own."""

from typing import Any

from refmodel.bare import Event, Seen
from refmodel.language import implies, law
from refmodel.machine.cells import Access
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.interpreter import PhysicalEmulation
from refmodel.mmu.large_pages import Flagged, LargePageMmu, Marking
from refmodel.mmu.nested import NestedMmu
from refmodel.mmu.replies import Filled, Handled, Result
from refmodel.mmu.shadow import ShadowMmu
from refmodel.mmu.shadow_pages import ShadowPagesMmu
from refmodel.mmu.shadow_unsync import ShadowUnsyncMmu
from refmodel.mmu.two_levels import LinearFilled
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2m


def waits(s: P2m, before: P2m, vm: Vm, gfn: Gfn, write: bool) -> Any:
    """Whether an access has to wait: for its page, where that is in no frame; for a flush that has not ended; or, if it is a store,
    for a frame of the page's own, where the page lies in a frame with others, or for room in a log."""
    entry, frame = before.p2m[vm, gfn], before.frames[before.p2m[vm, gfn].mfn]
    is_elsewhere = not entry.resident and before.has_memory(vm, gfn)
    lies_with_others = entry.resident and not entry.writable and frame.use == Use.SHARED and frame.references != 1
    lacks_room = not entry.writable and not before.has_log_room(vm, gfn)
    return (
        is_elsewhere
        or not before.is_flushed(vm, gfn)
        or (write and (lacks_room or (lies_with_others and not s.p2m[vm, gfn].writable)))
    )


def is_away(s: P2m, vm: Vm, gfn: Gfn) -> Any:
    """Whether a page that a guest has cannot be read now. (The monitor's own answer may be what is wrong.)"""
    return s.has_memory(vm, gfn) and not s.p2m[vm, gfn].mapped


@law(
    "EFF-1",
    "An emulated access is postponed only if its page or a guest table is unmapped, or the page waits. "
    "The page may wait for a flush, a private frame or a free dirty-ring entry.",
)
def an_emulated_access_waits_only_if_its_page_waits(
    s: PhysicalEmulation, before: PhysicalEmulation, outcome: Seen, actor: int
) -> Any:
    return implies(
        not waits(s, before, actor, outcome.gfn, outcome.write) and not is_away(before, actor, outcome.gfn),
        outcome.shown.event != Event.EXITED,
    )


@law(
    "EFF-2",
    "If an EPT table exists, an EPT violation stays unserved only if the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_violation_waits_only_if_its_page_waits(s: EptMmu, before: EptMmu, outcome: Handled) -> Any:
    return implies(
        before.eptp[outcome.vm].present and not waits(s, before, outcome.vm, outcome.gfn, outcome.write),
        outcome.result != Result.FAILED,
    )


@law(
    "EFF-2",
    "A hidden page fault stays unserved only if the guest's table is unmapped, or the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_fault_waits_only_if_its_page_waits(s: ShadowMmu, before: ShadowMmu, outcome: Filled) -> Any:
    entry, root = before.guest_entry(outcome.vm, outcome.vcpu, outcome.page), before.paging[outcome.vm, outcome.vcpu].root
    return implies(
        not waits(s, before, outcome.vm, entry.gfn, outcome.access == Access.WRITE) and not is_away(before, outcome.vm, root),
        outcome.result != Result.FAILED,
    )


@law(
    "EFF-2",
    "A page fault under two-level guest tables stays unserved only if a guest table is unmapped, or the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_linear_fault_waits_only_if_its_page_waits(s: ShadowUnsyncMmu, before: ShadowUnsyncMmu, outcome: LinearFilled) -> Any:
    root = before.paging[outcome.vm, outcome.vcpu].root
    above = before.guest_cell(outcome.vm, root, outcome.upper)
    leaf = before.guest_cell(outcome.vm, above.gfn, outcome.page)
    return implies(
        not waits(s, before, outcome.vm, leaf.gfn, outcome.access == Access.WRITE)
        and not is_away(before, outcome.vm, root)
        and not is_away(before, outcome.vm, above.gfn),
        outcome.result != Result.FAILED,
    )


@law(
    "EFF-2",
    "A page fault for a shadow page stays unserved only if a guest table is unmapped, or the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_shadow_page_fault_waits_only_if_its_page_waits(s: ShadowPagesMmu, before: ShadowPagesMmu, outcome: LinearFilled) -> Any:
    root = before.paging[outcome.vm, outcome.vcpu].root
    above = before.guest_cell(outcome.vm, root, outcome.upper)
    entry = before.guest_path(outcome.vm, above, outcome.page)
    return implies(
        not waits(s, before, outcome.vm, entry.gfn, outcome.access == Access.WRITE)
        and not is_away(before, outcome.vm, root)
        and not is_away(before, outcome.vm, above.gfn),
        outcome.result != Result.FAILED,
    )


@law(
    "EFF-2",
    "If the monitor does not set a guest entry's flags, the guest's table is unmapped, has become writable, or waits. "
    "The table may wait for a flush, a private frame or a free dirty-ring entry.",
)
def marking_waits_only_if_its_page_waits(s: LargePageMmu, before: LargePageMmu, outcome: Marking) -> Any:
    vm, root = outcome.vm, before.paging[outcome.vm, outcome.vcpu].root
    above = before.guest_cell(vm, root, outcome.upper)
    is_upper = before.unmarked(above, outcome.access == Access.WRITE, above.large)
    return implies(
        outcome.result == Flagged.NONE and not is_away(before, vm, root) and (above.large or not is_away(before, vm, above.gfn)),
        implies(is_upper, s.p2m[vm, root].writable or waits(s, before, vm, root, True))
        and implies(not is_upper, s.p2m[vm, above.gfn].writable or waits(s, before, vm, above.gfn, True)),
    )


@law(
    "EFF-2",
    "An EPT violation of L1 stays unserved only if the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_violation_of_l1_waits_only_if_its_page_waits(s: NestedMmu, before: NestedMmu, outcome: Handled) -> Any:
    return implies(not waits(s, before, outcome.vm, outcome.gfn, outcome.write), outcome.result != Result.FAILED)


@law(
    "EFF-2",
    "An EPT violation of L2 stays unserved only if L1's table is unmapped, or the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_violation_of_l2_waits_only_if_its_page_waits(s: NestedMmu, before: NestedMmu, outcome: Filled) -> Any:
    eptp = before.nested[outcome.vm, outcome.vcpu].eptp
    cell = before.guest_cell(outcome.vm, eptp, outcome.page)
    return implies(
        not waits(s, before, outcome.vm, cell.gfn, outcome.access == Access.WRITE) and not is_away(before, outcome.vm, eptp),
        outcome.result != Result.FAILED,
    )
