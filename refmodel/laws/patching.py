"""What sub-page sharing keeps: a patch has its reference, as that was."""

from typing import Any

from refmodel.language import NOTHING, count, implies, law
from refmodel.machine.names import Mfn, Slot
from refmodel.monitor.frames import Use
from refmodel.monitor.patching import Patching


@law("EQV-1", "A patch's reference frame still has the contents against which the patch was made.")
def references_are_as_they_were(s: Patching, slot: Slot) -> Any:
    patch = s.patches[slot]
    return implies(patch.is_one, s.memory[patch.reference] == s.made_against[slot])


@law("ISO-2", "The reference frame of a patch is a shared frame, and its patch count is not zero.")
def references_are_shared(s: Patching, slot: Slot) -> Any:
    patch = s.patches[slot]
    return implies(
        patch.is_one, patch.reference != NOTHING and s.frames[patch.reference].use == Use.SHARED and s.leaning[patch.reference] > 0
    )


@law("RES-1", "A frame's patch count is the number of patches that have the frame as their reference.")
def patches_are_counted(s: Patching, mfn: Mfn) -> Any:
    return s.leaning[mfn] == count(s.patches, lambda patch, slot: patch.is_one and patch.reference == mfn)


@law("RES-2", "Every patch is stored in the pool of compressed pages.")
def patches_lie_in_the_pool(s: Patching, slot: Slot) -> Any:
    return implies(s.patches[slot].is_one, s.pool[slot].stored)
