"""``refmodel judge``: real MMUs, and traces of anybody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from refmodel.cli.common import (
    FAILS,
    HOLDS,
    MOST,
    UNDECIDED,
    Coverage,
    Ended,
    Html,
    Jobs,
    Junit,
    KnownFile,
    On,
    ReportFiles,
    Sarif,
    app,
    out,
    print_document,
    tell_unmet,
    to_be_written,
    write_page,
)
from refmodel.cli.loudness import loudness
from refmodel.cli.progress import Counting
from refmodel.engines.spread import Where, spread
from refmodel.language.plurals import many
from refmodel.language.unsound import BadDesign
from refmodel.oracle.implementations import IMPLEMENTATIONS
from refmodel.oracle.judging_traces import TRACE_JUDGES
from refmodel.oracle.trace.cutting import judge_in_pieces
from refmodel.oracle.trace.exercised import exercised
from refmodel.oracle.trace.expected import Expected, read_expected
from refmodel.oracle.trace.judge import judge_trace
from refmodel.oracle.trace.verdicts import TraceVerdict
from refmodel.report import ci, traces
from refmodel.report.judged_documents import TraceDocument

if TYPE_CHECKING:
    from refmodel.report.stories import Story

FORMATS = TRACE_JUDGES
MOST_DRAWN, MOST_STORIES = 4, 100
"""Traces of which a page has pictures, and traces of which it has lines: so a page is at most a megabyte."""


@app.command("judge")
def judge_command(
    names: Annotated[
        list[str],
        typer.Argument(
            help=f"an implementation ({', '.join(IMPLEMENTATIONS)}), or trace files, plain or "
            "compressed with gzip or zstd; - is standard input"
        ),
    ],
    seconds: Annotated[float, typer.Option(help="how many seconds to generate tests for each subject", min=0.1)] = 4.0,
    checks: Annotated[
        int | None,
        typer.Option(
            help="generate this many tests for each subject, however long they take; only slow subjects stop after --seconds", min=1
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="the seed of the random tests", min=0, max=MOST)] = 0,
    vectors: Annotated[
        Path | None, typer.Option(help="judge by the conformance vectors in this folder, instead of by random tests")
    ] = None,
    form: Annotated[str, typer.Option("--format", help=f"the format of traces: {' or '.join(FORMATS)}")] = "refmodel",
    html: Html = None,
    junit: Junit = None,
    sarif: Sarif = None,
    known: KnownFile = None,
    coverage: Coverage = False,
    jobs: Jobs = None,
    on: On = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Compare a real MMU with the model, or check a trace of any monitor against the laws.

    Exit status: 0 no new deviation, 1 new deviations, 2 bad input, 3 nothing was judged. Nothing is judged if the implementation is
    missing or ended, or if no event of the trace concerns memory.
    """
    if form not in FORMATS:
        raise BadDesign(f"--format {form}: no such format; expected {' or '.join(FORMATS)}")
    traces_given = len(names) > 1 or names[0] not in IMPLEMENTATIONS
    if traces_given and (vectors is not None or checks is not None):
        raise BadDesign("--vectors and --checks are for an implementation, not for traces")
    if not traces_given and (form != "refmodel" or on is not None or known is not None or coverage):
        raise BadDesign(f"--format, --known, --exercised and --on are for traces, and {names[0]} is an implementation")
    if coverage and form != "refmodel":
        raise BadDesign(f"--exercised is for refmodel's own format, and not for {form}")
    files = ReportFiles(html, junit, sarif)
    if traces_given:
        to_be_written([html, junit, sarif], [*names, known])
        with ci.beginning("judge", names, junit, sarif):
            expected = read_expected(known)
            _refuse_missing(names)
        raise typer.Exit(_judge_traces(names, FORMATS[form], Where(jobs or 1, on), as_json, files, expected, coverage))
    from refmodel.cli.judging_mmus import judge_implementation

    raise typer.Exit(judge_implementation(names[0], seconds, seed, checks, vectors, as_json, files))


def _refuse_missing(names: list[str]) -> None:
    """``BadDesign`` for a trace that is not there."""
    for name in names:
        if name in IMPLEMENTATIONS and not Path(name).exists():
            raise BadDesign(f"{name}: is an implementation, and cannot be judged together with traces; expected it alone")
        if name != "-" and Path(name).is_dir():
            raise BadDesign(f"{name}: is a directory; expected a trace, or one of {', '.join(IMPLEMENTATIONS)}")
        if name != "-" and not Path(name).exists():
            raise BadDesign(
                f"{name}: no such file, nor such an implementation; expected a trace, or one of {', '.join(IMPLEMENTATIONS)}"
            )
    if names.count("-") > 1:
        raise BadDesign("-: standard input can be given once")


def _judge_traces(
    names: list[str],
    judge_one: Callable[[str], TraceVerdict],
    where: Where,
    as_json: bool,
    files: ReportFiles,
    expected: Expected,
    coverage: bool,
) -> int:
    """Judge recorded traces."""
    verdicts = list[TraceVerdict]()
    try:
        with Counting("traces", names, quiet=as_json) as counting:
            in_pieces = len(names) == 1 and judge_one is judge_trace and (where.jobs > 1 or where.on is not None)
            judged = partial(judge_in_pieces, where=where) if in_pieces else judge_one
            for verdict in spread(judged, names, where if len(names) > 1 else Where(), counting.ended):
                verdicts.append(verdict)
    except (Ended, KeyboardInterrupt):
        _tell_all(verdicts, expected, as_json)
        raise Ended(f"ended before it was done: {len(verdicts)} of {len(names)} traces have a verdict") from None
    except BadDesign as why:
        _tell_all(verdicts, expected, as_json)
        errors = ci.of_errors("judge", names[len(verdicts) :], str(why))
        ci.save([*ci.of_traces(verdicts, expected), *errors], files.junit, files.sarif)
        raise
    ci.save(ci.of_traces(verdicts, expected), files.junit, files.sarif)
    if files.html is not None:
        _write_page(verdicts, judge_one is judge_trace, files.html)
    _tell_all(verdicts, expected, as_json)
    if coverage and not as_json:
        out.print("\n".join(exercised(v.met for v in verdicts).lines()), soft_wrap=True, markup=False)
    found = [verdict.deviation for verdict in verdicts if verdict.deviation is not None]
    tell_unmet(expected.unused(found))
    if any(expected.entry(each) is None for each in found):
        return FAILS
    return HOLDS if all(verdict.judged for verdict in verdicts) else UNDECIDED


def _tell_all(verdicts: Sequence[TraceVerdict], expected: Expected, as_json: bool) -> None:
    """The verdicts that there are, also where one of several traces cannot be judged."""
    if as_json:
        print_document([_trace_document(verdict, expected) for verdict in verdicts])
        return
    for verdict in verdicts:
        _tell(verdict, expected)


def _tell(verdict: TraceVerdict, expected: Expected) -> None:
    if loudness.verdicts_alone:
        out.verdict(traces.in_a_line(verdict, expected), markup=False)
    else:
        traces.told(out, verdict, expected)


def _trace_document(verdict: TraceVerdict, expected: Expected) -> TraceDocument:
    known = None if verdict.deviation is None else expected.entry(verdict.deviation)
    return TraceDocument(
        **attrs.asdict(verdict, recurse=False),
        known=None if known is None else known.reason,
        exercised=exercised([verdict.met]) if verdict.met else None,
    )


def _words(verdict: TraceVerdict) -> str:
    if verdict.deviation is not None:
        return "not lawful"
    return "lawful: no reported event contradicts the laws" if verdict.judged else "undecided: no event was judged"


def _write_page(verdicts: list[TraceVerdict], ours: bool, html: Path) -> None:
    from refmodel.report import pages

    said = tuple(f"{v.name}: {many(v.events, 'event')}; {'; '.join(v.told) or 'nothing missing'}; {_words(v)}" for v in verdicts)
    deviating = [v for v in verdicts if v.deviation]
    told = tuple(_story(v, ours and number < MOST_DRAWN) for number, v in enumerate(deviating[:MOST_STORIES]))
    write_page(pages.Page("refmodel judge", said, stories=told), html)


def _story(verdict: TraceVerdict, ours: bool) -> Story:
    from refmodel.report import stories, trace_stories

    found = verdict.deviation
    assert found is not None
    if verdict.name != "-" and ours:
        return trace_stories.of_trace(verdict.name, found)
    wrong = stories.Verdict(found.clause, found.law.replace("_", " "), found.sentence, found.why, found.expected)
    return trace_stories.of_lines(f"{verdict.name}: line {found.line} breaks {found.clause}", [*found.before, found.event], wrong)
