"""The engines agree with one another, and each is honest about what it found."""

import json
from typing import Any

import attrs
import numpy as np
import pytest
import z3
from hypothesis import HealthCheck, settings

from refmodel.bugs import MUTANTS
from refmodel.designs import Ept
from refmodel.engines.asked import Asked
from refmodel.engines.bounded import search
from refmodel.engines.checking import check
from refmodel.engines.differences import changes
from refmodel.engines.exhaustive import explore
from refmodel.engines.induction import prove
from refmodel.engines.layout import Layout
from refmodel.engines.machine import RESUME, Machine, Run, Step, recorded
from refmodel.engines.prover import prove_initial, prove_operation
from refmodel.engines.random import campaign
from refmodel.engines.replaying import replay
from refmodel.engines.reports_of_explorations import check_exhaustive
from refmodel.engines.rule_machine import rule_machine
from refmodel.engines.scope import Scope
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.tokens import Said, decode, encode, spec_of
from refmodel.engines.words import change_text
from refmodel.language import (
    NOTHING,
    BadDesign,
    Design,
    Fault,
    Geometry,
    Page,
    Total,
    count,
    fails,
    geometry,
    implies,
    law,
    operation,
    outline,
    require,
    reset,
)
from refmodel.language.kinds import NameKind
from refmodel.loading import load
from refmodel.machine.cells import Access
from refmodel.machine.names import Count, Gfn, Mfn, Slot, Vm
from tests.benchmarks.small_monitor import SmallMonitor
from tests.designs.held import MapsTwice, OwnFrames, OwnWords, ScrubsOneWord

FIRST_FIVE = [
    "no-flush-when-write-protecting",
    "break-copies-nothing",
    "deflated-unscrubbed",
    "inflated-but-cached",
    "freed-while-shared",
]
SMALL = outline(SmallMonitor)


# ---------------------------------------------------------------- the five mutants, engine by engine


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", FIRST_FIVE)
@pytest.mark.one_in(50)
def test_random_runs_find_it_in_few_steps(name: str, seed: int) -> None:
    design = outline(MUTANTS[name].design)
    found = campaign(design, Ept.geometry, seconds=60, start=seed).failure
    assert found is not None
    assert len(found.run.steps) <= 7
    assert list(replay(design, Ept.geometry, found.run))[-1].broken is not None


@pytest.mark.parametrize("name", FIRST_FIVE)
@pytest.mark.one_in(3)
def test_exploration_finds_a_shortest_run(name: str) -> None:
    design = outline(MUTANTS[name].design)
    found = explore(design, Ept.geometry).failure
    assert found is not None
    shortest = {
        "no-flush-when-write-protecting": 5,
        "break-copies-nothing": 4,
        "deflated-unscrubbed": 5,
        "inflated-but-cached": 4,
        "freed-while-shared": 4,
    }
    assert len(found.run.steps) == shortest[name]


@pytest.mark.parametrize("name", FIRST_FIVE)
@pytest.mark.one_in(5)
def test_the_prover_refutes_it_and_shows_a_step_that_happens(name: str) -> None:
    refuted = prove(outline(MUTANTS[name].design)).refuted
    assert refuted is not None and refuted.witness is not None
    assert refuted.witness.broken.law is refuted.law


# ---------------------------------------------------------------- proofs


def test_the_short_operations_of_the_house_are_proved() -> None:
    design = outline(Ept)
    for name in ("share", "inflate", "deflate", "populate", "reclaim_table", "mov_cr3", "set_target"):
        proof = prove_operation(design, name)
        assert [j for j in proof.judgements if j.verdict != "proved"] == []
        assert proof.paths > 0


class Pages(Design):
    """Memory whose pages are compared as a whole."""

    memory: Total[Mfn, Page[Slot, bool]]
    geometry = geometry(Mfn=2, Slot=2)

    @operation
    def copy(self, mfn: Mfn, other: Mfn) -> None:
        """One page becomes like another."""
        self.memory[mfn] = self.memory[other]

    @law("X-1", "A page is like itself.")
    def like_itself(self, mfn: Mfn) -> bool:
        return self.memory[mfn] == self.memory[mfn]


def test_pages_of_a_counterexample_differ_only_in_cells_that_there_are() -> None:
    """On ints nothing is stored under the name of nobody, nor under a name beyond the geometry."""
    design = outline(Pages)
    scope = Scope(design, (), "s")
    one, other = (Table(Symbolic(design), design.table("memory"), "s").first(key)[0] for key in scope.keys("memory"))
    alike = [z3.Select(one, slot) == z3.Select(other, slot) for slot in scope.names(NameKind("Slot"))]
    solver = scope.solver(timeout=10_000)
    solver.add(one != other)
    assert solver.check() == z3.sat
    solver.add(*alike)
    assert solver.check() == z3.unsat


@attrs.frozen
class Cell:
    full: bool = False
    number: Count = 0


class Pot(Design):
    """A design that fails in ways the house does not."""

    cells: Total[Vm, Cell]
    geometry = geometry(Vm=2, naturals=2)

    @operation
    def fill(self, vm: Vm) -> None:
        require(not self.cells[vm].full)
        self.cells[vm] = Cell(True, 1)

    @law("RES-1", "A full cell holds one.")
    def full_is_one(self: Any, vm: Vm) -> Any:
        return implies(self.cells[vm].full, self.cells[vm].number == 1)


class NotInductive(Pot):
    @operation
    def add(self, vm: Vm) -> None:
        require(self.cells[vm].number == 2)
        self.cells[vm] = Cell(True, 2)


class NeverApplies(Pot):
    @operation
    def impossible(self, vm: Vm) -> None:
        require(self.cells[vm].full)
        require(self.cells[vm].number == 0)
        self.cells[vm] = Cell(True, 7)


def test_a_proof_about_what_never_applies_says_so() -> None:
    from refmodel.engines.checking import check

    assert prove_operation(outline(NeverApplies), "impossible").paths == 0
    (report,) = check(outline(NeverApplies), ("prove",))
    assert any("impossible applies in no lawful state" in why for why in report.unproved)


def test_a_refutation_from_an_unreachable_state_is_called_that() -> None:
    """``add`` never applies in a run, but a lawful state lets it: refuted by induction, and no run breaks the law."""
    design = outline(NotInductive)
    refuted = prove(design).refuted
    assert refuted is not None and refuted.operation == "add"
    explored = explore(design, NotInductive.geometry)
    assert explored.failure is None and explored.complete
    assert "add" not in explored.applied
    assert search(design, 3).failure is None


class Aborts(Pot):
    @operation
    def burst(self, vm: Vm) -> None:
        require(self.cells[vm].full)
        raise NotImplementedError("burst")


def test_an_operation_that_aborts_is_a_failure() -> None:
    found = campaign(outline(Aborts), Pot.geometry, seconds=20).failure
    assert found is not None and found.broken.clause == "EFF-3"
    assert "burst" in found.broken.error


class Split(Pot):
    """Looks, lets others run, and acts on what it saw."""

    taken: Total[Vm, bool]
    geometry = geometry(Vm=1, naturals=2)

    @operation
    def look_then_fill(self, vm: Vm) -> Any:
        require(not self.cells[vm].full)
        yield
        self.cells[vm] = Cell(True, self.cells[vm].number + 1)


class SplitRight(Split):
    @operation
    def look_then_fill(self, vm: Vm) -> Any:
        require(not self.cells[vm].full)
        yield
        require(not self.cells[vm].full)
        self.cells[vm] = Cell(True, 1)


def test_a_race_at_a_yield_is_found_and_its_repair_is_proved() -> None:
    raced = campaign(outline(Split), Split.geometry, seconds=20).failure
    assert raced is not None and any(s.operation == RESUME for s in raced.run.steps)
    verdicts = {j.law.name: j.verdict for j in prove_operation(outline(Split), "look_then_fill").judgements if j.law}
    assert verdicts["full_is_one"] != "proved"
    right = prove_operation(outline(SplitRight), "look_then_fill")
    assert {j.verdict for j in right.judgements} == {"proved"}
    assert campaign(outline(SplitRight), Split.geometry, seconds=20, runs=800).failure is None


# ---------------------------------------------------------------- bounded search


class SharesAnything(SmallMonitor):
    """The small monitor, with pages merged that hold different things."""

    @operation
    def share(self, vm: Vm, gfn: Gfn, other_vm: Vm, other_gfn: Gfn) -> None:
        keep, drop = self.p2m[vm, gfn], self.p2m[other_vm, other_gfn]
        require(keep.where == drop.where)
        require(keep.mfn != drop.mfn)
        self.p2m[other_vm, other_gfn] = attrs.evolve(keep, writable=False)


def test_bounded_search_finds_a_run_as_short_as_exploration_does() -> None:
    design = outline(SharesAnything)
    explored, searched = explore(design, SmallMonitor.geometry), search(design, 4)
    assert explored.failure is not None and searched.failure is not None
    assert len(searched.failure.run.steps) == len(explored.failure.run.steps)


def test_bounded_search_says_how_deep_it_got() -> None:
    done = search(SMALL, 2)
    assert done.failure is None and done.complete and done.depth == 2


def test_bounded_search_looks_deeper_while_there_is_time() -> None:
    short, longer = (search(outline(SharesAnything), 1, deepen=seconds) for seconds in (0.0, 600.0))
    assert short.failure is None and short.complete and short.depth == 1
    assert longer.failure is not None and longer.complete and longer.depth > 1


# ---------------------------------------------------------------- exploration


def natural_states(design: Any, g: Geometry) -> set[str]:
    """Every state, one after the other, on ints: nothing clever."""
    start = Machine(design, g)
    seen, todo = {frozen(design, start.state)}, [start.state]
    instances = start.instances()
    while todo:
        state = todo.pop()
        for op, arguments in instances:
            for answers in ((), *(((m,)) for m in range(g.size("Mfn")))):
                machine = Machine(design, g)
                for table in design.tables:
                    setattr(machine.state, table.name, getattr(state, table.name).twin())
                    setattr(machine.before, table.name, getattr(state, table.name).twin())
                if machine.attempt(op, arguments, recorded(answers)) is None:
                    continue
                key = frozen(design, machine.state)
                if key not in seen:
                    seen.add(key)
                    todo.append(machine.state)
    return seen


def frozen(design: Any, state: Any) -> str:
    return repr([sorted(getattr(state, t.name).items()) for t in design.tables])


def test_compiled_code_and_ints_reach_the_same_number_of_states() -> None:
    small = geometry(Vm=2, Gfn=1, Mfn=2, Data=1)
    assert explore(SMALL, small).states == len(natural_states(SMALL, small))


def test_the_count_does_not_depend_on_the_random_words() -> None:
    one, two = (explore(SMALL, geometry(Vm=2, Gfn=2, Mfn=2, Data=2), seed=s) for s in (1, 2))
    assert (one.states, one.classes, one.steps) == (two.states, two.classes, two.steps)
    assert one.complete and two.complete


def test_exploration_counts_what_others_count() -> None:
    done = explore(SMALL, geometry(Vm=2, Gfn=2, Mfn=3, Data=2))
    assert done.states == 703_086, "what SPIN counts"
    assert done.classes == 16_292, "what Rumur counts with exhaustive symmetry reduction"


def test_states_survive_the_way_into_bytes_and_back() -> None:
    machine = Machine(outline(Ept), Ept.geometry)
    layout = Layout(outline(Ept), Ept.geometry)
    machine.power_on(lambda options: options[-1])
    matrix = layout.column(machine.state)
    (back,) = layout.states(matrix)
    assert list(changes(outline(Ept), machine.state, back)) == []
    assert np.array_equal(layout.column(back), matrix)


@pytest.mark.parametrize("name", ["write_protection@Gfn=1", pytest.param("write_protection", marks=pytest.mark.slow)])
def test_an_exact_exploration_counts_the_same_states(name: str) -> None:
    """On ints every state is kept whole; in compiled code a class of states is a key of 64 bits."""
    design = load(name)
    by_key, whole = (check_exhaustive(design, Asked(exact=exact), lambda engine, text: None) for exact in (False, True))
    assert (by_key.numbers.states, by_key.numbers.depth) == (whole.numbers.states, whole.numbers.depth)
    assert whole.numbers.classes == whole.numbers.states > by_key.numbers.classes
    assert "in compiled code" in by_key.covered and "on ints" in whole.covered
    assert by_key.verdicts == whole.verdicts


def test_an_exploration_that_was_stopped_does_not_call_itself_complete() -> None:
    done = explore(outline(Ept), Ept.geometry, seconds=0.5)
    assert not done.complete and done.failure is None


# ---------------------------------------------------------------- counts, resets, failures


class Leaky(Design):
    owners: Total[Mfn, Cell]
    geometry = geometry(Mfn=2, naturals=2)

    @operation
    def take(self, mfn: Mfn) -> None:
        require(not self.owners[mfn].full)
        if fails("frame"):
            return
        self.owners[mfn] = Cell(True, taken(self) + 1)

    @operation
    def clear(self) -> None:
        reset(self.owners, lambda cell, mfn: cell.full)

    @law("RES-2", "Never are two taken.")
    def at_most_one(self: Any) -> bool:
        return taken(self) < 2


def taken(s: Leaky) -> int:
    return count(s.owners, lambda cell, mfn: cell.full)


def test_counts_and_resets_mean_the_same_everywhere() -> None:
    design = outline(Leaky)
    explored, drawn = explore(design, Leaky.geometry), campaign(design, Leaky.geometry, seconds=20)
    assert explored.failure is not None and drawn.failure is not None
    assert len(explored.failure.run.steps) == len(drawn.failure.run.steps) == 2
    refuted = prove(design).refuted
    assert refuted is None or refuted.operation == "take"
    assert {j.verdict for j in prove_operation(design, "take").judgements if j.law} != {"proved"}
    assert {j.verdict for j in prove_initial(design).judgements} == {"proved"}


# ---------------------------------------------------------------- tokens, rule machines


def test_a_run_survives_its_token() -> None:
    name = FIRST_FIVE[0]
    design = outline(MUTANTS[name].design)
    found = explore(design, Ept.geometry).failure
    assert found is not None
    token = encode("x.py:Y", design, Ept.geometry, found.run)
    spec, said = spec_of(token)
    assert spec == "x.py:Y"
    g, run = decode(design, said)
    assert run == found.run and g.sizes == Ept.geometry.sizes


@pytest.mark.parametrize("token", ["", "rm1.", "rm1.!!", "rm2.abc", "rm1.eJwDAAAAAAE", "x" * 10_000])
def test_a_broken_token_is_bad_input(token: str) -> None:
    with pytest.raises(BadDesign):
        spec_of(token)


@pytest.mark.parametrize("added", ["A", "AB", "ABC", "ABCDabcd", ".", "!", "=", "rm1."])
def test_a_token_with_characters_behind_it_is_bad_input(added: str) -> None:
    token = encode("x.py:Y", outline(Ept), Ept.geometry, replay_nothing())
    assert spec_of(f"{token}\n")[0] == spec_of(f"{token[:30]} {token[30:]}")[0] == "x.py:Y"
    with pytest.raises(BadDesign, match="not a replay token"):
        spec_of(token + added)
    with pytest.raises(BadDesign, match="not a replay token"):
        spec_of(token[:-2])


def test_a_rule_machine_for_people_s_own_suites_finds_what_is_wrong() -> None:
    quick = settings(
        max_examples=150, stateful_step_count=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    from hypothesis.stateful import run_state_machine_as_test

    right = rule_machine(SMALL, SmallMonitor.geometry)
    run_state_machine_as_test(right, settings=settings(quick, max_examples=10))
    wrong = rule_machine(outline(SharesAnything), SmallMonitor.geometry)
    with pytest.raises(AssertionError, match=r"RES-1|EQV-1|EQV-5"):
        run_state_machine_as_test(wrong, settings=quick)


def test_a_report_can_be_written_as_json() -> None:
    token = encode("ept", outline(Ept), Ept.geometry, replay_nothing())
    assert json.loads(json.dumps({"token": token}))["token"] == token


def replay_nothing() -> Any:
    from refmodel.engines.machine import Run

    machine = Machine(outline(Ept), Ept.geometry)
    machine.power_on(lambda options: options[0])
    return Run(machine.initial_answers, ())


# ---------------------------------------------------------------- split operations, one state after the other


def test_exploration_of_split_operations_finds_the_shortest_race_and_an_end() -> None:
    from refmodel.engines.stepwise import explore_stepwise

    raced = explore_stepwise(outline(Split), Split.geometry)
    assert raced.failure is not None
    assert sorted(s.operation for s in raced.failure.run.steps) == sorted(["fill", "look_then_fill", RESUME])
    assert list(replay(outline(Split), Split.geometry, raced.failure.run))[-1].broken is not None
    right = explore_stepwise(outline(SplitRight), Split.geometry)
    assert right.failure is None and right.complete and right.applied[RESUME] > 0


def test_stepwise_and_compiled_code_agree_where_nothing_is_split() -> None:
    from refmodel.engines.stepwise import explore_stepwise

    g = geometry(Vm=2, Gfn=1, Mfn=2, Data=1)
    assert explore_stepwise(SMALL, g).states == explore(SMALL, g).states


def test_exploration_and_proof_notice_an_abort() -> None:
    explored = explore(outline(Aborts), Pot.geometry).failure
    assert explored is not None and explored.broken.clause == "EFF-3"
    said = [j for j in prove_operation(outline(Aborts), "burst").judgements if j.verdict != "proved"]
    assert said and "aborts" in said[0].why


@pytest.mark.parametrize("sizes", [{"Vm": 10**9}, {"Vm": 0}, {"Gfn": -1}])
def test_a_token_with_a_geometry_out_of_bounds_is_bad_input(sizes: dict[str, int]) -> None:
    with pytest.raises(BadDesign, match="out of bounds"):
        decode(outline(Ept), Said("ept", sizes, 1, 4, [], []))


def test_a_token_may_have_as_many_numbers_as_its_design() -> None:
    many = attrs.evolve(Pot.geometry, naturals=12, words=20)
    design = outline(type("Many", (Pot,), {"geometry": many}))
    _, said = spec_of(encode("many", design, many, Run((), ())))
    assert decode(design, said)[0] == many


class PartialPot(Design):
    """A partial table and a wide word."""

    known: dict[Vm, Cell]
    geometry = geometry(Vm=2, naturals=1)

    @operation
    def learn(self, vm: Vm) -> None:
        require(vm not in self.known)
        self.known[vm] = Cell(True, 1)

    @operation
    def drop(self, vm: Vm) -> None:
        require(vm in self.known)
        del self.known[vm]

    @law("RES-1", "What is known is full.")
    def known_is_full(self: Any, vm: Vm) -> Any:
        return vm not in self.known or self.known[vm].full


class ForgetsToLook(PartialPot):
    @operation
    def drop(self, vm: Vm) -> None:
        del self.known[vm]


def test_partial_tables_are_checked_by_every_engine() -> None:
    from refmodel.engines.checking import check

    reports = check(outline(PartialPot), asked=Asked(seconds=1.0))
    assert not any(r.failed or r.undecided for r in reports)
    assert {v for r in reports for v in r.verdicts.values()} <= {"proved", "holds", "not broken"}
    wrong = check(outline(ForgetsToLook), ("random", "exhaustive"), Asked(seconds=5.0))
    assert all(r.failure is not None and r.failure.broken.clause == "EFF-3" for r in wrong)
    unproved = prove_operation(outline(ForgetsToLook), "drop").judgements
    assert any(j.verdict != "proved" and "no such key" in j.why for j in unproved)


class LooksBeforeAsking(PartialPot):
    @operation
    def drop(self, vm: Vm) -> None:
        full = self.known[vm].full
        require(vm in self.known)
        if full:
            del self.known[vm]


def test_what_is_required_afterwards_does_not_excuse_a_missing_key() -> None:
    unproved = prove_operation(outline(LooksBeforeAsking), "drop").judgements
    assert any(j.verdict != "proved" and "no such key" in j.why for j in unproved)


class NeverComesBack(Split):
    """Breaks a law before the yield; what it requires afterwards no lawful state grants."""

    @operation
    def look_then_fill(self, vm: Vm) -> Any:
        self.cells[vm] = Cell(True, 2)
        yield
        require(self.cells[vm].full)
        require(self.cells[vm].number == 2)


def test_a_segment_that_cannot_be_reached_does_not_excuse_the_one_before_it() -> None:
    verdicts = {j.law.name: j.verdict for j in prove_operation(outline(NeverComesBack), "look_then_fill").judgements if j.law}
    assert verdicts["full_is_one"] != "proved"


def test_further_geometries_are_explored_too() -> None:
    class Crowded(Design):
        """A law that only a second VM breaks."""

        seen: Total[Vm, bool]
        geometry = geometry(Vm=1)
        further_geometries = (geometry.resized(Vm=2),)

        @operation
        def see(self, vm: Vm) -> None:
            self.seen[vm] = True

        @law("RES-1", "One is seen at most.")
        def one_at_most(self: Any, vm: Vm, other: Vm) -> bool:
            return vm == other or not (self.seen[vm] and self.seen[other])

    report = check_exhaustive(outline(Crowded), Asked(), lambda *_: None)
    assert report.failure is not None and report.geometry == Crowded.further_geometries[0]
    assert "1 Vm; and" in report.covered and list(report.verdicts.values()) == ["fails"]


@attrs.frozen
class Noted:
    vm: Vm
    access: Access


class Notes(Design):
    fetching: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def note(self, vm: Vm, access: Access) -> Noted:
        self.fetching[vm] = access == Access.FETCH
        return Noted(vm, access)

    @law("EQV-1", "What was noted is what was told.")
    def notes_are_true(self: Any, outcome: Noted) -> bool:
        if outcome.access == Access.FETCH:
            return bool(self.fetching[outcome.vm])
        return not self.fetching[outcome.vm]


def test_a_law_that_decides_by_what_an_instruction_was_about_decides_for_itself() -> None:
    """The run has never asked what kind of access it is; were it asked by the law, after its end, half of the law would be claimed
    of every access."""
    assert {j.verdict for j in prove_operation(outline(Notes), "note").judgements} == {"proved"}


class FaultsLater(Split):
    @operation
    def look_then_fill(self, vm: Vm) -> Any:
        require(not self.cells[vm].full)
        yield
        raise Denied


class Denied(Fault):
    pass


def test_an_operation_that_failed_after_a_yield_does_not_go_on() -> None:
    machine = Machine(outline(FaultsLater), Split.geometry)
    assert machine.attempt(machine.design.operation("look_then_fill"), (0,), recorded(())) is not None
    resume = next(op for op, _ in machine.instances() if op.name == RESUME)
    taken = machine.attempt(resume, (0,), recorded(()))
    assert taken is not None and isinstance(taken[1], Denied)
    assert machine.attempt(resume, (0,), recorded(())) is None


@pytest.mark.parametrize("design", [OwnWords, OwnFrames])
def test_what_no_lookup_names_is_proved_too(design: type[Design]) -> None:
    """A law about the cells of a page, and one that is needed at names that only another law shows to be the same."""
    judgements = prove(outline(design), all_failures=True, processes=1).judgements()
    assert judgements and not [(j.operation, j.law, j.why) for j in judgements if j.verdict != "proved"]


@pytest.mark.parametrize(("design", "operation"), [(ScrubsOneWord, "take"), (MapsTwice, "alias")])
def test_and_what_is_wrong_there_is_refuted(design: type[Design], operation: str) -> None:
    judgements = prove(outline(design), all_failures=True, processes=1).judgements()
    assert "refuted" in {j.verdict for j in judgements if j.operation == operation}


class Sessions(Design):
    open_now: dict[Vm, Mfn]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def begin(self, vm: Vm) -> None:
        require(vm not in self.open_now)
        self.open_now[vm] = NOTHING

    @law("ISO-1", "No VM has a session.")
    def none(self, vm: Vm) -> bool:
        return vm not in self.open_now


def test_a_key_that_is_not_there_is_told_from_an_entry_that_is_the_default() -> None:
    (report,) = check(outline(Sessions), ("exhaustive",), Asked())
    assert report.failure is not None
    steps = list(replay(outline(Sessions), Sessions.geometry, report.failure.run))
    assert change_text(outline(Sessions), steps[0].changes[0]) == ("open_now[vm0]", "absent", "none")


class Recorded(Design):
    on: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def turn_on(self, vm: Vm) -> None:
        self.on[vm] = True

    @law("ISO-1", "Nothing is on.")
    def off(s: "Recorded", vm: Vm) -> bool:
        return not s.on[vm]


class WithAnother(Recorded):
    """It has another operation, which comes first."""

    @operation
    def look(self, vm: Vm) -> None:
        require(not self.on[vm])


def test_a_token_knows_its_operations_by_name_and_not_by_number() -> None:
    """An operation that was added before another once made a token replay other steps than those that were recorded."""
    design = outline(Recorded)
    run = Run((), (Step("turn_on", (1,)),))
    _, said = spec_of(encode("x", design, Recorded.geometry, run))
    more = outline(WithAnother)
    assert [op.name for op in more.operations] == ["look", "turn_on"]
    assert decode(more, said)[1].steps == run.steps
    with pytest.raises(BadDesign, match=r"step 1 of the replay token is turn_on\(vm: Vm\), which WithAnother does not have"):
        decode(attrs.evolve(more, operations=more.operations[:1]), said)
