"""Simulation: each step of one design is a step of another, or none, for any number of names.

The two designs share tables by name. From any lawful state of the first, every path of every operation is followed; and from the
same contents of the shared tables, every path of the operation of the second that is to explain it. It is proved that one of these
leads to the same contents and shows the same, or that nothing was changed and nothing shown. (Forward simulation: Lynch and
Vaandrager, Information and Computation 121, 1995.)

With a bare machine (``bare_machines.py``) as the second design this is Popek and Goldberg's homomorphism (CACM 1974): the virtual
machine is the machine.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs
import z3

from refmodel.bare import Event
from refmodel.engines.comparing import term_of
from refmodel.engines.connectives import conj, identical, negation, number_of, same
from refmodel.engines.corresponding import (
    asked_for,
    can_be_compared,
    explaining,
    given_for,
    has_to_be_a_step,
    shows_all_of,
)
from refmodel.engines.hypotheses import FAR, NEAR, Hypotheses
from refmodel.engines.judgements import Simulated
from refmodel.engines.offering import Offer, Values, choices_of, held_by, is_nothing, named_by
from refmodel.engines.outcomes import shown_by, shows
from refmodel.engines.paths import Path, Runs, Segment, base_of, real
from refmodel.engines.questions import TIMEOUT, Solver
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_differences import FREELY, Comparison, Step
from refmodel.engines.symbolic_tables import Lookup
from refmodel.engines.terms import ANY, FALSE, Term, constant
from refmodel.language.asking import Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Kind
from refmodel.language.opaque import Opaque, asking

if TYPE_CHECKING:
    from refmodel.engines.prover import Induction

__all__ = ["Simulated", "simulated"]


def simulated(induction: Induction, other: Outline, paths: Iterable[Path]) -> Simulated:
    """That these paths, which are all of an operation, are steps of the other design, or none. Both texts are joined."""
    began = time.perf_counter()
    done = _Simulation(induction, other).prove(paths)
    return attrs.evolve(done, seconds=time.perf_counter() - began)


RIGHT = (None, "step", "none")
"""What a path, or a part of one, is found to be if nothing is wrong with it: taken by no lawful state, a step, or none."""
FEW = 8
"""Steps of the other design that may have been tried in vain for a path, so that steps about other values are tried too: to refute
many takes minutes."""


class _Lawful:
    """A solver that knows what the laws say of the arbitrary states, that at the beginning and those after each ``yield``, wherever
    one of an operation's paths has looked."""

    def __init__(self, induction: Induction, rounds: int) -> None:
        self.solver = Solver(timeout=TIMEOUT)
        self._induction, self._rounds = induction, rounds
        self._hypotheses: dict[str, Hypotheses] = {}
        self._told: dict[str, int] = {}

    def check(self, path: Path, more: Iterable[Lookup], terms: Sequence[Term], says: str) -> Any:
        """Whether some lawful state satisfies ``terms``, which may look up entries (``more``) that the path does not."""
        lookups, counts = [*path.lookups.values(), *more], list(path.counts.values())
        later = (base_of(self._induction.design, each.before) for each in path.segments)
        for base in dict.fromkeys([self._induction.base, *later]):
            known = self._of(base)
            known.admit(lookups, counts)
            known.saturate()
            self.solver.add(known.asserted[self._told.get(base, 0) :])
            self._told[base] = len(known.asserted)
        return self.solver.check(*terms, says=says)

    def _of(self, base: str) -> Hypotheses:
        if base not in self._hypotheses:
            self._hypotheses[base] = self._induction.hypotheses(base)
            self._hypotheses[base].rounds = self._rounds
        return self._hypotheses[base]


@attrs.frozen
class _Along:
    """Cuts off paths of the other design that a path of the first one does not lead to."""

    solver: Solver
    conditions: tuple[Term, ...]

    def check(self, *terms: Term, says: str) -> Any:
        return self.solver.check(*self.conditions, *terms, says=says)

    def model(self) -> Any:
        """What satisfies the last question."""
        return self.solver.model()


class _Simulation:
    def __init__(self, induction: Induction, other: Outline) -> None:
        self.induction, self.other = induction, other
        self.design, self.op = induction.design, induction.op
        self.compared = Comparison(self.design, other, self.op)
        self.candidates = explaining(self.design, other, self.op)
        self.lawful = [_Lawful(self.induction, rounds) for rounds in (NEAR, FAR)]
        self.taken = _Lawful(self.induction, FAR)
        """Knows what the operation's own paths look at, and no more: of it is asked whether a lawful state takes a path."""
        self.possible = self.completes = False
        self.freedom = self.distance = 0
        """What the last path needed: of ``FREELY``, and of what is lawful. Others need the same, and to see that less will not do
        takes long."""

    def prove(self, followed: Iterable[Path]) -> Simulated:
        paths, explained, failing = 0, 0, []
        for path in followed:
            for number, judged in enumerate(self._parts(path)):
                if judged is None:
                    continue
                paths += 1
                explained += judged == "step"
                if judged not in ("step", "none"):
                    failing.append(f"{self.op.name}, path {paths}{f', part {number + 1}' if number else ''}: {judged}")
        return Simulated(
            self.op.name, tuple(c.name for c in self.candidates), paths, explained, tuple(failing), 0.0, self.completes
        )

    # ------------------------------------------------------------ one path

    def _parts(self, path: Path) -> Sequence[str | None]:
        """What each part of a path is, from one point where others may run to the next. What a guest asks for happens once: one
        part is the step, and the others are none."""
        parts = path.segments
        if len(parts) < 2 or not any(each.by_guest for each in (self.op, *self.candidates)):
            return [self._judge(path, part, self._may_rest(part)) for part in parts]
        judged = [self._judge(path, part, True, steps=False) for part in parts]
        more = [at for at, found in enumerate(judged) if found not in (None, "none")]
        may_rest = self._may_rest(parts[-1])
        if not more and may_rest:
            return judged
        if len(more) > 1:
            return [f"{found}; that would be more than one step" if at in more else found for at, found in enumerate(judged)]
        found: str | None = None
        for at in more or range(len(parts)):
            if at and parts[-1].outcome is None and not may_rest and parts[at].refusals > parts[0].refusals:
                found = "where this part is refused, the instruction may end without having happened"
            else:
                found = self._judge(path, parts[at], may_rest)
            if found in RIGHT:
                break
        return [found if number == at else each for number, each in enumerate(judged)]

    def _judge(self, path: Path, segment: Segment, may_rest: bool, steps: bool = True) -> str | None:
        """``step``, ``none``, or why neither is proved; None if no lawful state takes the path. Whether it may be a step, and
        whether it may be none, is given."""
        if not can_be_compared(self.op, segment.outcome, self.candidates):
            return f"what it shows cannot be compared: {type(segment.outcome).__name__} has no field called shown, which is a Reply"
        if unlike := self._answers_another(path, segment):
            return unlike
        shown = shown_by(segment.outcome)
        changed = self.compared.changed(segment)
        if not changed and not shows(shown) and may_rest:
            return "none"
        if may_rest and not shows(shown) and self.compared.free(segment) and self._rests(path, segment, shown, changed):
            return "none"
        judged, asked, steps_tried = self._compared(path, segment, may_rest, steps, None)
        if judged in RIGHT or not asked or steps_tried > FEW:
            return judged
        more = {kind: values for kind, values in held_by(path, segment).items() if kind in asked}
        again, *_ = self._compared(path, segment, may_rest, steps, more)
        return again if again in RIGHT else judged

    def _compared(
        self, path: Path, segment: Segment, may_rest: bool, steps: bool, more: Values | None
    ) -> tuple[str | None, frozenset[Kind], int]:
        """What a path is if the arguments and choices of the other design's steps may also be ``more``; the kinds of which further
        values were looked for; and how many steps were tried."""
        reading = Symbolic(self.other)
        reading.solver = _Along(Solver(timeout=TIMEOUT), segment.conditions)
        named = named_by(self.op, self.induction.arguments, segment)
        offer = Offer(reading, named, len(choices_of(segment)), more)
        reading.offered = offer.to_choose
        found, is_same = self._tried(path, reading, segment, offer) if steps else ([], False)
        judged = self._told_by(path, segment, reading, may_rest, found, is_same)
        return judged, frozenset(offer.asked), len(found)

    def _told_by(
        self, path: Path, segment: Segment, reading: Symbolic, may_rest: bool, found: list[tuple[Step, Term]], is_same: bool
    ) -> str | None:
        """What a path is by these steps of the other design."""
        shown, changed = shown_by(segment.outcome), self.compared.changed(segment)
        if is_same:
            return self._explained(path, segment, shown, changed)
        free = self.compared.free(segment)
        for number, freely in enumerate(FREELY):
            if number < self.freedom and free:
                continue  # to allow more proves no less
            if freely and not free:
                break
            wrong = [self.compared.differs(reading, segment, step, freely) if freely else plain for step, plain in found]
            if may_rest:
                wrong.append(self.compared.moves(reading, segment, shown, changed, freely))
            answer = self._ask(path, segment, reading, wrong)
            if answer == z3.unsat:
                self.freedom = max(self.freedom, number)
                if may_rest and changed and not shows(shown) and self._is_none_alone(path, segment, reading, wrong):
                    return self._kind(path, segment, steps=False)
                return self._explained(path, segment, shown, changed)
        return "the solver gave up" if answer == z3.unknown else self._told(segment, shown, changed, [step for step, _ in found])

    def _is_none_alone(self, path: Path, segment: Segment, reading: Symbolic, wrong: list[Term]) -> bool:
        """Whether a path writes what the tables hold already, and is not always a step that does the same."""
        *steps, moves = wrong
        is_none = self._ask(path, segment, reading, [moves]) == z3.unsat
        return is_none and not (steps and self._ask(path, segment, reading, steps) == z3.unsat)

    def _tried(self, path: Path, reading: Symbolic, segment: Segment, offer: Offer) -> tuple[list[tuple[Step, Term]], bool]:
        """The steps that may explain a path, each with what would be wrong with it, up to one that is the same term by term; and
        whether the last one is."""
        found: list[tuple[Step, Term]] = []
        with closing(self._steps(path, reading, segment, offer)) as steps:
            for step in steps:
                found.append((step, self.compared.differs(reading, segment, step, ())))
                if found[-1][1] is FALSE:
                    return found, True
        return found, False

    def _explained(self, path: Path, segment: Segment, shown: Any, changed: Sequence[str]) -> str | None:
        """What a path is that nothing can be wrong with: a step if it changes or shows something."""
        self.completes = self.completes or self._completes(path, segment, shown)
        told = shows(shown) or shows_all_of(self.op, segment.outcome, self.candidates)
        return self._kind(path, segment, bool(changed) or told)

    def _answers_another(self, path: Path, segment: Segment) -> str | None:
        """Why a request of the guest's may have been taken for another: what it returns names something else."""
        for name, kind, told, argument in asked_for(self.op, self.induction.arguments, segment.outcome):
            one, other = term_of(kind, told), term_of(kind, argument)
            apart = [negation(same(one, other))]
            if not identical(one, other) and self._ask(path, segment, Symbolic(self.other), apart) != z3.unsat:
                return f"the outcome may name another {name} than that of the guest's instruction"
        return None

    def _rests(self, path: Path, segment: Segment, shown: Any, changed: Sequence[str]) -> bool:
        """Whether all that a path changes is what the other design may change by itself: no step has to be looked for then."""
        reading = Symbolic(self.other)
        wrong = self.compared.moves(reading, segment, shown, changed, FREELY[1])
        return bool(self._ask(path, segment, reading, [wrong]) == z3.unsat)

    def _may_rest(self, segment: Segment) -> bool:
        """Whether a path may be no step. What may end without its outcome, because others run before, has not ended then."""
        if segment.outcome is None and self.op.split and self.op.returns:
            return True
        in_vain = any(answer is True for answer in segment.answers)
        return not has_to_be_a_step(self.design, self.other, self.op, segment.outcome, in_vain, bool(segment.written))

    def _steps(self, path: Path, reading: Symbolic, segment: Segment, offer: Offer) -> Generator[Step, None, None]:
        """The paths of what may explain it, from the same contents of the shared tables. What has to hold on them, and on the path
        too, does: that the operation itself does not go wrong is proved apart."""
        number = 0
        right = {number_of(o.holds) for o in path.obligations if o.ids <= segment.ids}
        for candidate, arguments, unreal in self._taken(reading, segment, offer):
            runs = Runs(self.other, candidate)
            reading.choices = "choice!"
            with answering(reading):
                for _ in reading.paths():
                    reading.given(segment.conditions, segment.model)
                    try:
                        [found] = runs.segments(reading, self.compared.start(reading, segment), arguments)
                    except Refused:
                        continue
                    wrong = tuple(
                        conj((*o.conditions, negation(o.holds))) for o in reading.obligations if number_of(o.holds) not in right
                    )
                    number += 1
                    yield Step(number, candidate, found, tuple(reading.lookups.values()), (*unreal, *wrong))

    def _taken(self, reading: Symbolic, segment: Segment, offer: Offer) -> Iterator[tuple[Operation, list[Any], list[Term]]]:
        """What may explain a path, with all that it may be given, and that this is nothing that an operation can be given."""
        for candidate in self.candidates:
            options = [self._arguments(reading, segment, candidate, name, kind, offer) for name, kind in candidate.parameters]
            for given in itertools.product(*options):
                yield candidate, [value for value, _ in given], [term for _, unreal in given for term in unreal]

    def _arguments(
        self, reading: Symbolic, segment: Segment, candidate: Operation, name: str, kind: Kind, offer: Offer
    ) -> list[tuple[Any, list[Term]]]:
        """What a step may be given, and for each, that it is NOTHING, or below zero. What the step asks of it is a matter of this
        reading, not of the one that the path was followed by."""
        given = given_for(self.op, candidate, (name, kind), self.induction.arguments, segment.outcome)
        options = [asking(reading, each) for each in given if not is_nothing(kind, each)] or offer.of_kind(kind)
        found = [(each, [] if offer.is_named(kind, each) else [negation(term) for term in real(kind, each)]) for each in options]
        if all(unreal for _, unreal in found):
            found.append((reading.arbitrary(kind, f"{ANY}{self.op.name}.{name}"), []))
        return found

    # ------------------------------------------------------------ the solver

    def _ask(self, path: Path, segment: Segment, reading: Symbolic, wrong: Sequence[Term]) -> Any:
        """Whether a lawful state takes the path and nothing explains it."""
        says = f"each step of {self.design.name} is one of {self.other.name}"
        for number, lawful in enumerate(self.lawful):
            if number < self.distance:
                continue
            answer = lawful.check(path, reading.lookups.values(), (*segment.conditions, *wrong), says=says)
            if answer == z3.unsat:
                self.distance = number
                break
        if answer != z3.unsat and path.obligations:  # that the operation itself does not go wrong is proved apart
            right = [z3.Implies(conj(o.conditions), o.holds) for o in path.obligations]
            answer = self.lawful[-1].check(path, reading.lookups.values(), (*segment.conditions, *wrong, *right), says=says)
        return answer

    def _kind(self, path: Path, segment: Segment, steps: bool) -> str | None:
        """What a path is that nothing can be wrong with. That one of them can be taken at all is asked until one is known to be."""
        if not self.possible:
            says = "no lawful state takes this path"
            self.possible = self.taken.check(path, (), segment.conditions, says=says) != z3.unsat
            if not self.possible:
                return None
        return "step" if steps else "none"

    def _completes(self, path: Path, segment: Segment, shown: Any) -> bool:
        """Whether a guest may be shown that its instruction completed, so that a lawful state takes this path too."""
        if shown is None or not (isinstance(shown.event, Opaque) or shown.event is Event.COMPLETED):
            return False
        event = shown.event
        terms = [event.term == constant(event.kind, Event.COMPLETED)] if isinstance(event, Opaque) else []
        says = "no instruction completes by this path"
        completes = bool(self.taken.check(path, (), (*segment.conditions, *terms), says=says) != z3.unsat)
        self.possible = self.possible or completes
        return completes

    def _told(self, segment: Segment, shown: Any, changed: Sequence[str], steps: Sequence[Step]) -> str:
        what = [f"{', '.join(changed)} may change"] if changed else []
        if shows(shown) or shows_all_of(self.op, segment.outcome, self.candidates):
            what.append("something is shown")
        names = " or ".join(dict.fromkeys(step.operation.name for step in steps))
        return f"{' and '.join(what) or 'nothing happens'}, and it may be no step {names or 'that there is'} of {self.other.name}"
