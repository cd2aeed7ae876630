"""What compressed memory keeps: a compressed page is found, and the pool's frames are counted."""

from typing import Any

from refmodel.language import NOTHING, count, implies, law
from refmodel.machine.names import Mfn, Slot
from refmodel.monitor.compressed_memory import MOST, CompressedMemory, WrittenOut
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Backing


@law("RES-1", "A pool frame's page count is the number of compressed pages in the frame, and is at most two.")
def compressed_pages_are_counted(s: CompressedMemory, mfn: Mfn) -> Any:
    lying = count(s.pool, lambda copy, slot: copy.stored and copy.mfn == mfn)
    return s.packed[mfn] == lying and s.packed[mfn] <= MOST


@law("RES-2", "A frame that holds a compressed page belongs to the pool of compressed pages.")
def compressed_pages_lie_in_the_pool(s: CompressedMemory, mfn: Mfn) -> Any:
    return implies(s.packed[mfn] > 0, s.frames[mfn].use == Use.POOL)


@law("RES-2", "A compressed page is swapped out, keeps its swap slot, and lies in a pool frame; the slot is not being read.")
def compressed_pages_are_out(s: CompressedMemory, slot: Slot) -> Any:
    copy, use = s.pool[slot], s.slots[slot]
    return implies(
        copy.stored,
        copy.mfn != NOTHING
        and use.used
        and use.reader == NOTHING
        and s.p2m[use.vm, use.gfn].backing == Backing.SWAPPED
        and s.p2m[use.vm, use.gfn].slot == slot,
    ) and implies(copy.stored, s.packed[copy.mfn] > 0)


@law("RES-3", "A compressed page that was written to the swap device is no longer in the pool.")
def a_page_written_out_makes_room(s: CompressedMemory, outcome: WrittenOut) -> Any:
    return not s.pool[outcome.slot].stored
