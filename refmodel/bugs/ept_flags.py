"""Mutants of accessed and dirty flags in EPT entries: what they said is lost, or processors do not learn that they are clear."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptFlags
from refmodel.language import operation, require, reset
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Gfn, Region, Vcpu, Vm
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.mmu.ept_flags_acknowledged import EptFlagsAcknowledgedMmu
from refmodel.mmu.ept_sizes import EptSizesMmu, Resized
from refmodel.mmu.noted_flags import Aged
from refmodel.monitor.devices import Devices
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.p2m import P2m, Supply


class CollectedUnflushed(EptFlags):
    """Accessed and dirty flags are cleared, and processors continue to store without setting the flags again."""

    def flush_flags(self, vm: Vm) -> None:
        """Nothing."""


class AgedUnflushed(EptFlags):
    """Accessed flags are read and cleared without a flush, so that a page with a cached translation looks idle forever."""

    @operation
    def take_age(self, vm: Vm, gfn: Gfn) -> Aged:
        self.noted[vm, gfn] = attrs.evolve(self.noted[vm, gfn], accessed=False)
        self.happened[vm, gfn] = attrs.evolve(self.happened[vm, gfn], accessed=False)
        if self.is_covered(gfn) and self.upper[vm, self.region[gfn]].links:
            self.lower_flags[self.upper[vm, self.region[gfn]].table, self.at[gfn]] = Flags()
        return Aged(vm, gfn)


class YoungForEver(EptFlags):
    """A page that was accessed once looks accessed forever, however often its age is taken."""

    @operation
    def take_age(self, vm: Vm, gfn: Gfn) -> Aged:
        require(self.have_acknowledged(vm))
        return Aged(vm, gfn)


class PartsAreClean(EptFlags):
    """A large entry is split, and the small entries do not inherit its flags."""

    def divide(self, vm: Vm, region: Region) -> bool:
        self.upper_flags[vm, region] = Flags()
        return super().divide(vm, region)


class AgeForgottenInASplit(EptFlags):
    """A large entry is split, and the small entries inherit its dirty flag but not its accessed flag."""

    def divide(self, vm: Vm, region: Region) -> bool:
        self.upper_flags[vm, region] = Flags(False, self.upper_flags[vm, region].dirty)
        return super().divide(vm, region)


class DroppedUnnoted(EptFlags):
    """An EPT entry is removed, and its accessed and dirty flags are not recorded."""

    def clear_small(self, vm: Vm, gfn: Gfn) -> None:
        self.lower_flags[self.upper[vm, self.region[gfn]].table, self.at[gfn]] = Flags()


class UnlinkedUnnoted(EptFlags):
    """An EPT table is replaced by a large entry, and the accessed and dirty flags of the table's entries are lost."""

    def unlink_table(self, vm: Vm, region: Region) -> None:
        reset(self.lower_flags, lambda flags, of, at: of == self.upper[vm, region].table)
        EptSizesMmu.unlink_table(self, vm, region)


class FlagsOutliveTheEntry(EptFlags):
    """An EPT entry is removed and its flags stay, so that the next page mapped there looks dirty before any store."""

    def clear_small(self, vm: Vm, gfn: Gfn) -> None:
        self.noted[vm, gfn] = self.said_of(vm, gfn)


class StoresByCleanTranslations(EptFlags):
    """A store uses a translation that was cached for a load, and sets no dirty flag."""

    def small_serves(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> bool:
        return EptSizesMmu.small_serves(self, vm, vcpu, gfn, write)


class FlagsOfSmallEntriesOnly(EptFlags):
    """The dirty log reads only the flags of small entries, and misses stores to large pages."""

    geometry = EptFlags.further_geometries[0]

    def is_written(self, vm: Vm, gfn: Gfn) -> bool:
        small = self.lower_flags[self.upper[vm, self.region[gfn]].table, self.at[gfn]]
        return both(self.noted[vm, gfn], small).dirty


class MergedButLinked(EptFlags):
    """A table is replaced by a large entry that still names the table, whose flags then count for another page."""

    @operation
    def merge(self, vm: Vm, region: Region) -> Resized:
        table = self.upper[vm, region].table
        done = super().merge(vm, region)
        self.upper[vm, region] = attrs.evolve(self.upper[vm, region], table=table)
        return done


class NeverCleared(EptFlags):
    """The flags of a small entry are recorded when they are collected, and are not cleared."""

    def clear_small(self, vm: Vm, gfn: Gfn) -> None:
        self.noted[vm, gfn] = self.said_of(vm, gfn)
        if not self.lower[self.upper[vm, self.region[gfn]].table, self.at[gfn]].present:
            super().clear_small(vm, gfn)


class WrittenForEver(EptFlags):
    """A page begins to be watched and keeps its old dirty record, so that the page is sent forever."""

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class CleanBeforeOthersForgot(DirtyFlags, EptFlagsAcknowledgedMmu):
    """A page is sent when its flag is clear, although a vCPU without acknowledgement can still store without setting the flag."""

    geometry = EptFlags.geometry

    def may_be_clean(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.flags_of(vm, gfn).dirty


class DeviceStoresUnmarked(DirtyFlags, Devices, EptFlagsMmu):
    """A device maps a page that is already writable, and the page is not marked dirty, although devices set no flag."""

    geometry = EptFlags.geometry

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        return P2m.supply(self, vm, gfn, write)


class MonitorStoresUnmarked(DirtyFlags, GuestCopies, EptFlagsMmu):
    """The monitor stores to a page for the guest and does not mark the page, although such a store sets no flag."""

    geometry = EptFlags.further_geometries[0]

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        return P2m.supply(self, vm, gfn, write)


MUTANTS = {
    "flags-collected-unflushed": Mutant(CollectedUnflushed, "EQV-4"),
    "flags-aged-unflushed": Mutant(AgedUnflushed, "EQV-4"),
    "flags-parts-are-clean": Mutant(PartsAreClean, "EQV-4"),
    "flags-age-forgotten-in-a-split": Mutant(AgeForgottenInASplit, "EQV-4"),
    "flags-dropped-unnoted": Mutant(DroppedUnnoted, "EQV-4"),
    "flags-unlinked-unnoted": Mutant(UnlinkedUnnoted, "EQV-4"),
    "flags-outlive-the-entry": Mutant(FlagsOutliveTheEntry, "EQV-4"),
    "flags-stores-by-clean-translations": Mutant(StoresByCleanTranslations, "EQV-4"),
    "flags-of-small-entries-only": Mutant(FlagsOfSmallEntriesOnly, "EQV-4"),
    "flags-merged-but-linked": Mutant(MergedButLinked, "ISO-3"),
    "flags-never-cleared": Mutant(NeverCleared, "EFF-2"),
    "flags-written-for-ever": Mutant(WrittenForEver, "EFF-2"),
    "flags-young-for-ever": Mutant(YoungForEver, "EFF-2"),
    "flags-clean-before-others-forgot": Mutant(CleanBeforeOthersForgot, "EQV-4"),
    "flags-device-stores-unmarked": Mutant(DeviceStoresUnmarked, "EQV-4"),
    "flags-monitor-stores-unmarked": Mutant(MonitorStoresUnmarked, "EQV-4"),
}
"""By name."""
