"""The shortest run of each mutant that was made up, as exploration found it, kept in ``data/mutant_runs.json``.

Exploring some three hundred mutants takes a third of the time of all tests, and replaying what was found none. So the fast tests
replay, and the slow ones explore again. ``python -m tests.mutant_runs [NAME ...]`` explores and writes the file.
"""

import json
import sys
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from refmodel.bugs import MUTANTS
from refmodel.engines.exhaustive import explore
from refmodel.engines.machine import Machine, Pick, Run, Step, recorded
from refmodel.language import outline
from refmodel.report.texts import EFF_3

KEPT = Path(__file__).parent / "data" / "mutant_runs.json"
MADE_UP = {name: m for name, m in MUTANTS.items() if not m.entry}
"""Those that no hypervisor had. (test_bench.py explores those that one had.)"""
EARLIER = {"never-freed": EFF_3, "store-that-exits-happens": "EFF-1"}
"""Found sooner by another clause: the count of a frame's mappings falls below zero before the frame is lost; and what the guest is
shown as an exit is one that the EPT gave no reason for."""

Kept = dict[str, Any]
"""A clause, if the run is the shortest of those that break it and not of all; what was decided at power-on; and for each step its
operation, the numbers of its arguments among the values there are, and the numbers of its answers."""


def due(name: str) -> set[str | None]:
    """The clauses of which one is to be broken."""
    return {MADE_UP[name].clause, EARLIER.get(name)}


def explored(name: str) -> Kept:
    """A shortest run that breaks a law: among all laws, or, if another breaks sooner, among those of its clause."""
    mutant = MADE_UP[name]
    laws, clause = outline(mutant.design), None
    found = explore(laws, mutant.design.geometry, seconds=120)
    assert found.failure is not None, f"{name} breaks no law"
    if found.failure.broken.clause not in due(name):
        clause = mutant.clause
        found = explore(laws.restricted(clause), mutant.design.geometry, seconds=120)
        assert found.failure is not None, f"{name} breaks no law of {clause}"
        assert found.failure.broken.clause in due(name)
    return {"clause": clause, **written(name, found.failure.run)}


def written(name: str, run: Run) -> Kept:
    """A run as it is kept."""
    machine = _machine(name)
    operations = {op.name: op for op in machine.design.operations}
    machine.power_on(recorded(run.initial))
    start, steps = machine.last_answers, []
    for step in run.steps:
        kinds = [kind for _, kind in operations[step.operation].parameters]
        machine.step(step)
        arguments = [machine.values(kind).index(value) for kind, value in zip(kinds, step.arguments, strict=True)]
        steps.append([step.operation, arguments, machine.last_answers])
        machine.settle()
    return {"start": start, "steps": steps}


def read(name: str, kept: Kept) -> Run:
    """A run that was kept; AssertionError if one of its steps does not apply any more."""
    machine = _machine(name)
    operations = {op.name: op for op in machine.design.operations}
    machine.power_on(_numbered(kept["start"]))
    steps: list[Step] = []
    for called, numbers, answers in kept["steps"]:
        op = operations[called]
        arguments = tuple(machine.values(kind)[number] for (_, kind), number in zip(op.parameters, numbers, strict=True))
        taken = machine.attempt(op, arguments, _numbered(answers))
        assert taken is not None, f"{name}: {called}, step {len(steps) + 1}, does not apply: python -m tests.mutant_runs {name}"
        steps.append(taken[0])
        machine.settle()
    return Run(machine.initial_answers, tuple(steps))


def _machine(name: str) -> Machine:
    design = MADE_UP[name].design
    return Machine(outline(design), design.geometry)


def _numbered(answers: list[int]) -> Pick:
    left = iter(answers)
    return lambda options: options[next(left)]


def kept_runs() -> dict[str, Kept]:
    """Every run that is kept, by the mutant's name."""
    found: dict[str, Kept] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def keep(found: dict[str, Kept]) -> None:
    """Write the file: a line for each mutant."""
    lines = [f" {json.dumps(name)}: {json.dumps(found[name], separators=(',', ':'))}" for name in MADE_UP if name in found]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main(names: list[str]) -> None:
    wanted = names or list(MADE_UP)
    with Pool() as pool:
        keep(kept_runs() | dict(zip(wanted, pool.map(explored, wanted, chunksize=1), strict=True)))


if __name__ == "__main__":
    main(sys.argv[1:])
