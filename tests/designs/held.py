"""Right designs whose laws speak of the cells of a page, or of two names that only another law shows to be the same."""

from typing import Any

from refmodel.language import NOTHING, Design, Page, Total, choose, fails, geometry, guest, implies, law, operation, require
from refmodel.machine.names import Gfn, Index, Mfn, Vm


class OwnWords(Design):
    """Frames are scrubbed before another VM has them."""

    memory: Total[Mfn, Page[Index, Vm]]
    owner: Total[Mfn, Vm]
    geometry = geometry(Vm=2, Mfn=2, Index=2)

    @operation
    def take(self, vm: Vm) -> None:
        mfn = choose(Mfn, lambda m: self.owner[m] == NOTHING)
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.owner[mfn] = vm

    @guest
    def store(self, vm: Vm, mfn: Mfn, index: Index) -> None:
        require(self.owner[mfn] == vm)
        self.memory[mfn] = self.memory[mfn].put(index, vm)

    @operation
    def give(self, vm: Vm, mfn: Mfn) -> None:
        require(self.owner[mfn] == vm)
        self.owner[mfn] = NOTHING

    @law("ISO-1", "A frame holds only words of its owner.")
    def words_are_the_owners(s: Any, mfn: Mfn, index: Index) -> Any:
        return implies(s.owner[mfn] != NOTHING, s.memory[mfn][index] in (NOTHING, s.owner[mfn]))


class ScrubsOneWord(OwnWords):
    """Wrong: only one word is scrubbed."""

    @operation
    def take(self, vm: Vm, index: Index) -> None:
        mfn = choose(Mfn, lambda m: self.owner[m] == NOTHING)
        self.memory[mfn] = self.memory[mfn].put(index, NOTHING)
        self.owner[mfn] = vm


class OwnFrames(Design):
    """That two pages of one VM have two frames is enough, since a frame has one owner."""

    owner: Total[Mfn, Vm]
    table: Total[tuple[Vm, Gfn], Mfn]
    geometry = geometry(Vm=2, Gfn=2, Mfn=2)

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.table[vm, gfn] == NOTHING)
        if fails("frame"):
            return
        mfn = choose(Mfn, lambda m: self.owner[m] == NOTHING)
        self.owner[mfn] = vm
        self.table[vm, gfn] = mfn

    @operation
    def release(self, vm: Vm, gfn: Gfn) -> None:
        mfn = self.table[vm, gfn]
        require(mfn != NOTHING)
        self.table[vm, gfn] = NOTHING
        self.owner[mfn] = NOTHING

    @law("ISO-1", "A frame that a page is mapped to is the VM's own.")
    def mapped_frames_are_owned(s: Any, vm: Vm, gfn: Gfn) -> Any:
        return implies(s.table[vm, gfn] != NOTHING, s.owner[s.table[vm, gfn]] == vm)

    @law("ISO-2", "No two pages of a VM are mapped to one frame.")
    def pages_have_frames_of_their_own(s: Any, vm: Vm, gfn: Gfn, page: Gfn) -> Any:
        return implies(s.table[vm, gfn] != NOTHING and s.table[vm, gfn] == s.table[vm, page], gfn == page)


class MapsTwice(OwnFrames):
    """Wrong: a frame that the VM has is mapped at another page too."""

    @operation
    def alias(self, vm: Vm, gfn: Gfn, page: Gfn) -> None:
        require(self.table[vm, page] == NOTHING)
        self.table[vm, page] = self.table[vm, gfn]
