"""Compiled code held against the text on ints: every way in which a step can end, what it leaves and shows, and what laws say."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import numpy as np

from refmodel.engines.aborts import Aborted
from refmodel.engines.compiled.context import FINE, GOES_WRONG, TOO_LARGE, aligned
from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.shared import COLLECTING
from refmodel.engines.compiled.walking import Mark, Walks
from refmodel.engines.compiled.ways import Coded, run_again
from refmodel.engines.machine import Machine, recorded
from refmodel.engines.samples import Sample, holds, in_state, said
from refmodel.engines.stepwise import every_answer
from refmodel.engines.verdicts import ReadingsDisagree
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault
from refmodel.language.design import Operation
from refmodel.language.unsound import Unsound

WALKED, RUNS, LONGEST = 20_000, 40, 20
"""Steps of random runs, how many of the states that they get to are compared, and how many steps may lead there."""
GOING_ON = 20
"""How many of those states, in which operations wait, are looked at to see how they go on: each way is a run of its own on ints."""
ENDS = 4096
"""Ends of one step that are kept to be compared."""


@attrs.frozen
class End:
    """One way in which a step ends: its answers as a number, the tables after it, what was returned, and the first law about steps
    and about states that is broken (-1: none)."""

    way: int
    state: tuple[int, ...]
    returned: Any
    step_law: int
    state_law: int


@attrs.frozen
class _Step:
    """A step to be taken in both readings."""

    op: Operation
    arguments: tuple[Any, ...]
    state: Any
    """Where it is taken, as compiled code has it."""
    machine: Callable[[], Coded]
    """One on ints that has come there."""


class Comparing:
    """Steps of one design, in compiled code and on ints."""

    def __init__(self, native: Native) -> None:
        self.native, self.context = native, native.context()
        places = native.places
        self._entries = aligned(ENDS * places.entry)
        self.context.lend("collected", self._entries)
        self.context["collected_limit"] = ENDS
        self.context["mode"] = COLLECTING
        self._collect = native.function("collect", None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)
        self._numbers = {traced.op.name: i for i, traced in enumerate(native.operations)}
        self._instances = [(op.name, arguments) for op, arguments in Machine(native.design, native.geometry).instances()]

    def differences(self, samples: Iterable[Sample]) -> tuple[int, list[str]]:
        """How many steps were compared, and the first that differ."""
        compared, wrong = 0, list[str]()
        for sample in samples:
            if len(wrong) >= 3:
                break
            try:
                found = next(self._differing(self._sampled(sample)), None)
            except Unsound:  # a number that exploration does not keep
                continue
            compared += 1
            wrong += [f"{found}: {said(sample)}"] if found else []
        return compared, wrong

    def walked(self, steps: int = WALKED) -> tuple[int, list[str]]:
        """How many states that random runs in compiled code get to were compared with what the same runs get to on ints; and where
        operations wait there, how they go on."""
        native = self.native
        walks = Walks(native, "compare")
        failure = walks.run(seconds=float("inf"), steps=steps)
        wrong = []
        near = [] if failure is not None else [mark for mark in walks.marks if len(mark.ways) <= LONGEST]
        marks = near[:: -(-len(near) // RUNS) or 1]
        waiting = 0
        for mark in marks:
            initial = walks.power_on[mark.initial]
            try:
                machine = run_again(native.design, native.geometry, initial, mark.ways)
            except ReadingsDisagree as why:
                wrong.append(str(why))
                continue
            mine = native.layout.column(machine.state)[: native.layout.of_tables, 0]
            if not np.array_equal(mine.view(np.uint8), mark.state[: len(mine)]):
                wrong.append(f"a run of {len(mark.ways)} steps leaves another state in compiled code than on ints: {machine.taken}")
            elif machine.pending and waiting < GOING_ON:
                waiting += 1
                wrong += self._going_on(machine, initial, mark)
        return len(marks), wrong[:3]

    def _going_on(self, machine: Coded, initial: tuple[Any, ...], mark: Mark) -> Iterator[str]:
        """What differs where operations that wait go on."""
        native = self.native

        def there() -> Coded:
            return run_again(native.design, native.geometry, initial, mark.ways)

        for which, waits in enumerate(machine.pending):
            step = _Step(machine.resuming, (which,), mark.state.view(np.int8), there)
            try:
                found = next(self._differing(step), None)
            except Unsound:  # a number that exploration does not keep
                continue
            if found is not None:
                yield f"{found}: {waits.op.name}{waits.arguments} goes on after {machine.taken}"

    def _sampled(self, sample: Sample) -> _Step:
        def there() -> Coded:
            machine = in_state(self.native.design, self.native.geometry, sample.before, Coded)
            assert isinstance(machine, Coded)
            return machine

        return _Step(sample.op, sample.step.arguments, self.native.layout.column(there().state)[:, 0], there)

    def _differing(self, step: _Step) -> Iterator[str]:
        theirs, trouble = self._ends(step)
        if trouble == TOO_LARGE:
            raise Unsound("a number is larger than exploration keeps")
        mine = list(self._ends_on_ints(step))
        aborts = any(end is None for end in mine)
        if aborts != (trouble == GOES_WRONG):
            yield f"it goes wrong {'on ints' if aborts else 'in compiled code'} only"
        elif not aborts and len(mine) != len(theirs):
            yield f"it can end in {len(mine)} ways on ints, and in {len(theirs)} in compiled code"
        elif not aborts:
            for end in theirs:
                again = self._end_on_ints(step, end.way)
                if again != end:
                    yield f"in compiled code it ends as {end}, and on ints as {again}"

    # ------------------------------------------------------------ in compiled code

    def _ends(self, step: _Step) -> tuple[list[End], int]:
        context, places, state = self.context, self.native.places, step.state
        number = self._numbers[step.op.name]
        traced = self.native.operations[number]
        instance = self._instances.index((step.op.name, step.arguments))
        row = np.array(traced.arguments[instance - traced.first] or [0], dtype=np.int8)
        context.buffer("current", len(state))[:] = state.view(np.uint8)
        context["collected_count"], context["trouble"] = 0, FINE
        self._collect(context.pointer, context.pointer + places.at["current"], number, row.ctypes.data)
        count = context["collected_count"]
        if count > ENDS:
            raise Unsound("a step has more ends than are compared")
        return [self._end(self._entries[i * places.entry : (i + 1) * places.entry]) for i in range(count)], context["trouble"]

    def _end(self, entry: Any) -> End:
        places = self.native.places
        codes = entry.view(np.int8)
        type_, way, step_law, state_law = (int(x) for x in entry[places.padded + places.outcome :].view(np.int64)[:4])
        returns = self.native.types[type_]
        width = 0 if returns is None or issubclass(returns, Fault) else len(kind_of(returns).leaves())
        shown = tuple(int(x) for x in codes[places.padded : places.padded + width])
        return End(way, tuple(int(x) for x in codes[: self.native.layout.of_tables]), (returns, shown), step_law, state_law)

    # ------------------------------------------------------------ on ints

    def _ends_on_ints(self, step: _Step) -> Iterator[tuple[Any, ...] | None]:
        """The answers of each end, or None for one that goes wrong."""

        def run(pick: Any) -> Any:
            machine = step.machine()
            machine.code = None
            taken = machine.attempt(step.op, step.arguments, pick)
            return False if taken is None else None if isinstance(taken[1], Aborted) else taken[0].answers

        yield from (end for end in every_answer(run) if end is not False)

    def _end_on_ints(self, step: _Step, way: int) -> End | None:
        """How the step ends on ints with the answers that a number means."""
        design, machine = self.native.design, step.machine()
        machine.code = way
        taken = machine.attempt(step.op, step.arguments, recorded(()))
        if taken is None or isinstance(taken[1], Aborted):
            return None
        outcome = taken[1]
        about = machine.about(step.op, step.arguments, outcome)
        returned = None if outcome is None else type(outcome)
        shown: tuple[int, ...] = ()
        if returned is not None and not issubclass(returned, Fault):
            kind = kind_of(returned)
            shown = tuple(leaf.encode(v) for (_, leaf), v in zip(kind.leaves(), kind.flatten(outcome), strict=True))
        state = tuple(int(x) for x in self.native.layout.column(machine.state)[: self.native.layout.of_tables, 0])
        step_law = self._first_broken(machine, about, [law.about and law.applies_to(returned) for law in design.laws])
        return End(way, state, (returned, shown), step_law, self._first_broken(machine, {}, [law.of_state for law in design.laws]))

    def _first_broken(self, machine: Machine, about: dict[str, Any], asked: list[Any]) -> int:
        for number, law in enumerate(self.native.design.laws):
            names = machine.names_of(law) if asked[number] else []
            if any(not holds(machine, law, machine.state, about, each) for each in names):
                return number
        return -1


__all__ = ["Comparing", "End"]
