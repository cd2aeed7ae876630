"""Who notices a mutant of a design, cheapest first: random runs, runs beside another design, the proof of the operations that can
reach it, and exploration where the solver cannot tell."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs

from refmodel.bare_machines import bare_machine_of
from refmodel.engines.compiled.exploring import Search as Exploring
from refmodel.engines.differences import changes
from refmodel.engines.differential import compare
from refmodel.engines.exhaustive import compiled
from refmodel.engines.formulas import Formula
from refmodel.engines.machine import RESUME, Step
from refmodel.engines.mutation.mutants import Mutant
from refmodel.engines.outcomes import reply_in
from refmodel.engines.progress import prove_progress
from refmodel.engines.progress_runs import end_everything
from refmodel.engines.prover import Induction, prove_initial, prove_simulated
from refmodel.engines.questions import about
from refmodel.engines.random import Instance, Search
from refmodel.language.changing import change
from refmodel.language.design import Design, Outline, outline
from refmodel.language.joining import joined
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import BadDesign, Unsound
from refmodel.machine.cells import Cell

REFUSED = "refused"
"""The mutant is not in the language, so it is none."""
BY_RUNS = "random runs"
"""A run breaks a law, or what it leaves pending does not end."""
BY_VACUITY = "vacuous"
"""In runs in which an operation of the text does something, or what a law speaks of is met, that never happens with the mutant."""
BESIDE = "side by side"
"""A guest can tell two designs apart, of which one only is changed."""
BY_PROOF = "proof"
"""There is a lawful state and a step from it that breaks a law, or that the machine which guests believe in does not have, or the
design that this one refines; or an operation applies in no lawful state, or completes an instruction in none."""
NOT_SHOWN = "proof, not shown"
"""An obligation does not follow, and no counterexample of a small size was found."""
BY_EXPLORATION = "exploration"
"""A run breaks a law, found by visiting every state."""
BY_TESTS = "tests"
"""A test fails."""
KILLED = (BY_RUNS, BY_VACUITY, BESIDE, BY_PROOF, NOT_SHOWN, BY_EXPLORATION, BY_TESTS)
SURVIVED = "survived"
UNDECIDED = "undecided"
"""The solver gave up, and nothing else notices the mutant: it counts as a survivor."""

STEPS = 6_000
"""Steps of random runs, which take about a second."""
LENGTH = 60
SOON = 6
"""What the text itself meets within this fraction of the steps, a mutant has to meet within all of them."""
PAIRS = 300
"""Runs of two designs side by side, in each geometry."""
AT_FIRST = 25
"""So many of them come before the proof, which costs more than these and less than all."""
WAITING = ("EXITED", "FAILED")
"""Ways to end that depend on what else is short, so that it says little if they are never met."""
CLASSES = 30_000
"""Classes of states that are explored."""
TIMEOUT = 20_000
"""Milliseconds that the solver may take for one question."""


@attrs.frozen
class Verdict:
    """What became of a mutant, and by what law or test."""

    verdict: str
    why: str = ""

    @property
    def killed(self) -> bool:
        return self.verdict in KILLED


@attrs.frozen
class Due:
    """What is expected of the mutants of a function in a design."""

    operations: tuple[str, ...] = ()
    """The operations that call it."""
    others: tuple[str, ...] = ()
    """The other operations, if laws call it: one of them may break a law that says something else now."""
    met: frozenset[str] = frozenset()
    """Operations that do something soon in random runs, ways in which they soon end, and laws of whose premise some case is met
    soon."""
    beside: tuple[tuple[type[Design], type[Design]], ...] = ()
    """Designs to be run side by side, of which one only has the function."""
    refining: tuple[tuple[type[Design], type[Design]], ...] = ()
    """Pairs of designs, of which one only has the function, and each step of the first is one of the second."""
    completing: frozenset[str] = frozenset()
    """Operations that complete an instruction in some lawful state, although random runs seldom get there."""
    ended: frozenset[str] = frozenset()
    """Conditions that the text is proved to end, of which the function says what holds, or how it ends."""
    unproved: frozenset[str] = frozenset()
    """What is not proved of the text itself (``unproved``)."""


def judge(cls: type[Design], mutant: Mutant, due: Due, steps: int = STEPS) -> Verdict:
    """Put a mutant in the place of its function and judge it, cheapest first. The process is of no other use afterwards."""
    try:
        change(mutant.function, mutant.text())
        mutant.function.__globals__.setdefault("NOTHING", -1)
        design = outline(cls)
    except BadDesign as why:
        return Verdict(REFUSED, str(why).splitlines()[0])
    seen = runs(design, steps)
    if seen.broken is not None:
        return Verdict(BY_RUNS, seen.broken)
    if due.met - seen.met:
        return Verdict(BY_VACUITY, f"never met: {', '.join(sorted(due.met - seen.met))}")
    told = _told(due, AT_FIRST)
    if told is not None:
        return told
    try:
        proved = _proof(design, due)
    except (Unsound, BadDesign) as why:
        return Verdict(REFUSED, str(why).splitlines()[0])
    if proved.killed:
        return proved
    told = _told(due, PAIRS)
    if told is not None or proved.verdict != UNDECIDED:
        return told or proved
    explored = _explored(design)
    return Verdict(BY_EXPLORATION, explored) if explored else proved


@attrs.frozen
class Runs:
    """What random runs came to: the law that they break, if they break one, and what they met."""

    broken: str | None
    met: frozenset[str]


def runs(design: Outline, steps: int, seed: int = 0) -> Runs:
    """Random runs with a fixed number of steps, always the same ones, up to the first broken law; half as many steps in each
    further geometry."""
    found = _runs(design, design.cls.geometry, steps, seed)
    for geometry in design.cls.further_geometries:
        if found.broken is None:
            further = _runs(design, geometry, steps // 2, seed)
            found = Runs(further.broken, found.met | further.met)
    return found


def _runs(design: Outline, geometry: Geometry, steps: int, seed: int) -> Runs:
    search = _Noting(design, geometry, f"mutation {seed}")
    broken, number = None, 0
    while broken is None and search.steps < steps and number < steps:
        number += 1
        failure = search.run()
        if failure is not None:
            broken = failure.broken.law.name if failure.broken.law else failure.broken.error
    return Runs(broken, frozenset([*search.effective, *(law.name for law in search.machine.met)]))


class _Noting(Search):
    """Random runs that note which operations return something, or change something, and how they end."""

    def __init__(self, design: Outline, geometry: Geometry, seed: str) -> None:
        super().__init__(design, geometry, seed)
        self.effective: set[str] = {RESUME}

    def _take(self, kinds: list[list[Instance]]) -> tuple[Instance, Step, Any] | None:
        taken = super()._take(kinds)
        if taken is not None and (ended := _ended(taken[2])):
            self.effective.add(f"{taken[1].operation}: {ended}")
        if taken is not None and (name := taken[1].operation) not in self.effective:
            shows = self.design.operation(name).returns is not None
            if shows or any(True for _ in changes(self.design, self.machine.before, self.machine.state)):
                self.effective.add(name)
        return taken


def _ended(outcome: Any) -> str:
    """How an instruction ended, or the serving of an exit, if it says."""
    way = getattr(outcome, "result", getattr(reply_in(outcome, "shown"), "event", None))
    return way.name.lower() if isinstance(way, enum.Enum) and way.name not in WAITING else ""


def _told(due: Due, limit: int) -> Verdict | None:
    """That a guest can tell two designs apart, if it can."""
    for one, other in due.beside:
        if differ(one, other, limit):
            return Verdict(BESIDE, f"{one.__name__} beside {other.__name__}")
    return None


def differ(one: type[Design], other: type[Design], limit: int = PAIRS) -> bool:
    """Whether a guest can tell two designs apart in so many runs in each geometry."""
    try:
        for geometry in (one.geometry, *one.further_geometries):
            within = _mixed(geometry)
            if compare(outline(one), outline(other), seconds=float("inf"), limit=limit, geometry=within).difference is not None:
                return True
        return False
    except BadDesign:  # the one is in the language with the mutant, the other is not
        return False


def _mixed(geometry: Geometry) -> Geometry:
    """A geometry with two places of each kind, since with one there is nothing to mix up, and with a page that is not executed."""
    larger = geometry.resized(Index=max(2, geometry.size("Index")))
    cells = larger.only.get(Cell)
    return larger if cells is None else attrs.evolve(larger, only={**larger.only, Cell: (*cells, Cell(True, True, False, gfn=0))})


def completing(design: Outline, met: Collection[str]) -> frozenset[str]:
    """The guests' operations that complete an instruction in some lawful state, but for those that are known to."""
    machine, known = bare_machine_of(design), dict[str, Sequence[Formula]]()
    if machine is None:
        return frozenset()
    return frozenset(
        op.name
        for op in design.operations
        if op.by_guest
        and op.returns is not None
        and f"{op.name}: completed" not in met
        and prove_simulated(design, machine, op.name, known).completes
    )


def unproved(design: Outline) -> frozenset[str]:
    """What is not proved of a design itself. It says nothing of a mutant that it is not proved of that either."""
    found = set[str]()

    def note(what: str, verdict: Verdict) -> None:
        found.add(what)

    _doubted(design, Due(tuple(op.name for op in design.operations)), note)
    return frozenset(found)


def _proof(design: Outline, due: Due) -> Verdict:
    """The proof of the operations that a function concerns, to the first obligation that does not follow, and does of the text."""
    undecided: list[str] = []

    def judge(what: str, verdict: Verdict) -> Verdict | None:
        if verdict.verdict != UNDECIDED and what not in due.unproved:
            return verdict
        undecided.append(verdict.why if verdict.verdict == UNDECIDED else f"{what}: not proved of the design itself")
        return None

    wrong = _doubted(design, due, judge) or _stuck(design, due) or _refines_no_more(due)
    return wrong or (Verdict(UNDECIDED, undecided[0]) if undecided else Verdict(SURVIVED))


def _doubted(design: Outline, due: Due, judge: Callable[[str, Verdict], Verdict | None]) -> Verdict | None:
    """What is not proved of the operations that a function concerns, and that their steps are those of the machine that guests
    believe in, which complete instructions where the text does: each is judged, to the first that has a verdict."""
    for j in prove_initial(design).judgements:
        what = f"initial state: {j.law and j.law.name}"
        if j.verdict != "proved" and (found := judge(what, Verdict(NOT_SHOWN, f"{what}: {j.why}"))):
            return found
    known = dict[str, Sequence[Formula]]()
    for name in (*due.operations, *due.others):
        found = _doubted_of(design, name, judge) or _other_steps(design, name, due, known, judge)
        if found is not None:
            return found
    return None


def _doubted_of(design: Outline, name: str, judge: Callable[[str, Verdict], Verdict | None]) -> Verdict | None:
    taken = False
    with joined(design), about(name):
        for j in Induction(design, design.operation(name), timeout=TIMEOUT).doubts():
            if j.verdict == "proved":
                taken = True
                continue
            what = f"{name}: {j.law.name if j.law else f'soundness: {j.why}'}"
            gave_up = j.verdict == "unknown" and "the solver gave up" in j.why.split(";")[0]
            taken = taken or gave_up
            verdict = UNDECIDED if gave_up else BY_PROOF if j.verdict == "refuted" else NOT_SHOWN
            if found := judge(what, Verdict(verdict, what if verdict == BY_PROOF or not j.law else f"{what}: {j.why}")):
                return found
    what = f"{name} applies in no lawful state"
    return None if taken else judge(what, Verdict(BY_PROOF, what))


def _other_steps(
    design: Outline, name: str, due: Due, known: dict[str, Sequence[Formula]], judge: Callable[[str, Verdict], Verdict | None]
) -> Verdict | None:
    machine = bare_machine_of(design)
    if machine is None:
        return None
    steps = prove_simulated(design, machine, name, known)
    if steps.failing and "gave up" not in steps.failing[0]:
        return judge(f"simulation of {name}", Verdict(BY_PROOF, f"simulation: {steps.failing[0]}"))
    what = f"{name} completes no instruction in any lawful state"
    return judge(what, Verdict(BY_PROOF, what)) if name in due.completing and not steps.completes and not steps.failing else None


def _stuck(design: Outline, due: Due) -> Verdict | None:
    """That something pending, which the text ends, is not ended any more, or does not come to be pending."""
    if not due.ended:
        return None
    found = {p.pending.name: p for p in prove_progress(design)}
    open_ = [name for name in sorted(due.ended) if name not in found or not found[name].proved]
    if not open_:
        return None
    failure = end_everything(design, design.cls.geometry).failure
    if failure is not None:
        return Verdict(BY_RUNS, failure.broken.law.name if failure.broken.law else failure.broken.error or open_[0])
    why = found[open_[0]].failing if open_[0] in found else ()
    return Verdict(NOT_SHOWN, f"{open_[0]}: {why[0] if why else 'it holds in no lawful state'}")


def _refines_no_more(due: Due) -> Verdict | None:
    """That a design takes a step which another, of which it was a step, does not take."""
    for one, other in due.refining:
        design, known = outline(one), dict[str, Sequence[Formula]]()
        for op in design.operations:
            steps = prove_simulated(design, outline(other), op.name, known)
            if steps.failing and "gave up" not in steps.failing[0]:
                return Verdict(BY_PROOF, f"{design.name} refines {other.__name__} no more: {steps.failing[0]}")
    return None


class _Enough(Exception):
    """Raised when the exploration has reached its largest number of classes of states."""


def _explored(design: Outline) -> str | None:
    """The law that exploration finds broken, within its bound."""

    def progress(depth: int, classes: int, steps: int) -> None:
        if classes > CLASSES:
            raise _Enough

    native = compiled(design, design.cls.geometry)
    if native is None:
        return None
    try:
        failure = Exploring(native).run(progress=progress).failure
    except (_Enough, Unsound):
        return None
    return None if failure is None else failure.broken.law.name if failure.broken.law else failure.broken.error
