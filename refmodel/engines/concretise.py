"""A solver's model, made into a state on ints and run: no counterexample is shown that does not happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import z3

from refmodel.engines.machine import Broken, Machine, Step, recorded
from refmodel.engines.symbolic import Term, constant, sort_of
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import NOTHING, EnumKind, FlagKind, Geometry, Kind, NameKind, Page, PageKind, Scalar
from refmodel.language.laws import Law
from refmodel.language.opaque import Opaque

if TYPE_CHECKING:
    from refmodel.engines.prover import Hypotheses


@attrs.frozen
class Witness:
    """A lawful state on ints, a step from it, and what that step breaks (None: it is the step alone that is shown)."""

    geometry: Geometry
    tables: dict[str, dict[Any, Any]]
    step: Step
    outcome: Any
    broken: Broken | None


class _Universe:
    """The names of each sort that a model tells apart, numbered."""

    def __init__(self, model: Any, terms: dict[int, tuple[Scalar, Term]]) -> None:
        self.model = model
        self.numbers: dict[str, dict[int, int]] = {}
        self.terms: dict[str, list[Term]] = {}
        self._kept: list[Term] = []
        for kind, term in terms.values():
            if isinstance(kind, NameKind):
                self.number(kind, term)

    def number(self, kind: NameKind, term: Term) -> int:
        value = self.model.eval(term, model_completion=True)
        self._kept.append(value)
        if value.eq(self.model.eval(constant(kind, NOTHING), model_completion=True)):
            return NOTHING
        known = self.numbers.setdefault(kind.sort, {})
        if value.get_id() not in known:
            known[value.get_id()] = len(known)
            self.terms.setdefault(kind.sort, []).append(term)
        return known[value.get_id()]

    def scalar(self, kind: Scalar, term: Term) -> Any:
        """A term's value, as the text would hold it."""
        if isinstance(kind, NameKind):
            return self.number(kind, term)
        value = self.model.eval(term, model_completion=True)
        if isinstance(kind, FlagKind):
            return bool(z3.is_true(value))
        if isinstance(kind, EnumKind):
            return next(m for m in kind.cls if m.name == value.decl().name())
        return value.as_long()

    def value(self, kind: Kind, value: Any) -> Any:
        """A value of the text's, made concrete leaf by leaf."""
        leaves = [self.scalar(leaf, v.term if isinstance(v, Opaque) else constant(leaf, v))
                  for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)]
        return kind.build(iter(leaves))


def concretise(design: Outline, op: Operation, arguments: Sequence[Any], answers: Sequence[Any], law: Law | None,
               model: Any, hypotheses: Hypotheses, terms: dict[int, tuple[Scalar, Term]]
               ) -> Witness | tuple[Law, list[Term]] | None:
    """The run that a model describes; or a law that its state breaks, and for which names; or None if neither."""
    universe = _Universe(model, terms)
    tables = _tables(design, universe, hypotheses)
    given = tuple(universe.value(kind, a) for (_, kind), a in zip(op.parameters, arguments, strict=True))
    replies = tuple(universe.value(*a) if isinstance(a, tuple) else a for a in answers)
    sizes = {sort: max(1, len(names)) for sort, names in universe.numbers.items()}
    geometry = Geometry(sizes={**dict.fromkeys(_sorts(design), 1), **sizes})
    machine = Machine(design, geometry)
    for name, entries in tables.items():
        getattr(machine.state, name).update(entries)
        getattr(machine.before, name).update(entries)
    unlawful = machine.broken(None, (), None)
    if unlawful is not None and unlawful.law is not None:
        names = _terms(universe, unlawful)
        return None if names is None else (unlawful.law, names)
    return _run(machine, op, given, replies, law, tables)


def _run(machine: Machine, op: Operation, given: tuple[Any, ...], replies: tuple[Any, ...], law: Law | None,
         tables: dict[str, dict[Any, Any]]) -> Witness | None:
    taken = machine.attempt(op, given, recorded(replies))
    if taken is None:
        return None
    step, outcome = taken
    if law is None:
        return Witness(machine.geometry, tables, step, outcome, None)
    names = next(names for each, names in machine._laws if each is law)
    actor = op.actor(given)
    with answering(machine):
        broken = machine._violation(law, names, {"before": machine.before, "outcome": outcome,
                                                 "actor": NOTHING if actor is None else actor})
    return None if broken is None else Witness(machine.geometry, tables, step, outcome, broken)


def _sorts(design: Outline) -> set[str]:
    kinds = [k for t in design.tables for k in (*t.keys, *(leaf for _, leaf in t.value.leaves()))]
    kinds += [t.value.index for t in design.tables if isinstance(t.value, PageKind)]
    kinds += [leaf for op in design.operations for _, p in op.parameters for _, leaf in p.leaves()]
    return {k.sort for k in kinds if isinstance(k, NameKind)}


def _terms(universe: _Universe, broken: Broken) -> list[Term] | None:
    """Terms that stand for the names for which a law is broken."""
    assert broken.law is not None
    found: list[Term] = []
    for (_, kind), (_, value) in zip(broken.law.names, broken.names, strict=True):
        if not isinstance(kind, NameKind):
            found.append(constant(kind, value))
            continue
        known = universe.terms.get(kind.sort, [])
        if value >= len(known):
            return None
        found.append(known[value])
    return found


def _tables(design: Outline, universe: _Universe, hypotheses: Hypotheses) -> dict[str, dict[Any, Any]]:
    """What the model says of every entry that was looked at; the others are as they were initially."""
    tables: dict[str, dict[Any, Any]] = {t.name: {} for t in design.tables}
    indices: dict[int, Term] = {}
    for lookup in hypotheses.lookups.values():
        kind = design.table(lookup.table)
        key = tuple(universe.scalar(k, t) for k, t in zip(kind.keys, lookup.key, strict=True))
        if any(isinstance(k, NameKind) and v == NOTHING for k, v in zip(kind.keys, key, strict=True)):
            continue
        functions = [z3.Function(f"{lookup.base}.{kind.name}.{path or 'value'}", *(sort_of(k) for k in kind.keys), _sort(kind.value, leaf))
                     for path, leaf in kind.value.leaves()]
        terms = [f(*lookup.key) for f in functions]
        value: Any
        if isinstance(kind.value, PageKind):
            value = _page(kind.value, universe, terms, indices)
        else:
            value = kind.value.build(iter([universe.scalar(leaf, t) for (_, leaf), t in zip(kind.value.leaves(), terms, strict=True)]))
        tables[lookup.table][key if len(key) != 1 else key[0]] = value
    return tables


def _sort(kind: Kind, leaf: Scalar) -> Any:
    return z3.ArraySort(sort_of(kind.index), sort_of(leaf)) if isinstance(kind, PageKind) else sort_of(leaf)


def _page(kind: PageKind, universe: _Universe, arrays: list[Term], indices: dict[int, Term]) -> Page[Any, Any]:
    page = kind.default()
    assert isinstance(kind.index, NameKind)
    for number, index in enumerate(list(universe.terms.get(kind.index.sort, []))):
        cell = [universe.scalar(leaf, z3.Select(a, index)) for (_, leaf), a in zip(kind.leaves(), arrays, strict=True)]
        page = page.put(number, kind.cell.build(iter(cell)))
    return page
