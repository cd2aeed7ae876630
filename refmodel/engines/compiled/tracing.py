"""What a trace makes of a text: a tree of decisions for each operation, and two expressions for each law."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from refmodel.engines.compiled.nodes import Node
from refmodel.engines.compiled.reading import Choice, Event, GoesWrong, Tracing
from refmodel.engines.compiled.tables import Store, scalar_range
from refmodel.engines.layout import Layout
from refmodel.engines.machine import Machine
from refmodel.language.arithmetic import LeavesKind
from refmodel.language.asking import Fault, Refused, answering
from refmodel.language.design import Operation
from refmodel.language.kinds import NOTHING, Kind, kind_of
from refmodel.language.laws import Law
from refmodel.language.merging import merged_texts
from refmodel.language.opaque import Opaque, opaque
from refmodel.language.unsound import Unsound

WAYS = 1 << 46
"""How many ways an operation may be answered in, together: more do not fit beside its number in 64 bits."""


@attrs.define(eq=False)
class Tree:
    """One point of an operation: what happens there, and how it goes on."""

    event: Event | None = None
    """None at an end, and where no path has come yet."""
    end: End | None = None
    branches: list[Tree] = attrs.field(factory=list)
    """For a decision or an answer: if not, and if so. For all else: how it goes on."""
    scale: int = 1
    """What an answer given here counts, in the number that stands for all answers."""

    def below(self) -> Iterator[Tree]:
        """This point and all that it leads to."""
        todo = [self]
        while todo:
            tree = todo.pop()
            yield tree
            todo += reversed(tree.branches)


@attrs.frozen(eq=False)
class End:
    """How a path ends: it applies, it is refused, or the text goes wrong."""

    what: str
    stores: tuple[Store, ...] = ()
    returns: type | None = None
    outcome: tuple[Node, ...] = ()


@attrs.frozen(eq=False)
class Traced:
    """An operation, with all that it can do in a geometry."""

    op: Operation
    tree: Tree
    first: int
    """The number of its first instance."""
    arguments: tuple[tuple[int, ...], ...]
    """The codes of the arguments of each instance."""
    actor: Node

    def ends(self) -> list[End]:
        return [tree.end for tree in self.tree.below() if tree.end is not None]

    def most_ways(self) -> int:
        """No state has more successors by one instance than this."""
        return _most(self.tree)


@attrs.frozen(eq=False)
class Judged:
    """A law, for one type of outcome: over how many names it is claimed, where it holds, and where a premise of it does."""

    law: Law
    sizes: tuple[int, ...]
    holds: Node
    premise: Node


def _most(tree: Tree) -> int:
    if tree.event is None:
        return 1
    below = [_most(branch) for branch in tree.branches] or [1]
    if tree.event.kind == "choose":
        assert tree.event.choice is not None
        return below[0] * len(tree.event.choice.options)
    return sum(below) if tree.event.kind == "answer" else max(below)


def traced_operations(layout: Layout) -> list[Traced]:
    """Every operation of a design; ``Unsound`` if one is beyond this reading."""
    instances = Machine(layout.design, layout.geometry).instances()
    numbers: dict[str, list[int]] = {}
    for number, (op, _) in enumerate(instances):
        numbers.setdefault(op.name, []).append(number)
    return [_operation(layout, op, numbers[op.name][0], [instances[n][1] for n in numbers[op.name]])
            for op in layout.design.operations if op.name in numbers]


def _operation(layout: Layout, op: Operation, first: int, instances: Sequence[tuple[Any, ...]]) -> Traced:
    rows = [tuple(leaf.encode(v) for (_, kind), value in zip(op.parameters, arguments, strict=True)
                  for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)) for arguments in instances]
    reading, tree = Tracing(layout), Tree()
    arguments = _arguments(reading, op, rows)
    actor = op.actor(arguments)
    with merged_texts(layout.design.text.functions), answering(reading):
        for _ in reading.forks.paths():
            reading.begin()
            end = _end(reading, op, arguments)
            _insert(tree, reading.events, end)
    return Traced(op, tree, first, tuple(rows), reading.graph.constant(NOTHING) if actor is None else actor.term)


def _arguments(reading: Tracing, op: Operation, rows: Sequence[tuple[int, ...]]) -> tuple[Any, ...]:
    """Each argument as a value that stands for those of all instances."""
    position, made = itertools.count(), []
    for _, kind in op.parameters:
        leaves = []
        for _, leaf in kind.leaves():
            at = next(position)
            codes = {row[at] for row in rows}
            node = (reading.graph.constant(codes.pop()) if len(codes) == 1
                    else reading.graph.node("argument", (at,), min(codes), max(codes)))
            leaves.append(opaque(reading, leaf, node))
        made.append(kind.build(iter(leaves)))
    return tuple(made)


def _end(reading: Tracing, op: Operation, arguments: tuple[Any, ...]) -> End:
    """Follow one path to its end."""
    try:
        outcome = op.method(reading.state, *arguments)
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


def _record(op: Operation, outcome: Any) -> Kind:
    if isinstance(outcome, Opaque) or not attrs.has(type(outcome)):
        raise Unsound(f"{op.name} returns a {type(outcome).__name__}; expected a record")
    return kind_of(type(outcome))


def _insert(tree: Tree, events: Sequence[Event], end: End) -> None:
    """Add a path: it goes with the earlier ones as far as the same has happened."""
    at, scale = tree, 1
    for event in events:
        forks = event.kind in ("decide", "answer")
        if at.event is None:
            at.event, at.scale = attrs.evolve(event, taken=True), scale
            at.branches = [Tree(), Tree()] if forks else [Tree()]
        elif at.event != attrs.evolve(event, taken=True):
            raise Unsound("a path goes otherwise when it is taken again")
        if event.kind == "answer":
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
    names = [opaque(reading, kind, reading.graph.node("name", (i,), 0, size - 1) if size > 1 else reading.graph.no)
             for i, ((_, kind), size) in enumerate(zip(law.names, sizes, strict=True))]
    given = {"before": reading.before, "actor": _actor(reading), "outcome": _outcome(reading, returns)}
    with merged_texts(layout.design.text.functions), answering(reading):
        holds, premise = reading.judged(law.function, [reading.state, *law.arguments(given, names)])
    return Judged(law, sizes, holds, premise)


def _actor(reading: Tracing) -> Any:
    kind = reading.layout.design.actors
    return opaque(reading, kind, reading.graph.node("actor", (), *scalar_range(kind, reading.geometry)))


def _outcome(reading: Tracing, returns: type | None) -> Any:
    if returns is None:
        return None
    return returns() if issubclass(returns, Fault) else reading.variable("outcome", kind_of(returns))


__all__ = ["Choice", "End", "Judged", "Traced", "Tree", "traced_laws", "traced_operations"]
