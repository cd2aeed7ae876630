"""A guest's large pages, shadowed by small ones, and the reverse map by which they are found again.

One entry of the guest's maps a whole region. The monitor backs it with small entries in a table of its own, which mirrors no
guest table: a *direct* table, made for one region. The reverse map (rmap) leads from a page back to every entry that maps it, so
that the page can be taken away. The guest may rewrite its entry without the monitor seeing it; so before a direct table is used
again it has to be seen that it is still made for the region that the guest's entry names. (KVM: ``kvm_mmu_child_role``,
``kvm_mmu_get_child_sp``.)
"""

import attrs

from refmodel.language import NOTHING, Design, Total, guest, operation, require, reset
from refmodel.machine.names import Index, Region, Vm


@attrs.frozen
class DirectTable:
    """The small entries behind one large entry of the guest's, and the region that they were made for."""

    present: bool = False
    region: Region = NOTHING


@attrs.frozen
class SmallEntry:
    """A small entry, and the region whose page it maps."""

    present: bool = False
    region: Region = NOTHING


@attrs.frozen
class SmallMapped:
    """The page of a large entry that a fault mapped."""

    vm: Vm
    slot: Index
    page: Index


@attrs.frozen
class Taken:
    """The region whose memory the monitor took."""

    vm: Vm
    region: Region


class ShadowLargeMmu(Design):
    large: Total[tuple[Vm, Index], Region]
    """The guest's large entries."""
    direct: Total[tuple[Vm, Index], DirectTable]
    entries: Total[tuple[Vm, Index, Index], SmallEntry]
    """The direct tables: for a large entry, and a page of its region."""
    rmap: Total[tuple[Vm, Region, Index, Index], bool]
    """Whether a page of a region is mapped by the direct table of a large entry."""
    backed: Total[tuple[Vm, Region], bool]
    """Whether the monitor backs a region with memory."""

    @guest
    def write_large(self, vm: Vm, slot: Index, region: Region) -> None:
        """The guest rewrites a large entry. The monitor does not see it."""
        self.large[vm, slot] = region

    @operation
    def back(self, vm: Vm, region: Region) -> None:
        require(not self.backed[vm, region])
        self.backed[vm, region] = True

    @operation
    def fault(self, vm: Vm, slot: Index, page: Index) -> SmallMapped:
        """Map one page of a large entry's region."""
        region = self.large[vm, slot]
        require(region != NOTHING)
        require(self.backed[vm, region])
        if not self.usable(vm, slot, region):
            self.drop(vm, slot)
            self.direct[vm, slot] = DirectTable(True, region)
        old = self.entries[vm, slot, page]
        if old.present:
            self.rmap[vm, self.direct[vm, slot].region, page, slot] = False
        self.entries[vm, slot, page] = SmallEntry(True, region)
        self.rmap[vm, region, page, slot] = True
        return SmallMapped(vm, slot, page)

    def usable(self, vm: Vm, slot: Index, region: Region) -> bool:
        """Whether the table that is there can be used: it was made for this very region."""
        table = self.direct[vm, slot]
        return table.present and table.region == region

    def drop(self, vm: Vm, slot: Index) -> None:
        """A direct table goes, and what the reverse map has of it: its entries' pages are those of the region that it was made
        for."""
        region = self.direct[vm, slot].region
        reset(self.entries, lambda entry, v, s, page: v == vm and s == slot)
        reset(self.rmap, lambda mapped, v, r, page, s: v == vm and s == slot and r == region)
        self.direct[vm, slot] = DirectTable()

    @operation
    def reclaim_table(self, vm: Vm, slot: Index) -> None:
        require(self.direct[vm, slot].present)
        self.drop(vm, slot)

    @operation
    def take(self, vm: Vm, region: Region) -> Taken:
        """A region's memory goes: whatever the reverse map leads to goes first."""
        require(self.backed[vm, region])
        reset(self.entries, lambda entry, v, slot, page: v == vm and self.rmap[v, region, page, slot])
        reset(self.rmap, lambda mapped, v, r, page, slot: v == vm and r == region)
        self.backed[vm, region] = False
        return Taken(vm, region)
