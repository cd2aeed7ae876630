"""Several runs that break laws, where one was found: each takes other operations, or breaks another law.

Each is found by random runs and shortened until no step can be left out. That they are the shortest is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from refmodel.engines.machine import Failure
from refmodel.engines.random import campaign
from refmodel.language.design import Outline
from refmodel.language.sizes import Geometry

SECONDS = 2.0
"""Of random runs, for each run that is looked for."""
RUNS = 300
"""Random runs that look for another law."""
IN_VAIN = 6
"""How often in a row nothing new is found before the search ends."""


def several(design: Outline, geometry: Geometry, failure: Failure, number: int, seed: int = 0) -> tuple[Failure, ...]:
    """``number`` runs at most, of which ``failure`` is one, the shortest first."""
    found = {shape(failure): failure}
    in_vain = attempt = 0
    while len(found) < number and in_vain < IN_VAIN:
        attempt += 1
        other = _another_law(design, geometry, [*found.values()], seed + attempt) if attempt % 2 else None
        if other is None:
            other = campaign(design, geometry, seconds=SECONDS, start=seed + attempt).failure
        known = None if other is None else found.get(shape(other))
        if other is not None and (known is None or len(other.run.steps) < len(known.run.steps)):
            found[shape(other)] = other
        in_vain = 0 if other is not None and known is None else in_vain + 1
    return tuple(sorted(found.values(), key=lambda each: len(each.run.steps)))


def shape(failure: Failure) -> Any:
    """What two runs have in common that are the same but for names and the order of steps: the law and the operations."""
    law = failure.broken.law
    return law.name if law else failure.broken.clause, tuple(sorted(step.operation for step in failure.run.steps))


def _another_law(design: Outline, geometry: Geometry, found: Sequence[Failure], seed: int) -> Failure | None:
    """A run that breaks a law that none of these is said to break; its last step may break theirs too."""
    broken = {each.broken.law for each in found}
    laws = tuple(law for law in design.laws if law not in broken)
    return campaign(attrs.evolve(design, laws=laws), geometry, runs=RUNS, start=seed).failure if laws else None


__all__ = ["several", "shape"]
