"""Events about many pages: each is judged as if it had been reported page by page."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from refmodel.language import BadDesign
from refmodel.oracle.trace.judge import Judge, judge_events

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


RAM: Told = {"e": "ram", "gpa": 0, "bytes": 1 << 22}
WRITTEN: Told = {"e": "dma_write", "gpa": 0x1008, "size": 1 << 20}


def found_in(*told: Told) -> tuple[int, str] | None:
    found = judge_events([{"e": "trace", "start": "power-on"}, *told]).deviation
    return found and (found.line, found.clause)


def test_what_a_device_wrote_to_many_pages_is_not_known_and_what_lies_around_is() -> None:
    for gpa, clause in ((0x1000, "EQV-1"), (0x1008, None), (0x50000, None), (0x101000, None), (0x101008, "EQV-1")):
        assert found_in(RAM, WRITTEN, {"e": "load", "gpa": gpa, "value": 7}) == (clause and (4, clause))


def test_a_device_that_writes_to_many_pages_may_write_to_each_of_them() -> None:
    gone = {"e": "unplug", "gfn": 0x80}
    assert found_in(RAM, gone, WRITTEN) == (4, "ISO-3")
    assert found_in(RAM, {"e": "unplug", "gfn": 0x180}, WRITTEN) is None


def test_pages_named_by_bits_are_judged_as_those_named_one_by_one() -> None:
    pages = {"e": "map", "gfn": 0, "mfn": 0, "pages": 64, "writable": True}
    there = ({"e": "slot_add", "slot": 0, "gfn": 0, "pages": 64, "zero": True}, pages)
    bits = {"gfn": 0, "bits": "01000080"}  # the first and the last of 32 pages
    logged = [{"e": kind, **bits} for kind in ("mark", "take_mark", "protect", "send")]
    stored = [{"e": "store", "gpa": gfn << 12, "value": 1} for gfn in (0, 1, 31)]
    assert found_in(*there, *logged, stored[1]) is None
    assert found_in(*there, *logged, stored[0]) == found_in(*there, *logged, stored[2]) == (8, "EQV-4")


def test_slots_are_found_where_they_lie() -> None:
    slots = [{"e": "slot_add", "slot": at, "gfn": 16 * at, "pages": 8, "readonly": at == 2} for at in range(4)]
    assert found_in(*slots, {"e": "store", "gpa": 39 << 12, "value": 1}) == (6, "ISO-1")
    assert found_in(*slots, {"e": "store", "gpa": 55 << 12, "value": 1}) is None
    for first, last, other in ((40, 47, None), (39, 40, 2), (47, 48, 3), (8, 70, 1)):
        added = {"e": "slot_add", "slot": 9, "gfn": first, "pages": last - first + 1}
        if other is None:
            assert found_in(*slots, added) is None
        else:
            with pytest.raises(BadDesign, match=f"overlap slot {other}"):
                found_in(*slots, added)
