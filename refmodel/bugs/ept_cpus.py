"""Mutants of extended page tables on many processors."""

from refmodel.bare import Reply
from refmodel.designs import EptCpus
from refmodel.language import fails, operation, require
from refmodel.machine.cells import Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Vm
from refmodel.mmu.ept_cpus import CpuFrame, CpuSeen, Mapping, Role


class PopulatedUnscrubbed(EptCpus):
    """A page comes to a guest with what its frame held."""

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(not self.plugged[vm, gfn])
        require(self.unacknowledged(vm) == 0)
        if fails("frame"):
            return
        mfn = self.free_frame()
        self.owners[mfn] = CpuFrame(Role.PAGE, vm, gfn)
        self.p2m[vm, gfn] = Mapping(True, mfn, True)
        self.plug(vm, gfn)


class FrameNotRecorded(EptCpus):
    """A page comes to a guest, and its frame stays among the free ones."""

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(not self.plugged[vm, gfn])
        require(self.unacknowledged(vm) == 0)
        mfn = self.free_frame()
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.p2m[vm, gfn] = Mapping(True, mfn, True)
        self.plug(vm, gfn)


class FrameKeptForAPageThatWent(EptCpus):
    """A page goes into the balloon, and its frame is recorded as the page's still."""

    @operation
    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].valid)
        self.p2m[vm, gfn] = Mapping()
        self.zap(vm, gfn)
        self.request_flush(vm)
        self.unplug(vm, gfn)


class OldRootKept(EptCpus):
    """A VM gets another table, and the one that it had is not given up."""

    def give_up(self, vm: Vm, root: Mfn) -> None:
        """Nothing."""


class CpuStoresExit(EptCpus):
    """Every store exits, on any processor."""

    def store(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> CpuSeen:
        require(self.runs(cpu, vm))
        return CpuSeen(Reply(), Reply(), cpu, gfn, True)
