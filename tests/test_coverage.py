"""What checks what: the table in specs/coverage.md is the text's, and no clause lacks a law, runs, exploration, proof, mutant."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofs.theorems import THEOREMS
from refmodel.designs import COMBINED, SHIPPED
from refmodel.language import outline
from refmodel.report import coverage
from refmodel.report.explaining import all_laws

SPECS = Path(__file__).parent.parent / "specs"
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
    assert all((SHIPPED | COMBINED)[name].__name__ in proved for name in designs)
    assert any(coverage.mutants_of(law) for law in laws)


def test_every_law_that_ships_is_in_the_table() -> None:
    table = (SPECS / "coverage.md").read_text()
    for cls in (SHIPPED | COMBINED).values():
        assert all(f"| {law.name.replace('_', ' ')} |" in table for law in outline(cls).laws)
