import pytest
from pots.designs import Leaky, Pot

import refmodel


class TestPot(Pot):
    """Collected for its name."""


@pytest.mark.refmodel(engines=["random"], geometry={"Vm": 1}, law="RES-1", runs=50)
class OnePot(Pot):
    """Collected for its mark."""


class TestLeaky(Leaky):
    """It breaks RES-2, and keeps RES-1."""


class Unmarked(Leaky):
    """Not collected."""


TestRules = refmodel.rule_machine(Pot).TestCase
TestLeakyRules = refmodel.rule_machine(Leaky).TestCase


def test_the_profile_of_the_suite_is_used(request: pytest.FixtureRequest) -> None:
    few = request.config.getoption("--hypothesis-profile") == "few"
    assert TestRules.settings.max_examples == (7 if few else 100)


def test_an_ordinary_test_goes_on_as_before() -> None:
    assert refmodel.explore(Pot).holds
