"""Strategies with a mistake, and the rule of ``rules.py`` that each breaks: a rule that nothing breaks says nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from refmodel.management.activity import Activity, next_uses
from refmodel.management.bound import least_read
from refmodel.management.pools import Flags, Numbers, Pools, Put
from refmodel.management.rules import PARTS
from refmodel.monitor.policy.claims import MemoryUse
from refmodel.monitor.policy.idle_tax import DEFAULT_RATE, MinFunding
from refmodel.monitor.policy.miss_ratio import MissRatioBalancing
from refmodel.monitor.policy.pressure import Pressure
from refmodel.monitor.policy.proportional import Proportional
from refmodel.monitor.policy.reclamation import ORDER, THRESHOLDS, Reclamation, next_state
from refmodel.monitor.policy.sampling import FAST, SAMPLE, SLOW, Estimate
from refmodel.monitor.policy.self_ballooning import SelfBallooning
from refmodel.monitor.policy.stalls import Stalls
from refmodel.monitor.policy.static import StaticPartition

Uses = Mapping[str, MemoryUse]


@attrs.frozen
class Mistake:
    """Something in the place of one of ``PARTS``."""

    of: str
    part: Any
    rule: str
    """The rule that it breaks; it may break others, too."""
    told: str
    change: Any
    """The class or function with the mistake."""


MISTAKES: dict[str, Mistake] = {}
"""By name."""


def mistake(of: str, name: str, rule: str, made: Callable[[Any], Any] | None = None) -> Callable[[Any], Any]:
    """A class or function has a mistake, and stands in the place of one of ``PARTS``; its docstring says what is wrong."""

    def noted(thing: Any) -> Any:
        told = " ".join((thing.__doc__ or "").split())
        MISTAKES[name] = Mistake(of, made(thing) if made is not None else thing, rule, told, thing)
        return thing

    return noted


def _made(cls: Any) -> Any:
    return cls()


def _alike(uses: Uses) -> dict[str, MemoryUse]:
    return {name: attrs.evolve(use, claim=attrs.evolve(use.claim, shares=1000)) for name, use in uses.items()}


def _without_minimums(uses: Uses) -> dict[str, MemoryUse]:
    return {name: attrs.evolve(use, claim=attrs.evolve(use.claim, minimum=0)) for name, use in uses.items()}


KEPT = "what was promised is kept"

# ---------------------------------------------------------------- static, proportional


@mistake("static", "static-shares-ignored", "shares decide", _made)
class SharesIgnored(StaticPartition):
    """All VMs get equal parts, whatever their shares."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _alike(uses))


@mistake("static", "static-beyond-the-maximum", KEPT, _made)
class BeyondTheMaximum(StaticPartition):
    """The remaining memory is divided without regard to maximums."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(
            total, {name: attrs.evolve(use, claim=attrs.evolve(use.claim, maximum=total)) for name, use in uses.items()}
        )


@mistake("static", "static-follows-use", "use changes nothing", _made)
class FollowsUse(StaticPartition):
    """A VM gets only as much memory as it uses."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(
            total, {name: attrs.evolve(use, claim=attrs.evolve(use.claim, maximum=use.ceiling)) for name, use in uses.items()}
        )


@mistake("proportional", "proportional-by-shares", "one part for all", _made)
class ByShares(Proportional):
    """Each VM's part is weighted by its shares."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return StaticPartition().targets(total, uses)


@mistake("proportional", "proportional-from-nothing", KEPT, _made)
class FromNothing(Proportional):
    """Each VM gets a part of its maximum, as if there were no minimum."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _without_minimums(uses))


# ---------------------------------------------------------------- shares, esx


@mistake("shares", "shares-taxed", "without a tax idle memory is kept", lambda cls: cls(rate=DEFAULT_RATE))
class Taxed(MinFunding):
    """Idle pages are taxed, although this strategy has no tax."""


@mistake("shares", "shares-not-looked-at", "shares decide", lambda cls: cls(rate=0.0))
class NotLookedAt(MinFunding):
    """All VMs pay the same price, whatever their shares."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _alike(uses))


@mistake("shares", "shares-kept-free", "nothing wanted stays free", lambda cls: cls(rate=0.0))
class KeptFree(MinFunding):
    """Free memory stays free: memory only moves between VMs."""

    def _hand_out(self, total: int, uses: Uses, has: dict[str, int], step: int) -> None:
        pass


@mistake("esx", "esx-wrong-tax", "idle pages are taxed", _made)
class WrongTax(MinFunding):
    """A tax of 75 per cent makes an idle page cost 1.75 times as much, not four times."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return MinFunding(rate=1 - 1 / (1 + self.rate)).targets(total, uses)


@mistake("esx", "esx-taxes-the-busy", "idle pages are taxed", _made)
class TaxesTheBusy(MinFunding):
    """Pages in use are taxed, and idle pages are not."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, {name: attrs.evolve(use, active=1 - use.active) for name, use in uses.items()})


@mistake("esx", "esx-below-the-minimum", KEPT, _made)
class BelowTheMinimum(MinFunding):
    """Memory is taken from the VM that pays least, even below its minimum."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _without_minimums(uses))


@mistake("esx", "esx-nothing-revoked", "shares decide", _made)
class NothingRevoked(MinFunding):
    """The VM that pays most gets only free memory, and nothing from other VMs."""

    def _change_hands(self, uses: Uses, has: dict[str, int], step: int) -> bool:
        return False


# ---------------------------------------------------------------- pressure, stalls


@mistake(
    "pressure", "pressure-thresholds-reversed", "a steady load is left in peace", lambda cls: cls(short_above=0.7, spare_below=0.9)
)
class ThresholdsReversed(Pressure):
    """The thresholds are exchanged: between them a VM both gives and takes memory."""


@mistake(
    "pressure",
    "pressure-one-threshold",
    "who is short is given and between nothing moves",
    lambda cls: cls(short_above=0.7, spare_below=0.7),
)
class OneThreshold(Pressure):
    """One threshold separates a VM that is short of memory from a VM that has memory to spare."""


@mistake("pressure", "pressure-balloon-below-the-minimum", KEPT, _made)
class BalloonBelowTheMinimum(Pressure):
    """A balloon takes idle memory, even below its VM's minimum."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _without_minimums(uses))


@mistake(
    "pressure", "pressure-takes-nearly-all", "no thrashing under a steady load", lambda cls: cls(short_above=2.0, spare_below=2.0)
)
class TakesNearlyAll(Pressure):
    """A VM that uses all of its memory counts as having half to spare, so that no VM is ever short."""


@mistake("stalls", "stalls-reversed", "who waits grows and who does not is squeezed", _made)
class Reversed(Stalls):
    """A VM that waits for memory shrinks, and a VM that does not wait grows."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(
            total, {name: attrs.evolve(use, stalled=0.05 if use.stalled <= self.target else 0.0) for name, use in uses.items()}
        )


@mistake("stalls", "stalls-probes-below-the-minimum", KEPT, _made)
class ProbesBelowTheMinimum(Stalls):
    """A VM that does not wait gives a hundredth of its memory each round, even below its minimum."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _without_minimums(uses))


@mistake("stalls", "stalls-aims-too-high", "no thrashing under a steady load", lambda cls: cls(target=0.3))
class AimsTooHigh(Stalls):
    """A VM shrinks until it waits for a third of its time, not for a thousandth."""


@mistake("stalls", "stalls-without-hysteresis", "vms that wait alike exchange nothing", _made)
class WithoutHysteresis(Stalls):
    """Memory goes to the VM that waits longest, however small the difference is."""

    def _balance(self, total: int, uses: Uses, has: dict[str, int], stalling: list[str]) -> None:
        taker, giver = (choose(has, key=lambda n: (uses[n].stalled, n)) for choose in (max, min))
        pages = min(int(total * self.balance), uses[taker].ceiling - has[taker], has[giver] - uses[giver].claim.minimum)
        if uses[taker].stalled > uses[giver].stalled and pages > 0:
            has[taker] += pages
            has[giver] -= pages


# ---------------------------------------------------------------- self-ballooning


@mistake("self-ballooning", "self-ballooning-gives-at-once", "a guest gives slowly and takes at once", _made)
class GivesAtOnce(SelfBallooning):
    """A guest gives all of its memory above its goal in one round."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return {
            name: min(pages, max(uses[name].claim.minimum, _goal(uses[name])))
            for name, pages in super().targets(total, uses).items()
        }


@mistake("self-ballooning", "self-ballooning-below-the-minimum", KEPT, _made)
class GoalBelowTheMinimum(SelfBallooning):
    """A guest balloons down to its goal, even below its minimum."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _without_minimums(uses))


@mistake("self-ballooning", "self-ballooning-takes-from-others", "no guest takes from another", _made)
class TakesFromOthers(SelfBallooning):
    """A guest that lacks memory takes it from the guest that has most."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        has = super().targets(total, uses)
        taker, giver = max(has, key=lambda n: _goal(uses[n]) - has[n]), max(has, key=lambda n: has[n] - uses[n].claim.minimum)
        pages = max(0, min((_goal(uses[taker]) - has[taker]) // 2, has[giver] - uses[giver].claim.minimum)) if taker != giver else 0
        return has | {taker: has[taker] + pages, giver: has[giver] - pages} if pages else has


def _goal(use: MemoryUse) -> int:
    return min(use.claim.maximum, use.wanted if use.committed is None else use.committed)


@mistake("self-ballooning-tmem", "tmem-counts-pages-of-files", "pages of files are no goal", lambda cls: cls(tmem=True))
class CountsPagesOfFiles(SelfBallooning):
    """A guest's goal is all memory that it uses, including the page cache."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, {name: attrs.evolve(use, committed=None) for name, use in uses.items()})


@mistake("self-ballooning-tmem", "tmem-without-pools", "evicted pages are found in pools", lambda cls: cls(tmem=False))
class WithoutPools(SelfBallooning):
    """Memory that no VM has is not used for pools."""


@mistake("pools", "tmem-persistent-page-dropped", "persistent pages stay")
class PersistentPageDropped(Pools):
    """When frames are needed, persistent pages are dropped like ephemeral pages."""

    def shrink_to(self, frames: int) -> None:
        for flags in self.persistent.values():
            flags[np.flatnonzero(flags)[frames:]] = False
        super().shrink_to(frames)


@mistake("pools", "tmem-newest-dropped", "ephemeral pages go in turn")
class NewestDropped(Pools):
    """The ephemeral page that was put last is dropped first."""

    def shrink_to(self, frames: int) -> None:
        for name, flags in self.ephemeral.items():
            here = np.flatnonzero(flags)
            flags[here[np.argsort(self.put_at[name][here])[max(0, frames - self.all_owed()) :]]] = False


@mistake("pools", "tmem-beyond-the-maximum", "persistent pages count as memory")
class KeptBeyondTheMaximum(Pools):
    """A VM may have any number of persistent pages, whatever its maximum."""

    def put(self, name: str, pages: Numbers, dirty: Flags, frames: int, most: int) -> Put:
        return super().put(name, pages, dirty, frames, frames)


# ---------------------------------------------------------------- miss-ratio


@mistake("miss-ratio", "miss-ratio-least-gain-first", "misses are the fewest", _made)
class LeastGainFirst(MissRatioBalancing):
    """Memory goes first to the VM where a page saves the fewest misses."""

    def _steps(self, name: str, use: MemoryUse) -> list[tuple[float, str, int]]:
        return [(1 / gain, name, size) for gain, name, size in super()._steps(name, use)]


@mistake("miss-ratio", "miss-ratio-no-hull", "misses are the fewest", _made)
class NoHull(MissRatioBalancing):
    """Each step of a miss curve is judged by itself, so that a VM never gets the pages that lead up to a cliff."""

    def _steps(self, name: str, use: MemoryUse) -> list[tuple[float, str, int]]:
        pairs = zip(use.curve, use.curve[1:], strict=False)
        return [
            ((before[1] - after[1]) / (after[0] - before[0]), name, min(after[0], use.claim.maximum))
            for before, after in pairs
            if after[0] > use.claim.minimum and before[1] - after[1] > 0
        ]


@mistake("miss-ratio", "miss-ratio-no-inertia", "small changes are not made", lambda cls: cls(inertia=0.0))
class NoInertia(MissRatioBalancing):
    """Memory moves for any gain, however small."""


@mistake("miss-ratio", "miss-ratio-below-the-minimum", KEPT, _made)
class DividedFromNothing(MissRatioBalancing):
    """Memory is divided by miss curves alone, even below minimums."""

    def targets(self, total: int, uses: Uses) -> dict[str, int]:
        return super().targets(total, _without_minimums(uses))


# ---------------------------------------------------------------- what is beside them


@mistake("reclamation", "reclamation-threshold-reversed", "less is no better")
def threshold_reversed(now: Reclamation, free: float) -> Reclamation:
    """The soft state begins below 2 per cent of free memory, and the hard state below 4."""
    state = next_state(now, free)
    return {Reclamation.SOFT: Reclamation.HARD, Reclamation.HARD: Reclamation.SOFT}.get(state, state)


@mistake("reclamation", "reclamation-no-margin", "states have a margin")
def no_margin(now: Reclamation, free: float) -> Reclamation:
    """The state improves as soon as its threshold is reached, without a margin."""
    return next(state for state in ORDER if free >= THRESHOLDS[state])


@mistake("balloons", "balloons-not-waited-for", "balloons give what there is")
def not_waited_for(
    total: int, allocated: Mapping[str, int], target: Mapping[str, int], state: Reclamation, kept: int = 0
) -> dict[str, int]:
    """A VM gets memory before a balloon has taken that memory from another VM."""
    now: dict[str, int] = PARTS["balloons"](total, allocated, target, state, kept)
    return {name: max(pages, target[name]) for name, pages in now.items()}


@mistake("balloons", "balloons-always-at-once", "balloons are slow unless memory is short")
def always_at_once(
    total: int, allocated: Mapping[str, int], target: Mapping[str, int], state: Reclamation, kept: int = 0
) -> dict[str, int]:
    """A balloon takes any number of pages at once."""
    now: dict[str, int] = PARTS["balloons"](total, allocated, target, Reclamation.HARD, kept)
    return now


@mistake("sampling", "sampling-slow-both-ways", "busy at once and idle after a while")
class SlowBothWays(Estimate):
    """The smallest average is taken, so that the estimate follows an idle VM at once and a busy VM late."""

    @property
    def active(self) -> float:
        return min(self.slow, self.fast, self.current)


@mistake("sampling", "sampling-never-idle", "busy at once and idle after a while")
class NeverIdle(Estimate):
    """The slow average rises, and never falls."""

    def after(self, touched: int, sample: int = SAMPLE) -> Estimate:
        part = touched / sample
        fast = self.fast + FAST * (part - self.fast)
        return NeverIdle(max(self.slow, self.slow + SLOW * (part - self.slow)), fast, fast + FAST * (part - fast))


@mistake("bound", "bound-by-the-past", "nobody reads fewer than the bound")
def by_the_past(activities: Sequence[Activity], periods: int, pages: int) -> int:
    """The bound evicts the page that was used longest ago, as if it did not know the future."""
    stamp, again = np.full(sum(each.pages for each in activities), -1), 0
    resident, gone = stamp >= 0, stamp >= 0
    for period in range(periods):
        touched = np.concatenate([each.touched(period) for each in activities])
        again += int(np.count_nonzero(touched & gone))
        stamp[touched], resident = period, resident | touched
        here = np.flatnonzero(resident)
        going = here[np.argsort(stamp[here], kind="stable")[: max(0, len(here) - pages)]]
        gone, resident = (gone & ~touched), resident.copy()
        resident[going], gone[going] = False, True
    return again


@mistake("bound", "bound-with-less-memory", "nobody reads fewer than the bound")
def with_less_memory(activities: Sequence[Activity], periods: int, pages: int) -> int:
    """The bound keeps a page free, although a strategy need not do so."""
    return least_read(activities, periods, max(0, pages - 1))


@mistake("bound of writes", "bound-counts-what-nobody-waits-for", "nobody writes fewer than the bound")
def counts_what_nobody_waits_for(activities: Sequence[Activity], periods: int, pages: int) -> int:
    """The bound counts writes of changed pages before a period in which their VM does nothing."""
    return _written(activities, periods, pages, rests=False)


@mistake("bound of writes", "bound-writes-by-uses", "nobody writes fewer than the bound")
def writes_by_uses(activities: Sequence[Activity], periods: int, pages: int) -> int:
    """The bound writes the changed page whose next use is farthest away, even if that use is not a store."""
    return _written(activities, periods, pages, by_uses=True)


def _written(activities: Sequence[Activity], periods: int, pages: int, rests: bool = True, by_uses: bool = False) -> int:
    """Of one VM that has few pages."""
    (only,) = activities
    coming = next_uses(only, periods)
    stores = [
        [next((at for at in range(period + 1, periods) if only.changed(at)[page]), periods) for page in range(only.pages)]
        for period in range(periods)
    ]
    dirty, written = np.zeros(only.pages, np.bool_), 0
    for period in range(periods - 1):
        dirty |= only.changed(period)
        if rests and not only.touched(period + 1).any():
            dirty[:] = False
        here = np.flatnonzero(dirty)
        order = coming[period][here] if by_uses else np.array(stores[period])[here]
        going = here[np.argsort(-order.astype(np.int64), kind="stable")[: max(0, len(here) - pages)]]
        written += len(going)
        dirty[going] = False
    return written
