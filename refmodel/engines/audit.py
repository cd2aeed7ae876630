"""The readings of a text held against each other: on ints, on columns and on solver terms the same step does the same.

Proof and exploration are as good as the readings that they rest on. So each compares, before it says anything, a few hundred steps
on ints with what it made of the text: exactly one path applies, it leaves the state that ints leave, returns what they return, and
every law says the same. A disagreement is an error of the engine, or a text outside the language, and a verdict of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import z3

from refmodel.engines.conditions import formal
from refmodel.engines.samples import Sample, Tables, said
from refmodel.engines.terms import Term, called, sort_of
from refmodel.engines.valuation import Graph, Unvalued, Valuation, coded, leaves_of
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault
from refmodel.language.design import Outline
from refmodel.language.kinds import TableKind
from refmodel.language.laws import Law
from refmodel.language.opaque import Opaque
from refmodel.language.sizes import Geometry

if TYPE_CHECKING:
    from refmodel.engines.conditions import Counted
    from refmodel.engines.prover import Induction, Path, Segment
    from refmodel.engines.symbolic import Obligation

ASSUMED, ASSUMED_IN = 150, 3
"""How many of the assumptions of a proof are asked about, and in how many lawful states."""


@attrs.frozen
class Audited:
    """What was compared, and what disagrees."""

    compared: int
    """Steps."""
    disagreements: tuple[str, ...] = ()
    questions: int = 0
    """What was asked of these steps on terms: whether a path applies, each entry after it, outcome, laws, counts, assumptions."""
    unvalued: int = 0
    """Of these questions, those whose terms have no value that is known, so that nothing was compared."""

    def and_of(self, others: Iterable[Audited]) -> Audited:
        """These comparisons and others together."""
        every = [self, *others]
        return Audited(
            sum(each.compared for each in every),
            tuple(d for each in every for d in each.disagreements),
            sum(each.questions for each in every),
            sum(each.unvalued for each in every),
        )


# ---------------------------------------------------------------- terms


class OnTerms:
    """One operation's paths on terms, held against steps on ints."""

    def __init__(self, design: Outline, geometry: Geometry, samples: Sequence[Sample]) -> None:
        self.design, self.geometry = design, geometry
        self.samples = samples
        self.graph = Graph()
        self.matched = [0] * len(samples)
        self.perhaps = [False] * len(samples)
        self.objected = [False] * len(samples)
        """Whether something that must hold is found not to, so that the operation is known to go wrong there."""
        self.may_object = [False] * len(samples)
        """Whether nobody can say of something that must hold whether it does."""
        self.compared = self.questions = self.unvalued = 0
        self.disagreements: list[str] = []
        self._valued: list[list[Valuation]] = [[] for _ in samples]
        self._values: dict[int, Valuation] = {}
        """For the samples that a path applied to, what its terms come to."""

    def path(
        self, induction: Induction, path: Path, goals: Sequence[tuple[Law, Segment, Term | None]], counts: Mapping[int, Counted]
    ) -> None:
        """One path that the proof keeps, with what it claims after it."""
        segment = path.segments[0] if path.segments else None
        later = [each for c in (*path.counts.values(), *counts.values()) for each in c.later]
        counted = [*path.counts.values(), *counts.values(), *(c for each in later for c in each.of)]
        by_name = {c.number.decl().name(): c for c in counted}
        for number, sample in enumerate(self.samples):
            constants = self._constants(induction, path.answers if segment is None else segment.answers, sample)
            if constants is None:
                continue
            value = self._valuation(number, constants, by_name)
            value.suppose(later)
            self._objects(number, path.obligations[: None if segment is None else segment.owed], value)
            if segment is None:
                continue
            self.questions += 1
            try:
                if not all(value(c) for c in segment.conditions):
                    continue
            except Unvalued:
                self.unvalued += 1
                self.perhaps[number] = True  # nobody can say: it may be this one
                continue
            self.matched[number] += 1
            self._values[number] = value
            self._compare(induction, sample, segment, goals, value)
            self._counts(induction, sample, counts, value)

    def _valuation(self, number: int, constants: Mapping[str, Any], counts: Mapping[str, Counted]) -> Valuation:
        """What terms come to for a sample. Paths have most of their terms in common, so where arguments and answers are called the
        same it is the same one, which knows what it has worked out."""
        for value in self._valued[number]:
            if value.constants == constants:
                value.counts.update(counts)
                return value
        sample = self.samples[number]
        value = Valuation(self.design, self.geometry, self.graph, "s", sample.before, constants, dict(counts))
        self._valued[number].append(value)
        return value

    def _objects(self, number: int, obligations: Sequence[Obligation], value: Valuation) -> None:
        """Note whether something that must hold does not in the step that a sample is: of an operation that others interrupt, the
        first part."""
        for o in obligations:
            self.questions += 1
            fails = self._fails(o, value)
            if fails is None:
                self.unvalued += 1
                self.may_object[number] = True
            if not fails:
                continue
            self.objected[number] = True
            if self.samples[number].lawful and not self.samples[number].aborted:
                self._disagree(
                    self.samples[number], f"on terms something that must hold does not ({o.why}), and on ints nothing goes wrong"
                )

    def _fails(self, o: Obligation, value: Valuation) -> bool | None:
        """Whether an obligation is not met here; one about every entry of a table, whether it is not met for one of them. None if
        its terms have no value that is known."""
        try:
            return all(value(c) for c in o.conditions) and not value(o.holds)
        except Unvalued:
            pass
        told = [self._fails_for_one_of(kind, o, value) for kind in self.design.tables]
        return None if all(each is None for each in told) else any(told)

    def _fails_for_one_of(self, kind: TableKind, o: Obligation, value: Valuation) -> bool | None:
        """Whether an obligation is not met for some entry of a table; None if it is about another table."""
        for key in kind.all_keys(self.geometry):
            parts = key if isinstance(key, tuple) else (key,)
            names = [called(k) for k in formal(kind).key]
            here = value.binding(**dict(zip(names, map(coded, kind.keys, parts), strict=True)))
            try:
                if all(here(c) for c in o.conditions) and not here(o.holds):
                    return True
            except Unvalued:
                return None
        return False

    def _constants(self, induction: Induction, given: Sequence[Any], sample: Sample) -> dict[str, Any] | None:
        """What the arguments and answers are called on terms; None if the path is answered otherwise."""
        answers = sample.step.answers
        if len(answers) != len(given) and not sample.aborted:
            return None
        found: dict[str, Any] = {}
        for mine, theirs in zip(answers, given, strict=False):
            if isinstance(theirs, tuple):
                kind, value = theirs
                found.update(_named(kind, value, mine))
            elif mine is not theirs:
                return None
        for (_, kind), term, value in zip(sample.op.parameters, induction.arguments, sample.step.arguments, strict=True):
            found.update(_named(kind, term, value))
        return found

    def _compare(
        self,
        induction: Induction,
        sample: Sample,
        segment: Segment,
        goals: Sequence[tuple[Law, Segment, Term | None]],
        value: Valuation,
    ) -> None:
        if sample.aborted:
            return
        self.compared += 1
        for kind in self.design.tables:
            self._table(sample, kind, getattr(segment.after, kind.name), value)
        if not sample.op.split:
            self._outcome(sample, segment.outcome, value)
            self._laws(induction, sample, goals, value)

    def _table(self, sample: Sample, kind: TableKind, table: Any, value: Valuation) -> None:
        unchanged = sample.before[kind.name] == sample.after[kind.name]
        if unchanged and not table.writes and table.base == "s":
            return  # nothing was written, so the terms are those of the first state
        probe = tuple(z3.Const(f"probe.{i}", sort_of(k)) for i, k in enumerate(kind.keys))
        leaves = table.peek(probe)
        if unchanged and self._is_as_before(kind, leaves, probe):
            return
        for key in kind.all_keys(self.geometry):
            parts = key if isinstance(key, tuple) else (key,)
            here = value.binding(**{f"probe.{i}": coded(k, p) for i, (k, p) in enumerate(zip(kind.keys, parts, strict=True))})
            entries = sample.after[kind.name]
            self.questions += 1
            try:
                if kind.partial and bool(here(leaves[0])) != (key in entries):
                    self._disagree(sample, f"{kind.name}[{key}] is there on {'ints' if key in entries else 'terms'} only")
                if kind.partial and key not in entries:
                    continue
                found = [here(t) for t in (leaves[1:] if kind.partial else leaves)]
            except Unvalued:
                self.unvalued += 1
                continue
            expected = leaves_of(kind.value, entries.get(key, kind.value.default()))
            if not all(a.same(b) if hasattr(a, "same") else a == b for a, b in zip(found, expected, strict=True)):
                self._disagree(sample, f"{kind.name}[{key}] comes to {found} on terms, and on ints to {entries.get(key)}")

    def _is_as_before(self, kind: TableKind, leaves: Sequence[Term], key: Sequence[Term]) -> bool:
        """Whether the terms of an entry say nothing but what the first state holds under that key."""
        symbols = self.graph.symbols(self.design, "s")
        for position, leaf in enumerate(leaves):
            _, operator, name, parts, _ = self.graph.node(leaf)
            of, number = symbols.get(name, (None, None))
            due = position if not kind.partial else None if position == 0 else position - 1
            if operator != z3.Z3_OP_UNINTERPRETED or of is not kind or number != due:
                return False
            if not all(part.eq(k) for part, k in zip(parts, key, strict=True)):
                return False
        return True

    def _outcome(self, sample: Sample, outcome: Any, value: Valuation) -> None:
        mine = sample.outcome
        if type(outcome) is not type(mine):
            self._disagree(sample, f"it returns {outcome} on terms, and on ints {mine}")
        elif attrs.has(type(mine)) and not isinstance(mine, Fault):
            kind = kind_of(type(mine))
            self.questions += 1
            try:
                found = [
                    value(v.term) if isinstance(v, Opaque) else coded(leaf, v)
                    for (_, leaf), v in zip(kind.leaves(), kind.flatten(outcome), strict=True)
                ]
            except Unvalued:
                self.unvalued += 1
                return
            if found != leaves_of(kind, mine):
                self._disagree(sample, f"it returns {found} on terms, and on ints {mine}")

    def _laws(
        self, induction: Induction, sample: Sample, goals: Sequence[tuple[Law, Segment, Term | None]], value: Valuation
    ) -> None:
        by_law = {law: goal for law, _, goal in goals}
        for law, names, holds in sample.questions:
            goal = by_law.get(law)
            if goal is not None:
                self._law(sample, law, names, holds, goal, induction.names_of(law), value, "after it")
            elif law in by_law or law.of_state or law not in induction.laws:
                continue
            else:
                self._disagree(sample, f"the law {law.name} is asked on ints, and not on terms")
        for law, names, holds in sample.earlier:
            formula = next((f for f in induction.formulas("s") if f.law is law), None)
            if formula is not None:
                more = {c.number.decl().name(): c for c in formula.counts}
                before = Valuation(self.design, self.geometry, self.graph, "s", sample.before, value.constants, more)
                self._law(sample, law, names, holds, formula.body, formula.names, before, "before it")

    def _law(
        self,
        sample: Sample,
        law: Law,
        names: tuple[Any, ...],
        holds: bool,
        goal: Term,
        formal: Sequence[Term],
        value: Valuation,
        when: str,
    ) -> None:
        self.questions += 1
        try:
            found = bool(value.binding(**_bound(law, formal, names))(goal))
        except Unvalued:
            self.unvalued += 1
            return
        if found != holds:
            self._disagree(
                sample, f"{when}, {law.name}{names} {'holds' if holds else 'does not hold'} on ints, and otherwise on terms"
            )

    def _counts(self, induction: Induction, sample: Sample, counts: Mapping[int, Counted], value: Valuation) -> None:
        """What laws count after the step is as many on terms as there are in the state after it."""
        later = [
            (counted, each) for counted in counts.values() for each in counted.later if each.is_last and each.exactly is not None
        ]
        if not later or sample.aborted or sample.op.split:
            return
        for law, names, _ in sample.questions:
            here = value.binding(**_bound(law, induction.names_of(law), names))
            after = Valuation(self.design, self.geometry, self.graph, "s", sample.after, here.constants, {})
            for counted, each in later:
                self.questions += 1
                try:
                    expected, found = after.count(counted, [here(t) for t in counted.number.children()]), here(each.exactly)
                except Unvalued:
                    self.unvalued += 1
                    continue
                if found != expected:
                    self._disagree(sample, f"of {counted.table} {expected} entries count on ints after it, and {found} on terms")

    def assumed(self, terms: Sequence[Term], counts: Iterable[Counted]) -> None:
        """Whatever a proof assumes of a lawful state is true of those that are lawful; some of it is asked about, spread evenly."""
        by_name = {c.number.decl().name(): c for c in counts}
        lawful = [n for n in self._values if self.samples[n].lawful][:ASSUMED_IN]
        for number in lawful:
            known, sample = self._values[number], self.samples[number]
            value = Valuation(self.design, self.geometry, self.graph, "s", sample.before, known.constants, by_name)
            for term in terms[number % 7 :: max(1, len(terms) // ASSUMED)]:
                self.questions += 1
                try:
                    if not value(term):
                        self._disagree(sample, f"a proof assumes what is not so in a lawful state: {str(term)[:300]}")
                except Unvalued:
                    self.unvalued += 1

    def _disagree(self, sample: Sample, what: str) -> None:
        if len(self.disagreements) < 3:
            self.disagreements.append(f"{what}: {said(sample)}")

    def finished(self, every_path: bool) -> Audited:
        """What came of it, once all paths were looked at (``every_path``: none was left out, so that one has to apply)."""
        for number, sample in enumerate(self.samples):
            wanted = not sample.aborted
            if sample.lawful and every_path and not self.matched[number] and not self.perhaps[number] and wanted:
                self._disagree(sample, "it happens on ints, and no path on terms applies")
            if (
                sample.lawful
                and every_path
                and sample.aborted
                and not (self.objected[number] or self.may_object[number] or self.perhaps[number])
            ):
                self._disagree(sample, f"on ints it goes wrong ({sample.outcome}), and on terms nothing that must hold fails")
            if self.matched[number] > 1 and wanted and not sample.op.split:
                self._disagree(sample, f"{self.matched[number]} paths on terms apply to it")
        return Audited(self.compared, tuple(self.disagreements), self.questions, self.unvalued)


def _bound(law: Law, formal: Sequence[Term], names: Sequence[Any]) -> dict[str, Any]:
    """The names that a law is claimed for, by what they are called on terms."""
    return {called(t): coded(kind, n) for (_, kind), t, n in zip(law.names, formal, names, strict=True)}


def _named(kind: Any, value: Any, mine: Any) -> Iterable[tuple[str, Any]]:
    """The constants that an arbitrary value of the text's consists of, with what they are."""
    for (_, leaf), v, m in zip(kind.leaves(), kind.flatten(value), kind.flatten(mine), strict=True):
        if isinstance(v, Opaque):
            yield called(v.term), coded(leaf, m)


__all__ = ["Audited", "OnTerms", "Tables"]
