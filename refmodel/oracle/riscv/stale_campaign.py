"""Judging what a RISC-V machine remembers: each access of a test, over memory as it is then, against the envelope of staleness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from refmodel.machine.riscv.words import A, D
from refmodel.oracle import known
from refmodel.oracle.judging import Finding
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.outcomes import Lawful, Observed
from refmodel.oracle.riscv.stale_tests import SIZE, Envelope, StaleTest, fence_words, make_stale
from refmodel.oracle.riscv.walk_campaign import compare, words
from refmodel.oracle.riscv.walk_tests import Stages, WalkTest

STALENESS = "Privileged Architecture, Supervisor Memory-Management Fence Instruction; Hypervisor, Memory-Management Fences"


OF_ITS_TRAP = ("another ", "wrong ")
"""How titles begin of what is wrong with a trap, or with an address, and not with the kind of outcome."""
OTHER_FAULTS = ("a fault of ", "an access fault where a page fault is due")
"""How findings begin that a fault is another than the one that is due."""


@attrs.frozen
class StaleCampaign:
    """Tests of what one implementation remembers of its tables."""

    implementation: str
    stages: Stages
    profile: Profile
    perform: Callable[[Sequence[StaleTest]], Sequence[Sequence[Observed]]]
    """What came of each access of each test."""
    batch: int = 24
    size: int = SIZE
    slow: bool = False

    @property
    def subject(self) -> str:
        return f"stale translations, {self.stages.name}"

    def make(self, data: bytes) -> StaleTest:
        return make_stale(data, self.stages, self.profile)

    def run(self, tests: Sequence[StaleTest]) -> Sequence[tuple[str, Finding | None]]:
        return [self.judged(test, observed) for test, observed in zip(tests, self.perform(tests), strict=True)]

    def judged(self, test: StaleTest, observed: Sequence[Observed]) -> tuple[str, Finding | None]:
        """Whether an access went a way that memory alone does not explain (``stale``), and what is wrong, if anything.

        A register that is known to be reported wrongly is noted, and the rest of the test is judged all the same.
        """
        envelope, entries, stale = Envelope(test), dict(test.start.entries), False
        misreported: Finding | None = None
        envelope.may_read(entries)
        for number, (access, seen) in enumerate(zip(test.tests, observed, strict=True)):
            if number:
                made = test.rounds[number - 1]
                entries[test.place] = made.entry
                envelope.may_read(entries)
                envelope.fenced(made.fence)
                envelope.may_read(entries)
            now = attrs.evolve(access, entries=dict(entries))
            by_memory = compare(now, envelope.fresh(now), seen)
            if by_memory is not None and not self._is_known(by_memory, now):
                stale = True
                by_memory = self._beyond(test, number, now, envelope.ways(now), seen)
                if by_memory is not None and not self._is_known(by_memory, now):
                    return seen.outcome.kind, by_memory
            misreported = misreported or by_memory
            entries = dict(seen.entries)
            envelope.may_read(entries)
        return "stale" if stale else "as memory is", misreported

    def _is_known(self, finding: Finding, now: WalkTest) -> bool:
        """Whether an access ended as it may, but for the value of a register that is known to be reported wrongly; mcause too, on a
        machine that is known to report other faults of guests than are due."""
        return (
            finding.title.startswith((*OF_ITS_TRAP, *OTHER_FAULTS) if self.profile.guests_as_users else OF_ITS_TRAP)
            and known.explanation(self.implementation, finding.title, now.made_by) is not None
        )

    def _beyond(self, test: StaleTest, number: int, now: WalkTest, ways: Sequence[Lawful], seen: Observed) -> Finding | None:
        """None if some way explains what was observed; what is known, if one does but for a register; else what is wrong."""
        found = [compare(now, way, seen) for way in ways]
        if None in found:
            return None
        for each in found:
            if each is not None and self._is_known(each, now):
                return each
        lawful = sorted({f"{words(way.outcome)}, flags {_flags(way.must)}" for way in ways})
        changed = {at: entry ^ now.entries[at] for at, entry in seen.entries.items() if entry != now.entries[at]}
        return Finding(
            _title(test, number, seen, changed), STALENESS, " or ".join(lawful), f"{words(seen.outcome)}, flags {_flags(changed)}"
        )


def _title(test: StaleTest, number: int, seen: Observed, changed: Mapping[int, int]) -> str:
    if any(bits & ~(A | D) for bits in changed.values()):
        return "setting a flag overwrites an entry that was edited since the walk"
    after = f"after {fence_words(test.rounds[number - 1].fence, test.start)}" if number else "at first"
    return f"{seen.outcome.kind} {after}, outside the envelope of stale translations"


def _flags(flags: Mapping[int, int]) -> str:
    return ", ".join(f"{bits:#x} at {at:#x}" for at, bits in sorted(flags.items()) if bits) or "none"
