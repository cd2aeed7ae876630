"""Every state that a design can reach in a stated small geometry, breadth first.

What is found is found at its least depth, and a search that ends has seen everything there is in that geometry. The text is
compiled (``engines.compiled``), and states that differ only in names are one. A design whose states are no rows of bytes (wide
words) is explored on ints (``engines.stepwise``).
"""

from __future__ import annotations

from refmodel.engines.compiled.exploring import Search
from refmodel.engines.compiled.native import Native, is_there
from refmodel.engines.exploration import Exploration, Progress
from refmodel.engines.layout import fits_bytes
from refmodel.engines.stepwise import explore_stepwise
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry
from refmodel.language.unsound import Unsound


def compiled(design: Outline, geometry: Geometry, seed: int = 1) -> Native | None:
    """A design as machine code; None if it is beyond that reading."""
    if not is_there() or not fits_bytes(design):
        return None
    try:
        return Native(design, geometry, seed)
    except Unsound:
        return None


def explore(design: Outline, geometry: Geometry, *, seconds: float | None = None, seed: int = 1,
            progress: Progress | None = None) -> Exploration:
    """Explore a design in a geometry to the last state, to the first broken law, or until the time is up."""
    native = compiled(design, geometry, seed)
    if native is None:
        return explore_stepwise(design, geometry, seconds=seconds, progress=progress)
    return Search(native).run(seconds, progress)


__all__ = ["Exploration", "Progress", "compiled", "explore"]
