"""A step is given numbers. Runs on ints know those of a geometry and say so; solvers take any, and what they find can be run."""

from typing import Any

import attrs
import pytest

from refmodel.engines.asked import Asked
from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.checking import check
from refmodel.engines.tokens import decode, spec_of
from refmodel.engines.verdicts import FAILS, EngineReport, status_of
from refmodel.language import BadDesign, Geometry, outline
from tests.designs.generated import loaded
from tests.designs.small import Pot

TEXT = """
from typing import Annotated

from refmodel.language import Bits, Design, Name, Natural, Total, choose, geometry, law, operation, require

Vm = Annotated[int, Name("Vm")]
Number = Annotated[int, KIND]


class Generated(Design):
    number: Total[Vm, Number]
    geometry = geometry(Vm=1)

    @operation
    def put(self, vm: VmPARAMETER) -> None:
        require(self.number[vm] == 0)
        self.number[vm] = GIVEN

    @law("ISO-1", "The number is not this one.")
    def is_another(s: "Generated", vm: Vm) -> bool:
        return s.number[vm] != NEVER
"""
KINDS = {"Natural()": 40, "Bits(4)": 13, "Bits(64)": 0xDEADBEEFCAFEBABE}
WAYS = {"argument": (", number: Number", "number"), "choice": ("", "choose(Number, lambda n: n != 1)")}


def design(kind: str, way: str) -> Any:
    parameter, given = WAYS[way]
    text = TEXT.replace("KIND", kind).replace("PARAMETER", parameter).replace("GIVEN", given).replace("NEVER", str(KINDS[kind]))
    return loaded(text, f"numbers_{way}_{len(kind)}{kind[-2]}")


def judged(made: Any, *engines: str) -> list[EngineReport]:
    return check(made, engines, Asked(seconds=0.1, depth=2))


@pytest.mark.parametrize("engine", ["bounded", "prove"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_found_that_is_given_a_number_beyond_the_geometry(kind: str, way: str, engine: str) -> None:
    """No such run was looked for once: the law was said to hold in every state, or replaying the run ended with an error."""
    made = design(kind, way)
    (report,) = judged(made, engine)
    assert status_of([report]) == FAILS and report.failure is not None and report.geometry is not None
    run = BrokenRun(made, report.geometry, report.failure, "generated")
    assert len(run.steps) == 1 and run.told()[-1].broken is not None
    assert run.token is not None
    geometry, again = decode(made, spec_of(run.token)[1])
    assert (geometry, again) == (report.geometry, report.failure.run) and KINDS[kind] in geometry.also


@pytest.mark.parametrize("kind", KINDS)
def test_exploring_fewer_numbers_is_no_disagreement(kind: str) -> None:
    reports = judged(design(kind, "argument"), "exhaustive", "prove", "bounded")
    assert status_of(reports) == FAILS and not any(r.disagreement for r in reports)


@pytest.mark.parametrize("way", WAYS)
def test_reports_of_runs_say_which_numbers_they_know(way: str) -> None:
    for kind, words in (("Natural()", "natural numbers up to 1"), ("Bits(4)", "words up to 3")):
        assert all(f", given {words}" in report.covered for report in judged(design(kind, way), "random", "exhaustive"))


def test_a_design_whose_steps_are_given_no_number_says_nothing_of_numbers() -> None:
    assert all("given" not in report.covered for report in judged(outline(Pot), "random", "exhaustive"))


def test_a_token_names_no_number_below_zero() -> None:
    made = design("Bits(4)", "argument")
    (report,) = judged(made, "bounded")
    assert report.failure is not None and report.geometry is not None
    said = spec_of(BrokenRun(made, report.geometry, report.failure, "generated").token or "")[1]
    with pytest.raises(BadDesign, match="the replay token names a geometry that is out of bounds"):
        decode(made, attrs.evolve(said, also=(-1,)))


def test_reports_of_runs_say_how_many_names_there_are_of_sorts_that_the_geometry_leaves_out() -> None:
    """Without a geometry nothing was said."""
    made = outline(type("Unsized", (Pot,), {"geometry": Geometry()}))
    assert all(report.covered.count("; 2 Vm") == 1 for report in judged(made, "random", "exhaustive", "bounded"))
