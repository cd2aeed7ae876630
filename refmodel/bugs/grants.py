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
    """A grant is mapped by a VM that it does not name."""

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.writable or not write


class ReadOnlyInName(OnlyGrants):
    """A page that was offered for reading is mapped for storing."""

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.to == vm


class EndedInUse(OnlyGrants):
    """A grant entry comes to offer another page, or for reading only, while it is mapped."""

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        require(vm != to)
        self.grants[vm, ref] = attrs.evolve(self.grants[vm, ref], offered=True, page=gfn, to=to, writable=writable)
        return GrantOffered(vm, ref, self.grants[vm, ref])


class OfferedForStoring(OnlyGrants):
    """A page that its owner offers for reading only is offered for storing to it."""

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        done = super().grant_access(vm, ref, gfn, to, writable)
        self.grants[vm, ref] = attrs.evolve(self.grants[vm, ref], writable=True)
        return done


class GrantedToItself(OnlyGrants):
    """A VM offers a page to itself, and what its foreign page shows depends on a mapping that it does not know."""

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        require(not self.in_use(vm, ref))
        self.grants[vm, ref] = GrantEntry(True, to, gfn, writable)
        return GrantOffered(vm, ref, self.grants[vm, ref])


class AnotherIsMapped(OnlyGrants):
    """A grantee names an entry, and gets the page of another one that is offered to it too."""

    geometry = OnlyGrants.geometry.resized(Ref=2)

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        other: Ref = choose(Ref, lambda each: each != ref)
        return attrs.evolve(super().map_grant(vm, gfn, owner, other, write), ref=ref)


class MappedForStoring(OnlyGrants):
    """A grantee that asks for reading may store too, where the owner offers that."""

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        return attrs.evolve(super().map_grant(vm, gfn, owner, ref, write or self.grants[owner, ref].writable), write=write)


class MappedBesides(OnlyGrants):
    """A page is mapped at another guest frame besides the one that the grantee names."""

    geometry = OnlyGrants.geometry.resized(Gfn=2)

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        other: Gfn = choose(Gfn, lambda each: each != gfn)
        super().map_grant(vm, other, owner, ref, write)
        return super().map_grant(vm, gfn, owner, ref, write)


class AllAreRevoked(OnlyGrants):
    """The monitor takes one foreign page from a VM, and the VM loses all that it has mapped."""

    geometry = OnlyGrants.geometry.resized(Gfn=2)

    def unmap_foreign(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        assign(self.foreign, lambda mapping, of, at: of == vm and mapping.state == Foreign.MAPPED,
               lambda mapping, of, at: attrs.evolve(mapping, state=Foreign.UNMAPPED))
        return GrantEnded(vm, gfn, flushed=False)


class AnotherOfferEnds(OnlyGrants):
    """An owner ends an offer, and another one ends."""

    geometry = OnlyGrants.geometry.resized(Ref=2)

    @guest
    def end_access(self, vm: Vm, ref: Ref) -> OfferEnded:
        other: Ref = choose(Ref, lambda each: each != ref)
        return attrs.evolve(super().end_access(vm, other), ref=ref)


class OfferedBesides(OnlyGrants):
    """An owner writes a grant entry, and another one that is not in use comes to offer the same."""

    geometry = OnlyGrants.geometry.resized(Ref=2)

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        other: Ref = choose(Ref, lambda each: each != ref)
        super().grant_access(vm, other, gfn, to, writable)
        return super().grant_access(vm, ref, gfn, to, writable)


class UnmappedButCached(OnlyGrants):
    """A mapping's references go before processors have forgotten it."""

    def invalidate_foreign(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class ReferenceKept(OnlyGrants):
    """A mapping goes, and its page counts it still: the owner's page is held for ever."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        owner, page = self.foreign[vm, gfn].owner, self.foreign[vm, gfn].page
        references = self.foreign_references[owner, page]
        Grants.put_grant(self, vm, gfn)
        self.foreign_references[owner, page] = references


class EntryInUseForEver(OnlyGrants):
    """A mapping goes, and its grant entry counts it still: the owner can never end the offer."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        mapping = self.foreign[vm, gfn]
        grant = self.grants[mapping.owner, mapping.ref]
        Grants.put_grant(self, vm, gfn)
        self.grants[mapping.owner, mapping.ref] = grant


class GoneInName(OnlyGrants):
    """A mapping that is gone still names the page."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        mapping = self.foreign[vm, gfn]
        Grants.put_grant(self, vm, gfn)
        self.foreign[vm, gfn] = attrs.evolve(mapping, state=Foreign.NONE)


class StoredToReadOnly(OnlyGrants):
    """What is cached of a page that is mapped for reading lets stores through."""

    def access_foreign(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> ForeignAccess:
        require(self.foreign[vm, gfn].state == Foreign.MAPPED)
        mapping = self.foreign[vm, gfn]
        shown = self.touch(mapping.mfn, offset, access, value)
        return ForeignAccess(mapping.owner, mapping.page, shown,
                             self.bare_physical(mapping.owner, mapping.page, offset, access, value))


class LoadsFromOwnMemory(OnlyGrants):
    """Where the grantee has memory of its own at the guest frame of a foreign page, it loads from that."""

    def access_foreign(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> ForeignAccess:
        found = Grants.access_foreign(self, vm, gfn, offset, access, value)
        if access == Access.READ and self.p2m[vm, gfn].resident:
            return attrs.evolve(found, shown=attrs.evolve(found.shown, cell=self.memory[self.p2m[vm, gfn].mfn][offset]))
        return found


class NeverRevoked(OnlyGrants):
    """A grantee that does not let go cannot be made to."""

    def may_unmap_foreign(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class FlushedInName(OnlyGrants):
    """Processors forget what was unmapped, and the references are kept: the page is the grantee's for ever."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class RevokedInName(OnlyGrants):
    """The monitor ends a mapping, and the grantee goes on with it."""

    def unmap_foreign(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        require(self.may_unmap_foreign(vm, gfn))
        return GrantEnded(vm, gfn, flushed=False)


# ---------------------------------------------------------------- two features at once


class GrantedAndBallooned(GrantedMemory):
    """A page that another VM has mapped is not held: the balloon takes it."""

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class GrantedAndMerged(GrantedMemory):
    """A page that is mapped for reading only is left in the frame that it shares with others."""

    def needs_own_frame(self, write: bool) -> bool:
        return write


class GrantShortageIsAHole(GrantedMemory):
    """When no frame can be had for a page that is to leave a shared one, the grantee is told that there is no memory."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        return Supply.HOLE if found == Supply.LATER else found


class GrantedAndScanned(Grants, Ksm, ContractMmu):
    """KSM merges a page that another VM has mapped: stores by the grant change both pages that lie in the frame."""

    geometry = GrantedMemory.geometry.resized(Chain=1, naturals=2)

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class GrantedAndSwapped(Grants, Swapping, ContractMmu):
    """A page is written out, and taken from its frame, while another VM has it mapped."""

    geometry = GrantedMemory.geometry

    def may_write_back(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.p2m[vm, gfn].slot == NOTHING

    def may_swap_out(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.p2m[vm, gfn].slot != NOTHING


class GrantedAndHandedToDevice(Devices, Grants, Ballooning, ContractMmu):
    """Only devices are asked whether they hold a page: the balloon takes one that another VM has mapped."""

    geometry = GrantedMemory.geometry

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return self.holds[vm, gfn] != Hold.FREE


class GrantedAndMoved(Grants, Buddy, ContractMmu):
    """A page moves out of memory that is to be removed, and the grantee reaches the frame where it was."""

    geometry = GrantedMemory.geometry.resized(Block=2)

    def may_move(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.block_states[self.block[self.p2m[vm, gfn].mfn]].leaving


class GrantedAndMigrated(Grants, Migration, ContractMmu):
    """A page is handed over to another machine, and its grantee reaches the frame that it left."""

    geometry = GrantedMemory.geometry

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class StoresUnmarked(Grants, DirtyFlags, EptFlagsMmu):
    """A page that is mapped for storing is not marked: a store by the grant sets no dirty flag, also not that of a large page."""

    geometry = EptFlags.further_geometries[0].resized(Vm=2, Ref=1)

    def needs_own_frame(self, write: bool) -> bool:
        return False


class StoredToATracedTable(Grants, ShadowTracedMmu):
    """A store by a grant goes to a page that the owner uses as a table, and its shadow stays as it was."""

    geometry = ShadowTraced.geometry.resized(Vm=2, Vcpu=1, Gfn=1, Mfn=2, Ref=1)

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Nothing."""


class CachedOnceUnmapped(OnlyGrants):
    """A page that was unmapped is found by processors until the flush is done, and cached again."""

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
