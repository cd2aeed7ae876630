"""Sub-page sharing: a page that is similar to another page is stored as a patch (Difference Engine: Gupta et al., OSDI 2008).

A page that differs from a shared one in a few places leaves its frame, and what is kept of it is how it differs: a *patch*, small
enough to lie in the pool with compressed pages. The shared frame is its *reference*. When the page is wanted, the reference is
copied and the patch applied.

So a patch is worth nothing without its reference as that was. The patch counts as a user of the reference's frame: a guest that
stores to a page there gets a frame of its own, and the frame stays when the last page has left it, until the last patch has gone.
"""

import attrs

from refmodel.language import NOTHING, Total, choose, fails, operation, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Count, Gfn, Mfn, Slot, Vm
from refmodel.monitor.compressed_memory import CompressedMemory
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Reclaim, Reclaimed
from refmodel.monitor.sharing import Sharing


@attrs.frozen
class Patch:
    """Whether what is kept under a slot is a patch, and the frame of its reference."""

    is_one: bool = False
    reference: Mfn = NOTHING


class Patching(CompressedMemory, Sharing):
    patches: Total[Slot, Patch]
    made_against: Total[Slot, Cells]
    """What the reference held when the patch was made."""
    leaning: Total[Mfn, Count]
    """How many patches have a frame as their reference."""

    @operation
    def patch(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        """Take a page from its frame, and keep how it differs from a shared frame."""
        require(self.may_write_back(vm, gfn))
        require(self.may_leave(vm, gfn))
        if fails("swap slot") or fails("room in the pool"):
            return Reclaimed(Reclaim.NO_SLOT, vm, gfn)
        slot: Slot = choose(Slot, lambda slot: not self.slots[slot].used)
        mfn: Mfn = choose(Mfn, self.has_room)
        reference: Mfn = choose(Mfn, lambda mfn: self.may_be_reference(vm, gfn, mfn))
        self.lean(slot, reference)
        self.keep_small(vm, gfn, slot, mfn)
        return Reclaimed(Reclaim.TAKEN, vm, gfn)

    def may_be_reference(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> bool:
        """Nobody stores to a shared frame. A page's own would not become free."""
        return self.frames[mfn].use == Use.SHARED and mfn != self.p2m[vm, gfn].mfn

    def lean(self, slot: Slot, reference: Mfn) -> None:
        """What is kept under a slot is a patch against a frame, which has one user more."""
        frame = self.frames[reference]
        self.patches[slot] = Patch(True, reference)
        self.made_against[slot] = self.memory[reference]
        self.leaning[reference] = self.leaning[reference] + 1
        self.frames[reference] = attrs.evolve(frame, references=frame.references + 1)

    def unpack(self, slot: Slot) -> None:
        """A patch goes, and uses its reference no more."""
        patch = self.patches[slot]
        if patch.is_one:
            self.leaning[patch.reference] = self.leaning[patch.reference] - 1
            self.patches[slot] = Patch()
            self.release(patch.reference)
        super().unpack(slot)

    def expanded(self, slot: Slot) -> Cells:
        """The page, if the reference is what it was; otherwise something else, such as the reference itself."""
        patch = self.patches[slot]
        if patch.is_one and self.memory[patch.reference] != self.made_against[slot]:
            return self.memory[patch.reference]
        return super().expanded(slot)

    def copy_of(self, slot: Slot) -> Cells:
        return self.expanded(slot) if self.pool[slot].stored else super().copy_of(slot)

    def retired_references(self, mfn: Mfn) -> int:
        """Patches use a frame too, though no page lies there."""
        return self.leaning[mfn] + super().retired_references(mfn)
