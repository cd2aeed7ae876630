"""What a proof uses again counts only where it was shown: under no fewer conditions, after the same writes, in another solver."""

import gc
from typing import Any

import attrs
import pytest
import z3

from refmodel.designs import SHIPPED
from refmodel.engines import hypotheses, standing
from refmodel.engines.connectives import number_of
from refmodel.engines.induction import prove_operation
from refmodel.engines.prover import Induction, prove_initial
from refmodel.engines.questions import Question, Solver, listening
from refmodel.engines.standing import Claim, Shown
from refmodel.engines.symbolic import Symbolic
from refmodel.language import NOTHING, Design, Total, geometry, implies, law, operation, outline, require
from refmodel.language.joining import joined
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Frame:
    owner: Vm = NOTHING
    busy: bool = False


class Frames(Design):
    """Every operation but ``lend_any`` keeps the law. What it writes is what ``lend`` writes."""

    frames: Total[Mfn, Frame]
    lent: Total[Mfn, bool]
    marked: Total[Mfn, bool]
    geometry = geometry(Mfn=2, Vm=2)

    @operation
    def take(self, mfn: Mfn, vm: Vm) -> None:
        require(not self.lent[mfn])
        self.frames[mfn] = Frame(vm)

    @operation
    def lend(self, mfn: Mfn) -> None:
        if self.marked[mfn]:
            require(self.frames[mfn].owner != NOTHING)
        else:
            require(self.frames[mfn].owner != NOTHING and not self.frames[mfn].busy)
        self.lent[mfn] = True

    @operation
    def lend_any(self, mfn: Mfn) -> None:
        if not self.marked[mfn]:
            require(self.frames[mfn].owner != NOTHING)
        self.lent[mfn] = True

    @operation
    def give(self, mfn: Mfn) -> None:
        if not self.marked[mfn]:
            self.lent[mfn] = False
        self.frames[mfn] = Frame()

    @law("RES-1", "A frame that is lent is somebody's.")
    def what_is_lent_is_owned(s: Any, mfn: Mfn) -> Any:
        return implies(s.lent[mfn], s.frames[mfn].owner != NOTHING)

    @law("RES-2", "A frame that is busy is somebody's.")
    def what_is_busy_is_owned(s: Any, mfn: Mfn) -> Any:
        return implies(s.frames[mfn].busy, s.frames[mfn].owner != NOTHING)


def verdicts(name: str) -> set[str]:
    return {j.verdict for j in prove_operation(outline(Frames), name).judgements}


A, B = z3.Bools("a b")
X, Y = z3.Consts("x y", z3.DeclareSort("Some"))


# ---------------------------------------------------------------- what is shown


def claim(holds: Any, *conditions: Any) -> Claim:
    return Claim(conditions, frozenset(number_of(c) for c in conditions), holds, "a law")


def test_a_claim_that_is_shown_counts_under_more_conditions_and_not_under_fewer() -> None:
    shown, c, holds = Shown(), z3.Bool("c"), z3.Bool("holds")
    shown.add(claim(holds, A, B, c), [A, B])
    assert claim(holds, A, B) in shown and claim(holds, A, B, c) in shown
    assert claim(holds, A) not in shown and claim(holds, A, c) not in shown and claim(c, A, B) not in shown


def test_a_core_is_the_conditions_that_it_takes() -> None:
    solver = Solver(z3.Implies(A, B))
    core, none = solver.cores([([z3.Bool("other"), A], z3.Not(B)), ([z3.Bool("other")], z3.Not(B))], "if a then b")
    assert core is not None and [number_of(t) for t in core] == [number_of(A)] and none is None
    assert solver.cores([([], z3.And(A, z3.Not(B)))], "if a then b") == [[]]


def test_the_listener_is_given_the_core_and_not_all_conditions() -> None:
    found: list[Question] = []
    solver = Solver(z3.Implies(A, B))
    with listening(found.append):
        solver.cores([([z3.Bool("other"), A], z3.Not(B)), ([z3.Bool("other")], z3.Not(B))], "if a then b")
    [question] = found
    assert question.says == "if a then b" and [str(t) for t in question.terms] == ["Implies(a, b)", "Or(And(a, Not(b)))"]


def test_nothing_is_told_where_nothing_is_shown() -> None:
    found: list[Question] = []
    with listening(found.append):
        assert Solver().cores([([A], B)], "never") == [None]
    assert not found


@pytest.mark.parametrize("name", ["host_pages", "shadow_roles"])
def test_every_question_has_no_solution_by_itself(name: str) -> None:
    """Whatever the solver knew when it was asked: what the listener is given is enough."""
    design, found = outline(SHIPPED[name]), list[Question]()
    with listening(found.append):
        prove_initial(design)
        for op in design.operations:
            prove_operation(design, op.name)
    assert len(found) > 10
    for question in found:
        alone = z3.SimpleSolver()
        alone.add(*question.terms)
        assert alone.check() == z3.unsat, question.says


# ---------------------------------------------------------------- the same goal after several paths


def test_a_goal_that_is_shown_under_a_condition_is_not_shown_without_it() -> None:
    """Both paths leave the same writes, so they owe the same goal. It holds on one of them only."""
    assert verdicts("lend") == {"proved"} and verdicts("take") == {"proved"}
    assert "refuted" in verdicts("lend_any")


def test_paths_that_write_otherwise_owe_goals_of_their_own() -> None:
    assert "refuted" in verdicts("give")


def test_a_goal_is_worked_out_once_for_paths_that_write_the_same() -> None:
    design = outline(Frames)
    with joined(design):
        for name, number, of_all in (("lend", 1, 1), ("give", 2, 3)):
            induction = Induction(design, design.operation(name))
            goals = [
                goal
                for path in induction.paths()
                for law, _, goal in induction.goals(path, Symbolic(design, prune=False))
                if law.clause == "RES-1"
            ]
            assert len(goals) == 2 and len({number_of(goal) for goal in goals if goal is not None}) == number
            assert len(induction._goals._owed) == of_all


def test_what_is_asked_together_and_fails_is_asked_one_by_one() -> None:
    judged = {j.law.name: j.verdict for j in prove_operation(outline(Frames), "give").judgements if j.law is not None}
    assert judged == {"what_is_lent_is_owned": "refuted", "what_is_busy_is_owned": "proved"}


def test_what_was_shown_for_another_path_is_asked_about_alone() -> None:
    shown, holds = Shown(), z3.Bool("holds")
    assert not shown.was_for_another_path(claim(holds, A))
    shown.add(claim(holds, A, B), [A, B])
    assert shown.was_for_another_path(claim(holds, A)) and not shown.was_for_another_path(claim(A, B))


@pytest.mark.parametrize("enough", [0, 40])
def test_a_new_solver_shows_the_same(monkeypatch: pytest.MonkeyPatch, enough: int) -> None:
    monkeypatch.setattr(standing, "ENOUGH", enough)
    test_a_goal_that_is_shown_under_a_condition_is_not_shown_without_it()
    test_paths_that_write_otherwise_owe_goals_of_their_own()
    design = outline(SHIPPED["host_pages"])
    assert {j.verdict for op in design.operations for j in prove_operation(design, op.name).judgements} == {"proved"}


def test_what_is_assumed_far_from_a_run_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a proof fails, all is assumed that may help; in a large design that was more than a machine has memory for."""
    monkeypatch.setattr(hypotheses, "MOST", 2_000)
    design = outline(SHIPPED["ept"])
    with joined(design):
        induction = Induction(design, design.operation("share"))
        paths = list(induction.paths())
        known = induction.hypotheses("s")
        known.admit([x for path in paths for x in path.lookups.values()], [c for path in paths for c in path.counts.values()])
        known.saturate()
        near = len(known.asserted)
        known.go_farthest()
    assert near < len(known.asserted) < 2 * 2_000


def test_what_a_proof_made_goes_with_it() -> None:
    """What refers to each other is let go of, so that memory does not wait for Python to look for it."""
    design = outline(SHIPPED["ept"])
    prove_operation(design, "share")
    gc.collect()
    gc.disable()
    try:
        prove_operation(design, "share")
        left = gc.collect()
    finally:
        gc.enable()
    assert left < 1_000
