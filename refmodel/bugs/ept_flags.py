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
    """Flags are cleared, and processors go on storing without setting them again."""

    def flush_flags(self, vm: Vm) -> None:
        """Nothing."""


class AgedUnflushed(EptFlags):
    """Ages are taken as flags are collected, and a page that a processor has cached is found old for ever."""

    @operation
    def take_age(self, vm: Vm, gfn: Gfn) -> Aged:
        self.noted[vm, gfn] = attrs.evolve(self.noted[vm, gfn], accessed=False)
        self.happened[vm, gfn] = attrs.evolve(self.happened[vm, gfn], accessed=False)
        if self.is_covered(gfn) and self.upper[vm, self.region[gfn]].links:
            self.lower_flags[self.upper[vm, self.region[gfn]].table, self.at[gfn]] = Flags()
        return Aged(vm, gfn)


class YoungForEver(EptFlags):
    """A page that was reached once is young for ever, whenever its age is taken."""

    @operation
    def take_age(self, vm: Vm, gfn: Gfn) -> Aged:
        require(self.have_acknowledged(vm))
        return Aged(vm, gfn)


class PartsAreClean(EptFlags):
    """A large entry is split, its flags are lost, and those of its parts are clear."""

    def divide(self, vm: Vm, region: Region) -> bool:
        self.upper_flags[vm, region] = Flags()
        return super().divide(vm, region)


class AgeForgottenInASplit(EptFlags):
    """A large entry is split, and its parts are written if it was, and not accessed."""

    def divide(self, vm: Vm, region: Region) -> bool:
        self.upper_flags[vm, region] = Flags(False, self.upper_flags[vm, region].dirty)
        return super().divide(vm, region)


class DroppedUnnoted(EptFlags):
    """An entry goes, and nobody notes what its flags said."""

    def clear_small(self, vm: Vm, gfn: Gfn) -> None:
        self.lower_flags[self.upper[vm, self.region[gfn]].table, self.at[gfn]] = Flags()


class UnlinkedUnnoted(EptFlags):
    """A table gives way to a large entry, and what the flags in it said is lost."""

    def unlink_table(self, vm: Vm, region: Region) -> None:
        reset(self.lower_flags, lambda flags, of, at: of == self.upper[vm, region].table)
        EptSizesMmu.unlink_table(self, vm, region)


class FlagsOutliveTheEntry(EptFlags):
    """An entry goes, its flags stay, and the page that is mapped there next is written before anybody stores to it."""

    def clear_small(self, vm: Vm, gfn: Gfn) -> None:
        self.noted[vm, gfn] = self.said_of(vm, gfn)


class StoresByCleanTranslations(EptFlags):
    """A store goes by a translation that was cached for a load, and sets no flag."""

    def small_serves(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> bool:
        return EptSizesMmu.small_serves(self, vm, vcpu, gfn, write)


class FlagsOfSmallEntriesOnly(EptFlags):
    """The log looks at small entries only, and misses stores to large pages."""

    geometry = EptFlags.further_geometries[0]

    def is_written(self, vm: Vm, gfn: Gfn) -> bool:
        small = self.lower_flags[self.upper[vm, self.region[gfn]].table, self.at[gfn]]
        return both(self.noted[vm, gfn], small).dirty


class MergedButLinked(EptFlags):
    """A table gives way to a large entry, which names the table still: its flags count for the page when another has it."""

    @operation
    def merge(self, vm: Vm, region: Region) -> Resized:
        table = self.upper[vm, region].table
        done = super().merge(vm, region)
        self.upper[vm, region] = attrs.evolve(self.upper[vm, region], table=table)
        return done


class NeverCleared(EptFlags):
    """The flags of a small entry are noted when they are collected, and stay set."""

    def clear_small(self, vm: Vm, gfn: Gfn) -> None:
        self.noted[vm, gfn] = self.said_of(vm, gfn)
        if not self.lower[self.upper[vm, self.region[gfn]].table, self.at[gfn]].present:
            super().clear_small(vm, gfn)


class WrittenForEver(EptFlags):
    """A page begins to be watched, and what its flag said before is not crossed out: it is sent again for ever."""

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class CleanBeforeOthersForgot(DirtyFlags, EptFlagsAcknowledgedMmu):
    """A page is sent when its flag is clear, and a vCPU that has yet to acknowledge stores to it without setting the flag."""

    geometry = EptFlags.geometry

    def may_be_clean(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.flags_of(vm, gfn).dirty


class DeviceStoresUnmarked(DirtyFlags, Devices, EptFlagsMmu):
    """A device is handed a page that may be written to already, and nobody marks it: devices set no flag."""

    geometry = EptFlags.geometry

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        return P2m.supply(self, vm, gfn, write)


class MonitorStoresUnmarked(DirtyFlags, GuestCopies, EptFlagsMmu):
    """The monitor stores to a page in the guest's name, and leaves the log to the flags."""

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
