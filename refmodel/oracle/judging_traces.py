"""What an implementation reported of itself, judged from Python. ``import refmodel`` gives ``judge``.

    import refmodel
    assert refmodel.judge("trace.jsonl").deviation is None

The command is made of the same functions. Bad input raises ``BadDesign``, with the line, the field and what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from refmodel.language import BadDesign
from refmodel.oracle.kvmmmu import judge_kernel_trace
from refmodel.oracle.trace.events import Event
from refmodel.oracle.trace.judge import judge_events, judge_trace
from refmodel.oracle.trace.verdicts import Deviation, TraceVerdict

__all__ = ["TRACE_JUDGES", "Deviation", "TraceVerdict", "judge"]

TRACE_JUDGES: dict[str, Callable[[str], TraceVerdict]] = {"refmodel": judge_trace, "kvmmmu": judge_kernel_trace}
"""What judges a trace file, by its format."""


def judge(
    events: str | PathLike[str] | Iterable[Event | Mapping[str, Any] | bytes | str],
    *,
    format: Literal["refmodel", "kvmmmu"] = "refmodel",
) -> TraceVerdict:
    """Judge what an implementation reported of itself, up to the first event that no correct run could produce.

    ``events`` is the path of a trace file (plain, gzip or zstd), or events as they come: dictionaries such as ``{"e": "load",
    "gpa": 4096, "value": 0}``, or lines of JSON (specs/traces.md). ``format`` says how a file is written: ``kvmmmu`` is Linux's
    own trace of its shadow MMU. Raises ``BadDesign`` with the line and the field of what is no event.
    """
    if isinstance(events, str | PathLike):
        if format not in TRACE_JUDGES:
            raise BadDesign(f"{format}: no such format; expected {' or '.join(TRACE_JUDGES)}")
        if Path(events).is_dir():
            raise BadDesign(f"{fspath(events)}: is a directory; expected a trace")
        if not Path(events).exists():
            raise BadDesign(f"{fspath(events)}: no such file; expected a trace")
        return TRACE_JUDGES[format](fspath(events))
    if format != "refmodel":
        raise BadDesign(f"format {format} is for files; expected the path of one")
    if isinstance(events, bytes | Mapping) or not isinstance(events, Iterable):
        raise BadDesign(f"{events!r:.60}: no events; expected the path of a trace, or events as they come")
    return judge_events(events)
