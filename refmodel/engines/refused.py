"""A lawful state in which an operation that is to end something is refused: it shows which law is missing.

It is looked for among the states of a small size, as a counterexample to a law is (``scope``), and shown only if the operation does
not apply there on ints either.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import z3

from refmodel.engines.conditions import Counted
from refmodel.engines.machine import Machine
from refmodel.engines.parts import put
from refmodel.engines.prover import Induction
from refmodel.engines.questions import TIMEOUT
from refmodel.engines.scope import Decoder, Scope
from refmodel.engines.stepwise import every_answer
from refmodel.engines.terms import Term
from refmodel.engines.words import place, shown
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.pending import Pending

ENTRIES = 12
"""Entries of such a state that are shown, at most."""


def refused_in(
    induction: Induction,
    ended: Pending,
    names: Sequence[Any],
    terms: Sequence[Term],
    counts: Iterable[Counted],
    looked_at: frozenset[str],
) -> str:
    """A state in which the condition holds at these names, nothing is pending that has to be ended first, and the operation is
    refused, in words; empty if none is found. Of the tables that are looked at it names the entries that are not at their default.
    """
    kinds = [kind for _, kind in ended.law.names]
    for [scope] in induction.scopes((induction.base,)):
        there = [scope.among(kind, name.term, nobody=False) for kind, name in zip(kinds, names, strict=True)]
        model = _model(scope, [*terms, *there], counts)
        if model is None:
            continue
        decoder = Decoder(scope, model)
        values = [decoder.value(kind, name) for kind, name in zip(kinds, names, strict=True)]
        tables = scope.decoded(decoder)
        try:
            is_so = _is_refused(induction.design, scope, ended, values, tables)
        except Exception:  # the text goes wrong in this state, which is told elsewhere
            continue
        if is_so:
            at = [f"{name} = {shown(kind, value)}" for (name, kind), value in zip(ended.law.names, values, strict=True)]
            return ", ".join([*_entries(induction.design, tables, looked_at), *at])
    return ""


def _model(scope: Scope, terms: Sequence[Term], counts: Iterable[Counted]) -> Any:
    size = len(scope.asserted)
    scope.count(counts)
    solver = scope.solver(TIMEOUT)
    del scope.asserted[size:]
    solver.add(*terms)
    return solver.model() if solver.check() == z3.sat else None


def _is_refused(design: Outline, scope: Scope, ended: Pending, values: Sequence[Any], tables: dict[str, dict[Any, Any]]) -> bool:
    """Whether it is so on ints."""
    machine = Machine(design, scope.geometry)
    put(machine, tables)
    if machine.broken(None, (), None) is not None:
        return False
    with answering(machine):
        if not ended.law.function(machine.state, *values):
            return False
        for first in (each for each in design.pending if each.name in ended.after):
            if any(first.law.function(machine.state, *given) for given in machine.names_of(first.law)):
                return False
    op, held = design.operation(ended.until), dict(zip((name for name, _ in ended.law.names), values, strict=True))
    options = [[held[name]] if name in held else machine.values(kind) for name, kind in op.parameters]
    return not any(_applies(machine, op, arguments, tables) for arguments in itertools.product(*options))


def _applies(machine: Machine, op: Any, arguments: tuple[Any, ...], tables: dict[str, dict[Any, Any]]) -> bool:
    def attempt(pick: Any) -> Any:
        put(machine, tables)
        return machine.attempt(op, arguments, pick)

    return any(taken is not None for taken in every_answer(attempt))


def _entries(design: Outline, tables: dict[str, dict[Any, Any]], looked_at: frozenset[str]) -> list[str]:
    """The entries that are not at their default, in words."""
    found = [
        f"{kind.name}[{place(kind, key)}] {shown(kind.value, value)}"
        for kind in design.tables
        if kind.name in looked_at
        for key, value in tables[kind.name].items()
        if kind.partial or value != kind.value.default()
    ]
    more = len(found) - ENTRIES
    return [*found[:ENTRIES], f"and {more} entries more"] if more > 0 else found


__all__ = ["refused_in"]
