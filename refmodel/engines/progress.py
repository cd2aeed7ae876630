"""Progress: what is pending can be ended, and is ended, for any number of names.

Of each condition of a design that an operation ends (``language/pending.py``), from any lawful state in which it holds at some
names, and in which nothing is pending any more that has to be ended first:

1. the operation applies there;
2. afterwards the condition does not hold there, unless an allocation failed; or, if it has a rank, the rank is less than before;
3. what the operation begins is ended by operations that never lead back to it.

So whoever takes only such operations ends one thing with each, and comes to a state in which nothing is pending. No two of them
wait for each other: among what is pending there is always something that waits for nothing else. (A ranking argument: what is
pending is counted, for each condition by itself, or its ranks are added, and the numbers fall in lexicographic order.)

Conditions and ranks have to compute a value in every lawful state: no number goes below zero, and no key is missing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.chosen import FEW_NAMES, choices_of, looked_up_somewhere, may_fall_on, of_sort, some_of
from refmodel.engines.collecting import rarely_collected
from refmodel.engines.connectives import conj, disj, negation, number_of
from refmodel.engines.formulas import Formula, Formulas, formula, formulas
from refmodel.engines.hypotheses import NEAR, Hypotheses, members
from refmodel.engines.instances import Instance, instances_of
from refmodel.engines.merging import MOST, attempts
from refmodel.engines.paths import Path, real
from refmodel.engines.plenty import Plenty, is_in_memory, with_one_more
from refmodel.engines.prover import Induction
from refmodel.engines.questions import Solver, about
from refmodel.engines.refused import refused_in
from refmodel.engines.symbolic import Obligation, Symbolic
from refmodel.engines.terms import ANY, Term, argument, real_term
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import NaturalKind, Scalar
from refmodel.language.opaque import Opaque
from refmodel.language.pending import Pending, led_to, rank_of, stated

MOST_CHOICES = 64
"""Ways in which all choices of a path are taken to fall on something."""

MILLISECONDS = 5_000
"""What the solver may take for a question: there are many that may turn out not to matter."""

BASE = "s"
"""What the arbitrary state is called."""

MORE: tuple[Callable[[Hypotheses], None], ...] = (Hypotheses.go_far, Hypotheses.go_by_counts, Hypotheses.go_farthest)
"""What is assumed besides where laws near what is looked at do not suffice, one after the other."""
FAR, COUNTING, ALL = 1, 2, len(MORE)
"""How many of these."""


@attrs.frozen
class Progress:
    """What came of one condition that an operation ends."""

    pending: Pending
    failing: tuple[str, ...] = ()
    """What is not proved of it."""
    begins: frozenset[str] = frozenset()
    """The conditions that may come to hold when it is ended."""
    vacuous: bool = False
    """Whether it holds in no lawful state in which it may be ended."""
    unless: tuple[str, ...] = ()
    """The allocations that are taken not to fail, as the text calls them: what is proved of it says nothing of where one does."""

    @property
    def proved(self) -> bool:
        """Whether all that is claimed is proved, of at least one state."""
        return not self.failing and not self.vacuous


def prove_progress(design: Outline, known: dict[str, Sequence[Formula]] | None = None) -> tuple[Progress, ...]:
    """What is proved of each condition that an operation ends, where all laws hold beforehand. ``known`` keeps the laws as
    formulas. What the design states and nobody asked for counts among what may be begun, and is not judged.

    Paths of helpers are put together first. Where not all is proved so, it is asked again path by path."""
    if not design.pending:
        return ()
    done: tuple[Progress, ...] = ()
    with joined(design), rarely_collected():
        laws = known[BASE] if known and BASE in known else formulas(design, BASE)
        if known is not None:
            known[BASE] = laws
        for merges, forgiving in attempts(MOST):
            with forgiving:
                done = _progress(design, laws, merges)
                if all(each.proved for each in done):
                    break
    asked = {each.name for each in design.pending}
    return tuple(each for each in done if each.pending.name in asked)


def _progress(design: Outline, laws: Sequence[Formula], merges: int) -> tuple[Progress, ...]:
    found = []
    for each in stated(design.cls).values():
        with about(each.until, each.name):
            waiting = _Ending(design, each, laws, merges)
            ending = _Ending(design, each, laws, merges, waits=False) if each.after else waiting
            found.append((ending, _judged(waiting, ending)))
    begins = {one.pending.name: one.begins for _, one in found}
    for (ending, one), rounds in itertools.product(found, (FAR, ALL)):
        name = one.pending.name
        if name in led_to(name, begins):  # where it matters, all that may help is tried
            with about(one.pending.until, name):
                begins[name] = ending.begins(rounds)
    judged = [
        attrs.evolve(
            one,
            begins=begins[one.pending.name],
            failing=(*one.failing, *_circle(one.pending, begins), *ending.begun_in_vain(begins[one.pending.name])),
        )
        for ending, one in found
    ]
    return _with_what_they_wait_for(judged)


def _judged(waiting: _Ending, ending: _Ending) -> Progress:
    """What is proved of a condition: that its operation applies, and ends it, once nothing is pending that has to be ended first
    (``waiting``); and what the operation begins whenever it is taken (``ending``)."""
    unless = tuple(sorted({*waiting.unless, *ending.unless}))
    odd = waiting.says_nothing()
    if odd:
        return Progress(waiting.ended, (odd,), unless=unless)
    if waiting.is_never_pending():
        return Progress(waiting.ended, vacuous=True, unless=unless)
    failing = (*waiting.refusals(), *waiting.left())
    ending.look_for_what_begins()
    return Progress(waiting.ended, failing, ending.begins(0), unless=unless)


def demand_progress(design: Outline, known: dict[str, Sequence[Formula]] | None = None) -> None:
    """``AssertionError`` unless each condition that an operation is to end is proved to come to an end. ``known`` keeps the laws as
    formulas."""
    for each in prove_progress(design, known):
        assert not each.vacuous, f"{each.pending.name} holds in no lawful state in which it may be ended: its proof says nothing"
        assert each.proved, f"{each.pending.name}: {'; '.join(each.failing)}"


class _Ending:
    """One condition, and the operation that ends it."""

    def __init__(self, design: Outline, ended: Pending, laws: Sequence[Formula], merges: int, waits: bool = True) -> None:
        """``merges``: which paths of helpers are put together behind their calls. ``waits``: whether nothing is pending that has to
        be ended first."""
        self.design, self.ended, self.op, self.merges = design, ended, design.operation(ended.until), merges
        self._laws = laws
        self.first = [
            formula(design, other.law, BASE, denied=True)
            for other in stated(design.cls).values()
            if waits and other.name in ended.after
        ]
        """That nothing is pending that has to be ended first."""
        self._known: dict[str, Sequence[Formula]] = {BASE: Formulas((*laws, *self.first)) if self.first else laws}
        self.reading = Symbolic(design, prune=False)
        self._real: list[Term] = []
        self.names = self._own_names()
        self._before = self._holds(ended, self.reading.state(BASE), self.names)
        self._rank(ended, self.reading.state(BASE), self.names)
        self._owed: list[Obligation] = list(self.reading.obligations)
        """What must hold wherever laws do, lest the condition or its rank says nothing."""
        self.induction, self.applying = self._followed(Symbolic)
        self.paths = self.applying
        self.unless, self._of_hardware = set[str](), dict[str, Term]()
        if any(isinstance(answer, bool) for path in self.paths for answer in path.answers):
            _, self.paths = self._followed(lambda design: Plenty(design, self.unless, self._of_hardware))
        self._real += [
            each for path in self.paths for kind, _ in choices_of(path) for some in some_of(kind) for each in real_term(kind, some)
        ]
        self._know_anew()

    def _followed(self, reads: Callable[[Outline], Symbolic]) -> tuple[Induction, list[Path]]:
        """The operation's paths from states in which the condition holds, and nothing is pending that has to be ended first."""
        induction = Induction(self.design, self.op, known=self._known, merges=self.merges)
        induction.reads = reads
        induction.assume([self._before, *self._real], [*self.reading.lookups.values()], [*self.reading.counts.values()])
        return induction, [path for path in induction.paths() if path.segments]

    def is_never_pending(self) -> bool:
        """Whether no lawful state is known in which the condition holds, and the operation may be taken."""
        return bool(self._knowing(FAR).check(says=f"{self.ended.name} holds in no lawful state") == z3.unsat)

    def begun_in_vain(self, begun: Iterable[str]) -> Iterator[str]:
        """What the operation may begin, and end nothing, if it is taken before other work is ended that has to be first. It may end
        that there: the other work is looked at by itself."""
        if not self.ended.after:
            return
        op, name, before = self.ended.until, self.ended.name, self.reading.state(BASE)
        own = dict(zip((name for name, _ in self.ended.law.names), self.names, strict=True))
        alike = [
            (other, [own[n] for n, _ in other.law.names])
            for other in stated(self.design.cls).values()
            if other.until == op and {n for n, _ in other.law.names} <= {*own}
        ]
        ends = [
            disj([conj([self._holds(each[0], before, each[1]), self._ends(*each, path.segments[-1].after)]) for each in alike])
            for path in self.paths
        ]
        for other in sorted(begun):
            claims = [disj(either) for either in zip(ends, self._begun[other], strict=True)]
            self._know_anew()
            if not self._all_hold(claims, f"where {op} ends nothing of {name}, {other} comes to hold nowhere"):
                yield f"{op} may begin {other} and not end {name}, if it is taken while {' or '.join(self.ended.after)} is pending"

    def look_for_what_begins(self) -> None:
        """Prepare to be asked what the operation begins (``begins``)."""
        self._begun = {other.name: self._nowhere_new(other) for other in stated(self.design.cls).values()}
        self._know_anew()

    def begins(self, more: int) -> frozenset[str]:
        """What may come to hold somewhere when this is ended, as far as can be told when so much more is assumed."""
        op, name = self.ended.until, self.ended.name
        return frozenset(
            other
            for other, claims in self._begun.items()
            if not self._all_hold(claims, f"where {op} ends {name}, {other} comes to hold nowhere", more)
        )

    def says_nothing(self) -> str:
        """Why the condition, or its rank, may be no value in a lawful state. Empty if it always is one."""
        known = Hypotheses(instances_of(self.design, self._laws, BASE))
        known.admit([*self.reading.lookups.values()], [*self.reading.counts.values()])
        known.saturate()
        for owed in self._owed:
            for more in (None, *MORE):
                if more is not None:
                    more(known)
                solver = Solver(*known.asserted, *self._real, *owed.conditions, negation(owed.holds), timeout=MILLISECONDS)
                if solver.check(says=f"{self.ended.name} says something") == z3.unsat:
                    break
            else:
                rank = f", or its rank {self.ended.rank}," if self.ended.rank else ""
                return f"{self.ended.name}{rank} may compute what is no value in a lawful state: {owed.why}"
        return ""

    def _ends(self, each: Pending, names: Sequence[Any], after: Any) -> Term:
        """That a condition that has held there does not any more, or is fewer steps from its end."""
        if each.rank:
            return self._rank(each, after, names) < self._rank(each, self.reading.state(BASE), names)
        return negation(self._holds(each, after, names))

    def left(self) -> Iterator[str]:
        """Why the condition may be as far from its end as before, after the operation."""
        op, name, rank = self.ended.until, self.ended.name, self.ended.rank
        ends = [self._ends(self.ended, self.names, path.segments[-1].after) for path in self.paths]
        self._know_anew()
        if not self._all_hold(ends, f"{op} ends {name}"):
            yield f"{op} may leave {rank} as it is, or raise it" if rank else f"after {op}, {name} may still hold there"

    def refusals(self) -> Iterator[str]:
        """Why the operation may not apply where the condition holds."""
        op, name = self.ended.until, self.ended.name
        applies = disj([z3.BoolVal(False), *(conj(path.segments[-1].conditions) for path in self.applying)])
        without = disj([z3.BoolVal(False), *(conj(path.segments[-1].conditions) for path in self.paths)])
        if self.unless and self._never((without,), f"{op} applies where {name} holds only if an allocation fails"):
            yield f"{op} applies where {name} holds only if an allocation fails ({', '.join(sorted(self.unless))})"
        if not self._never([*map(negation, self._ways(self.applying))], f"{op} applies wherever {name} holds"):
            first = f", once nothing is pending of {', '.join(self.ended.after)}" if self.ended.after else ""
            state = self._refused_in(negation(applies))
            yield f"{op} may be refused where {name} holds{first}{f', as in this lawful state: {state}' if state else ''}"
        elif self.unless or self._of_hardware:
            yield from self._refused_in_vain()

    def _ways(self, paths: Sequence[Path], plenty: bool = False) -> list[Term]:
        """What has to hold for each path to be taken, whatever is chosen on the way: among that, each name that the path speaks of.
        With ``plenty``, it is enough if it were taken with one frame more than there are (``with_one_more``)."""
        found, state = [], self.reading.state(BASE)
        for path in paths:
            way = conj([z3.BoolVal(True), *path.segments[-1].conditions])
            chosen = [way, *(z3.substitute(way, *by) for by in self._choices(path, plenty))]
            laws = self._laws_of_memory(path) if plenty else []
            found += [with_one_more(each, path, state, laws) for each in chosen] if plenty else chosen
        return found

    def _laws_of_memory(self, path: Path) -> list[Instance]:
        """The laws of what a path chooses after an allocation, beside names that the path and the condition speak of."""
        named = self._named(path)
        instances, found = instances_of(self.design, self._laws, BASE), []
        for term in (term for _, term in choices_of(path) if is_in_memory(term)):
            for each in self._laws:
                terms = [
                    members(kind) or of_sort(name, (term, *named))[:FEW_NAMES]
                    for name, (_, kind) in zip(each.names, each.law.names, strict=True)
                ]
                if math.prod(map(len, terms)) <= MOST_CHOICES:
                    found += [
                        instances.law(each, instances.names(each, at))
                        for at in itertools.product(*terms)
                        if number_of(term) in map(number_of, at)
                    ]
        return found

    def _named(self, path: Path) -> list[Term]:
        """What the condition is about, and what it and a path look something up for."""
        lookups = (*path.lookups.values(), *self.reading.lookups.values())
        return [*(name.term for name in self.names if isinstance(name, Opaque)), *(key for each in lookups for key in each.key)]

    def _choices(self, path: Path, plenty: bool) -> Iterator[list[tuple[Term, Term]]]:
        """What the choices along a path may be taken to fall on; with ``plenty``, on a frame that there is not yet, too."""
        named = self._named(path)
        leaves = choices_of(path)
        if leaves:
            self._knowing(COUNTING)
        counted = self._hypotheses.counted_somewhere()
        options = [
            [*([term] if plenty and is_in_memory(term) else []), *may_fall_on(kind, term, path, named, counted)]
            for kind, term in leaves
        ]
        if leaves and math.prod(map(len, options)) <= MOST_CHOICES:
            for chosen in itertools.product(*options):
                yield [(term, option) for (_, term), option in zip(leaves, chosen, strict=True)]

    def _refused_in_vain(self) -> Iterator[str]:
        """Why the operation may not apply although no allocation fails, whatever the hardware uses of what it has cached."""
        op, name = self.ended.until, self.ended.name
        refused = [*map(negation, self._ways(self.paths, plenty=True))]
        if self._never(refused, f"{op} applies wherever {name} holds, whatever the hardware uses, if no allocation fails"):
            return
        if not self._of_hardware:
            state = self._refused_in(conj(refused), plenty=True)
            shown = f", as in this lawful state: {state}" if state else ""
            yield f"{op} may be refused where {name} holds, although no allocation fails{shown}"
            return
        asked = " and ".join(dict.fromkeys(sorted(rule.rpartition("!")[0] for rule in self._of_hardware)))
        for said in (False, True):
            how = f"{asked} {'is' if said else 'is not'} used"
            always = [rule == z3.BoolVal(said) for rule in self._of_hardware.values()]
            if not self._never([*refused, *always], f"{op} applies wherever {name} holds, if {how}"):
                yield f"{op} may be refused where {name} holds, if {how}: the hardware may do so always"
                return
        yield f"{op} may be refused where {name} holds, if some of {asked} is used and some is not: the hardware may do so always"

    def _refused_in(self, refused: Term, *, plenty: bool = False) -> str:
        """A lawful state in which the operation is refused, in words; empty if none is found. With ``plenty``, it may apply there
        where an allocation fails."""
        paths = self.paths if plenty else self.applying
        looked = [self.reading.lookups, *(path.lookups for path in paths)]
        counted = [self.reading.counts, *(path.counts for path in paths)]
        counts = {c.which: c for some in counted for c in some.values()}
        tables = {c.table for c in counts.values()} | {x.table for some in looked for x in some.values()}
        terms = [self._before, *self._real, refused]
        at = frozenset(tables)
        return refused_in(self.induction, self.ended, self.names, terms, counts.values(), at, plenty=plenty)

    def _all_hold(self, claims: Sequence[Term], says: str, more: int = ALL) -> bool:
        """Whether on each path what is claimed after it holds."""
        return all(
            self._never((*path.segments[-1].conditions, negation(claim)), says, more)
            for path, claim in zip(self.paths, claims, strict=True)
        )

    def _never(self, terms: Sequence[Term], says: str, more: int = ALL) -> bool:
        """Whether these hold in no lawful state in which the condition does. Laws are assumed near first: that mostly suffices."""
        return any(self._knowing(number).check(*terms, says=says) == z3.unsat for number in range(more + 1))

    def _nowhere_new(self, other: Pending) -> list[Term]:
        """For each path, that another condition holds nowhere after it where it did not before; that its rank is not raised."""
        names = [self._arbitrary(f"{other.name}.{name}", kind) for name, kind in other.law.names]
        ends = [path.segments[-1].after for path in self.paths]
        rank = self._rank(other, self.reading.state(BASE), names)
        if rank is not None:
            return [self._rank(other, after, names) <= rank for after in ends]
        before = self._holds(other, self.reading.state(BASE), names)
        return [disj([before, negation(self._holds(other, after, names))]) for after in ends]

    def _own_names(self) -> list[Any]:
        """Where it is pending: the operation's arguments, and any other names that the condition has."""
        given = {name for name, _ in self.op.parameters}
        return [
            self._arbitrary(argument(name) if name in given else f"{ANY}{self.ended.name}.{name}", kind)
            for name, kind in self.ended.law.names
        ]

    def _arbitrary(self, called: str, kind: Scalar) -> Any:
        """Any value but NOTHING. The arguments of the operation are called as they are on its paths."""
        value = self.reading.arbitrary(kind, called)
        self._real += real(kind, value)
        return value

    def _holds(self, condition: Pending, state: Any, names: Sequence[Any]) -> Term:
        return self._folded(condition.law.function, state, names)

    def _rank(self, condition: Pending, state: Any, names: Sequence[Any]) -> Any:
        """How many steps are left there, at most; None where the condition has no rank."""
        rank = rank_of(self.design.cls, condition)
        if rank is None:
            return None
        own = dict(zip((name for name, _ in condition.law.names), names, strict=True))
        return self._folded(rank.function, state, [own[name] for name in rank.names], NaturalKind())

    def _folded(self, function: Callable[..., Any], state: Any, names: Sequence[Any], kind: Scalar | None = None) -> Term:
        for each in self.design.tables:
            getattr(state, each.name).reading = self.reading
        with answering(self.reading):
            return self.reading.fold(function, state, *names, kind=kind)

    def _knowing(self, more: int) -> Solver:
        """A solver that knows what the laws say of what anything has looked at, with so much more, and that the condition holds."""
        if more not in self._solvers:
            if more == 0:
                self._look()
            else:
                self._knowing(more - 1)
                MORE[more - 1](self._hypotheses)
            self._solvers[more] = Solver(*self._hypotheses.asserted, self._before, *self._real, timeout=MILLISECONDS)
        return self._solvers[more]

    def _know_anew(self) -> None:
        """More has been looked at than the solvers know of. What was assumed far from there is not needed any more."""
        self._hypotheses = self.induction.hypotheses(BASE)
        self._solvers: dict[int, Solver] = {}

    def _look(self) -> None:
        """Assume what the laws say of what the condition and the paths look at."""
        paths = [*self.applying, *self.paths]
        self._hypotheses.admit(
            [*self.reading.lookups.values(), *(x for path in paths for x in (*path.lookups.values(), *looked_up_somewhere(path)))],
            [*self.reading.counts.values(), *(c for path in paths for c in path.counts.values())],
        )
        for each in self._hypotheses.formulas:
            if not each.law.names:  # it compares counts, perhaps, and no lookup leads to it
                self._hypotheses.instantiate(each, [], NEAR)
        own = {name: value.term for (name, _), value in zip(self.ended.law.names, self.names, strict=True)}
        for first in self.first:  # at the same names, whether or not it looks anything up for each of them
            if {*first.law.names} <= {*self.ended.law.names}:
                self._hypotheses.instantiate(first, [own[name] for name, _ in first.law.names], NEAR)
        self._hypotheses.saturate()


def _with_what_they_wait_for(judged: Sequence[Progress]) -> tuple[Progress, ...]:
    """What waits for something of which the end is not proved is not known to end either."""
    found: dict[str, Progress] = {}
    left = list(judged)
    while left:  # no condition waits for itself, so each turn settles some
        for each in [each for each in left if {*each.pending.after} <= {*found}]:
            waits = [name for name in each.pending.after if not found[name].proved and not found[name].vacuous]
            why = tuple(f"it waits for {name}, of which it is not known that it ends" for name in waits)
            found[each.pending.name] = attrs.evolve(each, failing=(*each.failing, *why))
            left.remove(each)
    return tuple(found[each.pending.name] for each in judged)


def _circle(pending: Pending, begins: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What may be begun again by what it leads to is not known to end."""
    name = pending.name
    if name in begins[name] and pending.rank:
        yield f"ending {name} at some names may raise {pending.rank} at others"
    elif name in begins[name]:
        yield f"ending {name} at some names may begin it at others; a rank may show that it ends all the same (specs/progress.md)"
    elif name in led_to(name, begins):
        yield f"ending {name} may begin {', '.join(sorted(begins[name]))}, which may lead back to it"


__all__ = ["Progress", "demand_progress", "prove_progress"]
