"""Two parts of a design have an operation of one name each: one hides the other, whose steps are never taken.

Expected: refused: operation scrub of Frames hides the one of Slots
"""

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Mfn, Slot


class Slots(Design):
    used: Total[Slot, bool]

    @operation
    def scrub(self, slot: Slot) -> None:
        require(not self.used[slot])
        self.used[slot] = True


class Frames(Design):
    dirty: Total[Mfn, bool]

    @operation
    def scrub(self, mfn: Mfn) -> None:
        self.dirty[mfn] = False


class AnOperationThatHidesAnother(Frames, Slots):
    geometry = geometry(Mfn=1, Slot=1)

    @law("RES-2", "No slot is ever used.")
    def none_is_used(self, slot: Slot) -> bool:
        return not self.used[slot]
