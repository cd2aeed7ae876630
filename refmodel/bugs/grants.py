"""Mutants of grants between guests: alone, and together with other mechanisms."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptFlags, GrantedMemory, ShadowTraced
from refmodel.language import NOTHING, assign, choose, guest, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Ref, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.buddy import Buddy
from refmodel.monitor.devices import Devices, Hold
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.monitor.grants import (
    Foreign,
    ForeignAccess,
    GrantEnded,
    GrantEntry,
    GrantMapped,
    GrantOffered,
    Grants,
    OfferEnded,
)
from refmodel.monitor.ksm import Ksm
from refmodel.monitor.migration import Migration
from refmodel.monitor.p2m import Supply
from refmodel.monitor.swapping import Swapping


class OnlyGrants(Grants, ContractMmu):
    """Grants, and nothing beside them. (Right.)"""

    geometry = GrantedMemory.geometry


class GrantedToAnybody(OnlyGrants):
    """A VM maps a grant that names another VM."""

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.writable or not write


class ReadOnlyInName(OnlyGrants):
    """A page that was offered read-only is mapped writable."""

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.to == vm


class EndedInUse(OnlyGrants):
    """A grant entry changes its page or becomes read-only while it is mapped."""

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        require(vm != to)
        self.grants[vm, ref] = attrs.evolve(self.grants[vm, ref], offered=True, page=gfn, to=to, writable=writable)
        return GrantOffered(vm, ref, self.grants[vm, ref])


class OfferedForStoring(OnlyGrants):
    """A page that its owner offers read-only is offered writable."""

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        done = super().grant_access(vm, ref, gfn, to, writable)
        self.grants[vm, ref] = attrs.evolve(self.grants[vm, ref], writable=True)
        return done


class GrantedToItself(OnlyGrants):
    """A VM offers a page to itself, and its foreign page then depends on a mapping that the VM does not know."""

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        require(not self.in_use(vm, ref))
        self.grants[vm, ref] = GrantEntry(True, to, gfn, writable)
        return GrantOffered(vm, ref, self.grants[vm, ref])


class AnotherIsMapped(OnlyGrants):
    """A grantee names one grant entry, and gets the page of another entry that is offered to it."""

    geometry = OnlyGrants.geometry.resized(Ref=2)

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        other: Ref = choose(Ref, lambda each: each != ref)
        return attrs.evolve(super().map_grant(vm, gfn, owner, other, write), ref=ref)


class MappedForStoring(OnlyGrants):
    """A grantee that asks for a read-only mapping gets a writable one if the owner offers it."""

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        return attrs.evolve(super().map_grant(vm, gfn, owner, ref, write or self.grants[owner, ref].writable), write=write)


class MappedBesides(OnlyGrants):
    """A page is mapped at a second gfn besides the one that the grantee names."""

    geometry = OnlyGrants.geometry.resized(Gfn=2)

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        other: Gfn = choose(Gfn, lambda each: each != gfn)
        super().map_grant(vm, other, owner, ref, write)
        return super().map_grant(vm, gfn, owner, ref, write)


class AllAreRevoked(OnlyGrants):
    """The monitor removes one foreign mapping of a VM, and the VM loses all its foreign mappings."""

    geometry = OnlyGrants.geometry.resized(Gfn=2)

    def unmap_foreign(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        assign(
            self.foreign,
            lambda mapping, of, at: of == vm and mapping.state == Foreign.MAPPED,
            lambda mapping, of, at: attrs.evolve(mapping, state=Foreign.UNMAPPED),
        )
        return GrantEnded(vm, gfn, flushed=False)


class AnotherOfferEnds(OnlyGrants):
    """An owner ends one offer, and another offer ends."""

    geometry = OnlyGrants.geometry.resized(Ref=2)

    @guest
    def end_access(self, vm: Vm, ref: Ref) -> OfferEnded:
        other: Ref = choose(Ref, lambda each: each != ref)
        return attrs.evolve(super().end_access(vm, other), ref=ref)


class OfferedBesides(OnlyGrants):
    """An owner writes one grant entry, and a second unused entry offers the same page."""

    geometry = OnlyGrants.geometry.resized(Ref=2)

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        other: Ref = choose(Ref, lambda each: each != ref)
        super().grant_access(vm, other, gfn, to, writable)
        return super().grant_access(vm, ref, gfn, to, writable)


class UnmappedButCached(OnlyGrants):
    """A mapping's references are dropped before processors have flushed its translations."""

    def invalidate_foreign(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class ReferenceKept(OnlyGrants):
    """A mapping is removed and its page still counts it, so that the owner's page is pinned forever."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        owner, page = self.foreign[vm, gfn].owner, self.foreign[vm, gfn].page
        references = self.foreign_references[owner, page]
        Grants.put_grant(self, vm, gfn)
        self.foreign_references[owner, page] = references


class EntryInUseForEver(OnlyGrants):
    """A mapping is removed and its grant entry still counts it, so that the owner can never end the offer."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        mapping = self.foreign[vm, gfn]
        grant = self.grants[mapping.owner, mapping.ref]
        Grants.put_grant(self, vm, gfn)
        self.grants[mapping.owner, mapping.ref] = grant


class GoneInName(OnlyGrants):
    """The record of a removed mapping still names the page."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        mapping = self.foreign[vm, gfn]
        Grants.put_grant(self, vm, gfn)
        self.foreign[vm, gfn] = attrs.evolve(mapping, state=Foreign.NONE)


class StoredToReadOnly(OnlyGrants):
    """A cached translation of a page that is mapped read-only lets stores through."""

    def access_foreign(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> ForeignAccess:
        require(self.foreign[vm, gfn].state == Foreign.MAPPED)
        mapping = self.foreign[vm, gfn]
        shown = self.touch(mapping.mfn, offset, access, value)
        return ForeignAccess(
            mapping.owner, mapping.page, shown, self.bare_physical(mapping.owner, mapping.page, offset, access, value)
        )


class LoadsFromOwnMemory(OnlyGrants):
    """If the grantee has own memory at the gfn of a foreign page, its loads read the own memory."""

    def access_foreign(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> ForeignAccess:
        found = Grants.access_foreign(self, vm, gfn, offset, access, value)
        if access == Access.READ and self.p2m[vm, gfn].resident:
            return attrs.evolve(found, shown=attrs.evolve(found.shown, cell=self.memory[self.p2m[vm, gfn].mfn][offset]))
        return found


class NeverRevoked(OnlyGrants):
    """The monitor cannot end a mapping that the grantee keeps."""

    def may_unmap_foreign(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class FlushedInName(OnlyGrants):
    """Processors flush an unmapped foreign page, and its references are kept forever."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class RevokedInName(OnlyGrants):
    """The monitor reports a mapping as ended, and the grantee continues to use it."""

    def unmap_foreign(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        require(self.may_unmap_foreign(vm, gfn))
        return GrantEnded(vm, gfn, flushed=False)


# ---------------------------------------------------------------- two features at once


class GrantedAndBallooned(GrantedMemory):
    """A page that another VM has mapped is not pinned, and goes into the balloon."""

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class GrantedAndMerged(GrantedMemory):
    """A page that another VM maps read-only stays in a shared frame."""

    def needs_own_frame(self, write: bool) -> bool:
        return write


class GrantShortageIsAHole(GrantedMemory):
    """When no frame is free for a page that must leave a shared frame, the grantee gets a missing-memory error."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        return Supply.HOLE if found == Supply.LATER else found


class GrantedAndScanned(Grants, Ksm, ContractMmu):
    """KSM merges a page that another VM has mapped, so that stores through the grant mapping change both."""

    geometry = GrantedMemory.geometry.resized(Chain=1, naturals=2)

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class GrantedAndSwapped(Grants, Swapping, ContractMmu):
    """A page is swapped out while another VM has mapped it."""

    geometry = GrantedMemory.geometry

    def may_write_back(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.p2m[vm, gfn].slot == NOTHING

    def may_swap_out(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.p2m[vm, gfn].slot != NOTHING


class GrantedAndHandedToDevice(Devices, Grants, Ballooning, ContractMmu):
    """Only device pins are checked, so that a page that another VM has mapped goes into the balloon."""

    geometry = GrantedMemory.geometry

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return self.holds[vm, gfn] != Hold.FREE


class GrantedAndMoved(Grants, Buddy, ContractMmu):
    """A page moves out of a block that is to be removed, and the grantee still accesses the old frame."""

    geometry = GrantedMemory.geometry.resized(Block=2)

    def may_move(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.block_states[self.block[self.p2m[vm, gfn].mfn]].leaving


class GrantedAndMigrated(Grants, Migration, ContractMmu):
    """A page is handed over to the destination machine, and its grantee still accesses the old frame."""

    geometry = GrantedMemory.geometry

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class StoresUnmarked(Grants, DirtyFlags, EptFlagsMmu):
    """A page with a writable grant mapping is not marked dirty, although stores through the mapping set no dirty flag."""

    geometry = EptFlags.further_geometries[0].resized(Vm=2, Ref=1)

    def needs_own_frame(self, write: bool) -> bool:
        return False


class StoredToATracedTable(Grants, ShadowTracedMmu):
    """A store through a grant mapping changes a page that the page's owner uses as a page table, and the shadow table stays."""

    geometry = ShadowTraced.geometry.resized(Vm=2, Vcpu=1, Gfn=1, Mfn=2, Ref=1)

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Nothing."""


class CachedOnceUnmapped(OnlyGrants):
    """Processors still find an unmapped foreign page until its flush, and cache the page again."""

    def is_mapped(self, vm: Vm, gfn: Gfn) -> bool:
        return self.foreign[vm, gfn].state != Foreign.NONE


MUTANTS = {
    "grant-to-anybody": Mutant(GrantedToAnybody, "ISO-1"),
    "grant-offered-for-storing": Mutant(OfferedForStoring, "ISO-1"),
    "grant-read-only-in-name": Mutant(ReadOnlyInName, "ISO-1"),
    "grant-to-itself": Mutant(GrantedToItself, "ISO-6"),
    "grant-ended-in-use": Mutant(EndedInUse, "ISO-1"),
    "grant-another-is-mapped": Mutant(AnotherIsMapped, "ISO-1"),
    "grant-mapped-for-storing": Mutant(MappedForStoring, "ISO-1"),
    "grant-mapped-besides": Mutant(MappedBesides, "ISO-1"),
    "grant-all-are-revoked": Mutant(AllAreRevoked, "RES-3"),
    "grant-another-offer-ends": Mutant(AnotherOfferEnds, "ISO-1"),
    "grant-offered-besides": Mutant(OfferedBesides, "ISO-1"),
    "grant-unmapped-but-cached": Mutant(UnmappedButCached, "ISO-1"),
    "grant-cached-once-unmapped": Mutant(CachedOnceUnmapped, "ISO-1"),
    "grant-reference-kept": Mutant(ReferenceKept, "RES-1"),
    "grant-entry-in-use-for-ever": Mutant(EntryInUseForEver, "RES-1"),
    "grant-gone-in-name": Mutant(GoneInName, "RES-1"),
    "grant-stored-to-read-only": Mutant(StoredToReadOnly, "ISO-5"),
    "grant-loads-from-own-memory": Mutant(LoadsFromOwnMemory, "EQV-1"),
    "grant-never-revoked": Mutant(NeverRevoked, "RES-3"),
    "grant-flushed-in-name": Mutant(FlushedInName, "RES-3"),
    "grant-revoked-in-name": Mutant(RevokedInName, "RES-3"),
    "grant-shortage-is-a-hole": Mutant(GrantShortageIsAHole, "EQV-2"),
    "grant-ballooned": Mutant(GrantedAndBallooned, "ISO-1"),
    "grant-mapped-while-shared": Mutant(GrantedAndMerged, "ISO-2"),
    "grant-merged-by-ksm": Mutant(GrantedAndScanned, "ISO-2"),
    "grant-written-out": Mutant(GrantedAndSwapped, "ISO-2"),
    "grant-let-go-by-the-device": Mutant(GrantedAndHandedToDevice, "ISO-1"),
    "grant-page-moved": Mutant(GrantedAndMoved, "ISO-1"),
    "grant-page-handed-over": Mutant(GrantedAndMigrated, "ISO-1"),
    "grant-stores-unmarked": Mutant(StoresUnmarked, "EQV-4"),
    "grant-stores-to-a-traced-table": Mutant(StoredToATracedTable, "EQV-5"),
}
"""By name."""
