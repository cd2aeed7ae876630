"""The square of a step that is none of another design's: the ways round through the one design and through the other, and where
they end apart."""

from __future__ import annotations

from typing import Any

import attrs

from refmodel.bare_machines import bare_machine
from refmodel.engines.machine import Failure
from refmodel.engines.outcomes import exits, shown_by
from refmodel.engines.replaying import replay
from refmodel.engines.simulation_runs import square
from refmodel.engines.words import call, change_text, outcome_text, shown
from refmodel.language.annotations import kind_of
from refmodel.language.design import Outline
from refmodel.language.sizes import Geometry
from refmodel.report.stories import Square

WIDEST = 60
"""Letters of a step that fit over an arrow."""


@attrs.frozen
class Drawn:
    """A square that does not commute, in words."""

    mine: str
    """What the state of the design that took the step is called: by the design's name, unless the other is its bare machine."""
    step: str
    shows: str
    other: str
    """The other design's name."""
    other_step: str
    other_shows: str
    apart: tuple[str, ...]
    """Where the two ways end apart: an entry a line, or what is shown."""

    def lines(self) -> list[str]:
        """The drawing."""
        width = max(len(self.step), len(self.other_step), 24) + 2
        left = max(len(self.mine), len(self.other)) + 1
        return [
            f"{'':<{left}} {self.step:^{width}}",
            f"{self.mine:<{left}} {'-' * width}> {self.mine}; shows {self.shows}",
            f"{'      |':<{left}} {'':<{width}}        X",
            f"{self.other:<{left}} {'-' * width}> {self.other}; shows {self.other_shows}",
            f"{'':<{left}} {self.other_step:^{width}}",
            "This square does not commute:",
            *(f"  {line}" for line in self.apart),
        ]

    def in_a_story(self) -> Square:
        """A square as a picture in an HTML report."""
        return Square(
            f"{self.step}; shows {self.shows}",
            f"{self.other_step}; shows {self.other_shows}. {'. '.join(self.apart)}.",
            agree=False,
        )


def of_failure(design: Outline, other: Outline, failure: Failure, geometry: Geometry) -> Drawn:
    """The square of the last step of a run."""
    found, outcome = square(design, other, geometry, failure.run)
    is_bare = bare_machine(design.cls) is other.cls
    name = "the monitored machine" if is_bare else design.name
    told = [change_text(other, change) for change in found.entries]
    apart = [f"{where}: {theirs} for {other.name}, and {mine} for {name}" for where, theirs, mine in told]
    last = failure.run.steps[-1]
    begun = next(reversed(list(replay(design, geometry, failure.run)))).begun
    mine, theirs = _shows(design, last.operation, outcome), _shows(other, found.operation, found.outcome)
    if mine != theirs:
        apart.append(f"{other.name} shows {theirs}, and {name} shows {mine}")
    return Drawn(
        "monitored state" if is_bare else design.name,
        _short(call(design, last, begun)),
        mine,
        other.name,
        found.operation or "no step",
        theirs,
        tuple(apart or ["what the step may ask or answer differs"]),
    )


def _shows(design: Outline, operation: str, outcome: Any) -> str:
    """What the guest is shown by a step: the reply in what it returns, or else all that a guest's own instruction returns."""
    told = shown_by(outcome)
    by_guest = any(op.name == operation and op.by_guest for op in design.operations)
    if exits(told):
        return "nothing, for it exits" if by_guest else "nothing"
    if told is not None:
        return shown(kind_of(type(told)), told)
    text = outcome_text(outcome) if by_guest else ""
    return f"{type(outcome).__name__}()" if text == "-" else text or "nothing"


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 2]} …"


__all__ = ["Drawn", "of_failure"]
