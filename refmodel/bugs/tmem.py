"""Mutants of transcendent memory."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import TranscendentMemory
from refmodel.language import NOTHING, choose, fails, guest
from refmodel.machine.names import Gfn, Slot, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Supply
from refmodel.monitor.tmem import Answer, Answered, Handle, Kept


class OldKeptWhenRefused(TranscendentMemory):
    """A put is refused, and the page that was stored under the handle before stays."""

    @guest
    def put(self, vm: Vm, slot: Slot, gfn: Gfn, persistent: bool) -> Answered:
        if self.supply(vm, gfn, write=False) != Supply.READY:
            return Answered(Answer.LATER, vm, slot)
        self.put_last[vm, slot] = self.bare_memory[vm, gfn]
        if fails("frame"):
            return Answered(Answer.REFUSED, vm, slot)
        self.let_go(vm, slot)
        mfn = self.free_frame(NOTHING)
        self.memory[mfn] = self.memory[self.p2m[vm, gfn].mfn]
        self.frames[mfn] = Frame(Use.POOL)
        self.keeps[mfn] = Handle(vm, slot)
        self.pool[vm, slot] = Kept(True, persistent, mfn)
        self.owed[vm, slot] = persistent
        return Answered(Answer.TAKEN, vm, slot)


class PersistentVanishes(TranscendentMemory):
    """The monitor takes the frame of a page in a persistent pool."""

    def may_vanish(self, vm: Vm, slot: Slot) -> bool:
        return True


class TmemFrameLost(TranscendentMemory):
    """A page leaves a pool, and its frame stays a pool frame."""

    def let_go(self, vm: Vm, slot: Slot) -> None:
        self.pool[vm, slot] = Kept()


class FlushedForAnother(TranscendentMemory):
    """A guest's flush removes another guest's page under the same handle."""

    geometry = TranscendentMemory.further_geometries[0]

    @guest
    def flush_page(self, vm: Vm, slot: Slot) -> Answered:
        other: Vm = choose(Vm, lambda other: self.pool[other, slot].stored)
        self.let_go(other, slot)
        self.owed[other, slot] = False
        return Answered(Answer.FLUSHED, vm, slot)


class TmemFlushedInName(TranscendentMemory):
    """A page is flushed, and a later get still finds it."""

    @guest
    def flush_page(self, vm: Vm, slot: Slot) -> Answered:
        self.owed[vm, slot] = False
        return Answered(Answer.FLUSHED, vm, slot)


class FoundWhereNothingIs(TranscendentMemory):
    """A get is reported as successful although the pool has no page."""

    @guest
    def get(self, vm: Vm, slot: Slot, gfn: Gfn) -> Answered:
        done = super().get(vm, slot, gfn)
        return Answered(Answer.FOUND if done.answer == Answer.MISSED else done.answer, vm, slot)


class GotIntoASharedFrame(TranscendentMemory):
    """A get copies a page into a guest page whose frame is shared."""

    def ready_for_copy(self, vm: Vm, gfn: Gfn) -> Supply:
        return self.supply(vm, gfn, write=False)


MUTANTS = {
    "tmem-old-kept-when-refused": Mutant(OldKeptWhenRefused, "EQV-1"),
    "tmem-persistent-vanishes": Mutant(PersistentVanishes, "EQV-2"),
    "tmem-frame-lost": Mutant(TmemFrameLost, "RES-2"),
    "tmem-flushed-for-another": Mutant(FlushedForAnother, "ISO-5"),
    "tmem-flushed-in-name": Mutant(TmemFlushedInName, "EQV-2"),
    "tmem-found-where-nothing-is": Mutant(FoundWhereNothingIs, "EQV-2"),
    "tmem-got-into-a-shared-frame": Mutant(GotIntoASharedFrame, "ISO-2"),
}
"""By name."""
