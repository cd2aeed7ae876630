"""Mutants of sub-page sharing."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import PatchedPages
from refmodel.machine.names import Gfn, Mfn, Slot, Vm
from refmodel.monitor.compressed_memory import CompressedMemory
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.patching import Patch


class ReferenceStoredTo(PatchedPages):
    """A patch is made against a frame to which a guest can still store."""

    def may_be_reference(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> bool:
        return self.frames[mfn].use == Use.PRIVATE and mfn != self.p2m[vm, gfn].mfn


class PatchedAgainstItself(PatchedPages):
    """A page is patched against the frame that it leaves, so that the frame is never freed."""

    def may_be_reference(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> bool:
        return self.frames[mfn].use == Use.SHARED


class ReferenceNotHeld(PatchedPages):
    """A patch does not count as a user of its reference frame, so that the last page there gets the frame as its own."""

    def lean(self, slot: Slot, reference: Mfn) -> None:
        self.patches[slot] = Patch(True, reference)
        self.made_against[slot] = self.memory[reference]
        self.leaning[reference] = self.leaning[reference] + 1


class ReferenceGivenBack(PatchedPages):
    """The last page in a frame may store to the frame, although the frame is a patch's reference."""

    def break_sharing(self, vm: Vm, gfn: Gfn) -> bool:
        mfn = self.p2m[vm, gfn].mfn
        frame = self.frames[mfn]
        if frame.references == self.leaning[mfn] + 1:
            self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=frame.references)
            return True
        return super().break_sharing(vm, gfn)


class ReferenceNeverReleased(PatchedPages):
    """A patch is removed, and its reference frame still counts it forever."""

    def unpack(self, slot: Slot) -> None:
        patch = self.patches[slot]
        if patch.is_one:
            self.leaning[patch.reference] = self.leaning[patch.reference] - 1
            self.patches[slot] = Patch()
        CompressedMemory.unpack(self, slot)


class PatchForgotten(PatchedPages):
    """A page is rebuilt from its patch, and its slot is still recorded as a patch for the next compressed page."""

    def unpack(self, slot: Slot) -> None:
        CompressedMemory.unpack(self, slot)


class LeaningUncounted(PatchedPages):
    """A patch's reference frame does not count the patch."""

    def lean(self, slot: Slot, reference: Mfn) -> None:
        frame = self.frames[reference]
        self.patches[slot] = Patch(True, reference)
        self.made_against[slot] = self.memory[reference]
        self.frames[reference] = attrs.evolve(frame, references=frame.references + 1)


MUTANTS = {
    "patch-reference-stored-to": Mutant(ReferenceStoredTo, "ISO-2"),
    "patch-reference-given-back": Mutant(ReferenceGivenBack, "EQV-1"),
    "patch-against-itself": Mutant(PatchedAgainstItself, "RES-3"),
    "patch-reference-not-held": Mutant(ReferenceNotHeld, "RES-1"),
    "patch-reference-never-released": Mutant(ReferenceNeverReleased, "RES-1"),
    "patch-forgotten": Mutant(PatchForgotten, "RES-2"),
    "patch-leaning-uncounted": Mutant(LeaningUncounted, "ISO-2"),
}
"""By name."""
