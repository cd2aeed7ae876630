"""What travels between processes comes back as it was: laws, conditions of what is pending, and reports."""

import pickle

import pytest

from refmodel.designs import SHIPPED
from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.verdicts import EngineReport
from refmodel.language import outline
from refmodel.report.documents import document


@pytest.mark.parametrize("name", SHIPPED)
def test_laws_and_conditions_travel(name: str) -> None:
    design = outline(SHIPPED[name])
    for law in (*design.laws, *(each.law for each in design.pending)):
        assert pickle.loads(pickle.dumps(law)) == law


def test_a_report_from_another_process_is_shown_as_one_from_here() -> None:
    """``refmodel check`` without a design has several checked at a time."""
    design = outline(SHIPPED["vtlb"])
    reports = check(design, engines=("random",), asked=Asked(seconds=0.2))
    travelled: list[EngineReport] = pickle.loads(pickle.dumps(reports))
    assert document("vtlb", design, travelled) == document("vtlb", design, reports)
    assert {each.law for each in document("vtlb", design, travelled).engines[0].laws} > {"entry_not_filled"}
