"""refmodel from Python: judge what an implementation reported, and write vectors. ``import refmodel`` gives every name.

    import refmodel
    assert refmodel.judge("trace.jsonl").deviation is None

The commands are made of the same functions. Bad input raises ``BadDesign``, with the line, the field and what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from refmodel.language import BadDesign
from refmodel.oracle.kvmmmu import judge_kernel_trace
from refmodel.oracle.riscv.vectors import ARCHITECTURES
from refmodel.oracle.riscv.vectors import write as write_riscv
from refmodel.oracle.trace.events import Event
from refmodel.oracle.trace.judge import judge_events, judge_trace
from refmodel.oracle.trace.verdicts import Deviation, TraceVerdict
from refmodel.oracle.vectors.writing import write

__all__ = ["TRACE_JUDGES", "Deviation", "TraceVerdict", "judge", "vectors"]

TRACE_JUDGES: dict[str, Callable[[str], TraceVerdict]] = {"refmodel": judge_trace, "kvmmmu": judge_kernel_trace}
"""What judges a trace file, by its format."""
EACH_OF_RISCV = 6_000
"""Vectors of each pair of stages, if no number is given."""


def judge(events: str | PathLike[str] | Iterable[Event | Mapping[str, Any] | bytes | str], *,
          format: Literal["refmodel", "kvmmmu"] = "refmodel") -> TraceVerdict:
    """Judge what an implementation reported of itself, up to the first event that no correct run could produce.

    ``events`` is the path of a trace file (plain, gzip or zstd), or events as they come: dictionaries such as
    ``{"e": "load", "gpa": 4096, "value": 0}``, or lines of JSON (specs/traces.md). ``format`` is for files: ``kvmmmu`` is
    Linux's own trace of its shadow MMU. Raises ``BadDesign`` with the line and the field of what is no event.
    """
    if isinstance(events, str | PathLike):
        if format not in TRACE_JUDGES:
            raise BadDesign(f"{format}: no such format; expected {' or '.join(TRACE_JUDGES)}")
        if Path(events).is_dir() or not Path(events).exists():
            raise BadDesign(f"{fspath(events)}: no such file; expected a trace")
        return TRACE_JUDGES[format](fspath(events))
    if format != "refmodel":
        raise BadDesign(f"format {format} is for files; expected the path of one")
    if isinstance(events, bytes | Mapping) or not isinstance(events, Iterable):
        raise BadDesign(f"{events!r:.60}: no events; expected the path of a trace, or events as they come")
    return judge_events(events)


def vectors(folder: str | PathLike[str], count: int | None = None, progress: Callable[[int, int], None] = lambda done, of: None,
            architecture: str = "x86", without: Iterable[str] = ()) -> dict[str, int]:
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
