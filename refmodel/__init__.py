"""refmodel: the reference model of memory virtualization, executable and provable.

``check``, ``prove`` and ``explore`` judge a design; ``judge`` judges what an implementation reported; ``vectors`` writes
conformance vectors. The words of the language that designs are written in are here too: ``Design``, ``operation``, ``law``, ...

What is named in ``__all__`` is stable. It is loaded when it is first asked for, so that ``import refmodel`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refmodel.api import (
        BrokenRun,
        EngineReport,
        Numbers,
        Report,
        Status,
        Verdict,
        check,
        draw,
        explore,
        prove,
        replay,
        write_page,
    )
    from refmodel.engines.rule_machine import rule_machine
    from refmodel.language import (
        NOTHING,
        BadDesign,
        Bits,
        Design,
        Fault,
        Geometry,
        Law,
        Name,
        Natural,
        Page,
        Refused,
        Total,
        Unsound,
        abstraction,
        assign,
        cached,
        choose,
        count,
        every_law,
        fails,
        geometry,
        guest,
        implies,
        law,
        operation,
        outline,
        pending,
        require,
        reset,
    )
    from refmodel.oracle.judging_traces import Deviation, TraceVerdict, judge
    from refmodel.oracle.writing_vectors import vectors

__version__ = "0.1.0"
HOMES = {
    "rule_machine": "refmodel.engines.rule_machine",
    "vectors": "refmodel.oracle.writing_vectors",
    **dict.fromkeys(("judge", "Deviation", "TraceVerdict"), "refmodel.oracle.judging_traces"),
}
"""The modules of the public names that come from neither ``refmodel.language`` nor ``refmodel.api``."""
__all__ = [
    "NOTHING",
    "BadDesign",
    "Bits",
    "BrokenRun",
    "Design",
    "Deviation",
    "EngineReport",
    "Fault",
    "Geometry",
    "Law",
    "Name",
    "Natural",
    "Numbers",
    "Page",
    "Refused",
    "Report",
    "Status",
    "Total",
    "TraceVerdict",
    "Unsound",
    "Verdict",
    "__version__",
    "abstraction",
    "assign",
    "cached",
    "check",
    "choose",
    "count",
    "draw",
    "every_law",
    "explore",
    "fails",
    "geometry",
    "guest",
    "implies",
    "judge",
    "law",
    "operation",
    "outline",
    "pending",
    "prove",
    "replay",
    "require",
    "reset",
    "rule_machine",
    "vectors",
    "write_page",
]


def __getattr__(name: str) -> Any:
    """Load a name of ``__all__`` when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    language = importlib.import_module("refmodel.language")
    if name in language.__all__:
        found = getattr(language, name)
    else:
        found = getattr(importlib.import_module(HOMES.get(name, "refmodel.api")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
