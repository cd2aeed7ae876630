"""What the first house promises, and that its laws can fail: for each law a mutant that breaks it."""

import pytest

from refmodel.designs import Ept
from refmodel.engines.checking import examined
from refmodel.engines.machine import Machine
from refmodel.engines.random import campaign
from refmodel.engines.replaying import replay
from refmodel.language import outline
from tests.mutant_runs import MADE_UP, due, explored, kept_runs, read

EPT = outline(Ept)
RUNS = kept_runs()
CLAUSES = {
    "ISO-1",
    "ISO-2",
    "ISO-3",
    "ISO-4",
    "ISO-5",
    "ISO-6",
    "RES-1",
    "RES-2",
    "RES-3",
    "EQV-1",
    "EQV-2",
    "EQV-5",
    "EFF-1",
    "EFF-2",
}


def test_the_house_states_every_law_that_it_is_to_keep() -> None:
    assert {law.clause for law in EPT.laws} == CLAUSES


def test_the_initial_state_is_lawful() -> None:
    examined(EPT)
    machine = Machine(EPT, Ept.geometry)
    assert machine.broken(None, (), None) is None


def test_random_runs_reach_every_operation_and_break_nothing() -> None:
    """They get to a lawful state in which each operation applies, so what proofs assume can be the case."""
    done = campaign(EPT, Ept.geometry, seconds=20, runs=600)
    assert done.failure is None
    assert {op.name for op in EPT.operations} == set(done.applied)


@pytest.mark.slow
def test_random_runs_with_two_vcpus_and_larger_pages_break_nothing() -> None:
    larger = Ept.geometry.resized(Vcpu=2, Index=2, Mfn=5, Gfn=3)
    done = campaign(EPT, larger, seconds=20, runs=800)
    assert done.failure is None and done.steps > 1000


@pytest.mark.parametrize("name", MADE_UP)
def test_a_mutant_breaks_the_law_that_it_is_there_for(name: str) -> None:
    """On ints, by the run that exploration found, and not before its end. ``python -m tests.mutant_runs NAME`` finds it again."""
    mutant = MADE_UP[name]
    assert mutant.title.endswith(".")
    clause, design = RUNS[name]["clause"], outline(mutant.design)
    laws = design.restricted(clause) if clause else design
    told = list(replay(laws, mutant.design.geometry, read(name, RUNS[name])))
    assert [happened.broken for happened in told[:-1]] == [None] * (len(told) - 1)
    assert told[-1].broken is not None and told[-1].broken.clause in due(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE_UP)
def test_exploration_finds_a_run_as_short(name: str) -> None:
    again = explored(name)
    assert (again["clause"], len(again["steps"])) == (RUNS[name]["clause"], len(RUNS[name]["steps"]))


def test_every_clause_has_a_mutant() -> None:
    assert {m.clause for m in MADE_UP.values()} >= CLAUSES
