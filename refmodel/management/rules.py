"""Rules that strategies keep, and what they are made of: each says what was found wrong, or nothing.

Some hold of every strategy, others are what one was published for. Whatever they look at is drawn from fixed seeds, so that a
verdict is always the same. ``mistakes.py`` has strategies with a mistake, each of which breaks a rule.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from refmodel.management.activity import Activity, Phase, Phases, Replayed
from refmodel.management.bound import least_read, least_written
from refmodel.management.pools import Pools
from refmodel.management.recording import NO_PATCH, Recording
from refmodel.management.scenario import Vm, Workload
from refmodel.management.simulation import BALLOON_RATE, POLICIES, moved, simulate
from refmodel.monitor.policy.claims import Claim, MemoryUse, Policy
from refmodel.monitor.policy.idle_tax import DEFAULT_RATE
from refmodel.monitor.policy.reclamation import MARGIN, ORDER, THRESHOLDS, Reclamation, next_state
from refmodel.monitor.policy.sampling import SAMPLE, Estimate

TOTAL = 10_000
"""Pages of the machine."""
DRAWN = 150
"""Situations that are drawn."""
NEAR = 0.05
"""The part by which a ratio may be off: memory moves a hundredth of a machine at a time."""
Uses = dict[str, MemoryUse]

EVERY = tuple(POLICIES)
PARTS: dict[str, Any] = {
    **POLICIES,
    "pools": Pools,
    "reclamation": next_state,
    "balloons": moved,
    "sampling": Estimate,
    "bound": least_read,
    "bound of writes": least_written,
}
"""What rules are about: the strategies, and what the comparison has beside them."""


@attrs.frozen
class Rule:
    """A sentence, and who has to keep it."""

    name: str
    sentence: str
    source: str
    of: tuple[str, ...]
    check: Callable[[Any], str | None]
    """Of one of them: what is wrong, or None."""


RULES: dict[str, Rule] = {}
"""By name."""


def rule(sentence: str, source: str, *of: str) -> Callable[[Callable[[Any], str | None]], Callable[[Any], str | None]]:
    """State a rule of some of ``PARTS``."""

    def stated(check: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
        name = check.__name__.replace("_", " ")
        RULES[name] = Rule(name, sentence, source, of, check)
        return check

    return stated


def broken(of: str, part: Any) -> dict[str, str]:
    """The rules that something breaks which stands in the place of one of ``PARTS``, and what was found."""
    found = {name: each.check(part) for name, each in RULES.items() if of in each.of}
    return {name: said for name, said in found.items() if said is not None}


# ---------------------------------------------------------------- situations


def drawn(seed: int) -> Uses:
    """Up to five VMs with any claims whose minimums fit, and any use of memory."""
    draw, found, left = np.random.default_rng(seed), Uses(), TOTAL
    for name in "abcde"[: draw.integers(1, 6)]:
        minimum = int(draw.integers(0, left // 2 + 1))
        left -= minimum
        claim = Claim(minimum, int(draw.integers(minimum, TOTAL + 1)), int(draw.integers(1, 4001)))
        found[name] = MemoryUse(
            claim,
            int(draw.integers(claim.minimum, claim.maximum + 1)),
            int(draw.integers(0, 2 * TOTAL)),
            float(draw.random()),
            int(draw.integers(0, TOTAL)),
            float(draw.choice([0.0, draw.random()])),
            _curve(draw),
        )
    return found


def _curve(draw: np.random.Generator) -> tuple[tuple[int, float], ...]:
    sizes = np.unique(draw.integers(0, TOTAL, draw.integers(0, 6)))
    misses = np.sort(draw.integers(0, 5000, len(sizes)))[::-1]
    return tuple((int(size), float(missed)) for size, missed in zip(sizes, misses, strict=True))


@functools.cache
def situations() -> tuple[Uses, ...]:
    return tuple(drawn(seed) for seed in range(DRAWN))


def two(one: Mapping[str, Any], other: Mapping[str, Any], minimum: int = 0) -> Uses:
    """Two VMs that may have all and want all, but for what is said."""
    plain = {"allocated": TOTAL // 2, "wanted": TOTAL}
    return {
        name: MemoryUse(
            Claim(minimum, TOTAL, given.get("shares", 1000)),
            **{**plain, **{key: value for key, value in given.items() if key != "shares"}},
        )
        for name, given in (("a", one), ("b", other))
    }


def settled(policy: Policy, uses: Uses) -> dict[str, int] | None:
    """What VMs have once a policy changes nothing more; None if it goes on for more steps than there are pages."""
    now = uses
    for _ in range(TOTAL + 1):
        has = policy.targets(TOTAL, now)
        if has == {name: use.allocated for name, use in now.items()}:
            return has
        now = {name: attrs.evolve(use, allocated=has[name]) for name, use in now.items()}
    return None


# ---------------------------------------------------------------- of every strategy


def out_of_bounds(uses: Uses, targets: Mapping[str, int]) -> str | None:
    """What is wrong with targets, whoever made them."""
    if set(targets) != set(uses):
        return f"targets for {sorted(targets)}, and there are {sorted(uses)}"
    for name, use in uses.items():
        if not use.claim.minimum <= targets[name] <= use.claim.maximum:
            return f"{name} is to have {targets[name]}, and was promised {use.claim.minimum} to {use.claim.maximum}"
    given = sum(targets.values())
    return f"{given} pages are given out, and there are {TOTAL}" if given > TOTAL else None


@rule(
    "Every target lies between its VM's minimum and maximum, and the sum of all targets is at most the machine's memory.",
    "RES-4",
    *EVERY,
)
def what_was_promised_is_kept(policy: Policy) -> str | None:
    return next(filter(None, (out_of_bounds(uses, policy.targets(TOTAL, uses)) for uses in situations())), None)


@rule("While the VMs' demands do not change, memory stops moving after a while.", "Waldspurger, OSDI 2002, section 5.1", *EVERY)
def a_steady_load_is_left_in_peace(policy: Policy) -> str | None:
    for uses in situations()[: DRAWN // 3]:
        calm = {name: attrs.evolve(use, stalled=0.0) for name, use in uses.items()}
        if settled(policy, calm) is None:
            return f"memory moves for ever between {', '.join(calm)}"
    return None


STEADY = Workload(
    12_000, (Vm("one", Claim(1000, 8000), Phases((Phase(0, 4000),))), Vm("other", Claim(1000, 8000), Phases((Phase(0, 5000),)))), 50
)
"""Two VMs that fit."""
FINDING_OUT = 0.1
"""The part of its time that a VM may wait because a strategy takes memory to find out who needs it."""


@rule("Two VMs with steady use that fit in memory wait for less than a tenth of their time.", "Denning, AFIPS 1968", *EVERY)
def no_thrashing_under_a_steady_load(policy: Policy) -> str | None:
    worst = max(max(period.waited.values()) for period in simulate(STEADY, policy)[30:])
    return f"a VM waits {100 * worst:.0f} % of a period" if worst >= FINDING_OUT else None


# ---------------------------------------------------------------- of some


@rule(
    "If two VMs both want all memory, the VM with twice the shares gets twice the memory.",
    "Waldspurger, OSDI 2002, section 5.1",
    "static",
    "shares",
    "esx",
)
def shares_decide(policy: Policy) -> str | None:
    has = policy.targets(TOTAL, two({"shares": 2000}, {"shares": 1000}))
    return _ratio(has, "a", "b", 2.0)


@rule(
    "An idle page costs 1 / (1 - tax) times as much as a page in use: with a tax of 75 per cent and equal shares, a busy VM gets "
    "four times the memory of an idle VM.",
    "Waldspurger, OSDI 2002, section 5.2",
    "esx",
)
def idle_pages_are_taxed(policy: Policy) -> str | None:
    has = policy.targets(TOTAL, two({"active": 1.0}, {"active": 0.0}))
    return _ratio(has, "a", "b", 1 / (1 - DEFAULT_RATE))


@rule(
    "Two VMs with equal shares get half of the memory each, whether or not they use it.",
    "Waldspurger, OSDI 2002, section 5.1",
    "shares",
    "static",
)
def without_a_tax_idle_memory_is_kept(policy: Policy) -> str | None:
    return _ratio(policy.targets(TOTAL, two({"active": 1.0}, {"active": 0.0})), "a", "b", 1.0)


def _ratio(has: Mapping[str, int], one: str, other: str, due: float) -> str | None:
    found = has[one] / max(1, has[other])
    return None if abs(found / due - 1) <= NEAR else f"memory of {found:.2f} to 1, and {due:.2f} to 1 is due"


@rule(
    "While memory is free, every VM below its maximum gets the memory that it wants.",
    "Waldspurger, OSDI 2002, section 5.1",
    "shares",
    "esx",
)
def nothing_wanted_stays_free(policy: Policy) -> str | None:
    for uses in situations():
        has = policy.targets(TOTAL, uses)
        lacks = [name for name, use in uses.items() if has[name] < use.ceiling]
        if lacks and sum(has.values()) < TOTAL:
            return f"{lacks[0]} lacks memory, and {TOTAL - sum(has.values())} pages are free"
    return None


@rule("A VM's part of memory does not depend on its activity.", "its definition", "static", "proportional")
def use_changes_nothing(policy: Policy) -> str | None:
    for uses in situations():
        idle = {name: MemoryUse(use.claim, use.claim.minimum, 0, 0.0, 0) for name, use in uses.items()}
        if policy.targets(TOTAL, uses) != policy.targets(TOTAL, idle):
            return "VMs that do nothing get something else"
    return None


@rule(
    "All VMs get the same part of the range between minimum and maximum, whatever their shares.",
    "xapi-project/squeezed",
    "proportional",
)
def one_part_for_all(policy: Policy) -> str | None:
    for uses in situations():
        has = policy.targets(TOTAL, uses)
        spread = {name: use.claim.maximum - use.claim.minimum for name, use in uses.items()}
        parts = [(has[name] - uses[name].claim.minimum) / spread[name] for name in uses if spread[name] > 1000]
        if parts and max(parts) - min(parts) > 0.001 + 1 / 1000:
            return f"parts from {min(parts):.2f} to {max(parts):.2f}"
        if sum(has.values()) + len(uses) < min(TOTAL, sum(use.claim.maximum for use in uses.values())):
            return "memory that all may have is left over"
    return None


@rule(
    "A VM above the upper threshold of use gets memory, a VM below the lower threshold gives memory, and other VMs keep their "
    "memory.",
    "oVirt, MOM's balloon rules",
    "pressure",
)
def who_is_short_is_given_and_between_nothing_moves(policy: Policy) -> str | None:
    short, idle, between = ({"allocated": 4000, "active": part} for part in (0.95, 0.3, 0.8))
    has = policy.targets(TOTAL, two(short, idle))
    if not has["a"] > 4000 > has["b"]:
        return f"of 4000 pages each the short one has {has['a']}, the other {has['b']}"
    still = policy.targets(TOTAL, two(between, between))
    return None if still == {"a": 4000, "b": 4000} else f"VMs between the thresholds have {still['a']} pages, not 4000"


@rule(
    "In each round, a guest gives up an eighth of its memory above its goal, or takes all memory that it lacks.",
    "Linux, xen-selfballoon.c",
    "self-ballooning",
    "self-ballooning-tmem",
)
def a_guest_gives_slowly_and_takes_at_once(policy: Policy) -> str | None:
    has = policy.targets(TOTAL, two({"allocated": 5000, "committed": 1000}, {"allocated": 1000, "committed": 3000}))
    due = {"a": 5000 - (5000 - 1000) // 8, "b": 3000}
    return None if has == due else f"VMs have {has}, and {due} is due"


@rule(
    "A guest's goal is the memory that its kernel has committed, without the page cache.",
    "Linux, xen-selfballoon.c",
    "self-ballooning",
    "self-ballooning-tmem",
)
def pages_of_files_are_no_goal(policy: Policy) -> str | None:
    has = settled(policy, two({"committed": 2000, "wanted": 9000}, {"committed": 1000, "wanted": 9000}))
    return None if has == {"a": 2000, "b": 1000} else f"VMs end with {has}"


@rule(
    "A guest that is at or below its goal loses no memory to another guest.",
    "Linux, xen-selfballoon.c",
    "self-ballooning",
    "self-ballooning-tmem",
)
def no_guest_takes_from_another(policy: Policy) -> str | None:
    has = policy.targets(TOTAL, two({"allocated": 7000, "committed": 7000}, {"allocated": 3000, "committed": 9000}))
    return None if has == {"a": 7000, "b": 3000} else f"VMs have {has}, and had 7000 and 3000"


TAKES_TURNS = Workload(
    2000,
    tuple(
        Vm(name, Claim(100, 2000), Phases(tuple(Phase(at, active) for at, active in phases)))
        for name, phases in (("a", ((0, 900), (5, 100), (30, 900))), ("b", ((0, 100),)))
    ),
    34,
)
"""A VM that needs little for a while, on a machine with memory to spare."""


@rule(
    "A guest that needs an evicted page again gets the page from a pool in unused machine memory, and not from disk.",
    "Magenheimer et al., OLS 2009",
    "self-ballooning-tmem",
)
def evicted_pages_are_found_in_pools(policy: Policy) -> str | None:
    periods = simulate(TAKES_TURNS, policy)
    found, read = (sum(sum(getattr(period, what).values()) for period in periods) for what in ("cached", "again"))
    return None if found > 0 == read else f"{found} pages are found in pools, {read} read from the disk"


@rule(
    "In each period, a VM that waits for memory gets a little more memory, and a VM that does not wait loses a little.",
    "facebookincubator/senpai",
    "stalls",
)
def who_waits_grows_and_who_does_not_is_squeezed(policy: Policy) -> str | None:
    has = policy.targets(TOTAL, two({"allocated": 3000, "stalled": 0.05}, {"allocated": 3000, "stalled": 0.0}))
    if has["a"] > 3000 and 2900 <= has["b"] < 3000:
        return None
    return f"of 3000 pages each the one that waits has {has['a']}, the other {has['b']}"


@rule("VMs that wait equally long exchange no memory.", "facebookincubator/senpai, and hysteresis", "stalls")
def vms_that_wait_alike_exchange_nothing(policy: Policy) -> str | None:
    has = policy.targets(TOTAL, two({"allocated": 6000, "stalled": 0.05}, {"allocated": 4000, "stalled": 0.06}))
    return None if has == {"a": 6000, "b": 4000} else f"VMs have {has}, and had 6000 and 4000"


CONVEX, STEEP = (4000.0, 2000.0, 1000.0, 500.0, 250.0), (5000.0, 100.0, 50.0, 20.0, 0.0)
EVEN = (4000.0, 3500.0, 3000.0, 2500.0, 2000.0)
"""Misses with no memory, with a quarter of the machine, and so on."""
CLIFF, LOW_CLIFF = (3000.0, 2800.0, 400.0, 300.0, 290.0), (900.0, 880.0, 300.0, 290.0, 280.0)


@rule(
    "If the VMs' miss curves are convex, or memory reaches past all their cliffs, no other division of memory has fewer misses.",
    "Zhao and Wang, VEE 2009",
    "miss-ratio",
)
def misses_are_the_fewest(policy: Policy) -> str | None:
    quarters = tuple(range(0, TOTAL + 1, TOTAL // 4))
    for one, other in ((CONVEX, STEEP), (CONVEX, CLIFF), (STEEP, CLIFF), (EVEN, LOW_CLIFF), (CLIFF, CONVEX), (LOW_CLIFF, EVEN)):
        first, second = ({"allocated": 0, "curve": tuple(zip(quarters, curve, strict=True))} for curve in (one, other))
        uses = two(first, second)
        has = policy.targets(TOTAL, uses)
        missed = sum(_missed(uses[name].curve, pages) for name, pages in has.items())
        least = min(a + b for a, b in zip(one, other[::-1], strict=True))
        if missed > least:
            return f"{missed:.0f} misses, and {least:.0f} are possible"
    return None


def _missed(curve: Sequence[tuple[int, float]], pages: int) -> float:
    return next((missed for size, missed in reversed(curve) if size <= pages), curve[0][1])


@rule("A target that would change by less than two per cent of the machine's memory does not change.", "hysteresis", "miss-ratio")
def small_changes_are_not_made(policy: Policy) -> str | None:
    curve = ((0, 100.0), (2500, 50.0), (5000, 25.0), (7500, 12.0), (10_000, 6.0))
    now = two({"allocated": 5100, "curve": curve}, {"allocated": 4900, "curve": curve})
    has = policy.targets(TOTAL, now)
    return None if has == {"a": 5100, "b": 4900} else f"VMs have {has}, and had 5100 and 4900"


# ---------------------------------------------------------------- of what is beside them


@rule("With less free memory the state of reclamation is never better.", "Waldspurger, OSDI 2002, section 6.3", "reclamation")
def less_is_no_better(state: Callable[[Reclamation, float], Reclamation]) -> str | None:
    levels = [number / 1000 for number in range(100)]
    for now in ORDER:
        states = [ORDER.index(state(now, free)) for free in levels]
        if states != sorted(states, reverse=True) or (states[0], states[-1]) != (len(ORDER) - 1, 0):
            return f"from {now.value}, states by free memory are {sorted(set(states))}, and not in order"
    return None


@rule(
    "The state of reclamation does not oscillate while free memory stays near a threshold.",
    "Waldspurger, OSDI 2002, section 6.3",
    "reclamation",
)
def states_have_a_margin(state: Callable[[Reclamation, float], Reclamation]) -> str | None:
    for threshold in (each for each in THRESHOLDS.values() if each):
        now, seen = state(Reclamation.LOW, threshold), list[Reclamation]()
        for free in (threshold - MARGIN / 2, threshold + MARGIN / 2) * 4:
            now = state(now, free)
            seen.append(now)
        if len(set(seen[1:])) > 1:
            return f"about {100 * threshold:.0f} per cent it changes between {' and '.join(sorted({each.value for each in seen}))}"
    return None


@rule("Balloons deflate by at most the free memory, and move no VM's memory past its target.", "RES-4", "balloons")
def balloons_give_what_there_is(move: Callable[..., dict[str, int]]) -> str | None:
    for now, targets in _balloons():
        for state in Reclamation:
            has = move(TOTAL, now, targets, state)
            if sum(has.values()) > TOTAL:
                return f"{sum(has.values())} pages are given out"
            beyond = [n for n in has if not min(now[n], targets[n]) <= has[n] <= max(now[n], targets[n])]
            if beyond:
                return f"{beyond[0]} goes from {now[beyond[0]]} to {has[beyond[0]]}, and its target is {targets[beyond[0]]}"
    return None


@rule(
    "A balloon takes a few per cent of the machine's memory in a period, or everything at once if memory is short.",
    "Waldspurger, OSDI 2002, section 6.3",
    "balloons",
)
def balloons_are_slow_unless_memory_is_short(move: Callable[..., dict[str, int]]) -> str | None:
    now, targets = {"a": 9000, "b": 500}, {"a": 4000, "b": 5000}
    slow, fast = (move(TOTAL, now, targets, state)["a"] for state in (Reclamation.SOFT, Reclamation.HARD))
    due = 9000 - int(BALLOON_RATE * TOTAL)
    return None if (slow, fast) == (due, 4000) else f"of 9000 pages {slow} are left in soft, {fast} in hard"


def _balloons() -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Two ways to divide the machine among as many VMs: what they have, and what they are to have."""
    draw = np.random.default_rng(1)
    for _ in range(DRAWN):
        names = "abcd"[: draw.integers(1, 5)]
        one, other = (
            dict(zip(names, map(int, draw.multinomial(TOTAL, draw.dirichlet(np.ones(len(names))))), strict=True)) for _ in range(2)
        )
        yield one, other


@rule(
    "The estimate of a VM's need rises at once when the VM becomes busy, and falls slowly when the VM becomes idle.",
    "Waldspurger, OSDI 2002, section 5.3",
    "sampling",
)
def busy_at_once_and_idle_after_a_while(estimate: Callable[[float, float, float], Estimate]) -> str | None:
    busy = estimate(0.1, 0.1, 0.1).after(SAMPLE)
    idle = estimate(1.0, 1.0, 1.0).after(0)
    if busy.active <= 0.7:
        return f"after a busy period {100 * busy.active:.0f} % are thought active"
    if idle.active <= 0.7:
        return f"after one idle period {100 * idle.active:.0f} % are thought active"
    for _ in range(60):
        idle = idle.after(0)
    return None if idle.active < 0.05 else f"after sixty idle periods {100 * idle.active:.0f} % are thought active"


@rule("A persistent page stays in its tmem pool until the guest gets the page.", "Xen, tmem.c", "pools")
def persistent_pages_stay(pools: Any) -> str | None:
    kept = _pools(pools)
    some, dirty = np.arange(4), np.ones(4, np.bool_)
    kept.put("a", some, dirty, 8, 8)
    kept.put("b", np.arange(8), ~np.ones(8, np.bool_), 8, 8)
    kept.shrink_to(2)
    got = kept.get("a", some)
    return None if got.found == len(got.persistent) == 4 else f"of 4 pages {got.found} are found"


@rule("The ephemeral page that was put longest ago is dropped first.", "Xen, tmem.c", "pools")
def ephemeral_pages_go_in_turn(pools: Any) -> str | None:
    kept = _pools(pools)
    for page in range(4):
        kept.put("a", np.array([page]), np.zeros(1, np.bool_), 8, 8)
    kept.shrink_to(2)
    left = np.flatnonzero(kept.ephemeral["a"]).tolist()
    return None if left == [2, 3] else f"of pages put as 0, 1, 2, 3 are left {left}"


@rule("A VM's persistent pages and its memory together are at most its maximum.", "Xen, tmem.c; RES-4", "pools")
def persistent_pages_count_as_memory(pools: Any) -> str | None:
    kept = _pools(pools)
    put = kept.put("a", np.arange(6), np.ones(6, np.bool_), 8, 3)
    return None if (kept.owed("a"), put.written) == (3, 3) else f"{kept.owed('a')} pages are kept, where 3 may be"


def _pools(pools: Any) -> Pools:
    kept: Pools = pools.of({"a": 8, "b": 8})
    return kept


# ---------------------------------------------------------------- of the bound


Few = list[tuple[set[int], set[int]]]
"""By period: which of four pages are touched, and which changed."""


def few(seed: int) -> Few:
    """Up to six periods."""
    draw = np.random.default_rng(seed)
    return [
        (set(touched.nonzero()[0].tolist()), set((touched & changed).nonzero()[0].tolist()))
        for touched, changed in draw.integers(0, 2, (draw.integers(2, 7), 2, 4)).astype(np.bool_)
    ]


def activity(rows: Few) -> Activity:
    """The accesses of a VM in which these pages are touched and changed."""
    touched, changed = (np.array([[page in row[which] for page in range(4)] for row in rows]) for which in (0, 1))
    return Replayed(
        Recording(
            "drawn",
            "",
            1.0,
            1,
            "",
            np.ones(4, np.uint16),
            touched,
            changed,
            (len(rows) - 1,),
            np.arange(2, 6, dtype=np.uint32)[None],
            np.zeros(4, np.uint16),
            np.full(4, NO_PATCH, np.uint16),
        ),
        repeat=False,
    )


def least_of_all(rows: Few, pages: int, writes: bool) -> int:
    """The fewest pages read again, or changed pages written, over every choice of what stays. What is written before a period in
    which nothing is touched is not counted."""
    states = {(frozenset[int](), frozenset[int]()): 0}
    waits = [*(bool(touched) for touched, _ in rows[1:]), False]
    for (touched, stored), waiting in zip(rows, waits, strict=True):
        following = dict[tuple[frozenset[int], frozenset[int]], int]()
        for (here, gone), cost in states.items():
            now, read = here | (stored if writes else touched), 0 if writes else len(gone & touched)
            for kept in itertools.combinations(sorted(now), min(len(now), pages)):
                state = frozenset(kept), (gone | now) - frozenset(kept)
                paid = cost + read + (len(now) - len(kept) if writes and waiting else 0)
                following[state] = min(paid, following.get(state, paid))
        if writes and not waiting:
            following[frozenset(), frozenset()] = min(following.values())
        states = following
    return min(states.values())


def _is_least(bound: Callable[[Sequence[Activity], int, int], int], writes: bool) -> str | None:
    for seed, pages in itertools.product(range(DRAWN // 3), range(4)):
        rows = few(seed)
        found, least = bound([activity(rows)], len(rows), pages), least_of_all(rows, pages, writes)
        if found != least:
            return f"with {pages} pages it is {found}, and {least} of all choices"
    return None


@rule(
    "No choice of pages to evict reads fewer pages than the bound, and some choice reads exactly as many.",
    "Belady, IBM Systems Journal 5(2), 1966",
    "bound",
)
def nobody_reads_fewer_than_the_bound(bound: Callable[[Sequence[Activity], int, int], int]) -> str | None:
    return _is_least(bound, writes=False)


@rule(
    "No choice of pages to evict writes fewer changed pages than the bound, and some choice writes exactly as many.",
    "Belady, IBM Systems Journal 5(2), 1966",
    "bound of writes",
)
def nobody_writes_fewer_than_the_bound(bound: Callable[[Sequence[Activity], int, int], int]) -> str | None:
    return _is_least(bound, writes=True)
