"""Every bug that hypervisors had is found by exploration, and every bug of the bench by proof; every design that ships gets a clean
bill. (test_house.py explores those that were made up.)"""

import json

import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.bench import kill, matrix
from refmodel.engines.exhaustive import explore
from refmodel.engines.random import campaign
from refmodel.language import outline
from refmodel.report.texts import EFF_3
from tests.commands import refmodel
from tests.designs.small import Pot

BETTER = {"cve-2020-29374", "cve-2021-3656", "cve-2021-22543", "cve-2024-26990", "linux-13ddaf26be32", "xsa-214"}
"""Found by another clause than the catalogue's. VMSAVE on a machine address is a wrong store first (EQV-1), to whomever's frame;
that a slot has two readers breaks the record of them (RES-2) some steps before a store is lost; with XSA-214 a guest's own entry
leads elsewhere than the guest wrote (EQV-2) one step before the frame is another VM's. CVE-2021-22543 maps a device's page
without its driver's knowledge (RES-1) in as few steps as it maps one writable that is not (ISO-1).
CVE-2020-29374 lets a device reach a page that is not its guest's alone (ISO-2) before it reads what is old (EQV-1).
CVE-2024-26990 leaves an entry more rights than the p2m gives (ISO-1) before a store goes unlogged (EQV-4)."""


HISTORICAL = [name for name, mutant in MUTANTS.items() if mutant.entry]


@pytest.mark.parametrize(
    ("name", "engine"),
    [*((name, "exhaustive") for name in HISTORICAL), *(pytest.param(name, "prove", marks=pytest.mark.slow) for name in MUTANTS)],
)
@pytest.mark.one_in(9)
def test_each_bug_is_found(name: str, engine: str) -> None:
    mutant = MUTANTS[name]
    found = kill(mutant.design, engine)
    assert found.clause is not None
    if engine == "exhaustive":
        assert found.clause == mutant.clause or name in BETTER
    assert found.law in {law.name for law in outline(mutant.design).laws} or (found.law, found.clause) == (None, EFF_3)
    assert mutant.title.endswith(".")


def test_two_readers_of_a_slot_lose_a_store_in_the_end() -> None:
    mutant = MUTANTS["linux-13ddaf26be32"]
    found = explore(outline(mutant.design).restricted(mutant.clause), mutant.design.geometry, seconds=60)
    assert found.failure is not None and found.failure.broken.clause == mutant.clause


@pytest.mark.parametrize("name", SHIPPED | COMBINED)
@pytest.mark.one_in(12)
def test_random_runs_break_no_law_of_what_ships(name: str) -> None:
    cls = (SHIPPED | COMBINED)[name]
    larger = cls.geometry.resized(Vm=2, Vcpu=2, Index=2, Mfn=5, Gfn=3, Region=2, Block=2, Table=2, Cpu=2, Tag=2, Slot=2)
    for geometry in (cls.geometry, larger):
        done = campaign(outline(cls), geometry, seconds=20, runs=60)
        assert done.failure is None
        assert done.steps > 300


def test_an_engine_that_finds_nothing_says_so() -> None:
    ((name, kills),) = matrix({"none": Pot}, ("prove",))
    assert name == "none" and [k.clause for k in kills] == [None]


@pytest.mark.slow
def test_the_command_prints_the_matrix() -> None:
    done = refmodel("bench", "vtlb-every-store-exits", "--json")
    assert done.returncode == 0
    ((row,)) = json.loads(done.stdout)
    assert {k["engine"]: k["clause"] for k in row["engines"]} == dict.fromkeys(("random", "exhaustive", "prove"), "EFF-1")
    assert refmodel("bench", "no-such-bug").returncode == 2
