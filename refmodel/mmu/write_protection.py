"""Write protection for several reasons at once, and what an entry that is read-only may mean.

A monitor takes the right to write from an entry because the page is a table that it shadows, because it logs what is written to,
or because it wants to know whether the page is still what its copy on swap is. Only the last two may be undone by a fault on the
spot, without looking at anything else; so an entry remembers, besides W, whether it *may* be made writable so. Whoever takes W
away for good must take that too, even where W is clear already. And whoever takes W away must note first that the page was
written to: from an entry that is read-only nobody can tell any more. (KVM: ``spte_can_locklessly_be_made_writable``,
``fast_page_fault``.)
"""

import attrs

from refmodel.language import Design, Total, cached, operation, pending, require, reset
from refmodel.machine.names import Cpu, Gfn


@attrs.frozen
class Spte:
    """An entry: W, and whether a fault may set it without further ado."""

    present: bool = False
    writable: bool = False
    mmu_writable: bool = False


@attrs.frozen
class Backed:
    """The page behind an entry: whether it is in memory, whether it is known to differ from its copy on swap, and whether such
    a copy exists."""

    resident: bool = False
    dirty: bool = False
    swapped: bool = False


@attrs.frozen
class ProtectionServed:
    """A fault that was served, and whether it was on a write that an entry did not let through."""

    gfn: Gfn
    write: bool


@attrs.frozen
class Zapped:
    """A page whose entry went."""

    gfn: Gfn


@attrs.frozen
class LogFetched:
    """A page whose place in the log was handed out."""

    gfn: Gfn


@attrs.frozen
class SwappedOut:
    """A page that went to swap."""

    gfn: Gfn


class WriteProtectionMmu(Design):
    sptes: Total[Gfn, Spte]
    tlb: Total[tuple[Cpu, Gfn], Spte]
    shadowed: Total[Gfn, bool]
    """The pages that are tables, whose shadows must not miss a write."""
    logging: Total[Gfn, bool]
    logged: Total[Gfn, bool]
    backed: Total[Gfn, Backed]
    differs: Total[Gfn, bool]
    """Whether the page really differs from its copy on swap."""
    unlogged: Total[Gfn, bool]
    """Whether it was written to while it was logged, and not put into the log."""

    # ------------------------------------------------------------ the guest

    @operation
    def store(self, gfn: Gfn, cpu: Cpu) -> None:
        """The guest stores to a page, by the cache or by a walk. There is one guest here, and pages are apart."""
        found = self.tlb[cpu, gfn]
        if not (found.present and found.writable and cached("translation")):
            found = self.sptes[gfn]
            require(found.present and found.writable)
            self.tlb[cpu, gfn] = found
        self.differs[gfn] = True
        self.unlogged[gfn] = self.logging[gfn] and not self.logged[gfn]

    # ------------------------------------------------------------ faults

    @pending("EFF-2", "A fault on a page that is not mapped maps the page.", until="fault")
    def not_mapped(self, gfn: Gfn) -> bool:
        return not self.sptes[gfn].present

    @pending("EFF-2", "A fault on a store to a page whose SPTE is MMU-writable makes the SPTE writable.", until="fast_fault")
    def not_writable(self, gfn: Gfn) -> bool:
        entry = self.sptes[gfn]
        return entry.present and entry.mmu_writable and not entry.writable

    @operation
    def fault(self, gfn: Gfn) -> ProtectionServed:
        """Nothing is mapped: bring the page in if need be, and map it, read-only at first where somebody wants to know of a
        write."""
        page = self.backed[gfn]
        require(not self.sptes[gfn].present)
        if not page.resident:
            self.backed[gfn] = Backed(True, False, page.swapped)
            self.differs[gfn] = not page.swapped
        writable = not self.shadowed[gfn] and not self.logging[gfn]
        self.sptes[gfn] = Spte(True, writable, not self.shadowed[gfn])
        return ProtectionServed(gfn, write=False)

    @operation
    def fast_fault(self, gfn: Gfn) -> ProtectionServed:
        """A write to what may be made writable: log it, and let it."""
        entry = self.sptes[gfn]
        require(entry.present and not entry.writable)
        require(entry.mmu_writable)
        self.logged[gfn] = True
        self.sptes[gfn] = attrs.evolve(entry, writable=True)
        return ProtectionServed(gfn, write=True)

    # ------------------------------------------------------------ taking entries and W away

    @operation
    def zap(self, gfn: Gfn) -> Zapped:
        """An entry goes, and its page stays in memory."""
        self.note_dirty(gfn, self.sptes[gfn])
        self.sptes[gfn] = Spte()
        self.flush(gfn)
        return Zapped(gfn)

    @operation
    def shadow(self, gfn: Gfn) -> None:
        """The page becomes a table: nobody writes to it unseen from now on."""
        require(not self.shadowed[gfn])
        self.shadowed[gfn] = True
        self.write_protect_table(gfn)

    def write_protect_table(self, gfn: Gfn) -> None:
        entry = self.sptes[gfn]
        if entry.present and (entry.writable or entry.mmu_writable):
            self.note_dirty(gfn, entry)
            self.sptes[gfn] = Spte(True, False, False)
            self.flush(gfn)

    @operation
    def unshadow(self, gfn: Gfn) -> None:
        """The page is a table no more."""
        require(self.shadowed[gfn])
        self.shadowed[gfn] = False
        entry = self.sptes[gfn]
        self.sptes[gfn] = attrs.evolve(entry, mmu_writable=entry.present)

    @operation
    def fetch_log(self, gfn: Gfn) -> LogFetched:
        """Logging starts, or goes on with an empty log."""
        self.logging[gfn] = True
        self.logged[gfn] = False
        self.take_write(gfn)
        self.flush(gfn)
        return LogFetched(gfn)

    def take_write(self, gfn: Gfn) -> None:
        """W goes from an entry, to which a fault may give it back."""
        self.note_dirty(gfn, self.sptes[gfn])
        self.sptes[gfn] = attrs.evolve(self.sptes[gfn], writable=False)

    def note_dirty(self, gfn: Gfn, entry: Spte) -> None:
        """A page that could be written to may have been."""
        if entry.writable:
            self.backed[gfn] = attrs.evolve(self.backed[gfn], dirty=True)

    def flush(self, gfn: Gfn) -> None:
        reset(self.tlb, lambda found, cpu, g: g == gfn)

    # ------------------------------------------------------------ swap

    @operation
    def swap_out(self, gfn: Gfn) -> SwappedOut:
        """The page goes. One that is as its copy on swap is just dropped."""
        entry, page = self.sptes[gfn], self.backed[gfn]
        require(page.resident)
        self.sptes[gfn] = Spte()
        self.flush(gfn)
        if entry.writable or page.dirty or not page.swapped:
            self.differs[gfn] = False  # written out
        self.backed[gfn] = Backed(False, False, True)
        return SwappedOut(gfn)
