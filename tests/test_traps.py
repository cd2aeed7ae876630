"""Texts that misled the engines once, or could: each is refused, or what is wrong with it is found."""

import re
from pathlib import Path

import pytest

from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.verdicts import EngineReport, Verdict
from refmodel.language import BadDesign, Design, outline
from refmodel.loading import load
from tests.designs.right import RIGHT
from tests.test_readings_agree import disagreements

TRAPS = sorted(p for p in (Path(__file__).parent / "traps").glob("*.py") if p.stem != "__init__")
ENGINES = ("random", "exhaustive", "prove")
HELPERS = "trap_helpers.py"


def expected(trap: Path) -> str:
    """What the specimen says is expected of it."""
    found = re.search(r"^Expected: (.+)$", trap.read_text(), re.MULTILINE)
    assert found, f"{trap.name} says nothing of what is expected"
    return found[1]


def named(trap: Path) -> str:
    """The specimen, as a user names it: the class is called as the file is."""
    return f"{trap}:{''.join(word.capitalize() for word in trap.stem.split('_'))}"


def said(reports: list[EngineReport]) -> str:
    return "; ".join(f"{r.engine}: {sorted(set(r.verdicts.values()))}" for r in reports)


@pytest.mark.parametrize("trap", TRAPS, ids=lambda p: p.stem)
def test_it_does_not_mislead(trap: Path) -> None:
    how = expected(trap)
    if how.startswith("refused: "):
        with pytest.raises(BadDesign) as refused:
            load(named(trap))
        assert how.removeprefix("refused: ") in str(refused.value), str(refused.value)
        assert re.search(rf"({trap.name}|{HELPERS}):\d+: |{trap.stem}", str(refused.value)), "the message says where"
        return
    design = load(named(trap))
    if how.startswith("left undecided by exhaustive: "):
        [report] = check(design, ["exhaustive"])
        assert report.undecided and not report.failed and how.removeprefix("left undecided by exhaustive: ") in report.covered
        return
    if how.startswith("noted by "):
        engine, text = how.removeprefix("noted by ").split(": ", 1)
        [report] = check(design, [engine], Asked(runs=50))
        assert not report.failed and any(re.search(rf"{trap.name}:\d+: {text}", note) for note in report.notes), report.notes
        return
    if how.startswith("vacuous in part under "):
        engines, laws = how.removeprefix("vacuous in part under ").split(": ")
        for report in check(design, engines.split(", "), Asked(runs=50)):
            assert {each.name for each, verdict in report.verdicts.items() if verdict == Verdict.VACUOUS} == set(
                laws.split(", ")
            ), said([report])
        return
    if how.startswith("vacuous under "):
        for report in check(design, how.removeprefix("vacuous under ").split(", "), Asked(runs=50)):
            assert set(report.verdicts.values()) == {Verdict.VACUOUS}, said([report])
        return
    if how.startswith("shown by "):
        [report] = check(design, [how.removeprefix("shown by ")], Asked(seconds=3))
        assert report.failure is not None and report.disagreement is None, said([report])
        return
    finders = how.removeprefix("found by ").split(", ")
    assert set(finders) <= set(ENGINES) and finders
    for engine in ENGINES:
        if engine in finders:
            [report] = check(design, [engine], Asked(seconds=3))
            assert report.failed or report.undecided, said([report])
            assert report.disagreement is None, report.disagreement


@pytest.mark.parametrize("design", RIGHT, ids=lambda d: d.__name__)
def test_a_right_design_is_not_accused(design: type[Design]) -> None:
    for report in check(outline(design), ENGINES, Asked(seconds=1)):
        assert not report.failed and not report.why, report
        assert not [note for note in report.notes if "this implication" in note], report.notes
    assert all(not found for _, _, found in [disagreements(outline(design))])
