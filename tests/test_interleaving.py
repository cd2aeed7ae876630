"""Traces of which only each CPU's own order is known: some order has to be lawful, and a race is never called a deviation."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any

import pytest

from refmodel.language import BadDesign
from refmodel.oracle.trace.judge import Judge, judge_events
from refmodel.oracle.trace.lockstep import converse
from refmodel.oracle.trace.verdicts import TraceVerdict
from tests.benchmarks.monitor import DEFECTS, Monitor

Told = dict[str, Any]
WINDOW = 12
HEADER: Told = {"e": "trace", "start": "power-on", "flushes": "told", "order": "cpu", "window": WINDOW}
TWO = [{"e": "populate", "gfn": 0, "mfn": 5}, {"e": "populate", "gfn": 1, "mfn": 6}]
SOME = [{"e": "store", "cpu": 0, "gpa": 0x1000 + 8 * n, "value": n} for n in range(3 * WINDOW)]
"""Events that have nothing to do with others, and stand between them."""


def on_cpus(told: Iterable[Told]) -> list[Told]:
    """A VM's processors have CPUs of their own, which handle their exits; whatever else is done has another CPU."""
    events, served = list[Told](), 0
    for event in told:
        cpu = 0
        if event["e"] in ("load", "store", "exit"):
            cpu = 1 + 2 * event["vm"] + event.get("cpu", 0)
        elif served and event["e"] in ("map", "ring_push", "break", "unmap", "flush_begin", "flush_end"):
            cpu = served
        events.append({**event, "cpu": cpu})
        served = cpu if event["e"] == "exit" or (served and event["e"] != "store" and cpu) else 0
    return events


def shuffled(told: list[Told], draw: random.Random) -> list[Told]:
    """The events in another order: each CPU's are in their own, and none is far from its place."""
    when: dict[int, float] = {}
    places = []
    for number, event in enumerate(told):
        cpu = event["cpu"]
        when[cpu] = max(when.get(cpu, 0), number + draw.random() * WINDOW / 2)
        places.append((when[cpu], number))
    return [told[number] for _, number in sorted(places)]


SKEW = 20


def by_clocks(told: list[Told], draw: random.Random) -> list[Told]:
    """The events with the times of clocks that differ by ``SKEW`` at most, and each some lines later than its time says."""
    clock: dict[int, int] = {}
    merged: dict[int, int] = {}
    placed = []
    for number, event in enumerate(told):
        cpu = event["cpu"]
        clock[cpu] = max(clock.get(cpu, 0), 10 * number + draw.randint(0, SKEW))
        merged[cpu] = max(merged.get(cpu, 0), clock[cpu] + draw.randint(0, SKEW))
        placed.append((merged[cpu], number, {**event, "time": clock[cpu]}))
    return [event for _, _, event in sorted(placed, key=lambda each: each[:2])]


def judged(told: list[Told], **header: Any) -> TraceVerdict:
    return judge_events([{**HEADER, **header}, *told])


def counted(verdict: TraceVerdict) -> tuple[int, int]:
    return (verdict.counted["events judged in another order than that of their lines"], verdict.counted["races undecided"])


def by_any_cpu(told: Iterable[Told]) -> list[Told]:
    """Each event happens on any of three CPUs: so the order of most is not known."""
    draw = random.Random(5)
    return [{**event, "cpu": draw.randrange(3)} for event in told]


@pytest.mark.parametrize("cpus", [on_cpus, by_any_cpu])
@pytest.mark.parametrize("seed", range(4))
def test_a_correct_monitor_is_lawful_in_whatever_order_its_events_come(
    seed: int, cpus: Callable[[Iterable[Told]], list[Told]]
) -> None:
    told = cpus(Monitor(seed, vms=2, pages=512).events(1500))[1:]
    verdict = judged(shuffled(told, random.Random(seed)))
    assert verdict.deviation is None, verdict.deviation
    assert cpus is on_cpus or counted(verdict)[0] > 20


@pytest.mark.parametrize("cpus", [on_cpus, by_any_cpu])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.one_in(2)
def test_it_is_lawful_in_the_order_of_any_clocks(seed: int, cpus: Callable[[Iterable[Told]], list[Told]]) -> None:
    told = cpus(Monitor(seed, vms=2, pages=512).events(1500))[1:]
    verdict = judged(by_clocks(told, random.Random(seed)), skew=SKEW)
    assert verdict.deviation is None, verdict.deviation


def test_by_clocks_too_what_it_does_wrong_is_mostly_found() -> None:
    found = 0
    for defect in DEFECTS:
        told = on_cpus(Monitor(1, vms=2, pages=512, defect=defect, after=600).events(2500))[1:]
        deviation = judged(by_clocks(told, random.Random(1)), skew=SKEW).deviation
        found += deviation is not None and deviation.clause in DEFECTS[defect]
    assert found > len(DEFECTS) * 2 / 3


def test_what_it_does_wrong_is_mostly_found() -> None:
    found = 0
    for defect in DEFECTS:
        monitor = Monitor(1, vms=2, pages=512, defect=defect, after=600)
        told = on_cpus(monitor.events(2500))[1:]
        deviation = judged(shuffled(told, random.Random(1))).deviation
        found += deviation is not None and deviation.clause in DEFECTS[defect]
    assert found > len(DEFECTS) * 2 / 3


def test_a_load_may_be_reported_before_the_store_that_it_saw() -> None:
    load, store = {"e": "load", "cpu": 1, "gpa": 8, "value": 7}, {"e": "store", "cpu": 0, "gpa": 8, "value": 7}
    verdict = judged([*TWO, *SOME, load, store, *SOME])
    assert verdict.deviation is None and counted(verdict) == (1, 0)
    late = judged([*TWO, *SOME, load, *SOME, store])
    assert late.deviation is not None and late.deviation.clause == "EQV-1"
    assert judge_events([{"e": "trace", "start": "power-on"}, *TWO, load, store]).deviation is not None


def test_a_load_leaves_what_another_cpu_stores_as_it_is_known() -> None:
    """One CPU stores and another loads it: whichever was first, the word holds what was stored, from then on."""
    stored, loaded = {"e": "store", "cpu": 0, "gpa": 8, "value": 7}, {"e": "load", "cpu": 1, "gpa": 8, "value": 7}
    passed = [*TWO, *SOME, stored, loaded, *SOME]
    assert judged([*passed, loaded]).deviation is None
    found = judged([*passed, {**loaded, "value": 9}]).deviation
    assert found is not None and found.clause == "EQV-1"


def test_a_page_of_a_race_may_be_left_alone_with_its_frame() -> None:
    """After a race it is not known which pages share a frame. The last of them may write to it, once those that are known left."""
    race = [{"e": "protect", "cpu": 1, "gfn": 3}, {"e": "share", "cpu": 0, "gfn": 0, "with_vm": 0, "with_gfn": 3, "mfn": 5}]
    share = {"e": "share", "cpu": 0, "gfn": 0, "with_vm": 0, "with_gfn": 2, "mfn": 5}
    left = [{"e": "break", "cpu": 0, "gfn": gfn, "mfn": 20 + gfn} for gfn in (0, 2)]
    given = [*TWO, *({"e": "populate", "gfn": gfn, "mfn": 10 + gfn} for gfn in (2, 3))]
    write = {"e": "map", "cpu": 0, "gfn": 3, "mfn": 5, "writable": True}
    assert judged([*given, *SOME, *race, *SOME, share, *SOME, *left, *SOME, write]).deviation is None
    found = judged([*given, *SOME, *race, *SOME, share, *SOME, left[0], *SOME, write]).deviation
    assert found is not None and found.clause == "ISO-2"


def test_the_order_of_two_stores_is_not_known_afterwards() -> None:
    stores = [{"e": "store", "cpu": cpu, "gpa": 8, "value": cpu} for cpu in (1, 2)]
    for value in (1, 2):
        verdict = judged([*TWO, *SOME, *stores, *SOME, {"e": "load", "cpu": 3, "gpa": 8, "value": value}, *SOME])
        assert verdict.deviation is None
    apart = judged([*TWO, *SOME, stores[0], *SOME, stores[1], *SOME, {"e": "load", "cpu": 3, "gpa": 8, "value": 1}, *SOME])
    assert apart.deviation is not None and apart.deviation.clause == "EQV-1"


def test_times_say_more_than_lines() -> None:
    def at(time: int, event: Told) -> Told:
        return {**event, "time": time}

    load, store = {"e": "load", "cpu": 1, "gpa": 8, "value": 7}, {"e": "store", "cpu": 0, "gpa": 8, "value": 7}
    assert judged([*TWO, *SOME, at(1000, load), at(1010, store)], skew=20).deviation is None
    assert judged([*TWO, *SOME, at(1000, load), at(1010, store)], skew=5).deviation is not None


def test_numbers_are_each_cpus_own() -> None:
    numbers = ((0, 1), (1, 1), (0, 2), (1, 2), (1, 4))
    told = [{"e": "store", "cpu": cpu, "seq": seq, "gpa": 8 * cpu, "value": 1} for cpu, seq in numbers]
    verdict = judged([*TWO, *told])
    assert verdict.counted["gaps"] == 1
    with pytest.raises(BadDesign, match="seq"):
        judged([*TWO, *told, told[0]])


def test_the_verdict_says_the_bound() -> None:
    assert any(f"at most {WINDOW} apart" in note for note in judged(TWO).notes)


def conversation(told: Sequence[Told]) -> list[Any]:
    """The answers to these lines, and what is said at their end."""
    answers = BytesIO()
    converse("test", BytesIO(b"".join(json.dumps(each).encode() + b"\n" for each in told)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_a_conversation_may_have_each_cpus_order_alone() -> None:
    """A load that is reported before the store that it saw is lawful; one that nothing explains is told when its time is up."""
    load, store = {"e": "load", "cpu": 1, "gpa": 8, "value": 7}, {"e": "store", "cpu": 0, "gpa": 8, "value": 7}
    assert all(answer == {"ok": True} for answer in conversation([HEADER, *TWO, *SOME, load, store, *SOME]))
    told = [HEADER, *TWO, *SOME, load, *SOME, store]
    answers = conversation(told)
    first = next(number for number, answer in enumerate(answers) if not answer["ok"])
    assert answers[first]["clause"] == "EQV-1" and answers[first]["line"] == told.index(load) + 1 < first + 1


@pytest.mark.parametrize("end", [[], [{"e": "trace", "start": "power-on"}]])
def test_what_still_waits_at_the_end_of_a_conversation_is_told(end: list[Told]) -> None:
    told = [HEADER, *TWO, *SOME, {"e": "load", "cpu": 1, "gpa": 8, "value": 7}]
    *before, last = conversation([*told, *end])
    assert all(answer == {"ok": True} for answer in before) and len(before) == len(told)
    assert (last["ok"], last["clause"], last["line"]) == (False, "EQV-1", len(told))


def test_a_conversation_says_what_a_race_leaves_undecided() -> None:
    stores = [{"e": "store", "cpu": cpu, "gpa": 8, "value": cpu} for cpu in (1, 2)]
    answers = conversation([HEADER, *TWO, *SOME, *stores, {"e": "load", "cpu": 3, "gpa": 8, "value": 1}, *SOME])
    assert all(answer["ok"] for answer in answers)
    assert sum("race" in note for answer in answers for note in answer.get("notes", ())) == 1


def test_blocks_and_events_are_judged_alike() -> None:
    told = [{**HEADER}, *shuffled(on_cpus(Monitor(2, vms=2, pages=512).events(800))[1:], random.Random(2))]
    judge = Judge("blocks")
    block = b"".join(json.dumps(event).encode() + b"\n" for event in told)
    assert (judge.block(1, block) or judge.finish()) is None
    assert counted(judge.verdict(0, None)) == counted(judge_events(told))
