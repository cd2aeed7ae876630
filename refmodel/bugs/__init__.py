"""The bug bench: designs that ship, each with one defect, and the clause that it breaks.

A law that nothing can break says nothing, so every clause has a mutant here.
"""

import attrs

from refmodel.bugs import ballooning, ept, sharing
from refmodel.language import Design


@attrs.frozen
class Mutant:
    design: type[Design]
    clause: str

    @property
    def title(self) -> str:
        """What is wrong, in a sentence."""
        return (self.design.__doc__ or "").strip()


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
}
"""By name; the first five are those that each engine must find by itself."""
