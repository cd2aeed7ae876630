"""The reading that is compiled: it counts what has always been counted, finds what ints find, and refuses what it does not keep."""

from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import SHIPPED, combined_in_little
from refmodel.engines import exhaustive
from refmodel.engines.compiled import native, objects, tracing, waiting
from refmodel.engines.compiled.comparing import Comparing
from refmodel.engines.compiled.exploring import Search
from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.reading import Event
from refmodel.engines.compiled.trees import Tree
from refmodel.engines.compiled.walking import Walks
from refmodel.engines.exhaustive import compiled, explore, in_turn
from refmodel.engines.exploration import COMPILED
from refmodel.engines.replaying import replay
from refmodel.engines.stepwise import explore_stepwise
from refmodel.language import NOTHING, BadDesign, Design, Total, count, geometry, implies, law, operation, outline, require
from refmodel.loading import load
from refmodel.machine.names import Count, Gfn, Mfn, Region, Vm
from tests.designs.split import (
    Allocator,
    Careless,
    ClearsFirst,
    EndsAtARequire,
    EndsWhateverIsSo,
    EndsWithoutAChoice,
    GoesWrongInAChoice,
)

COUNTED = {
    "memory_slots": (42_082, 328_656, 768_366, 20),
    "interpreter": (61_757, 1_397_088, 1_897_432, 20),
    "shadow_traced": (39_602, 831_744, 1_301_004, 23),
    "shadow_unsync": (15_950, 63_646, 323_167, 23),
    "shadow_roles": (47_718, 190_791, 1_876_716, 11),
    "write_protection": (7_704, 18_225, 82_932, 19),
    "host_pages": (906, 6_325, 5_113, 7),
    "reservation": (1_315, 4_944, 16_668, 14),
    "ksm": (49_133, 1_721_008, 1_211_497, 24),
    "buddy": (579_218, 13_194_624, 11_807_340, 27),
    "ept_acknowledged": (19_238, 76_710, 400_282, 19),
    "nested": (46_494, 185_686, 913_042, 26),
}
"""Classes, states, steps and depth: what another engine, which ran the text on columns of states, counted too. (`direct` has one
table more since; and a name that nobody knows at power-on may be nobody's since, in `memory_slots`, `shadow_roles`, `buddy` and
`shadow_pages`.)"""

LARGER = {
    "migration": (1_303_755, 5_183_745, 24_648_747, 34),
    "memory_acknowledged": (299_910, 1_198_398, 6_318_742, 32),
    "memory": (383_448, 1_526_658, 11_661_997, 18),
    "vtlb": (504_794, 11_795_376, 17_273_652, 31),
    "shadow_pages": (1_747_590, 12_989_908, 33_578_052, 33),
    "devices": (421_852, 5_030_523, 9_080_009, 23),
    "grants": (21_618, 85_824, 407_013, 20),
    "ept": (638_165, 15_213_696, 25_006_466, 31),
    "npt": (1_162_440, 9_006_072, 15_379_346, 43),
    "riscv": (1_137_802, 4_548_096, 15_650_246, 49),
    "ept_two_sizes": (329_880, 659_124, 9_966_504, 19),
    "ept_two_sizes_acknowledged": (67_052, 133_338, 1_372_892, 25),
    "ept_sizes": (3_288, 6_450, 64_646, 11),
    "ept_cpus": (164_614, 1_835_178, 1_581_252, 40),
    "ept_pml": (194_605, 388_697, 4_513_517, 27),
    "ept_flags": (262_901, 525_505, 6_211_545, 23),
    "shadow_on_ept": (67_918, 1_522_752, 3_045_214, 21),
    "direct": (467_408, 2_788_012, 20_771_575, 19),
    "direct_grants": (468_762, 1_871_216, 20_701_720, 17),
}


def counts(name: str, seed: int) -> tuple[int, int, int, int]:
    done = explore(outline(SHIPPED[name]), SHIPPED[name].geometry, seed=seed)
    assert done.complete and done.failure is None and done.reading == COMPILED
    return done.classes, done.states, done.steps, done.depth


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.one_in(4)
def test_what_is_counted_has_not_changed(name: str) -> None:
    assert counts(name, seed=1) == COUNTED[name]


@pytest.mark.slow
@pytest.mark.parametrize("seed", (1, 2, 3))
@pytest.mark.parametrize("name", [*COUNTED, *LARGER])
def test_three_seeds_count_the_same(name: str, seed: int) -> None:
    assert counts(name, seed) == (COUNTED | LARGER)[name]


class Regions(Design):
    """Which region a page lies in is known at power-on, and stays so."""

    region: Total[Gfn, Region]
    marked: Total[Gfn, bool]
    arbitrary: ClassVar[tuple[str, ...]] = ("region",)
    geometry = geometry(Gfn=3, Region=2)

    @operation
    def mark(self, gfn: Gfn) -> None:
        require(self.region[gfn] != NOTHING)
        self.marked[gfn] = True

    @law("RES-1", "A page that is marked lies in a region.")
    def marked_pages_lie_in_regions(s: Any, gfn: Gfn) -> Any:
        return implies(s.marked[gfn], s.region[gfn] != NOTHING)


@pytest.mark.parametrize("given", ({}, {"region": {0: 0, 1: 0, 2: 1}}, {"region": {0: 1, 1: NOTHING, 2: 1}}))
def test_states_that_renaming_what_is_given_would_lead_to_are_not_counted(given: dict[str, dict[Any, int]]) -> None:
    known = attrs.evolve(Regions.geometry, given=given)
    here, there = explore(outline(Regions), known), explore_stepwise(outline(Regions), known)
    assert here.reading == COMPILED and here.complete and there.complete and here.classes < there.classes
    assert here.states == there.states


# ---------------------------------------------------------------- operations that let others run


@pytest.mark.parametrize("size", (2, 3))
@pytest.mark.parametrize("design", (Allocator, Careless))
def test_operations_that_wait_come_to_the_same_on_ints(design: type[Design], size: int) -> None:
    small = geometry(Vm=1 if design is Allocator and size == 3 else 2, Mfn=size)
    here, there = explore(outline(design), small), explore_stepwise(outline(design), small)
    assert here.reading == COMPILED and here.complete == there.complete
    assert set(here.applied) == set(there.applied) or here.failure
    if here.failure is None or there.failure is None:
        assert here.failure is there.failure
    else:
        assert len(here.failure.run.steps) == len(there.failure.run.steps)
        assert list(replay(outline(design), small, here.failure.run))[-1].broken is not None


@pytest.mark.parametrize("under_way", (1, 2))
@pytest.mark.parametrize("design", (EndsAtARequire, EndsWithoutAChoice, GoesWrongInAChoice))
def test_where_an_operation_ends_after_a_wait_is_a_step_like_on_ints(design: type[Design], under_way: int) -> None:
    small = attrs.evolve(design.geometry, under_way=under_way)
    here, there = explore(outline(design), small), explore_stepwise(outline(design), small)
    assert here.reading == COMPILED and here.failure is not None and there.failure is not None
    assert len(here.failure.run.steps) == len(there.failure.run.steps)


@pytest.mark.parametrize("under_way", (1, 2))
def test_a_state_that_waits_is_counted_once_however_it_came_there(under_way: int) -> None:
    small = attrs.evolve(ClearsFirst.geometry, under_way=under_way)
    here, there = explore(outline(ClearsFirst), small), explore_stepwise(outline(ClearsFirst), small)
    assert here.reading == COMPILED and here.complete and there.complete
    assert here.states == there.states


WAITING = (Allocator, ClearsFirst, EndsAtARequire, EndsWithoutAChoice, EndsWhateverIsSo)


@pytest.mark.parametrize("design", WAITING)
def test_runs_that_wait_go_the_same_way_on_ints(design: type[Design]) -> None:
    code = Native(attrs.evolve(outline(design), laws=()), design.geometry)
    compared, wrong = Comparing(code).walked()
    assert compared > 5 and not wrong


def test_an_operation_that_would_wait_for_ever_in_compiled_code_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``require`` after a wait ended nothing in compiled code once, so that too few states were explored."""
    quietly = lambda rest, goes_on, tree: Tree(Event("require", goes_on), branches=[tree])  # noqa: E731
    monkeypatch.setattr(native, "_recent", [])
    monkeypatch.setattr(waiting._Rest, "_unless_it_ends", quietly)
    _, wrong = Comparing(Native(outline(Allocator), Allocator.geometry)).walked()
    assert "goes on after" in wrong[0]


# ---------------------------------------------------------------- random runs


@pytest.mark.parametrize("name", ("kvm-65855ed8b034", "unsync-stores-exit", "pages-writers-not-stopped"))
@pytest.mark.one_in(3)
def test_walks_find_what_is_seldom(name: str) -> None:
    code = Native(outline(MUTANTS[name].design), MUTANTS[name].design.geometry)
    found = Walks(code, "seldom").run(seconds=float("inf"), steps=30_000_000)
    assert found is not None and found.broken.clause == MUTANTS[name].clause


def test_walks_with_one_seed_are_the_same() -> None:
    code = Native(outline(SHIPPED["interpreter"]), SHIPPED["interpreter"].geometry)
    one, two = Walks(code, "a"), Walks(code, "a")
    for walks in (one, two):
        assert walks.run(seconds=float("inf"), steps=50_000) is None
    assert one.applied == two.applied and one.steps == two.steps
    assert set(one.applied) == {op.name for op in outline(SHIPPED["interpreter"]).operations}


# ---------------------------------------------------------------- numbers


class Tally(Design):
    numbers: Total[Vm, Count]
    geometry = geometry(Vm=1)

    @operation
    def more(self, vm: Vm) -> None:
        self.numbers[vm] = self.numbers[vm] + 1

    @law("RES-1", "There is room for one VM.")
    def there_is_one(self: Any) -> Any:
        return count(self.numbers, where=lambda number, vm: number >= 0) == 1


def test_numbers_that_are_not_kept_end_the_exploration_and_are_not_cut_off() -> None:
    done = explore(outline(Tally), geometry(Vm=1))
    assert done.too_large and not done.complete and done.failure is None and done.depth > 90


class Down(Tally):
    @operation
    def less(self, vm: Vm) -> None:
        require(self.numbers[vm] < 3)
        self.numbers[vm] = self.numbers[vm] - 1


def test_numbers_below_zero_are_an_abort() -> None:
    found = explore(outline(Down), geometry(Vm=1)).failure
    assert found is not None and found.broken.clause == "EFF-3" and len(found.run.steps) == 1


# ---------------------------------------------------------------- what is kept


def test_code_that_was_kept_and_spoiled_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_folder", lambda: tmp_path)
    monkeypatch.setattr(objects, "_made", {})
    text = "define i32 @one() {\n  ret i32 1\n}"
    code = objects.object_code(text, 1)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(objects, "_made", {})
    assert objects.object_code(text, 1) == code


class Frames(Design):
    """Whoever holds a frame is written down under the name of a frame."""

    holders: Total[Mfn, Vm]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def hold(self, mfn: Mfn, vm: Vm) -> None:
        self.holders[mfn] = vm

    @law("RES-1", "Two frames have two holders.")
    def holders_differ(self: Any, mfn: Mfn, other: Mfn) -> Any:
        return mfn == other or self.holders[mfn] != self.holders[other]


def test_a_law_that_power_on_breaks_is_found_without_a_step() -> None:
    found = explore(outline(Frames), Frames.geometry).failure
    assert found is not None and found.run.steps == ()


# ---------------------------------------------------------------- geometries


def test_a_design_is_taken_in_the_geometry_that_is_named() -> None:
    larger = load("host_pages@Vm=1,Gfn=1")
    assert larger.cls.geometry.size("Vm") == larger.cls.geometry.size("Gfn") == 1
    assert larger.cls.geometry.size("Mfn") == SHIPPED["host_pages"].geometry.size("Mfn")
    assert explore(larger, larger.cls.geometry).complete
    with pytest.raises(BadDesign, match="no sort"):
        load("host_pages@Pages=3")
    with pytest.raises(BadDesign, match="1 to 100"):
        load("host_pages@Vm=0")


def test_what_is_soon_found_in_one_geometry_does_not_wait_for_another() -> None:
    design = outline(MUTANTS["freed-while-shared"].design)
    vast, small = design.cls.geometry.resized(Gfn=3), design.cls.geometry
    found = list(in_turn(design, (vast, small)))
    assert any(done.failure is not None for _, done in found)


def test_a_search_that_was_cut_short_goes_on() -> None:
    design = SHIPPED["interpreter"]
    search = Search(Native(outline(design), design.geometry))
    first = search.run(seconds=0.0)
    assert not first.complete
    whole = search.run()
    assert whole.complete and (whole.classes, whole.states, whole.steps, whole.depth) == COUNTED["interpreter"]


# ---------------------------------------------------------------- what would take too long


def test_what_has_too_many_paths_is_left_to_ints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "PATHS", 3)
    monkeypatch.setattr(native, "_recent", [])
    monkeypatch.setattr(exhaustive, "_recent", [])
    design = outline(Tally)
    assert compiled(design, geometry(Vm=1)) is not None
    assert compiled(outline(SHIPPED["interpreter"]), SHIPPED["interpreter"].geometry) is None


class Unknown(Tally):
    """Nobody knows what a great many entries hold at power-on."""

    contents: Total[Mfn, bool]
    arbitrary = ("contents",)


def test_what_may_begin_in_too_many_ways_is_left_to_ints() -> None:
    assert compiled(outline(Unknown), geometry(Vm=1, Mfn=3)) is not None
    assert compiled(outline(Unknown), geometry(Vm=1, Mfn=40)) is None


def test_what_has_too_many_entries_is_left_to_ints() -> None:
    assert compiled(outline(SHIPPED["host_pages"]), geometry(Vm=20, Gfn=60, Mfn=60)) is None


# ---------------------------------------------------------------- every mechanism together

DEPTH = 7
"""Steps of the runs that the table in specs/exploring.md is about."""


@pytest.mark.parametrize("name", combined_in_little())
@pytest.mark.slow
def test_every_run_of_a_few_steps_of_an_mmu_over_all_mechanisms_is_explored(name: str) -> None:
    design = load(name)
    done = explore(design, design.cls.geometry, deepest=DEPTH)
    row = f"| `{name.partition('@')[0]}` | {done.states:,} | {done.classes:,} | {done.steps:,} |"
    assert done.failure is None and done.judged == DEPTH and done.reading == COMPILED
    assert row in (Path(__file__).parent.parent / "specs" / "exploring.md").read_text()
