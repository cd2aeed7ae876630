"""Designs beside each other: what a guest could see of the difference."""

from __future__ import annotations

import contextlib

from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, out, print_document, severity
from refmodel.designs import REFERENCES, SHIPPED
from refmodel.engines.differential import Comparison, common, compare
from refmodel.engines.replaying import replay
from refmodel.engines.words import call
from refmodel.language import outline as outline_of
from refmodel.language.design import Outline
from refmodel.language.plurals import many
from refmodel.language.unsound import BadDesign
from refmodel.loading import load
from refmodel.report import terminal
from refmodel.report.documents import ComparedDocument


def compared(design: str | None, against: str, seconds: float, seed: int, as_json: bool) -> int:
    """Run designs beside a reference, and show what was compared."""
    worst, documents = HOLDS, []
    for name in [design] if design is not None else list(SHIPPED):
        mine = load(name, may_lack_laws=True)
        beside = _reference(mine, against, must=design is not None)
        if beside is None:
            continue
        done = compare(mine, beside, seconds=seconds, seed=seed)
        worst = max(worst, FAILS if done.difference else HOLDS if done.shows_something else UNDECIDED, key=severity)
        documents.append(
            ComparedDocument(
                name, beside.name, done.runs, done.compared, done.explained, done.seconds, differs=done.difference is not None
            )
        )
        if not as_json:
            _show_comparison(name, mine, beside, done)
    if as_json:
        print_document(documents)
    return worst if documents else UNDECIDED


def _reference(mine: Outline, against: str, must: bool) -> Outline | None:
    """Of the designs of that name, the one whose instructions this one has."""
    candidates = [outline_of(cls) for cls in REFERENCES.get(against, ())] or [load(against, may_lack_laws=True)]
    for candidate in candidates:
        with contextlib.suppress(BadDesign):
            common(mine, candidate)
            return candidate
    if must:
        common(mine, candidates[0])
    return None


def _show_comparison(name: str, mine: Outline, beside: Outline, done: Comparison) -> None:
    out.print(
        f"{name} beside {beside.name}: {many(done.compared, 'instruction')} compared in "
        f"{many(done.runs, 'run')}, {done.seconds:.1f} s; "
        f"{done.explained:,} showed what only a cached translation explains",
        soft_wrap=True,
    )
    if done.difference is None:
        if done.shows_something:
            out.verdict(f"{name}: no difference that a guest could see\n", style="green")
        else:
            out.verdict(f"{name}: undecided: no instruction was compared that shows the same\n", style="yellow")
        return
    told = list(replay(mine, mine.cls.geometry, done.difference.run))
    out.print(terminal.trace(mine, told))
    lacking = done.difference.lacking
    here = f"shows {done.difference.shown}" if lacking is None else f"has no {call(mine, lacking)}"
    if lacking is None and done.difference.shown == done.difference.expected:
        out.print(f"shows the same as {beside.name}, and a guest's page holds something else there", soft_wrap=True)
    else:
        out.print(f"{here}, where {beside.name} shows {done.difference.expected}", soft_wrap=True)
    out.verdict(f"{name}: a guest can tell the difference\n", style="bold red")
