"""Steps on ints for the readings to be compared on: from states that random runs reach, and from arbitrary ones near them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from refmodel.engines.aborts import Aborted
from refmodel.engines.machine import RESUME, Machine, Step, copy_of
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Kind, NameKind, PageKind, Scalar, TableKind
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING

Tables = Mapping[str, Mapping[Any, Any]]
"""The entries of every table of a state."""

RUN = 40
"""Steps of a run before the next begins."""

COMPARED, AT_LEAST, AT_MOST = 300, 3, 20
"""Samples of a design in every check, and how many at least and at most of each operation, from lawful states and from others."""

STEPS = 400
"""Steps of random runs that the samples are taken from."""


@attrs.frozen
class Sample:
    """A step, where it was taken from, and what came of it."""

    before: Tables
    lawful: bool
    """Whether the state before it keeps every law about states."""
    op: Operation
    step: Step
    outcome: Any
    after: Tables
    questions: tuple[tuple[Law, tuple[Any, ...], bool], ...]
    """Some laws, at some names, and whether each holds after the step."""
    earlier: tuple[tuple[Law, tuple[Any, ...], bool], ...]
    """The same of laws about states, before it."""

    @property
    def aborted(self) -> bool:
        return isinstance(self.outcome, Aborted)


def entries_of(design: Outline, state: Any) -> Tables:
    """What the tables of a state hold, as it is now."""
    return {t.name: dict(getattr(state, t.name)) for t in design.tables}


def in_state(design: Outline, geometry: Geometry, tables: Tables, kind: type[Machine] = Machine) -> Machine:
    """A machine in this state."""
    machine = kind(design, geometry)
    for name, entries in tables.items():
        table = getattr(machine.state, name)
        dict.clear(table)
        dict.update(table, entries)
    machine.before = copy_of(design, machine.state)
    return machine


class Sampler:
    """Steps of a design, drawn so that each operation gets its share."""

    def __init__(self, design: Outline, geometry: Geometry, seed: int, each: int) -> None:
        self.design, self.geometry, self.each = design, geometry, each
        self.draw = random.Random(seed)
        self.instances: dict[str, list[tuple[Operation, tuple[Any, ...]]]] = {}
        self.machine = Machine(design, geometry)
        """It answers what laws ask of any state."""
        for op, arguments in self.machine.instances():
            self.instances.setdefault(op.name, []).append((op, arguments))
        self.taken: Counter[tuple[str, bool]] = Counter()

    def samples(self, steps: int) -> Iterator[Sample]:
        """From random runs of so many steps in all, and from half as many states that differ from theirs here and there."""
        done = 0
        while done < steps:
            machine = Machine(self.design, self.geometry)
            machine.power_on(self.draw.choice)
            lawful = machine.broken(None, (), None) is None
            for _ in range(RUN):
                done += 1
                found = self._step(machine, lawful)
                if found is None:
                    break
                if found[0] is not None:
                    yield found[0]
                if found[1]:
                    break
                machine.settle()
                if self.draw.random() < 0.5:
                    yield from self._elsewhere(entries_of(self.design, machine.state))

    def _step(self, machine: Machine, lawful: bool) -> tuple[Sample | None, bool] | None:
        """A step if any applies: as a sample unless there are enough of its kind, and whether the run ends with it."""
        names = list(self.instances)
        self.draw.shuffle(names)
        names.sort(key=lambda n: self.taken[n, lawful])  # what has seldom been sampled comes first
        before = entries_of(self.design, machine.state)
        for name in names:
            for op, arguments in self.draw.sample(self.instances[name], min(4, len(self.instances[name]))):
                taken = machine.attempt(op, arguments, self.draw.choice)
                if taken is None:
                    continue
                broken = machine.broken(op, arguments, taken[1]) is not None if lawful else False
                if op.name == RESUME or self.taken[name, lawful] >= self.each:
                    return None, broken
                self.taken[name, lawful] += 1
                return self._sample(machine, before, lawful, op, taken), broken
        return None

    def _sample(self, machine: Machine, before: Tables, lawful: bool, op: Operation, taken: tuple[Step, Any]) -> Sample:
        step, outcome = taken
        returned = None if outcome is None else type(outcome)
        judged = [law for law in self.design.laws if law.of_state or law.applies_to(returned)]
        about = op.about(machine.before, outcome, step.arguments)
        questions = () if isinstance(outcome, Aborted) or op.split else self._answers(machine.state, judged, about)
        earlier = self._answers(machine.before, [law for law in judged if law.of_state], {})
        return Sample(before, lawful, op, step, outcome, entries_of(self.design, machine.state), questions, earlier)

    def _answers(self, state: Any, laws: list[Law], about: Mapping[str, Any]) -> tuple[tuple[Law, tuple[Any, ...], bool], ...]:
        """Some laws at names drawn for them."""
        found = []
        for law in self.draw.sample(laws, min(5, len(laws))):
            names = tuple(self.draw.choice(list(kind.values(self.geometry))) for _, kind in law.names)
            found.append((law, names, holds(self.machine, law, state, about, names)))
        return tuple(found)

    # ------------------------------------------------------------ arbitrary states

    def _elsewhere(self, tables: Tables) -> Iterator[Sample]:
        """A step from a state that differs from this one in a few scalars."""
        changed = {name: dict(entries) for name, entries in tables.items()}
        for _ in range(self.draw.randint(1, 3)):
            kind = self.draw.choice(self.design.tables)
            self._change(kind, changed[kind.name])
        machine = in_state(self.design, self.geometry, changed)
        lawful = machine.broken(None, (), None) is None
        found = self._step(machine, lawful)
        if found is not None and found[0] is not None:
            yield found[0]

    def _change(self, kind: TableKind, entries: dict[Any, Any]) -> None:
        key = self.draw.choice(kind.all_keys(self.geometry))
        if kind.partial and key in entries and self.draw.random() < 0.3:
            del entries[key]
        else:
            entries[key] = self._changed(kind.value, entries.get(key, kind.value.default()))

    def _changed(self, kind: Kind, value: Any) -> Any:
        if isinstance(kind, PageKind):
            index = self.draw.choice(list(kind.index.values(self.geometry)))
            return value.put(index, self._changed(kind.cell, value[index]))
        leaves = kind.flatten(value)
        at = self.draw.randrange(len(leaves))
        leaves[at] = self._scalar(kind.leaves()[at][1])
        return kind.build(iter(leaves))

    def _scalar(self, leaf: Scalar) -> Any:
        options = list(leaf.values(self.geometry))
        return self.draw.choice([*options, NOTHING] if isinstance(leaf, NameKind) else options)


def drawn(
    design: Outline, geometry: Geometry, seed: int = 0, each: int | None = None, steps: int = STEPS
) -> dict[str, list[Sample]]:
    """Steps to compare readings on, by operation: so many of each if that is asked for, and else as many as a check takes."""
    found: dict[str, list[Sample]] = {}
    share = COMPARED // (2 * max(1, len(design.operations)))
    sampler = Sampler(design, geometry, seed, min(AT_MOST, max(AT_LEAST, share)) if each is None else each)
    for sample in sampler.samples(steps):
        found.setdefault(sample.op.name, []).append(sample)
    return found


def holds(machine: Machine, law: Law, state: Any, about: Mapping[str, Any], names: tuple[Any, ...]) -> bool:
    """Whether a law holds on ints in a state, which need not be the machine's; one that goes wrong does not."""
    with answering(machine):
        try:
            return bool(law.function(state, *law.arguments(dict(about), names)))
        except Exception:
            return False


def said(sample: Sample) -> str:
    """A step in words, and where it was taken from: what differs there from the default."""
    differing = [
        f"{name}[{key}] = {entry}"
        for name, entries in sample.before.items()
        for key, entry in entries.items()
        if entry != getattr(entries, "default", None)
    ]
    return (
        f"{sample.step.operation}{sample.step.arguments} answered {sample.step.answers}, from a "
        f"{'lawful' if sample.lawful else 'unlawful'} state with {'; '.join(differing)}"
    )
