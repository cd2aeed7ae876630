"""Judging an implementation's page walk: what it did, against what the manual allows, sorted into classes of deviation."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

import attrs
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from refmodel.machine.guest_walk import PS, A, D, NotCanonical, PageFault, Walk, flags_due, walk
from refmodel.oracle.walk_tests import SIZE, WalkTest, flag_names, make

SIZES = {1: "4 KiB", 2: "2 MiB", 3: "1 GiB"}


@attrs.frozen
class Observed:
    """What an implementation did: a fault with its code and CR2, or the physical address it went to; and the entries after."""

    outcome: str
    """``completed``, ``#PF``, ``#GP`` or what else came of it."""
    code: int = 0
    address: int = 0
    """CR2 after a page fault; the physical address otherwise."""
    entries: dict[int, int] = attrs.field(factory=dict)


class Implementation(Protocol):
    """An MMU under judgement."""

    name: str
    version: str
    levels: int
    physical_bits: int

    def run(self, test: WalkTest) -> Observed: ...


@attrs.frozen
class Deviation:
    """A class of deviations: in words, with the clause of the manual, and its smallest example."""

    title: str
    source: str
    test: WalkTest
    expected: str
    got: str


@attrs.frozen
class Verdict:
    """What a session of judging did."""

    implementation: str
    checks: int
    seconds: float
    deviations: tuple[Deviation, ...]
    seen: dict[str, int]
    outcomes: dict[str, int]


def compare(test: WalkTest, observed: Observed) -> tuple[str, str, str, str] | None:
    """None if the manual allows what was observed; else title, source, expected and got."""
    result = walk(lambda address: test.entries.get(address, 0), test.cpu, test.gva, test.access)
    due = _outcome(result, test)
    got = (observed.outcome, observed.code, observed.address)
    if due != got:
        return _outcome_title(due, got), "SDM Vol. 3A 4.7", _words(due), _words(got)
    return _flags(test, result, observed)


def _outcome(result: Walk, test: WalkTest) -> tuple[str, int, int]:
    if isinstance(result.fault, PageFault):
        return "#PF", result.fault.code, test.gva
    if isinstance(result.fault, NotCanonical):
        return "#GP", 0, 0
    return "completed", 0, result.physical


def _outcome_title(due: tuple[str, int, int], got: tuple[str, int, int]) -> str:
    if due[0] != got[0]:
        return f"{got[0]} where {due[0]} is due"
    if due[1] != got[1]:
        return f"error code {got[1]:#x} where {due[1]:#x} is due"
    return "another CR2 than is due" if due[0] == "#PF" else "another physical address than is due"


def _words(outcome: tuple[str, int, int]) -> str:
    kind, code, address = outcome
    if kind == "#PF":
        return f"#PF, error code {code:#x}, CR2 {address:#x}"
    return f"completed at physical address {address:#x}" if kind == "completed" else kind


def _flags(test: WalkTest, result: Walk, observed: Observed) -> tuple[str, str, str, str] | None:
    due = flags_due(result, test.access)
    for address, before in test.entries.items():
        after = observed.entries[address]
        must, may = due.get(address, (0, 0))
        wrong = (after ^ (before | must)) & ~may
        if wrong:
            level = 6 - address // 0x1000
            title = _flags_title(wrong, after, level, result)
            expected = f"level {level} entry {flag_names(before | must, level)}"
            return title, "SDM Vol. 3A 4.8", expected, f"level {level} entry {flag_names(after, level)}"
    return None


def _flags_title(wrong: int, after: int, level: int, result: Walk) -> str:
    flag = "accessed flag" if wrong & A else "dirty flag" if wrong & D else f"bits {wrong:#x}"
    change = "set" if wrong & after else "not set"
    leaf = level == 1 or (level < 4 and after & PS)
    where = f"a {SIZES[level]} leaf" if leaf else f"a level {level} entry"
    when = "although the access faults" if result.fault is not None else "by an access that completes"
    return f"{flag} of {where} {change} {when}"


def judge(implementation: Implementation, *, seconds: float = 4.0, checks: int = 1_000_000, start: int = 0,
          progress: Callable[[int], None] | None = None) -> Verdict:
    """Draw tests and judge them until the time or the number is up; shrink one example of each class that deviates."""
    return _Session(implementation, seconds, checks, start, progress).run()


class _Deviates(Exception):
    """Raised inside Hypothesis, to make it shrink."""


class _Session:
    batch = 24

    def __init__(self, implementation: Implementation, seconds: float, checks: int, start: int,
                 progress: Callable[[int], None] | None) -> None:
        self.implementation, self.seconds, self.limit = implementation, seconds, checks
        self.start, self.progress = start, progress
        self.checks = 0
        self.busy = 0.0
        self.seen: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.known: dict[str, Deviation] = {}

    def run(self) -> Verdict:
        number = 0
        while self.busy < self.seconds and self.checks < self.limit:
            number += 1
            self._round(number)
            if self.progress:
                self.progress(self.checks)
        return Verdict(f"{self.implementation.name} {self.implementation.version}", self.checks, self.busy,
                       tuple(self.known.values()), dict(self.seen), dict(self.outcomes))

    def _round(self, number: int) -> None:
        """Tests until a class deviates that is not known yet; that one is then shrunk."""
        target: list[str] = []
        smallest: list[Deviation] = []
        began = time.perf_counter()

        def go(data: bytes) -> None:
            if not target and (self.busy + time.perf_counter() - began > self.seconds or self.checks >= self.limit):
                return
            for title, deviation in self._deviations(data, counting=not target):
                if title in self.known or (target and title != target[0]):
                    continue
                if not target:
                    self.busy += time.perf_counter() - began
                    target.append(title)
                smallest.append(deviation)
                raise _Deviates

        test = settings(max_examples=200, database=None, deadline=None, verbosity=Verbosity.quiet, print_blob=False,
                        phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False,
                        suppress_health_check=list(HealthCheck))(
            seed(self.start * 7919 + number)(given(st.binary(min_size=SIZE * self.batch, max_size=SIZE * self.batch))(go)))
        try:
            test()
        except _Deviates:
            self.known[target[0]] = smallest[-1]
            return
        self.busy += time.perf_counter() - began

    def _deviations(self, data: bytes, counting: bool) -> Iterator[tuple[str, Deviation]]:
        implementation = self.implementation
        for at in range(0, len(data), SIZE):
            test = make(data[at:at + SIZE], implementation.levels, implementation.physical_bits)
            observed = implementation.run(test)
            found = compare(test, observed)
            if counting:
                self.checks += 1
                self.outcomes[observed.outcome] += 1
            if found is not None:
                if counting:
                    self.seen[found[0]] += 1
                title, source, expected, got = found
                yield title, Deviation(title, source, test, expected, got)
