"""How what a monitor does is told: in which order, with which numbers and times, and what is left out."""

from __future__ import annotations

import random

import attrs

from tests.lawful.state import Options, Told


@attrs.frozen
class Telling:
    """How a run is told."""

    order: str = "total"
    window: int | None = None
    skew: int | None = None
    silent: tuple[str, ...] = ()
    seq: bool = False
    times: bool = False
    running: bool = False
    """Whether the beginning, up to the first gap, is left out."""


def header(options: Options, telling: Telling) -> Told:
    found: Told = {"e": "trace", "name": "lawful", "start": "running" if telling.running else "power-on"}
    if options.flushes_told:
        found["flushes"] = "told"
    if options.marks_late:
        found["marks"] = "late"
    if telling.silent:
        found["silent"] = list(telling.silent)
    if telling.order == "cpu":
        found["order"] = "cpu"
        found |= {} if telling.window is None else {"window": telling.window}
        found |= {} if telling.skew is None else {"skew": telling.skew}
    return found


def told(events: list[Told], options: Options, telling: Telling, seed: int) -> list[Told]:
    """A run as a trace."""
    draw = random.Random(seed)
    lines = [dict(event) for event in events if event["e"] not in telling.silent]
    if telling.running:
        first = next((at for at, event in enumerate(lines) if event["e"] == "gap"), None)
        lines = lines if first is None else lines[first + 1 :]
    if telling.order == "cpu":
        lines = _timed(lines, telling.skew, draw) if telling.skew is not None else _shuffled(lines, telling.window or 64, draw)
    elif telling.times:
        for at, event in enumerate(lines):
            event["time"] = at * 10
    if telling.seq:
        _numbered(lines, telling.order == "cpu")
    return [header(options, telling), *lines]


def _shuffled(lines: list[Told], window: int, draw: random.Random) -> list[Told]:
    """Lines in another order: those of one CPU are as before, and no two that are swapped are more than a window apart."""
    reach = max(1, window // 2 - 1)
    latest: dict[int, float] = {}
    keyed = []
    for at, event in enumerate(lines):
        place = max(at + draw.uniform(0, reach) * (draw.random() < 0.3), latest.get(event["cpu"], 0))
        latest[event["cpu"]] = place
        keyed.append((place, at))
    return [lines[at] for _, at in sorted(keyed)]


def _timed(lines: list[Told], skew: int, draw: random.Random) -> list[Told]:
    """Lines with times that are wrong by at most half the skew, merged by these."""
    latest: dict[int, int] = {}
    for at, event in enumerate(lines):
        time = max(at * 10 + skew + draw.randint(-(skew // 2), skew // 2), latest.get(event["cpu"], 0))
        latest[event["cpu"]] = event["time"] = time
    return sorted(lines, key=lambda event: int(event["time"]))


def _numbered(lines: list[Told], of_each_cpu: bool) -> None:
    numbers: dict[int, int] = {}
    for event in lines:
        whose = event["cpu"] if of_each_cpu else 0
        event["seq"] = numbers[whose] = numbers.get(whose, -1) + 1
