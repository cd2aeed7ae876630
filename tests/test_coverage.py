"""What checks what: the table in specs/coverage.md is the text's, and no clause lacks a law, runs, exploration, proof, mutant."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from proofs.theorems import THEOREMS
from refmodel.bugs import MUTANTS
from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.exhaustive import explore
from refmodel.engines.vacuity import never_met
from refmodel.engines.verdicts import Verdict
from refmodel.language import outline
from refmodel.language.design import claims_of
from refmodel.report import coverage
from refmodel.report.explaining import all_laws

SPECS = Path(__file__).parent.parent / "specs"
BY_A_NEIGHBOUR = {
    "no_cached_shadow_entry_reaches_the_monitor": "vtlb-shadow-forgotten-tlb-not",
    "shadow_entries_keep_out": "vtlb-tlb-forgotten-shadow-not",
    "mirrored_entries_keep_out": "traced-mirrors-still-writable",
    "shadows_lead_to_the_guests_page": "xsa-176",
}
"""Laws that no mutant is there for by its clause, and a mutant of another clause that breaks them."""
LAWS = [law for law in all_laws().values() if coverage.designs_of(law)]
CLAUSES = sorted({law.clause for law in LAWS})


def test_the_table_is_up_to_date() -> None:
    assert (SPECS / "coverage.md").read_text() == coverage.table(), "python -m refmodel.report.coverage > specs/coverage.md"


@pytest.mark.parametrize("clause", CLAUSES)
def test_no_clause_lacks_anything(clause: str) -> None:
    laws = [law for law in LAWS if law.clause == clause]
    designs = {name for law in laws for name in coverage.designs_of(law)}
    proved = {theorem.of[0] for theorem in THEOREMS if theorem.proof.__name__ == "every_operation_keeps_every_law"}
    assert any(SHIPPED[name].explored for name in designs & set(SHIPPED))
    assert designs <= proved
    assert any(coverage.mutants_of(law) for law in laws)


def test_every_law_has_a_mutant_of_its_clause_or_of_another() -> None:
    assert {law.name for law in LAWS if not coverage.mutants_of(law)} == set(BY_A_NEIGHBOUR)


@pytest.mark.parametrize("name", BY_A_NEIGHBOUR)
def test_a_mutant_of_another_clause_breaks_the_law(name: str) -> None:
    design = MUTANTS[BY_A_NEIGHBOUR[name]].design
    found = explore(attrs.evolve(outline(design), laws=(all_laws()[name],)), design.geometry, seconds=60)
    assert found.failure is not None and found.failure.broken.law == all_laws()[name]


def test_every_law_that_ships_is_in_the_table() -> None:
    table = (SPECS / "coverage.md").read_text()
    for cls in (SHIPPED | COMBINED).values():
        assert all(f"{law.sentence} (`{law.name}`) |" in table for law in claims_of(cls).laws)


@pytest.mark.parametrize("name", sorted(SHIPPED, key=lambda name: name != "reservation"))
@pytest.mark.one_in(36)
def test_no_law_of_a_design_that_ships_is_about_nothing(name: str) -> None:
    """Random runs meet its premise, or the solver knows a lawful state or step that would."""
    design = outline(SHIPPED[name])
    [report] = check(design, engines=("random",), asked=Asked(runs=300))
    unmet = [law for law in design.laws if report.verdicts[law] == Verdict.VACUOUS]
    assert [law.name for law in unmet if never_met(design, law)] == []
