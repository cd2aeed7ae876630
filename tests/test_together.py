"""An exploration that several workers share: it counts and finds what one alone does, whoever dies."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from random import Random
from typing import Any

import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import SHIPPED
from refmodel.engines import exhaustive
from refmodel.engines.compiled import part
from refmodel.engines.compiled.exploring import Search
from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.over_dask import DaskWorkers
from refmodel.engines.compiled.processes import Processes
from refmodel.engines.compiled.together import Together
from refmodel.engines.exploration import Exploration
from refmodel.engines.replaying import replay
from refmodel.engines.reports_of_explorations import explored_words
from refmodel.engines.spread import TRIES, Where
from refmodel.engines.stepwise import explore_stepwise
from refmodel.language import BadDesign, Design, outline
from refmodel.loading import load
from refmodel.points import PAIRS
from tests.test_compiled import Down, Frames, Tally
from tests.test_spread import dask

MOST = 50_000
"""Classes of a design that chance picks, beyond which it takes too long."""
WIDE = ("interpreter", "host_pages", "reservation", "ksm", "shadow_roles", "memory_slots", "ept_acknowledged", "ept_sizes")
LONG = ("ept_sizes", "interpreter", "ept_acknowledged")


def native(design: type[Design], seed: int = 1) -> Native:
    found = exhaustive.compiled(outline(design), design.geometry, seed)
    assert found is not None
    return found


@contextmanager
def together(design: type[Design], number: int, seed: int = 1, memory: int = 1 << 30) -> Iterator[Together]:
    search = Together(native(design, seed), Processes, number, memory)
    try:
        yield search
    finally:
        search.close()


def shared(design: type[Design], number: int, seed: int = 1) -> Exploration:
    with together(design, number, seed) as search:
        done = search.run()
        assert search.deaths == 0 and (search.workers is not None and search.workers.number == number)
        return done


def counts(done: Exploration) -> tuple[Any, ...]:
    return (
        done.states,
        done.classes,
        done.steps,
        done.depth,
        done.applied,
        done.met,
        done.branches,
        done.taken,
        done.complete,
        done.too_large,
        done.failure is None,
    )


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in WIDE])
@pytest.mark.one_in(2)
def test_any_number_of_workers_counts_the_same(name: str) -> None:
    alone = counts(Search(native(SHIPPED[name])).run())
    assert alone[-3:] == (True, False, True)
    for number in (1, 2, 3):
        assert counts(shared(SHIPPED[name], number)) == alone


def test_several_workers_go_so_deep_and_no_deeper() -> None:
    code = native(SHIPPED["vtlb"])
    alone, several = Search(code).run(deepest=4), Together(code, Processes, 2)
    try:
        found = several.run(deepest=4)
    finally:
        several.close()
    assert alone.judged == alone.depth == 4 and not alone.complete
    assert (found.judged, found.classes, found.states, found.steps) == (4, alone.classes, alone.states, alone.steps)


class _Enough(Exception):
    """As many classes are explored as may be."""


def _few(depth: int, classes: int, steps: int) -> None:
    if classes > MOST:
        raise _Enough


@pytest.mark.slow
def test_designs_that_chance_picks_are_counted_the_same() -> None:
    compared = 0
    for name in Random(7).sample(sorted(PAIRS), 5):
        design = load(name).cls
        with contextlib.suppress(_Enough):
            alone = counts(Search(native(design)).run(progress=_few))
            assert counts(shared(design, 2)) == counts(shared(design, 3)) == alone
            compared += alone[1] > 1_000
    assert compared >= 2


@pytest.mark.parametrize("name", ("host_pages", "interpreter", "ksm"))
def test_two_seeds_count_the_same(name: str) -> None:
    """Another seed gives every state another key, and so to another worker."""
    assert counts(shared(SHIPPED[name], 2, seed=1)) == counts(shared(SHIPPED[name], 2, seed=2))


def test_states_that_are_kept_whole_are_as_many() -> None:
    """The exact exploration on ints knows no keys: nothing can be missed there."""
    design = load("write_protection@Gfn=1")
    whole, done = explore_stepwise(design, design.cls.geometry), shared(design.cls, 2)
    assert whole.complete and (done.states, done.depth) == (whole.states, whole.depth)
    assert done.applied.keys() == whole.applied.keys() and done.met == whole.met


@pytest.mark.parametrize(
    "name",
    (
        "unsync-stores-exit",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("kvm-65855ed8b034", "pages-writers-not-stopped")),
    ),
)
@pytest.mark.slow
def test_what_breaks_a_law_is_found_at_the_same_depth(name: str) -> None:
    design = MUTANTS[name].design
    alone = Search(native(design)).run().failure
    assert alone is not None
    for number in (2, 3):
        found = [shared(design, number).failure for _ in range(2)]
        assert found[0] == found[1] and found[0] is not None, "the same number of workers find the same"
        assert len(found[0].run.steps) == len(alone.run.steps)
        assert list(replay(outline(design), design.geometry, found[0].run))[-1].broken is not None


def test_what_power_on_breaks_is_found_without_a_step() -> None:
    found = shared(Frames, 2).failure
    assert found is not None and found.run.steps == ()


def test_an_abort_and_a_number_that_is_too_large_end_it() -> None:
    failure = shared(Down, 2).failure
    assert failure is not None and failure.broken.clause == "EFF-3" and len(failure.run.steps) == 1
    done = shared(Tally, 2)
    assert done.too_large and not done.complete and done.failure is None and done.depth == Search(native(Tally)).run().depth


# ---------------------------------------------------------------- memory


def test_what_exceeds_its_share_lies_on_disk_and_is_counted_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = counts(Search(native(SHIPPED["interpreter"])).run())
    monkeypatch.setattr(part, "SHARE", 1 << 20)
    monkeypatch.setattr(part, "CHUNK", 64)
    search = Search(native(SHIPPED["interpreter"]))
    assert counts(search.run()) == alone and search.part.on_disk > 500_000
    with together(SHIPPED["interpreter"], 2) as both:
        assert counts(both.run()) == alone and all(each.on_disk for each in both.standings)


@pytest.mark.slow
def test_a_run_is_shown_whose_way_lies_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    design = MUTANTS["unsync-stores-exit"].design
    failure = Search(native(design)).run().failure
    monkeypatch.setattr(part, "SHARE", 1 << 30)
    monkeypatch.setattr(part, "CHUNK", 16)
    search = Search(native(design))
    assert search.run().failure == failure and failure is not None
    assert search.part.parents.on_disk and search.part.ways.on_disk


@pytest.mark.parametrize("number", (0, pytest.param(2, marks=pytest.mark.slow)))
@pytest.mark.one_in(2)
def test_a_search_without_room_says_how_far_it_came(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "CHUNK", 64)
    most = (number or 1) * 1 << 20
    if number:
        with together(SHIPPED["ept"], number, memory=most) as search:
            done, taken, is_full = search.run(), sum(each.taken for each in search.standings), search.is_full
    else:
        alone = Search(native(SHIPPED["ept"]), most)
        done, taken, is_full = alone.run(), alone.part.taken, alone.is_full
    assert is_full and not done.complete and done.failure is None and done.depth > 3 and done.classes > 1_000
    assert done.is_full and "not to the end: its memory was full" in explored_words(done, SHIPPED["ept"].geometry)
    assert taken <= most


def test_a_search_goes_on_where_it_was_cut_short() -> None:
    alone = counts(Search(native(SHIPPED["interpreter"])).run())
    with together(SHIPPED["interpreter"], 2) as search:
        first = search.run(seconds=0.0)
        assert not first.complete
        assert counts(search.run()) == alone


# ---------------------------------------------------------------- deaths


def test_a_worker_that_dies_costs_time_only() -> None:
    alone = counts(Search(native(SHIPPED["interpreter"])).run())
    with together(SHIPPED["interpreter"], 3) as search:

        def kill(depth: int, classes: int, steps: int) -> None:
            if depth == 9 and not search.deaths:
                assert isinstance(search.workers, Processes)
                os.kill(search.workers.pids[1], signal.SIGKILL)

        assert counts(search.run(progress=kill)) == alone
        assert search.deaths == 1 and search.workers is not None and search.workers.number == 2


def test_workers_that_die_again_and_again_are_given_up() -> None:
    with together(SHIPPED["interpreter"], 3) as search:

        def kill(depth: int, classes: int, steps: int) -> None:
            if depth == 5:
                assert isinstance(search.workers, Processes)
                os.kill(search.workers.pids[0], signal.SIGKILL)

        with pytest.raises(BadDesign, match=f"{TRIES} workers died"):
            search.run(progress=kill)
        assert search.workers is None


def test_a_search_whose_layers_shrink_is_not_begun_again() -> None:
    search = Search(native(SHIPPED["interpreter"]))
    assert search.part.is_growing
    search.run()
    assert not search.part.is_growing


def test_no_worker_is_left_when_an_exploration_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustive, "ALONE", 0.0)
    started: list[int] = []

    class Noted(Processes):
        def turn(self, next_layer: bool) -> list[part.Standing]:
            started.extend(pid for pid in self.pids if pid not in started)
            return super().turn(next_layer)

    monkeypatch.setattr(exhaustive, "Processes", Noted)
    design = SHIPPED["interpreter"]
    ((_, done),) = exhaustive.in_turn(outline(design), [design.geometry], where=Where(2))
    assert counts(done) == counts(Search(native(design)).run()) and len(started) == 2
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


# ---------------------------------------------------------------- Dask


def test_dask_workers_count_the_same_also_when_one_dies() -> None:
    alone = counts(Search(native(SHIPPED["interpreter"])).run())
    with dask(2) as address:
        with closing(Together(native(SHIPPED["interpreter"]), partial(DaskWorkers, address), 2)) as search:
            assert counts(search.run()) == alone and search.deaths == 0
        with closing(Together(native(SHIPPED["interpreter"]), partial(DaskWorkers, address), 2)) as search:

            def kill(depth: int, classes: int, steps: int) -> None:
                if depth == 6 and not search.deaths:
                    assert isinstance(search.workers, DaskWorkers)
                    os.kill(search.workers.pids()[1], signal.SIGKILL)

            assert counts(search.run(progress=kill)) == alone and search.deaths == 1


@pytest.mark.slow
def test_dask_workers_find_a_run_of_a_design_that_no_name_leads_to() -> None:
    """What travels is a text for LLVM: neither the design nor its classes."""

    class Mine(MUTANTS["unsync-stores-exit"].design):  # type: ignore[misc, name-defined]
        pass

    alone = Search(native(Mine)).run().failure
    with dask(2) as address:
        ((_, done),) = exhaustive.in_turn(outline(Mine), [Mine.geometry], where=Where(on=address))
    assert alone is not None and done.failure is not None and len(done.failure.run.steps) == len(alone.run.steps)
