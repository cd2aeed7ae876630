"""However long a trace is, no more is kept of it than what is known, and an event takes no longer than its pages do."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from refmodel.language import BadDesign
from refmodel.oracle.trace import ballooned, exits
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.knowledge import Knowledge
from tests.test_stretches import drawn

Told = dict[str, Any]


class Telling:
    """A judge that is told events, and goes on after one that deviates."""

    def __init__(self, **header: Any) -> None:
        self.judge, self.number = Judge("test"), 0
        self.tell({"e": "trace", "start": "power-on", **header})

    def tell(self, *events: Told) -> str | None:
        """The clause that the last of these breaks; or that it can be no event now."""
        found = None
        for event in events:
            self.number += 1
            line = json.dumps(event).encode()
            try:
                found = self.judge.one(self.number, self.judge.decode(self.number, line), line)
            except BadDesign:
                return "none"
        return found and found.clause

    @property
    def k(self) -> Knowledge:
        return self.judge.knowledge

    def judged(self, *events: Told) -> int:
        """How many pages, or pieces, are judged for these events."""
        before = self.k.time
        assert self.tell(*events) is None
        return self.k.time - before


def pieces(k: Knowledge) -> int:
    tables = [*k.tables.values(), k.lingering]
    return sum(len(of_one) for table in tables if table.ranges is not None for of_one in table.ranges.pieces.values())


def by_themselves(k: Knowledge) -> int:
    """Pages and frames of which something is kept by itself."""
    return sum(
        len(region) for each in (k.mentioned_pages, k.mentioned_frames) for of in each.regions.values() for region in of.values()
    )


def vm_with_a_leaf(without: int) -> Iterable[Told]:
    yield {"e": "slot_add", "vm": 1, "slot": 0, "gfn": 0, "pages": 1024, "zero": True}
    yield {"e": "populate", "vm": 1, "gfn": 512, "pages": 512, "mfn": 512}
    yield {"e": "map", "vm": 1, "gfn": 512, "mfn": 512, "level": 2, "writable": True}
    yield {"e": "unmap", "vm": 1, "gfn": without}
    yield {"e": "vm_destroyed", "vm": 1}


def test_of_vms_that_come_and_go_nothing_is_left() -> None:
    telling, draw, kept, judged = Telling(), random.Random(1), set(), set()
    for _ in range(40):
        judged.add(telling.judged(*vm_with_a_leaf(512 + draw.randrange(512))))
        kept.add((pieces(telling.k), by_themselves(telling.k)))
    assert max(judged) < 30
    assert len(kept) <= 2
    assert {alone for _, alone in kept} == {0}


def test_what_somebody_left_in_a_frame_is_known_when_its_vm_is_gone() -> None:
    telling = Telling()
    *begin, _, gone = vm_with_a_leaf(513)
    assert telling.tell(*begin, {"e": "store", "vm": 1, "gpa": 515 << 12, "value": 7}, gone) is None
    assert telling.tell(*begin, {"e": "load", "vm": 1, "gpa": 515 << 12, "value": 7}) == "ISO-4"


def test_pages_that_are_sent_together_stay_together() -> None:
    """Of pages that were stored to, each is judged by itself; however many pages lie between them, these are judged as one."""
    telling, pages = Telling(), 1 << 18
    telling.tell({"e": "ram", "gpa": 0, "bytes": pages << 12}, {"e": "map", "gfn": 0, "mfn": 0, "pages": pages, "writable": True})
    for number in range(1, 20):
        telling.tell({"e": "store", "gpa": 1000 * number << 12, "value": number}, {"e": "pause"})
        taken, sent = (telling.judged({"e": kind, "gfn": 0, "pages": pages}) for kind in ("take_mark", "send"))
        assert max(taken, sent) <= number + 2
        telling.tell({"e": "unpause"})
        assert pieces(telling.k) < 40
        assert by_themselves(telling.k) <= 2 * number


def test_what_is_done_to_all_pages_goes_by_what_is_known_of_each() -> None:
    telling = Telling()
    telling.tell(
        {"e": "populate", "gfn": 0, "mfn": 0, "pages": 64}, {"e": "unplug", "gfn": 8}, {"e": "store", "gpa": 16 << 12, "value": 3}
    )
    telling.tell({"e": "take_mark", "gfn": 0, "pages": 64}, {"e": "report", "gfn": 32}, {"e": "fill", "gfn": 0, "pages": 8})
    assert telling.tell({"e": "load", "gpa": 8 << 12, "value": 0}) == "EQV-2"
    assert telling.tell({"e": "load", "gpa": 16 << 12, "value": 3}) is None
    assert telling.tell({"e": "load", "gpa": 4 << 12, "value": 9}) is None
    assert telling.tell({"e": "load", "gpa": 20 << 12, "value": 9}) == "EQV-1"


@pytest.mark.parametrize("kind", ["fill", "convert"])
def test_a_page_that_stood_for_others_goes_on_with_them(kind: str) -> None:
    """It was looked at when they were sent, and it is not known any more what any of them holds."""
    telling = Telling()
    telling.tell(
        {"e": "ram", "gpa": 0, "bytes": 16 << 12}, {"e": "send", "gfn": 5, "pages": 6}, {"e": "send", "gfn": 0, "pages": 16}
    )
    telling.tell({"e": kind, "gfn": 0, "pages": 16, **({"private": True} if kind == "convert" else {})})
    for gfn in range(16):
        assert telling.tell({"e": "load", "gpa": gfn << 12, "value": 7}) is None


def test_a_migration_that_is_cancelled_again_changes_nothing() -> None:
    telling = Telling()
    telling.tell({"e": "populate", "gfn": 0, "mfn": 0, "pages": 4096})
    for gfn in range(0, 1000, 2):
        telling.tell({"e": "take_mark", "gfn": gfn}, {"e": "send", "gfn": gfn})
    assert telling.judged({"e": "cancelled"}) >= 500
    telling.tell({"e": "take_mark", "gfn": 7})
    assert telling.judged({"e": "cancelled"}) <= 3


@pytest.mark.parametrize("header", [{}, {"start": "running"}, {"silent": ["inflate"]}], ids=str)
def test_a_balloon_is_counted_once_and_then_kept_in_step(header: Told) -> None:
    draw, counted = random.Random(7), 0
    for _ in range(30):
        telling = Telling(**header)
        for _ in range(40):
            telling.tell(drawn(draw) if draw.random() < 0.8 else {"e": "inflate", "gfn": draw.randrange(12)})
            for vm in (0, 1):
                found = ballooned.known_in_balloon(telling.k, vm)
                kept, telling.k.balloons = telling.k.balloons, {}
                assert ballooned.known_in_balloon(telling.k, vm) == found
                telling.k.balloons = kept
                counted += found[0]
    assert counted > 500


def test_a_balloon_that_grows_page_by_page_is_not_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    telling, counted = Telling(), []
    anew = ballooned._balloon
    monkeypatch.setattr(ballooned, "_balloon", lambda k, vm: counted.append(vm) or anew(k, vm))
    telling.tell({"e": "ram", "gpa": 0, "bytes": 1 << 24})
    for number in range(200):
        assert telling.tell({"e": "inflate", "gfn": 2 * number}, {"e": "balloon", "actual": number + 1}) is None
    assert telling.tell({"e": "balloon", "actual": 200 + 1}) == "RES-1"
    assert len(counted) == 1


def test_what_was_done_last_to_a_page_is_found_among_ranges() -> None:
    """As if all ranges that are remembered were looked through."""
    draw, ranges = random.Random(3), exits.LastRanges()
    told: dict[tuple[int, int, int], exits.Together] = {}
    for number in range(3 * exits.MOST_RANGES):
        vm, first, pages = draw.randrange(2), draw.randrange(600), draw.choice((2, 3, 16, 100))
        forgotten = ranges.put(vm, first, pages, exits.Together(number, draw.random() < 0.5))
        told.pop((vm, first, pages), None)
        told[vm, first, pages] = ranges.ranges[vm, first, pages]
        due = told.pop(next(iter(told))) if len(told) > exits.MOST_RANGES else None
        assert forgotten == due
        if number == exits.MOST_RANGES:
            ranges.forget_vm(1)
            told = {key: what for key, what in told.items() if key[0] == 0}
        gfn = draw.randrange(700)
        found = [what for (of, low, many), what in told.items() if of == vm and low <= gfn < low + many]
        assert ranges.find(vm, gfn) == max(found, key=lambda what: what.number, default=None)
    assert len(ranges) == exits.MOST_RANGES
    assert sum(map(len, ranges.by_page.pieces.values())) <= 2 * exits.MOST_RANGES


def test_what_is_tried_out_for_advice_changes_nothing() -> None:
    telling = Telling(start="running", flushes="told")
    telling.tell(
        {"e": "unplug", "gfn": 14}, {"e": "unmap", "gfn": 3, "pages": 18}, {"e": "map", "gfn": 10, "mfn": 30, "writable": True}
    )
    telling.tell({"e": "vm_destroyed", "vm": 1})
    before = [telling.k.lingering.find((0, gfn)) for gfn in range(24)]
    assert telling.tell({"e": "share", "gfn": 19, "with_vm": 1, "with_gfn": 3, "mfn": 44}) is not None
    assert [telling.k.lingering.find((0, gfn)) for gfn in range(24)] == before
