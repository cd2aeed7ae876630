"""What ``--json`` prints of implementations that were judged, as records."""

from __future__ import annotations

import attrs

from refmodel.oracle.trace.driving import Driven
from refmodel.oracle.trace.exercised import Exercised
from refmodel.oracle.trace.verdicts import TraceVerdict


@attrs.frozen
class DeviationDocument:
    """A class of deviations of an implementation's walks, with a smallest test that shows it."""

    title: str
    source: str
    """The manual's section that says otherwise."""
    times: int
    known: str | None
    test: tuple[str, ...]
    expected: str
    got: str


@attrs.frozen
class JudgedDocument:
    """The result of ``refmodel judge`` for one subject of an implementation."""

    judge: str
    subject: str
    checks: int
    seconds: float
    deviations: tuple[DeviationDocument, ...]
    of: int = 0
    """How many vectors there are; 0 if tests are drawn."""
    lacking: tuple[str, ...] = ()
    """Features that explain why vectors have no result: no vector with a result needs them."""
    unexplained: int = 0
    """Vectors without a result that no such feature explains."""


@attrs.frozen
class TraceDocument(TraceVerdict):
    """The result of ``refmodel judge`` for one trace."""

    known: str | None = None
    """The reason, where the deviation is in the file of known ones."""
    exercised: Exercised | None = None


@attrs.frozen
class DrivenDocument(Driven):
    """The result of ``refmodel drive`` for one implementation."""

    exercised: Exercised = attrs.field(kw_only=True)
