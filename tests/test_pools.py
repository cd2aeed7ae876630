"""Pools of transcendent memory: as many lists would keep the pages; what a strategy and a mechanism do with them."""

from __future__ import annotations

import io
from itertools import pairwise

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from refmodel.management import mechanisms, simulation
from refmodel.management.activity import Phase, Phases, Replayed, own_working_sets, working_sets
from refmodel.management.bound import least_read
from refmodel.management.comparison import Score, compare
from refmodel.management.costs import Costs
from refmodel.management.estimating.curves import Curves
from refmodel.management.pools import Pools
from refmodel.management.published import ready
from refmodel.management.recording import ABSENT, NO_PATCH, Recording
from refmodel.management.results import FLEET, recordings
from refmodel.management.rules import STEADY
from refmodel.management.scenario import Vm, Workload
from refmodel.management.simulation import POLICIES, Period, Simulation, moved, simulate, to_give
from refmodel.monitor.policy.claims import Claim
from refmodel.monitor.policy.reclamation import Reclamation
from refmodel.monitor.policy.sampling import SAMPLE
from refmodel.report import management

RECORDINGS = {name: each for name, each in recordings().items() if name != FLEET}
PAGES = 12


def made(touched: list[list[int]], changed: list[list[int]], pages: int = PAGES) -> Recording:
    """A recording of pages that are touched, some of which are changed."""
    flags, stores = (np.zeros((len(touched), pages), np.bool_) for _ in range(2))
    for at, numbers in enumerate(touched):
        flags[at, numbers] = True
        stores[at, [number for number in changed[at] if number in numbers]] = True
    return Recording(
        "made",
        "by a test",
        1.0,
        1,
        "",
        np.ones(pages, np.uint16),
        flags,
        stores,
        (len(touched) - 1,),
        np.arange(2, pages + 2, dtype=np.uint32)[None],
        np.full(pages, 1024, np.uint16),
        np.full(pages, NO_PATCH, np.uint16),
    )


ROWS = st.lists(
    st.tuples(st.lists(st.integers(0, PAGES - 1), max_size=8, unique=True), st.lists(st.integers(0, PAGES - 1))),
    min_size=2,
    max_size=12,
)


def recorded(rows: list[tuple[list[int], list[int]]]) -> Replayed:
    return Replayed(made([touched for touched, _ in rows], [changed for _, changed in rows]))


# ---------------------------------------------------------------- step by step


@attrs.define
class Lists:
    """Pools as lists of pages, the one put longest ago first; a page at a time."""

    ephemeral: list[tuple[str, int]] = attrs.field(factory=list)
    persistent: list[tuple[str, int]] = attrs.field(factory=list)
    clean: set[tuple[str, int]] = attrs.field(factory=set)

    def put(self, name: str, page: int, dirty: bool, frames: int, most: int) -> tuple[int, int]:
        """Whether it was kept, and whether it has to be written."""
        if not dirty:
            self.clean.add((name, page))
            if len(self.persistent) >= frames:
                return 0, 0
            self.ephemeral.append((name, page))
            self.shrink_to(frames)
            return 1, 0
        if len(self.persistent) >= frames or sum(vm == name for vm, _ in self.persistent) >= most:
            return 0, 1
        self.persistent.append((name, page))
        self.shrink_to(frames)
        return 1, 0

    def get(self, name: str, page: int) -> tuple[int, int, bool]:
        """Calls, whether it was found, and whether it is changed."""
        key = (name, page)
        calls = int(key in self.clean)
        self.clean.discard(key)
        if key in self.ephemeral:
            self.ephemeral.remove(key)
            return calls, 1, False
        if key in self.persistent:
            self.persistent.remove(key)
            return 2, 1, True
        return calls, 0, False

    def shrink_to(self, frames: int) -> None:
        while self.ephemeral and len(self.ephemeral) + len(self.persistent) > frames:
            self.ephemeral.pop(0)


VMS = ("a", "b")
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("evict"),
            st.sampled_from(VMS),
            st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=8, unique_by=lambda page: page[0]),
        ),
        st.tuples(st.just("touch"), st.sampled_from(VMS), st.lists(st.integers(0, 7), max_size=8, unique=True)),
        st.tuples(st.just("frames"), st.just(""), st.integers(0, 9)),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=200)
@given(steps=STEPS, most=st.integers(0, 6))
def test_pools_keep_what_lists_keep_page_by_page(steps: list[tuple[str, str, object]], most: int) -> None:
    pools, lists, frames = Pools.of(dict.fromkeys(VMS, 8)), Lists(), 5
    gone = set[tuple[str, int]]()
    for what, name, given_ in steps:
        if what == "frames":
            assert isinstance(given_, int)
            frames = given_
            pools.shrink_to(frames)
            lists.shrink_to(frames)
        elif what == "evict":
            assert isinstance(given_, list)
            going = [(page, dirty) for page, dirty in given_ if (name, page) not in gone]
            pages, dirty_ones = np.array([page for page, _ in going], np.int64), np.array([d for _, d in going], np.bool_)
            put = pools.put(name, pages, dirty_ones, frames, most)
            each = [lists.put(name, page, dirty, frames, most) for page, dirty in going]
            assert (put.kept, put.written) == (sum(kept for kept, _ in each), sum(written for _, written in each))
            gone |= {(name, page) for page, _ in going}
        else:
            assert isinstance(given_, list)
            back = [page for page in given_ if (name, page) in gone]
            got = pools.get(name, np.array(back, np.int64))
            found = [lists.get(name, page) for page in back]
            assert (got.calls, got.found) == (sum(calls for calls, _, _ in found), sum(hit for _, hit, _ in found))
            assert got.persistent.tolist() == [page for page, (_, _, owed) in zip(back, found, strict=True) if owed]
            gone -= {(name, page) for page in back}
        for kept, flags in ((lists.ephemeral, pools.ephemeral), (lists.persistent, pools.persistent)):
            assert {(vm, int(page)) for vm in VMS for page in np.flatnonzero(flags[vm])} == set(kept)
        assert pools.all_owed() + sum(int(f.sum()) for f in pools.ephemeral.values()) <= max(frames, pools.all_owed())


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, pages=st.integers(0, PAGES), frames=st.integers(0, 6), most=st.integers(0, 6))
def test_a_vm_that_puts_its_pages_costs_what_it_costs_page_by_page(
    rows: list[tuple[list[int], list[int]]], pages: int, frames: int, most: int
) -> None:
    activity = recorded(rows)
    told, owed = mechanisms.pooled(activity, len(rows), pages, frames, most)
    used, gone, dirty, lists = list[int](), set[int](), set[int](), Lists()
    reads = writes = exits = copies = copied = kept_persistent = 0
    for period in range(len(rows)):
        for page in map(int, np.flatnonzero(activity.touched(period))):
            if page in gone:
                calls, found, changed = lists.get("vm", page)
                reads, copied, copies, exits = reads + 1 - found, copied + found, copies + found, exits + calls + 1 - found
                dirty |= {page} if changed else set()
            gone.discard(page)
            used = [*(each for each in used if each != page), page]
        dirty |= set(map(int, np.flatnonzero(activity.changed(period))))
        while len(used) > pages:
            page = used.pop(0)
            gone.add(page)
            kept, written = lists.put("vm", page, page in dirty, frames, most)
            dirty.discard(page)
            writes, copies, exits = writes + written, copies + kept, exits + 1
        kept_persistent += len(lists.persistent)
    assert attrs.asdict(told) == attrs.asdict(mechanisms.Tally(reads, writes, exits=exits, copies=copies, copied=copied))
    assert owed == pytest.approx(kept_persistent / len(rows))


# ---------------------------------------------------------------- the strategy


def two(rows: list[tuple[list[int], list[int]]], others: list[tuple[list[int], list[int]]], pages: int = PAGES) -> Workload:
    return Workload(pages, (Vm("a", Claim(1, 9), recorded(rows)), Vm("b", Claim(2, 8), recorded(others))), 12)


def watched(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> list[Period]:
    """A run of which each period is looked at: no page is in two places, none is lost, and no frame is counted twice."""
    plain = Simulation.period
    unsaved = {vm.name: np.zeros(vm.activity.pages, np.bool_) for vm in workload.vms}

    def period(self: Simulation, number: int) -> Period:
        happened = plain(self, number)
        assert self.pools is not None
        for vm in workload.vms:
            memory, claim = self.memories[vm.name], vm.claim
            ephemeral, persistent = self.pools.ephemeral[vm.name], self.pools.persistent[vm.name]
            assert not (ephemeral & persistent).any() and not ((ephemeral | persistent) & ~memory.gone).any()
            assert not (memory.resident & memory.gone).any()
            changed = unsaved[vm.name]
            changed |= vm.activity.changed(number)
            written = changed & memory.gone & ~persistent
            changed &= ~written  # what is gone, and in no persistent pool, has to be on the disk
            assert np.count_nonzero(written) == happened.written[vm.name]
            assert (memory.dirty == changed & memory.resident).all() and not (changed & ephemeral).any()
            assert np.count_nonzero(memory.resident) <= self.allocated[vm.name]
            assert claim.minimum <= happened.allocated[vm.name] <= claim.maximum - happened.owed[vm.name]
            assert happened.kept[vm.name] == np.count_nonzero(ephemeral | persistent)
            assert happened.owed[vm.name] == np.count_nonzero(persistent)
        out = sum(happened.allocated.values())
        assert out + sum(happened.owed.values()) + happened.free == workload.pages and happened.free >= 0
        assert out + sum(happened.kept.values()) <= max(to_give(workload), out + sum(happened.owed.values()))
        return happened

    monkeypatch.setattr(Simulation, "period", period)
    return simulate(workload, POLICIES["self-ballooning-tmem"])


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, others=ROWS)
def test_no_page_is_in_two_places_and_minimum_and_maximum_are_kept(
    rows: list[tuple[list[int], list[int]]], others: list[tuple[list[int], list[int]]]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        watched(two(rows, others, 16), patched)


@pytest.mark.parametrize("name", ["roomy", "alike"])
def test_nor_are_they_on_recorded_programs_where_pages_are_found_in_pools(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    periods = watched(attrs.evolve(ready(name), periods=40), monkeypatch)
    assert sum(sum(period.cached.values()) for period in periods) > 1000


def test_without_frames_for_pools_it_is_self_ballooning_that_calls_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = attrs.evolve(ready("roomy"), periods=40)
    alone = simulate(workload, POLICIES["self-ballooning"])
    monkeypatch.setattr(Simulation, "_frames", lambda self: 0)
    in_vain = simulate(workload, POLICIES["self-ballooning-tmem"])
    assert [attrs.evolve(period, waited={}) for period in in_vain] == [attrs.evolve(period, waited={}) for period in alone]
    assert all(
        period.waited[name] >= other.waited[name] for period, other in zip(in_vain, alone, strict=True) for name in other.waited
    )
    assert sum(sum(p.waited.values()) for p in in_vain) > sum(sum(p.waited.values()) for p in alone)


def test_what_pools_keep_is_given_to_nobody() -> None:
    given_ = moved(100, {"slow": 50, "wants": 10}, {"slow": 10, "wants": 90}, Reclamation.HIGH, 30)
    assert given_ == {"slow": 46, "wants": 24}


def test_what_the_persistent_pool_took_is_never_read_from_the_disk() -> None:
    """Of a VM all of whose pages are changed, what is not written comes back from the pool."""
    vms = (
        Vm("a", Claim(100, 2000), Phases((Phase(0, 900), Phase(5, 100), Phase(30, 900)))),
        Vm("b", Claim(100, 2000), Phases((Phase(0, 100),))),
    )
    periods = simulate(Workload(2000, vms, 40), POLICIES["self-ballooning-tmem"])
    assert sum(period.written["a"] for period in periods) == sum(period.again["a"] for period in periods) == 0
    assert periods[29].owed["a"] > 700 and periods[-1].owed["a"] == 0
    assert sum(period.cached["a"] for period in periods) == 2 * periods[29].owed["a"]  # once before it has its memory back


def test_pools_pay_where_memory_is_to_spare_and_cost_where_everybody_lacks_it() -> None:
    """The persistent pool keeps pages that nobody comes back for, in frames that others lack."""
    for workload, pays in (("roomy", True), ("alike", False)):
        plain, pooled, _ = compare(ready(workload), ("self-ballooning", "self-ballooning-tmem"))
        assert (pooled.lost < plain.lost - 0.02) == pays and (pooled.lost > plain.lost + 0.02) == (not pays), workload


def test_under_a_steady_load_that_does_not_fit_no_memory_moves_and_pools_do_not_thrash() -> None:
    vms = tuple(Vm(name, Claim(1000, 9000), Phases((Phase(0, 8000),))) for name in "ab")
    periods = simulate(Workload(12_000, vms, 60), POLICIES["self-ballooning-tmem"])
    assert all(period.moved == 0 for period in periods[30:])
    assert len({(*period.kept.values(), *period.owed.values()) for period in periods[30:]}) == 1


def micros(periods: list[Period]) -> float:
    """Microseconds that VMs waited in periods of a second."""
    return sum(1e6 * part / (1 - part) for period in periods for part in period.waited.values())


OPPOSED = {"day": ((0, 16_000), (30, 3000), (60, 16_000)), "night": ((0, 3000), (30, 16_000), (60, 3000))}


@pytest.mark.parametrize("policy", ["shares", "self-ballooning"])
def test_a_vm_waits_for_all_that_it_reads_writes_and_gives_up_also_where_memory_was_moved(policy: str) -> None:
    costs = Costs(balloon=3.0)
    workload = Workload(
        24_000,
        tuple(
            Vm(name, Claim(2000, 20_000), Phases(tuple(Phase(at, pages) for at, pages in phases)))
            for name, phases in OPPOSED.items()
        ),
        90,
    )
    periods = simulate(workload, POLICIES[policy], costs)
    read, written = (sum(sum(getattr(period, what).values()) for period in periods) for what in ("again", "written"))
    given_up = sum(
        max(0, before.allocated[vm] - after.allocated[vm]) for before, after in pairwise(periods) for vm in after.allocated
    )
    due = read * (costs.swap_in + costs.exit) + written * costs.swap_out + given_up * costs.balloon
    not_yet = periods[-1].moved * (costs.swap_out + costs.balloon)
    assert written > 0 < given_up and not_yet < 0.01 * due
    assert due - not_yet <= micros(periods) * (1 + 1e-9) and micros(periods) <= due * (1 + 1e-9)


@pytest.mark.parametrize("policy, looks", [("esx", True), ("pressure", True), ("shares", False), ("proportional", False)])
def test_a_sample_costs_the_vm_that_is_looked_at(policy: str, looks: bool) -> None:
    workload = attrs.evolve(STEADY, periods=20)
    free, dear = (simulate(workload, POLICIES[policy], Costs(scan=scan)) for scan in (0.0, 7.0))
    assert micros(dear) - micros(free) == pytest.approx(20 * 2 * SAMPLE * 7.0 if looks else 0.0, abs=1e-3)


def test_a_curve_costs_an_exit_for_each_access_beyond_the_hot_set() -> None:
    workload = attrs.evolve(STEADY, periods=20)
    free, dear = (simulate(workload, POLICIES["miss-ratio"], Costs(exit=each)) for each in (0.0, 5.0))
    beyond = sum(vm.activity.pages for vm in workload.vms) * 19  # each page is touched once a period, all others in between
    assert micros(dear) - micros(free) == pytest.approx(beyond * 5.0)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, hot=st.integers(0, 6), has=st.integers(0, PAGES))
def test_accesses_beyond_the_hot_set_are_those_of_a_list(rows: list[tuple[list[int], list[int]]], hot: int, has: int) -> None:
    activity, used = recorded(rows), list[int]()
    curves = Curves.of(activity, len(rows))
    for period in range(len(rows)):
        seen = 0
        for page in map(int, np.flatnonzero(activity.touched(period))):
            seen += page in used and hot <= used[::-1].index(page) < has
            used = [*(each for each in used if each != page), page]
        assert curves.seen(period, hot, has) == seen


# ---------------------------------------------------------------- the mechanism


@pytest.mark.parametrize("name", RECORDINGS)
def test_pools_read_less_than_a_balloon_alone_and_no_less_than_is_possible_with_their_frames(name: str) -> None:
    given_ = RECORDINGS[name]
    activity, used = Replayed(given_), int(given_.touched.any(axis=0).sum())
    pages, frames = int(0.7 * used), int(0.1 * used)
    least = least_read([activity], given_.samples, pages + frames)
    alone = mechanisms.to_disk(activity, given_.samples, pages, mechanisms.oldest, 1)
    for most in (0, frames):
        pooled, owed = mechanisms.pooled(activity, given_.samples, pages, frames, most)
        assert least <= pooled.reads < alone.reads and pooled.reads + pooled.copied == alone.reads
        assert owed <= most and (pooled.writes < alone.writes) == (most > 0)


def test_what_a_persistent_pool_holds_is_not_regained() -> None:
    found = {each.mechanism: each for each in mechanisms.compare(RECORDINGS["web"], Replayed(RECORDINGS["web"]))}
    assert found["tmem, ephemeral pool"].part == found["balloon"].part > found["tmem, both pools"].part > 0
    assert found["tmem, ephemeral pool"].copied > 0 == found["balloon"].copied


def test_clean_pages_that_leave_compressed_memory_are_not_written_again() -> None:
    rows = [[(3 * period + page) % PAGES for page in range(5)] for period in range(20)]
    for changed, written in (([[]] * 20, PAGES), (rows, PAGES + 44)):  # the monitor writes each page the first time that it goes
        activity = Replayed(made(rows, changed))
        told = mechanisms.compressed(activity, np.zeros(PAGES, np.uint16), 20, 6, mechanisms.oldest)
        assert told.reads > 0 and told.writes == written


def test_a_page_that_is_changed_when_compressed_is_written_when_it_goes_later() -> None:
    """Page 0 is compressed, comes back, and is only read; when it goes again page 1 has the room, and no disk has page 0.
    Pages 1 to 3 are written when they go first."""
    rows = [[0, 1, 2, 3], [2, 3, 4, 5], [0, 3, 4, 5], [0, 1], [0, 3, 4, 5], [2, 3, 4, 5]]
    sizes = np.array([2500, 2500, 0, 0, 0, 0], np.uint16)
    told = mechanisms.compressed(Replayed(made(rows, [[0], *[[]] * 5], 6)), sizes, 6, 4, mechanisms.oldest)
    assert (told.compressed, told.expanded, told.writes) == (2, 1, 4)


# ---------------------------------------------------------------- pages of files


def test_a_page_of_a_file_is_not_stored_to_when_it_is_read_in() -> None:
    """Page 0 is the program's own, 1 a file's, 2 was the program's before it was a file's, 3 was given up in the end."""
    rows = [[0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    plain = made(rows, [[0, 2, 3], [0, 1, 3], [2], []], 4)
    contents = plain.contents.copy()
    contents[-1, 3] = ABSENT
    found = attrs.evolve(plain, owners=np.array([1, 0, 0, 0], np.uint16), contents=contents)
    assert [np.flatnonzero(row).tolist() for row in found.stored] == [[0, 2, 3], [0, 3], [], []]
    assert (Replayed(found).changed(1) == found.stored[1]).all()
    assert own_working_sets(Replayed(found), 4, 1).tolist() == [3, 2, 2, 2]
    assert working_sets(Replayed(found), 4, 1).tolist() == [3] * 4


def test_recorded_programs_have_pages_of_files_that_they_only_read() -> None:
    for name, given_ in RECORDINGS.items():
        only_read = given_.touched.any(axis=0) & ~given_.stored.any(axis=0)
        assert 0.05 < np.count_nonzero(only_read) / given_.pages < 0.6, name
        assert (given_.stored <= given_.changed).all()


def test_simulated_policies_that_have_no_pools_keep_nothing() -> None:
    for name in set(POLICIES) - {"self-ballooning-tmem"}:
        periods = simulation.simulate(attrs.evolve(ready("opposed"), periods=35), POLICIES[name])
        assert not any(sum(period.kept.values()) + sum(period.cached.values()) for period in periods), name


def test_names_of_strategies_are_whole_on_a_narrow_terminal() -> None:
    """Two of them begin alike. (On a narrower one they go on below.)"""
    scores = [Score(name, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0) for name in POLICIES]
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(management.strategies("a workload", scores).on_terminal())
    shown = console.export_text()
    assert all(f" {name} " in shown for name in POLICIES)
