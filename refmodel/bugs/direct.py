"""Mutants of direct paging."""

import attrs

from refmodel.bare import Event, Reply
from refmodel.bugs.mutant import Mutant
from refmodel.designs import Direct
from refmodel.language import assign, choose, require, reset
from refmodel.machine.names import Index, Mfn, Vcpu, Vm
from refmodel.mmu.direct import Base, BaseLoaded, CachedTranslation, Held, Hypercall, MachineWord, Pinned, Standing, Touched, Type


class GivenUnscrubbed(Direct):
    """A VM gets a frame with its old contents."""

    def scrubbed_frame(self) -> Mfn:
        mfn: Mfn = choose(Mfn, lambda mfn: not self.frames[mfn].owned)
        return mfn


class StoresLost(Direct):
    """A store is reported as completed, and memory does not change."""

    def write(self, mfn: Mfn, offset: Index, word: MachineWord) -> None:
        self.bare_words[mfn, offset] = word


class EveryLoadFaults(Direct):
    """Every load faults, whatever the guest's tables allow."""

    def load(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index) -> Touched:
        return Touched(Reply(Event.PAGE_FAULT), Reply(Event.PAGE_FAULT), vcpu, upper, lower, False)


class DirectEveryStoreExits(Direct):
    """Every store exits to the monitor."""

    def store(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index, word: MachineWord) -> Touched:
        return Touched(Reply(), Reply(), vcpu, upper, lower, True)


class ScrubbedInUse(Direct):
    """Scrubbing one frame also scrubs all other frames."""

    def scrubbed_frame(self) -> Mfn:
        mfn = super().scrubbed_frame()
        reset(self.words, lambda word, frame, index: True)
        reset(self.bare_words, lambda word, frame, index: True)
        return mfn


class TypeOutlivesTheOwner(Direct):
    """A frame that a guest gives back keeps its type."""

    def decrease_reservation(self, vm: Vm, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        super().decrease_reservation(vm, mfn)
        self.frames[mfn] = attrs.evolve(self.frames[mfn], type=frame.type)


class TableInName(Direct):
    """The references of a page table are released, and its frame still has a page-table type."""

    def dissolve(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        super().dissolve(mfn)
        self.frames[mfn] = attrs.evolve(self.frames[mfn], type=frame.type)


class CheckStartsOver(Direct):
    """An invalid entry makes the check of every table start again."""

    def check_entry(self, mfn: Mfn, index: Index) -> Hypercall:
        done = super().check_entry(mfn, index)
        if not done.done:
            assign(self.unchecked, lambda unchecked, table, at: not self.held[table, at].live, True)
        return done


class UnpinnedByAnyone(Direct):
    """A VM unpins another VM's page table, and the table loses a type reference."""

    geometry = Direct.geometry.resized(Vm=2, Mfn=2)

    def unpin(self, vm: Vm, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        require(frame.pinned)
        require(frame.standing != Standing.RESERVED)
        self.frames[mfn] = attrs.evolve(frame, pinned=False)
        self.put_type(mfn)


class DissolvesInName(Direct):
    """The references of a dissolving table are never released, because the steps that release them choose entries without
    references."""

    def dissolve_entry(self, mfn: Mfn, index: Index) -> None:
        require(self.frames[mfn].standing == Standing.DISSOLVING)
        require(not self.held[mfn, index].live)
        self.unchecked[mfn, index] = True


class CachedUnderAnotherAddress(Direct):
    """A processor caches the translation of one address under another address."""

    geometry = Direct.geometry.resized(Mfn=2, Index=2)

    def access(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, write: bool) -> CachedTranslation:
        found = self.walk(vm, vcpu, upper, lower)
        if not found.valid or (write and not found.writable):
            return CachedTranslation()
        self.tlb[vm, vcpu, upper, upper] = found
        self.bare_tlb[vm, vcpu, upper, lower] = found
        return found


class BaseLoadedCacheKept(Direct):
    """A base pointer is loaded, and processors keep the translations of the old tables."""

    def new_baseptr(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> BaseLoaded:
        frame, old = self.frames[mfn], self.base[vm, vcpu]
        if not frame.owned or frame.vm != vm or frame.type != Type.L2 or frame.standing != Standing.VALID:
            return BaseLoaded(False, vcpu, mfn)
        self.get_table(mfn)
        self.base[vm, vcpu] = Base(True, mfn)
        reset(self.bare_tlb, lambda found, v, c, upper, lower: v == vm and c == vcpu)
        reset(self.linear, lambda table, v, c, upper: v == vm and c == vcpu)
        if old.loaded:
            self.put_type(old.mfn)
        return BaseLoaded(True, vcpu, mfn)


class RefusedHalfDone(Direct):
    """A refused request to pin a table pins the frame anyway."""

    def pin(self, vm: Vm, mfn: Mfn, second: bool) -> Pinned:
        super().pin(vm, mfn, second)
        return Pinned(False, mfn, second)


class EntryLostInTheRefusal(Direct):
    """A refused update of an entry removes the old entry."""

    def update(self, vm: Vm, table: Mfn, index: Index, word: MachineWord) -> Hypercall:
        held = self.held[table, index]
        done = super().update(vm, table, index, word)
        if not done.done:
            self.held[table, index] = Held()
            self.words[table, index] = MachineWord()
            self.bare_words[table, index] = MachineWord()
            self.drop(held)
            reset(self.linear, lambda mfn, v, c, upper: v == vm)
        return done


class BaseLoadedInName(Direct):
    """A refused base pointer is reported as loaded."""

    def new_baseptr(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> BaseLoaded:
        super().new_baseptr(vm, vcpu, mfn)
        return BaseLoaded(True, vcpu, mfn)


class PinnedAtAnotherLevel(Direct):
    """A request to pin a level 2 table pins a level 1 table, and is reported as successful."""

    def pin(self, vm: Vm, mfn: Mfn, second: bool) -> Pinned:
        return Pinned(super().pin(vm, mfn, False).done, mfn, second)


class DissolvedOutOfReach(Direct):
    """A table becomes plain memory again, and its owner's devices do not regain access to the frame."""

    def dissolve(self, mfn: Mfn) -> None:
        super().dissolve(mfn)
        self.iommu[self.frames[mfn].vm, mfn] = False


MUTANTS = {
    "direct-given-unscrubbed": Mutant(GivenUnscrubbed, "ISO-4"),
    "direct-stores-lost": Mutant(StoresLost, "EQV-1"),
    "direct-every-load-faults": Mutant(EveryLoadFaults, "EQV-2"),
    "direct-every-store-exits": Mutant(DirectEveryStoreExits, "EFF-1"),
    "direct-scrubbed-in-use": Mutant(ScrubbedInUse, "ISO-5"),
    "direct-type-outlives-the-owner": Mutant(TypeOutlivesTheOwner, "RES-2"),
    "direct-table-in-name": Mutant(TableInName, "RES-2"),
    "direct-cached-under-another-address": Mutant(CachedUnderAnotherAddress, "EQV-2"),
    "direct-base-loaded-cache-kept": Mutant(BaseLoadedCacheKept, "EQV-5"),
    "direct-pinned-at-another-level": Mutant(PinnedAtAnotherLevel, "EQV-2"),
    "direct-refused-half-done": Mutant(RefusedHalfDone, "EQV-2"),
    "direct-entry-lost-in-the-refusal": Mutant(EntryLostInTheRefusal, "EQV-2"),
    "direct-base-loaded-in-name": Mutant(BaseLoadedInName, "EQV-2"),
    "direct-unpinned-by-anyone": Mutant(UnpinnedByAnyone, "ISO-5"),
    "direct-dissolves-in-name": Mutant(DissolvesInName, "EFF-2"),
    "direct-check-starts-over": Mutant(CheckStartsOver, "EFF-2"),
    "direct-dissolved-out-of-reach": Mutant(DissolvedOutOfReach, "EQV-2"),
}
"""By name."""
