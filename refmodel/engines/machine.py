"""A design running on ints: the reading that every other engine's findings are replayed in.

A run is the list of its steps, and a step is an operation, its arguments, and the answers that were given to what
the text asked. Nothing else decides what happens, so the list can be printed, sent and run again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from types import GeneratorType
from typing import Any

import attrs

from refmodel.engines.aborts import Aborted, in_words
from refmodel.engines.differences import Change
from refmodel.engines.recent import Recent
from refmodel.language.asking import (
    FAILS,
    Fault,
    Premises,
    Refused,
    Span,
    answering,
    begin_answering,
    concrete_assign,
    concrete_count,
    concrete_reset,
    end_answering,
)
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Kind, NameKind, PageKind, RecordKind
from refmodel.language.laws import Law
from refmodel.language.places import home_of, place_of
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING, Total
from refmodel.language.unsound import BadDesign

Pick = Callable[[Sequence[Any]], Any]
"""Who decides: given the answers there are, gives one."""

ABORT = "EFF-3"
"""The clause that a text breaks by raising what is no outcome: the monitor never aborts."""

RESUME = "goes on"

MOST_VALUES = 200_000
"""Values of a kind in a geometry: more would fill the memory, and few would ever be drawn."""

MOST_INSTANCES = 500_000
"""Ways in which an operation may be given arguments, or a law names, in a geometry: all of them are listed."""


@attrs.frozen(eq=False)
class _Listed:
    """What there is in a geometry, as far as it has been listed: all machines have it in common."""

    values: dict[Kind, list[Any]] = attrs.field(factory=dict)
    names: dict[tuple[Kind, ...], list[tuple[Any, ...]]] = attrs.field(factory=dict)
    """What laws about names of these kinds are claimed for."""


_listed = Recent(lambda geometry: _Listed(), 4)


def too_many_values(design: Outline, kind: Kind) -> BadDesign:
    """That a kind has more values in a geometry than can be listed, and how there are fewer."""
    record = kind.cell if isinstance(kind, PageKind) else kind
    name = record.cls.__name__ if isinstance(record, RecordKind) else "Record"
    what = name if record is kind else f"page of {name}"
    place = place_of(home_of(design.cls, "geometry"), "geometry")
    return BadDesign(
        f"{place}: a {what} has more than {MOST_VALUES:,} values; expected smaller numbers of names in geometry(...), "
        f"or fewer values: only={{{name}: ({name}(),)}}"
    )


@attrs.frozen
class Step:
    """One step of a run. ``resume`` lets a split operation go on: its argument says which of those under way."""

    operation: str
    arguments: tuple[Any, ...]
    answers: tuple[Any, ...] = ()


@attrs.frozen
class Begun:
    """Where a split operation began that goes on: the number of the step in a run, and the step."""

    number: int
    step: Step


@attrs.frozen(eq=False)
class UnderWay:
    """A split operation that waits to go on."""

    op: Operation
    arguments: tuple[Any, ...]
    body: GeneratorType[None, None, Any]
    begun_in: int
    """The number of the step in which it began."""


@attrs.frozen
class Broken:
    """A law that does not hold, and the names for which it does not."""

    law: Law | None
    clause: str
    sentence: str
    names: tuple[tuple[str, Any], ...]
    error: str = ""


@attrs.frozen(eq=False)
class _OfLaws:
    """What judging the laws of a design takes: all machines have it in common."""

    reads: list[tuple[Law, frozenset[str]]]
    """The laws, and the tables that each looks at."""
    of_outcomes: frozenset[Law]
    """Laws that are met by an outcome of the type that they are about."""
    looked_at: dict[Law, frozenset[Span]]
    """By law: the texts that it calls to work out a premise."""


def _made_of_laws(design: Outline) -> _OfLaws:
    return _OfLaws(
        [(law, design.reads(law)) for law in design.laws],
        frozenset(law for law in design.laws if law.outcome is not None and not design.is_conditional(law)),
        {law: design.looked_at(law) for law in design.laws},
    )


_of_laws = Recent(_made_of_laws, 4)


class Machine:
    """A running design: its state, the state before the last step, and the split operations under way."""

    def __init__(self, design: Outline, geometry: Geometry) -> None:
        self.design, self.geometry = design, geometry
        self.state = design.initial(geometry)
        self.before = copy_of(design, self.state)
        self.pending: list[UnderWay] = []
        self.initial_answers: tuple[Any, ...] = ()
        self.met: set[Law] = set()
        self._taken = 0
        """Steps since power-on."""
        self.judged = 0
        """How often a law was judged for some names."""
        self._resumed: UnderWay | None = None
        """The split operation that went on last: whoever took its first step takes this one too."""
        self._listed: _Listed = _listed(geometry)
        self._pick: Pick = lambda options: options[0]
        self._asked: list[tuple[Any, int, str]] = []
        of_laws: _OfLaws = _of_laws(design)
        self._laws = [(law, self.names_of(law), reads) for law, reads in of_laws.reads]
        self._of_outcomes, self._looked_at = of_laws.of_outcomes, of_laws.looked_at
        self._tables = [t.name for t in design.tables]

    # ------------------------------------------------------------ answering the text

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        options = [value for value in self.values(kind) if where(value)]
        if not options:
            raise Refused
        return self._ask(options, kind.sort.lower() if isinstance(kind, NameKind) else "")

    def yes(self, question: str) -> bool:
        return bool(self._ask((False, True), question))

    def count(self, table: Total[Any, Any], where: Callable[..., Any]) -> int:
        return concrete_count(table, where)

    def reset(self, table: Total[Any, Any], where: Callable[..., Any]) -> None:
        concrete_reset(table, where)

    def assign(self, table: Total[Any, Any], where: Callable[..., Any], value: Any) -> None:
        concrete_assign(table, where, value)

    def _ask(self, options: Sequence[Any], question: str = "") -> Any:
        answer = self._pick(options)
        self._asked.append((answer, options.index(answer), question))
        return answer

    def held(self, kind: Kind) -> list[Any]:
        """Every value that an entry of a table may have: a name may be NOTHING there."""
        return [*self.values(kind), NOTHING] if isinstance(kind, NameKind) else self.values(kind)

    def values(self, kind: Kind) -> list[Any]:
        """Every value of a kind in this geometry; ``BadDesign`` if there are too many to be listed."""
        if kind not in self._listed.values:
            if isinstance(kind, PageKind) and len(self.values(kind.cell)) ** len(self.values(kind.index)) > MOST_VALUES:
                raise too_many_values(self.design, kind)  # not listed first: pages are large
            found = list(itertools.islice(kind.values(self.geometry), MOST_VALUES + 1))
            if len(found) > MOST_VALUES:
                raise too_many_values(self.design, kind)
            self._listed.values[kind] = found
        return self._listed.values[kind]

    def _refuse_many(self, what: str, of: str, kinds: Sequence[Kind]) -> None:
        """``BadDesign`` if values of these kinds can be put together in too many ways in this geometry."""
        ways = math.prod(len(self.values(kind)) for kind in kinds)
        if ways > MOST_INSTANCES:
            place = place_of(home_of(self.design.cls, "geometry"), "geometry")
            raise BadDesign(
                f"{place}: {what} {ways:,} combinations of {of}; expected {MOST_INSTANCES:,} at most, by smaller "
                "numbers in geometry(...)"
            )

    @property
    def last_answers(self) -> list[int]:
        """What the last step (or power-on) was answered, each as its number among the answers there were."""
        return [number for _, number, _ in self._asked]

    @property
    def last_questions(self) -> list[str]:
        """What the last step asked, and what it was answered, in words."""
        return [
            f"{question}? {'yes' if answer else 'no'}" if isinstance(answer, bool) else f"{question} {answer}".strip()
            for answer, _, question in self._asked
        ]

    @property
    def allocation_failed(self) -> bool:
        """Whether the last step was answered that an allocation failed."""
        return any(answer is True and question.endswith(FAILS) for answer, _, question in self._asked)

    # ------------------------------------------------------------ stepping

    def instances(self) -> list[tuple[Operation, tuple[Any, ...]]]:
        """Every operation with every argument there is in this geometry, and the resumptions; ``BadDesign`` if there are too many
        to be listed."""
        for op in self.design.operations:
            self._refuse_many(f"operation {op.name} can be given", "arguments", [kind for _, kind in op.parameters])
        plain = [
            (op, arguments)
            for op in self.design.operations
            for arguments in itertools.product(*(self.values(kind) for _, kind in op.parameters))
        ]
        if any(op.split for op in self.design.operations):
            plain += [(self.resuming, (i,)) for i in range(self.geometry.under_way)]
        return plain

    @property
    def resuming(self) -> Operation:
        """To go on with an operation that waits."""
        return Operation(RESUME, self._resume, (), None, False, False)

    def begin(self, state: Any) -> None:
        """Go on from this state, with no operation under way."""
        self.state, self.before = state, copy_of(self.design, state)
        self.pending = []

    def power_on(self, pick: Pick) -> None:
        """Decide what nobody knows about the initial state."""
        self._pick, self._asked = pick, []
        for name in self.design.arbitrary:
            table = getattr(self.state, name)
            kind = self.design.table(name)
            options = self.held(kind.value)
            for key in kind.all_keys(self.geometry):
                table[key] = self._ask(self.geometry.contents(name, key, options))
        self.initial_answers = tuple(a for a, _, _ in self._asked)
        self.settle()
        self._taken = 0

    def attempt(self, op: Operation, arguments: tuple[Any, ...], pick: Pick) -> tuple[Step, Any] | None:
        """Take a step if it applies: what it was and its outcome. Otherwise nothing has changed."""
        self._pick = pick
        if self._asked:
            self._asked = []
        begin_answering(self)
        try:
            outcome = op.method(self.state, *arguments) if op.name != RESUME else self._resume(*arguments)
            if op.split:
                outcome = self._start(op, arguments, outcome)
        except Refused:
            self.undo()
            return None
        except Fault as fault:
            outcome = fault
        except Exception as error:
            outcome = Aborted(error)
        finally:
            end_answering()
        return Step(op.name, arguments, tuple([a for a, _, _ in self._asked])), outcome

    def operation_of(self, step: Step) -> Operation | None:
        """The operation of a recorded step; None if there is none with such arguments in this geometry."""
        if step.operation == RESUME:
            waits = any(op.split for op in self.design.operations) and step.arguments in [
                (i,) for i in range(self.geometry.under_way)
            ]
            return self.resuming if waits else None
        op = next((op for op in self.design.operations if op.name == step.operation), None)
        if op is None or len(op.parameters) != len(step.arguments):
            return None
        there = all(given in self.values(kind) for (_, kind), given in zip(op.parameters, step.arguments, strict=True))
        return op if there else None

    def step(self, step: Step) -> Any:
        """Take a recorded step; ``BadDesign`` if it does not apply here."""
        op = self.operation_of(step)
        taken = self.attempt(op, step.arguments, recorded(step.answers)) if op else None
        if taken is None:
            raise BadDesign(f"the step {step} does not apply where the run has come to")
        return taken[1]

    def _start(self, op: Operation, arguments: tuple[Any, ...], body: Any) -> Any:
        if len(self.pending) >= self.geometry.under_way:
            raise Refused
        try:
            next(body)
        except StopIteration as done:
            return done.value
        self.pending.append(UnderWay(op, arguments, body, self._taken + 1))
        return None

    def _resume(self, which: int) -> Any:
        if which >= len(self.pending):
            raise Refused
        self._resumed = self.pending[which]
        try:
            next(self._resumed.body)
        except StopIteration as done:
            del self.pending[which]
            return done.value
        except Refused:  # a require after a yield ends the operation, with nothing more done
            del self.pending[which]
            self.undo()
        except Exception:  # a Fault, or an abort: it has ended too
            del self.pending[which]
            raise
        return None

    def undo(self) -> None:
        """What has changed since the last ``settle`` has not happened."""
        state = self.state.__dict__
        for name in self._tables:
            if (mine := state[name]).changed:
                mine.clear()
                mine.update(getattr(self.before, name))
                mine.changed = False

    def settle(self) -> None:
        """The step has been judged: what is now, is what the next step starts from."""
        state, before = self.state.__dict__, self.before.__dict__
        self._taken += 1
        for name in self._tables:
            if (mine := state[name]).changed:
                before[name] = mine.twin()
                mine.changed = False

    # ------------------------------------------------------------ judging

    def names_of(self, law: Law) -> list[tuple[Any, ...]]:
        """All that a law is claimed for, in this geometry; ``BadDesign`` if that is too much to be judged."""
        kinds = tuple(kind for _, kind in law.names)
        if kinds not in self._listed.names:
            self._refuse_many(f"law {law.name} is claimed for", "names", kinds)
            self._listed.names[kinds] = list(itertools.product(*(self.values(kind) for kind in kinds)))
        return self._listed.names[kinds]

    def broken(self, op: Operation | None, arguments: tuple[Any, ...], outcome: Any) -> Broken | None:
        """The first law that does not hold now; ``op`` is None where no step was taken yet."""
        if isinstance(outcome, Aborted):
            return aborted(outcome)
        given = {} if op is None else self.about(op, arguments, outcome)
        with answering(self):
            state = self.state.__dict__
            changed = None if op is None else {name for name in self._tables if state[name].changed}
            returned = type(outcome) if outcome is not None else None
            for law, names, tables in self._laws:
                if law.about:
                    if op is None or not law.applies_to(returned):
                        continue
                elif changed is not None and not tables & changed:
                    continue  # it held before, and nothing that it looks at has changed
                found = self._violation(law, names, given)
                if found is not None:
                    return found
        return None

    def broken_by(self, step: Step, outcome: Any) -> Broken | None:
        """The first law that does not hold after a step that was recorded."""
        op = next((o for o in self.design.operations if o.name == step.operation), None)
        return self.broken(self.resuming, (), outcome) if op is None else self.broken(op, step.arguments, outcome)

    def begun(self, step: Step) -> Begun | None:
        """Where the step that was just taken began, if it is one in which a split operation went on."""
        if step.operation != RESUME or self._resumed is None:
            return None
        return Begun(self._resumed.begun_in, Step(self._resumed.op.name, self._resumed.arguments))

    def about(self, op: Operation, arguments: tuple[Any, ...], outcome: Any) -> dict[str, Any]:
        """What laws about a step are given."""
        if op.name == RESUME and self._resumed is not None:
            op, arguments = self._resumed.op, self._resumed.arguments
        return op.about(self.before, outcome, arguments)

    def breaks(self, law: Law, op: Operation, arguments: tuple[Any, ...], outcome: Any) -> Broken | None:
        """Whether this one law is broken by the step just taken. A step that aborted breaks another: it has no outcome to judge."""
        if isinstance(outcome, Aborted):
            return None
        with answering(self):
            return self._violation(law, self.names_of(law), self.about(op, arguments, outcome))

    def _violation(self, law: Law, names: list[tuple[Any, ...]], given: dict[str, Any]) -> Broken | None:
        judge, state, about = law.function, self.state, law.about
        Premises.begin(law.part, left_out=self._looked_at.get(law, ()))
        error = ""
        self.judged += len(names)
        for values in names:
            try:
                holds = judge(state, *law.arguments(given, values)) if about else judge(state, *values)
            except Exception as wrong:  # what it computes is no value of the language, or a key is missing
                holds, error = False, in_words(wrong)
            if not holds:
                return Broken(law, law.clause, law.sentence, tuple(zip([n for n, _ in law.names], values, strict=True)), error)
        if Premises.met or law in self._of_outcomes:
            self.met.add(law)
        return None


def aborted(outcome: Any) -> Broken | None:
    """That the monitor never aborts is broken, if this is how a step ended."""
    return Broken(None, ABORT, "The monitor never aborts.", (), str(outcome)) if isinstance(outcome, Aborted) else None


def recorded(answers: Iterable[Any]) -> Pick:
    """Answer as was answered before."""
    remaining = iter(answers)

    def pick(options: Sequence[Any]) -> Any:
        answer = next(remaining, options[0])
        if answer not in options:
            raise Refused
        return answer

    return pick


def copy_of(design: Outline, state: Any) -> Any:
    """A state of its own that is the same."""
    other = design.blank()
    for table in design.tables:
        setattr(other, table.name, getattr(state, table.name).twin())
    return other


def identity_of(design: Outline, state: Any) -> Any:
    """What two states have in common that hold the same, and no others."""
    return tuple(frozenset(getattr(state, table.name).items()) for table in design.tables)


# ---------------------------------------------------------------- runs


@attrs.frozen
class Run:
    """A recorded run: what memory held at power-on, and the steps."""

    initial: tuple[Any, ...]
    steps: tuple[Step, ...]


@attrs.frozen
class Failure:
    """A run that breaks a law with its last step."""

    run: Run
    broken: Broken


Entry = tuple[str, Any, Any]
"""An entry of a table: the table's name, the key, and what is there."""


@attrs.frozen
class Told:
    """A step as it is told to a person."""

    step: Step
    outcome: Any
    changes: tuple[Change, ...]
    broken: Broken | None
    asked: tuple[str, ...] = ()
    begun: Begun | None = None
    found: tuple[Entry, ...] = ()
    """Of the first step: what the run looks at of tables whose contents nobody knows at power-on, and is not at its default."""
