"""What the engines are asked about a design."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from refmodel.engines.spread import Where
from refmodel.engines.verdicts import EngineReport

Notice = Callable[[str, str], None]
"""Told the engine at work and how far it is."""
SoFar = Callable[[EngineReport], None]
"""Told what an engine has found before it looks for more that may take long."""


def _nobody(report: EngineReport) -> None:
    """Nobody wants to know."""


@attrs.frozen(kw_only=True)
class Asked:
    """What is wanted of the engines: each looks at what concerns it."""

    clause: str | None = None
    """If one is named, only its laws are judged."""
    seconds: float = 5.0
    """How long random runs go on, unless ``runs`` says how many there are."""
    runs: int | None = None
    explore_seconds: float | None = None
    """How long an exploration may take; None lets it go to the last state. The bounded engine goes deeper for so long."""
    explore_depth: int | None = None
    """How many steps the runs that an exploration judges may have; None lets it go to the last state."""
    exact: bool = False
    """Whether exploration keeps each state whole, and not as a key of 64 bits."""
    depth: int = 4
    """How many steps the bounded search looks ahead."""
    seed: int = attrs.field(default=0, validator=[attrs.validators.ge(0), attrs.validators.lt(1 << 63)])
    """Of the random runs: a number of at most 63 bits."""
    why: bool = False
    """Whether a proof says which laws it used for each law."""
    suggests: bool = False
    """Whether laws are looked for that make others inductive."""
    where: Where | None = None
    """Who shares an exploration that takes long. None: as many processes as there are processors that are free."""
    so_far: SoFar = _nobody
    tries_harder: bool = True
    """Whether a proof asks the solver again, with more hypotheses, where it knows no answer: not if a run breaks a law anyway."""


USUAL = Asked()
"""What is asked unless somebody says otherwise."""
