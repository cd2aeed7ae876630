"""Grants: a guest lets another guest map its pages, and the monitor can end each mapping (Xen's ``grant_table.c``; Barham et al.,
SOSP 2003).

The owner of a page writes a *grant entry*: which VM may map the page, and whether for reading only. The grantee maps it at a guest
frame that it has set aside for foreign pages, apart from its own memory. The entry is in use for as long as anything is mapped: the
owner can neither end nor change it.

A page that is mapped by a grant is *held*, as a page that a device reaches is. It lies in a frame of its own, where the owner's
next store finds it too, and it stays there: it is not merged, written out, moved, or taken by the balloon.

A mapping ends in two steps. The entry goes; processors may still have it cached; only when they have flushed are the references
given up. (XSA-218 and XSA-230: Xen told the owner too early that nothing was mapped any more.) The monitor can end a mapping
itself, when the owner's memory has to be regained or the owner is gone.

Pages do not change their owner here. Since XSA-217, Xen transfers pages of guests with direct paging only.
(``mmu/direct_grants.py`` has transfers, and grants of its own, since there guests map machine frames.)
"""

import enum
from typing import ClassVar

import attrs

from refmodel.bare import Reply
from refmodel.language import NOTHING, Total, cached, count, guest, operation, pending, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Count, Gfn, Index, Mfn, Ref, Vm
from refmodel.monitor.p2m import P2m, Supply


@attrs.frozen
class GrantEntry:
    """What an owner offers: to which VM, which page, and whether for storing."""

    offered: bool = False
    to: Vm = NOTHING
    page: Gfn = NOTHING
    writable: bool = False
    mappings: Count = 0
    """How many mappings there are by this entry, those that are not flushed yet among them."""


class Foreign(enum.Enum):
    """Whether another VM's page stands at a guest frame."""

    NONE = "nothing"
    MAPPED = "mapped"
    UNMAPPED = "unmapped, perhaps cached still"


@attrs.frozen
class ForeignMapping:
    """A mapping of another VM's page: by which grant entry, and where the page lies."""

    state: Foreign = Foreign.NONE
    owner: Vm = NOTHING
    ref: Ref = NOTHING
    page: Gfn = NOTHING
    mfn: Mfn = NOTHING
    writable: bool = False


@attrs.frozen
class CachedForeign:
    """What the grantee's processors may have cached of a foreign mapping."""

    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


@attrs.frozen
class GrantOffered:
    """An owner has written a grant entry: the one that it was to write."""

    shown: ClassVar[None] = None
    """The guest is shown nothing: it writes to memory of its own."""

    vm: Vm
    ref: Ref
    asked: GrantEntry


@attrs.frozen
class OfferEnded:
    """An owner has ended the offer of a grant entry."""

    shown: ClassVar[None] = None
    """The guest is shown nothing: it writes to memory of its own."""

    vm: Vm
    ref: Ref


@attrs.frozen
class GrantMapped:
    """What came of a guest's asking for another's page: where it is to stand, by which entry, and with which rights."""

    shown: ClassVar[None] = None
    """The guest is shown nothing but time: it waits while the page cannot be supplied, and asks again."""

    vm: Vm
    gfn: Gfn
    owner: Vm
    ref: Ref
    write: bool
    page: Gfn
    found: Supply


@attrs.frozen
class ForeignAccess:
    """An access to another VM's page: to which, what it showed, and what the owner's bare machine shows."""

    step_of: ClassVar[dict[str, str]] = {"vm": "owner", "gfn": "page"}
    """On the bare side it is a step of the owner's machine, on its page."""

    owner: Vm
    page: Gfn
    shown: Reply
    bare: Reply
    """It is not called ``due``: what it shows the grantee depends on another VM, which is a flow that is meant."""


@attrs.frozen
class GrantEnded:
    """A step of taking a mapping away: it is unmapped, or flushed and gone."""

    shown: ClassVar[None] = None
    """The guest is shown nothing but time: it waits until its processors have flushed."""

    vm: Vm
    gfn: Gfn
    flushed: bool


class Grants(P2m):
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"grant_load": ("load_physical",), "grant_store": ("store_physical",)}
    flows: ClassVar[dict[str, str]] = {"grant_load": "what a granted page holds", "grant_store": "a store to a granted page"}

    grants: Total[tuple[Vm, Ref], GrantEntry]
    foreign: Total[tuple[Vm, Gfn], ForeignMapping]
    """By the grantee, and by its guest frames for foreign pages."""
    foreign_tlb: Total[tuple[Vm, Gfn], CachedForeign]
    foreign_references: Total[tuple[Vm, Gfn], Count]
    """How many foreign mappings there are of a page, by whatever entries."""

    # ------------------------------------------------------------ what the owner does

    @guest
    def grant_access(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> GrantOffered:
        """The owner writes a grant entry, new or another, while it is not in use."""
        require(vm != to)
        require(not self.in_use(vm, ref))
        self.grants[vm, ref] = GrantEntry(True, to, gfn, writable)
        return GrantOffered(vm, ref, GrantEntry(True, to, gfn, writable))

    @guest
    def end_access(self, vm: Vm, ref: Ref) -> OfferEnded:
        """The owner clears a grant entry, while it is not in use."""
        require(not self.in_use(vm, ref))
        self.grants[vm, ref] = GrantEntry()
        return OfferEnded(vm, ref)

    def in_use(self, vm: Vm, ref: Ref) -> bool:
        return self.grants[vm, ref].mappings > 0

    # ------------------------------------------------------------ mapping

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        """The grantee maps the page that an entry offers it."""
        grant = self.grants[owner, ref]
        require(self.foreign[vm, gfn].state == Foreign.NONE)
        require(grant.offered)
        require(self.may_map(grant, vm, write))
        found = self.supply(owner, grant.page, self.needs_own_frame(write))
        if found == Supply.READY:
            self.foreign[vm, gfn] = ForeignMapping(Foreign.MAPPED, owner, ref, grant.page, self.p2m[owner, grant.page].mfn, write)
            self.get_grant(owner, ref)
        return GrantMapped(vm, gfn, owner, ref, write, grant.page, found)

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.to == vm and (grant.writable or not write)

    def needs_own_frame(self, write: bool) -> bool:
        """Whether the page has to be in a frame of its own: else the owner's next store would go to another."""
        return True

    def get_grant(self, owner: Vm, ref: Ref) -> None:
        """An entry and its page have one mapping more."""
        grant = self.grants[owner, ref]
        self.grants[owner, ref] = attrs.evolve(grant, mappings=grant.mappings + 1)
        self.foreign_references[owner, grant.page] = self.foreign_references[owner, grant.page] + 1

    @guest
    def unmap_grant(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        """The grantee needs the page no more."""
        return self.unmap_foreign(vm, gfn)

    @operation
    def revoke_grant(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        """The monitor wants the owner's page, and ends a mapping itself."""
        return self.unmap_foreign(vm, gfn)

    def unmap_foreign(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        require(self.may_unmap_foreign(vm, gfn))
        self.foreign[vm, gfn] = attrs.evolve(self.foreign[vm, gfn], state=Foreign.UNMAPPED)
        return GrantEnded(vm, gfn, flushed=False)

    def may_unmap_foreign(self, vm: Vm, gfn: Gfn) -> bool:
        return self.foreign[vm, gfn].state == Foreign.MAPPED

    @pending(
        "EFF-4",
        "A foreign mapping that was unmapped is released once processors have flushed its translations.",
        until="flush_grant",
    )
    def grant_not_flushed(self, vm: Vm, gfn: Gfn) -> bool:
        return self.may_flush_foreign(vm, gfn)

    @operation
    def flush_grant(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        """Processors forget a foreign page that is unmapped, and its references are given up."""
        require(self.may_flush_foreign(vm, gfn))
        self.invalidate_foreign(vm, gfn)
        self.put_grant(vm, gfn)
        return GrantEnded(vm, gfn, flushed=True)

    def may_flush_foreign(self, vm: Vm, gfn: Gfn) -> bool:
        return self.foreign[vm, gfn].state == Foreign.UNMAPPED

    def invalidate_foreign(self, vm: Vm, gfn: Gfn) -> None:
        self.foreign_tlb[vm, gfn] = CachedForeign()

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        """An entry and its page have one mapping less."""
        mapping = self.foreign[vm, gfn]
        grant = self.grants[mapping.owner, mapping.ref]
        self.grants[mapping.owner, mapping.ref] = attrs.evolve(grant, mappings=grant.mappings - 1)
        self.foreign_references[mapping.owner, mapping.page] = self.foreign_references[mapping.owner, mapping.page] - 1
        self.foreign[vm, gfn] = ForeignMapping()

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return self.foreign_references[vm, gfn] > 0 or super().held(vm, gfn)

    def lets_store(self, vm: Vm, gfn: Gfn, other: Vm) -> bool:
        mappings = count(
            self.foreign, lambda mapping, v, g: v == other and mapping.owner == vm and mapping.page == gfn and mapping.writable
        )
        return mappings > 0 or super().lets_store(vm, gfn, other)

    # ------------------------------------------------------------ accesses by the grantee

    @guest
    def grant_load(self, vm: Vm, gfn: Gfn, offset: Index) -> ForeignAccess:
        return self.access_foreign(vm, gfn, offset, Access.READ, Cell())

    @guest
    def grant_store(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> ForeignAccess:
        return self.access_foreign(vm, gfn, offset, Access.WRITE, value)

    def access_foreign(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> ForeignAccess:
        """By what is cached if the processor uses that, and else by the mapping."""
        if not (self.foreign_tlb[vm, gfn].present and cached("foreign page")):
            require(self.is_mapped(vm, gfn))
            self.foreign_tlb[vm, gfn] = CachedForeign(True, self.foreign[vm, gfn].mfn, self.foreign[vm, gfn].writable)
        entry, mapping = self.foreign_tlb[vm, gfn], self.foreign[vm, gfn]
        require(entry.writable or access == Access.READ)
        if access == Access.WRITE:
            self.behind(mapping.owner, mapping.page, offset)
        shown = self.touch(entry.mfn, offset, access, value)
        bare = self.bare_physical(mapping.owner, mapping.page, offset, access, value)
        return ForeignAccess(mapping.owner, mapping.page, shown, bare)

    def is_mapped(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a processor that has nothing cached finds another VM's page at a guest frame."""
        return self.foreign[vm, gfn].state == Foreign.MAPPED


def mappings_by(s: Grants, owner: Vm, ref: Ref) -> int:
    """How many mappings there are by a grant entry."""
    return count(s.foreign, lambda mapping, vm, gfn: mapping.owner == owner and mapping.ref == ref)


def mappings_of(s: Grants, owner: Vm, page: Gfn) -> int:
    """How many foreign mappings there are of a page."""
    return count(s.foreign, lambda mapping, vm, gfn: mapping.owner == owner and mapping.page == page)
