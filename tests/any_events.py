"""Events of every kind, drawn: mostly such as a monitor would report, over few pages and frames, so that many are lawful."""

from __future__ import annotations

import random
from typing import Any, Literal, get_args, get_origin

import msgspec

from refmodel.oracle.trace.table import KINDS

Told = dict[str, Any]
PAGES, FRAMES, VMS = 4, 10, 2


def drawn(draw: random.Random, kind: str) -> Told:
    """An event of this kind with fields that fit."""
    event: Told = {"e": kind, "vm": draw.randrange(VMS)}
    for field in msgspec.structs.fields(KINDS[kind]):
        if field.name in ("vm", "cpu", "seq", "at", "time", "bits") or (field.name == "level" and kind != "split"):
            continue
        if field.required or draw.random() < 0.3:
            event[field.name] = value(draw, event, field)
    if kind == "access" and not {"value", "fault", "gp"} & set(event):
        event["value"] = draw.randrange(3)
    if event.get("mfn") is not None and draw.random() < 0.8 and "gfn" in event:
        event["mfn"] = 1 + PAGES * event["vm"] + event["gfn"]
    return event


NUMBERS: dict[str, tuple[int, ...]] = {
    "value": (0, 0, 1, 2),
    "size": (8, 8, 8, 1, 2, 12),
    "pages": (1, 1, 2, 3),
    "physical_bits": (36, 52),
    "kind": (0, 1, 2, 3),
    "gva": (0, 0x1000, 0x2000, 0x3FFE),
    "cr3": (0x1000,),
    "fault": (0, 2, 4, 7),
    "bytes": (0x2000, 0x4000),
    "levels": (4, 5),
    "references": (1, 1, 2),
    "actual": (0, 1, 2),
    "pcid": (0, 1),
    "slot": (0, 1),
    "end": (0, 1, 2, 3),
    "index": (0, 1, 2),
    "ring": (0,),
    "level": (2,),
    "device": (0,),
    "gpa": tuple(gfn << 12 | at for gfn in range(PAGES) for at in (0, 0, 8, 16, 4)),
}


def value(draw: random.Random, event: Told, field: msgspec.structs.FieldInfo) -> Any:
    if (
        field.name in NUMBERS
        and not (event["e"] == "access" and field.name == "kind")
        and not (event["e"] == "flush_begin" and field.name == "kind")
    ):
        return draw.choice(NUMBERS[field.name])
    literal = [part for part in (field.type, *get_args(field.type)) if get_origin(part) is Literal]
    if literal:
        return draw.choice(get_args(literal[0]))
    if "bool" in str(field.type):
        return draw.random() < 0.5
    if "int" in str(field.type):
        return draw.randrange(FRAMES if "mfn" in field.name else PAGES if "gfn" in field.name else VMS)
    return "x"


def story(seed: int, length: int = 40) -> list[Told]:
    """A header, and events of any kind."""
    draw = random.Random(seed)
    header: Told = {
        "e": "trace",
        "start": draw.choice(("power-on", "running")),
        "flushes": draw.choice(("told", "implied")),
        "marks": draw.choice(("before", "before", "late")),
    }
    kinds = [kind for kind in KINDS if kind not in ("trace", "gap", "abort", "registers", "invlpg", "invpcid", "vm_destroyed")]
    often = ["populate", "populate", "map", "map", "map", "store", "load", "unmap"]
    told = [header]
    for vm in range(VMS):
        for gfn in range(draw.randrange(PAGES)):
            told.append({"e": "populate", "vm": vm, "gfn": gfn, "mfn": 1 + PAGES * vm + gfn})
    return [*told, *(drawn(draw, draw.choice([*kinds, *often] + ["vm_destroyed"] * (draw.random() < 0.2))) for _ in range(length))]
