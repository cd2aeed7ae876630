"""A name, a count or a word that is declared as Python's types are is refused, with what to write in its place."""

from pathlib import Path
from typing import Any

import pytest

from refmodel import api
from refmodel.language import BadDesign, implies, law, outline
from refmodel.language.plurals import many
from refmodel.loading import load
from refmodel.machine.names import Vm
from tests.designs.small import Breaks, Pot

BASE = """
from typing import Annotated, NewType

from refmodel.language import Bits, Design, Name, Natural, Total, geometry, operation
from refmodel.machine.names import Vm

{declared}


class Mine(Design):
    seen: {table}
    geometry = geometry(Vm=1)

    @operation
    def nothing(self) -> None:
        pass
"""


@pytest.mark.parametrize("table", ["Total[Dev, bool]", "Total[Vm, Dev]"])
@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("class Dev(Name): pass", 'Dev = Annotated[int, Name("Dev")]'),
        ("class Dev(int): pass", 'Dev = Annotated[int, Name("Dev")]'),
        ('Dev = NewType("Dev", int)', 'Dev = Annotated[int, Name("Dev")]'),
        ('Dev = Name("Disk")', 'Disk = Annotated[int, Name("Disk")]'),
        ("Dev = Name", 'Dev = Annotated[int, Name("Dev")]'),
        ("Dev = Natural", "Count = Annotated[int, Natural()]"),
        ("Dev = Natural()", "Annotated[int, Natural()]"),
        ("Dev = Annotated[int, Natural]", "Count = Annotated[int, Natural()]"),
        ("class Dev(Bits): pass", "Dev = Annotated[int, Bits(64)]"),
        ("Dev = Bits(8)", "Annotated[int, Bits(8)]"),
    ],
)
def test_what_to_write_instead_is_said(declared: str, expected: str, table: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(BASE.format(declared=declared, table=table))
    with pytest.raises(BadDesign) as why:
        load(str(file))
    said = str(why.value)
    assert said.startswith(f"{file}:11: ") and expected in said
    assert "from typing import Annotated and from refmodel import " in said


def test_an_annotation_that_cannot_be_looked_up_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(BASE.format(declared="Dev = Annotated[int, [1]]", table="Total[Vm, Dev]"))
    with pytest.raises(BadDesign, match=r"mine.py:11: .*expected Annotated\[int, "):
        load(str(file))


def test_a_class_that_is_nearly_there_is_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(BASE.format(declared="", table="Total[Vm, bool]").replace("class Mine", "class NoFlush"))
    with pytest.raises(BadDesign, match=r"NoFlushh is no design there; did you mean NoFlush\?"):
        load(f"{file}:NoFlushh")


# ---------------------------------------------------------------- a law by its name


def test_a_law_is_meant_by_its_clause_its_name_or_its_sentence() -> None:
    design = outline(Pot)
    one = design.laws[0]
    spellings = [one.name, one.name.replace("_", "-"), one.name.upper(), one.sentence, one.sentence.rstrip(".").lower()]
    assert {design.asked(each) for each in spellings} == {one.name}
    assert design.asked(one.clause.lower()) == one.clause
    assert design.restricted(one.name).laws == (one,)
    with pytest.raises(BadDesign, match=rf"did you mean .*\b{one.name}\b"):
        design.asked(f"{one.name[:-1]}x")


class AlikeInAllButCase(Pot):
    @law("res-1", "A full cell holds one.")
    def alike(s: Any, vm: Vm) -> Any:
        return implies(s.cells[vm].full, s.cells[vm].number == 1)


def test_a_law_that_may_be_one_of_several_is_none() -> None:
    design = outline(AlikeInAllButCase)
    assert [design.asked(clause) for clause in ("RES-1", "res-1")] == ["RES-1", "res-1"], "what is spelled the same comes first"
    for several in ("Res-1", design.laws[0].sentence):
        with pytest.raises(BadDesign, match="may be any of"):
            design.asked(several)


@pytest.mark.parametrize("engine", ["random", "exhaustive", "prove", "bounded"])
def test_every_engine_judges_that_law_alone(engine: api.Engine) -> None:
    kept, broken = (load("ept").laws[0], outline(Breaks).laws[0])
    assert kept is not broken
    report = api.check(Breaks, [engine], law=broken.name, seconds=0.2)
    assert set(report.verdicts) == {broken.name} and report.status is api.Status.FAILS
    (run,) = report.broken_runs
    assert run.law is broken and api.replay(str(run.token)) is not None


def test_other_laws_of_the_clause_are_not_judged() -> None:
    design = load("ept")
    (first, *others) = [law for law in design.laws if law.clause == "ISO-2"]
    report = api.check("ept", ["random"], law=first.name, runs=3)
    assert others and set(report.verdicts) == {first.name}
    law = outline(Pot).laws[0]
    assert api.check(Pot, ["random"], law=law.name, runs=50).conclusion.startswith(f"the law {law.name} was not broken in ")


# ---------------------------------------------------------------- numbers and reports


@pytest.mark.parametrize(
    ("number", "what", "said"),
    [
        (1, "law", "1 law"),
        (0, "law", "0 laws"),
        (2000, "class", "2,000 classes"),
        (2, "entry", "2 entries"),
        (2, "way", "2 ways"),
        (1, "other law", "1 other law"),
    ],
)
def test_a_number_goes_with_its_noun(number: int, what: str, said: str) -> None:
    assert many(number, what) == said


def test_a_report_is_printed_in_a_few_lines() -> None:
    report = api.check(Pot, ["random"], runs=2)
    lines = str(report).splitlines()
    assert lines[0].startswith("Pot: ") and lines[1].startswith("  random: ") and len(lines) < 5
    assert repr(report) == "<Report on Pot: HOLDS, by random>" and str(report.status) == "HOLDS" == f"{report.status}"
    assert int(report.status) == 0 and report.document()["status"] == 0
