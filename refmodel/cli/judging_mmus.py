"""``refmodel judge`` of an implementation: real MMUs, by tests drawn or by vectors."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, Ended, ReportFiles, err, out, print_document, to_be_written, write_page
from refmodel.cli.progress import at_work
from refmodel.language.plurals import many
from refmodel.oracle.implementations import IMPLEMENTATIONS, Absent
from refmodel.oracle.judging import Lost, Verdict, judge
from refmodel.oracle.known import known_of, new_titles
from refmodel.oracle.vectors.running import run as run_vectors
from refmodel.report import ci, pages, terminal
from refmodel.report.judged_documents import DeviationDocument, JudgedDocument


def judge_implementation(
    name: str, seconds: float, seed: int, checks: int | None, vectors: Path | None, as_json: bool, files: ReportFiles
) -> int:
    """Judge a real MMU by tests drawn, or by vectors."""
    to_be_written([files.html, files.junit, files.sarif])
    ci.begin("judge", [name], files.junit, files.sarif)
    verdicts, ran = judged_by(name, seconds, seed, checks, vectors, quiet=as_json)
    ci.save(ci.of_implementations(verdicts), files.junit, files.sarif)
    if files.html is not None:
        said = tuple(
            f"{v.implementation}, {v.subject}: {many(v.checks, 'check')}, {many(len(v.deviations), 'class')} of deviation"
            for v in verdicts
        )
        examples = tuple(example for v in verdicts for example in pages.examples(v))
        write_page(pages.Page(f"refmodel judge {name}", said, examples=examples), files.html)
    if as_json:
        print_document([judged_document(v) for v in verdicts])
    if not as_json:
        conclude(name, verdicts, ran)
    if any(new_titles(v) for v in verdicts):
        return FAILS
    return HOLDS if ran and any(v.checks for v in verdicts) else UNDECIDED


def conclude(name: str, verdicts: Sequence[Verdict], ran: bool) -> None:
    """What judging an implementation comes to, in a line."""
    new = sum(len(new_titles(v)) for v in verdicts)
    if new:
        out.verdict(f"{name}: {many(new, 'new deviation')}", style="bold red")
    elif not ran or not any(v.checks for v in verdicts):
        out.verdict(f"{name}: undecided: nothing was judged", style="yellow")
    else:
        out.verdict(f"{name}: nothing new", style="green")


def judged_by(
    name: str, seconds: float, seed: int, checks: int | None = None, vectors: Path | None = None, *, quiet: bool
) -> tuple[list[Verdict], bool]:
    """The verdicts on every subject, shown as they come; and whether it all ran."""
    verdicts = []
    try:
        with contextlib.closing(IMPLEMENTATIONS[name].campaigns()) as campaigns, at_work(name, quiet=quiet) as told:
            for campaign in campaigns:
                told(campaign.subject, "")
                if vectors is not None:
                    verdict = run_vectors(campaign, vectors)
                elif checks is not None and not campaign.slow:
                    verdict = judge(campaign, seconds=1e9, start=seed, checks=checks)
                else:
                    verdict = judge(campaign, seconds=seconds, start=seed, checks=1_000_000_000)
                if verdict is None:
                    continue
                verdicts.append(verdict)
                if not quiet:
                    terminal.judged(out, verdicts[-1])
    except Absent as why:
        err.print(f"judge {name}: {'the rest is ' if verdicts else ''}skipped, {why}", soft_wrap=True)
        return verdicts, bool(verdicts)
    except Lost as why:
        err.print(f"judge {name}: {why}", soft_wrap=True)
        return verdicts, False
    except BaseException as why:
        if not (isinstance(why, KeyboardInterrupt) or Ended.asked):
            raise
        raise Ended(f"ended before it was done: {len(verdicts)} subjects of {name} have a verdict") from None
    return verdicts, True


def judged_document(verdict: Verdict) -> JudgedDocument:
    deviations = []
    for d in verdict.deviations:
        known = known_of(verdict, d)
        deviations.append(
            DeviationDocument(
                d.finding.title,
                d.finding.source,
                verdict.seen.get(d.finding.title, 0),
                known.name if known else None,
                tuple(d.test.lines()),
                d.finding.expected,
                d.finding.got,
            )
        )
    return JudgedDocument(
        verdict.implementation,
        verdict.subject,
        verdict.checks,
        round(verdict.seconds, 3),
        tuple(deviations),
        verdict.of,
        verdict.lacking,
        verdict.unexplained,
    )
