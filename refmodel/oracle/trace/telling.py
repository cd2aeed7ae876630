"""A run of the model's own, told as a trace: what an implementation that is the model would say of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from refmodel.bare import Event, Seen
from refmodel.engines.differences import changes
from refmodel.engines.machine import Machine, Run, Step, recorded
from refmodel.language import Design, outline
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING
from refmodel.machine.cells import Cell
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Backing, P2mEntry

Told = dict[str, Any]


def number(cell: Cell) -> int:
    """A cell as a word."""
    return (
        cell.present
        | cell.writable << 1
        | cell.executable << 2
        | (cell.gfn + 1) << 3
        | cell.large << 60
        | cell.dirty << 61
        | cell.accessed << 62
        | cell.user << 63
    )


def trace_of(cls: type[Design], geometry: Geometry, run: Run, dumps: bool = False) -> list[Told]:
    """The events of a run; with ``dumps``, all translations after each step too."""
    told: list[Told] = [{"e": "trace", "name": cls.__name__, "start": "power-on"}]
    for _, events in told_steps(cls, geometry, run, dumps):
        told += events
    return told


def told_steps(cls: type[Design], geometry: Geometry, run: Run, dumps: bool = False) -> Iterator[tuple[Step, list[Told]]]:
    """Each step of a run with its events."""
    design = outline(cls)
    machine = Machine(design, geometry)
    machine.power_on(recorded(run.initial))
    for step in run.steps:
        outcome = machine.step(step)
        op = design.operation(step.operation)
        names = dict(zip([p for p, _ in op.parameters], step.arguments, strict=True))
        yield step, [*events_of(machine, op.name, names, outcome), *(dump(machine) if dumps else [])]
        machine.settle()


def events_of(machine: Machine, name: str, names: dict[str, Any], outcome: Any) -> Iterator[Told]:
    """What a step comes to."""
    before, after = machine.before, machine.state
    made = list(changes(machine.design, before, after))
    for change in made:
        if (
            change.table == "derived"
            and change.was.present
            and (not change.now.present or change.now.mfn != change.was.mfn or change.was.writable > change.now.writable)
        ):
            yield {"e": "protect" if change.now.present and change.now.mfn == change.was.mfn else "unmap", **page(change.key)}
    logged = {c.key: c.now for c in made if c.table == "sent"}
    for key, sent in logged.items():
        if sent in (Sent.MARKED, Sent.TAKEN):
            yield {"e": "mark" if sent == Sent.MARKED else "take_mark", **page(key)}
    if name == "share":
        one, other = (names["vm"], names["gfn"]), (names["other_vm"], names["other_gfn"])
        yield {"e": "share", **page(one), "with_vm": other[0], "with_gfn": other[1], "mfn": after.p2m[one].mfn}
    for change in made:
        if change.table == "p2m" and name != "share":
            yield from moved(change.key, change.was, change.now, before, after)
    for key, sent in logged.items():
        if sent in (Sent.PROTECTED, Sent.THERE):
            yield {"e": "protect" if sent == Sent.PROTECTED else "send", **page(key)}
    for change in made:
        if change.table == "derived" and change.now.present:
            yield {"e": "map", **page(change.key), "mfn": change.now.mfn, "writable": change.now.writable}
    if isinstance(outcome, Seen):
        yield from seen(name, names, outcome)


def seen(name: str, names: dict[str, Any], outcome: Seen) -> Iterator[Told]:
    write = name in ("store_physical", "copy_to_guest")
    at = {"vm": names["vm"], "gpa": names["gfn"] << 12 | names["offset"] << 3}
    if outcome.shown.event == Event.HOLE:
        yield {"e": "hole", **at, "write": write}
    elif outcome.shown.event == Event.COMPLETED:
        value = number(names["value"] if write else outcome.shown.cell)
        by = {"by": "monitor"} if name == "copy_to_guest" else {}
        yield {"e": "store" if write else "load", **at, "value": value, **by}
    elif name != "copy_to_guest":
        yield {"e": "exit", **at, "write": write}


def moved(key: tuple[int, int], was: P2mEntry, now: P2mEntry, before: Any, after: Any) -> Iterator[Told]:
    """What became of a page's place."""
    here = page(key)
    if now.backing == Backing.BALLOONED:
        yield {"e": "inflate", **here}
        return
    if now.backing == Backing.PROMISED:
        yield {"e": "promise", **here}
        return
    if now.backing == Backing.SWAPPED:
        yield {"e": "swap_out", **here, "slot": now.slot}
        return
    if now.backing == Backing.ABSENT:
        return
    if was.backing in (Backing.ABSENT, Backing.PROMISED):
        yield {"e": "populate", **here, "mfn": now.mfn}
        was = P2mEntry(Backing.MAPPED, now.mfn, True)
    elif was.backing == Backing.BALLOONED:
        yield {"e": "deflate", **here, "mfn": now.mfn}
        was = P2mEntry(Backing.MAPPED, now.mfn, True)
    elif was.backing == Backing.SWAPPED:
        yield {"e": "swap_in", **here, "mfn": now.mfn, "keep": now.slot != NOTHING}
        was = P2mEntry(Backing.MAPPED, now.mfn, now.slot == NOTHING, now.slot)
    elif was.mfn != now.mfn or (before.frames[was.mfn].use, after.frames[now.mfn].use) == (Use.SHARED, Use.PRIVATE):
        yield {"e": "break", **here, "mfn": now.mfn}
        was = P2mEntry(Backing.MAPPED, now.mfn, True)
    if was.writable and not now.writable:
        yield {"e": "protect", **here}
    if not was.writable and now.writable:
        yield {"e": "unprotect", **here}
    if now.slot not in (NOTHING, was.slot):
        yield {"e": "write_back", **here, "slot": now.slot}


def dump(machine: Machine) -> list[Told]:
    return [
        {"e": "entry", **page(key), "mfn": entry.mfn, "writable": entry.writable}
        for key, entry in machine.state.derived.items()
        if entry.present
    ]


def page(key: tuple[int, int]) -> Told:
    return {"vm": key[0], "gfn": key[1]}


def lines(told: list[Told]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in told)


__all__ = ["Told", "lines", "told_steps", "trace_of"]
