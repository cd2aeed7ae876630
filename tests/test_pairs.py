"""Every two mechanisms together are explored to the last state, and what goes wrong between two is found there."""

import itertools

import pytest

from refmodel.engines.exhaustive import explore
from refmodel.language import Design, outline
from refmodel.machine.names import Gfn, Vm
from refmodel.pairs import MECHANISMS, PAIRS
from tests.test_command import refmodel


def test_every_two_are_a_pair() -> None:
    assert list(PAIRS) == [f"{one}*{other}" for one, other in itertools.combinations(MECHANISMS, 2)]


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_lawful_in_every_state(name: str) -> None:
    design = outline(PAIRS[name])
    found = explore(design, PAIRS[name].geometry.resized(Gfn=1), seconds=120)
    assert found.complete and found.failure is None
    assert {op.name for op in design.operations if not found.applied[op.name]} == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_lawful_in_every_state_of_its_own_geometry(name: str) -> None:
    found = explore(outline(PAIRS[name]), PAIRS[name].geometry, seconds=600)
    assert found.complete and found.failure is None


def broken(name: str, **changes: object) -> str | None:
    """The clause that a pair breaks with some methods changed."""
    mutant: type[Design] = type("Mutant", (PAIRS[name],), changes)
    found = explore(outline(mutant), PAIRS[name].geometry.resized(Gfn=1), seconds=60)
    return found.failure.broken.clause if found.failure is not None else None


def test_what_two_do_to_each_other_is_found() -> None:
    def held(self: object, vm: Vm, gfn: Gfn) -> bool:
        return False

    assert broken("swapping*devices", held=held) == "ISO-2"  # written out, and so write-protected
    assert broken("ballooning*devices", held=held) == "ISO-1"
    assert broken("populate-on-demand*devices", held=held) is not None
    assert broken("access-tracking*devices", held=held) is None  # a page that is withdrawn keeps its frame


def test_the_command_explores_them() -> None:
    done = refmodel("check", "access-tracking*guest-copies", "--engine", "exhaustive")
    assert "to the last state" in done.stdout and "fails" not in done.stdout
    assert done.returncode == 3 and "3 of 21 laws are vacuous" in done.stdout  # they speak of mechanisms that this pair has not
    assert refmodel("check", "--pairs", "--combined").returncode == 2
