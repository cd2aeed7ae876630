"""``refmodel check``: designs by proof, by exploration, by random runs, and beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from refmodel import api
from refmodel.cli import completion
from refmodel.cli.common import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Ended,
    Html,
    Jobs,
    On,
    Seed,
    app,
    files_of,
    print_document,
    severity,
    status_of,
    to_be_written,
    write_page,
)
from refmodel.cli.comparing import compared
from refmodel.cli.loudness import loudness
from refmodel.cli.progress import Counting, at_work
from refmodel.cli.showing import page_of, say_done, show, show_in_a_line, show_report, show_suggestion
from refmodel.designs import COMBINED, SHIPPED, combined_in_little
from refmodel.engines.disagreeing import with_disagreements
from refmodel.engines.random import BATCH, Campaign, campaign, together
from refmodel.engines.reports_of_runs import of_campaign
from refmodel.engines.spread import Where, spread
from refmodel.engines.verdicts import EngineReport
from refmodel.language.design import Outline
from refmodel.language.unsound import BadDesign
from refmodel.loading import load, named_by, sizes_of
from refmodel.points import PAIRS, pairs_over
from refmodel.report.documents import DesignDocument, document

if TYPE_CHECKING:
    from refmodel.report.judged_documents import JudgedDocument

AT_ONCE = 2
"""Designs checked side by side: where one waits for its longest proof, another explores."""
QUICK = ("host_pages", "reservation", "memory", "interpreter")
"""What ``--quick`` checks without a name: designs that every engine is done with soon, the first soonest. With nothing
remembered they take 40 seconds of a processor, 19 of them for memory."""
RANDOM, RANDOM_IN_ALL, QUICK_RANDOM, QUICK_EXPLORING = 5.0, 16.0, 3.0, 20.0
"""Seconds of random runs: of one design, and of all together; and what ``--quick`` gives random runs and exploration."""


@app.command()
def check(
    design: Annotated[
        str | None,
        typer.Argument(
            help="the design to check: a shipped name, an MMU over mechanisms (ept over ksm, "
            "swapping), file.py, file.py:Class or package.module:Class; file.py:* for each class of "
            "a file that states laws; without it: every shipped design, and Unicorn",
            autocompletion=completion.designs,
        ),
    ] = None,
    law: Annotated[
        str | None,
        typer.Option(
            help="judge only this clause, such as ISO-2, or only this law, given by its name or its sentence",
            autocompletion=completion.clauses,
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="run only this engine: random, exhaustive, prove or bounded (may be repeated); a failed proof also explores",
            autocompletion=completion.engines,
        ),
    ] = None,
    geometry: Annotated[str | None, typer.Option(help="how many VMs, frames and so on there are: Vm=2,Mfn=4")] = None,
    quick: Annotated[
        bool,
        typer.Option(
            help="without a name: check a few small designs in half a minute on two idle cores; with a "
            "name: do only random runs and a short exploration of the design"
        ),
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(help="how many seconds of random runs to do; by default 5, or 16 for all designs together", min=0.1),
    ] = None,
    explore_seconds: Annotated[
        float | None,
        typer.Option(
            help="stop exploring after this many seconds; the bounded engine tries longer and longer runs until then", min=0.1
        ),
    ] = None,
    explore_depth: Annotated[int | None, typer.Option(help="explore only runs of up to this many steps", min=1)] = None,
    exact: Annotated[
        bool,
        typer.Option(
            help="explore in plain Python and store whole states instead of 64-bit keys; this is far "
            "slower, so it suits only small geometries"
        ),
    ] = False,
    depth: Annotated[
        int,
        typer.Option(
            help="have the bounded engine search all runs of up to this many steps; with "
            "--explore-seconds it searches longer runs too",
            min=1,
        ),
    ] = 4,
    seed: Seed = 0,
    fresh: Annotated[
        bool, typer.Option(help="prove and explore again, even if the result for a shipped design is remembered")
    ] = False,
    combined: Annotated[
        bool,
        typer.Option(
            help="without a name: check every MMU with all mechanisms at once, by random runs and "
            "proof; with --explore-depth N: explore every run of up to N steps, with two "
            "frames and one of everything else"
        ),
    ] = False,
    pairs: Annotated[
        bool,
        typer.Option(
            help="without a name: check each pair of mechanisms over an abstract MMU that may do whatever a correct MMU may do, "
            "and explore every reachable state"
        ),
    ] = False,
    mmu: Annotated[
        list[str] | None,
        typer.Option(
            help="with --pairs: check each pair of mechanisms over this MMU, such as ept, in "
            "the smallest geometry; may be repeated",
            autocompletion=completion.mmus,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="check no laws; run the design beside this other design, such as interpreter, and compare what guests see"
        ),
    ] = None,
    why: Annotated[
        bool,
        typer.Option(
            help="print for each law which other laws its proof uses; the last row names the laws that every proof may use "
            "(such a proof can take fifty times as long)"
        ),
    ] = False,
    suggest: Annotated[
        bool,
        typer.Option(
            help="for each law that is not inductive, look for additional laws that make it "
            "inductive; each is proved before it is printed"
        ),
    ] = False,
    examples: Annotated[
        int, typer.Option(help="print up to this many different runs that break a law, each without needless steps", min=1, max=20)
    ] = 1,
    runs: Annotated[
        int | None,
        typer.Option(
            help="do this many random runs, however long they take, and run no other engine; the "
            "runs do not depend on --jobs and --on",
            min=1,
        ),
    ] = None,
    tables: Annotated[bool, typer.Option(help="of several designs: print a table for each instead of one line")] = False,
    html: Html = None,
    jobs: Jobs = None,
    on: On = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Check designs by proof, by exploration and by random runs.

    Exit status: 0 every check passed, 1 a law fails or engines disagree, 2 bad input, 3 undecided, 130 the command was interrupted.
    """
    _refuse_what_does_not_go_together(design, engine, combined, pairs, against, runs, html)
    to_be_written([html], files_of(design))
    if mmu and not pairs:
        raise BadDesign("--mmu names the MMU under the pairs of mechanisms: use it only with --pairs")
    _refuse_without_proof(engine, why, suggest, pairs or against is not None or runs is not None)
    _refuse_with_quick(quick, engine, combined or pairs or against is not None or runs is not None)
    if examples > 1 and (against is not None or runs is not None):
        raise BadDesign("--examples prints several runs that break a law, and cannot be used with --against or --runs")
    several = [] if design is None else named_by(design)
    if against is not None and len(several) > 1:
        raise BadDesign(f"--against compares two designs; expected one of {', '.join(several)}")
    if design is not None and geometry is not None:
        sizes = ",".join(f"{sort}={size}" for sort, size in sizes_of(geometry).items())
        several = [f"{name}@{sizes}" for name in several]
    elif geometry is not None:
        raise BadDesign("--geometry needs the name of a design")
    if against is not None:
        raise typer.Exit(compared(several[0] if several else None, against, seconds or 5.0, seed, as_json))
    if design is None:
        names, usual_engines = _without_a_name(quick, combined, pairs, mmu, explore_depth)
    else:
        names, usual_engines = several, ("random", "exhaustive") if quick else ()
    engines = tuple(dict.fromkeys(engine or usual_engines))
    usual = (QUICK_RANDOM if quick else RANDOM) if design is not None else (QUICK_RANDOM if quick else RANDOM_IN_ALL) / len(names)
    asked = Asked(
        law,
        engines,
        seconds or usual,
        explore_seconds or (QUICK_EXPLORING if quick and design else None),
        explore_depth,
        depth,
        seed,
        fresh,
        why,
        suggest,
        examples,
        exact,
    )
    where = Where(jobs or (1 if len(several) == 1 else AT_ONCE), on)
    session = Session(law, as_json, in_lines=len(several) != 1 and not tables)
    if runs is not None:
        session.take(_counted(names, law, seed, runs, where), names)
    elif len(several) == 1:
        session.watch(several[0], attrs.evolve(asked, jobs=jobs if on is None else 1, on=on))
    else:
        session.spread(names, asked, where)
    if not session.interrupted and names == list(SHIPPED) and not (law or engine or runs):
        session.judge_unicorn(seed)
    session.end(html)


def _without_a_name(
    quick: bool, combined: bool, pairs: bool, mmu: Sequence[str] | None, explore_depth: int | None
) -> tuple[list[str], tuple[str, ...]]:
    """The designs that are checked where none is named, and the engines that judge them unless others are; none stands for those
    that are usual for each."""
    if quick:
        return list(QUICK), ()
    if combined:
        return (list(COMBINED), ()) if explore_depth is None else (combined_in_little(), ("exhaustive",))
    if pairs:
        return [name for each in mmu for name in pairs_over(each)] if mmu else list(PAIRS), ("exhaustive",)
    return list(SHIPPED), ()


# ---------------------------------------------------------------- doing


@attrs.frozen
class Asked:
    """What is asked of each design. It travels to processes that help."""

    law: str | None
    engines: tuple[str, ...]
    seconds: float
    explore_seconds: float | None
    explore_depth: int | None
    depth: int
    seed: int
    fresh: bool
    why: bool
    suggest: bool
    examples: int
    exact: bool
    jobs: int | None = 1
    on: str | None = None
    """Who shares an exploration that takes long."""

    def of(
        self,
        name: str,
        progress: api.Progress = lambda engine, text: None,
        finished: Callable[[EngineReport], None] = lambda report: None,
        so_far: Callable[[EngineReport], None] = lambda report: None,
    ) -> list[EngineReport]:
        """The reports on a design."""
        engines: Any = self.engines or None
        done = api.check(
            name,
            engines,
            law=self.law,
            seconds=self.seconds,
            explore_seconds=self.explore_seconds,
            explore_depth=self.explore_depth,
            depth=self.depth,
            seed=self.seed,
            remember=not self.fresh,
            why=self.why,
            suggest=self.suggest,
            examples=self.examples,
            exact=self.exact,
            jobs=self.jobs,
            on=self.on,
            progress=progress,
            finished=finished,
            so_far=so_far,
        )
        return list(done.engines)


class Session:
    """What was found so far, shown as it comes."""

    def __init__(self, law: str | None, as_json: bool, in_lines: bool) -> None:
        self.law, self.as_json, self.in_lines = law, as_json, in_lines
        self.documents: list[DesignDocument | JudgedDocument] = []
        self.shown: list[tuple[str, Outline, list[EngineReport]]] = []
        self.worst: int = HOLDS
        self.asked = 0
        """How many designs were asked about."""
        self.interrupted = False
        self.at = ""
        """What the engine that was ended was doing."""

    def take(self, answers: Iterator[list[EngineReport]], names: Sequence[str]) -> None:
        """Show each design's reports when they are there, until all are or the command is ended."""
        self.asked = len(names)
        try:
            for name, reports in zip(names, answers, strict=True):
                self.add(name, reports)
        except (Ended, KeyboardInterrupt):
            self.interrupted = True

    def spread(self, names: Sequence[str], asked: Asked, where: Where) -> None:
        """Have several designs checked at a time."""
        self.asked = len(names)
        try:
            with Counting("designs", names, quiet=self.as_json) as counting:
                self.take(spread(asked.of, names, where, counting.ended), names)
        except (Ended, KeyboardInterrupt):  # before the first was begun
            self.interrupted = True

    def watch(self, name: str, asked: Asked) -> None:
        """Check one design, and print what an engine found when it is found."""
        self.asked, begun = 1, list[EngineReport]()

        def shown(report: EngineReport, searches: bool = False) -> None:
            begun.append(report)
            if not self.as_json:
                show_report(name, _outline(name, self.law), report, self.law, begun[:-1], searches=searches)

        def finished(report: EngineReport) -> None:
            say_done(name, [report])
            if not begun or begun[-1].engine != report.engine:
                shown(report)
                return
            begun[-1] = report  # what is shown of it already lacks the suggestion
            if not self.as_json:
                show_suggestion(report)

        try:
            with at_work(name, quiet=self.as_json) as progress:

                def told(engine: str, text: str) -> None:
                    self.at = f"{engine}: {text}" if text else engine
                    progress(engine, text)

                reports = asked.of(name, told, finished, partial(shown, searches=True))
        except (Ended, KeyboardInterrupt):
            self.interrupted = True
            if not begun:
                return
            reports = with_disagreements(begun)
        self.add(name, reports, told=begun)

    def add(self, name: str, reports: list[EngineReport], told: Sequence[EngineReport] = ()) -> None:
        """Keep a design's reports, and show them unless they were."""
        outline = _outline(name, self.law)
        status = status_of(reports)
        self.worst = max(self.worst, status, key=severity)
        self.documents.append(document(name, outline, reports))
        self.shown.append((name, outline, reports))
        say_done(name, [report for report in reports if not any(report.engine == each.engine for each in told)])
        if self.as_json:
            return
        if self.in_lines and status == HOLDS:
            show_in_a_line(name, outline, reports)
        else:
            show(name, outline, reports, self.law, told=told)

    def judge_unicorn(self, seed: int) -> None:
        """Judge the walks of Unicorn, which comes along."""
        from refmodel.cli.judging_mmus import conclude, judged_by, judged_document
        from refmodel.oracle.known import new_titles

        try:
            verdicts, ran = judged_by("unicorn", 1.0, seed, quiet=self.as_json)
        except (Ended, KeyboardInterrupt):
            self.interrupted = True
            return
        self.documents += [judged_document(v) for v in verdicts]
        if loudness.verdicts_alone and not self.as_json:
            conclude("unicorn", verdicts, ran)
        self.worst = max(self.worst, FAILS if any(new_titles(v) for v in verdicts) else HOLDS, key=severity)

    def end(self, html: Path | None) -> None:
        """Write what is to be written, and end with the status of all that was found."""
        if html is not None:
            write_page(page_of(self.shown, self.law), html)
        if self.as_json:
            print_document(self.documents)
        if self.interrupted:
            raise Ended(
                f"ended before it was done: {len(self.shown)} of {self.asked} designs have a verdict"
                if self.asked > 1
                else "ended before it was done: what the engines above found is kept"
                if self.shown
                else f"ended before any engine was done{f' ({self.at})' if self.at else ''}"
            )
        raise typer.Exit(self.worst if self.shown else UNDECIDED)


def _refuse_what_does_not_go_together(
    design: str | None,
    engine: list[str] | None,
    combined: bool,
    pairs: bool,
    against: str | None,
    runs: int | None,
    html: Path | None,
) -> None:
    if runs is not None and set(engine or ()) - {"random"}:
        raise BadDesign("--runs counts random runs: it goes with --engine random only")
    if combined and pairs:
        raise BadDesign("--combined and --pairs cannot be used together; expected one of them")
    if (combined or pairs) and (design is not None or against is not None):
        raise BadDesign("--combined and --pairs choose the designs themselves: leave out the design name and --against")
    if against is not None and (html is not None or runs is not None):
        raise BadDesign("--against compares two designs, and cannot be used with --html or --runs")


def _refuse_without_proof(engine: list[str] | None, why: bool, suggest: bool, other: bool) -> None:
    if (why or suggest) and (other or (engine and "prove" not in engine)):
        raise BadDesign(f"{'--why' if why else '--suggest'} needs a proof: use it with --engine prove")


def _refuse_with_quick(quick: bool, engine: list[str] | None, other: bool) -> None:
    if quick and (engine or other):
        raise BadDesign("--quick chooses its own engines: use it alone or with a design name, without --engine")


def _outline(name: str, law: str | None) -> Outline:
    """The design; ``BadDesign`` if it lacks the law that is asked for."""
    outline = load(name)
    if law is not None:
        outline.asked(law)
    return outline


def _counted(names: Sequence[str], law: str | None, seed: int, runs: int, where: Where) -> Iterator[list[EngineReport]]:
    """The reports on a given number of random runs of each design, done in batches."""
    for name in names:
        batches = range(-(-runs // BATCH))
        done = together(list(spread(partial(one_batch, name, law, seed, runs), batches, where)))
        outline = _outline(name, law)
        yield [of_campaign(outline if law is None else outline.restricted(outline.asked(law)), done, (outline.cls.geometry,))]


def one_batch(name: str, law: str | None, seed: int, runs: int, number: int) -> Campaign:
    """A batch of so many random runs, whoever draws it; the last one may be smaller."""
    outline = _outline(name, law)
    judged = outline if law is None else outline.restricted(outline.asked(law))
    return campaign(
        judged, outline.cls.geometry, seconds=float("inf"), runs=min(BATCH, runs - number * BATCH), start=seed, first=number
    )
