"""refmodel from Python: check a design, and show what breaks it. ``import refmodel`` gives every name.

    import refmodel
    report = refmodel.check("ept", engines=["exhaustive"])
    assert report.holds and report.engine("exhaustive").numbers.states > 10_000_000

The commands are made of the same functions. Bad input raises ``BadDesign``, with the file, the line and what was expected.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import attrs

from refmodel.engines import checking
from refmodel.engines.asked import Asked
from refmodel.engines.broken_runs import BrokenRun, spec_of_class
from refmodel.engines.machine import Failure
from refmodel.engines.proof_cache import ProofCache
from refmodel.engines.replaying import replay as run_again
from refmodel.engines.several import several
from refmodel.engines.spread import Where
from refmodel.engines.tokens import Said, decode, has_changed, places, spec_of
from refmodel.engines.verdicts import EngineReport, Numbers, Status, Verdict, conclusion, status_of
from refmodel.language import BadDesign, Design, Geometry, Law
from refmodel.language.design import Outline
from refmodel.language.kept import forget
from refmodel.loading import find, in_geometry, load, read
from refmodel.report import documents, figures, pages
from refmodel.report import stories as stories_of

Engine = Literal["random", "exhaustive", "prove", "bounded"]
_ONE_AT_A_TIME = threading.RLock()
"""Kept while a design is checked: z3, and what is remembered of designs, are of the whole process."""
Progress = Callable[[str, str], None]
"""Called with the name of the engine at work, and with how far it is."""


@attrs.frozen
class Report:
    """What the engines say of a design, together."""

    design: Outline
    """The design as it was judged: its tables, operations, laws and geometry."""
    spec: str | None
    """The design's name as ``refmodel replay`` finds it; None for a class that no name leads to."""
    engines: tuple[EngineReport, ...]
    """A report of each engine, in the order in which they were asked."""

    @property
    def status(self) -> Status:
        """What it comes to; the command ends with this exit status."""
        return status_of(self.engines)

    @property
    def holds(self) -> bool:
        """Whether what was asked was shown. Of a law that fails and of one that is undecided this is False."""
        return self.status is Status.HOLDS

    @property
    def conclusion(self) -> str:
        """What it comes to, in words."""
        return conclusion(self.engines)

    @property
    def verdicts(self) -> dict[str, dict[str, Verdict]]:
        """By the name of a law and the name of an engine. A law that was not asked about is not there."""
        laws = dict.fromkeys(law for each in self.engines for law in each.verdicts)
        return {law.name: {each.engine: each.verdicts[law] for each in self.engines if law in each.verdicts} for law in laws}

    @property
    def broken_runs(self) -> tuple[BrokenRun, ...]:
        """The run of each engine that found one which breaks a law, and the further runs that were asked for."""
        return tuple(
            self._run(each, failure) for each in self.engines for failure in each.examples or (each.failure,) if failure is not None
        )

    def engine(self, name: Engine) -> EngineReport:
        """The report of one engine. Raises ``KeyError`` if it was not asked."""
        for each in self.engines:
            if each.engine == name:
                return each
        raise KeyError(f"{name} did not run, but {', '.join(each.engine for each in self.engines)}")

    def document(self) -> dict[str, Any]:
        """What ``refmodel check --json`` prints of the design."""
        made: dict[str, Any] = documents.plain(documents.document(self.spec or self.design.name, self.design, self.engines))
        return made

    def __str__(self) -> str:
        """What it comes to, a line for each engine, and the runs that break a law."""
        lines = [
            f"{self.design.name}: {self.conclusion}",
            *(f"  {each.engine}: {each.why or each.covered}; {each.seconds:.1f} s" for each in self.engines),
        ]
        return "\n\n".join(["\n".join(lines), *map(str, self.broken_runs)])

    def __reduce__(self) -> Any:
        raise TypeError("a report stays in its process, as its design does; expected report.document()")

    def __repr__(self) -> str:
        return f"<Report on {self.design.name}: {self.status}, by {', '.join(each.engine for each in self.engines)}>"

    def _run(self, report: EngineReport, failure: Failure) -> BrokenRun:
        return BrokenRun(self.design, report.geometry or self.design.cls.geometry, failure, self.spec, report.clause)


def check(
    design: type[Design] | Outline | str,
    engines: Sequence[Engine] | None = None,
    *,
    geometry: Geometry | Mapping[str, int] | None = None,
    law: str | None = None,
    seconds: float = 5.0,
    runs: int | None = None,
    explore_seconds: float | None = None,
    explore_depth: int | None = None,
    depth: int = 4,
    seed: int = 0,
    remember: bool = True,
    why: bool = False,
    suggest: bool = False,
    examples: int = 1,
    exact: bool = False,
    jobs: int | None = None,
    on: str | None = None,
    progress: Progress = lambda engine, text: None,
    finished: Callable[[EngineReport], None] = lambda report: None,
    so_far: Callable[[EngineReport], None] = lambda report: None,
) -> Report:
    """Check a design with one or more engines, one after the other.

    ``design`` is a class, its ``outline``, or a name as ``refmodel check`` takes it. ``engines`` are ``random``, ``exhaustive`` and
    ``prove`` unless others are named. ``geometry`` is a ``Geometry``, or a number for some types of names, such as
    ``{"Vm": 2, "Mfn": 4}``; without it, the design's own is used. ``law`` is a clause, such as ``ISO-2``, whose laws alone are
    judged, or a law by its name or its sentence.

    Random runs take ``seconds``, or there are ``runs`` of them, always the same from the same ``seed``. An exploration takes
    ``explore_seconds`` at most, and judges runs of ``explore_depth`` steps at most; the bounded engine looks ``depth`` steps ahead,
    and with ``explore_seconds`` at longer runs too, until the time is up.

    ``remember`` keeps results about refmodel's own designs from one process to the next. ``why`` makes the proof report which laws
    it uses; ``suggest`` makes the proof search for missing laws. ``examples`` is the number of different runs that break laws to
    search for, once one is found; random runs find those after the first. ``exact`` stores whole states instead of 64-bit keys, in
    plain Python: far slower, without the risk of a key collision. ``jobs`` processes share a long exploration (default: one for
    each processor), or the workers of the Dask scheduler at the address ``on`` share it.

    ``progress`` is called as work goes on, and ``finished`` with each engine's report. ``so_far`` is called with the report of a
    proof before missing laws are searched for.

    Raises ``BadDesign`` if it is no design, if the clause or an engine is unknown, or if no engine can read the text.
    """
    names = engines if isinstance(engines, Sequence) and not isinstance(engines, str) else ()
    if engines is not None and not (names and all(isinstance(each, str) for each in names)):
        raise BadDesign(f'engines: {engines!r}; expected a list of names, such as ["random"]')
    for what, time in (("seconds", seconds), ("explore_seconds", explore_seconds)):
        if time is None and what == "explore_seconds":
            continue
        if isinstance(time, bool) or not (isinstance(time, int | float) and time >= 0):  # nan is none either
            raise BadDesign(f"{what}: {time!r}; expected a number of seconds")
    for what, number in (
        ("runs", 1 if runs is None else runs),
        ("depth", depth),
        ("examples", examples),
        ("explore_depth", 1 if explore_depth is None else explore_depth),
        ("jobs", 1 if jobs is None else jobs),
    ):
        if type(number) is not int or number < 1:
            raise BadDesign(f"{what}: {number!r}; expected a whole number from 1 on")
    if not isinstance(on, str | None):
        raise BadDesign(f"on: {on!r}; expected the address of a Dask scheduler")
    if not isinstance(law, str | None):
        raise BadDesign(f"law: {law!r}; expected a clause, such as ISO-2, or a law by its name or its sentence")
    for what, told in (("progress", progress), ("finished", finished), ("so_far", so_far)):
        if not callable(told):
            raise BadDesign(f"{what}: {told!r}; expected a function")
    if type(seed) is not int or not 0 <= seed < 1 << 63:
        raise BadDesign(f"seed: {seed!r}; expected a whole number of at most 63 bits")
    with _ONE_AT_A_TIME:
        outline, spec = named(design, geometry)
        asked = Asked(
            clause=None if law is None else outline.asked(law),
            seconds=seconds,
            runs=runs,
            explore_seconds=explore_seconds,
            explore_depth=explore_depth,
            exact=exact,
            depth=depth,
            seed=seed,
            why=why,
            suggests=suggest,
            where=None if jobs is None and on is None else Where(jobs or 1, on),
            so_far=so_far,
        )
        reports = checking.check(
            outline,
            tuple(engines or checking.usual(outline)),
            asked,
            notice=progress,
            cache=ProofCache() if remember else None,
            finished=finished,
        )
        return Report(outline, spec, tuple(_with_examples(outline, reports, examples, seed)))


def _with_examples(design: Outline, reports: Sequence[EngineReport], number: int, seed: int) -> list[EngineReport]:
    """The reports, with further runs where there is the shortest one that breaks a law."""
    broken = [each for each in reports if each.failure is not None]
    if number < 2 or not broken:
        return list(reports)
    shortest = min(broken, key=lambda each: len(each.failure.run.steps) if each.failure else 0)
    assert shortest.failure is not None
    found = several(design, shortest.geometry or design.cls.geometry, shortest.failure, number, seed)
    fail = {each.broken.law: Verdict.FAILS for each in found if each.broken.law in shortest.verdicts}
    return [
        attrs.evolve(each, examples=found, verdicts={**each.verdicts, **fail}) if each is shortest else each for each in reports
    ]


def prove(design: type[Design] | str, *, law: str | None = None, progress: Progress = lambda engine, text: None) -> Report:
    """Prove that every operation of a design keeps every law, for any number of names. Raises as ``check`` does."""
    return check(design, ["prove"], law=law, progress=progress)


def explore(
    design: type[Design] | str,
    *,
    geometry: Geometry | Mapping[str, int] | None = None,
    law: str | None = None,
    seconds: float | None = None,
    progress: Progress = lambda engine, text: None,
) -> Report:
    """Visit every state of a design in a geometry, to the last one or for so many seconds at most. Raises as ``check`` does."""
    return check(design, ["exhaustive"], geometry=geometry, law=law, explore_seconds=seconds, progress=progress)


def replay(token: str) -> BrokenRun | None:
    """The run of a replay token, run again; None if it breaks no law.

    ``BadDesign`` if it is no token, if its design is not found, or if a step no longer applies to the design's text.
    """
    if not isinstance(token, str):
        raise BadDesign(f"{token!r}: not a replay token; expected a string")
    _, said = spec_of(token)
    spec, outline = meant(said)
    judged = by_clause(outline, said)
    geometry, run = decode(outline, said)
    told = list(run_again(judged, geometry, run))
    broken = told[-1].broken if told else None
    return None if broken is None else BrokenRun(outline, geometry, Failure(run, broken), spec)


def by_clause(outline: Outline, said: Said) -> Outline:
    """The design with what its token is judged by: a clause or a law, or all if it has neither."""
    return outline.restricted(said.clause) if said.clause and any(law.is_asked(said.clause) for law in outline.claims) else outline


def meant(said: Said) -> tuple[str, Outline]:
    """The design that a token means: where a relative path leads to two files, the one whose text the token was made of."""
    found = [(spec, load(spec)) for spec in places(said)]
    return next(((spec, outline) for spec, outline in found if not has_changed(outline, said)), found[0])


def named(design: type[Design] | Outline | str, geometry: Geometry | Mapping[str, int] | None = None) -> tuple[Outline, str | None]:
    """A design, well formed and in that geometry, and its name for a token. Raises ``BadDesign``."""
    cls = find(design) if isinstance(design, str) else design.cls if isinstance(design, Outline) else design
    if not (isinstance(cls, type) and issubclass(cls, Design)):
        raise BadDesign(f"{design!r} is no design; expected a class derived from refmodel.Design, or a name")
    if not isinstance(design, Outline) and not cls.__module__.startswith("refmodel."):
        forget()
    spec = design if isinstance(design, str) else spec_of_class(cls)
    if not (
        geometry is None
        or isinstance(geometry, Geometry)
        or (isinstance(geometry, Mapping) and all(isinstance(sort, str) for sort in geometry))
    ):
        raise BadDesign(f'geometry: {geometry!r}; expected a Geometry, or numbers of names such as {{"Vm": 2, "Mfn": 4}}')
    if isinstance(design, Outline) and geometry is None:
        return design, spec
    return read(cls if geometry is None else in_geometry(cls, geometry)), spec


# ---------------------------------------------------------------- pictures


def draw(run: BrokenRun) -> str:
    """The last state of a run as an SVG picture: its steps, tables, frames, and the entries that break the law. ``BadDesign`` if it
    is no run."""
    if not isinstance(run, BrokenRun):
        raise BadDesign(f"{run!r:.200} is no run; expected a BrokenRun, such as one of report.broken_runs")
    return figures.figure(run)


def write_page(report: Report, file: str | PathLike[str]) -> None:
    """Write an HTML page on which the runs that break laws can be stepped through. ``BadDesign`` if it cannot be written, or if
    there is no report to write."""
    if not isinstance(report, Report):
        raise BadDesign(f"{report!r:.200} is no report; expected what refmodel.check returns")
    if not isinstance(file, str | PathLike):
        raise BadDesign(f"{file!r:.200}: expected the path of a file")
    stories = tuple(
        stories_of.of_broken_run(run, f"{report.design.name}: a run that breaks {run.clause}") for run in report.broken_runs
    )
    table = pages.verdicts(report.design.name, report.design, report.engines)
    pages.write(pages.Page(f"refmodel: {report.design.name}", (report.conclusion,), (table,), stories), Path(file))


__all__ = [
    "BrokenRun",
    "Engine",
    "EngineReport",
    "Law",
    "Numbers",
    "Report",
    "Status",
    "Verdict",
    "check",
    "draw",
    "explore",
    "prove",
    "replay",
    "write_page",
]
