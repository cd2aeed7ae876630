"""The runs that go wrong, in the chapters of specs/.

A chapter says where a run is to stand by ``<!-- run NAME -->`` and ``<!-- end of run -->``, with the name of a mutant. Between them
``python -m refmodel.report.chapters specs`` writes the shortest run that breaks the mutant's clause, and a picture of its last
state. A test keeps the chapters up to date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from refmodel.bugs import MUTANTS
from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.words import broken_text, trace_text
from refmodel.language import remaking
from refmodel.language.plurals import many
from refmodel.report.figures import figure
from refmodel.report.gallery import shortest

PLACE = re.compile(r"(?P<begin><!-- run (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end of run -->)", re.DOTALL)

Find = Callable[[str], BrokenRun]
"""Gives the run of a mutant, by its name."""


def explored(name: str) -> BrokenRun:
    """The shortest run that breaks a mutant's clause, by exploration."""
    return shortest(MUTANTS[name])


def places(folder: Path) -> Iterator[tuple[Path, str]]:
    """The chapters with a run, and the mutant of each."""
    for chapter in sorted(folder.glob("*.md")):
        for place in PLACE.finditer(chapter.read_text(encoding="utf-8")):
            yield chapter, place["name"]


def told(name: str, run: BrokenRun) -> str:
    """A run as it stands in a chapter."""
    return "\n".join(
        [
            "",
            f"`{name}`: {MUTANTS[name].title}",
            "",
            f"![The state after the last of {many(len(run.steps), 'step')}](pictures/{name}.svg)",
            "",
            "```text",
            trace_text(run.design, run.told()),
            broken_text(run.failure.broken),
            "```",
            "",
            f"`refmodel bench {name}` finds this run again. `refmodel explain {name}` prints the changed code.",
            "",
            "",
        ]
    )


def written(chapter: str, find: Find) -> str:
    """The text of a chapter with its runs in it."""
    return PLACE.sub(lambda place: place["begin"] + told(place["name"], find(place["name"])) + place["end"], chapter)


def main(folder: Path) -> None:
    """Write the runs and pictures of every chapter."""
    found = list(places(folder))
    runs = {name: explored(name) for _, name in found}
    for chapter in {chapter for chapter, _ in found}:
        chapter.write_text(written(chapter.read_text(encoding="utf-8"), runs.__getitem__), encoding="utf-8")
    for name, run in runs.items():
        (folder / "pictures" / f"{name}.svg").write_text(figure(run), encoding="utf-8")


if __name__ == "__main__":
    main(remaking.folder("refmodel.report.chapters", "the runs and pictures of chapters", "specs", "properties.md"))
