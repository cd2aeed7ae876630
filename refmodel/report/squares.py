"""The square of a step that is none of another design's: one way round through the monitored machine, the other through the other
design, and where they end apart."""

from __future__ import annotations

from typing import Any

import attrs

from refmodel.engines.corresponding import shown_by
from refmodel.engines.machine import Failure
from refmodel.engines.simulation_runs import square
from refmodel.engines.words import call, change_text, shown
from refmodel.language.design import Outline
from refmodel.language.kinds import kind_of
from refmodel.report.stories import Square

WIDEST = 60
"""Letters of a step that fit over an arrow."""


@attrs.frozen
class Drawn:
    """A square that does not commute, in words."""

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
        left = max(len("monitored state"), len(self.other)) + 1
        return [
            f"{'':<{left}} {self.step:^{width}}",
            f"{'monitored state':<{left}} {'-' * width}> monitored state; shows {self.shows}",
            f"{'      |':<{left}} {'':<{width}}        X",
            f"{self.other:<{left}} {'-' * width}> {self.other}; shows {self.other_shows}",
            f"{'':<{left}} {self.other_step:^{width}}",
            "This square does not commute:",
            *(f"  {line}" for line in self.apart)]

    def in_a_story(self) -> Square:
        """The same for a page."""
        return Square(f"{self.step}; shows {self.shows}", f"{self.other_step}; shows {self.other_shows}. {'. '.join(self.apart)}.",
                      agree=False)


def of_failure(design: Outline, other: Outline, failure: Failure) -> Drawn:
    """The square of the last step of a run."""
    found, outcome = square(design, other, design.cls.geometry, failure.run)
    told = [change_text(other, change) for change in found.entries]
    apart = [f"{where}: {theirs} for {other.name}, and {mine} in the monitored machine" for where, theirs, mine in told]
    mine, theirs = _shows(outcome), _shows(found.outcome)
    if mine != theirs:
        apart.append(f"shown is {theirs} by {other.name}, and {mine} by the monitored machine")
    return Drawn(_short(call(design, failure.run.steps[-1])), mine, other.name, found.operation or "no step", theirs,
                 tuple(apart or ["what the step may ask or answer differs"]))


def _shows(outcome: Any) -> str:
    told = shown_by(outcome)
    return "nothing" if told is None else shown(kind_of(type(told)), told)


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[:WIDEST - 2]} …"


__all__ = ["Drawn", "of_failure"]
