"""Judging an implementation: tests drawn at random, what came of each against what the manuals allow, classes of deviation.

What is tested is a *campaign*'s business: how bytes become a test, how tests are run, and what is wrong with what was observed.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import attrs


class Trial(Protocol):
    """One test."""

    def lines(self) -> Iterator[str]:
        """The test in words."""


@attrs.frozen
class Finding:
    """What is wrong with what an implementation did in one test."""

    title: str
    """The class of deviation: what all its cases have in common, in words."""
    source: str
    """The clause of the manual."""
    expected: str
    got: str


@attrs.frozen
class Deviation:
    """A class of deviations with its smallest example."""

    finding: Finding
    test: Trial


class Campaign(Protocol):
    """One kind of test for one implementation."""

    @property
    def implementation(self) -> str:
        """Name and version."""

    @property
    def subject(self) -> str:
        """What is tested, in words: ``4-level paging``."""

    @property
    def size(self) -> int:
        """Bytes that one test is drawn from."""

    @property
    def slow(self) -> bool:
        """Whether a test takes so long that only their time can be bounded, not their number."""

    def make(self, data: bytes) -> Trial:
        """The test that these bytes stand for."""

    def run(self, tests: Any) -> Sequence[tuple[str, Finding | None]]:
        """For each of a sequence of tests that ``make`` made: how it ended, in a word, and what is wrong with it, if anything."""


@attrs.frozen
class Verdict:
    """What a session of judging did."""

    implementation: str
    subject: str
    checks: int
    seconds: float
    deviations: tuple[Deviation, ...]
    seen: dict[str, int]
    """How often each class was met."""
    outcomes: dict[str, int]
    of: int = 0
    """How many tests there are, where each may have a result; 0 where tests are drawn."""
    lacking: tuple[str, ...] = ()
    """Features that no test with a result needs, and some without one: whoever made the results may lack them."""
    unexplained: int = 0
    """Tests without a result that need none of these."""


def judge(
    campaign: Campaign,
    *,
    seconds: float = 4.0,
    checks: int = 1_000_000,
    start: int = 0,
    progress: Callable[[int], None] | None = None,
    shrinks: bool = True,
) -> Verdict:
    """Draw tests and judge them until the time or the number is up; shrink one example of each class that deviates, unless only the
    classes are wanted.

    Raises ``Lost`` if the implementation gives up.
    """
    return _Session(campaign, seconds, checks, start, progress, shrinks).run()


class Lost(Exception):
    """The machine under judgement ended, or did not come back: no verdict on it, but a failure to run."""


class _Session:
    def __init__(
        self, campaign: Campaign, seconds: float, checks: int, start: int, progress: Callable[[int], None] | None, shrinks: bool
    ) -> None:
        self.campaign, self.seconds, self.limit, self.shrinks = campaign, seconds, checks, shrinks
        self.start, self.progress = start, progress
        self.checks = 0
        self.seen: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.known: dict[str, Deviation] = {}
        self.began = time.perf_counter()
        self.shrinking = 0.0
        """Seconds that do not count."""

    def run(self) -> Verdict:
        draw, length = random.Random(f"judging {self.start}"), self.campaign.size * self._together(24)
        while not self._done():
            self._batch(draw.randbytes(length))
            if self.progress:
                self.progress(self.checks)
        return Verdict(
            self.campaign.implementation,
            self.campaign.subject,
            self.checks,
            self._busy(),
            tuple(self.known.values()),
            dict(self.seen),
            dict(self.outcomes),
        )

    def _together(self, otherwise: int) -> int:
        """How many tests are made at once: more where a machine takes long to start, and its campaign says so (``batch``)."""
        many: int = getattr(self.campaign, "batch", otherwise)
        return many

    def _busy(self) -> float:
        return time.perf_counter() - self.began - self.shrinking

    def _done(self) -> bool:
        return self.checks >= self.limit or self._busy() >= self.seconds

    def _batch(self, data: bytes) -> None:
        size = self.campaign.size
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        ended = self.campaign.run([self.campaign.make(piece) for piece in pieces])
        for piece, (outcome, finding) in zip(pieces, ended, strict=True):
            self.checks += 1
            self.outcomes[outcome] += 1
            if finding is None:
                continue
            self.seen[finding.title] += 1
            if finding.title not in self.known:
                began = time.perf_counter()
                self.known[finding.title] = self._smallest(piece, finding)
                self.shrinking += time.perf_counter() - began

    def _smallest(self, data: bytes, finding: Finding) -> Deviation:
        """A test with the same class of deviation and the plainest bytes: zero is the plainest choice everywhere."""
        best, found = data, finding
        improved = self.shrinks
        while improved:
            improved = False
            rest = plainer(best)
            while candidates := list(itertools.islice(rest, self._together(1))):
                ended = self.campaign.run([self.campaign.make(candidate) for candidate in candidates])
                same = [(c, what) for c, (_, what) in zip(candidates, ended, strict=True) if what and what.title == finding.title]
                if same:
                    (best, found), improved = same[0], True
                    break
        return Deviation(found, self.campaign.make(best))


def plainer(data: bytes) -> Iterator[bytes]:
    """These bytes with some of them zero, the most first; then with one of them smaller."""
    for width in (len(data) // 2, len(data) // 4, 8, 4, 2, 1):
        for at in range(0, len(data), max(1, width)):
            if any(data[at : at + width]):
                yield data[:at] + bytes(len(data[at : at + width])) + data[at + width :]
    for at, byte in enumerate(data):
        for smaller in dict.fromkeys((byte & 0xF0, byte & 0x0F, byte & byte - 1, byte // 2, byte - 1)):
            if 0 < smaller < byte:
                yield data[:at] + bytes([smaller]) + data[at + 1 :]
