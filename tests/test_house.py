"""What the first house promises, and that its laws can fail: for each law a mutant that breaks it."""

import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import Ept
from refmodel.engines.checking import examined
from refmodel.engines.exhaustive import explore
from refmodel.engines.machine import Machine, replay
from refmodel.engines.random import campaign
from refmodel.language import outline
from refmodel.report.explaining import EFF_3

EPT = outline(Ept)
BENCH = {name: m for name, m in MUTANTS.items() if not m.entry}
"""Those that were made up, for the laws of the first house."""
CLAUSES = {"ISO-1", "ISO-2", "ISO-3", "ISO-4", "ISO-5", "ISO-6", "RES-1", "RES-2", "EQV-1", "EQV-2", "EQV-5", "EFF-1", "EFF-2"}
EARLIER = {"never-freed": EFF_3}
"""Found sooner by another clause: the count of a frame's mappings falls below zero before the frame is lost."""


def test_the_house_states_every_law_that_it_is_to_keep() -> None:
    assert {law.clause for law in EPT.laws} == CLAUSES


def test_the_initial_state_is_lawful() -> None:
    examined(EPT)
    machine = Machine(EPT, Ept.geometry)
    assert machine.broken(None, (), None) is None


def test_random_runs_reach_every_operation_and_break_nothing() -> None:
    done = campaign(EPT, Ept.geometry, seconds=20, runs=1200)
    assert done.failure is None
    assert {op.name for op in EPT.operations} == set(done.applied)


def test_random_runs_with_two_vcpus_and_larger_pages_break_nothing() -> None:
    larger = Ept.geometry.resized(Vcpu=2, Index=2, Mfn=5, Gfn=3)
    done = campaign(EPT, larger, seconds=20, runs=800)
    assert done.failure is None and done.steps > 1000


@pytest.mark.parametrize("name", BENCH)
def test_a_mutant_breaks_the_law_that_it_is_there_for(name: str) -> None:
    """Among all laws, or sooner than it another, and then among those of its clause."""
    mutant = MUTANTS[name]
    laws = outline(mutant.design)
    assert mutant.title.endswith(".")
    found = explore(laws, mutant.design.geometry, seconds=120)
    assert found.failure is not None, f"{name} breaks no law"
    if found.failure.broken.clause not in {mutant.clause, EARLIER.get(name)}:
        laws = laws.restricted(mutant.clause)
        found = explore(laws, mutant.design.geometry, seconds=120)
        assert found.failure is not None, f"{name} breaks no law of {mutant.clause}"
        assert found.failure.broken.clause in {mutant.clause, EARLIER.get(name)}
    told = list(replay(laws, mutant.design.geometry, found.failure.run))
    assert told[-1].broken is not None and told[-1].broken.clause == found.failure.broken.clause


def test_every_clause_has_a_mutant() -> None:
    assert {m.clause for m in BENCH.values()} >= CLAUSES
