"""What a shell completes."""

import os
import subprocess
import sys

import pytest

from refmodel.cli import completion
from refmodel.designs import SHIPPED
from refmodel.points import mechanisms_over, point


def test_designs_that_ship_and_the_parts_of_others_are_completed() -> None:
    assert set(completion.designs("")) > set(SHIPPED)
    assert "ept acknowledged over " in completion.designs("ept a")
    assert completion.designs("ept over ks") == ["ept over ksm"]
    assert completion.designs("ept over ksm, sw") == ["ept over ksm, swapping"]
    assert completion.designs("nothing like it") == []


def test_each_completed_design_is_one() -> None:
    for name in completion.designs("ept 4K/2M acknowledged over ksm, "):
        assert point(name) is not None
    assert "ept over ksm, ksm" not in completion.designs("ept over ksm, ")
    assert len(completion.designs("ept over ksm, ")) == len(mechanisms_over("ept")) - 1


def test_clauses_engines_and_bugs_are_completed() -> None:
    assert completion.clauses("iso-") == [f"ISO-{n}" for n in range(1, 7)]
    assert completion.engines("pr") == ["prove"]
    assert "ZapLazily" not in completion.bugs("") and "xsa-214" in completion.bugs("xsa-2")


@pytest.mark.parametrize(("words", "expected"), [("refmodel ju", "judge"), ('refmodel check "ept over ks', "ept over ksm")])
def test_the_command_answers_a_shell(words: str, expected: str) -> None:
    asked = {"_REFMODEL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2" if "check" in words else "1"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['refmodel']; from refmodel.cli import main; main()"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[0] == expected
