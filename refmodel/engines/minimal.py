"""A counterexample to induction, made as small as it goes: what it takes, and nothing that happens to be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from refmodel.engines.machine import aborted
from refmodel.engines.parts import take
from refmodel.engines.samples import in_state
from refmodel.engines.scope import Witness
from refmodel.language.design import Outline
from refmodel.language.kinds import Kind, NaturalKind, PageKind
from refmodel.language.laws import Law

ROUNDS = 4
"""How often everything is tried again: what goes may let something else go."""

Tables = dict[str, dict[Any, Any]]


def minimal(design: Outline, witness: Witness) -> Witness:
    """The same step breaking the same law, from a lawful state that differs from the initial one as little as can be found."""
    law = witness.broken.law
    states = [{name: dict(entries) for name, entries in tables.items()} for tables in (*witness.earlier, witness.tables)]
    found = witness
    for _ in range(ROUNDS):
        changed = False
        for number, tables in enumerate(states):
            for smaller in _smaller(design, tables):
                still = _broken(design, witness, [*states[:number], smaller, *states[number + 1 :]], smaller, law)
                if still is not None:
                    tables.update(smaller)
                    found, changed = still, True
        if not changed:
            break
    return attrs.evolve(found, tables=states[-1], earlier=tuple(states[:-1]))


def _broken(design: Outline, witness: Witness, states: list[Tables], changed: Tables, law: Law | None) -> Witness | None:
    """The step from these states, if the one that was changed is lawful and the step breaks the law; without a law, if the text
    goes wrong."""
    machine = in_state(design, witness.geometry, changed)
    if machine.broken(None, (), None) is not None:
        return None
    op = design.operation(witness.step.operation)
    taken = take(machine, op, witness.step.arguments, witness.step.answers, states)
    if taken is None or taken[0].answers != witness.step.answers:
        return None
    broken = aborted(taken[1]) if law is None else machine.breaks(law, op, witness.step.arguments, taken[1])
    return None if broken is None else attrs.evolve(witness, outcome=taken[1], broken=broken)


def _smaller(design: Outline, tables: Tables) -> Iterator[Tables]:
    """States with an entry less, and then with a scalar less. Each is made of ``tables`` as it is then: it becomes smaller."""
    for kind in design.tables:
        default = kind.value.default()
        for key in list(tables[kind.name]):
            entry = tables[kind.name].get(key, default)
            if kind.partial:
                yield {**tables, kind.name: {k: e for k, e in tables[kind.name].items() if k != key}}
            elif entry != default:
                yield {**tables, kind.name: {**tables[kind.name], key: default}}
    for kind in design.tables:
        for key in list(tables[kind.name]):
            for entry in _plainer(kind.value, tables[kind.name].get(key, kind.value.default())):
                yield {**tables, kind.name: {**tables[kind.name], key: entry}}
    yield from _with_small_numbers(design, tables)


def _with_small_numbers(design: Outline, tables: Tables) -> Iterator[Tables]:
    """The state with other numbers in the same order, each as small as that allows: what is compared with what stays as it is."""
    of = {kind.name: kind.value for kind in design.tables if not isinstance(kind.value, PageKind)}
    numbers = {n for name, kind in of.items() for entry in tables[name].values() for n in _numbers(kind, entry)} - {0}
    small = {number: rank for rank, number in enumerate(sorted(numbers), 1)}
    if any(number != rank for number, rank in small.items()):
        yield {
            name: {key: _renumbered(of[name], entry, small) for key, entry in entries.items()} if name in of else entries
            for name, entries in tables.items()
        }


def _numbers(kind: Kind, value: Any) -> list[int]:
    return [v for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True) if isinstance(leaf, NaturalKind)]


def _renumbered(kind: Kind, value: Any, small: dict[int, int]) -> Any:
    return kind.build(
        iter(
            [
                small.get(v, v) if isinstance(leaf, NaturalKind) else v
                for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)
            ]
        )
    )


def _plainer(kind: Kind, value: Any) -> Iterator[Any]:
    """A value with one scalar at its default."""
    if isinstance(kind, PageKind):
        for index in list(value.cells):
            yield value.put(index, value.zero)
        return
    default, leaves = kind.flatten(kind.default()), kind.flatten(value)
    for at, (mine, plain) in enumerate(zip(leaves, default, strict=True)):
        if mine != plain:
            yield kind.build(iter([*leaves[:at], plain, *leaves[at + 1 :]]))
