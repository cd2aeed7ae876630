"""What ``refmodel explain policy`` shows: who had how much memory, over time."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from rich.table import Table
from rich.text import Text

from refmodel.management.scenario import Workload
from refmodel.management.simulation import Period
from refmodel.report.pages import Table as PageTable

SAMPLES = 20
"""Rows of the table: periods that are shown."""
BAR = 60
WIDTH, HEIGHT, LEFT = 900, 300, 70
"""Pixels of a drawn plot, and of its left margin."""


@attrs.frozen
class Line:
    """A VM's line in a plot."""

    name: str
    points: str
    dashed: bool
    number: int


@attrs.frozen
class Plot:
    """Pages over periods, drawn; ``told`` says the same."""

    title: str
    lines: tuple[Line, ...]
    labels: tuple[tuple[int, str], ...]
    """Heights, and the pages that they stand for."""
    periods: int
    told: str


def shown(periods: Sequence[Period]) -> list[Period]:
    """Some of the periods, the first and the last among them."""
    step = max(1, (len(periods) - 1) // SAMPLES)
    picked = list(periods[::step])
    return picked if picked[-1] is periods[-1] else [*picked, periods[-1]]


def table(workload: Workload, policy: str, periods: Sequence[Period]) -> Table:
    """Allocations in pages, and how each VM fares."""
    told = Table(title=f"{policy}: pages by VM, of {workload.pages:,}", title_justify="left")
    told.add_column("period", justify="right")
    told.add_column("state")
    told.add_column("free", justify="right")
    for vm in workload.vms:
        told.add_column(vm.name, justify="right")
        told.add_column("uses", justify="right")
        told.add_column("lacks", justify="right")
    for period in shown(periods):
        cells: list[str | Text] = []
        for vm in workload.vms:
            lacking = period.lacking(vm.name)
            cells += [
                f"{period.allocated[vm.name]:,}",
                f"{period.active[vm.name]:,}",
                Text(f"{lacking:,}", "yellow") if lacking else Text("-", "dim"),
            ]
        told.add_row(str(period.number), period.state.value, f"{period.free:,}", *cells)
    return told


def bars(workload: Workload, periods: Sequence[Period]) -> Text:
    """Each period as a bar: a letter for each VM, as long as its part of the machine; what is free is dots."""
    text = Text()
    letters = {vm.name: chr(ord("A") + number % 26) for number, vm in enumerate(workload.vms)}
    styles = ("blue", "magenta", "green", "yellow", "cyan", "red")
    text.append(", ".join(f"{letters[vm.name]} {vm.name}" for vm in workload.vms) + "\n")
    for period in shown(periods):
        text.append(f"{period.number:>6} ")
        left = BAR
        for number, vm in enumerate(workload.vms):
            length = min(left, round(BAR * period.allocated[vm.name] / workload.pages))
            text.append(letters[vm.name] * length, styles[number % len(styles)])
            left -= length
        text.append("." * left + "\n", "dim")
    return text


def plot(workload: Workload, policy: str, periods: Sequence[Period]) -> Plot:
    """Allocations as lines, and what is used as dashed ones."""

    def at(period: Period, pages: int) -> str:
        x = LEFT + (WIDTH - LEFT) * period.number / max(1, len(periods) - 1)
        return f"{x:.1f},{HEIGHT - HEIGHT * min(pages, workload.pages) / workload.pages:.1f}"

    lines = []
    for number, vm in enumerate(workload.vms):
        lines.append(Line(vm.name, " ".join(at(p, p.allocated[vm.name]) for p in periods), False, number % 4))
        lines.append(Line(f"{vm.name} uses", " ".join(at(p, p.active[vm.name]) for p in periods), True, number % 4))
    labels = tuple((HEIGHT - HEIGHT * part // 4, f"{workload.pages * part // 4:,}") for part in range(5))
    last = periods[-1]
    told = ", ".join(f"{vm.name} ends with {last.allocated[vm.name]:,} pages" for vm in workload.vms)
    return Plot(f"{policy}: pages over {len(periods)} periods", tuple(lines), labels, len(periods), told)


def page_table(workload: Workload, policy: str, periods: Sequence[Period]) -> PageTable:
    rows = []
    for period in shown(periods):
        cells = [(str(period.number), ""), (period.state.value, ""), (f"{period.free:,}", "")]
        cells += [
            (f"{period.allocated[vm.name]:,} of {period.active[vm.name]:,}", "open" if period.lacking(vm.name) else "")
            for vm in workload.vms
        ]
        rows.append(tuple(cells))
    head = ("period", "state", "free", *(f"{vm.name}: has, of what it uses" for vm in workload.vms))
    return PageTable(f"{policy}: pages by VM", head, tuple(rows))
