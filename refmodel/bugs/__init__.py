"""The bug bench: designs that ship, each with one defect, and the clause that it breaks.

A law that nothing can break says nothing, so every clause has a mutant here.
"""

import sys

import attrs

from refmodel.bugs import (
    ballooning,
    buddy,
    devices,
    direct,
    ept,
    ept_cpus,
    ept_large,
    grants,
    ksm,
    leaks,
    memory,
    migration,
    nested,
    npt,
    one_mechanism,
    reservation,
    shadow_traced,
    shadow_unsync,
    sharing,
    vtlb,
)
from refmodel.bugs.historical import DEFECTS
from refmodel.language import Design


@attrs.frozen
class Mutant:
    design: type[Design]
    clause: str
    entry: str = ""
    """A historical defect's number in the catalogue."""

    @property
    def title(self) -> str:
        """What is wrong, in a sentence."""
        return (self.design.__doc__ or "").strip()

    @property
    def told(self) -> str:
        """The same, and where it comes from."""
        return f"{self.title} ({self.reference})" if self.entry else self.title

    @property
    def reference(self) -> str:
        """Where a historical defect is on record; empty for one that was made up."""
        return (sys.modules[self.design.__module__].__doc__ or "").split(":")[0] if self.entry else ""


MUTANTS: dict[str, Mutant] = {
    "no-flush-when-write-protecting": Mutant(ept.NoFlushWhenWriteProtecting, "ISO-2"),
    "break-copies-nothing": Mutant(sharing.BreakCopiesNothing, "ISO-5"),
    "deflated-unscrubbed": Mutant(ballooning.DeflatedUnscrubbed, "ISO-4"),
    "inflated-but-cached": Mutant(ballooning.InflatedButCached, "ISO-1"),
    "freed-while-shared": Mutant(sharing.FreedWhileShared, "RES-1"),
    "never-freed": Mutant(sharing.NeverFreed, "RES-2"),
    "merged-uncompared": Mutant(sharing.MergedUncompared, "EQV-1"),
    "table-reclaimed-uncleared": Mutant(ept.TableReclaimedUncleared, "ISO-3"),
    "shortage-reported-as-hole": Mutant(ept.ShortageReportedAsHole, "EQV-2"),
    "invlpg-ignored": Mutant(ept.InvlpgIgnored, "EQV-5"),
    "every-load-exits": Mutant(ept.EveryLoadExits, "EFF-1"),
    "read-only-for-ever": Mutant(ept.ReadOnlyForever, "EFF-2"),
    "vtlb-shadow-forgotten-tlb-not": Mutant(vtlb.ShadowForgottenTlbNot, "ISO-1"),
    "vtlb-tlb-forgotten-shadow-not": Mutant(vtlb.TlbForgottenShadowNot, "ISO-1"),
    "vtlb-shared-still-writable": Mutant(vtlb.SharedStillWritable, "ISO-2"),
    "vtlb-invlpg-keeps-the-tlb": Mutant(vtlb.InvlpgKeepsTheTlb, "EQV-5"),
    "vtlb-mov-cr3-keeps-the-shadow": Mutant(vtlb.MovCr3KeepsTheShadow, "EQV-5"),
    "vtlb-every-fault-is-the-guests": Mutant(vtlb.EveryFaultIsTheGuests, "EQV-2"),
    "vtlb-wrong-cell-read": Mutant(vtlb.WrongCellRead, "EQV-1"),
    "vtlb-every-store-exits": Mutant(vtlb.EveryStoreExits, "EFF-1"),
    "vtlb-filled-read-only-for-ever": Mutant(vtlb.FilledReadOnlyForEver, "EFF-2"),
    "vtlb-tables-from-the-pool": Mutant(vtlb.TablesFromThePool, "RES-2"),
    "traced-but-cached-writable": Mutant(shadow_traced.TracedButCachedWritable, "EQV-5"),
    "traced-but-mirrored-writable": Mutant(shadow_traced.TracedButMirroredWritable, "EQV-5"),
    "traced-tables-filled-writable": Mutant(shadow_traced.TablesFilledWritable, "EQV-5"),
    "traced-emulated-store-unmirrored": Mutant(shadow_traced.EmulatedStoreUnmirrored, "EQV-5"),
    "traced-table-gone-mirror-stays": Mutant(shadow_traced.TableGoneMirrorStays, "EQV-5"),
    "traced-untraced-uncleared": Mutant(shadow_traced.UntracedUncleared, "EQV-5"),
    "traced-mirrors-still-writable": Mutant(shadow_traced.MirrorsStillWritable, "ISO-1"),
    "copy-kept-after-a-store": Mutant(memory.CopyKeptAfterAStore, "EQV-1"),
    "slot-freed-but-named": Mutant(memory.SlotFreedButNamed, "RES-1"),
    "slot-forgotten": Mutant(memory.SlotForgotten, "RES-2"),
    "inflated-in-flight": Mutant(memory.InflatedInFlight, "RES-2"),
    "reader-never-leaves": Mutant(memory.ReaderNeverLeaves, "RES-2"),
    "reclaimed-unlooked": Mutant(memory.ReclaimedUnlooked, "EQV-1"),
    "sent-while-writable": Mutant(memory.SentWhileWritable, "EQV-4"),
    "promise-kept-writable": Mutant(memory.PromiseKeptWritable, "EQV-4"),
    "forgotten-but-derived": Mutant(memory.ForgottenButDerived, "ISO-1"),
    "protected-but-derived-writable": Mutant(memory.ProtectedButDerivedWritable, "ISO-2"),
    "shortage-is-a-hole": Mutant(memory.ShortageIsAHole, "EQV-2"),
    "derived-writes-exit": Mutant(memory.DerivedWritesExit, "EFF-1"),
    "shared-pages-stay": Mutant(memory.SharedPagesStay, "RES-3"),
    "sent-pages-stay": Mutant(memory.SentPagesStay, "RES-3"),
    "frame-kept-as-shared": Mutant(memory.FrameKeptAsShared, "RES-3"),
    "derived-read-only-for-ever": Mutant(memory.DerivedReadOnlyForEver, "EFF-2"),
    "unsync-leaves-outlive-the-page": Mutant(shadow_unsync.LeavesOutliveThePage, "ISO-1"),
    "unsync-processors-remember-the-page": Mutant(shadow_unsync.ProcessorsRememberThePage, "ISO-1"),
    "unsync-links-outlive-the-shadow": Mutant(shadow_unsync.LinksOutliveTheShadow, "ISO-3"),
    "unsync-leaves-outlive-the-shadow": Mutant(shadow_unsync.LeavesOutliveTheShadow, "ISO-3"),
    "unsync-zeroes-read": Mutant(shadow_unsync.ZeroesRead, "EQV-1"),
    "unsync-shortage-is-a-hole": Mutant(shadow_unsync.UnsyncShortageIsAHole, "EQV-2"),
    "unsync-stores-exit": Mutant(shadow_unsync.UnsyncStoresExit, "EFF-1"),
    "unsync-nothing-filled": Mutant(shadow_unsync.NothingFilled, "EFF-2"),
    "roles-frame-given-twice": Mutant(one_mechanism.FrameGivenTwice, "RES-2"),
    "large-backed-by-nothing": Mutant(one_mechanism.BackedByNothing, "ISO-1"),
    "protection-swapped-out-mapped": Mutant(one_mechanism.SwappedOutMapped, "ISO-1"),
    "nested-ept01-outlives-the-page": Mutant(nested.Ept01OutlivesThePage, "ISO-1"),
    "nested-ept02-outlives-the-page": Mutant(nested.Ept02OutlivesThePage, "ISO-1"),
    "nested-processors-remember-ept02": Mutant(nested.ProcessorsRememberEpt02, "ISO-1"),
    "nested-l2-reads-zeroes": Mutant(nested.L2ReadsZeroes, "EQV-1"),
    "nested-shortage-is-a-hole": Mutant(nested.NestedShortageIsAHole, "EQV-2"),
    "nested-l2-stores-exit": Mutant(nested.L2StoresExit, "EFF-1"),
    "nested-l1-stores-exit": Mutant(nested.L1StoresExit, "EFF-1"),
    "nested-nothing-composed": Mutant(nested.NothingComposed, "EFF-2"),
    "nested-nothing-installed-for-l1": Mutant(nested.NothingInstalledForL1, "EFF-2"),
    "cpus-populated-unscrubbed": Mutant(ept_cpus.PopulatedUnscrubbed, "ISO-4"),
    "cpus-frame-not-recorded": Mutant(ept_cpus.FrameNotRecorded, "RES-2"),
    "cpus-frame-kept-for-a-page-that-went": Mutant(ept_cpus.FrameKeptForAPageThatWent, "RES-2"),
    "cpus-old-root-kept": Mutant(ept_cpus.OldRootKept, "RES-2"),
    "cpus-stores-exit": Mutant(ept_cpus.CpuStoresExit, "EFF-1"),
    "npt-asid-given-twice": Mutant(npt.AsidGivenTwice, "EQV-5"),
    "npt-flushed-in-name": Mutant(npt.FlushedInName, "EQV-5"),
    "npt-nobody-kicked": Mutant(npt.NobodyKicked, "EQV-5"),
    "npt-asid-kept": Mutant(npt.AsidKept, "ISO-1"),
    "npt-reused-while-running": Mutant(npt.ReusedWhileRunning, "ISO-1"),
    "npt-not-the-users": Mutant(npt.NotTheUsers, "EFF-2"),
    "npt-populated-unscrubbed": Mutant(npt.NptPopulatedUnscrubbed, "ISO-4"),
    "npt-frame-kept-for-a-page-that-went": Mutant(npt.FrameKeptForAPageThatWent, "RES-2"),
    "npt-zeroes-read": Mutant(npt.NptZeroesRead, "EQV-1"),
    "npt-stores-exit": Mutant(npt.NptStoresExit, "EFF-1"),
    "direct-given-unscrubbed": Mutant(direct.GivenUnscrubbed, "ISO-4"),
    "direct-stores-lost": Mutant(direct.StoresLost, "EQV-1"),
    "direct-every-load-faults": Mutant(direct.EveryLoadFaults, "EQV-2"),
    "direct-every-store-exits": Mutant(direct.EveryStoreExits, "EFF-1"),
    "direct-scrubbed-in-use": Mutant(direct.ScrubbedInUse, "ISO-5"),
    "direct-type-outlives-the-owner": Mutant(direct.TypeOutlivesTheOwner, "RES-2"),
    "direct-table-in-name": Mutant(direct.TableInName, "RES-2"),
    "direct-grant-outlives-the-table": Mutant(direct.GrantOutlivesTheTable, "ISO-1"),
    "direct-check-starts-over": Mutant(direct.CheckStartsOver, "EFF-2"),
    "direct-grant-unmapped-in-name": Mutant(direct.GrantUnmappedInName, "ISO-1"),
    "large-stores-exit": Mutant(ept_large.LargeStoresExit, "EFF-1"),
    "large-promises-are-holes": Mutant(ept_large.PromisesAreHoles, "EQV-2"),
    "large-promised-still": Mutant(ept_large.PromisedStill, "RES-1"),
    "kept-given-away": Mutant(reservation.KeptGivenAway, "RES-4"),
    "promised-twice": Mutant(reservation.PromisedTwice, "RES-4"),
    "revoked-below-minimum": Mutant(reservation.RevokedBelowMinimum, "RES-4"),
    "given-beyond-maximum": Mutant(reservation.GivenBeyondMaximum, "RES-4"),
    "refused-below-minimum": Mutant(reservation.RefusedBelowMinimum, "RES-4"),
    "admitted-below-minimum": Mutant(reservation.AdmittedBelowMinimum, "RES-4"),
    "balloon-inflated-by-the-monitor": Mutant(leaks.BalloonInflatedByTheMonitor, "ISO-6"),
    "ksm-store-unnoticed": Mutant(ksm.StoreUnnoticed, "ISO-2"),
    "ksm-stale-node": Mutant(ksm.StaleNode, "ISO-2"),
    "ksm-compared-with-what-is-gone": Mutant(ksm.ComparedWithWhatIsGone, "ISO-2"),
    "ksm-merged-while-writable": Mutant(ksm.MergedWhileWritable, "ISO-2"),
    "ksm-chained-uncompared": Mutant(ksm.ChainedUncompared, "EQV-1"),
    "ksm-chain-miscounted": Mutant(ksm.ChainMiscounted, "RES-1"),
    "ksm-node-of-no-chain": Mutant(ksm.NodeOfNoChain, "RES-1"),
    "ksm-overfull": Mutant(ksm.Overfull, "RES-3"),
    "dma-held-while-shared": Mutant(devices.HeldWhileShared, "ISO-2"),
    "dma-iotlb-unflushed": Mutant(devices.IotlbUnflushed, "ISO-1"),
    "dma-held-by-nobody": Mutant(devices.HeldByNobody, "ISO-1"),
    "dma-unmapped-in-name": Mutant(devices.UnmappedInName, "RES-1"),
    "dma-never-unmapped": Mutant(devices.NeverUnmapped, "RES-3"),
    "dma-unmapped-is-gone": Mutant(devices.UnmappedIsGone, "RES-3"),
    "dma-shortage-is-a-hole": Mutant(devices.DmaShortageIsAHole, "EQV-2"),
    "dma-flushed-while-mapped": Mutant(devices.FlushedWhileMapped, "ISO-1"),
    "migration-sent-unflushed": Mutant(migration.SentUnflushed, "EQV-4"),
    "migration-hint-outlives-the-store": Mutant(migration.HintOutlivesTheStore, "EQV-4"),
    "migration-hint-taken-unflushed": Mutant(migration.HintTakenUnflushed, "EQV-4"),
    "migration-dirty-left-behind": Mutant(migration.DirtyLeftBehind, "EQV-1"),
    "migration-placed-twice": Mutant(migration.PlacedTwice, "EQV-1"),
    "migration-discarded-too-early": Mutant(migration.DiscardedTooEarly, "EQV-1"),
    "migration-left-unscrubbed": Mutant(migration.LeftUnscrubbed, "ISO-4"),
    "migration-left-for-good": Mutant(migration.LeftForGood, "RES-3"),
    "migration-runs-on-both": Mutant(migration.RunsOnBoth, "EQV-4"),
    "buddy-merged-in-use": Mutant(buddy.MergedInUse, "ISO-1"),
    "buddy-given-dirty": Mutant(buddy.GivenDirty, "ISO-4"),
    "buddy-freed-as-clean": Mutant(buddy.FreedAsClean, "ISO-4"),
    "buddy-moved-empty": Mutant(buddy.MovedEmpty, "EQV-1"),
    "buddy-given-while-leaving": Mutant(buddy.GivenWhileLeaving, "RES-3"),
    "buddy-shattered-uncounted": Mutant(buddy.ShatteredUncounted, "RES-1"),
    "buddy-whole-counts-as-one": Mutant(buddy.WholeCountsAsOne, "RES-1"),
    "buddy-owner-outlives-the-frame": Mutant(buddy.OwnerOutlivesTheFrame, "RES-1"),
    "grant-to-anybody": Mutant(grants.GrantedToAnybody, "ISO-1"),
    "grant-read-only-in-name": Mutant(grants.ReadOnlyInName, "ISO-1"),
    "grant-ended-in-use": Mutant(grants.EndedInUse, "ISO-1"),
    "grant-unmapped-but-cached": Mutant(grants.UnmappedButCached, "ISO-1"),
    "grant-given-up-while-mapped": Mutant(grants.GivenUpWhileMapped, "ISO-1"),
    "grant-transferred-but-cached": Mutant(grants.TransferredButCached, "ISO-1"),
    "grant-reference-kept": Mutant(grants.ReferenceKept, "RES-1"),
    "grant-frame-lost": Mutant(grants.FrameLost, "RES-2"),
    "grant-page-unscrubbed": Mutant(grants.GrantedUnscrubbed, "ISO-4"),
    "grant-transferred-empty": Mutant(grants.TransferredEmpty, "EQV-1"),
    "grant-stores-go-astray": Mutant(grants.StoresGoAstray, "ISO-5"),
    "grant-never-revoked": Mutant(grants.NeverRevoked, "RES-3"),
} | {name: Mutant(m.Bug, m.CLAUSE, m.ENTRY) for name, m in DEFECTS.items()}
"""By name; the first five are those that each engine must find by itself."""
