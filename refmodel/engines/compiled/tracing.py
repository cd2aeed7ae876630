"""Tracing a text: a tree of decisions for each operation, and two expressions for each law."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import attrs

from refmodel.engines.compiled.reading import GoesWrong, Tracing
from refmodel.engines.compiled.tables import scalar_range
from refmodel.engines.compiled.trees import End, Judged, Traced, Tree
from refmodel.engines.compiled.waiting import Waiting
from refmodel.engines.layout import Layout
from refmodel.engines.machine import RESUME, Machine
from refmodel.language.annotations import kind_of
from refmodel.language.arithmetic import LeavesKind
from refmodel.language.asking import Fault, Premises, Refused, answering
from refmodel.language.design import Operation
from refmodel.language.kinds import Kind
from refmodel.language.laws import Law
from refmodel.language.merging import merged_texts
from refmodel.language.opaque import Opaque, opaque
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import Unsound

WAYS = 1 << 46
"""How many ways an operation may be answered in, together: more do not fit beside its number in 64 bits."""

PATHS = 4_000
"""Paths through one operation; with more, the code would take too long to make."""


def traced_operations(layout: Layout) -> list[Traced]:
    """Every operation of a design; ``Unsound`` if one is beyond this reading."""
    instances = Machine(layout.design, layout.geometry).instances()
    numbers: dict[str, list[int]] = {}
    for number, (op, _) in enumerate(instances):
        numbers.setdefault(op.name, []).append(number)
    traced, split = [], []
    for op in layout.design.operations:
        if op.name in numbers:
            rows = _codes(op, [instances[n][1] for n in numbers[op.name]])
            reading, tree = _operation(layout, op, rows)
            traced.append(Traced(op, tree, numbers[op.name][0], rows))
            if op.split:
                split.append((len(traced) - 1, reading))
    if not split:
        return traced
    waiting = Waiting(layout, [(traced[at], reading) for at, reading in split])
    for at, _ in split:
        traced[at] = attrs.evolve(traced[at], tree=waiting.started(traced[at]))
    first = numbers[RESUME][0]
    resumed = Operation(RESUME, traced_operations, (), None, False, False)
    return [*traced, Traced(resumed, waiting.resumed(), first, tuple((slot,) for slot in range(layout.geometry.under_way)))]


def _codes(op: Operation, instances: Sequence[tuple[Any, ...]]) -> tuple[tuple[int, ...], ...]:
    """The codes of the arguments of each instance."""
    return tuple(
        tuple(
            leaf.encode(v)
            for (_, kind), value in zip(op.parameters, arguments, strict=True)
            for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)
        )
        for arguments in instances
    )


def _operation(layout: Layout, op: Operation, rows: Sequence[tuple[int, ...]]) -> tuple[Tracing, Tree]:
    reading, tree = Tracing(layout), Tree()
    arguments = _arguments(reading, op, rows)
    actor = op.actor(arguments)
    with merged_texts(layout.design.text.functions), answering(reading):
        for number, _ in enumerate(reading.paths()):
            if number >= PATHS:
                raise Unsound(f"there are more than {PATHS:,} paths through {op.name}")
            end = _end(reading, op, arguments)
            who = reading.graph.constant(NOTHING) if actor is None else actor.term
            _insert(tree, reading, attrs.evolve(end, actor=who, settled=frozenset(reading.settled)))
    return reading, tree


def _arguments(reading: Tracing, op: Operation, rows: Sequence[tuple[int, ...]]) -> tuple[Any, ...]:
    """Each argument as a value that stands for those of all instances."""
    position, made = itertools.count(), []
    for _, kind in op.parameters:
        leaves = []
        for _, leaf in kind.leaves():
            at = next(position)
            codes = {row[at] for row in rows}
            node = (
                reading.graph.constant(codes.pop())
                if len(codes) == 1
                else reading.graph.node("argument", (at,), min(codes), max(codes))
            )
            leaves.append(opaque(reading, leaf, node))
        made.append(kind.build(iter(leaves)))
    return tuple(made)


def _end(reading: Tracing, op: Operation, arguments: tuple[Any, ...]) -> End:
    """Follow one path to its end."""
    try:
        outcome = op.method(reading.state, *arguments)
        if op.split:
            outcome = _through(reading, outcome)
    except Refused:
        return End("refused")
    except Fault as fault:
        return End("applies", tuple(reading.stores), type(fault))
    except (Unsound, RecursionError):
        raise
    except (GoesWrong, LeavesKind, Exception):
        return End("goes wrong")
    if outcome is None:
        return End("applies", tuple(reading.stores))
    kind = _record(op, outcome)
    flat = reading.flat(kind, outcome)
    for (_, leaf), node in zip(kind.leaves(), flat, strict=True):
        reading.kept(leaf, node)
    return End("applies", tuple(reading.stores), type(outcome), tuple(flat))


def _through(reading: Tracing, body: Any) -> Any:
    """Follow an operation that lets others run to its end."""
    while True:
        try:
            next(body)
        except StopIteration as done:
            return done.value
        reading.wait((body.gi_code.co_filename, body.gi_frame.f_lineno))


def _record(op: Operation, outcome: Any) -> Kind:
    if isinstance(outcome, Opaque) or not attrs.has(type(outcome)):
        raise Unsound(f"{op.name} returns a {type(outcome).__name__}; expected a record")
    return kind_of(type(outcome))


def _insert(tree: Tree, reading: Tracing, end: End) -> None:
    """Add a path: it goes with the earlier ones as far as the same has happened."""
    at, scale, left = tree, 1, iter(reading.left)
    for event in reading.events:
        forks = event.kind in ("decide", "answer")
        if at.event is None:
            at.event, at.scale = attrs.evolve(event, taken=True), scale
            at.branches = [Tree(), Tree()] if forks else [Tree()]
        elif at.event != attrs.evolve(event, taken=True):
            raise Unsound("a path goes otherwise when it is taken again")
        if event.kind == "wait":
            at.left, scale = next(left), 1
        elif event.kind == "answer":
            scale *= 2
        elif event.choice is not None:
            scale *= len(event.choice.options)
        if scale > WAYS:
            raise Unsound(f"an operation leaves open more than {WAYS:,} ways to go on")
        at = at.branches[event.taken if forks else 0]
    if at.event is not None or at.end is not None:
        raise Unsound("a path goes otherwise when it is taken again")
    at.end = end


def traced_laws(layout: Layout, returned: Sequence[type | None]) -> dict[tuple[int, type | None], Judged]:
    """Each law by its number, and for laws about outcomes by the type that was returned."""
    found: dict[tuple[int, type | None], Judged] = {}
    for number, law in enumerate(layout.design.laws):
        if "outcome" not in law.about:
            found[number, None] = _law(layout, law, None)
            continue
        for returns in returned:
            if law.applies_to(returns):
                found[number, returns] = _law(layout, law, returns)
    return found


def _law(layout: Layout, law: Law, returns: type | None) -> Judged:
    reading = Tracing(layout)
    sizes = tuple(len(list(kind.values(layout.geometry))) for _, kind in law.names)
    names = [
        opaque(reading, kind, reading.graph.node("name", (i,), 0, size - 1) if size > 1 else reading.graph.no)
        for i, ((_, kind), size) in enumerate(zip(law.names, sizes, strict=True))
    ]
    given = {"before": reading.before, "actor": _actor(reading), "outcome": _outcome(reading, returns)}
    sites = [part.part for part in layout.design.parts_of(law) if part.part is not None]
    reading.aside = frozenset(layout.design.alternatives(law))
    Premises.begin(law.part, apart=bool(sites), plainly=reading.plain_premise, left_out=layout.design.looked_at(law))
    with merged_texts(layout.design.text.functions), answering(reading):
        holds, premise = reading.judged(law.function, [reading.state, *law.arguments(given, names)])
    Premises.begin()
    if law.outcome is not None and not layout.design.is_conditional(law):
        premise = reading.graph.yes  # it was met, since there was such an outcome
    return Judged(law, sizes, holds, premise, tuple(reading.met(site) for site in sites))


def _actor(reading: Tracing) -> Any:
    kind = reading.layout.design.actors
    return opaque(reading, kind, reading.graph.node("actor", (), *scalar_range(kind, reading.geometry)))


def _outcome(reading: Tracing, returns: type | None) -> Any:
    if returns is None:
        return None
    return returns() if issubclass(returns, Fault) else reading.variable("outcome", kind_of(returns))


__all__ = ["traced_laws", "traced_operations"]
