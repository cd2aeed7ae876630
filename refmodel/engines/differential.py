"""Two designs side by side, shown the same instructions: where a guest sees a difference, it is told.

Random steps are taken on the one design. Whatever the guest did, or what changed the machine that it believes it has, is done
on the other too, which has frames enough never to fail, and where no access exits. What the two show is compared, and what the
guest's pages hold. Where guests have page tables of their own, a difference is *explained* if the design's bare machine
shows the same: a processor may use a translation that it has cached. In a *disciplined* run guests reload CR3 after every store, so
that nothing is cached that is not so any more, and no difference is explained.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import attrs

from refmodel.bare import BareMemory, Seen
from refmodel.engines.machine import Machine, Run, Step
from refmodel.engines.outcomes import ACCESSES, exits, reply_in, shown_by
from refmodel.language.design import Operation, Outline
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import BadDesign

STEPS = 80
"""Steps that apply in one run."""
BOOTED = 0.5
"""Share of runs in which guests have memory and tables from the beginning: it takes many steps to come to that by chance."""
ENTRIES = 8
"""Entries that a guest begins with at most."""
ENTER = ("mov_cr3", "vmlaunch")
"""What has tables used."""
ROUNDS = 3
"""How often an exit is served before the guest does something else."""
GHOSTS = ("plugged", "bare_memory", "paging", "balloon", "bare_tlb", "bare_old", "nested", "bare_tlb12")
"""The machine that a guest believes it has."""
GIVEN = ("within",)
"""What is about a guest's addresses and never changes."""
RELOAD = "mov_cr3"
STORES = ("store", "store_unpaged")
OF_L2 = {"nested_ept_violation": "_l2"}
"""Exits that are due to an instruction of a nested guest's, whose instructions are named apart."""
MARKS = "set_flags"
"""What a reference does first where an access is to mark entries: a part of the access."""
LEVELS = 2
"""Entries that an access marks at most."""
SERVING = ("set_flags", "load_root", "link")
"""Steps of serving an exit that answer for nothing by themselves."""
SAME_INSTRUCTION = {"emulate_store": "store"}
"""What the monitor carries out for the guest is the guest's instruction."""


Instance = tuple[Operation, tuple[Any, ...]]


@attrs.frozen
class Difference:
    """A run of the design, and what its last instruction showed on either side."""

    run: Run
    shown: Any
    expected: Any
    """None if the instruction does not apply there."""
    lacking: Step | None = None
    """An instruction that the guest might have given next, if it applies there only."""


@attrs.frozen
class Comparison:
    """What was compared, and the first difference that nothing explains."""

    runs: int
    compared: int
    explained: int
    seconds: float
    difference: Difference | None = None

    @property
    def shows_something(self) -> bool:
        """Whether anything was compared in which the two are the same."""
        return self.compared > self.explained


def roomy(geometry: Geometry) -> Geometry:
    """A geometry in which every page can have a frame of its own."""
    return geometry.resized(Mfn=geometry.size("Vm") * geometry.size("Gfn") + 1)


def common(design: Outline, reference: Outline) -> frozenset[str]:
    """The design's instructions that show a guest anything. ``BadDesign`` if one of the two does not say what machine its guests
    believe in, which is how the reference comes to be in the same state; or if it lacks an instruction of a guest's: those that
    show nothing change what others show."""
    theirs = {op.name: op.parameters for op in reference.operations}
    mine = {op.name: op.parameters for op in design.operations if op.by_guest}
    lacking = sorted(name for name, parameters in mine.items() if theirs.get(SAME_INSTRUCTION.get(name, name)) != parameters)
    if not mine:
        raise BadDesign(
            f"{design.name} cannot be run beside {reference.name}: what guests are shown is compared, and {design.name} has no "
            "operation of a guest's (@guest)"
        )
    if lacking:
        raise BadDesign(f"{design.name} cannot be run beside {reference.name}, which has no operation {', '.join(lacking)}")
    for each in (design, reference):
        if not issubclass(each.cls, BareMemory):
            raise BadDesign(
                f"{design.name} cannot be run beside {reference.name}: {each.name} does not say what machine its "
                "guests believe in; expected a class derived from refmodel.bare.BareMemory"
            )
    if any(t.name == "stale" for t in design.tables):
        raise BadDesign(f"{design.name} cannot be run beside {reference.name}: what its guests give up waits for flushes")
    return frozenset(op.name for op in design.operations if op.by_guest and op.returns is not None)


def compare(
    design: Outline,
    reference: Outline,
    *,
    seconds: float,
    seed: int = 0,
    limit: int | None = None,
    geometry: Geometry | None = None,
) -> Comparison:
    """Run both side by side until the time or the number of runs is up, or a difference is found that nothing explains. The
    geometry is the design's own unless another is given."""
    began = time.perf_counter()
    common(design, reference)
    runs = compared = explained = 0
    while time.perf_counter() - began < seconds and runs != limit:
        pair = _Pair(design, reference, random.Random(f"{seed} {runs}"), bool(runs % 2), geometry or design.cls.geometry)
        difference = pair.run()
        runs, compared, explained = runs + 1, compared + pair.compared, explained + pair.explained
        if difference is not None:
            return Comparison(runs, compared, explained, time.perf_counter() - began, difference)
    return Comparison(runs, compared, explained, time.perf_counter() - began)


class _Pair:
    """One run."""

    def __init__(self, design: Outline, reference: Outline, draw: random.Random, disciplined: bool, geometry: Geometry) -> None:
        self.draw = draw
        self.has_tables = any(op.name == RELOAD for op in design.operations)
        """Whether guests have page tables, of which processors may have cached what is not so any more."""
        self.disciplined = disciplined and self.has_tables
        self.mine = Machine(design, geometry)
        self.theirs = Machine(reference, roomy(geometry))
        self.mine.power_on(draw.choice)
        self.theirs.power_on(lambda options: options[0])
        for name in {t.name for t in design.tables} & set(GIVEN):
            setattr(self.theirs.state, name, getattr(self.mine.state, name))
        self.operations = {op.name: op for op in reference.operations}
        self.instances = self.mine.instances()
        self.serving = {op.name: op for op in design.operations if _serves(op)}
        self.fitting: dict[Any, list[Instance]] = {}
        self.exited: Any = None
        self.steps: list[Step] = []
        self.compared = self.explained = 0
        self.shared = {op.name for op in design.operations if op.by_guest and op.name in self.operations} - {MARKS}
        self.ghosts = [t.name for t in design.tables if t.name in GHOSTS]

    def run(self) -> Difference | None:
        first = iter(self._first() if self.draw.random() < BOOTED else ())
        for _ in range(STEPS * 12):
            op, arguments = next(first, None) or self.draw.choice(self.instances)
            found = self._step(op, arguments)
            if self.exited is not None:
                found = self._again(op, arguments)
            if found is not None or len(self.steps) >= STEPS or self.explained:
                return found
        return None

    def _first(self) -> list[Instance]:
        """Memory, some entries in it, and to use them for a table."""
        given = [i for i in self.instances if i[0].name == "populate"]
        stores = [i for i in self.instances if i[0].name == "store_unpaged" and _named(*i)["value"].present]
        enter = [i for i in self.instances if i[0].name in ENTER]
        return [
            i
            for some, most in ((given, len(given)), (stores, ENTRIES), (enter, 1))
            for i in self.draw.sample(some, min(most, len(some)))
        ]

    def _again(self, op: Operation, arguments: tuple[Any, ...]) -> Difference | None:
        """Have an exit served, and the instruction tried again. An exit that nobody serves is one for ever."""
        for _ in range(ROUNDS):
            if (isinstance(self.exited, Seen) and self.exited.gfn == NOTHING) or not self._served(op, arguments):
                return Difference(Run(self.mine.initial_answers, tuple(self.steps)), self.exited.shown, None)
            found = self._serve(op, arguments)
            if found is None and not self.explained:
                found = self._step(op, arguments)
            if found is not None or self.exited is None or self.explained:
                return found
        return None

    def _serving(self, op: Operation, arguments: tuple[Any, ...]) -> list[Instance]:
        """What may serve an exit: it names what the instruction or its exit names."""
        about, instruction = self._about(op, arguments), SAME_INSTRUCTION.get(op.name, op.name)
        return [
            instance
            for served in self.serving.values()
            if SAME_INSTRUCTION.get(served.name, instruction) == instruction
            for instance in self._naming(
                served, tuple((at, about[name]) for at, (name, _) in enumerate(served.parameters) if name in about)
            )
        ]

    def _naming(self, op: Operation, given: tuple[tuple[int, Any], ...]) -> list[Instance]:
        """The instances of an operation that have these arguments in these places."""
        if (op.name, given) not in self.fitting:
            self.fitting[op.name, given] = [
                (each, arguments)
                for each, arguments in self.instances
                if each.name == op.name and all(arguments[at] == value for at, value in given)
            ]
        return self.fitting[op.name, given]

    def _about(self, op: Operation, arguments: tuple[Any, ...]) -> dict[str, Any]:
        return {**attrs.asdict(self.exited, recurse=False), **_named(op, arguments)}

    def _served(self, op: Operation, arguments: tuple[Any, ...]) -> bool:
        """Whether anything serves it now, if anything has to. (A guest may have asked for it, or the monitor be about to try again.
        Where it takes several steps, one may want what others have to give up first.)"""
        about = self._about(op, arguments)
        fitting = [i for i in self._serving(op, arguments) if {*_named(*i)} <= {*about}]
        asked_for = getattr(self.exited, "page", 0) == NOTHING
        return (
            not fitting
            or asked_for
            or any(name in SERVING for name in self.serving)
            or any(self._applies(self.mine, *instance) for instance in fitting)
        )

    def _serve(self, op: Operation, arguments: tuple[Any, ...]) -> Difference | None:
        serving = self._serving(op, arguments)
        for served, names in self.draw.sample(serving, len(serving)):
            found = self._step(served, names)
            if found is not None or self.explained:
                return found
        return None

    def _step(self, op: Operation, arguments: tuple[Any, ...]) -> Difference | None:
        self.exited = None
        taken = self.mine.attempt(op, arguments, self.draw.choice)
        if taken is None:
            return self._only_theirs(op, arguments)
        step, outcome = taken
        self.steps.append(step)
        changed = [name for name in self.ghosts if getattr(self.mine.state, name).changed]
        self.mine.settle()
        shown = shown_by(outcome)
        if op.by_guest and exits(shown):
            self.exited = outcome
        if _misnamed(op, arguments, outcome):
            return Difference(Run(self.mine.initial_answers, tuple(self.steps)), outcome, _named(op, arguments))
        replies = _replies(op, arguments, outcome)
        if replies is not None:
            return self._compare(*replies)
        if op.name in self.shared and self.exited is None and not self._applies(self.theirs, self.operations[op.name], arguments):
            return Difference(Run(self.mine.initial_answers, tuple(self.steps)), outcome, None)
        if changed:
            self._follow(op.name, arguments)
        if "plugged" in changed and self.disciplined:  # what was given or taken may have been a table
            self._reload()
        return None

    def _only_theirs(self, op: Operation, arguments: tuple[Any, ...]) -> Difference | None:
        """An instruction that a guest has on the other side only. (Here it may have wanted a frame, and asked in vain.)"""
        if op.name not in self.shared or self._applies(self.mine, op, arguments) is not None:
            return None
        applies = self._applies(self.theirs, self.operations[op.name], arguments)
        shown = None if applies is None else reply_in(applies[1], "shown")
        if applies is None or exits(shown):
            return None
        return Difference(Run(self.mine.initial_answers, tuple(self.steps)), None, shown, Step(op.name, arguments))

    def _applies(self, machine: Machine, op: Operation, arguments: tuple[Any, ...]) -> tuple[Step, Any] | None:
        """What an instruction would come to, if it applies whatever is answered to it."""
        for pick in (lambda options: options[0]), (lambda options: options[-1]):
            taken = machine.attempt(op, arguments, pick)
            machine.undo()
            if taken is not None:
                return taken
        return None

    def _follow(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Do the same on the other side."""
        op = self.operations.get(name)
        taken = self.theirs.attempt(op, arguments, lambda options: options[0]) if op else None
        self.theirs.settle()
        return taken[1] if taken else None

    def _compare(self, name: str, arguments: tuple[Any, ...], shown: Any, due: Any) -> Difference | None:
        theirs = self._follow(name, arguments)
        if MARKS in self.operations and name in ACCESSES:
            theirs = self._marked(name, arguments, theirs)
        if theirs is None:
            return Difference(Run(self.mine.initial_answers, tuple(self.steps)), shown, None) if name in self.operations else None
        if exits(theirs.shown):
            raise BadDesign(
                f"{self.mine.design.name} cannot be run beside {self.theirs.design.name}, where {name} exits: expected a design "
                "that carries out each access at once, such as interpreter"
            )
        self.compared += 1
        if theirs.shown == shown and self._same_memory():
            if self.disciplined and name in STORES:
                self._reload()
            return None
        if shown == due and self.has_tables and not self.disciplined:
            self.explained += 1
            return None
        return Difference(Run(self.mine.initial_answers, tuple(self.steps)), shown, theirs.shown)

    def _marked(self, name: str, arguments: tuple[Any, ...], theirs: Any) -> Any:
        """What the reference shows when it has marked the entries that an access uses, whether the design did or not."""
        for _ in range(LEVELS):
            if theirs is None or theirs.shown.event.name != "EXITED":
                return theirs
            self._follow(MARKS, (*arguments[:4], ACCESSES[name]))
            theirs = self._follow(name, arguments)
        return theirs

    def _same_memory(self) -> bool:
        """Whether the guests' pages hold the same on both sides."""
        mine, theirs = self.mine.state, self.theirs.state
        return all(not entry.resident or mine.memory[entry.mfn] == theirs.bare_memory[key] for key, entry in mine.p2m.items())

    def _reload(self) -> None:
        """Every vCPU that pages loads its root again."""
        op = self.mine.design.operation(RELOAD)
        for (vm, vcpu), paging in list(self.mine.state.paging.items()):
            if paging.enabled:
                arguments = (vm, vcpu, paging.root)
                taken = self.mine.attempt(op, arguments, lambda options: options[0])
                self.mine.settle()
                self._follow(RELOAD, arguments)
                if taken:
                    self.steps.append(taken[0])


def _serves(op: Operation) -> bool:
    """Whether an operation serves exits."""
    answers = op.returns is not None and attrs.has(op.returns) and "result" in {a.name for a in attrs.fields(op.returns)}
    return op.name in SERVING or op.name in SAME_INSTRUCTION or (answers and not op.by_guest)


def _named(op: Operation, arguments: Sequence[Any]) -> dict[str, Any]:
    """Arguments by their names."""
    return {name: value for (name, _), value in zip(op.parameters, arguments, strict=True)}


def _misnamed(op: Operation, arguments: Sequence[Any], outcome: Any) -> bool:
    """Whether an outcome is for another address than was asked for. (An exit may be for none.)"""
    if not hasattr(outcome, "vcpu") and not hasattr(outcome, "result"):
        return False
    return any(getattr(outcome, name, value) not in (value, NOTHING) for name, value in _named(op, arguments).items())


def _replies(op: Operation, arguments: Sequence[Any], outcome: Any) -> tuple[str, tuple[Any, ...], Any, Any] | None:
    """The instruction that a step completed for a guest, what it showed, and what was due; None if it completed none."""
    if op.by_guest:
        shown = reply_in(outcome, "shown")
        if shown is None or exits(shown):
            return None
        return SAME_INSTRUCTION.get(op.name, op.name), tuple(arguments), shown, reply_in(outcome, "due")
    reflected = reply_in(outcome, "reflected")
    if reflected is not None and outcome.result.name in ("REFLECTED", "HOLE"):
        place = tuple(arguments[:-1])
        name, value = {"READ": ("load", ()), "WRITE": ("store", (_zero(outcome),)), "FETCH": ("fetch", ())}[outcome.access.name]
        return name + OF_L2.get(op.name, ""), (*place, place[-1], *value), reflected, outcome.due
    return None


def _zero(outcome: Any) -> Any:
    """The cell that a store which faults would have stored: any."""
    return type(outcome.due.cell)()
