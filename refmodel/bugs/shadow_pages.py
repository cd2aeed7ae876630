"""Mutants of shadow pages: roles that leave something out, what leads to them forgotten, and flags that nobody sets."""

import attrs

from refmodel.bare_levels import path
from refmodel.bugs.mutant import Mutant
from refmodel.designs import ShadowPages
from refmodel.geometries import READ_ONLY_FOR_USERS
from refmodel.language import operation, require, reset
from refmodel.machine.cells import Access, Cell, Mode
from refmodel.machine.names import Gfn, Index, ShadowPage, Vcpu, Vm
from refmodel.mmu.shadow import ShadowEntry
from refmodel.mmu.shadow_pages import Role
from refmodel.mmu.two_levels import LinearFilled

# ---------------------------------------------------------------- roles


class RightsAboveForgotten(ShadowPages):
    """Two paths to one table share its shadow page although the paths have different rights."""

    def leaf_role(self, root: Role, above: Cell) -> Role:
        return attrs.evolve(super().leaf_role(root, above), writable=True, user=True, executable=True)


class LargeEntryTakenForDirty(ShadowPages):
    """A large entry that is not dirty uses the direct shadow page of a dirty large entry."""

    def leaf_role(self, root: Role, above: Cell) -> Role:
        return attrs.evolve(super().leaf_role(root, above), dirty=above.large)


class WriteProtectNotInTheRole(ShadowPages):
    """Shadow pages with supervisor entries are shared between guests with CR0.WP set and clear."""

    def root_role(self, vm: Vm, vcpu: Vcpu) -> Role:
        return attrs.evolve(super().root_role(vm, vcpu), wp=False)


class SmepNotInTheRole(ShadowPages):
    """With CR0.WP clear, the role of a shadow page does not depend on SMEP."""

    [geometry] = ShadowPages.further_geometries

    def root_role(self, vm: Vm, vcpu: Vcpu) -> Role:
        return attrs.evolve(super().root_role(vm, vcpu), smep_andnot_wp=False)


class SmapNotInTheRole(ShadowPages):
    """With CR0.WP clear, the role of a shadow page does not depend on SMAP."""

    [geometry] = ShadowPages.further_geometries

    def root_role(self, vm: Vm, vcpu: Vcpu) -> Role:
        return attrs.evolve(super().root_role(vm, vcpu), smap_andnot_wp=False)


class RootsOutliveTheFlags(ShadowPages):
    """MOV to CR0 or CR4 leaves the processor with its old root."""

    [geometry] = ShadowPages.further_geometries

    def mode_changes(self, vm: Vm, vcpu: Vcpu, was: Mode, mode: Mode) -> None:
        pass


class UsersPagesExecutedBySupervisors(ShadowPages):
    """A user's page that becomes a supervisor's page in the shadow, so that it can be stored to, stays executable."""

    geometry = attrs.evolve(
        ShadowPages.geometry,
        only={Cell: (attrs.evolve(READ_ONLY_FOR_USERS, large=True),), Mode: (Mode(wp=False), Mode(wp=False, smep=True))},
    )

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return attrs.evolve(super().made_for(vm, entry, access, mode), executable=entry.executable)


class LargePageTakenForItsFirst(ShadowPages):
    """Every small page of a guest's large page is shadowed by the first small page."""

    def guest_path(self, vm: Vm, above: Cell, page: Index) -> Cell:
        if above.large:
            return path(above, Cell(True, True, True, above.gfn, True, True, above.dirty))
        return super().guest_path(vm, above, page)


# ---------------------------------------------------------------- what leads to a shadow page, or to a page


class ZappedEntriesStayInTheReverseMap(ShadowPages):
    """A shadow page is zapped, and the rmap keeps its entries."""

    def clear(self, shadow: ShadowPage) -> None:
        reset(self.links, lambda child, parent, upper: parent == shadow)
        reset(self.parents, lambda linked, child, parent, upper: parent == shadow)
        reset(self.leaves, lambda entry, s, page: s == shadow)


class ParentsLeadOn(ShadowPages):
    """A shadow page is zapped, and its parents still link to it."""

    def cut(self, shadow: ShadowPage) -> None:
        reset(self.parents, lambda linked, child, parent, upper: child == shadow)


class RootsOutliveTheZap(ShadowPages):
    """A root shadow page is zapped, and processors still have it loaded."""

    @operation
    def zap(self, shadow: ShadowPage) -> None:
        require(self.roles[shadow].used)
        self.cut(shadow)
        self.clear(shadow)
        self.roles[shadow] = Role()


class ZappedPageKeepsItsEntries(ShadowPages):
    """A shadow page returns to the pool with its entries present."""

    def clear(self, shadow: ShadowPage) -> None:
        reset(self.links, lambda child, parent, upper: parent == shadow)
        reset(self.parents, lambda linked, child, parent, upper: parent == shadow)


class EntriesOutliveThePage(ShadowPages):
    """A page is removed and processors flush it, and shadow pages keep its entries."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.tlb, lambda entry, v, vcpu, upper, page: v == vm and entry.gfn == gfn)


class ProcessorsRememberThePage(ShadowPages):
    """A page and its shadow entries are removed, and processors keep their cached translations."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.leaves, lambda entry, shadow, page: self.rmap[vm, gfn, shadow, page])
        reset(self.rmap, lambda mapped, v, g, shadow, page: v == vm and g == gfn)


class TableGoesItsShadowStays(ShadowPages):
    """A guest table's page is removed, and the shadow pages of the table stay."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.protect(vm, gfn)


# ---------------------------------------------------------------- tracking


class TablesNotTracked(ShadowPages):
    """A page becomes a guest table, and the guest can still store to it."""

    def track(self, vm: Vm, gfn: Gfn) -> None:
        pass


class WritersNotStopped(ShadowPages):
    """A page becomes a guest table, and its writable shadow entries stay."""

    def track(self, vm: Vm, gfn: Gfn) -> None:
        self.tracked[vm, gfn] = True


class ProcessorsNotStopped(ShadowPages):
    """A page becomes a guest table: its writable shadow entries are removed, and cached translations are not."""

    geometry = attrs.evolve(
        ShadowPages.geometry.resized(Vcpu=2, ShadowPage=3),
        only={Cell: (Cell(True, True, True, gfn=0, large=True),), Mode: (Mode(),)},
    )

    def track(self, vm: Vm, gfn: Gfn) -> None:
        if not self.tracked[vm, gfn]:
            self.tracked[vm, gfn] = True
            reset(self.leaves, lambda entry, shadow, page: self.rmap[vm, gfn, shadow, page])
            reset(self.rmap, lambda mapped, v, g, shadow, page: v == vm and g == gfn)


class TablesMadeWritable(ShadowPages):
    """An entry that is created for a load is writable even if the page is a guest table."""

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        made = super().made_for(vm, entry, access, mode)
        return attrs.evolve(made, writable=made.writable or (entry.writable and entry.dirty and self.p2m[vm, entry.gfn].writable))


class UntrackedTooEarly(ShadowPages):
    """A guest table is no longer write-tracked although it still has shadow pages."""

    @operation
    def untrack(self, vm: Vm, gfn: Gfn) -> None:
        require(self.tracked[vm, gfn])
        self.tracked[vm, gfn] = False


class StoresSeenAtTheLowerLevelOnly(ShadowPages):
    """The monitor emulates a store to a table, and drops the shadow leaf entry of the word but not the shadow link."""

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        reset(self.leaves, lambda entry, shadow, page: page == offset and self.made_of(shadow, vm, gfn))
        reset(self.rmap, lambda mapped, v, g, shadow, page: page == offset and self.made_of(shadow, vm, gfn))


class StoresSeenAtTheUpperLevelOnly(ShadowPages):
    """The monitor emulates a store to a table, and drops the shadow link of the word but not the shadow leaf entry."""

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        reset(self.links, lambda child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn))
        reset(self.parents, lambda linked, child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn))


# ---------------------------------------------------------------- flags


class WritableFromTheStart(ShadowPages):
    """An entry that is created for a load is writable, so that the first store sets no dirty flag."""

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return super().made_for(vm, attrs.evolve(entry, dirty=True), access, mode)


class MarksAsAReader(ShadowPages):
    """To set flags, the monitor asks for the guest table's page read-only, so that a read-only page stays so forever."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        if not self.p2m[vm, table].writable:
            self.supply(vm, table, write=False)
            return False
        return super().mark_entry(vm, table, index, cell)


class MarkedInName(ShadowPages):
    """The flags of a guest entry are reported as set, and are not set."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        return True


class NobodyMarksEntries(ShadowPages):
    """The monitor leaves accessed flags to the processor, which does not walk the guest's tables."""

    def unmarked(self, cell: Cell, write: bool, maps: bool) -> bool:
        return maps and write and not cell.dirty


class FlagsSetInASharedPage(ShadowPages):
    """The monitor sets a flag in a guest table whose frame is shared, without first giving the VM a private frame."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        self.access_for_guest(vm, table, index, Access.WRITE, cell)
        return True


class FlagsSetWithoutTheGuest(ShadowPages):
    """A load sets the dirty flag of the guest's entry together with the accessed flag."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        return super().mark_entry(vm, table, index, attrs.evolve(cell, dirty=True))


class EmulatedStoreForgetsDirty(ShadowPages):
    """The monitor emulates a store, and does not set the dirty flag of the entry that maps the page."""

    def owes_flags(self, entry: Cell) -> bool:
        return not entry.accessed


class EmulatedStoreForgetsAccessed(ShadowPages):
    """The monitor emulates a store through a dirty leaf entry, and sets no accessed flag, not even in the upper entry."""

    geometry = attrs.evolve(
        ShadowPages.geometry.resized(Gfn=1, Mfn=1, Index=2), only={Cell: (Cell(True, True, True, gfn=0),), Mode: (Mode(),)}
    )

    def owes_flags(self, entry: Cell) -> bool:
        return not entry.dirty


class TrackedStoresNotCarriedOut(ShadowPages):
    """A store to a tracked page exits and is never emulated."""

    def ready_to_emulate(self, vm: Vm, entry: Cell, mode: Mode) -> bool:
        return super().ready_to_emulate(vm, entry, mode) and not self.tracked[vm, entry.gfn]


class PrefilledTlb(ShadowPages):
    """The processor caches a new shadow entry before the bare machine's processor could cache the translation."""

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> LinearFilled:
        outcome = super().page_fault(vm, vcpu, upper, page, access)
        self.tlb[vm, vcpu, upper, page] = self.walked(vm, vcpu, upper, page)
        return outcome


class NothingMadeWritable(ShadowPages):
    """A fault on a store is reported as served, and the entry stays read-only."""

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return attrs.evolve(super().made_for(vm, entry, access, mode), writable=False)


class LoadedWhateverTheRole(ShadowPages):
    """A shadow page in use is loaded as a root, whatever its role."""

    @operation
    def load_root(self, vm: Vm, vcpu: Vcpu, shadow: ShadowPage) -> None:
        require(self.paging[vm, vcpu].enabled)
        if not self.roles[shadow].used:
            self.use(shadow, self.root_role(vm, vcpu))
        self.roots[vm, vcpu] = shadow


MUTANTS = {
    "pages-rights-above-forgotten": Mutant(RightsAboveForgotten, "EQV-5"),
    "pages-large-entry-taken-for-dirty": Mutant(LargeEntryTakenForDirty, "EQV-5"),
    "pages-write-protect-not-in-the-role": Mutant(WriteProtectNotInTheRole, "EQV-5"),
    "pages-smep-not-in-the-role": Mutant(SmepNotInTheRole, "EQV-5"),
    "pages-smap-not-in-the-role": Mutant(SmapNotInTheRole, "EQV-5"),
    "pages-roots-outlive-the-flags": Mutant(RootsOutliveTheFlags, "EQV-5"),
    "pages-users-pages-executed-by-supervisors": Mutant(UsersPagesExecutedBySupervisors, "EQV-5"),
    "pages-large-page-taken-for-its-first": Mutant(LargePageTakenForItsFirst, "EQV-5"),
    "pages-zapped-entries-stay-in-the-reverse-map": Mutant(ZappedEntriesStayInTheReverseMap, "ISO-3"),
    "pages-parents-lead-on": Mutant(ParentsLeadOn, "ISO-3"),
    "pages-roots-outlive-the-zap": Mutant(RootsOutliveTheZap, "EQV-5"),
    "pages-zapped-page-keeps-its-entries": Mutant(ZappedPageKeepsItsEntries, "EQV-5"),
    "pages-entries-outlive-the-page": Mutant(EntriesOutliveThePage, "ISO-1"),
    "pages-processors-remember-the-page": Mutant(ProcessorsRememberThePage, "ISO-1"),
    "pages-table-goes-its-shadow-stays": Mutant(TableGoesItsShadowStays, "EQV-5"),
    "pages-tables-not-tracked": Mutant(TablesNotTracked, "EQV-5"),
    "pages-writers-not-stopped": Mutant(WritersNotStopped, "EQV-5"),
    "pages-processors-not-stopped": Mutant(ProcessorsNotStopped, "EQV-5"),
    "pages-tables-made-writable": Mutant(TablesMadeWritable, "EQV-5"),
    "pages-untracked-too-early": Mutant(UntrackedTooEarly, "EQV-5"),
    "pages-stores-seen-at-the-lower-level-only": Mutant(StoresSeenAtTheLowerLevelOnly, "EQV-5"),
    "pages-stores-seen-at-the-upper-level-only": Mutant(StoresSeenAtTheUpperLevelOnly, "EQV-5"),
    "pages-writable-from-the-start": Mutant(WritableFromTheStart, "EQV-4"),
    "pages-marked-in-name": Mutant(MarkedInName, "EFF-2"),
    "pages-marks-as-a-reader": Mutant(MarksAsAReader, "EFF-2"),
    "pages-nobody-marks-entries": Mutant(NobodyMarksEntries, "EQV-4"),
    "pages-flags-set-in-a-shared-page": Mutant(FlagsSetInASharedPage, "ISO-2"),
    "pages-flags-set-without-the-guest": Mutant(FlagsSetWithoutTheGuest, "EQV-1"),
    "pages-emulated-store-forgets-dirty": Mutant(EmulatedStoreForgetsDirty, "EQV-4"),
    "pages-emulated-store-forgets-accessed": Mutant(EmulatedStoreForgetsAccessed, "EQV-4"),
    "pages-tracked-stores-not-carried-out": Mutant(TrackedStoresNotCarriedOut, "EFF-2"),
    "pages-prefilled-tlb": Mutant(PrefilledTlb, "EQV-5"),
    "pages-nothing-made-writable": Mutant(NothingMadeWritable, "EFF-2"),
    "pages-loaded-whatever-the-role": Mutant(LoadedWhateverTheRole, "EQV-5"),
}
"""By name."""
