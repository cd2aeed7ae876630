"""Conformance vectors written from Python. ``import refmodel`` gives ``vectors``; the command is made of the same function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path

from refmodel.language import BadDesign
from refmodel.oracle.riscv.vectors import ARCHITECTURES
from refmodel.oracle.riscv.vectors import write as write_riscv
from refmodel.oracle.vectors.writing import write

__all__ = ["vectors"]

EACH_OF_RISCV = 6_000
"""Vectors of each pair of stages, if no number is given."""


def vectors(
    folder: str | PathLike[str],
    count: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    architecture: str = "x86",
    without: Iterable[str] = (),
) -> dict[str, int]:
    """Write conformance vectors, ``count`` together: for ``x86`` of page walks and of a monitor (specs/vectors.md), 120,000 walks
    and all runs of a monitor if no number is given; for ``riscv`` and ``riscv32`` of page walks (specs/riscv.md), 48,000 and
    30,000.

    ``progress`` is called with the number of vectors written so far, and of those to be written. ``without`` names features of
    x86 that a walker lacks: vectors that need one are left out. Gives the number of vectors of each file. They are always the
    same.
    Several processes write them, and each begins by importing the script that calls this: call it there under
    ``if __name__ == "__main__":``. Raises ``BadDesign`` if the folder cannot be written, or there is no such architecture or
    feature.
    """
    if not isinstance(folder, str | PathLike):
        raise BadDesign(f"{folder!r}: expected the path of a folder")
    if count is not None and not (isinstance(count, int) and count >= 0):
        raise BadDesign(f"count: {count!r}; expected how many vectors, from 0 on")
    if isinstance(without, str) or not isinstance(without, Iterable):
        raise BadDesign(f"without: {without!r}; expected a list of features")
    if architecture in ARCHITECTURES:
        if tuple(without):
            raise BadDesign("without is for x86; vectors of riscv have the rules that they are about")
        sets = ARCHITECTURES[architecture]
        return write_riscv(Path(folder), EACH_OF_RISCV * len(sets) if count is None else count, progress, sets)
    if architecture != "x86":
        raise BadDesign(f"{architecture}: no such architecture; x86, riscv or riscv32 was expected")
    return write(Path(folder), count, progress, frozenset(without))
