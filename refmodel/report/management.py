"""Tables about managing memory: of strategies, mechanisms, savings, estimators, costs, published results."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import attrs
from rich.table import Table as TerminalTable

from refmodel.management.comparison import Score
from refmodel.management.costs import table as costs_table
from refmodel.management.estimating.estimators import Error
from refmodel.management.mechanisms import Regained
from refmodel.management.published import Result
from refmodel.management.saving import Saved
from refmodel.report.pages import Table as PageTable

LINE = 30
"""Characters of a heading in one line, at most, where cells are as long."""


@attrs.frozen
class Table:
    """Words in rows and columns; the first column is left-aligned."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def on_terminal(self) -> TerminalTable:
        """For a terminal. A heading is as narrow as its longest word, so that numbers stay whole; where there is no room for that
        either, what does not fit goes on below."""
        told = TerminalTable(title=self.title, title_justify="left")
        for number, column in enumerate(self.head):
            cells = max((len(row[number]) for row in self.rows), default=0)
            head = textwrap.fill(column, max(min(cells, LINE), *map(len, column.split())))
            told.add_column(head, justify="right" if number else "left", overflow="fold")
        for row in self.rows:
            told.add_row(*row)
        return told

    def on_page(self) -> PageTable:
        """For a page."""
        return PageTable(self.title, self.head, tuple(tuple((cell, "") for cell in row) for row in self.rows))

    def in_markdown(self) -> str:
        """For a chapter."""
        rule = "|" + "---|" * len(self.head)
        return "\n".join([f"| {' | '.join(self.head)} |", rule, *(f"| {' | '.join(row)} |" for row in self.rows)])


def percent(part: float | None) -> str:
    """A part of 1, per cent, with a decimal; a dash for none."""
    return "-" if part is None else f"{100 * part:.1f} %"


def strategies(workload: str, scores: Sequence[Score], origin: str = "") -> Table:
    """How strategies do on a workload, and what of that was recorded."""
    rows = tuple(
        (
            s.strategy,
            percent(s.throughput),
            percent(s.lost) if s.strategy != "bound" else "-",
            percent(s.worst),
            "-" if s.fairness is None else f"{s.fairness:.2f}",
            percent(s.entitled),
            "-" if s.reaction is None else f"{s.reaction:.1f}",
            percent(s.moved),
            f"{s.again:,}",
        )
        for s in scores
    )
    title = f"strategies on {workload}{origin and f' ({origin})'}"
    return Table(
        title,
        (
            "strategy",
            "throughput",
            "lost against the bound",
            "throughput of the worst VM",
            "Jain's index",
            "of what is due",
            "periods to react",
            "memory moved a period",
            "pages read again",
        ),
        rows,
    )


def regained(recording: str, found: Sequence[Regained]) -> Table:
    """What mechanisms cost where memory is short."""
    rows = tuple(
        (
            r.mechanism,
            percent(r.part),
            f"{r.reads:,}",
            f"{r.writes:,}",
            f"{r.expanded:,}",
            f"{r.copied:,}",
            f"{r.deflated:,}",
            percent(r.waited),
        )
        for r in found
    )
    return Table(
        f"mechanisms on {recording}",
        (
            "mechanism",
            "memory regained",
            "pages read",
            "pages written",
            "pages expanded",
            "pages from a pool",
            "pages taken back",
            "time waited",
        ),
        rows,
    )


def savings(found: Sequence[tuple[str, Saved]]) -> Table:
    """What sharing, patching and compressing save."""
    rows = tuple(
        (
            name,
            f"{s.pages:,}",
            f"{s.zero:,}",
            percent(s.part(s.shared)),
            percent(s.part(s.patched)),
            percent(s.part(s.compressed)),
            percent(s.part(s.all)),
        )
        for name, s in found
    )
    return Table(
        "memory saved",
        (
            "contents",
            "pages",
            "pages of zeroes, except one",
            "by sharing",
            "by sharing and patching",
            "by compressing alone",
            "by all three",
        ),
        rows,
    )


def estimators(recording: str, found: Sequence[Error]) -> Table:
    """How far estimators are off."""
    rows = tuple((e.estimator, percent(e.mean), f"{100 * e.bias:+.1f} %", f"{e.faults:,.1f}") for e in found)
    return Table(f"estimators on {recording}", ("estimator", "mean error", "bias", "exits or accesses looked at, a period"), rows)


def costs() -> Table:
    """The cost model."""
    rows = tuple(
        (name, f"{value} {source.unit}", f"{source.here} {source.unit}" if source.here else "-", source.what, source.reference)
        for name, value, source in costs_table()
    )
    return Table("costs", ("parameter", "value", "measured on one machine", "meaning", "source of the value"), rows)


def published(found: Sequence[Result]) -> Table:
    """Published results beside ours."""
    return Table(
        "published results",
        ("experiment", "paper", "published result", "workload here", "result here", "comparison"),
        tuple((r.what, r.where, r.published, r.on, r.ours, r.why) for r in found),
    )
