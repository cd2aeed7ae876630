"""Mutants that do not wait for processors to acknowledge a flush: most are right where flushes are at once."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import MemoryAcknowledged
from refmodel.language import operation, require
from refmodel.machine.names import Cpu, Gfn, Mfn, Vm
from refmodel.mmu.contract_caches import ContractMmuAcknowledged
from refmodel.monitor.dirty_logging import DirtyLogging, Sent
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Stale


class FrameReusedAtOnce(MemoryAcknowledged):
    """The old frame of a page is free before every processor has acknowledged the flush."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        self.release(mfn)


class FrameRetiredInName(MemoryAcknowledged):
    """The old frame of a page is free at once, although the page still records the frame as its old frame."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        self.stale[vm, gfn] = attrs.evolve(self.stale[vm, gfn], mfn=mfn)
        self.frames[mfn] = Frame()


class LastSharerDoesNotWait(MemoryAcknowledged):
    """A page that leaves a shared frame drops its reference at once, so that the last sharer may store to a frame still being
    read."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        if self.frames[mfn].use == Use.SHARED:
            self.release(mfn)
        else:
            super().retire(vm, gfn, mfn)


class WritableBeforeTheFlush(MemoryAcknowledged):
    """After a copy on write the page is writable at once, while other processors still read its old frame."""

    def may_leave(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class ComparedWhileWritten(MemoryAcknowledged):
    """Pages are merged, written out or compared with zeroes before every processor knows that they are read-only."""

    def protect_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.withdraw_write(vm, gfn)


class InflatedWhileRead(MemoryAcknowledged):
    """A page goes into the balloon before every processor has flushed the page."""

    def forget_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)


class LoggedAcknowledged(DirtyLogging, ContractMmuAcknowledged):
    """A dirty log under any MMU whose processors acknowledge flushes."""

    geometry = MemoryAcknowledged.geometry


class SentWhileWritten(LoggedAcknowledged):
    """A page is sent to another machine before every processor knows that it is read-only."""

    @operation
    def send(self, vm: Vm, gfn: Gfn) -> None:
        require(self.in_frame(vm, gfn))
        require(self.sent[vm, gfn] == Sent.PROTECTED)
        self.destination[vm, gfn] = self.memory[self.p2m[vm, gfn].mfn]
        self.sent[vm, gfn] = Sent.THERE


class SaysItIsDone(MemoryAcknowledged):
    """The MMU reports that every processor has acknowledged, although one has not."""

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class AsksNobody(MemoryAcknowledged):
    """Entries are removed from the table, and no processor is asked to flush them."""

    def ask(self, vm: Vm) -> None:
        """Nothing."""


class SecondFlushLeftOut(MemoryAcknowledged):
    """A page that already has stale translations is write-protected without another flush."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        if self.is_flushed(vm, gfn):
            super().protect(vm, gfn)


class ForgetsAndDoesNotFlush(MemoryAcknowledged):
    """A processor acknowledges a flush, and keeps its cached translations."""

    @operation
    def acknowledge(self, vm: Vm, cpu: Cpu) -> None:
        require(self.asked[vm, cpu])
        self.asked[vm, cpu] = False


class FrameLeftIsLost(MemoryAcknowledged):
    """A page's flush ends, and the page's old frame is not released."""

    @operation
    def finish_flush(self, vm: Vm, gfn: Gfn) -> None:
        require(not self.is_flushed(vm, gfn))
        require(self.acknowledged(vm, gfn))
        self.stale[vm, gfn] = Stale()


class ProtectsOnPaper(MemoryAcknowledged):
    """Write permission is removed from the table and the p2m, and the possibly cached permission is not recorded."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        super().protect(vm, gfn)
        self.stale[vm, gfn] = attrs.evolve(self.stale[vm, gfn], writes=False)


MUTANTS = {
    "frame-reused-at-once": Mutant(FrameReusedAtOnce, "ISO-3"),
    "frame-retired-in-name": Mutant(FrameRetiredInName, "RES-2"),
    "last-sharer-does-not-wait": Mutant(LastSharerDoesNotWait, "ISO-1"),
    "writable-before-the-flush": Mutant(WritableBeforeTheFlush, "EQV-1"),
    "compared-while-written": Mutant(ComparedWhileWritten, "ISO-2"),
    "inflated-while-read": Mutant(InflatedWhileRead, "EQV-2"),
    "sent-while-written": Mutant(SentWhileWritten, "EQV-4"),
    "says-it-is-done": Mutant(SaysItIsDone, "ISO-1"),
    "asks-nobody": Mutant(AsksNobody, "ISO-1"),
    "second-flush-left-out": Mutant(SecondFlushLeftOut, "ISO-1"),
    "forgets-and-does-not-flush": Mutant(ForgetsAndDoesNotFlush, "ISO-1"),
    "frame-left-is-lost": Mutant(FrameLeftIsLost, "RES-1"),
    "protects-on-paper": Mutant(ProtectsOnPaper, "ISO-1"),
}
"""By name."""
