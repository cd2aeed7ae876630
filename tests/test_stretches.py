"""Events about many pages: each is judged as if it had been reported page by page."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from refmodel.oracle.trace.judge import Judge

Told = dict[str, Any]
MANY = (
    "populate",
    "promise",
    "map",
    "unmap",
    "protect",
    "unprotect",
    "track",
    "untrack",
    "inflate",
    "deflate",
    "mark",
    "take_mark",
    "send",
    "fill",
    "plug",
    "unplug",
    "report",
    "dma_map",
    "dma_unmap",
    "convert",
)
"""Kinds that may be about many pages."""
PAGES = 12


def drawn(draw: random.Random) -> Told:
    """An event, mostly one that a monitor would report."""
    vm, gfn = draw.randrange(2), draw.randrange(PAGES)
    kind = draw.choice((*MANY, "map", "map", "populate", "store", "load", "flush", "free", "exit"))
    if kind in ("store", "load"):
        return {"e": kind, "vm": vm, "gpa": gfn << 12 | draw.randrange(2) << 3, "value": draw.randrange(2)}
    if kind == "flush":
        return {"e": draw.choice(("flush_begin", "flush_end")), "vm": vm}
    if kind == "free":
        return {"e": "free", "mfn": draw.randrange(2 * PAGES)}
    if kind == "exit":
        return {"e": "exit", "vm": vm, "gpa": gfn << 12}
    pages = draw.choice((1, 1, 2, 3, 6))
    event: Told = {"e": kind, "vm": vm, "gfn": gfn, "pages": min(pages, PAGES - gfn)}
    mfn = PAGES * vm + gfn if draw.random() < 0.9 else draw.randrange(2 * PAGES)
    if kind in ("populate", "map", "dma_map") or (kind in ("deflate", "fill") and draw.random() < 0.5):
        event["mfn"] = mfn
    if kind in ("map", "dma_map"):
        event["writable"] = draw.random() < 0.7
    if kind in ("fill", "plug"):
        event["zero"] = draw.random() < 0.5
    if kind == "convert":
        event["private"] = draw.random() < 0.5
    return event


def singly(event: Told) -> list[Told]:
    """The same, page by page."""
    if "pages" not in event:
        return [event]
    frame = [{} if "mfn" not in event else {"mfn": event["mfn"] + by} for by in range(event["pages"])]
    return [{**event, "gfn": event["gfn"] + by, "pages": 1, **frame[by]} for by in range(event["pages"])]


class Told_:
    """A judge that is told events until one deviates or is none."""

    def __init__(self, header: Told) -> None:
        self.judge, self.number = Judge("test"), 0
        self.tell(header)

    def tell(self, event: Told) -> str | None:
        self.number += 1
        line = json.dumps(event).encode()
        try:
            found = self.judge.one(self.number, self.judge.decode(self.number, line), line)
        except Exception as why:
            return f"{type(why).__name__}"
        return found and found.clause


@pytest.mark.parametrize(
    "header",
    [
        {"start": "power-on"},
        {},
        {"start": "power-on", "flushes": "told"},
        {"flushes": "told"},
        {"start": "power-on", "marks": "late"},
    ],
    ids=str,
)
@pytest.mark.one_in(5)
def test_what_is_said_of_many_pages_is_judged_as_if_it_were_said_of_each(header: Told) -> None:
    compared = lawful = 0
    for seed in range(50):
        draw = random.Random(seed)
        together, apart = Told_({"e": "trace", **header}), Told_({"e": "trace", **header})
        told: list[Told] = []
        for _ in range(25):
            event = drawn(draw)
            told.append(event)
            one = together.tell(event)
            other = next(filter(None, map(apart.tell, singly(event))), None)
            assert (one is None) == (other is None), f"{told}: {one} together, {other} apart"
            compared += 1
            if one is not None:
                told.pop()
                together, apart = Told_({"e": "trace", **header}), Told_({"e": "trace", **header})
                for each in told:
                    together.tell(each)
                    for small in singly(each):
                        apart.tell(small)
            else:
                lawful += 1
    assert lawful > compared / 4
