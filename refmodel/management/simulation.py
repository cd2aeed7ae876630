"""Policies at work on a workload: who has how much memory, period by period, and what it costs.

In each period the VMs touch their pages. A page that is not resident is brought in. Where more are resident than a VM has memory
for, those touched longest ago go. Use is sampled, the policy says what each is to have, and balloons move towards it, as far as
they can in a period; where memory is short they are not waited for. The pages touched in a period are taken once each, in order:
what happens again and again within a period is not seen. VMs do not run slower because they wait: the time that they wait is
counted beside. Everything follows from the workload and its seed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.activity import Phases, own_working_sets, working_sets
from refmodel.management.costs import Costs
from refmodel.management.estimating.curves import Curve, Curves
from refmodel.management.pools import Got, Pools
from refmodel.management.recording import LEAST_SAMPLES
from refmodel.management.scenario import Vm, Workload
from refmodel.monitor.policy.claims import Claim, MemoryUse, Policy, admitted
from refmodel.monitor.policy.idle_tax import MinFunding
from refmodel.monitor.policy.miss_ratio import MissRatioBalancing
from refmodel.monitor.policy.pressure import Pressure
from refmodel.monitor.policy.proportional import Proportional
from refmodel.monitor.policy.reclamation import MARGIN, THRESHOLDS, Reclamation, next_state
from refmodel.monitor.policy.sampling import SAMPLE, Estimate
from refmodel.monitor.policy.self_ballooning import SelfBallooning
from refmodel.monitor.policy.stalls import Stalls
from refmodel.monitor.policy.static import StaticPartition

BALLOON_RATE = 0.04
"""The part of all memory that a balloon takes in a period, at most. What it gives back is there at once."""
WINDOW = LEAST_SAMPLES
"""Periods over which a guest's demand and its miss-ratio curve are looked at."""
HOT = 0.25
"""The part of what a VM has whose accesses a miss-ratio estimate does not see."""

POLICIES: dict[str, Policy] = {
    "static": StaticPartition(),
    "shares": MinFunding(rate=0.0),
    "esx": MinFunding(),
    "proportional": Proportional(),
    "pressure": Pressure(),
    "self-ballooning": SelfBallooning(),
    "self-ballooning-tmem": SelfBallooning(tmem=True),
    "stalls": Stalls(),
    "miss-ratio": MissRatioBalancing(),
}
"""By name; ``shares`` is ESX's without the tax."""


@attrs.frozen
class Period:
    """One period of a simulation, with numbers of pages by VM."""

    number: int
    state: Reclamation
    free: int
    allocated: Mapping[str, int]
    """After the period."""
    target: Mapping[str, int]
    active: Mapping[str, int]
    estimated: Mapping[str, float]
    first: Mapping[str, int]
    """Pages touched for the first time."""
    again: Mapping[str, int]
    """Pages that had gone, and were read in from swap."""
    cached: Mapping[str, int]
    """Pages that had gone, and were found in a pool of the monitor's."""
    written: Mapping[str, int]
    """Changed pages that went to the disk."""
    kept: Mapping[str, int]
    """Pages in pools of the monitor's, after the period."""
    owed: Mapping[str, int]
    """Those of them that the monitor cannot drop."""
    waited: Mapping[str, float]
    """The part of the period that a VM waited because memory had been taken from it, or its use was looked at. For what it gave up
    at the end of a period it waits in the next."""
    moved: int

    def lacking(self, name: str) -> int:
        """Pages that a VM uses and does not have: it pages itself."""
        return max(0, self.active[name] - self.allocated[name])


@attrs.frozen(eq=False)
class Evicted:
    """Pages that went, the one touched longest ago first."""

    pages: npt.NDArray[np.int64]
    dirty: npt.NDArray[np.bool_]
    """By page: whether it was changed, so that no disk has it as it is."""


@attrs.define(eq=False)
class Memory:
    """One VM's pages."""

    resident: npt.NDArray[np.bool_]
    gone: npt.NDArray[np.bool_]
    """Evicted, and not touched since."""
    dirty: npt.NDArray[np.bool_]
    stamp: npt.NDArray[np.int64]
    """When a page was touched last; of pages touched in one period, the later in order has the larger."""
    clock: int = 0

    @classmethod
    def of(cls, pages: int) -> Memory:
        return cls(np.zeros(pages, np.bool_), np.zeros(pages, np.bool_), np.zeros(pages, np.bool_), np.full(pages, -1, np.int64))

    def coming_back(self, touched: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The pages that have gone and are touched now."""
        return np.flatnonzero(touched & ~self.resident & self.gone)

    def touch(self, touched: npt.NDArray[np.bool_], changed: npt.NDArray[np.bool_]) -> tuple[int, npt.NDArray[np.int64]]:
        """How many pages come for the first time, and which come back."""
        missing = touched & ~self.resident
        back = self.coming_back(touched)
        first = int(np.count_nonzero(missing)) - len(back)
        self.clock += 1
        at = np.flatnonzero(touched)
        self.stamp[at] = self.clock * len(touched) + at
        self.resident |= touched
        self.gone &= ~touched
        self.dirty |= changed & touched
        return first, back

    def evict_to(self, allowed: int) -> Evicted:
        """Let the pages go that were touched longest ago, until no more than ``allowed`` are left."""
        here = np.flatnonzero(self.resident)
        excess = len(here) - allowed
        if excess <= 0:
            return Evicted(here[:0], self.dirty[:0])
        going = here if allowed <= 0 else here[np.argpartition(self.stamp[here], excess - 1)[:excess]]
        going = going[np.argsort(self.stamp[going])]
        self.resident[going] = False
        self.gone[going] = True
        dirty = self.dirty[going]
        self.dirty[going] = False
        return Evicted(going, dirty)


@attrs.frozen(eq=False, slots=False)
class Known:
    """What can be worked out of a workload once, for all policies: each VM's recent demand, and its distances."""

    workload: Workload
    demand: Mapping[str, npt.NDArray[np.int64]]
    committed: Mapping[str, npt.NDArray[np.int64]]
    """Pages of files are none that a kernel commits itself to (Linux, Documentation/mm/overcommit-accounting.rst)."""

    @classmethod
    def of(cls, workload: Workload) -> Known:
        return cls(
            workload,
            {vm.name: working_sets(vm.activity, workload.periods, _window(vm)) for vm in workload.vms},
            {vm.name: own_working_sets(vm.activity, workload.periods, _window(vm)) for vm in workload.vms},
        )

    @functools.cached_property
    def curves(self) -> Mapping[str, Curves]:
        """By VM; they take a while, and few policies need them."""
        return {vm.name: Curves.of(vm.activity, self.workload.periods) for vm in self.workload.vms}


def _window(vm: Vm) -> int:
    """A guest has uses for the pages of the period in phases, and for those touched of late in a recording."""
    return 1 if isinstance(vm.activity, Phases) else WINDOW


@attrs.define(eq=False)
class Simulation:
    """A workload under a policy, as far as it has come."""

    workload: Workload
    policy: Policy
    costs: Costs
    known: Known
    draw: np.random.Generator
    memories: dict[str, Memory]
    allocated: dict[str, int]
    estimates: dict[str, Estimate]
    stalled: dict[str, float]
    """The part of the last period that a VM waited for memory."""
    given_up: dict[str, Went]
    """What went at the end of the last period, when memory was moved."""
    pools: Pools | None
    state: Reclamation = Reclamation.HIGH

    def begin(self) -> None:
        """VMs come up with what the policy gives them for what they do first."""
        target = _levied(self.policy, self.workload, 0).targets(to_give(self.workload), self._uses(0))
        self.allocated = moved(self.workload.pages, self.allocated, target, self.state)

    def period(self, number: int) -> Period:
        """Go through one period."""
        happened = {vm.name: self._run(vm, number) for vm in self.workload.vms}
        micros = {vm.name: self._waiting(happened[vm.name], self.given_up[vm.name]) for vm in self.workload.vms}
        self.stalled = {vm.name: _part(vm, micros[vm.name]) for vm in self.workload.vms}
        waited = {vm.name: _part(vm, micros[vm.name] + self._deciding(vm, number)) for vm in self.workload.vms}
        for vm in self.workload.vms:
            self._sample(vm, happened[vm.name].active)
        target = _levied(self.policy, self.workload, number).targets(to_give(self.workload) - self._owed(), self._uses(number))
        before, self.allocated = self.allocated, moved(self.workload.pages, self.allocated, target, self.state, self._owed())
        self.given_up = {
            vm.name: attrs.evolve(self._evict(vm), ballooned=max(0, before[vm.name] - self.allocated[vm.name]))
            for vm in self.workload.vms
        }
        free = self.workload.pages - sum(self.allocated.values()) - self._owed()
        self.state = next_state(self.state, free / self.workload.pages)
        return Period(
            number,
            self.state,
            free,
            dict(self.allocated),
            target,
            {n: e.active for n, e in happened.items()},
            {n: e.active for n, e in self.estimates.items()},
            {n: e.first for n, e in happened.items()},
            {n: e.read for n, e in happened.items()},
            {n: e.cached for n, e in happened.items()},
            {n: e.went.written + self.given_up[n].written for n, e in happened.items()},
            {n: self.pools.held(n) if self.pools else 0 for n in happened},
            {n: self.pools.owed(n) if self.pools else 0 for n in happened},
            waited,
            sum(abs(self.allocated[n] - before[n]) for n in before),
        )

    def _frames(self) -> int:
        """Frames for pools: those that a policy could give out and has given to nobody."""
        return max(0, to_give(self.workload) - sum(self.allocated.values()))

    def _owed(self) -> int:
        return self.pools.all_owed() if self.pools is not None else 0

    def _run(self, vm: Vm, number: int) -> Happened:
        touched, memory = vm.activity.touched(number), self.memories[vm.name]
        first, back = memory.touch(touched, vm.activity.changed(number))
        got = self.pools.get(vm.name, back) if self.pools is not None else Got(0, 0, back[:0])
        memory.dirty[got.persistent] = True
        return Happened(int(np.count_nonzero(touched)), first, len(back) - got.found, got.found, got.calls, self._evict(vm))

    def _evict(self, vm: Vm) -> Went:
        """Pages go until no more are left than a VM has memory for."""
        evicted = self.memories[vm.name].evict_to(self.allocated[vm.name])
        if self.pools is None:
            return Went(int(np.count_nonzero(evicted.dirty)))
        most = vm.claim.maximum - self.allocated[vm.name]
        put = self.pools.put(vm.name, evicted.pages, evicted.dirty, self._frames(), most)
        return Went(put.written, len(evicted.pages), put.kept)

    def _waiting(self, happened: Happened, given_up: Went) -> float:
        """Microseconds for memory. First touches take their time on any machine, and are not counted."""
        costs = self.costs
        calls = happened.read + happened.calls + happened.went.calls + given_up.calls
        copies = happened.cached + happened.went.copies + given_up.copies
        return (
            happened.read * costs.swap_in
            + (happened.went.written + given_up.written) * costs.swap_out
            + calls * costs.exit
            + copies * costs.copy
        )

    def _deciding(self, vm: Vm, number: int) -> float:
        """Microseconds for what the policy looks at, and for pages that the balloon took.

        A sample is withdrawn page by page. Of a curve, each access beyond the hot set to a page that is there exits.
        """
        policy, has = _levied(self.policy, self.workload, number), self.allocated[vm.name]
        micros = self.given_up[vm.name].ballooned * self.costs.balloon
        if isinstance(policy, Pressure) or (isinstance(policy, MinFunding) and policy.rate > 0):
            micros += SAMPLE * self.costs.scan
        if isinstance(policy, MissRatioBalancing):
            micros += self.known.curves[vm.name].seen(number, int(HOT * has), has) * self.costs.exit
        return micros

    def _sample(self, vm: Vm, active: int) -> None:
        """Waldspurger's sample of a VM's pages. What is touched is taken to be spread among them."""
        part = min(1.0, active / max(1, self.allocated[vm.name]))
        self.estimates[vm.name] = self.estimates[vm.name].after(int(self.draw.binomial(SAMPLE, part)))

    def _uses(self, number: int) -> dict[str, MemoryUse]:
        found = {}
        for vm in self.workload.vms:
            has, demand = self.allocated[vm.name], int(self.known.demand[vm.name][number])
            wanted = max(demand, has) if demand else 0  # a guest keeps what it once had, as long as nobody asks for it
            curve = self._curve(vm, number, has) if isinstance(self.policy, MissRatioBalancing) else ()
            found[vm.name] = MemoryUse(
                self._claim(vm),
                has,
                wanted,
                self.estimates[vm.name].active,
                int(self.known.committed[vm.name][number]),
                self.stalled[vm.name],
                curve,
            )
        return found

    def _claim(self, vm: Vm) -> Claim:
        """What is left of a VM's claim: its persistent pages count as its memory."""
        owed = self.pools.owed(vm.name) if self.pools is not None else 0
        return attrs.evolve(vm.claim, maximum=vm.claim.maximum - owed)

    def _curve(self, vm: Vm, number: int, has: int) -> Curve:
        return self.known.curves[vm.name].beyond(number - WINDOW + 1, number, int(HOT * has))


@attrs.frozen
class Went:
    """What it took to let pages go."""

    written: int = 0
    """Changed pages that went to the disk."""
    calls: int = 0
    """Pages that were put into a pool, or tried."""
    copies: int = 0
    """Those that were taken."""
    ballooned: int = 0
    """Pages given to the balloon."""


@attrs.frozen
class Happened:
    """What a VM did in a period, in pages."""

    active: int
    first: int
    read: int
    """Of those that came back: read from the disk."""
    cached: int
    """Of those that came back: found in a pool."""
    calls: int
    """Calls to get them."""
    went: Went


def simulate(workload: Workload, policy: Policy, costs: Costs | None = None, known: Known | None = None) -> list[Period]:
    """Every period. What can be worked out once for several policies may be given."""
    admitted(workload.pages, {vm.name: vm.claim for vm in workload.vms})
    names = [vm.name for vm in workload.vms]
    has_pools = isinstance(policy, SelfBallooning) and policy.tmem
    pools = Pools.of({vm.name: vm.activity.pages for vm in workload.vms}) if has_pools else None
    run = Simulation(
        workload,
        policy,
        costs or Costs(),
        known or Known.of(workload),
        np.random.default_rng(workload.seed),
        {vm.name: Memory.of(vm.activity.pages) for vm in workload.vms},
        {vm.name: vm.claim.minimum for vm in workload.vms},
        {name: Estimate() for name in names},
        dict.fromkeys(names, 0.0),
        dict.fromkeys(names, Went()),
        pools,
    )
    run.begin()
    return [run.period(number) for number in range(workload.periods)]


def _part(vm: Vm, micros: float) -> float:
    """The part of a period that so many microseconds beside the VM's work are."""
    return micros / 1e6 / (vm.activity.seconds + micros / 1e6)


def to_give(workload: Workload) -> int:
    """Pages that a policy gives out: enough stays free for the state to be high, unless the minimums need it."""
    kept = int(workload.pages * (THRESHOLDS[Reclamation.HIGH] + MARGIN)) + 1
    return max(workload.pages - kept, sum(vm.claim.minimum for vm in workload.vms))


def _levied(policy: Policy, workload: Workload, number: int) -> Policy:
    if isinstance(policy, MinFunding) and number < workload.taxed_from:
        return attrs.evolve(policy, rate=0.0)
    return policy


def moved(total: int, allocated: Mapping[str, int], target: Mapping[str, int], state: Reclamation, kept: int = 0) -> dict[str, int]:
    """What each VM has after a period: first who has too much gives, as fast as a balloon does, or at once where memory is short;
    then who has too little is given what is free, beginning with who lacks most. ``kept`` pages are the monitor's to keep."""
    rate = total if state in (Reclamation.HARD, Reclamation.LOW) else max(1, int(total * BALLOON_RATE))
    now = {name: max(target[name], has - rate) if has > target[name] else has for name, has in allocated.items()}
    free = total - kept - sum(now.values())
    for name in sorted(now, key=lambda n: (now[n] - target[n], n)):
        given = max(0, min(target[name] - now[name], free))
        now[name] += given
        free -= given
    return now
