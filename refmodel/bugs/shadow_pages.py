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
    """Two paths to one table, with different rights, share its shadow page."""

    def leaf_role(self, root: Role, above: Cell) -> Role:
        return attrs.evolve(super().leaf_role(root, above), writable=True, user=True, executable=True)


class LargeEntryTakenForDirty(ShadowPages):
    """The direct page of a large entry that is not dirty is that of a dirty one."""

    def leaf_role(self, root: Role, above: Cell) -> Role:
        return attrs.evolve(super().leaf_role(root, above), dirty=above.large)


class WriteProtectNotInTheRole(ShadowPages):
    """Shadow pages are shared whatever CR0.WP is, with entries in them that are a supervisor's."""

    def root_role(self, vm: Vm, vcpu: Vcpu) -> Role:
        return attrs.evolve(super().root_role(vm, vcpu), wp=False)


class SmepNotInTheRole(ShadowPages):
    """With CR0.WP clear it makes no difference to the role whether there is SMEP."""

    [geometry] = ShadowPages.further_geometries

    def root_role(self, vm: Vm, vcpu: Vcpu) -> Role:
        return attrs.evolve(super().root_role(vm, vcpu), smep_andnot_wp=False)


class SmapNotInTheRole(ShadowPages):
    """With CR0.WP clear it makes no difference to the role whether there is SMAP."""

    [geometry] = ShadowPages.further_geometries

    def root_role(self, vm: Vm, vcpu: Vcpu) -> Role:
        return attrs.evolve(super().root_role(vm, vcpu), smap_andnot_wp=False)


class RootsOutliveTheFlags(ShadowPages):
    """MOV to CR0 and CR4 leaves the processor with the root that it has."""

    [geometry] = ShadowPages.further_geometries

    def mode_changes(self, vm: Vm, vcpu: Vcpu, was: Mode, mode: Mode) -> None:
        pass


class UsersPagesExecutedBySupervisors(ShadowPages):
    """What is a supervisor's now, so that it can be written to, can be executed too, whoever's it was."""

    geometry = attrs.evolve(ShadowPages.geometry, only={
        Cell: (attrs.evolve(READ_ONLY_FOR_USERS, large=True),), Mode: (Mode(wp=False), Mode(wp=False, smep=True))})

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return attrs.evolve(super().made_for(vm, entry, access, mode), executable=entry.executable)


class LargePageTakenForItsFirst(ShadowPages):
    """Every small page of a large one is shadowed by the first."""

    def guest_path(self, vm: Vm, above: Cell, page: Index) -> Cell:
        if above.large:
            return path(above, Cell(True, True, True, above.gfn, True, True, above.dirty))
        return super().guest_path(vm, above, page)


# ---------------------------------------------------------------- what leads to a shadow page, or to a page


class ZappedEntriesStayInTheReverseMap(ShadowPages):
    """A shadow page goes, and the reverse map keeps its entries."""

    def clear(self, shadow: ShadowPage) -> None:
        reset(self.links, lambda child, parent, upper: parent == shadow)
        reset(self.parents, lambda linked, child, parent, upper: parent == shadow)
        reset(self.leaves, lambda entry, s, page: s == shadow)


class ParentsLeadOn(ShadowPages):
    """A shadow page goes, and what links to it stays."""

    def cut(self, shadow: ShadowPage) -> None:
        reset(self.parents, lambda linked, child, parent, upper: child == shadow)


class RootsOutliveTheZap(ShadowPages):
    """A shadow page goes, and the processors that have it for a root keep it."""

    @operation
    def zap(self, shadow: ShadowPage) -> None:
        require(self.roles[shadow].used)
        self.cut(shadow)
        self.clear(shadow)
        self.roles[shadow] = Role()


class ZappedPageKeepsItsEntries(ShadowPages):
    """A shadow page goes back to the pool with its entries in it."""

    def clear(self, shadow: ShadowPage) -> None:
        reset(self.links, lambda child, parent, upper: parent == shadow)
        reset(self.parents, lambda linked, child, parent, upper: parent == shadow)


class EntriesOutliveThePage(ShadowPages):
    """A page goes; processors forget it, and shadow pages do not."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.tlb, lambda entry, v, vcpu, upper, page: v == vm and entry.gfn == gfn)


class ProcessorsRememberThePage(ShadowPages):
    """A page goes, and so do the entries that map it; processors remember them."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.leaves, lambda entry, shadow, page: self.rmap[vm, gfn, shadow, page])
        reset(self.rmap, lambda mapped, v, g, shadow, page: v == vm and g == gfn)


class TableGoesItsShadowStays(ShadowPages):
    """A page goes that was a table, and what was made of its entries stays."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.protect(vm, gfn)


# ---------------------------------------------------------------- tracking


class TablesNotTracked(ShadowPages):
    """A page becomes a table, and the guest writes to it as before."""

    def track(self, vm: Vm, gfn: Gfn) -> None:
        pass


class WritersNotStopped(ShadowPages):
    """A page becomes a table, and those that could write to it still can."""

    def track(self, vm: Vm, gfn: Gfn) -> None:
        self.tracked[vm, gfn] = True


class ProcessorsNotStopped(ShadowPages):
    """A page becomes a table: it is taken from the shadow pages, and not from what processors remember."""

    geometry = attrs.evolve(ShadowPages.geometry.resized(Vcpu=2, ShadowPage=3), only={
        Cell: (Cell(True, True, True, gfn=0, large=True),), Mode: (Mode(),)})

    def track(self, vm: Vm, gfn: Gfn) -> None:
        if not self.tracked[vm, gfn]:
            self.tracked[vm, gfn] = True
            reset(self.leaves, lambda entry, shadow, page: self.rmap[vm, gfn, shadow, page])
            reset(self.rmap, lambda mapped, v, g, shadow, page: v == vm and g == gfn)


class TablesMadeWritable(ShadowPages):
    """An entry that is made for a load lets the guest write, whether the page is a table or not."""

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        made = super().made_for(vm, entry, access, mode)
        return attrs.evolve(made, writable=made.writable or (entry.writable and entry.dirty and self.p2m[vm, entry.gfn].writable))


class UntrackedTooEarly(ShadowPages):
    """A page is written to freely again, though shadow pages are made of it."""

    @operation
    def untrack(self, vm: Vm, gfn: Gfn) -> None:
        require(self.tracked[vm, gfn])
        self.tracked[vm, gfn] = False


class StoresSeenAtTheLowerLevelOnly(ShadowPages):
    """The monitor carries a store to a table out, and drops the leaf entry that was made of it, but not the link."""

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        reset(self.leaves, lambda entry, shadow, page: page == offset and self.made_of(shadow, vm, gfn))
        reset(self.rmap, lambda mapped, v, g, shadow, page: page == offset and self.made_of(shadow, vm, gfn))


class StoresSeenAtTheUpperLevelOnly(ShadowPages):
    """The monitor carries a store to a table out, and drops the link that was made of it, but not the leaf entry."""

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        reset(self.links, lambda child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn))
        reset(self.parents, lambda linked, child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn))


# ---------------------------------------------------------------- flags


class WritableFromTheStart(ShadowPages):
    """An entry that is made for a load lets the guest store as well, and the first store sets no dirty flag."""

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return super().made_for(vm, attrs.evolve(entry, dirty=True), access, mode)


class MarksAsAReader(ShadowPages):
    """To mark an entry the monitor has its page supplied for reading, so that a page that is read-only stays so for ever."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        if not self.p2m[vm, table].writable:
            self.supply(vm, table, write=False)
            return False
        return super().mark_entry(vm, table, index, cell)


class MarkedInName(ShadowPages):
    """An entry is said to be marked, and is not."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        return True


class NobodyMarksEntries(ShadowPages):
    """The monitor leaves accessed flags to the processor, which does not see the guest's tables."""

    def unmarked(self, cell: Cell, write: bool, maps: bool) -> bool:
        return maps and write and not cell.dirty


class FlagsSetInASharedPage(ShadowPages):
    """The monitor marks an entry where it lies, and the page is another VM's too."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        self.access_for_guest(vm, table, index, Access.WRITE, cell)
        return True


class FlagsSetWithoutTheGuest(ShadowPages):
    """A guest's entry is marked as dirty together with the accessed flag, though the guest only loads."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        return super().mark_entry(vm, table, index, attrs.evolve(cell, dirty=True))


class EmulatedStoreForgetsDirty(ShadowPages):
    """The monitor carries a store out, and leaves the entry that maps the page clean."""

    def owes_flags(self, entry: Cell) -> bool:
        return not entry.accessed


class EmulatedStoreForgetsAccessed(ShadowPages):
    """The monitor carries a store out by a leaf entry that is dirty. It looks at no accessed flag, not even in the
    upper entry."""

    geometry = attrs.evolve(ShadowPages.geometry.resized(Gfn=1, Mfn=1, Index=2), only={
        Cell: (Cell(True, True, True, gfn=0),), Mode: (Mode(),)})

    def owes_flags(self, entry: Cell) -> bool:
        return not entry.dirty


class TrackedStoresNotCarriedOut(ShadowPages):
    """A store to a tracked page exits, and nobody carries it out."""

    def ready_to_emulate(self, vm: Vm, entry: Cell, mode: Mode) -> bool:
        return super().ready_to_emulate(vm, entry, mode) and not self.tracked[vm, entry.gfn]


class PrefilledTlb(ShadowPages):
    """The processor is handed the entry that was made, before the guest's processor would have cached any."""

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> LinearFilled:
        outcome = super().page_fault(vm, vcpu, upper, page, access)
        self.tlb[vm, vcpu, upper, page] = self.walked(vm, vcpu, upper, page)
        return outcome


class NothingMadeWritable(ShadowPages):
    """A fault on a store is said to be served, and the entry lets nobody store."""

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return attrs.evolve(super().made_for(vm, entry, access, mode), writable=False)


class LoadedWhateverTheRole(ShadowPages):
    """A shadow page that is in use is taken for a root as it is, whatever it was made of."""

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
