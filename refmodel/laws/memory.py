"""What memory management beyond sharing and ballooning keeps: swap, promises, the dirty log."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Gfn, Mfn, Slot, Vm
from refmodel.monitor.access_tracking import AccessTracking, Withdrawn
from refmodel.monitor.dirty_flags import WatchedByFlags
from refmodel.monitor.dirty_logging import DestinationLost, DirtyLog, DirtyLogging, Sent, is_watched_for
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Backing, P2m, Reclaim, Reclaimed
from refmodel.monitor.populate_on_demand import PopulateOnDemand
from refmodel.monitor.swapping import Swapping


@law("EQV-1", "The copy on swap of a page that is swapped out equals the bare machine's page.")
def swapped_pages_are_the_bare_machines(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(entry.backing == Backing.SWAPPED, s.copy_of(entry.slot) == s.bare_memory[vm, gfn])


@law("EQV-1", "A page that has a swap slot is write-protected, and equals its copy in the slot.")
def clean_pages_are_their_copies(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(entry.slot != NOTHING, s.is_write_protected(vm, gfn)) and implies(
        entry.resident and entry.slot != NOTHING, s.copy_of(entry.slot) == s.memory[entry.mfn]
    )


@law("EQV-1", "A frame that is being filled from a swap slot holds the contents of that slot.")
def pages_read_are_their_copies(s: Swapping, mfn: Mfn) -> Any:
    return implies(s.frames[mfn].use == Use.READING, s.memory[mfn] == s.copy_of(s.reading[mfn]))


@law("EFF-2", "When a read from swap ends, the page is mapped if its p2m entry still names the slot.")
def a_page_read_in_is_mapped(s: Swapping, before: Swapping, mfn: Mfn) -> Any:
    frame, slot = before.frames[mfn], before.reading[mfn]
    wanted = before.p2m[frame.vm, frame.gfn].backing == Backing.SWAPPED and before.p2m[frame.vm, frame.gfn].slot == slot
    return implies(frame.use == Use.READING and wanted, s.frames[mfn].use == Use.READING or s.p2m[frame.vm, frame.gfn].mapped)


@law("RES-1", "Every page that is swapped out names a swap slot, and a named slot is recorded as the copy of that page alone.")
def slots_are_counted(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    use = s.slots[entry.slot]
    named = entry.slot != NOTHING
    return implies(
        named, use.used and use.vm == vm and use.gfn == gfn and (entry.resident or entry.backing == Backing.SWAPPED)
    ) and implies(entry.backing == Backing.SWAPPED, named)


@law("RES-2", "Every swap slot in use is named by the p2m entry of the page that the slot is recorded for.")
def slots_are_conserved(s: Swapping, slot: Slot) -> Any:
    use = s.slots[slot]
    return implies(use.used, s.p2m[use.vm, use.gfn].slot == slot)


@law("RES-2", "The frame recorded as a swap slot's reader is being filled from that slot, and the slot's page is swapped out.")
def slots_have_one_reader(s: Swapping, slot: Slot) -> Any:
    use = s.slots[slot]
    return implies(
        use.reader != NOTHING,
        use.used
        and s.frames[use.reader].use == Use.READING
        and s.reading[use.reader] == slot
        and s.p2m[use.vm, use.gfn].backing == Backing.SWAPPED,
    )


@law(
    "RES-2",
    "If a frame is being filled from a swap slot, the slot records the frame as its reader and the frame's page as its owner.",
)
def readers_are_their_slots(s: Swapping, mfn: Mfn) -> Any:
    frame, slot = s.frames[mfn], s.reading[mfn]
    return implies(
        frame.use == Use.READING,
        slot != NOTHING and s.slots[slot].reader == mfn and s.slots[slot].vm == frame.vm and s.slots[slot].gfn == frame.gfn,
    )


@law("EQV-1", "A populate-on-demand page that has no frame yet holds zeroes on the bare machine.")
def promises_are_of_zeroes(s: PopulateOnDemand, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.p2m[vm, gfn].backing == Backing.PROMISED, s.bare_memory[vm, gfn].is_zero())


@law("EQV-4", "The destination's copy of a page that was sent equals the page, unless a dirty flag records a store.")
def unmarked_pages_are_there(s: DirtyLog, vm: Vm, gfn: Gfn) -> Any:
    return implies(
        s.sent[vm, gfn] == Sent.THERE,
        s.plugged[vm, gfn] and (s.is_written(vm, gfn) or s.destination[vm, gfn] == s.bare_memory[vm, gfn]),
    )


@law("EQV-4", "After a VM's migration destination is lost, the destination's copy of every page of the VM is reset to zeroes.")
def the_next_machine_has_nothing(s: DirtyLog, outcome: DestinationLost, gfn: Gfn) -> Any:
    return s.destination[outcome.vm, gfn].is_zero()


@law(
    "EQV-4",
    "A page's dirty-log state changes only from marked to taken, to write-protected, to sent or skipped, or from any "
    "state back to marked.",
)
def marks_go_in_order(s: DirtyLog, before: DirtyLog, vm: Vm, gfn: Gfn) -> Any:
    was, now = before.sent[vm, gfn], s.sent[vm, gfn]
    return implies(
        was != now,
        now == Sent.MARKED
        or (
            s.in_frame(vm, gfn)
            and (
                (now == Sent.TAKEN and was == Sent.MARKED)
                or (now == Sent.PROTECTED and was == Sent.TAKEN)
                or ((now == Sent.THERE or now == Sent.SKIPPED) and was == Sent.PROTECTED)
            )
        ),
    )


@law("EQV-4", "Every page in a frame is marked, about to be write-protected, or read-only, so that the dirty log misses no store.")
def unmarked_pages_are_protected(s: DirtyLogging, vm: Vm, gfn: Gfn) -> Any:
    entry, sent = s.p2m[vm, gfn], s.sent[vm, gfn]
    return implies(entry.resident and is_watched_for(sent), not entry.writable) and implies(
        entry.resident and (sent == Sent.THERE or sent == Sent.SKIPPED), s.is_write_protected(vm, gfn)
    )


@law("EQV-4", "A page that is watched by its dirty flag is not pinned for a device, because a device's store sets no flag.")
def watched_pages_are_no_devices(s: WatchedByFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(is_watched_for(s.sent[vm, gfn]), not s.held(vm, gfn))


@law(
    "EFF-2",
    "When the monitor begins to watch a page for stores, the page's dirty flag is clear and the monitor has recorded no store.",
)
def watched_pages_are_clean(s: WatchedByFlags, before: WatchedByFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(before.sent[vm, gfn] == Sent.TAKEN and s.sent[vm, gfn] == Sent.PROTECTED, not s.is_written(vm, gfn))


@law(
    "RES-3",
    "Every page in a frame can be written back or swapped out, whatever its guest does, unless the page is pinned for a device.",
)
def any_page_can_be_taken(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.in_frame(vm, gfn), s.held(vm, gfn) or s.may_write_back(vm, gfn) or s.may_swap_out(vm, gfn))


@law(
    "RES-3",
    "After a page is written back to swap, the page can be swapped out. If no swap slot is free, an attempt to reclaim "
    "a page leaves the page's p2m entry unchanged.",
)
def a_page_is_taken_in_two_steps(s: Swapping, before: Swapping, outcome: Reclaimed) -> Any:
    was = before.p2m[outcome.vm, outcome.gfn]
    return implies(outcome.reclaim == Reclaim.CLEAN, s.may_swap_out(outcome.vm, outcome.gfn)) and implies(
        outcome.reclaim == Reclaim.NO_SLOT, s.p2m[outcome.vm, outcome.gfn] == was
    )


@law("RES-3", "A page that was reclaimed is in no frame.")
def a_page_taken_is_in_no_frame(s: P2m, outcome: Reclaimed) -> Any:
    return implies(outcome.reclaim == Reclaim.TAKEN, not s.in_frame(outcome.vm, outcome.gfn))


@law("RES-3", "A page that was withdrawn for access tracking keeps its frame but is not mapped, so that the next access exits.")
def a_withdrawn_page_is_asked_for(s: AccessTracking, outcome: Withdrawn) -> Any:
    entry = s.p2m[outcome.vm, outcome.gfn]
    return entry.resident and not entry.mapped


@law("RES-3", "When the last page of a frame is reclaimed, the frame is free, or is kept until the flush has ended.")
def a_frame_goes_with_its_last_page(s: P2m, before: P2m, outcome: Reclaimed) -> Any:
    mfn = before.p2m[outcome.vm, outcome.gfn].mfn
    return implies(
        outcome.reclaim == Reclaim.TAKEN and before.frames[mfn].references == 1,
        s.frames[mfn].use == Use.FREE or s.frame_left(outcome.vm, outcome.gfn) == mfn,
    )
