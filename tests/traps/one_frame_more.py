"""Compaction leaves a processor's translation behind. It takes a third frame; the counterexample's own geometry is too large to be
explored, since nobody knows what memory holds at power-on.

Expected: shown by prove
"""

from typing import Annotated, Any

from refmodel.language import *
from refmodel.machine.names import Gfn, Index, Mfn, Vm

Byte = Annotated[int, Bits(8)]


class OneFrameMore(Design):
    memory: Total[Mfn, Page[Index, Byte]]
    frame_of: Total[Gfn, Mfn]
    tlb: Total[Gfn, Mfn]
    used: Total[Mfn, bool]
    root: Total[Vm, Mfn]
    arbitrary = ("memory",)
    geometry = geometry(Vm=1, Gfn=1, Mfn=2, Index=1)

    @operation
    def populate(self, gfn: Gfn) -> None:
        require(self.frame_of[gfn] == NOTHING)
        mfn = choose(Mfn, lambda mfn: not self.used[mfn])
        self.used[mfn] = True
        self.frame_of[gfn] = mfn
        self.memory[mfn] = self.memory[mfn].scrubbed()

    @operation
    def make_root(self, vm: Vm) -> None:
        require(self.root[vm] == NOTHING)
        mfn = choose(Mfn, lambda mfn: not self.used[mfn])
        self.used[mfn] = True
        self.root[vm] = mfn

    @operation
    def access(self, vm: Vm, gfn: Gfn) -> None:
        require(self.frame_of[gfn] != NOTHING and self.root[vm] != NOTHING)
        self.tlb[gfn] = self.frame_of[gfn]

    @operation
    def compact(self, gfn: Gfn) -> None:
        old = self.frame_of[gfn]
        require(old != NOTHING)
        mfn = choose(Mfn, lambda mfn: not self.used[mfn])
        self.memory[mfn] = self.memory[old]
        self.used[mfn] = True
        self.used[old] = False
        self.frame_of[gfn] = mfn

    @law("ISO-1", "The TLB leads where the table leads.")
    def tlb_is_right(s: Any, gfn: Gfn) -> bool:
        return s.tlb[gfn] == NOTHING or s.tlb[gfn] == s.frame_of[gfn]
