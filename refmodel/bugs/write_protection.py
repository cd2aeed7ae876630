"""Mutants of write protection: what is not noted, and what is not flushed."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import WriteProtection
from refmodel.language import operation, require
from refmodel.machine.names import Gfn
from refmodel.mmu.write_protection import Backed, LogFetched, ProtectionServed, Spte, SwappedOut, Zapped


class SwappedOutMapped(WriteProtection):
    """A page is swapped out, and its SPTE stays."""

    @operation
    def swap_out(self, gfn: Gfn) -> SwappedOut:
        page = self.backed[gfn]
        require(page.resident)
        self.differs[gfn] = False
        self.backed[gfn] = Backed(False, False, True)
        return SwappedOut(gfn)


class ShadowedUnflushed(WriteProtection):
    """A page becomes a table and its SPTE read-only, and a processor still stores through its cached translation."""

    def write_protect_table(self, gfn: Gfn) -> None:
        self.note_dirty(gfn, self.sptes[gfn])
        self.sptes[gfn] = Spte(self.sptes[gfn].present, False, False)


class LogFetchedUnflushed(WriteProtection):
    """The dirty log is fetched and cleared before processors have flushed their writable translations."""

    @operation
    def fetch_log(self, gfn: Gfn) -> LogFetched:
        self.logging[gfn] = True
        self.logged[gfn] = False
        self.take_write(gfn)
        return LogFetched(gfn)


class SwappedOutCached(WriteProtection):
    """A page is swapped out and its SPTE zapped, and processors keep their cached translations."""

    @operation
    def swap_out(self, gfn: Gfn) -> SwappedOut:
        require(self.backed[gfn].resident)
        self.sptes[gfn] = Spte()
        self.differs[gfn] = False
        self.backed[gfn] = Backed(False, False, True)
        return SwappedOut(gfn)


class FaultsServedInName(WriteProtection):
    """A fault on a store is served and logged, and the SPTE stays read-only."""

    @operation
    def fast_fault(self, gfn: Gfn) -> ProtectionServed:
        require(self.sptes[gfn].mmu_writable and not self.sptes[gfn].writable)
        self.logged[gfn] = True
        return ProtectionServed(gfn, write=True)


class ReadOnlyForEver(WriteProtection):
    """A page is no longer a table, and its SPTE can never become writable again."""

    @operation
    def unshadow(self, gfn: Gfn) -> None:
        require(self.shadowed[gfn])
        self.shadowed[gfn] = False


class ZappedUnnoted(WriteProtection):
    """A writable SPTE is zapped, and the page is not marked dirty."""

    @operation
    def zap(self, gfn: Gfn) -> Zapped:
        self.sptes[gfn] = Spte()
        self.flush(gfn)
        return Zapped(gfn)


class ZappedInName(WriteProtection):
    """An SPTE is reported as zapped, and does not change."""

    @operation
    def zap(self, gfn: Gfn) -> Zapped:
        return Zapped(gfn)


class ReadOverMemory(WriteProtection):
    """A page that is in memory and unmapped is read from swap again, which overwrites newer stores."""

    @operation
    def fault(self, gfn: Gfn) -> ProtectionServed:
        was = self.backed[gfn]
        served = super().fault(gfn)
        self.backed[gfn] = Backed(True, False, was.swapped)
        self.differs[gfn] = not was.swapped
        return served


class TakenForItsCopy(WriteProtection):
    """A new page counts as equal to its copy on swap, which does not exist."""

    @operation
    def fault(self, gfn: Gfn) -> ProtectionServed:
        served = super().fault(gfn)
        self.differs[gfn] = False
        return served


class SwappedOutOfNothing(WriteProtection):
    """A page that is not in memory is swapped out."""

    @operation
    def swap_out(self, gfn: Gfn) -> SwappedOut:
        require(not self.backed[gfn].resident)
        self.backed[gfn] = Backed(False, False, True)
        return SwappedOut(gfn)


class LogNeverEmpty(WriteProtection):
    """The dirty log is fetched, and its pages stay in the log."""

    @operation
    def fetch_log(self, gfn: Gfn) -> LogFetched:
        self.logging[gfn] = True
        self.take_write(gfn)
        self.flush(gfn)
        return LogFetched(gfn)


MUTANTS = {
    "protection-swapped-out-mapped": Mutant(SwappedOutMapped, "ISO-1"),
    "protection-shadowed-unflushed": Mutant(ShadowedUnflushed, "EQV-5"),
    "protection-log-fetched-unflushed": Mutant(LogFetchedUnflushed, "EQV-4"),
    "protection-swapped-out-cached": Mutant(SwappedOutCached, "ISO-1"),
    "protection-faults-served-in-name": Mutant(FaultsServedInName, "EFF-2"),
    "protection-read-only-for-ever": Mutant(ReadOnlyForEver, "EFF-2"),
    "protection-zapped-unnoted": Mutant(ZappedUnnoted, "EQV-4"),
    "protection-zapped-in-name": Mutant(ZappedInName, "RES-3"),
    "protection-read-over-memory": Mutant(ReadOverMemory, "EQV-1"),
    "protection-taken-for-its-copy": Mutant(TakenForItsCopy, "EQV-4"),
    "protection-swapped-out-of-nothing": Mutant(SwappedOutOfNothing, "EQV-1"),
    "protection-log-never-empty": Mutant(LogNeverEmpty, "EFF-2"),
}
"""By name."""
