"""What ``refmodel explain`` shows of exits and of instructions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from refmodel.engines.exits import PATTERNS, Measured
from refmodel.machine.x86.instructions import X86_INSTRUCTIONS, classify

BAR = 40


def exits_table(measured: Sequence[Measured]) -> Table:
    """Exits per hundred instructions, by MMU and pattern, and what a TLB miss costs."""
    table = Table(title="exits per 100 instructions", title_justify="left")
    table.add_column("MMU")
    for pattern in PATTERNS:
        table.add_column(pattern, justify="right")
    table.add_column("memory references per TLB miss", justify="right")
    for m in measured:
        table.add_row(m.mmu, *(_number(m.exits[p]) for p in PATTERNS), _number(m.references))
    return table


def bounds_table(measured: Sequence[Measured]) -> Table:
    """How many exits one access takes and how many references its walk: the most that can be, which is proved, and that was met."""
    table = Table(
        title="one load or store: the most that can be, and the most that was met",
        title_justify="left",
        caption="Proved of each design, by these laws and by proofs/x86/references.py; unless an allocation fails or the "
        "monitor takes something back meanwhile.",
        caption_justify="left",
    )
    table.add_column("MMU")
    for column in ("exits, at most", "exits, met", "references, at most", "references, met"):
        table.add_column(column, justify="right")
    table.add_column("proved by")
    for m in measured:
        table.add_row(
            m.mmu,
            str(m.at_most),
            str(m.most_exits),
            _number(m.at_most_references),
            _number(m.references),
            ", ".join(law.replace("_", " ") for law in m.laws),
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def exits_plot(measured: Sequence[Measured]) -> Group:
    """The exits of each MMU as bars, one pattern after the other; last, the memory references of a walk."""
    parts: list[RenderableType] = []
    for pattern in PATTERNS:
        parts.append(Text(f"\n{pattern}: exits per 100 instructions", style="bold"))
        parts += [_bar(m.mmu, e, 100) for m in measured if (e := m.exits[pattern]) is not None]
    parts.append(Text("\nmemory references per TLB miss, four levels each", style="bold"))
    parts += [_bar(m.mmu, m.references, 24) for m in measured if m.references is not None]
    return Group(*parts)


def _bar(name: str, value: float, most: float) -> Text:
    return Text(f"  {name:14} {'█' * round(BAR * value / most):{BAR}} {value:.0f}")


def instruction_table() -> Table:
    """x86's memory instructions in Popek and Goldberg's classes."""
    table = Table(title="x86's instructions that have to do with memory", title_justify="left")
    for column in ("instruction", "privileged", "sensitive to", "theorem 1", "what a monitor does about it"):
        table.add_column(column)
    for instruction in X86_INSTRUCTIONS:
        found = classify(instruction.does)
        to = [
            word
            for word, is_so in (
                ("control", found.control_sensitive),
                ("location", found.location_sensitive),
                ("mode", found.mode_sensitive),
            )
            if is_so
        ]
        table.add_row(
            instruction.name,
            "yes" if found.privileged else "no",
            ", ".join(to) or "nothing",
            "holds" if found.virtualizable else Text("fails", style="bold red"),
            instruction.remedy,
        )
    return table


def instruction_verdict() -> str:
    """What follows of x86 before VT-x."""
    failing = [x.name for x in X86_INSTRUCTIONS if not classify(x.does).virtualizable]
    return (
        f"Sensitive and not privileged: {'; '.join(failing)}. So theorem 1 does not apply to x86 before VT-x, nor does "
        "theorem 3, since all of them are sensitive in user mode. VT-x gives the guest all four rings, and lets the monitor "
        "choose what exits."
    )
