"""What an allocator owes to those who take frames from it, and to whoever wants memory removed."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.buddy import BlockState, Buddy, MemoryAdded, Moved, Span
from refmodel.monitor.frames import Use


@law("RES-2", "A frame in use lies in no block, or in a block that is split into frames.")
def a_block_in_one_piece_is_free(s: Buddy, mfn: Mfn) -> Any:
    block = s.block[mfn]
    return implies(block != NOTHING and s.block_states[block].span != Span.SPLIT, s.frames[mfn].use == Use.FREE)


@law("ISO-4", "A free frame that is marked as clean holds zeroes, if its block is online.")
def clean_frames_hold_nothing(s: Buddy, mfn: Mfn) -> Any:
    is_there = s.block_states[s.block[mfn]].span != Span.OFFLINE
    return implies(is_there and s.frames[mfn].use == Use.FREE and s.known_clean[mfn], s.memory[mfn].is_zero())


@law("RES-3", "No free frame is allocated from a block that is marked for removal.")
def nothing_is_given_from_what_leaves(s: Buddy, before: Buddy, mfn: Mfn) -> Any:
    leaves = before.block_states[before.block[mfn]].leaving and s.block_states[s.block[mfn]].leaving
    return implies(leaves and before.frames[mfn].use == Use.FREE, s.frames[mfn].use == Use.FREE)


@law("RES-3", "A page in a block that is marked for removal can be moved to another frame, unless the page is pinned for a device.")
def a_page_in_a_leaving_block_can_be_moved(s: Buddy, vm: Vm, gfn: Gfn) -> Any:
    leaves = s.in_frame(vm, gfn) and s.block_states[s.block[s.p2m[vm, gfn].mfn]].leaving
    return implies(leaves, s.may_move(vm, gfn) or s.held(vm, gfn))


@law("RES-3", "A block that is plugged in was offline before, and afterwards is free and not split into frames.")
def a_block_that_is_added_is_there(s: Buddy, before: Buddy, outcome: MemoryAdded) -> Any:
    return before.block_states[outcome.block].span == Span.OFFLINE and s.block_states[outcome.block] == BlockState()


@law("EFF-2", "A page whose move is reported as failed is still in the same frame.")
def a_page_that_did_not_move_is_where_it_was(s: Buddy, before: Buddy, outcome: Moved) -> Any:
    return implies(not outcome.moved, s.p2m[outcome.vm, outcome.gfn].mfn == before.p2m[outcome.vm, outcome.gfn].mfn)


@law(
    "RES-3",
    "After a page is moved, its new block is not marked for removal, and its old frame is free unless other pages share it.",
)
def a_moved_page_leaves_its_frame_free(s: Buddy, before: Buddy, outcome: Moved) -> Any:
    was, now = before.p2m[outcome.vm, outcome.gfn].mfn, s.p2m[outcome.vm, outcome.gfn].mfn
    return implies(
        outcome.moved,
        not s.block_states[s.block[now]].leaving and implies(before.frames[was].references == 1, s.frames[was].use == Use.FREE),
    )
