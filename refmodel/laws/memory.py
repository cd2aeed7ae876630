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


@law("EQV-1", "A page that is on swap is there as the bare machine has it.")
def swapped_pages_are_the_bare_machines(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(entry.backing == Backing.SWAPPED, s.copy_of(entry.slot) == s.bare_memory[vm, gfn])


@law("EQV-1", "A clean page is what its copy on swap is, and nobody changes it unnoticed.")
def clean_pages_are_their_copies(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return (implies(entry.slot != NOTHING, s.is_write_protected(vm, gfn))
            and implies(entry.resident and entry.slot != NOTHING, s.copy_of(entry.slot) == s.memory[entry.mfn]))


@law("EQV-1", "What has been read in is what its slot holds.")
def pages_read_are_their_copies(s: Swapping, mfn: Mfn) -> Any:
    return implies(s.frames[mfn].use == Use.READING, s.memory[mfn] == s.copy_of(s.reading[mfn]))


@law("EFF-2", "A page that was read in for an entry that still names its slot is mapped, so the access gets further.")
def a_page_read_in_is_mapped(s: Swapping, before: Swapping, mfn: Mfn) -> Any:
    frame, slot = before.frames[mfn], before.reading[mfn]
    wanted = before.p2m[frame.vm, frame.gfn].backing == Backing.SWAPPED and before.p2m[frame.vm, frame.gfn].slot == slot
    return implies(frame.use == Use.READING and wanted,
                   s.frames[mfn].use == Use.READING or s.p2m[frame.vm, frame.gfn].mapped)


@law("RES-1", "A slot is the copy of the page that it says, and of that page alone.")
def slots_are_counted(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    use = s.slots[entry.slot]
    named = entry.slot != NOTHING
    return (implies(named, use.used and use.vm == vm and use.gfn == gfn and (entry.resident or entry.backing == Backing.SWAPPED))
            and implies(entry.backing == Backing.SWAPPED, named))


@law("RES-2", "A slot that is used is named by a page: none is lost.")
def slots_are_conserved(s: Swapping, slot: Slot) -> Any:
    use = s.slots[slot]
    return implies(use.used, s.p2m[use.vm, use.gfn].slot == slot)


@law("RES-2", "A slot is read by one frame, which is there for that, and for a page that is out.")
def slots_have_one_reader(s: Swapping, slot: Slot) -> Any:
    use = s.slots[slot]
    return implies(use.reader != NOTHING, use.used and s.frames[use.reader].use == Use.READING and s.reading[use.reader] == slot
                   and s.p2m[use.vm, use.gfn].backing == Backing.SWAPPED)


@law("RES-2", "A frame that is being read into is the reader of its slot, for the page that the slot is the copy of.")
def readers_are_their_slots(s: Swapping, mfn: Mfn) -> Any:
    frame, slot = s.frames[mfn], s.reading[mfn]
    return implies(frame.use == Use.READING, slot != NOTHING and s.slots[slot].reader == mfn
                   and s.slots[slot].vm == frame.vm and s.slots[slot].gfn == frame.gfn)


@law("EQV-1", "What was promised is zeroes.")
def promises_are_of_zeroes(s: PopulateOnDemand, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.p2m[vm, gfn].backing == Backing.PROMISED, s.bare_memory[vm, gfn].is_zero())


@law("EQV-4", "Of a page that was sent, the other machine has what the bare machine has, unless a dirty flag says otherwise.")
def unmarked_pages_are_there(s: DirtyLog, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.sent[vm, gfn] == Sent.THERE, s.plugged[vm, gfn] and (
        s.is_written(vm, gfn) or s.destination[vm, gfn] == s.bare_memory[vm, gfn]))


@law("EQV-4", "When the machine that a VM was to move to is lost, the next one has nothing of what was sent.")
def the_next_machine_has_nothing(s: DirtyLog, outcome: DestinationLost, gfn: Gfn) -> Any:
    return s.destination[outcome.vm, gfn].is_zero()


@law("EQV-4", "The mark of a page in a frame is taken first, then the page is protected, and then it is sent or skipped.")
def marks_go_in_order(s: DirtyLog, before: DirtyLog, vm: Vm, gfn: Gfn) -> Any:
    was, now = before.sent[vm, gfn], s.sent[vm, gfn]
    return implies(was != now, now == Sent.MARKED or (s.in_frame(vm, gfn) and (
        (now == Sent.TAKEN and was == Sent.MARKED) or (now == Sent.PROTECTED and was == Sent.TAKEN)
        or ((now == Sent.THERE or now == Sent.SKIPPED) and was == Sent.PROTECTED))))


@law("EQV-4", "A page is marked, or about to be protected, or read-only: no store to it goes unnoticed.")
def unmarked_pages_are_protected(s: DirtyLogging, vm: Vm, gfn: Gfn) -> Any:
    entry, sent = s.p2m[vm, gfn], s.sent[vm, gfn]
    return (implies(entry.resident and is_watched_for(sent), not entry.writable)
            and implies(entry.resident and (sent == Sent.THERE or sent == Sent.SKIPPED), s.is_write_protected(vm, gfn)))


@law("EQV-4", "No device holds a page that is watched by its dirty flag, or was sent: a device's store sets none.")
def watched_pages_are_no_devices(s: WatchedByFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(is_watched_for(s.sent[vm, gfn]), not s.held(vm, gfn))


@law("EFF-2", "Nothing says that a page was written when it begins to be watched, so that it need not be sent again at once.")
def watched_pages_are_clean(s: WatchedByFlags, before: WatchedByFlags, vm: Vm, gfn: Gfn) -> Any:
    return implies(before.sent[vm, gfn] == Sent.TAKEN and s.sent[vm, gfn] == Sent.PROTECTED, not s.is_written(vm, gfn))


@law("RES-3", "Whatever a guest does with a page that is in a frame, the monitor may take its next step to take it; what a device "
              "holds has steps of its own, and a VM's minimum is spared.")
def any_page_can_be_taken(s: Swapping, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.in_frame(vm, gfn), s.held(vm, gfn) or s.may_write_back(vm, gfn) or s.may_swap_out(vm, gfn))


@law("RES-3", "After a successful write-back the page can be swapped out. A page for which no swap slot was free has not moved.")
def a_page_is_taken_in_two_steps(s: Swapping, before: Swapping, outcome: Reclaimed) -> Any:
    was = before.p2m[outcome.vm, outcome.gfn]
    return (implies(outcome.reclaim == Reclaim.CLEAN, s.may_swap_out(outcome.vm, outcome.gfn))
            and implies(outcome.reclaim == Reclaim.NO_SLOT, s.p2m[outcome.vm, outcome.gfn] == was))


@law("RES-3", "A page that was taken from its frame is in none.")
def a_page_taken_is_in_no_frame(s: P2m, outcome: Reclaimed) -> Any:
    return implies(outcome.reclaim == Reclaim.TAKEN, not s.in_frame(outcome.vm, outcome.gfn))


@law("RES-3", "A page that was withdrawn is in its frame, and is not to be had without being asked for: who comes for it is seen.")
def a_withdrawn_page_is_asked_for(s: AccessTracking, outcome: Withdrawn) -> Any:
    entry = s.p2m[outcome.vm, outcome.gfn]
    return entry.resident and not entry.mapped


@law("RES-3", "A frame that nothing stands on any more is free as soon as the last page has gone.")
def a_frame_goes_with_its_last_page(s: P2m, before: P2m, outcome: Reclaimed) -> Any:
    mfn = before.p2m[outcome.vm, outcome.gfn].mfn
    return implies(outcome.reclaim == Reclaim.TAKEN and before.frames[mfn].references == 1,
                   s.frames[mfn].use == Use.FREE or s.frame_left(outcome.vm, outcome.gfn) == mfn)
