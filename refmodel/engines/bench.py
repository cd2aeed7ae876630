"""The kill matrix: which engine finds which bug, in how many steps, by which clause, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from os import cpu_count

import attrs

from refmodel.engines import induction, random
from refmodel.engines.exhaustive import explore
from refmodel.engines.machine import ABORT
from refmodel.engines.spread import Where, spread
from refmodel.language.design import Design, outline

ENGINES = ("random", "exhaustive", "prove")
PATIENCE = 60.0
"""Seconds that an engine may take for one bug."""


@attrs.frozen
class Kill:
    """What one engine made of one bug: the clause and law that it breaks, and the steps of the run; None if it found nothing.
    A monitor that aborts breaks EFF-3, which has no law."""

    engine: str
    clause: str | None
    law: str | None
    steps: int | None
    """1 for the prover: the step that breaks the law, from a lawful state."""
    seconds: float


def kill(design: type[Design], engine: str) -> Kill:
    """Let an engine look for the bug in a design."""
    bugged, began = outline(design), time.perf_counter()
    if engine == "prove":
        refuted = induction.prove(bugged).refuted
        found = (refuted.law.clause if refuted.law else ABORT, refuted.law, 1) if refuted is not None else None
    else:
        failure = (
            random.campaign(bugged, design.geometry, seconds=PATIENCE).failure
            if engine == "random"
            else explore(bugged, design.geometry, seconds=PATIENCE).failure
        )
        found = (failure.broken.clause, failure.broken.law, len(failure.run.steps)) if failure is not None else None
    seconds = time.perf_counter() - began
    if found is None:
        return Kill(engine, None, None, None, seconds)
    clause, law, steps = found
    return Kill(engine, clause, law.name if law else None, steps, seconds)


def matrix(
    bugs: Mapping[str, type[Design]], engines: Sequence[str] = ENGINES, ended: Callable[[int], None] = lambda number: None
) -> Iterator[tuple[str, list[Kill]]]:
    """Each bug by each engine, several at a time, in the order given. ``ended`` is called with the number of each, in any order."""
    where = Where(jobs=max(2, min(len(bugs), cpu_count() or 1)))
    yield from zip(bugs, spread(partial(_row, tuple(engines)), bugs.values(), where, ended), strict=True)


def _row(engines: Sequence[str], design: type[Design]) -> list[Kill]:
    return [kill(design, engine) for engine in engines]
