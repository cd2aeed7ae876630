"""A random monitor that does everything right (tests/lawful) is lawful, however that is told; and what it does wrong is found."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import attrs
import pytest

from refmodel.oracle.trace.judge import judge_events
from refmodel.oracle.trace.table import KINDS
from refmodel.oracle.trace.verdicts import Deviation
from tests.lawful.monitor import Monitor
from tests.lawful.state import Told, some_options
from tests.lawful.telling import Telling, told
from tests.test_steps import agree, every_event_is_watched

__all__ = ["every_event_is_watched"]
NEVER_SILENT = {
    "trace",
    "gap",
    "registers",
    "access",
    "invlpg",
    "invpcid",
    "entry",
    "p2m",
    "frame",
    "memory",
    "resume",
    "balloon",
    "ram",
}
HARD_TO_SEE = {"a late mark that never comes", "a page that is written back before its last store"}
"""Defects that leave no evidence in most runs: the page is not looked at again."""
HERE = Path(__file__).parent / "lawful"
DEFECTS = sorted({what for file in HERE.glob("*.py") for what in re.findall(r'self\.wrong\("([^"]+)"\)', file.read_text())})
BLOCK = 20
"""Seeds of one test."""


def deviation(lines: list[Told]) -> Deviation | None:
    return judge_events([json.dumps(line) for line in lines]).deviation


def told_in_order(seed: int, number: int = 400) -> list[Told]:
    options = some_options(random.Random(seed))
    return told(Monitor(seed, options).run(number), options, Telling(), seed)


def told_otherwise(seed: int) -> list[Told]:
    """Some kinds of events are silent, only each CPU's order is known, events have times or numbers, or the trace starts late."""
    options, draw = some_options(random.Random(seed)), random.Random(seed + 1)
    silent = draw.sample(sorted(KINDS.keys() - NEVER_SILENT), draw.choice((0, 1, 2, 4)))
    by_time, by_cpu = draw.random() < 0.5, draw.random() < 0.4
    telling = Telling(
        order="cpu" if by_cpu else "total",
        window=draw.choice((None, 2, 8, 32, 64)) if by_cpu and not by_time else None,
        skew=draw.choice((0, 5, 20, 100)) if by_cpu and by_time else None,
        silent=tuple(silent),
        seq=draw.random() < 0.2,
        times=draw.random() < 0.2,
        running=options.gaps and draw.random() < 0.5,
    )
    return told(Monitor(seed, options).run(400), options, telling, seed)


@pytest.mark.parametrize("block", range(8))
def test_a_monitor_that_does_everything_right_is_lawful(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        assert deviation(told_in_order(seed)) is None, seed


@pytest.mark.parametrize("block", range(8))
def test_it_is_lawful_however_it_is_told(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        assert deviation(told_otherwise(seed)) is None, seed


@pytest.mark.slow
def test_many_such_monitors_are_lawful() -> None:
    for seed in range(1000, 1400):
        assert deviation(told_in_order(seed, 900)) is None, seed
        assert deviation(told_otherwise(seed)) is None, seed


@pytest.mark.parametrize("seed", range(6))
def test_it_comes_to_the_same_by_steps(seed: int) -> None:
    lawful, _ = agree(told_in_order(seed), deep=20)
    assert lawful


def found(defect: str, runs: int) -> Deviation | None:
    """What is found of a defect in some runs, where all is told that shows it."""
    for seed in range(100_000, 100_400):
        draw = random.Random(seed)
        options = some_options(draw)
        options = attrs.evolve(
            options,
            gaps=False,
            maps_told=True,
            populates=True,
            frames_told=1.0,
            flushes_told=options.flushes_told or "flush" in defect,
        )
        monitor = Monitor(seed, options, defect, draw.choice((60, 150, 300)))
        lines = told(monitor.run(900), options, Telling(), seed)
        if monitor.done_wrong_at < 0:
            continue
        if (wrong := deviation(lines)) is not None:
            assert wrong.line > monitor.done_wrong_at, "what was done right is called a deviation"
            return wrong
        runs -= 1
        if not runs:
            break
    return None


@pytest.mark.parametrize("defect", [each for each in DEFECTS if each not in HARD_TO_SEE])
@pytest.mark.slow
def test_what_a_monitor_does_wrong_is_found(defect: str) -> None:
    assert found(defect, 25) is not None


@pytest.mark.parametrize("defect", DEFECTS[::5])
def test_some_of_what_a_monitor_does_wrong_is_found(defect: str) -> None:
    assert defect in HARD_TO_SEE or found(defect, 25) is not None
