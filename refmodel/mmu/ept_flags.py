"""EPT whose entries have accessed and dirty flags, of every size.

On the way of an access the processor sets flags in the entry that maps the page: *accessed*, and for a store *dirty*. A large entry
has one of each for all its pages. What the processor has cached of an entry includes its dirty flag: only a store by a translation
that was cached clean walks the tables again, and sets the flag. So whoever clears a flag must have processors forget; otherwise
they go on storing, and set it no more. (SDM Vol. 3C 28.3.5; EPTP bit 6 turns it on.)

Of a large entry it is noted for every page what its flags said, before they go (``noted_flags``).
"""

import attrs

from refmodel.bare import Event, Seen
from refmodel.language import Total, assign, operation, require, reset
from refmodel.machine.cells import Access, Cell, Flags, both
from refmodel.machine.names import Gfn, Index, Mfn, Region, Vcpu, Vm
from refmodel.mmu.ept import EptEntry
from refmodel.mmu.ept_sizes import EptSizesMmu, EptThreeSizesMmu
from refmodel.mmu.noted_flags import Collected, NotedFlags


class EptFlagsMmu(NotedFlags, EptSizesMmu):
    upper_flags: Total[tuple[Vm, Region], Flags]
    """The flags of the large entry for a region."""
    lower_flags: Total[tuple[Mfn, Index], Flags]
    """The flags of each small entry."""

    # ------------------------------------------------------------ the hardware

    def large_serves(self, vm: Vm, vcpu: Vcpu, region: Region, write: bool) -> bool:
        return super().large_serves(vm, vcpu, region, write) and (not write or self.large_tlb[vm, vcpu, region].dirty)

    def small_serves(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> bool:
        return super().small_serves(vm, vcpu, gfn, write) and (not write or self.small_tlb[vm, vcpu, gfn].dirty)

    def use_large(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, region: Region, write: bool) -> EptEntry:
        found = super().use_large(vm, vcpu, gfn, region, write)
        flags = both(self.upper_flags[vm, region], Flags(True, write))
        self.upper_flags[vm, region] = flags
        self.large_tlb[vm, vcpu, region] = attrs.evolve(self.large_tlb[vm, vcpu, region], dirty=flags.dirty)
        return found

    def use_small(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, table: Mfn, write: bool) -> EptEntry:
        found = super().use_small(vm, vcpu, gfn, table, write)
        flags = both(self.lower_flags[table, self.at[gfn]], Flags(True, write))
        self.lower_flags[table, self.at[gfn]] = flags
        self.small_tlb[vm, vcpu, gfn] = attrs.evolve(self.small_tlb[vm, vcpu, gfn], dirty=flags.dirty)
        return found

    def execute(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        seen = super().execute(vm, vcpu, gfn, offset, access, value)
        if seen.shown.event == Event.COMPLETED:
            self.happened[vm, gfn] = both(self.happened[vm, gfn], Flags(True, access == Access.WRITE))
        return seen

    # ------------------------------------------------------------ what flags say

    def flags_of(self, vm: Vm, gfn: Gfn) -> Flags:
        if not self.is_covered(gfn):
            return Flags()
        region = self.region[gfn]
        large = both(self.upper_flags[vm, self.larger(region)], self.upper_flags[vm, region])
        return both(large, self.lower_flags[self.upper[vm, region].table, self.at[gfn]])

    # ------------------------------------------------------------ noted before they go

    def note(self, vm: Vm, region: Region) -> None:
        """Note what flags say of each page of a region."""
        assign(
            self.noted,
            lambda noted, of, gfn: of == vm and self.is_covered(gfn) and self.lies_in(gfn, region),
            lambda noted, of, gfn: both(noted, self.flags_of(vm, gfn)),
        )

    def clear_large(self, vm: Vm, region: Region) -> None:
        """What the flags of a region's large entry say is noted of each page, and they are clear."""
        self.note(vm, region)
        self.upper_flags[vm, region] = Flags()

    def clear_small(self, vm: Vm, gfn: Gfn) -> None:
        """What the flags of a page's small entry say is noted, and they are clear."""
        self.noted[vm, gfn] = self.said_of(vm, gfn)
        self.lower_flags[self.upper[vm, self.region[gfn]].table, self.at[gfn]] = Flags()

    def drop_large(self, vm: Vm, region: Region) -> None:
        self.clear_large(vm, region)
        super().drop_large(vm, region)

    def drop_small(self, vm: Vm, gfn: Gfn) -> None:
        self.clear_small(vm, gfn)
        super().drop_small(vm, gfn)

    def divide(self, vm: Vm, region: Region) -> bool:
        """The parts have the flags that the large entry had."""
        flags = self.upper_flags[vm, region]
        if not super().divide(vm, region):
            return False
        table = self.upper[vm, region].table
        assign(
            self.upper_flags, lambda old, of, part: of == vm and self.larger(part) == region and self.upper[vm, part].large, flags
        )
        assign(self.lower_flags, lambda old, of, at: of == table and self.lower[of, at].present, flags)
        self.upper_flags[vm, region] = Flags()
        return True

    def unlink_table(self, vm: Vm, region: Region) -> None:
        table = self.upper[vm, region].table
        self.note(vm, region)
        reset(self.upper_flags, lambda flags, of, part: of == vm and self.larger(part) == region)
        reset(self.lower_flags, lambda flags, of, at: of == table)
        super().unlink_table(vm, region)

    # ------------------------------------------------------------ clear from now on

    @operation
    def collect_flags(self, vm: Vm, gfn: Gfn) -> Collected:
        """Note what the flags of the entry that maps a page say, and clear them. Processors are to forget that they were set."""
        require(self.flags_of(vm, gfn) != Flags())
        size = self.first_large(vm, gfn)
        if self.upper[vm, size].large:
            self.clear_large(vm, size)
        else:
            self.clear_small(vm, gfn)
        self.flush_flags(vm)
        return Collected(vm, gfn)

    def flush_flags(self, vm: Vm) -> None:
        """Processors would set no flag again that they take to be set."""
        self.flush_tables(vm)

    def have_learnt(self, vm: Vm, gfn: Gfn) -> bool:
        return self.have_acknowledged(vm)


class EptThreeSizesFlagsMmu(EptFlagsMmu, EptThreeSizesMmu):
    """With entries of 1 GiB too."""
