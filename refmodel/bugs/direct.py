"""Mutants of direct paging."""

from refmodel.bare import Event, Reply
from refmodel.designs import Direct
from refmodel.language import choose
from refmodel.machine.names import Index, Mfn, Vcpu, Vm
from refmodel.mmu.direct import Touched, Word


class GivenUnscrubbed(Direct):
    """A frame comes to a VM with what it held."""

    def scrubbed_frame(self) -> Mfn:
        mfn: Mfn = choose(Mfn, lambda mfn: not self.frames[mfn].owned)
        return mfn


class StoresLost(Direct):
    """A store is said to have been made, and memory is as it was."""

    def write(self, mfn: Mfn, offset: Index, word: Word) -> None:
        self.bare_words[mfn, offset] = word


class EveryLoadFaults(Direct):
    """Every load faults, whatever the guest's tables say."""

    def load(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index) -> Touched:
        return Touched(Reply(Event.PAGE_FAULT), Reply(Event.PAGE_FAULT), vcpu, upper, lower, False)


class EveryStoreExits(Direct):
    """Every store exits to the monitor."""

    def store(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index, word: Word) -> Touched:
        return Touched(Reply(), Reply(), vcpu, upper, lower, True)
