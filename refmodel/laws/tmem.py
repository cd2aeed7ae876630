"""What transcendent memory keeps: nothing old comes back, nothing that was promised is lost, every frame has one page."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Mfn, Slot, Vm
from refmodel.monitor.frames import Use
from refmodel.monitor.tmem import Answer, Answered, Handle, Tmem


@law("EQV-1", "What a pool keeps under a handle is what the guest put there last.")
def kept_pages_are_what_was_put(s: Tmem, vm: Vm, slot: Slot) -> Any:
    kept = s.pool[vm, slot]
    return implies(kept.stored, s.memory[kept.mfn] == s.put_last[vm, slot])


@law("EQV-2", "A page that a persistent pool took is kept until the guest puts another under its handle, or flushes it.")
def owed_pages_are_kept(s: Tmem, vm: Vm, slot: Slot) -> Any:
    return implies(s.owed[vm, slot], s.pool[vm, slot].stored and s.pool[vm, slot].persistent)


@law("EQV-2", "A guest's get of a page fails only if no persistent pool accepted that page and must still return it.")
def nothing_owed_is_missed(s: Tmem, before: Tmem, outcome: Answered) -> Any:
    return implies(outcome.answer == Answer.MISSED, not before.owed[outcome.vm, outcome.slot])


@law("EQV-2", "A page that was put and taken is kept; one that was refused, or flushed, is not found any more.")
def pools_keep_what_they_answer(s: Tmem, outcome: Answered) -> Any:
    kept = s.pool[outcome.vm, outcome.slot].stored
    return (implies(outcome.answer == Answer.TAKEN, kept)
            and implies(outcome.answer == Answer.REFUSED or outcome.answer == Answer.FLUSHED, not kept))


@law("EQV-2", "A guest gets a page only where one is kept, and a page of an ephemeral pool only once.")
def what_is_found_was_kept(s: Tmem, before: Tmem, outcome: Answered) -> Any:
    was, now = before.pool[outcome.vm, outcome.slot], s.pool[outcome.vm, outcome.slot]
    return implies(outcome.answer == Answer.FOUND, was.stored and (was.persistent or not now.stored))


@law("RES-2", "A page that is kept lies in a frame of the pool's, which is kept for its handle.")
def kept_pages_have_their_frames(s: Tmem, vm: Vm, slot: Slot) -> Any:
    kept = s.pool[vm, slot]
    return implies(kept.stored, kept.mfn != NOTHING and s.frames[kept.mfn].use == Use.POOL
                   and s.keeps[kept.mfn] == Handle(vm, slot))


@law("RES-2", "A frame of the pool's holds the page of a handle: none is lost.")
def pool_frames_have_their_pages(s: Tmem, mfn: Mfn) -> Any:
    handle = s.keeps[mfn]
    kept = s.pool[handle.vm, handle.slot]
    return implies(s.frames[mfn].use == Use.POOL, kept.stored and kept.mfn == mfn)


@law("ISO-5", "What a pool keeps for a guest is changed by its own calls, but that an ephemeral page may vanish.")
def pools_change_by_their_owner_only(s: Tmem, before: Tmem, actor: Vm, vm: Vm, slot: Slot) -> Any:
    was, now = before.pool[vm, slot], s.pool[vm, slot]
    return implies(vm != actor, was == now or (was.stored and not was.persistent and not now.stored))
