"""A run as one picture that stands alone: the steps, the state after the last one, and the law that it breaks."""

from __future__ import annotations

import textwrap

import attrs

from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.words import names_of
from refmodel.report.pages import TEMPLATES
from refmodel.report.pictures import Picture
from refmodel.report.stories import StoryStep, of_broken_run

LINE = 19
"""Pixels between lines of text."""
LETTER = 8.5
"""Pixels of a letter of text."""
NARROWEST = 760
"""Pixels of a picture, so that the steps have room."""


@attrs.frozen
class Line:
    """A line of text: where it is, and whether it says what is wrong."""

    y: int
    text: str
    marks: str


@attrs.frozen
class Figure:
    """What the template draws: lines of text, the picture, lines of text."""

    lines: tuple[Line, ...]
    picture: Picture
    top: int
    width: int
    height: int
    about: str


def figure(run: BrokenRun) -> str:
    """The picture of a run as SVG."""
    steps = of_broken_run(run, run.design.name, only=True).steps
    return TEMPLATES.get_template("figure.svg.j2").render(figure=_laid_out(run, steps))


def _laid_out(run: BrokenRun, steps: tuple[StoryStep, ...]) -> Figure:
    picture = steps[-1].picture
    width = max(NARROWEST, picture.width)
    letters = int((width - 28) / LETTER)
    before = [(line, "") for step in steps[1:] for line in textwrap.wrap(_called(step), letters, subsequent_indent="   ")]
    top = LINE * len(before) + LINE
    names = names_of(run.failure.broken)
    said = f"breaks {run.clause}: {run.sentence}{f' Here: {names}.' if names else ''}"
    after = [(line, "bad") for line in textwrap.wrap(said, letters)]
    lines = [Line(LINE * number, text, marks) for number, (text, marks) in enumerate(before, 1)]
    lines += [Line(top + picture.height + LINE * number, text, marks) for number, (text, marks) in enumerate(after, 1)]
    height = top + picture.height + LINE * len(after) + LINE // 2
    return Figure(tuple(lines), picture, top, width, height, f"{run.design.name}: {said}")


def _called(step: StoryStep) -> str:
    return f"{step.title}   {step.detail}" if step.detail else step.title
