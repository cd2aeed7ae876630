"""Mutants of page-modification logging: a store that is not logged, an entry that is lost, a page that hides behind another."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptPml
from refmodel.language import operation, require, reset
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Gfn, Index, Region, Vcpu, Vm
from refmodel.mmu.ept import EptEntry
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.mmu.ept_pml import Drained, EptPmlAcknowledgedMmu, EptPmlMmu, LogEntry
from refmodel.monitor.dirty_flags import WatchedByFlags
from refmodel.monitor.dirty_logging import DirtyLog, Sent
from refmodel.monitor.page_modification_logging import PageModificationLogging
from refmodel.monitor.swapping import Swapping


class FullLogsDoNotExit(EptPml):
    """A store goes on while the log is full, and sets the flag unlogged."""

    def can_set_flags(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, flags: Flags, write: bool) -> bool:
        return self.is_full(vm, vcpu) or EptPmlMmu.can_set_flags(self, vm, vcpu, gfn, flags, write)


class FullLogsAlwaysExit(EptPml):
    """While the log is full every access exits, also one by an entry whose flags are set."""

    def can_set_flags(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, flags: Flags, write: bool) -> bool:
        return not self.is_full(vm, vcpu) and EptPmlMmu.can_set_flags(self, vm, vcpu, gfn, flags, write)


class OnlyTheLastIsKept(EptPml):
    """The index of the log stays where it is, and an entry takes the place of the one before."""

    def can_set_flags(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, flags: Flags, write: bool) -> bool:
        due = both(flags, Flags(True, write))
        if due.dirty != flags.dirty:
            reset(self.pml, lambda entry, of, on, at: of == vm and on == vcpu)
            self.log(vm, vcpu, gfn)
        return True


class DrainedUnmarked(EptPml):
    """Entries are taken out of the log, and nobody is told."""

    @operation
    def drain(self, vm: Vm, vcpu: Vcpu, at: Index) -> Drained:
        entry = self.pml[vm, vcpu, at]
        require(entry.used)
        self.pml[vm, vcpu, at] = LogEntry()
        return Drained(vm, entry.gfn)


class DrainedWithTheOthers(EptPml):
    """The whole log is emptied for one entry of it, and only that page is marked."""

    @operation
    def drain(self, vm: Vm, vcpu: Vcpu, at: Index) -> Drained:
        entry = self.pml[vm, vcpu, at]
        require(entry.used)
        reset(self.pml, lambda other, of, on, place: of == vm and on == vcpu)
        self.was_written(vm, entry.gfn)
        return Drained(vm, entry.gfn)


class NeverEmpty(EptPml):
    """An entry that was drained stays in the log, which so is full for ever."""

    @operation
    def drain(self, vm: Vm, vcpu: Vcpu, at: Index) -> Drained:
        entry = self.pml[vm, vcpu, at]
        require(entry.used)
        self.was_written(vm, entry.gfn)
        return Drained(vm, entry.gfn)


class SentWithItsEntries(EptPml):
    """What is logged of a page goes when the page is sent, though its flag is set still, and the next store logs nothing."""

    @operation
    def send(self, vm: Vm, gfn: Gfn) -> None:
        DirtyLog.send(self, vm, gfn)
        reset(self.pml, lambda entry, of, vcpu, at: of == vm and entry.gfn == gfn)


class WatchedWhileLarge(EptPml):
    """A page is watched while a large entry maps it: the log has one entry for all pages of that."""

    def may_watch(self, vm: Vm, gfn: Gfn) -> bool:
        return WatchedByFlags.may_watch(self, vm, gfn)


class MergedWhileWatched(EptPml):
    """Pages that are watched come to be mapped by a large entry, since nobody asks whether they are."""

    def kept_apart(self, vm: Vm, region: Region) -> int:
        return 0


class ForgottenWithTheFlush(PageModificationLogging, EptPmlAcknowledgedMmu):
    """A vCPU that acknowledges a flush empties its log as if that were a cache."""

    geometry = EptPml.geometry

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        EptPmlAcknowledgedMmu.acknowledge(self, vm, vcpu)
        reset(self.pml, lambda entry, of, on, at: of == vm and on == vcpu)


class AwayWhenDrained(PageModificationLogging, Swapping, EptPmlMmu):
    """The entry of a page that has been swapped out meanwhile is dropped: there seems to be nothing to mark."""

    geometry = EptPml.geometry.resized(Slot=1)

    def was_written(self, vm: Vm, gfn: Gfn) -> None:
        if self.in_frame(vm, gfn):
            PageModificationLogging.was_written(self, vm, gfn)


class MarkedUnlessTaken(EptPml):
    """An entry marks a page only if the other machine has it already, not while it is about to be sent."""

    def was_written(self, vm: Vm, gfn: Gfn) -> None:
        if self.sent[vm, gfn] == Sent.THERE:
            PageModificationLogging.was_written(self, vm, gfn)


class CleanedUnflushed(EptPml):
    """Flags are cleared and processors are not told: their next stores set no flag, and log nothing."""

    def flush_flags(self, vm: Vm) -> None:
        """Nothing."""


class LargeStoresUnlogged(EptPml):
    """A store to a large page is not logged at all."""

    def use_large(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, region: Region, write: bool) -> EptEntry:
        return EptFlagsMmu.use_large(self, vm, vcpu, gfn, region, write)


MUTANTS = {
    "pml-full-logs-do-not-exit": Mutant(FullLogsDoNotExit, "EQV-4"),
    "pml-full-logs-always-exit": Mutant(FullLogsAlwaysExit, "EFF-1"),
    "pml-only-the-last-is-kept": Mutant(OnlyTheLastIsKept, "EQV-4"),
    "pml-drained-unmarked": Mutant(DrainedUnmarked, "EQV-4"),
    "pml-drained-with-the-others": Mutant(DrainedWithTheOthers, "EQV-4"),
    "pml-never-empty": Mutant(NeverEmpty, "EFF-2"),
    "pml-sent-with-its-entries": Mutant(SentWithItsEntries, "EQV-4"),
    "pml-watched-while-large": Mutant(WatchedWhileLarge, "EQV-4"),
    "pml-merged-while-watched": Mutant(MergedWhileWatched, "EQV-4"),
    "pml-forgotten-with-the-flush": Mutant(ForgottenWithTheFlush, "EQV-4"),
    "pml-away-when-drained": Mutant(AwayWhenDrained, "EQV-4"),
    "pml-marked-unless-taken": Mutant(MarkedUnlessTaken, "EQV-4"),
    "pml-cleaned-unflushed": Mutant(CleanedUnflushed, "EQV-4"),
    "pml-large-stores-unlogged": Mutant(LargeStoresUnlogged, "EQV-4"),
}
"""By name."""
