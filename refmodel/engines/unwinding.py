"""Noninterference, on ints: what a VM is shown depends on nothing that it cannot know.

The conditions are Rushby's (*Noninterference, transitivity, and channel-control security policies*, SRI 1992), with each VM a
domain whose view is its own bare machine (a design's ``known`` tables). *Output*: in two states that look alike to a VM, its
instruction shows it the same. *Step*: and they look alike afterwards. *Respect*: what others do changes nothing that it can see,
but for flows that are meant (a design's ``flows``). A guest's instruction that is one may show what depends on others; where it
shows the same, a VM's view afterwards is the same. Time is left out, as it is from equivalence: an instruction that exits will be
tried again, and so will one that lacks memory, if it changes nothing at all and shows nothing. Whoever measures how long that
takes learns that a page was shared, or on swap.

Two runs are compared, so no law about one state can say this. All states of a small geometry are visited, and it is remembered of
each view what has been shown to it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import attrs

from refmodel.bare_machines import bare_machine_of
from refmodel.engines.corresponding import in_place_of, parameters_for
from refmodel.engines.machine import Machine, Run, Step, copy_of, identity_of, recorded
from refmodel.engines.outcomes import exits, reply_in, shown_by, shown_to_guest, step_of
from refmodel.engines.simulation_runs import SimulatedMachine
from refmodel.engines.stepwise import every_answer
from refmodel.language.asking import cached
from refmodel.language.design import Operation, Outline
from refmodel.language.sizes import Geometry

OUTPUT = "what a VM is shown depends on state that it must not learn"
STEP = "what a VM can learn depends on state that it must not learn"
RESPECT = "a VM can learn what others do"
CHOICE = "what a VM is shown or can learn depends on a choice of the design's, which may depend on state that it must not learn"
"""Said where two runs were in one state before the last step, and only the answers to ``choose`` or ``fails`` tell them apart."""
CACHED = "what a VM is shown or can learn depends on something cached, which is there only because of what other VMs did"
"""Said where one run could use something cached and another could not, and the first cannot without the steps of other VMs."""


@attrs.frozen
class Leak:
    """A condition that does not hold: the run, and where two are compared the other, which looked the same until the last step."""

    condition: str
    vm: int
    run: Run
    other: Run | None = None


@attrs.frozen
class Unwinding:
    """What was visited and compared, and what leaks if anything does."""

    leak: Leak | None
    complete: bool
    states: int
    views: int
    """Views of a VM together with what it did."""
    compared: int
    """How often what was shown could be compared with what had been shown to the same view."""
    outcomes: frozenset[str]
    """The guests' operations of which two outcomes were compared."""
    changes: frozenset[str]
    """The guests' operations after which it was compared twice what the VM can know."""
    observers: frozenset[int]
    """The VMs whose views were compared."""
    flows: frozenset[str]
    """The flows that are meant, and happened."""
    seconds: float


_Answers = dict[tuple[str, int], bool]
"""Whether the hardware used something that it had cached: by the question, and by its place among what was asked in the step."""


@attrs.frozen
class _Told:
    shown: Any
    node: int
    step: Step


def watching(geometry: Geometry) -> Geometry:
    """Two VMs with a page each, so that one may watch the other."""
    return geometry.resized(Vm=2, Gfn=1, Mfn=2)


def known_tables(design: Outline) -> tuple[str, ...]:
    """The tables of a design that its VMs know their own entries of."""
    names = [name for base in design.cls.__mro__ for name in vars(base).get("known", ())]
    return tuple(dict.fromkeys(names))


def flows_of(design: Outline) -> dict[str, str]:
    """The operations of a design by which a VM is meant to come to know of others."""
    operations = {op.name for op in design.operations}
    return {
        op: flow for base in reversed(design.cls.__mro__) for op, flow in vars(base).get("flows", {}).items() if op in operations
    }


def _beside(design: Outline, geometry: Geometry) -> SimulatedMachine | None:
    """A machine that looks for each step in the bare machine; None if no bare machine is stated."""
    bare = bare_machine_of(design)
    return None if bare is None else SimulatedMachine(design.judging(lambda law: False), geometry, bare)


class _Search:
    def __init__(self, design: Outline, geometry: Geometry, unmeant: str | None) -> None:
        self.design = design
        self.machine = Machine(design, geometry)
        self.known, self.flows = known_tables(design), flows_of(design)
        self.flows.pop(unmeant or "", None)
        self.vms = self.machine.values(design.actors)
        self.initial: list[Run] = []
        self.nodes: list[tuple[int, Step | None]] = []
        self.seen: set[Any] = set()
        self.todo: deque[tuple[int, Any, frozenset[Any]]] = deque()
        self.shown: dict[Any, _Told] = {}
        self.changed: dict[Any, _Told] = {}
        self.exited: dict[Any, _Told] = {}
        self.beside = _beside(design, geometry)
        """The machine that guests believe in, for what the text says that it would show."""
        self.due: dict[Any, Any] = {}
        """What was due first where things looked so; None if it was not due."""
        self.compared = 0
        self.outcomes: set[str] = set()
        self.changes: set[str] = set()
        self.observers: set[int] = set()
        self.met: set[str] = set()
        asks = any(cached.__name__ in function.__code__.co_names for function in design.text.functions)
        self.asks_what_is_cached = asks and self.beside is None
        self._used: tuple[str, ...] = ()
        self.using: dict[Any, list[tuple[_Answers, _Told]]] = {}
        """Runs that used something cached, by how things looked, with what the hardware was asked and said."""
        self.told: dict[Any, list[tuple[_Answers, _Told]]] = {}
        """The first run there of each kind: with other answers of the hardware, or with something else to tell."""
        self.flowing: dict[Any, Any] = {}
        """What a guest's instruction by which it is meant to know of others has shown first, where things looked alike."""

    def run(self, seconds: float) -> Unwinding:
        began, leak = time.perf_counter(), None
        for state in self._power_on():
            self._visit(-1, None, state, frozenset())
        while self.todo and leak is None and time.perf_counter() - began < seconds:
            leak = next(self._from(*self.todo.popleft()), None)
        return Unwinding(
            leak,
            leak is None and not self.todo,
            len({identity for identity, _ in self.seen}),
            len(self.shown) + len(self.changed),
            self.compared,
            frozenset(self.outcomes),
            frozenset(self.changes),
            frozenset(self.observers),
            frozenset(self.met),
            time.perf_counter() - began,
        )

    def _power_on(self) -> Iterator[Any]:
        def start(pick: Any) -> Any:
            self.machine.state = self.design.initial(self.machine.geometry)
            self.machine.power_on(pick)
            self.initial.append(Run(self.machine.initial_answers, ()))
            return copy_of(self.design, self.machine.state)

        yield from every_answer(start)

    def _visit(self, parent: int, step: Step | None, state: Any, acted: frozenset[Any]) -> None:
        """Look at a state later; once for each set of those who have acted, where a run of the VM's own excuses something."""
        identity = identity_of(self.design, state), acted
        if identity not in self.seen:
            self.seen.add(identity)
            self.todo.append((len(self.nodes), state, acted))
            self.nodes.append((parent if step else -1 - len(self.initial), step))

    def view(self, state: Any, vm: int) -> Any:
        """What a VM can know: its own entries of the tables of bare machines."""
        return tuple(
            frozenset(
                (key, value) for key, value in getattr(state, name).items() if (key[0] if isinstance(key, tuple) else key) == vm
            )
            for name in self.known
        )

    def _from(self, node: int, state: Any, acted: frozenset[Any]) -> Iterator[Leak]:
        """Every step from a state, and what it gives away."""
        views = {vm: self.view(state, vm) for vm in self.vms}
        for op, arguments in self.machine.instances():

            def attempt(pick: Any, op: Operation = op, arguments: tuple[Any, ...] = arguments) -> Any:
                self.machine.state = copy_of(self.design, state)
                return self.machine.attempt(op, arguments, pick)

            for taken in every_answer(attempt):
                if taken is None:
                    continue
                step, outcome = taken
                after = self.machine.state
                self._used = self._cached_translations_used()
                yield from self._respected(op, step, node, views, after)
                if op.by_guest:
                    vm = op.actor(arguments)
                    completes = not self._will_be_tried_again(outcome, state, after)
                    yield from self._alike(op, step, node, vm, state, views[vm], self.view(after, vm), outcome, completes)
                actor = {op.actor(arguments) if op.by_guest else None} if self.asks_what_is_cached else set()
                self._visit(node, step, after, acted | actor)

    def _cached_translations_used(self) -> tuple[str, ...]:
        """Which cached translations the processor chose to use in the step just taken: two runs are compared that decide alike.
        Where a bare machine says what may come of such a decision, that is compared instead."""
        return () if self.beside else tuple(asked for asked in self.machine.last_questions if asked.endswith("cached? yes"))

    def _respected(self, op: Operation, step: Step, node: int, views: dict[int, Any], after: Any) -> Iterator[Leak]:
        for vm, view in views.items():
            if op.by_guest and op.actor(step.arguments) == vm:
                continue
            if self.view(after, vm) != view:
                if op.name not in self.flows:
                    yield Leak(RESPECT, vm, self._run(node, step))
                self.met.add(self.flows.get(op.name, ""))

    def _will_be_tried_again(self, outcome: Any, state: Any, after: Any) -> bool:
        """Whether an instruction exits; or lacks memory, changes nothing of the whole state and shows nothing. Only time tells this
        from a later try that completes."""
        shown = shown_to_guest(outcome)
        if shown is not None:
            return exits(shown)
        return self.machine.allocation_failed and all(
            getattr(state, table.name) == getattr(after, table.name) for table in self.design.tables
        )

    def _alike(
        self, op: Operation, step: Step, node: int, vm: int, state: Any, view: Any, view_after: Any, outcome: Any, completes: bool
    ) -> Iterator[Leak]:
        """What is shown, and what is known afterwards, beside what it was when things looked the same. What the bare machine shows
        (it may use what it has cached, or not) is part of how they look."""
        look: tuple[Any, ...] = op.name, step.arguments, view, self._due(op, step, state, view, outcome), self._used
        shown = shown_to_guest(outcome)
        if self.beside is None and op.name not in self.flows and completes:
            yield from self._beside_what_is_cached((*look[:-1], "shown"), _Told(shown, node, step), vm)
            yield from self._beside_what_is_cached((*look[:-1], "learnt"), _Told(view_after, node, step), vm)
        if op.name in self.flows:  # what it shows is meant to be known
            self._met(op, look, shown)
            look = *look, shown
        elif completes:
            yield from self._compare(self.shown, look, _Told(shown, node, step), OUTPUT, vm)
        if view_after != view or completes:
            yield from self._compare(self.changed, look, _Told(view_after, node, step), STEP, vm)
        if not completes:  # whether it will complete is a matter of time; what it does to the VM meanwhile is none
            yield from self._compare(self.exited, look, _Told(view_after, node, step), STEP, vm)

    def _beside_what_is_cached(self, look: Any, now: _Told, vm: int) -> Iterator[Leak]:
        """A run that uses something cached, beside one that was not asked whether it does. They may differ, unless what is cached
        is there because of others."""
        answers: _Answers = {
            (question, at): used == "yes"
            for at, asked in enumerate(self.machine.last_questions)
            for question, is_cached, used in [asked.rpartition(" cached? ")]
            if is_cached
        }
        kinds = self.told.setdefault(look, [])
        is_new = all(answers != its or now.shown != told.shown for its, told in kinds)
        others = kinds if self._used else self.using.get(look, []) if is_new else []
        for its, told in others:
            if now.shown != told.shown and all(its.get(at, used) == used for at, used in answers.items()):
                for user, other, more in ((now, told, answers.keys() - its), (told, now, its.keys() - answers)):
                    if any((answers | its)[at] for at in more) and not self._is_of_its_own(look[-1], user, vm):
                        yield Leak(CACHED, vm, self._run(user.node, user.step), self._run(other.node, other.step))
        if is_new:
            kinds.append((answers, now))
        if self._used:
            self.using.setdefault(look, []).append((answers, now))

    def _is_of_its_own(self, sort: str, told: _Told, vm: int) -> bool:
        """Whether a run can come to the same without the steps of other VMs."""
        run, machine = self._run(told.node, told.step), Machine(self.design, self.machine.geometry)
        machine.power_on(recorded(run.initial))
        for step in run.steps[:-1]:
            op = self.design.operation(step.operation)
            if not op.by_guest or op.actor(step.arguments) == vm:
                machine.attempt(op, step.arguments, recorded(step.answers))
        state, op = copy_of(self.design, machine.state), self.design.operation(told.step.operation)

        def attempt(pick: Any) -> Any:
            machine.state = copy_of(self.design, state)
            return machine.attempt(op, told.step.arguments, pick)

        return any(
            told.shown == (shown_to_guest(taken[1]) if sort == "shown" else self.view(machine.state, vm))
            for taken in every_answer(attempt)
            if taken is not None
        )

    def _due(self, op: Operation, step: Step, state: Any, view: Any, outcome: Any) -> Any:
        """What the bare machine shows, as the design's text says and the guest is shown; None where that is no step of the bare
        machine's, whose cached translations could account for it. That is asked where things look so for the first time, and
        where another is due."""
        due, look = reply_in(outcome, "due"), (op.name, step.arguments, view)
        if due is None or due != shown_by(outcome) or exits(due):
            return None
        if look not in self.due:
            self.due[look] = due if self._is_due(op, step, state, outcome) else None
        first = self.due[look]
        return due if first is not None and due != first and self._is_due(op, step, state, outcome) else first

    def _is_due(self, op: Operation, step: Step, state: Any, outcome: Any) -> bool:
        """Whether the step just taken is one of the bare machine's that stands for it, with the arguments that the guest gave."""
        if self.beside is None or not self._is_as_asked(op, outcome):
            return False
        self.beside.before, self.beside.state = copy_of(self.design, state), copy_of(self.design, self.machine.state)
        for name in self.beside.shared:
            getattr(self.beside.state, name).changed = True
        return self.beside.broken(op, step.arguments, outcome) is None

    def _is_as_asked(self, op: Operation, outcome: Any) -> bool:
        """Whether the bare machine has steps in the place of an operation, and the guest says all that these are given: of what the
        design may choose, what is shown could depend on others."""
        assert self.beside is not None
        steps = in_place_of(self.design, self.beside.other.design, op)
        return (
            bool(steps)
            and not step_of(type(outcome))
            and all(parameters_for(op, each, name, kind) for each in steps for name, kind in each.parameters)
        )

    def _met(self, op: Operation, look: Any, shown: Any) -> None:
        """Whether a guest's instruction has shown what it did not know."""
        if self.flowing.setdefault(look, shown) != shown:
            self.met.add(self.flows[op.name])

    def _compare(self, told: dict[Any, _Told], look: Any, now: _Told, condition: str, vm: int) -> Iterator[Leak]:
        before = told.setdefault(look, now)
        if before is not now and (before.shown is not None or now.shown is not None):
            self.compared += 1
            (self.outcomes if condition == OUTPUT else self.changes).add(now.step.operation)
            self.observers.add(vm)
            if before.shown != now.shown:
                condition = CHOICE if before.node == now.node else condition
                yield Leak(condition, vm, self._run(now.node, now.step), self._run(before.node, before.step))

    def _run(self, node: int, last: Step) -> Run:
        steps = [last]
        while node >= 0:
            node, step = self.nodes[node]
            if step is not None:
                steps.append(step)
        return Run(self.initial[-2 - node].initial, tuple(reversed(steps)))


def search(design: Outline, geometry: Geometry, seconds: float = 60.0, unmeant: str | None = None) -> Unwinding:
    """Look for what leaks, in every state of a geometry or until the time is up. (For designs without split operations.)

    With an operation that is ``unmeant``, what a VM learns by it is no flow that is meant: what is found then is a shortest run in
    which the flow happens.
    """
    return _Search(design, geometry, unmeant).run(seconds)
