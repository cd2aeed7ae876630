"""The gallery: each defect that a hypervisor had, as a page with its shortest run, a picture, and the clause that it breaks.

``python -m refmodel.report.gallery specs`` writes the pages and the picture of the front page. A test keeps them as they come.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from refmodel.bugs import MUTANTS, Mutant
from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.exhaustive import explore
from refmodel.engines.spread import Where, spread
from refmodel.engines.words import names_of, trace_text
from refmodel.examples.zap import ZapLazily
from refmodel.language import outline, remaking
from refmodel.language.plurals import many
from refmodel.report.figures import figure
from refmodel.report.texts import sentence_of

FRONT = "pictures/stale_mapping.svg"
"""The picture of the front page: what ``ZapLazily`` gets."""
PATIENCE = 300.0
"""Seconds of exploring for one defect."""
HISTORICAL = {name: mutant for name, mutant in MUTANTS.items() if mutant.entry}

CONTENTS = """# Defects that hypervisors had

Each page shows one defect of Xen, KVM, Linux or QEMU, restated as a change to a shipped design. The
page has the shortest run that breaks a law, a picture of the run's last state, and a reference to
the defect. `refmodel bench NAME` runs every engine on the defect, and `refmodel explain NAME`
prints the changed code.

`python -m refmodel.report.gallery specs` generates these pages.

| defect | clause | what was wrong | steps |
|---|---|---|---|
"""


@attrs.frozen
class Exhibit:
    """A defect, and the shortest run that breaks the clause which it is there for."""

    name: str
    page: str
    picture: str
    row: str


def exhibit(name: str) -> Exhibit:
    """A defect's page. Raises ``AssertionError`` if no run breaks a law."""
    mutant = HISTORICAL[name]
    run = shortest(mutant)
    row = f"| [{name}]({name}.md) | {run.clause} | {mutant.title} | {len(run.steps)} |"
    return Exhibit(name, _page(name, mutant, run), figure(run), row)


def shortest(mutant: Mutant) -> BrokenRun:
    """Explore a mutant's design until a law of its clause is broken; where none is in that geometry, until any law is.

    Raises ``AssertionError`` if none is.
    """
    design = outline(mutant.design)
    for judged in (design.restricted(mutant.clause), design):
        found = explore(judged, mutant.design.geometry, seconds=PATIENCE).failure
        if found is not None:
            return BrokenRun(judged, mutant.design.geometry, found, None)
    raise AssertionError(f"{mutant.title}: no run breaks a law")


def _page(name: str, mutant: Mutant, run: BrokenRun) -> str:
    title, _, more = (sys.modules[mutant.design.__module__].__doc__ or "").strip().partition("\n")
    broken, names = run.failure.broken, names_of(run.failure.broken)
    law = "the monitor never aborts" if broken.law is None else broken.law.name.replace("_", " ")
    return "\n".join(
        [
            f"# {name}",
            "",
            title,
            *([more.rstrip()] if more.strip() else []),
            "",
            "## What is wrong",
            "",
            f"{mutant.title} The design is `{mutant.design.__mro__[1].__name__}` with this change:",
            "",
            "```python",
            _source(mutant),
            "```",
            "",
            f"## The shortest run that breaks {broken.clause}",
            "",
            f"[{broken.clause}](../properties.md): {sentence_of(broken.clause)}.",
            f"The law *{law}*: {broken.sentence}",
            "",
            f"![The state after the last of {many(len(run.steps), 'step')}]({name}.svg)",
            "",
            "```text",
            trace_text(run.design, run.told()),
            f"breaks {broken.clause}{f' for {names}' if names else ''}",
            "```",
            "",
            f"`refmodel bench {name}` finds this run again. `refmodel explain {name}` prints the changed code.",
            "",
        ]
    )


def _source(mutant: Mutant) -> str:
    return textwrap.dedent(inspect.getsource(mutant.design)).rstrip()


def exhibits(names: Sequence[str], where: Where | None = None) -> Iterator[Exhibit]:
    """The pages of these defects, in order."""
    return spread(exhibit, names, where or Where())


def front() -> str:
    """The picture of the front page."""
    design = outline(ZapLazily).restricted("ISO-2")
    found = explore(design, ZapLazily.geometry).failure
    assert found is not None
    return figure(BrokenRun(design, ZapLazily.geometry, found, None))


def main(folder: Path) -> None:
    """Write everything."""
    (folder / FRONT).parent.mkdir(parents=True, exist_ok=True)
    (folder / FRONT).write_text(front(), encoding="utf-8")
    home, rows = folder / "gallery", []
    home.mkdir(exist_ok=True)
    for each in exhibits(list(HISTORICAL), Where(jobs=2)):
        (home / f"{each.name}.md").write_text(each.page, encoding="utf-8")
        (home / f"{each.name}.svg").write_text(each.picture, encoding="utf-8")
        rows.append(each.row)
    (home / "README.md").write_text(CONTENTS + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(remaking.folder("refmodel.report.gallery", "the gallery, and the picture of the front page", "specs", "properties.md"))
