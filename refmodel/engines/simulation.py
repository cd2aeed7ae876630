"""Simulation: each step of one design is a step of another, or none, for any number of names.

The two designs share tables by name. From any lawful state of the first, every path of every operation is followed; and from the
same contents of the shared tables, every path of the operation of the second that is to explain it. It is proved that one of these
leads to the same contents and shows the same, or that nothing was changed and nothing shown. (Forward simulation: Lynch and
Vaandrager, Information and Computation 121, 1995.)

With a bare machine (``bare_machines.py``) as the second design this is Popek and Goldberg's homomorphism (CACM 1974): the virtual
machine is the machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import z3

from refmodel.bare import Event
from refmodel.engines.hypotheses import FAR, NEAR
from refmodel.engines.judgements import Simulated
from refmodel.engines.paths import Path, Runs, Segment, base_of
from refmodel.engines.questions import TIMEOUT, Solver
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import FALSE, Term, constant
from refmodel.language.asking import Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Kind, kind_of
from refmodel.language.opaque import Opaque, asking
from refmodel.language.unsound import BadDesign

if TYPE_CHECKING:
    from refmodel.engines.prover import Induction

__all__ = ["Simulated", "can_be_compared", "explaining", "parameter_for", "shared", "shown_by", "simulated", "step_names"]


def shared(design: Outline, other: Outline) -> tuple[str, ...]:
    """The tables that both have, and hold the same in at power-on; ``BadDesign`` unless they are all that the other has."""
    for table in other.tables:
        mine = next((t for t in design.tables if t.name == table.name), None)
        if mine is None:
            raise BadDesign(f"{design.name} has no table {table.name}, which {other.name} has; expected all of its tables")
        if mine != table:
            raise BadDesign(f"table {table.name} of {design.name} has other keys or values than that of {other.name}")
        if table.name in design.cls.arbitrary and table.name not in other.cls.arbitrary:
            raise BadDesign(f"table {table.name} of {design.name} holds anything at power-on, but not that of {other.name}")
    return tuple(table.name for table in other.tables)


def explaining(design: Outline, other: Outline, op: Operation) -> tuple[Operation, ...]:
    """The operations of the other design that may explain one: the one of the same name, and those that the text names.

    Where there are none: any of them, if a guest acts, and else those that no guest has to ask for.
    """
    named = (op.name, *step_names(design).get(op.name, ()))
    found = tuple(each for each in other.operations if each.name in named)
    return found or tuple(each for each in other.operations if op.by_guest or not each.by_guest)


def parameter_for(op: Operation, name: str, kind: Kind) -> int | None:
    """Which parameter of an operation is the one of this name in another: that of the same name, or the only one of its kind."""
    same = [i for i, each in enumerate(op.parameters) if each == (name, kind)]
    alike = [i for i, (_, of) in enumerate(op.parameters) if of == kind]
    return same[0] if same else alike[0] if len(alike) == 1 else None


def step_names(design: Outline) -> dict[str, tuple[str, ...]]:
    """What the classes of a design say of its operations' ``steps``."""
    return {op: names for base in reversed(design.cls.__mro__) for op, names in vars(base).get("steps", {}).items()}


def simulated(induction: Induction, other: Outline, paths: Iterable[Path]) -> Simulated:
    """That these paths, which are all of an operation, are steps of the other design, or none. Both texts are joined."""
    began = time.perf_counter()
    done = _Simulation(induction, other).prove(paths)
    return attrs.evolve(done, seconds=time.perf_counter() - began)


@attrs.frozen
class _Step:
    """A path of the other design: what it takes, and where it leads."""

    operation: str
    segment: Segment


class _Lawful:
    """A solver that knows what the laws say of the arbitrary state, wherever one of an operation's paths has looked."""

    def __init__(self, induction: Induction, rounds: int) -> None:
        self.solver = Solver(timeout=TIMEOUT)
        self.hypotheses = induction.hypotheses(induction.base)
        self.hypotheses.rounds = rounds
        self._told = 0

    def check(self, path: Path, reading: Symbolic, terms: Sequence[Term], says: str) -> Any:
        """Whether a lawful state satisfies these."""
        self.hypotheses.admit([*path.lookups.values(), *reading.lookups.values()], list(path.counts.values()))
        self.hypotheses.saturate()
        self.solver.add(self.hypotheses.asserted[self._told:])
        self._told = len(self.hypotheses.asserted)
        return self.solver.check(*terms, says=says)


@attrs.frozen
class _Along:
    """Cuts off paths of the other design that a path of the first one does not lead to."""

    solver: Solver
    conditions: tuple[Term, ...]

    def check(self, *terms: Term, says: str) -> Any:
        return self.solver.check(*self.conditions, *terms, says=says)


class _Simulation:
    def __init__(self, induction: Induction, other: Outline) -> None:
        self.induction, self.other = induction, other
        self.design, self.op = induction.design, induction.op
        self.shared = shared(self.design, other)
        self.candidates = explaining(self.design, other, self.op)
        self.lawful = [_Lawful(self.induction, rounds) for rounds in (NEAR, FAR)]
        self.possible = False
        self.freely: dict[tuple[str, str], tuple[Term, list[Term]]] = {}
        """For an arbitrary state and a table, what the other design may make of an entry, and the terms that this is said of."""

    def prove(self, followed: Iterable[Path]) -> Simulated:
        paths, explained, failing = 0, 0, []
        for path in followed:
            for number, segment in enumerate(path.segments):
                judged = self._judge(path, segment)
                if judged is None:
                    continue
                paths += 1
                explained += judged == "step"
                if judged not in ("step", "none"):
                    failing.append(f"{self.op.name}, path {paths}{f', part {number + 1}' if number else ''}: {judged}")
        return Simulated(self.op.name, tuple(c.name for c in self.candidates), paths, explained, tuple(failing), 0.0)

    # ------------------------------------------------------------ one path

    def _judge(self, path: Path, segment: Segment) -> str | None:
        """``step``, ``none``, or why neither is proved; None if no lawful state takes the path."""
        if not can_be_compared(self.op, segment.outcome, self.candidates):
            return f"what it shows cannot be compared: {type(segment.outcome).__name__} has no field called shown, of a reply"
        shown = shown_by(segment.outcome)
        changed = [name for name in self.shared if name in segment.written]
        if not changed and not self._shows(shown) and self._may_rest(segment):
            return "none"
        for freely in (False, True):
            if freely and not self._free(segment):
                break
            reading = Symbolic(self.other)
            reading.solver = _Along(self.lawful[0].solver, segment.conditions)
            steps = list(self._steps(reading, segment))
            wrong = [self._differs(reading, segment, shown, step, freely) for step in steps]
            if self._may_rest(segment):
                wrong.append(self._moves(reading, segment, shown, changed, freely))
            answer = self._ask(path, segment, reading, wrong)
            if answer == z3.unsat:
                return self._kind(path, segment, reading, bool(changed) or self._shows(shown))
        return "the solver gave up" if answer == z3.unknown else self._told(shown, changed, steps)

    def _free(self, segment: Segment) -> bool:
        """Whether the other design may by itself change a table that the path has written to."""
        return any(hasattr(self.other.cls, f"{name}_may_be") for name in self.shared if name in segment.written)

    def _may_rest(self, segment: Segment) -> bool:
        """Whether a path may be no step. An instruction that shows nothing is carried out at once, so it is its own step; and so is
        one that answers what the other design's does."""
        own = [c for c in self.candidates if c.name == self.op.name]
        return not (own and self.op.by_guest and (segment.outcome is None or own[0].returns is type(segment.outcome)))

    @staticmethod
    def _shows(shown: Any) -> bool:
        """Whether a reply is, or may be, more than an exit."""
        return shown is not None and shown.event is not Event.EXITED

    def _steps(self, reading: Symbolic, segment: Segment) -> Iterator[_Step]:
        """The paths of what may explain it, from the same contents of the shared tables."""
        for candidate in self.candidates:
            arguments = [self._argument(reading, segment, name, kind) for name, kind in candidate.parameters]
            runs = Runs(self.other, candidate)
            reading.choices = "choice!"
            with answering(reading):
                for _ in reading.paths():
                    reading.given(segment.conditions)
                    state = reading.state(self.induction.base)
                    try:
                        found = list(runs.segments(reading, state, list(arguments)))
                    except Refused:
                        continue
                    yield from (_Step(candidate.name, each) for each in found)

    def _argument(self, reading: Symbolic, segment: Segment, name: str, kind: Kind) -> Any:
        """What a step is given: an argument of the operation's, what its outcome names so, or anything. What the step asks of it is
        a matter of this reading, and not of the one that the path was followed by."""
        given = parameter_for(self.op, name, kind)
        if given is not None:
            return asking(reading, self.induction.arguments[given])
        if attrs.has(type(segment.outcome)) and hasattr(segment.outcome, name):
            return asking(reading, getattr(segment.outcome, name))
        return reading.arbitrary(kind, f"any!!{self.op.name}.{name}")

    # ------------------------------------------------------------ what would be wrong

    def _differs(self, reading: Symbolic, segment: Segment, shown: Any, step: _Step, freely: bool) -> Term:
        """That a step is not taken, leads elsewhere, or shows something else; ``freely``: even with what the other design may do by
        itself."""
        theirs = step.segment.outcome
        goals = [z3.Not(c) for c in step.segment.conditions]
        if type(theirs) is type(segment.outcome):
            goals += [z3.Not(g) for g in _same(segment.outcome, theirs)]
        elif theirs is None or shown is None:
            goals += [z3.BoolVal(theirs is not None or self._shows(shown))]
        else:
            goals += [z3.Not(g) for g in _same(shown, theirs)]
        for name in self.shared:
            mine, other = getattr(segment.after, name), getattr(step.segment.after, name)
            if mine.writes or other.writes:
                goals.append(self._apart(reading, segment, mine, other, freely))
        return z3.Or(goals)

    def _moves(self, reading: Symbolic, segment: Segment, shown: Any, changed: Sequence[str], freely: bool) -> Term:
        """That something was changed or shown."""
        goals = [] if shown is None else [z3.Not(_is_exit(shown))]
        goals += [self._apart(reading, segment, getattr(segment.after, name), getattr(segment.before, name), freely)
                  for name in changed]
        return z3.Or(goals) if goals else FALSE

    def _apart(self, reading: Symbolic, segment: Segment, one: Table, other: Table, freely: bool) -> Term:
        """That a table is not the same in two states, at an entry of which nothing is known; nor what the other design may make of
        it at any time."""
        names = [reading.arbitrary(k, f"any!!{one.kind.name}.{i}") for i, k in enumerate(one.kind.keys)]
        key = tuple(name.term for name in names)
        leaves = []
        for table in (one, other):
            table.reading = reading
            with answering(reading):
                leaves.append(table.peek(key))
        apart = [a != b for a, b in zip(*leaves, strict=True) if not a.eq(b)]
        if freely and apart:
            return z3.And(z3.Or(apart), z3.Not(self._may_be(reading, segment, one, names, leaves[0])))
        return z3.Or(apart)

    def _may_be(self, reading: Symbolic, segment: Segment, table: Table, names: Sequence[Any], leaves: Sequence[Term]) -> Term:
        """That the other design may make this of an entry by itself. It is worked out once for any entry."""
        may_be = getattr(self.other.cls, f"{table.kind.name}_may_be", None)
        if may_be is None:
            return FALSE
        base = base_of(self.other, self._before(reading, segment))
        known = self.freely.get((base, table.kind.name))
        if known is None:
            value = reading.arbitrary(table.kind.value, f"any!!{table.kind.name}.value")
            with answering(reading):
                may = reading.fold(may_be, self._before(reading, segment), *names, value)
            known = self.freely[base, table.kind.name] = may, [v.term for v in table.kind.value.flatten(value)]
        may, of = known
        return z3.substitute(may, *zip(of, leaves, strict=True))

    def _before(self, reading: Symbolic, segment: Segment) -> Any:
        """The state before, as the other design sees it."""
        state = self.other.blank()
        for name in self.shared:
            table = getattr(segment.before, name)
            table.reading = reading
            setattr(state, name, table)
        return state

    # ------------------------------------------------------------ the solver

    def _ask(self, path: Path, segment: Segment, reading: Symbolic, wrong: Sequence[Term]) -> Any:
        """Whether a lawful state takes the path and nothing explains it."""
        says = f"each step of {self.design.name} is one of {self.other.name}"
        for lawful in self.lawful:
            answer = lawful.check(path, reading, (*segment.conditions, *wrong), says=says)
            if answer == z3.unsat:
                break
        return answer

    def _kind(self, path: Path, segment: Segment, reading: Symbolic, steps: bool) -> str | None:
        """What a path is that nothing can be wrong with. That one of them can be taken at all is asked until one is known to be."""
        if not self.possible:
            says = "no lawful state takes this path"
            self.possible = self.lawful[-1].check(path, reading, segment.conditions, says=says) != z3.unsat
            if not self.possible:
                return None
        return "step" if steps else "none"

    def _told(self, shown: Any, changed: Sequence[str], steps: Sequence[_Step]) -> str:
        what = [f"{', '.join(changed)} may change"] if changed else []
        if self._shows(shown):
            what.append("something is shown")
        names = " or ".join(dict.fromkeys(step.operation for step in steps))
        return f"{' and '.join(what) or 'nothing happens'}, and it may be no step {names or 'that there is'} of {self.other.name}"


def can_be_compared(op: Operation, outcome: Any, candidates: Sequence[Operation]) -> bool:
    """Whether it is known what a guest is shown: a reply, what the other design returns too, or nothing."""
    known = outcome is None or not op.by_guest or hasattr(type(outcome), "shown")
    return known or any(c.returns is type(outcome) for c in candidates)


def shown_by(outcome: Any) -> Any:
    """The reply to the guest in what an operation returns; None if there is none."""
    return getattr(outcome, "shown", None) if attrs.has(type(outcome)) else None


def _is_exit(shown: Any) -> Term:
    event = shown.event
    return event.term == constant(event.kind, Event.EXITED) if isinstance(event, Opaque) else z3.BoolVal(event is Event.EXITED)


def _same(one: Any, other: Any) -> Iterator[Term]:
    """That two values are the same."""
    if attrs.has(type(one)):
        kind = kind_of(type(one))
        for (_, leaf), a, b in zip(kind.leaves(), kind.flatten(one), kind.flatten(other), strict=True):
            yield _term(leaf, a) == _term(leaf, b)
    else:
        yield z3.BoolVal(one == other)


def _term(leaf: Any, value: Any) -> Term:
    return value.term if isinstance(value, Opaque) else constant(leaf, value)
