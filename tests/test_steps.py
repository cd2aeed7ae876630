"""Events about one page are judged by what they came to for pages of its shape: with the same verdicts, and the same knowledge."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import pytest

from refmodel.language import BadDesign
from refmodel.oracle.trace import exits, reaching, shapes, steps
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.doing import Step
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.shapes import CONTENTS, as_kept
from refmodel.oracle.trace.tables import Nowhere
from refmodel.oracle.trace.verdicts import Deviation
from tests.any_events import story
from tests.benchmarks.monitor import DEFECTS, Monitor
from tests.test_stretches import PAGES
from tests.test_stretches import drawn as drawn_of_many

Told = dict[str, Any]


@pytest.fixture(autouse=True)
def every_event_is_watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From the first on, and nothing is known from other tests."""
    monkeypatch.setattr(steps, "OFTEN", 0)
    steps.forget_steps()
    yield
    steps.forget_steps()


def kept(k: Knowledge, name: str, key: Any) -> Any:
    """What a table says of an entry; of a page the words, and whether others are zero."""
    value = as_kept(k.tables[name], key)
    if name in CONTENTS:
        return (value.words, value.zeroed) if isinstance(value, Contents) else ({}, value is True)
    return value


def known(k: Knowledge, pages: Iterable[Any]) -> dict[str, Any]:
    """What is known beside the tables."""
    cached = {key: cached for key in pages if (cached := as_kept(k.lingering, key)) is not Nowhere and cached}
    begun = sorted(
        {each.since for of_page in cached.values() for each in of_page}
        | {flush.begun for under_way in k.flushed.values() for flush in under_way}
    )
    lingering = {
        key: [(each.derived, begun.index(each.since), each.protects) for each in of_page] for key, of_page in cached.items()
    }
    assert {key for key, of_page in k.lingering.items() if of_page} == {(vm, gfn) for vm, gfns in k.cached.items() for gfn in gfns}
    return {
        "lingering": lingering,
        "rings": k.rings,
        "emulated": {of: (exited.gfn, exited.write) for of, exited in k.emulated.items()},
        "flushed": {
            key: [flush._replace(begun=begun.index(flush.begun)) for flush in under_way] for key, under_way in k.flushed.items()
        },
    }


def ones(k: Knowledge, mfn: int) -> set[Any]:
    """The pages that hold what a frame holds, which is one and the same, or of which the other machine has the same."""
    held = k.tables["memory"][mfn]
    return {(name, key) for name in ("bare_memory", "destination") for key in k.tables[name] if k.tables[name][key] is held}


def same(one: Knowledge, other: Knowledge) -> None:
    """The two know the same."""
    pages = {*one.lingering, *other.lingering}
    assert known(one, pages) == known(other, pages)
    for name, table in one.tables.items():
        both = {*table} & {*other.tables[name]} if name == "memory" else {*table, *other.tables[name]}
        for key in both:
            assert kept(one, name, key) == kept(other, name, key), (name, key)
    for key in {*one.pages} & {*other.pages}:
        assert (one.pages[key].plain, one.pages[key].shut) == (other.pages[key].plain, other.pages[key].shut), key
    for mfn in {*one.tables["memory"]} & {*other.tables["memory"]}:
        assert ones(one, mfn) == ones(other, mfn), mfn
    for mfn in {*one.behind.holders, *one.reached.holders, *other.behind.holders, *other.reached.holders}:
        assert reaching.pages_of(one, mfn) == reaching.pages_of(other, mfn), mfn


def agree(told: Iterable[Told], deep: int = 1) -> tuple[bool, int]:
    """Judge a trace by steps and without, to the first deviation or the first that is no event: whether it is lawful, and how many
    events there were."""
    one, other = Judge("trace"), Judge("trace", steps_too=False)
    number = 0
    for number, event in enumerate(told, 1):
        line = json.dumps(event).encode()
        ends: list[Any] = []
        for judge in (one, other):
            try:
                ends.append(told_alike(judge.one(number, judge.decode(number, line), line)))
            except BadDesign as why:
                ends.append(str(why))
        assert ends[0] == ends[1], (number, event)
        if ends[0] is not None:
            return False, number
        if number % deep == 0:
            same(one.knowledge, other.knowledge)
    same(one.knowledge, other.knowledge)
    return True, number


def told_alike(found: Deviation | None) -> Deviation | None:
    """A deviation without what was told of frames' contents: a page's own frame has them in one of the two only."""
    return found and attrs.evolve(found, told=tuple(line for line in found.told if not line.startswith("memory[")))


def taken() -> int:
    return sum(type(step) is Step for alike in steps._known.values() for step in alike.steps.values())


def test_events_of_every_kind_come_to_the_same_by_steps() -> None:
    events = 0
    for seed in range(40):
        told = story(seed, 40)
        for _ in range(8):
            lawful, number = agree(told, deep=3)
            events += number
            if lawful:
                break
            del told[number - 1]  # and what comes of the others
    assert events > 2_500 and taken() > 100


def test_where_a_shape_leaves_something_out_the_comparison_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "BY_PAGE", tuple(each for each in shapes.BY_PAGE if each[0] not in ("sent", "marks_told")))
    with pytest.raises(AssertionError):
        for seed in range(60):
            agree(Monitor(seed, vms=2, pages=512).events(400), deep=20)


@pytest.mark.slow
def test_many_events_of_every_kind_come_to_the_same_by_steps() -> None:
    for seed in range(100, 600):
        told = story(seed, 60)
        while told:
            lawful, number = agree(told)
            if lawful:
                break
            del told[number - 1]


@pytest.mark.parametrize(
    "header", [{"start": "power-on"}, {}, {"start": "power-on", "flushes": "told"}, {"flushes": "told"}], ids=str
)
def test_so_do_events_about_many_pages(header: Told) -> None:
    for seed in range(20):
        draw = random.Random(seed)
        told: list[Told] = [{"e": "trace", **header}, *(drawn_of_many(draw) for _ in range(40))]
        for _ in range(6):
            lawful, number = agree(told, deep=2)
            if lawful:
                break
            del told[number - 1]
    assert taken() > 40 and PAGES < 100


@pytest.mark.parametrize("defect", ["", *DEFECTS])
@pytest.mark.one_in(4)
def test_a_monitors_trace_comes_to_the_same_by_steps(defect: str) -> None:
    monitor = Monitor(1, vms=3, pages=512, defect=defect, after=800)
    lawful, _ = agree(monitor.events(4000), deep=1000)
    assert lawful == (not defect) and taken() > 20


GIVEN = b'{"e":"populate","vm":0,"gfn":1,"mfn":1}\n'


@pytest.mark.parametrize(
    "text",
    [
        GIVEN,
        GIVEN + b'{"e":"load","vm":0,"gpa":4096,"value":1}\n',
        b'{"e":"load","vm":0,"gpa":0,"value":256,"size":1}\n',
    ],
    ids=["lawful", "deviates", "bad"],
)
def test_how_python_collects_cycles_is_after_a_block_as_it_was_before(text: bytes) -> None:
    before = gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()
    judge = Judge("collected")
    judge.knowledge.start(closed=True)
    try:
        judge.block(1, text)
    except BadDesign:
        assert b"256" in text
    assert (gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()) == before


def test_of_the_ranges_that_were_mapped_the_last_are_remembered_and_of_the_others_an_exit_may_be_late() -> None:
    """However many are told, a trace is judged in bounded memory, and each exit in bounded time."""
    told: list[dict[str, Any]] = [
        {"e": "trace", "name": "ranges", "start": "power-on"},
        {"e": "populate", "vm": 0, "gfn": 0, "mfn": 0, "pages": 2 * 2 * exits.MOST_RANGES},
    ]
    told += [
        {"e": "map", "vm": 0, "gfn": gfn, "mfn": gfn, "pages": 2, "writable": True} for gfn in range(0, 4 * exits.MOST_RANGES, 2)
    ]
    told += [
        {"e": "exit", "vm": 0, "gpa": gfn << 12, "write": False, "cpu": cpu}
        for gfn in (0, 4 * exits.MOST_RANGES - 1)
        for cpu in (0, 1)
    ]
    judge = Judge("ranges")
    assert judge.block(1, "\n".join(map(json.dumps, told)).encode()) is None
    assert len(judge.knowledge.ranges_mapped) == exits.MOST_RANGES
    found = judge.block(len(told) + 1, json.dumps(told[-1]).encode())
    assert found is not None and found.clause == "EFF-1"


def test_a_page_that_may_be_anothers_is_no_page_like_the_rest() -> None:
    """A page was borrowed before a gap, and whose it is is not known after it: what a translation of it says is not said of it."""
    told: list[Told] = [
        {"e": "trace", "start": "power-on", "flushes": "told"},
        {"e": "grant", "vm": 2, "gfn": 37, "to_vm": 3, "to_gfn": 5002, "writable": True},
        {"e": "gap"},
        *({"e": "map", "vm": 3, "gfn": gfn, "mfn": 100 + gfn, "writable": True} for gfn in range(12)),
        {"e": "map", "vm": 3, "gfn": 5002, "mfn": 50, "writable": True},
        {"e": "p2m", "vm": 2, "gfn": 37, "mfn": 50},
    ]
    assert agree(told) == (True, len(told)) and taken() > 0
