"""The designs to begin with: the right ones are proved, and each wrong one is refuted by a run that its sentence explains."""

from typing import Any

import pytest

import refmodel
from refmodel.examples.directory import Directory, GrantedEarly, OwnerStores, ReaderUnrecorded, Unserialized
from refmodel.examples.retry import NotedLate, Retry, SequenceForgotten, SequenceUnlooked, UnderWayUnlooked
from refmodel.examples.zap import ZapLazily, ZapToProtect
from tests.test_command import refmodel as command

RIGHT = [Directory, ZapToProtect, Retry]
WRONG: dict[Any, tuple[str | None, str, int]] = {
    GrantedEarly: ("ISO-2", "ISO-2", 5),
    ZapLazily: ("ISO-2", "ISO-2", 5),
    OwnerStores: ("EQV-1", "EQV-1", 4),
    ReaderUnrecorded: ("EQV-1", "EQV-1", 6),
    Unserialized: ("ISO-2", "EFF-3", 5),
    NotedLate: ("ISO-1", "ISO-1", 6),
    SequenceForgotten: ("ISO-1", "ISO-1", 5),
    SequenceUnlooked: ("ISO-1", "ISO-1", 5),
    UnderWayUnlooked: ("ISO-1", "ISO-1", 5),
}
"""By wrong design: the clause that is asked about, the one that the shortest run breaks, and the steps of that run."""


@pytest.mark.parametrize("design", RIGHT, ids=lambda d: d.__name__)
@pytest.mark.one_in(2)
def test_a_right_example_is_proved(design: Any) -> None:
    assert refmodel.prove(design).status is refmodel.Status.HOLDS


@pytest.mark.parametrize("design", WRONG, ids=lambda d: d.__name__)
@pytest.mark.one_in(4)
def test_a_wrong_example_is_refuted_by_a_short_run(design: Any) -> None:
    asked, broken, number = WRONG[design]
    (run,) = refmodel.explore(design, law=asked).broken_runs
    assert (run.clause, len(run.steps)) == (broken, number)


def test_a_run_that_aborts_is_shown_to_its_end_although_it_breaks_a_law_before() -> None:
    (run,) = refmodel.explore(Unserialized, law="ISO-2").broken_runs
    told = run.told()
    assert len(told) == len(run.steps) == 5 and told[-1].broken is not None and told[-1].broken.clause == "EFF-3"
    assert refmodel.check(Unserialized, ["exhaustive"]).broken_runs[0].clause == "INV-1"
    done = command("check", "refmodel.examples.directory:Unserialized", "--law", "ISO-2", "--engine", "exhaustive")
    assert done.returncode == 1 and "a run of 5 steps breaks EFF-3" in done.stdout and "5. acknowledge(" in done.stdout


def test_a_run_that_two_engines_find_is_printed_once() -> None:
    done = command("check", "refmodel.examples.directory:OwnerStores", "--engine", "exhaustive", "--engine", "prove")
    assert done.returncode == 1 and done.stdout.count("power on") == 1
    assert "prove: the run that exhaustive found" in done.stdout
