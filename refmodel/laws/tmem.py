"""What transcendent memory keeps: nothing old comes back, nothing that was promised is lost, every frame has one page."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Mfn, Slot, Vm
from refmodel.monitor.frames import Use
from refmodel.monitor.tmem import Answer, Answered, Handle, Tmem


@law("EQV-1", "The page that a pool keeps under a handle holds what the guest last put under that handle.")
def kept_pages_are_what_was_put(s: Tmem, vm: Vm, slot: Slot) -> Any:
    kept = s.pool[vm, slot]
    return implies(kept.stored, s.memory[kept.mfn] == s.put_last[vm, slot])


@law(
    "EQV-2",
    "A page that a persistent pool accepted is kept until the guest flushes its handle, or puts another page under the handle.",
)
def owed_pages_are_kept(s: Tmem, vm: Vm, slot: Slot) -> Any:
    return implies(s.owed[vm, slot], s.pool[vm, slot].stored and s.pool[vm, slot].persistent)


@law("EQV-2", "A guest's get misses only if no persistent pool owes the guest a page under the handle.")
def nothing_owed_is_missed(s: Tmem, before: Tmem, outcome: Answered) -> Any:
    return implies(outcome.answer == Answer.MISSED, not before.owed[outcome.vm, outcome.slot])


@law("EQV-2", "A handle has a page in the pool after an accepted put, and has no page after a refused put or a flush.")
def pools_keep_what_they_answer(s: Tmem, outcome: Answered) -> Any:
    kept = s.pool[outcome.vm, outcome.slot].stored
    return implies(outcome.answer == Answer.TAKEN, kept) and implies(
        outcome.answer == Answer.REFUSED or outcome.answer == Answer.FLUSHED, not kept
    )


@law("EQV-2", "A get finds a page only if a pool kept one under the handle, and removes the page if the pool is ephemeral.")
def what_is_found_was_kept(s: Tmem, before: Tmem, outcome: Answered) -> Any:
    was, now = before.pool[outcome.vm, outcome.slot], s.pool[outcome.vm, outcome.slot]
    return implies(outcome.answer == Answer.FOUND, was.stored and (was.persistent or not now.stored))


@law("RES-2", "Every page that a pool keeps lies in a pool frame that is recorded for the page's handle.")
def kept_pages_have_their_frames(s: Tmem, vm: Vm, slot: Slot) -> Any:
    kept = s.pool[vm, slot]
    return implies(
        kept.stored, kept.mfn != NOTHING and s.frames[kept.mfn].use == Use.POOL and s.keeps[kept.mfn] == Handle(vm, slot)
    )


@law("RES-2", "Every pool frame holds the page of the handle that is recorded for the frame.")
def pool_frames_have_their_pages(s: Tmem, mfn: Mfn) -> Any:
    handle = s.keeps[mfn]
    kept = s.pool[handle.vm, handle.slot]
    return implies(s.frames[mfn].use == Use.POOL, kept.stored and kept.mfn == mfn)


@law("ISO-5", "Only a VM's own calls change what a pool keeps for the VM, except that an ephemeral page may be dropped.")
def pools_change_by_their_owner_only(s: Tmem, before: Tmem, actor: Vm, vm: Vm, slot: Slot) -> Any:
    was, now = before.pool[vm, slot], s.pool[vm, slot]
    return implies(vm != actor, was == now or (was.stored and not was.persistent and not now.stored))
