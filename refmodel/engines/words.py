"""Values, steps and laws as words, wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from refmodel.engines.differences import Change
from refmodel.engines.machine import Begun, Broken, Entry, Step, Told
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault
from refmodel.language.design import Outline
from refmodel.language.kinds import EnumKind, Kind, NameKind, PageKind, RecordKind, TableKind, TupleKind
from refmodel.language.tables import NOTHING, Page

ABSENT = "absent"
"""What is shown of a key that a partial table has not. An entry that is there and holds the default is shown as ``-``."""


def shown(kind: Kind, value: Any) -> str:
    """A value of a kind, names by their sort: ``mfn2``."""
    if isinstance(kind, NameKind):
        return "none" if value == NOTHING else f"{kind.sort.lower()}{value}"
    if isinstance(kind, EnumKind):
        return value.value if isinstance(value.value, str) and value.value else value.name
    if isinstance(kind, TupleKind):
        return ", ".join(shown(k, v) for k, v in zip(kind.parts, value, strict=True))
    if isinstance(kind, RecordKind):
        return _record(kind, value)
    if isinstance(kind, PageKind) and isinstance(value, Page):
        cells = [f"{shown(kind.index, i)}: {shown(kind.cell, c)}" for i, c in sorted(value.cells.items())]
        return "{" + "; ".join(cells) + "}" if cells else "zeroes"
    return str(value).lower() if isinstance(value, bool) else str(value)


def outcome_text(outcome: Any) -> str:
    """What an operation returned: a record, or the fault that it raised. Empty if it returned nothing."""
    if isinstance(outcome, Fault):
        return f"the fault {type(outcome).__name__}{f' ({outcome})' if outcome.args else ''}"
    return shown(kind_of(type(outcome)), outcome) if attrs.has(type(outcome)) else ""


def _record(kind: RecordKind, value: Any) -> str:
    plain = kind.default()
    parts = []
    for field, inner in kind.fields:
        mine = getattr(value, field)
        if mine == getattr(plain, field) and value != plain:
            continue
        parts.append((field if mine else f"not {field}") if isinstance(mine, bool) else f"{field} {shown(inner, mine)}")
    return "-" if value == plain else ", ".join(parts) or "-"


def parts(kind: TableKind, key: Any) -> list[tuple[Kind, Any]]:
    """What an entry's key is made of: each name and its kind."""
    return list(zip(kind.keys, key if isinstance(key, tuple) else (key,), strict=True))


def place(kind: TableKind, key: Any) -> str:
    """An entry's key: ``vm0, gfn2``."""
    return ", ".join(shown(k, v) for k, v in parts(kind, key))


def arguments_of(design: Outline, step: Step) -> list[str]:
    """A step's arguments, by name."""
    op = next((o for o in design.operations if o.name == step.operation), None)
    if op is None:
        return list(map(str, step.arguments))
    return [f"{p}={shown(k, v)}" for (p, k), v in zip(op.parameters, step.arguments, strict=True)]


def names_of(broken: Broken) -> str:
    """The names for which a law is broken."""
    kinds = [kind for _, kind in broken.law.names] if broken.law else []
    return ", ".join(f"{name} = {shown(kind, value)}" for (name, value), kind in zip(broken.names, kinds, strict=False))


def unlike_the_operation(design: Outline, broken: Broken, step: Step) -> str:
    """The names for which a law of an outcome is broken, and that the operation had otherwise: the law may have meant the
    operation's. Empty if there are none."""
    op = next((o for o in design.operations if o.name == step.operation), None)
    if op is None or broken.law is None or broken.law.outcome is None:
        return ""
    given = dict(zip((p for p, _ in op.parameters), step.arguments, strict=True))
    others = [name for name, value in broken.names if given.get(name, value) != value]
    if not others:
        return ""
    return (
        f"{', '.join(others)}: another than the operation's here, since a law is claimed for all values of its parameters; what "
        "the operation was given stands in its outcome, if the record has it, and the VM that took the step in actor"
    )


def call(design: Outline, step: Step, begun: Begun | None = None) -> str:
    """A step as a call: ``share(vm=vm0, gfn=gfn0)``; for an operation that goes on, with the step in which it began."""
    if begun is not None:
        return f"step {begun.number} goes on: {call(design, begun.step)}"
    return f"{step.operation}({', '.join(arguments_of(design, step))})"


def change_text(design: Outline, change: Change) -> tuple[str, str, str]:
    """An entry that a step changed: its place, what it was, and what it is."""
    kind = design.table(change.table)
    was, now = (ABSENT if value is None else shown(kind.value, value) for value in (change.was, change.now))
    return f"{change.table}[{place(kind, change.key)}]", was, now


def entry_text(design: Outline, entry: Entry) -> str:
    """An entry, and what it holds."""
    table, key, value = entry
    kind = design.table(table)
    return f"{table}[{place(kind, key)}]  {shown(kind.value, value)}"


def trace_text(design: Outline, steps: Sequence[Told]) -> str:
    """A run in plain text: each step, what it asked, what it changed, and what it showed."""
    lines = ["power on", *(f"       {entry_text(design, each)}" for told in steps[:1] for each in told.found)]
    for number, told in enumerate(steps, 1):
        asked = f"   {', '.join(told.asked)}" if told.asked else ""
        lines.append(f"{number:>3}. {call(design, told.step, told.begun)}{asked}")
        lines += ["       {}  {}  ->  {}".format(*change_text(design, change)) for change in told.changes]
        if outcome := outcome_text(told.outcome):
            lines.append(f"       shows {outcome}")
        if not told.changes:
            lines.append("       changes nothing")
    return "\n".join(lines)


def broken_text(broken: Broken) -> str:
    """The clause that is broken, and the names for which it is."""
    law = f" ({broken.law.name.replace('_', ' ')})" if broken.law else ""
    names = names_of(broken)
    return "\n".join(
        filter(
            None,
            [
                f"breaks {broken.clause}{law}: {broken.sentence}",
                f"       for {names}" if names else "",
                f"       {broken.error}" if broken.error else "",
            ],
        )
    )
