"""One text, three readings: on ints, on columns and on terms every step of the house does the same."""

import random
from typing import Any

import pytest
import z3

from refmodel.designs import Ept
from refmodel.engines.columns import Columns
from refmodel.engines.exhaustive import Explorer
from refmodel.engines.machine import Machine, Step
from refmodel.engines.prover import Induction
from refmodel.engines.scope import Scope, _Decoder
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import constant, packed
from refmodel.language import NOTHING, outline
from refmodel.language.asking import Refused, answering
from refmodel.language.joining import joined
from refmodel.language.kinds import NameKind, PageKind, Scalar

EPT = outline(Ept)


def steps(seed: int, count: int) -> list[tuple[Any, Step, Any]]:
    """Steps of a random run on ints: the state before (as a matrix column), the step, the state after."""
    draw = random.Random(seed)
    machine, explorer = Machine(EPT, Ept.geometry), Explorer(EPT, Ept.geometry)
    machine.power_on(draw.choice)
    instances, found = machine.instances(), []
    while len(found) < count:
        before = explorer.layout.column(machine.state)
        op, arguments = draw.choice(instances)
        taken = machine.attempt(op, arguments, draw.choice)
        if taken is not None:
            found.append((before, taken[0], explorer.layout.column(machine.state)))
            machine.settle()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_columns_do_what_ints_do(seed: int) -> None:
    explorer = Explorer(EPT, Ept.geometry)
    for before, step, after in steps(seed, 120):
        columns = Columns(explorer.layout, before)
        ends = []
        with joined(EPT), answering(columns):
            for _ in columns.forks.paths():
                columns.begin()
                try:
                    EPT.operation(step.operation).method(columns.state, *step.arguments)
                except Refused:
                    continue
                matrix = before.copy()
                for row, column in columns.written.items():
                    matrix[row] = column
                ends.append((tuple(columns.answers), matrix))
        mine = [m for answers, m in ends if answers == step.answers]
        assert len(mine) == 1, f"{step} ends in {len(mine)} ways on columns"
        assert (mine[0] == after).all(), step


@pytest.mark.parametrize("seed", range(2))
def test_terms_do_what_ints_do(seed: int) -> None:
    layout = Explorer(EPT, Ept.geometry).layout
    for before, step, after in random.Random(seed).sample(steps(10 + seed, 150), 4):
        (was,), (now,) = layout.states(before), layout.states(after)
        with joined(EPT):
            agreeing = paths_that_agree(was, step, now)
        assert agreeing == 1, f"{step}: {agreeing} paths on terms end as ints do"


def paths_that_agree(was: Any, step: Step, now: Any) -> int:
    """How many paths of the operation, on terms, can be taken from this state with these answers, and end where ints end."""
    op = EPT.operation(step.operation)
    induction = Induction(EPT, op)
    induction._learn = lambda reading: None  # type: ignore[method-assign]
    scope = Scope(EPT, [], "s")
    number = 0
    for path in induction.paths():
        segment = path.segments[-1]
        if [a for a in segment.answers if isinstance(a, bool)] != [a for a in step.answers if isinstance(a, bool)]:
            continue
        scope_counts = Scope(EPT, [], "s")
        scope_counts.count(path.counts.values())
        solver = z3.Solver()
        solver.add(*scope_counts.asserted, *segment.conditions, *equal_state(scope, was))
        for (_, kind), argument, value in zip(op.parameters, induction.arguments, step.arguments, strict=True):
            for (_, leaf), term, v in zip(kind.leaves(), kind.flatten(argument), kind.flatten(value), strict=True):
                solver.add(term.term == named(scope, leaf, v))
        chosen = [a for a in segment.answers if isinstance(a, tuple)]
        for (kind, value), v in zip(chosen, [a for a in step.answers if not isinstance(a, bool)], strict=True):
            solver.add(value.term == named(scope, kind, v))
        if solver.check() != z3.sat:
            continue
        number += 1
        check_end(segment, scope, solver.model(), now)
    return number


def check_end(segment: Any, scope: Scope, model: Any, now: Any) -> None:
    decoder = _Decoder(scope, model)
    reading = Symbolic(EPT, prune=False)
    for kind in EPT.tables:
        table = getattr(segment.after, kind.name)
        table.reading = reading
        for key in scope.keys(kind.name):
            with answering(reading):
                leaves = table.peek(key)
            plain = tuple(decoder.scalar(k, t) for k, t in zip(kind.keys, key, strict=True))
            expected = getattr(now, kind.name)[plain if len(plain) != 1 else plain[0]]
            assert decoder.entry(kind.value, leaves) == expected, (kind.name, plain)


def named(scope: Scope, leaf: Scalar, value: Any) -> Any:
    return scope.names(leaf)[value] if isinstance(leaf, NameKind) and value != NOTHING else constant(leaf, value)


def equal_state(scope: Scope, state: Any) -> Any:
    """That the arbitrary state is this one."""
    for kind in EPT.tables:
        table = Table(scope._reading, kind, "s")
        for key, entry in getattr(state, kind.name).items():
            parts = key if isinstance(key, tuple) else (key,)
            leaves = table.first(tuple(named(scope, k, v) for k, v in zip(kind.keys, parts, strict=True)))
            if isinstance(kind.value, PageKind):
                for number, index in enumerate(scope.names(kind.value.index)):
                    cell = packed(kind.value.cell).unpack(z3.Select(leaves[0], index))
                    for (_, leaf), t, v in zip(kind.value.leaves(), cell, kind.value.cell.flatten(entry[number]), strict=True):
                        yield t == named(scope, leaf, v)
            else:
                for (_, leaf), t, v in zip(kind.value.leaves(), leaves, kind.value.flatten(entry), strict=True):
                    yield t == named(scope, leaf, v)

