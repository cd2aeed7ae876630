"""Pages that one can see a counterexample on: one file each, nothing fetched, drawn from templates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined

from refmodel.engines.verdicts import BAD, GOOD, EngineReport
from refmodel.language import Law
from refmodel.language.design import Outline
from refmodel.language.plurals import many
from refmodel.oracle.judging import Verdict
from refmodel.oracle.known import known_of
from refmodel.oracle.x86.nested_tests import NestedTest
from refmodel.report.files import put
from refmodel.report.grids import Grid, grid
from refmodel.report.stories import Story

TEMPLATES = Environment(
    loader=PackageLoader("refmodel.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
"""What pages and pictures are drawn from."""


@attrs.frozen
class Table:
    """A table of words: cells that say how they are to look, as ``(text, class)``."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]


@attrs.frozen
class Example:
    """A deviation of a real MMU: its class, the test in words, what was due and what came; the grid of a walk in two dimensions."""

    title: str
    known: str
    lines: tuple[str, ...]
    expected: str
    got: str
    grid: Grid | None


@attrs.frozen
class Page:
    title: str
    summary: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    stories: tuple[Story, ...] = ()
    plots: tuple[Any, ...] = ()
    """``report.policies.Plot``s."""
    examples: tuple[Example, ...] = ()


def write(page: Page, file: Path) -> None:
    """Write a page, whole or not at all. ``BadDesign`` if it cannot be written."""
    put(TEMPLATES.get_template("page.html.j2").render(page=page), file)


def verdicts(name: str, design: Outline, reports: Sequence[EngineReport]) -> Table:
    """Law by engine."""
    rows = []
    for law in [law for law in design.claims if any(law in report.verdicts for report in reports)]:
        cells = [_cell(r, law) for r in reports]
        rows.append(((law.clause, ""), (law.name.replace("_", " "), ""), *cells))
    return Table(f"{name}: laws", ("clause", "law", *(r.engine for r in reports)), tuple(rows))


def _cell(report: EngineReport, law: Law) -> tuple[str, str]:
    """A verdict in its words, and how it is to look."""
    if law not in report.verdicts:
        return "not asked", "open"
    verdict = report.verdicts[law]
    return report.words(law), "good" if verdict in GOOD else "bad" if verdict in BAD else "open"


def examples(verdict: Verdict) -> tuple[Example, ...]:
    """What an implementation did otherwise."""
    found = []
    for deviation in verdict.deviations:
        finding, test = deviation.finding, deviation.test
        known = known_of(verdict, deviation)
        found.append(
            Example(
                f"{finding.title} ({verdict.seen.get(finding.title, 0):,} times; {finding.source})",
                f"{known.name}: {known.evidence}" if known else "",
                tuple(test.lines()),
                finding.expected,
                finding.got,
                grid(test) if isinstance(test, NestedTest) else None,
            )
        )
    return tuple(found)


def kills(rows: Any, bugs: Any) -> Table:
    """Bugs by engines."""
    engines = tuple(kill.engine for kill in next(iter(rows.values()), ()))
    body = []
    for name, found in rows.items():
        cells = [
            (f"{k.clause}, {'not inductive' if k.engine == 'prove' else many(k.steps, 'step')}, {k.seconds:.1f} s", "good")
            if k.clause
            else (f"not found, {k.seconds:.1f} s", "open")
            for k in found
        ]
        body.append(((name, ""), (bugs[name].clause, ""), (bugs[name].told, ""), *cells))
    return Table("bugs by engine", ("bug", "clause", "what is wrong", *engines), tuple(body))
