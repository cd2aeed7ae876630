"""The laws of states as formulas about an arbitrary state and arbitrary names, and where a law speaks of what a run looked at."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.conditions import Counted, Lookup
from refmodel.engines.connectives import identical, negation, number_of, remembered
from refmodel.engines.questions import simplified
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.templates import Template
from refmodel.engines.terms import Term, real_term
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.laws import Law


@attrs.frozen(slots=False)
class Formula:
    """A law of states, about an arbitrary state and arbitrary names."""

    law: Law
    names: tuple[Term, ...]
    body: Term
    lookups: tuple[Lookup, ...]
    counts: tuple[Counted, ...]
    triggers: tuple[tuple[Lookup, ...], ...]
    """Groups of lookups that between them mention every name: where a run made such lookups, the law is instantiated."""
    in_part: tuple[Lookup, ...]
    """Lookups that mention some of its names, and not all."""
    is_found_by_lookups: bool
    """Whether some group of lookups mentions every name."""
    template: Template
    """The law, the keys of its lookups, and its counts: what there is of it at other names."""
    own: dict[int, int]
    """The position of each name, by the id of its term."""

    @functools.cached_property
    def tables(self) -> tuple[str, ...]:
        """The tables that it speaks of."""
        return tuple(sorted({x.table for x in self.lookups} | {c.table for c in self.counts}))


def formula(design: Outline, law: Law, base: str, denied: bool = False) -> Formula:
    """A law of an arbitrary state, or that its condition does not hold there (``denied``)."""
    reading = Symbolic(design, prune=False)
    with answering(reading):
        state = reading.state(base)
        names = [reading.arbitrary(kind, f"{law.name}!{n}") for n, kind in law.names]
        body = negation(reading.fold(law.function, state, *names)) if denied else claimed(reading, law.function, state, *names)
    terms = tuple(n.term for n in names)
    real = [real for (_, kind), t in zip(law.names, terms, strict=True) for real in real_term(kind, t)]
    body = z3.Implies(z3.And(real), body) if real else body  # it is claimed for what there is, and NOTHING is not
    lookups = tuple(reading.lookups.values())
    counts = tuple(reading.counts.values())
    template = Template(terms, [body, *(k for x in lookups for k in x.key), *(c.number for c in counts)])
    triggers = _triggers(terms, lookups)
    wanted = {number_of(t) for t in terms}
    in_part = tuple(x for x in lookups if 0 < len(_mentioned(x, wanted)) < len(wanted))
    whole = any(set().union(*(_mentioned(x, wanted) for x in group)) == wanted for group in triggers)
    own = {number_of(t): i for i, t in enumerate(terms)}
    return Formula(law, terms, body, lookups, counts, triggers, in_part, whole, template, own)


class Formulas(tuple[Formula, ...]):
    """The laws of states, about an arbitrary state; and in ``instances`` what was made of them (``instances_of``)."""

    instances: Any = None


def formulas(design: Outline, base: str) -> Formulas:
    """The laws of states, about this arbitrary state."""
    return Formulas(formula(design, law, base) for law in design.laws if law.of_state)


def forget_instances(known: Mapping[str, Sequence[Formula]]) -> None:
    """Nothing more will be proved of these laws."""
    for each in known.values():
        if isinstance(each, Formulas):
            each.instances = None


def claimed(reading: Symbolic, law: Any, *arguments: Any) -> Term:
    """What a law says: that it holds, and that what it computes stays what it is (no number goes below zero, no key is missing)."""
    body, owed = reading.alone(lambda: reading.fold(law, *arguments))
    sound = [z3.Implies(z3.And(*o.conditions), o.holds) if o.conditions else o.holds for o in owed]
    return simplified(z3.And(body, *sound)) if sound else body


def _triggers(names: Sequence[Term], lookups: Sequence[Lookup]) -> tuple[tuple[Lookup, ...], ...]:
    """Each lookup that mentions every name, and if there is none, few that do so together."""
    wanted = {number_of(n) for n in names}
    mentioned = {x.identity: _mentioned(x, wanted) for x in lookups}
    alone = [(x,) for x in lookups if mentioned[x.identity] == wanted]
    if alone or not wanted:
        return tuple(alone)
    chosen: list[Lookup] = []
    missing = set(wanted)
    while missing and lookups:
        best = max(lookups, key=lambda x: len(mentioned[x.identity] & missing))
        if not mentioned[best.identity] & missing:
            break
        chosen.append(best)
        missing -= mentioned[best.identity]
    return (tuple(chosen),)


def _mentioned(lookup: Lookup, names: set[int]) -> set[int]:
    found: set[int] = set()
    todo = list(lookup.key)
    while todo:
        term = todo.pop()
        if number_of(term) in names:
            found.add(number_of(term))
        todo += term.children()
    return found


# ---------------------------------------------------------------- at which names


def bind(binding: dict[int, Term], trigger: Lookup, found: Lookup, own: dict[int, int]) -> list[dict[int, Term]]:
    """The bindings that make a law's lookup the one that was made. Where that looked up one thing or another, either will do."""
    new = [binding]
    for formal, actual, which, other in zip(trigger.key, found.key, trigger.ids, found.ids, strict=True):
        position = own.get(which)
        if position is not None and len(new) == 1:  # nearly always
            known = new[0].get(position)
            if known is None:
                new = [{**new[0], position: actual}]
            elif number_of(known) != other:
                return []
            continue
        new = [wider for b in new for wider in unify(b, formal, actual, own)]
    return new


@attrs.frozen(eq=False)
class _Application:
    """What a term applies to what."""

    function: Term
    parts: tuple[Term, ...]
    is_choice: bool


@remembered
def _application(term: Term) -> _Application:
    return _Application(term.decl(), tuple(term.children()), z3.is_app_of(term, z3.Z3_OP_ITE))


def unify(binding: dict[int, Term], formal: Term, actual: Term, own: dict[int, int], inside: bool = False) -> list[dict[int, Term]]:
    """Inside a term another name than before may be the same one after all (the key says so where it is one thing or another): both
    are tried, since an instance too many does no harm."""
    position = own.get(number_of(formal))
    if position is not None:
        if position not in binding:
            return [{**binding, position: actual}]
        if identical(binding[position], actual):
            return [binding]
        return [{**binding, position: actual}] if inside else []
    if identical(formal, actual):
        return [binding]
    of_formal, of_actual = _application(formal), _application(actual)
    if of_actual.is_choice:
        return [b for branch in of_actual.parts[1:] for b in unify(binding, formal, branch, own)]
    if not of_formal.parts or not identical(of_formal.function, of_actual.function):
        return []
    found = [binding]
    for f, a in zip(of_formal.parts, of_actual.parts, strict=True):
        found = [wider for b in found for wider in unify(b, f, a, own, inside=True)]
    return found
