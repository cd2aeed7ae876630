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
    """A store completes while the page-modification log is full, and sets its flag without a log entry."""

    def can_set_flags(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, flags: Flags, write: bool) -> bool:
        return self.is_full(vm, vcpu) or EptPmlMmu.can_set_flags(self, vm, vcpu, gfn, flags, write)


class FullLogsAlwaysExit(EptPml):
    """While the page-modification log is full, every access exits, even if its flags are already set."""

    def can_set_flags(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, flags: Flags, write: bool) -> bool:
        return not self.is_full(vm, vcpu) and EptPmlMmu.can_set_flags(self, vm, vcpu, gfn, flags, write)


class OnlyTheLastIsKept(EptPml):
    """The index of the page-modification log does not change, so that each entry overwrites the one before."""

    def can_set_flags(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, flags: Flags, write: bool) -> bool:
        due = both(flags, Flags(True, write))
        if due.dirty != flags.dirty:
            reset(self.pml, lambda entry, of, on, at: of == vm and on == vcpu)
            self.log(vm, vcpu, gfn)
        return True


class DrainedUnmarked(EptPml):
    """Entries are removed from the page-modification log, and their pages are not marked."""

    @operation
    def drain(self, vm: Vm, vcpu: Vcpu, at: Index) -> Drained:
        entry = self.pml[vm, vcpu, at]
        require(entry.used)
        self.pml[vm, vcpu, at] = LogEntry()
        return Drained(vm, entry.gfn)


class DrainedWithTheOthers(EptPml):
    """Draining one entry empties the whole page-modification log, and marks only that entry's page."""

    @operation
    def drain(self, vm: Vm, vcpu: Vcpu, at: Index) -> Drained:
        entry = self.pml[vm, vcpu, at]
        require(entry.used)
        reset(self.pml, lambda other, of, on, place: of == vm and on == vcpu)
        self.was_written(vm, entry.gfn)
        return Drained(vm, entry.gfn)


class NeverEmpty(EptPml):
    """A drained entry stays in the page-modification log, so that the log is full forever."""

    @operation
    def drain(self, vm: Vm, vcpu: Vcpu, at: Index) -> Drained:
        entry = self.pml[vm, vcpu, at]
        require(entry.used)
        self.was_written(vm, entry.gfn)
        return Drained(vm, entry.gfn)


class SentWithItsEntries(EptPml):
    """Sending a page removes its log entries while its dirty flag stays set, so that the next store adds no entry."""

    @operation
    def send(self, vm: Vm, gfn: Gfn) -> None:
        DirtyLog.send(self, vm, gfn)
        reset(self.pml, lambda entry, of, vcpu, at: of == vm and entry.gfn == gfn)


class WatchedWhileLarge(EptPml):
    """A page is watched while a large entry maps it, so that the log has one entry for all pages of the large entry."""

    def may_watch(self, vm: Vm, gfn: Gfn) -> bool:
        return WatchedByFlags.may_watch(self, vm, gfn)


class MergedWhileWatched(EptPml):
    """Pages that are watched for stores are merged into a large entry."""

    def kept_apart(self, vm: Vm, region: Region) -> int:
        return 0


class ForgottenWithTheFlush(PageModificationLogging, EptPmlAcknowledgedMmu):
    """A vCPU that acknowledges a flush also empties its page-modification log."""

    geometry = EptPml.geometry

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        EptPmlAcknowledgedMmu.acknowledge(self, vm, vcpu)
        reset(self.pml, lambda entry, of, on, at: of == vm and on == vcpu)


class AwayWhenDrained(PageModificationLogging, Swapping, EptPmlMmu):
    """The log entry of a page that was swapped out is dropped without marking the page."""

    geometry = EptPml.geometry.resized(Slot=1)

    def was_written(self, vm: Vm, gfn: Gfn) -> None:
        if self.in_frame(vm, gfn):
            PageModificationLogging.was_written(self, vm, gfn)


class MarkedUnlessTaken(EptPml):
    """A log entry marks a page only if the page was sent already, and not if the page is about to be sent."""

    def was_written(self, vm: Vm, gfn: Gfn) -> None:
        if self.sent[vm, gfn] == Sent.THERE:
            PageModificationLogging.was_written(self, vm, gfn)


class CleanedUnflushed(EptPml):
    """Flags are cleared without a flush, so that the next stores set no flag and add no log entry."""

    def flush_flags(self, vm: Vm) -> None:
        """Nothing."""


class LargeStoresUnlogged(EptPml):
    """A store to a large page adds no log entry."""

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
