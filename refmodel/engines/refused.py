"""A lawful state in which an operation that is to end something is refused: it shows which law is missing.

It is looked for among the states of a small size, as a counterexample to a law is (``scope``), and shown only if the operation does
not apply there on ints either. Where an allocation of the operation may fail, it does not apply there without such a failure, nor
would it with one more name of each sort.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import z3

from refmodel.engines.conditions import Counted
from refmodel.engines.parts import Tables, put
from refmodel.engines.progress_work import Work
from refmodel.engines.prover import Induction
from refmodel.engines.questions import TIMEOUT
from refmodel.engines.scope import Decoder, Scope
from refmodel.engines.terms import Term
from refmodel.engines.words import place, shown
from refmodel.language.design import Outline
from refmodel.language.pending import Pending
from refmodel.language.sizes import Geometry

ENTRIES = 12
"""Entries of such a state that are shown, at most."""


def refused_in(
    induction: Induction,
    ended: Pending,
    names: Sequence[Any],
    terms: Sequence[Term],
    counts: Iterable[Counted],
    looked_at: frozenset[str],
    *,
    plenty: bool = False,
) -> str:
    """A state in which the condition holds at these names, nothing is pending that has to be ended first, and the operation is
    refused, in words; empty if none is found. Of the tables that are looked at it names the entries that are not at their default.
    With ``plenty``, the operation may apply where an allocation fails.
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
            is_so = _is_refused(induction.design, scope.geometry, ended, values, tables, plenty=plenty)
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


def _is_refused(
    design: Outline, geometry: Geometry, ended: Pending, values: Sequence[Any], tables: Tables, *, plenty: bool
) -> bool:
    """Whether it is so on ints."""
    work = Work(design, geometry)
    put(work.machine, tables)
    state = work.machine.state
    is_due = work.holds(ended, tuple(values), state) and not work.pending_in(state) & {*ended.after}
    if not _is_lawful(work) or not is_due or any(True for _ in work.taken(ended, values)):
        return False
    return _is_refused_with_more(design, geometry, ended, values, tables) if plenty else not work.waits_for_memory(ended, values)


def _is_refused_with_more(design: Outline, geometry: Geometry, ended: Pending, values: Sequence[Any], tables: Tables) -> bool:
    """Whether one more name of each sort, with all its entries as at power-on, would not help, or not be lawful."""
    work = Work(design, geometry.resized(**{sort: size + 1 for sort, size in geometry.sizes.items()}))
    put(work.machine, {name: {**entries, **tables[name]} for name, entries in work.entries(work.machine.state).items()})
    return not _is_lawful(work) or not any(True for _ in work.taken(ended, values))


def _is_lawful(work: Work) -> bool:
    return work.machine.broken(None, (), None) is None


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
