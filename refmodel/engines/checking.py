"""All engines over one design, and what they say together.

Each engine reports, for each law, one of: *proved* (any number of names, every operation), *holds* (every state of a stated
geometry), *not broken* (as far as random runs went), *fails* (with a run), *refuted* (a lawful state and a step from it; perhaps
no run gets there), *vacuous* (nothing it speaks of was ever met), *unknown*.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from refmodel.engines import bounded, exhaustive, induction, random
from refmodel.engines.machine import Failure, Machine
from refmodel.engines.proof_cache import PACKAGES, ProofCache
from refmodel.engines.scope import Witness
from refmodel.engines.stepwise import explore_stepwise
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry
from refmodel.language.laws import Law
from refmodel.language.unsound import BadDesign, Unsound

ENGINES = ("prove", "bounded", "exhaustive", "random")
DEFAULT = ("random", "exhaustive", "prove")
GOOD = {"proved", "holds", "not broken", "no run found"}
BAD = {"fails", "refuted"}


def usual(design: Outline) -> tuple[str, ...]:
    """The engines that judge a design unless the user says otherwise."""
    return tuple(engine for engine in DEFAULT if engine != "exhaustive" or design.cls.explored)


@attrs.frozen
class Report:
    """What one engine says."""

    engine: str
    verdicts: dict[Law, str]
    covered: str
    seconds: float
    failure: Failure | None = None
    geometry: Geometry | None = None
    witness: Witness | None = None
    operation: str = ""
    notes: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    """Obligations neither proved nor refuted, each with the reason."""

    @property
    def failed(self) -> bool:
        return self.failure is not None or self.witness is not None or any(v in BAD for v in self.verdicts.values())

    @property
    def undecided(self) -> bool:
        return bool(self.unproved) or any(v not in GOOD | BAD and v != "vacuous" for v in self.verdicts.values())


Notice = Callable[[str, str], None]
"""Told the engine at work and how far it is."""


def examined(design: Outline) -> None:
    """``BadDesign`` if the laws do not hold before anything has happened, or the text cannot be read symbolically."""
    machine = Machine(design, design.cls.geometry)
    broken = machine.broken(None, (), None)
    if broken is not None:
        names = ", ".join(f"{n} {v}" for n, v in broken.names)
        where = broken.law.name if broken.law else broken.error
        raise BadDesign(f"{design.name}: the initial state breaks {broken.clause} ({where}) for {names or 'the state'}: "
                        f"{broken.sentence}")


def check_random(design: Outline, seconds: float, seed: int, notice: Notice) -> Report:
    """Random runs."""
    notice("random", "")
    return of_campaign(design, random.campaign(design, design.cls.geometry, seconds=seconds, start=seed))


def of_campaign(design: Outline, done: random.Campaign) -> Report:
    """What random runs say of a design."""
    geometry = design.cls.geometry
    verdicts = _held(design, "not broken", done.met)
    if done.failure is not None and done.failure.broken.law is not None:
        verdicts = {**dict.fromkeys(design.laws, "stopped"), done.failure.broken.law: "fails"}
    rate = done.steps / done.seconds if done.seconds else 0
    covered = f"{done.steps:,} steps in {done.runs:,} runs ({rate:,.0f} a second), every law after every step; {geometry}"
    return Report("random", verdicts, covered, done.seconds, done.failure, geometry, notes=_never(design, done.applied))


def _explore(design: Outline, geometry: Geometry, seconds: float | None, seed: int = 1,
             progress: exhaustive.Progress | None = None) -> exhaustive.Exploration:
    if not exhaustive.fits_columns(design):
        return explore_stepwise(design, geometry, seconds=seconds, progress=progress)
    return exhaustive.explore(design, geometry, seconds=seconds, seed=seed, progress=progress)


def check_exhaustive(design: Outline, seconds: float | None, seed: int, notice: Notice) -> Report:
    """Every state of the design's own geometry, and of the others that it names."""
    def progress(depth: int, classes: int) -> None:
        notice("exhaustive", f"depth {depth}, {classes:,} classes of states")

    explored: list[exhaustive.Exploration] = []
    covered = []
    for geometry in (design.cls.geometry, *design.cls.further_geometries):
        done = _explore(design, geometry, seconds, seed, progress)
        explored.append(done)
        covered.append(_explored(done, geometry))
        if done.failure is not None:
            break
    complete = all(d.complete for d in explored)
    if done.failure is not None:
        verdicts = dict.fromkeys(design.laws, "stopped")
        if done.failure.broken.law is not None:
            verdicts[done.failure.broken.law] = "fails"
    else:
        verdicts = _held(design, "holds" if complete else "not complete", frozenset(law for d in explored for law in d.met))
    notes = _never(design, sum((d.applied for d in explored), Counter())) if complete else ()
    return Report("exhaustive", verdicts, "; and ".join(covered), sum(d.seconds for d in explored), done.failure, geometry,
                  notes=notes)


def _explored(done: exhaustive.Exploration, geometry: Geometry) -> str:
    to_the_end = "to the last state" if done.complete else f"to depth {done.depth}, not to the end"
    return (f"{done.states:,} states in {done.classes:,} classes up to names, {done.steps:,} steps, depth {done.depth}, "
            f"{to_the_end}; {geometry}")


def check_proof(design: Outline, clause: str | None, notice: Notice) -> Report:
    """Induction, for any number of names."""
    began = time.perf_counter()
    seen: list[str] = []

    def progress(operation: str) -> None:
        seen.append(operation)
        notice("prove", f"{len(seen)} of {len(design.operations)} operations")

    notice("prove", "")
    done = induction.prove(design, clause=clause, progress=progress)
    laws = [law for law in design.laws if clause in (None, law.clause)]
    verdicts: dict[Law, str] = dict.fromkeys(laws, "stopped" if done.skipped else "proved")
    unproved = []
    for j in done.judgements():
        if j.verdict == "proved":
            continue
        if j.law is not None:
            verdicts[j.law] = "refuted" if j.verdict == "refuted" or verdicts[j.law] == "refuted" else "unknown"
        if j.verdict == "unknown":
            unproved.append(f"{j.operation} / {j.law.name if j.law else 'soundness'}: {j.why}")
    reached = random.campaign(design, design.cls.geometry, seconds=1.0, runs=400)
    notes = _never(design, reached.applied) if reached.failure is None else ()
    notes += tuple(f"{p.operation} applies in no lawful state: nothing is said of it" for p in done.proofs if not p.paths)
    refuted = done.refuted
    way_there = None if refuted is None else _way_there(design, clause, notice)
    number = sum(j.verdict == "proved" for j in done.judgements())
    covered = f"{number} obligations proved (operation x law) by induction, for any number of names"
    return Report("prove", verdicts, covered, time.perf_counter() - began, way_there, design.cls.geometry,
                  witness=refuted.witness if refuted else None, operation=refuted.operation if refuted else "",
                  notes=notes, unproved=tuple(unproved) if not refuted else ())


def _way_there(design: Outline, clause: str | None, notice: Notice) -> Failure | None:
    """A shortest run to where a law is broken: what is refuted from some lawful state may be out of every run's reach."""
    notice("prove", "a law is refuted; looking for a run that breaks it")
    judged = design if clause is None else design.restricted(clause)
    return _explore(judged, design.cls.geometry, 20).failure


def check_bounded(design: Outline, clause: str | None, depth: int, seconds: float, notice: Notice) -> Report:
    """Every run from power-on of so many steps, by the solver."""
    notice("bounded", "")
    done = bounded.search(design, depth, clause=clause, seconds=seconds,
                          progress=lambda step: notice("bounded", f"runs of {step} steps"))
    laws = [law for law in design.laws if clause in (None, law.clause)]
    verdicts: dict[Law, str] = dict.fromkeys(laws, "no run found" if done.complete else "not complete")
    if done.failure is not None:
        verdicts = dict.fromkeys(laws, "stopped")
        if done.failure.broken.law is not None:
            verdicts[done.failure.broken.law] = "fails"
    end = "" if done.complete or done.failure else f", not to {depth}: the time was up"
    covered = f"every run of up to {done.depth} steps from power-on{end}; {design.cls.geometry}"
    return Report("bounded", verdicts, covered, done.seconds, done.failure, design.cls.geometry)


def _held(design: Outline, verdict: str, met: frozenset[Law]) -> dict[Law, str]:
    """The verdict, but for laws whose premise was never met."""
    return {law: verdict if law in met or not design.is_conditional(law) else "vacuous" for law in design.laws}


def _never(design: Outline, applied: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"{op.name} never applied" for op in design.operations if not applied.get(op.name))


REMEMBERED = ("prove", "exhaustive")
"""The engines whose answer is always the same, so that it need not be worked out twice."""


def _theorem(design: Outline, engine: str, clause: str | None, explore_seconds: float | None, seed: int) -> str | None:
    """What an engine would show of a design, as a name; None for a design that is not one of this project's modules, since what
    its text depends on is not known."""
    cls = design.cls
    if engine not in REMEMBERED or cls.__module__.split(".")[0] not in PACKAGES or "<locals>" in cls.__qualname__:
        return None
    bound = f" {explore_seconds} {seed}" if engine == "exhaustive" else ""
    return f"{engine} {cls.__module__}.{cls.__qualname__} {clause} {cls.geometry!r}{bound}"


def _text(design: Outline) -> str:
    """What the answer depends on besides: the engines' text."""
    return f"{design.cls.__module__} refmodel.engines.checking"


def _recalled(design: Outline, engine: str, kept: dict[str, Any]) -> Report | None:
    laws = {law.name: law for law in design.laws}
    if not set(kept["verdicts"]) <= set(laws):
        return None
    verdicts = {laws[name]: verdict for name, verdict in kept["verdicts"].items()}
    return Report(engine, verdicts, f"{kept['covered']}; remembered of the very same text", float(kept["seconds"]),
                  geometry=design.cls.geometry, notes=tuple(kept["notes"]))


def check(design: Outline, engines: Sequence[str] = DEFAULT, *, clause: str | None = None, seconds: float = 5.0,
          explore_seconds: float | None = None, depth: int = 4, seed: int = 0,
          notice: Notice = lambda engine, text: None, cache: ProofCache | None = None) -> list[Report]:
    """Let the engines judge a design, one after the other; ``BadDesign`` if it is none.

    With a cache, what was proved or explored before of the very same text is not again.
    """
    examined(design)
    reports = []
    judged = design if clause is None else design.restricted(clause)
    for engine in engines:
        theorem = _theorem(design, engine, clause, explore_seconds, seed) if cache else None
        if cache and theorem and (kept := cache.recall(theorem, _text(design))):
            recalled = _recalled(design, engine, kept)
            if recalled is not None:
                reports.append(recalled)
                continue
        try:
            if engine == "random":
                reports.append(check_random(judged, seconds, seed, notice))
            elif engine == "exhaustive":
                reports.append(check_exhaustive(judged, explore_seconds, seed + 1, notice))
            elif engine == "prove":
                reports.append(check_proof(design, clause, notice))
            elif engine == "bounded":
                reports.append(check_bounded(design, clause, depth, 120.0, notice))
            else:
                raise BadDesign(f"{engine}: no such engine; expected one of {', '.join(ENGINES)}")
        except induction.Refusal as why:
            raise BadDesign(f"the text means something else on solver terms: {why}") from None
        except Unsound as why:
            raise BadDesign(f"the text means something else on solver terms: {why}") from None
        done = reports[-1]
        if cache and theorem and not done.failed and not done.undecided:
            cache.keep(theorem, _text(design), done.seconds, covered=done.covered, notes=list(done.notes),
                       verdicts={law.name: verdict for law, verdict in done.verdicts.items()})
    return reports
