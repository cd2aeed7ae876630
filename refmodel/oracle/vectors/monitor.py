"""Vectors of a monitor: operations in order, what a monitor that carries them out tells of itself, and the verdict on it.

Lawful ones are runs of the model (``Memory``: everything that is done with memory, under any MMU); they are chosen until every way
in which an operation shows itself has been met, and each ends with the step that was new. Unlawful ones are the runs of its mutants
that are told to deviate, one for each mutant and clause.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from functools import partial
from os import cpu_count
from typing import Any

import msgspec

from refmodel.bugs import MUTANTS
from refmodel.designs import Memory
from refmodel.engines.machine import Machine, Run, Step
from refmodel.engines.rule_machine import mixer
from refmodel.engines.spread import Where, spread
from refmodel.geometries import LARGER
from refmodel.language import NOTHING, Design, outline
from refmodel.language.design import Operation, Outline
from refmodel.mmu.contract import ContractMmu
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.telling import lines, told_steps, trace_of
from refmodel.oracle.trace.verdicts import Deviation

RUNS, LENGTH = 300, 60
FOR_A_MUTANT = 60
"""Runs of a mutant, at most."""
FEW = 4
"""How many arguments an operation is tried with before it is another's turn; what applies seldom is tried in full last."""

Instance = tuple[Operation, tuple[Any, ...]]


def runs(
    cls: type[Design], number: int, seed: int, length: int = LENGTH, after: int = LENGTH // 2, asked: bool = True
) -> Iterator[tuple[Run, bool]]:
    """Random runs, and whether they break a law; they go on a little when one does, so that it can be seen. Of a design that is
    proved the laws need not be ``asked``."""
    design = outline(cls)
    kinds = _by_operation(design)
    draw = random.Random(seed)
    for _ in range(number):
        machine, broken, left = Machine(design, LARGER), False, after
        machine.power_on(lambda options: options[draw.randrange(len(options))])
        steps: list[Step] = []
        while left and len(steps) < length + after:
            taken = _take(machine, kinds, draw.randrange(1 << 16))
            if taken is None:
                break
            op, step, outcome = taken
            steps.append(step)
            broken = broken or (asked and machine.broken(op, step.arguments, outcome) is not None)
            left -= broken
            machine.settle()
        yield Run(machine.initial_answers, tuple(steps)), broken


def _by_operation(design: Outline) -> list[list[Instance]]:
    kinds: dict[str, list[Instance]] = {}
    for op, arguments in Machine(design, LARGER).instances():
        kinds.setdefault(op.name, []).append((op, arguments))
    return list(kinds.values())


def _take(machine: Machine, kinds: list[list[Instance]], code: int) -> tuple[Operation, Step, Any] | None:
    """The first step that applies, starting with the operation and arguments that the code names; with its outcome."""
    arguments_code, first = divmod(code, len(kinds))
    pick = mixer(arguments_code)
    for tries in (range(FEW), range(FEW, 1 << 30)):
        for i in range(len(kinds)):
            instances = kinds[(first + i) % len(kinds)]
            at = arguments_code * 7 % len(instances)
            for j in range(tries.start, min(tries.stop, len(instances))):
                op, arguments = instances[at - j]
                taken = machine.attempt(op, arguments, pick)
                if taken is not None:
                    return op, *taken
    return None


def vector_lines() -> Iterator[bytes]:
    """The vectors as lines of JSON, each made when it is asked for."""
    for number, vector in enumerate(itertools.chain(_lawful(), _unlawful())):
        yield msgspec.json.encode({"id": f"monitor/{number:06}", **vector})


def _vector(about: str, cls: type[Design], run: Run, found: Deviation | None = None) -> dict[str, Any]:
    """A run as a vector, without a number: it is lawful, or told to deviate."""
    told = trace_of(cls, LARGER, run, dumps=found is not None)
    verdict: Any = {"line": found.line, "clause": found.clause, "expected": found.expected} if found else "lawful"
    return {
        "because": about,
        "operations": [_operation(cls, step) for step in run.steps],
        "trace": told if found is None else told[: found.line],
        "verdict": verdict,
    }


def _operation(cls: type[Design], step: Step) -> dict[str, Any]:
    op = outline(cls).operation(step.operation)
    return {"do": step.operation, **{name: _plain(value) for (name, _), value in zip(op.parameters, step.arguments, strict=True)}}


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int) else str(value)


def _lawful() -> Iterator[dict[str, Any]]:
    met: set[tuple[str, ...]] = set()
    for run, _ in runs(Memory, RUNS, seed=1, asked=False):
        shown, last = set[tuple[str, ...]](), 0
        for number, (step, told) in enumerate(told_steps(Memory, LARGER, run), 1):
            way = (step.operation, *(f"{event['e']}{event.get('writable', '')}" for event in told))
            if way not in met:
                shown.add(way)
                last = number
        if shown:
            met |= shown
            new = "; ".join(sorted({way[0] for way in shown}))
            yield _vector(f"first to show: {new}", Memory, Run(run.initial, run.steps[:last]))


def _unlawful() -> Iterator[dict[str, Any]]:
    names = [name for name, mutant in MUTANTS.items() if issubclass(mutant.design, ContractMmu)]
    for vectors in spread(partial(_of_mutant, number=FOR_A_MUTANT), names, Where(cpu_count() or 1)):
        yield from vectors


def _of_mutant(name: str, number: int) -> list[dict[str, Any]]:
    """For each clause that runs of a mutant are told to break, the first that does."""
    mutant, found = MUTANTS[name], dict[str, dict[str, Any]]()
    for run, broken in runs(mutant.design, number, seed=3):
        told = trace_of(mutant.design, LARGER, run, dumps=True) if broken else []
        if any(event.get("mfn") == NOTHING for event in told):
            continue  # it maps a page to no frame, which no trace can say
        deviation = Judge(name).block(1, lines(told)) if told else None
        if deviation is not None and deviation.clause not in found:
            found[deviation.clause] = _vector(f"{name}: {mutant.title}", mutant.design, run, deviation)
    return list(found.values())
