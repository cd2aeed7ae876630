"""Every frame is free or somebody's, once, whole or in parts; and nobody finds what another left."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Block, Index, Vm
from refmodel.monitor.buddy import Buddy, Given, Moved, Span, frames_of, used


@law("ISO-1", "Nobody has a small frame of a block that is free, given out whole, or not there.")
def a_frame_is_given_once(s: Buddy, block: Block, index: Index) -> Any:
    record, unit = s.blocks[block], s.units[block, index]
    return (implies(unit.owner != NOTHING, record.span == Span.SPLIT)
            and implies(record.span == Span.WHOLE, record.owner != NOTHING)
            and implies(record.span != Span.WHOLE, record.owner == NOTHING))


@law("ISO-4", "What is given out holds nothing.")
def what_is_given_holds_nothing(s: Buddy, outcome: Given) -> Any:
    return implies(outcome.given, outcome.holds == NOTHING)


@law("ISO-4", "A small frame holds what is its owner's, or nothing; if it is free and holds anything, it is known to be dirty.")
def frames_hold_their_owners(s: Buddy, block: Block, index: Index) -> Any:
    unit = s.units[block, index]
    return implies(s.blocks[block].span == Span.SPLIT and unit.holds != NOTHING,
                   unit.holds == unit.owner if unit.owner != NOTHING else unit.dirty)


@law("ISO-4", "A block holds what is its owner's, or nothing; if it is free and holds anything, it is known to be dirty.")
def blocks_hold_their_owners(s: Buddy, block: Block) -> Any:
    record = s.blocks[block]
    return (implies(record.span == Span.WHOLE and record.holds != NOTHING, record.holds == record.owner)
            and implies(record.span == Span.FREE and record.holds != NOTHING, record.dirty))


@law("EQV-1", "Whoever has a frame that moves finds in the new one what it held.")
def moving_keeps_what_is_held(s: Buddy, outcome: Moved) -> Any:
    return outcome.held == outcome.holds


@law("RES-1", "A split block counts its frames that are given out.")
def used_frames_are_counted(s: Buddy, block: Block) -> Any:
    return s.blocks[block].used == used(s, block)


@law("RES-1", "What is in one piece has no frames given out apart.")
def pieces_are_whole(s: Buddy, block: Block) -> Any:
    return implies(s.blocks[block].span != Span.SPLIT, s.blocks[block].used == 0)


@law("RES-3", "Nothing is given out from a block that is to be removed.")
def nothing_is_given_from_what_leaves(s: Buddy, before: Buddy, block: Block, index: Index) -> Any:
    return implies(before.blocks[block].leaving and s.blocks[block].leaving,
                   implies(s.blocks[block].span == Span.WHOLE, before.blocks[block].span == Span.WHOLE)
                   and implies(s.units[block, index].owner != NOTHING,
                               before.units[block, index].owner != NOTHING or before.blocks[block].span == Span.WHOLE))


@law("RES-2", "A frame that moves is one frame still: each VM has as many as before.")
def moving_loses_no_frame(s: Buddy, before: Buddy, outcome: Moved, vm: Vm) -> Any:
    return frames_of(s, vm) == frames_of(before, vm)
