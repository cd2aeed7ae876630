"""Two generated designs, one of them a little changed: no run shows a step to be wrong that is proved to be one of the other's."""

from __future__ import annotations

import re
import sys
from random import Random

import pytest

from refmodel.engines.corresponding import shared
from refmodel.engines.prover import prove_simulated
from refmodel.engines.simulation_runs import simulated_runs
from refmodel.language import BadDesign, outline
from refmodel.language.design import Outline
from refmodel.language.unsound import Unsound
from tests.designs.generated import Writer, loaded

CHANGES = [
    (r" == ", " != "),
    (r" != ", " == "),
    (r"\bTrue\b", "False"),
    (r"\bFalse\b", "True"),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"\bp0\b(?!:)", "p1"),
    (r"NOTHING", "mfn"),
    (r"NOTHING", "vm"),
    (r"\bvm\b(?!:)", "NOTHING"),
    (r"<=", "<"),
]
LAW = """    @law("RES-1", "true of anything, so that nothing is assumed")
    def law0(s: Any, vm: Vm, mfn: Mfn) -> Any:
        return vm == vm and mfn == mfn
"""
OPERATION = re.compile(r"    @operation\n    def (\w+)\(self(.*?)\) -> (.*?):\n")


def changed(body: str, draw: Random) -> str:
    """A text with up to two changes, and perhaps with a choice where there was a parameter."""
    for _ in range(draw.randint(0, 2)):
        pattern, becomes = draw.choice(CHANGES)
        if found := list(re.finditer(pattern, body)):
            at = draw.choice(found)
            body = body[: at.start()] + becomes + body[at.end() :]
    return chosen(body, draw) if draw.random() < 0.6 else body


def chosen(body: str, draw: Random) -> str:
    """The same with a choice in the place of one parameter, if there is one that is a name."""
    operations = list(OPERATION.finditer(body))
    if not operations:
        return body
    at = draw.choice(operations)
    parameters = [each for each in at[2].split(", ") if each]
    name, _, kind = draw.choice(parameters).partition(": ")
    if kind not in ("Vm", "Mfn"):
        return body
    left = "".join(f", {each}" for each in parameters if each != f"{name}: {kind}")
    head = f"    @operation\n    def {at[1]}(self{left}) -> {at[3]}:\n"
    return f"{body[: at.start()]}{head}        {name}: {kind} = choose({kind}, lambda any0: True)\n{body[at.end() :]}"


def pair(seed: int) -> tuple[Outline, Outline] | None:
    """A design and another of the same tables; None if what chance writes has no sense."""
    draw, text = Random(seed), Writer(Random(seed)).design()
    start = text.index("class Generated")
    head, body = text[:start], text[start : text.index("    @law(")]
    one, other = draw.choice([(changed(body, draw), body), (body, changed(body, draw)), (body, body)])
    both = f"{head}{one}{LAW}\n\n{other.replace('class Generated', 'class Other')}{LAW}"
    try:
        mine, theirs = loaded(both, f"pair{seed}"), outline(sys.modules[f"generated_pair{seed}"].Other)
        shared(mine, theirs)
    except BadDesign:
        return None
    return mine, theirs


def agree(seed: int) -> bool:
    """Runs and the proof agree; whether all was proved."""
    if (found := pair(seed)) is None:
        return False
    mine, other = found
    try:
        proved = not any(prove_simulated(mine, other, op.name).failing for op in mine.operations)
        failure = simulated_runs(mine, other, mine.cls.geometry, runs=200, seconds=60, seed=seed).failure
    except (BadDesign, Unsound):
        return False
    apart = failure is not None and failure.broken.clause.startswith("simulation")
    assert not (proved and apart), failure
    return proved


def test_no_run_shows_wrong_what_is_proved() -> None:
    assert sum(agree(seed) for seed in range(15)) > 3


@pytest.mark.slow
def test_no_run_shows_wrong_what_is_proved_of_many() -> None:
    assert sum(agree(seed) for seed in range(15, 2000)) > 500
