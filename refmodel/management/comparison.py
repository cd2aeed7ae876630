"""Strategies compared on a workload: throughput against the bound, fairness, time to react, pages moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np

from refmodel.management.bound import Bound, bound
from refmodel.management.costs import Costs
from refmodel.management.scenario import Workload
from refmodel.management.simulation import POLICIES, Known, Period, simulate, to_give
from refmodel.monitor.policy.claims import Claim, MemoryUse
from refmodel.monitor.policy.static import StaticPartition

REACTED = 0.1
"""The part of what a VM lacked at first, down to which the lack has to come for the policy to have reacted."""
NOTED = 0.02
"""The part of all memory that a VM has to lack for it to count as a lack."""


@attrs.frozen
class Score:
    """The score of a strategy on a workload."""

    strategy: str
    throughput: float
    """The part of their time that VMs work, all together, while they run."""
    lost: float
    """The part of the bound's throughput that is lost."""
    worst: float | None
    """The throughput of the VM that fares worst. The bound says nothing of one VM."""
    fairness: float | None
    """Jain's index of the VMs' throughputs: 1 if all are alike, 1 / n if one has all."""
    entitled: float | None
    """The part of the memory due to it by its shares, and that it has a use for, which a VM has; on average."""
    reaction: float | None
    """Periods until a VM that comes to lack memory lacks a tenth of that, on average; the time to the end if that never comes, and
    None if no VM comes to lack memory."""
    moved: float | None
    """Pages that change hands in a period, as a part of all memory."""
    again: int
    """Pages read again from swap."""


def compare(
    workload: Workload, names: Sequence[str] = tuple(POLICIES), costs: Costs | None = None, ended: Callable[[], None] = lambda: None
) -> list[Score]:
    """Every strategy by name, and the bound last. A tax is levied from the first period. ``ended`` is called after each."""
    workload = attrs.evolve(workload, taxed_from=0)
    costs, known = costs or Costs(), Known.of(workload)
    least = bound(workload)
    most = bounded(workload, least, costs)
    found = list[Score]()
    for name in names:
        found.append(score(workload, name, simulate(workload, POLICIES[name], costs, known), known, most))
        ended()
    return [*found, Score("bound", most, 0.0, None, None, None, None, None, least.again)]


def score(workload: Workload, strategy: str, periods: Sequence[Period], known: Known, most: float) -> Score:
    """One strategy's score from what happened; ``most`` is the bound's throughput."""
    works = [throughput([p.waited[vm.name] for p in periods if p.active[vm.name]]) for vm in workload.vms]
    all_of_them = together(workload, works)
    return Score(
        strategy,
        all_of_them,
        1 - all_of_them / most,
        min(works),
        jain(works),
        entitlement(workload, periods, known),
        reaction(workload, periods),
        float(np.mean([p.moved for p in periods])) / workload.pages,
        sum(sum(p.again.values()) for p in periods),
    )


def throughput(waited: Sequence[float]) -> float:
    """The part of its time that a VM works, where it has as much to do in each period."""
    return len(waited) / sum(1 / (1 - part) for part in waited) if waited else 1.0


def together(workload: Workload, works: Sequence[float]) -> float:
    """The part of their time that VMs work, where each has as many seconds of work as it is there for."""
    seconds = working(workload)
    return sum(seconds) / sum(each / part for each, part in zip(seconds, works, strict=True))


def working(workload: Workload) -> list[float]:
    """The seconds of work that each VM is there for."""
    return [vm.activity.seconds * sum(vm.activity.touched(p).any() for p in range(workload.periods)) for vm in workload.vms]


def jain(values: Sequence[float]) -> float:
    """Jain, Chiu and Hawe's index of fairness (DEC-TR-301, 1984)."""
    given = np.asarray(values, float)
    return float(given.sum() ** 2 / (len(given) * (given**2).sum())) if given.any() else 1.0


def bounded(workload: Workload, least: Bound, costs: Costs) -> float:
    """The throughput of all VMs together that no strategy exceeds."""
    work = sum(working(workload))
    micros = least.again * (costs.exit + costs.swap_in) + least.written * costs.swap_out
    return work / (work + micros / 1e6)


def due(workload: Workload, demand: Mapping[str, int]) -> dict[str, int]:
    """What each VM is due: its minimum and, by its shares, a part of the rest; no more than it has a use for."""
    claims = {
        vm.name: Claim(vm.claim.minimum, max(vm.claim.minimum, min(vm.claim.maximum, demand[vm.name])), vm.claim.shares)
        for vm in workload.vms
    }
    uses = {name: MemoryUse(claim, 0, demand[name]) for name, claim in claims.items()}
    return StaticPartition().targets(to_give(workload), uses)


def entitlement(workload: Workload, periods: Sequence[Period], known: Known) -> float:
    """The part of what is due that VMs have, on average over VMs and periods in which something is."""
    kept = list[float]()
    for period in periods:
        demand = {vm.name: int(known.demand[vm.name][period.number]) for vm in workload.vms}
        for name, pages in due(workload, demand).items():
            if pages and demand[name]:
                kept.append(min(1.0, period.allocated[name] / min(pages, max(1, demand[name]))))
    return float(np.mean(kept)) if kept else 1.0


def reaction(workload: Workload, periods: Sequence[Period]) -> float | None:
    """Periods from when a VM comes to lack memory until it lacks a tenth of the most that it lacked. None if no VM lacks any."""
    found = list[int]()
    for vm in workload.vms:
        lacking = [max(0, min(p.active[vm.name], vm.claim.maximum) - p.allocated[vm.name]) for p in periods]
        since, most = None, 0
        for number, pages in enumerate(lacking):
            if since is None and pages > NOTED * workload.pages:
                since, most = number, pages
            elif since is not None:
                most = max(most, pages)
                if pages <= REACTED * most:
                    found.append(number - since)
                    since = None
        if since is not None:
            found.append(len(periods) - since)
    return float(np.mean(found)) if found else None
