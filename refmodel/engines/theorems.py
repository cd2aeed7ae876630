"""Proving every theorem of a checkout, several at a time."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Iterator
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Any

import attrs

from refmodel.engines.proof_cache import ProofCache
from refmodel.engines.spread import Where, spread
from refmodel.language.unsound import BadDesign

LIST = "proofs.theorems"
"""The module whose THEOREMS are proved."""


@attrs.frozen
class Told:
    """What came of a theorem."""

    name: str
    says: str
    verdict: str
    """``proved``, ``refuted`` or ``unknown``."""
    seconds: float
    remembered: bool = False
    why: str = ""


def prove_all(folder: Path, fresh: bool = False, where: Where | None = None) -> Iterator[Told]:
    """Every theorem of the checkout in this folder, in order; whoever helps has a checkout in the same folder.

    Raises ``BadDesign`` if there is no list of theorems.
    """
    theorems = _theorems(folder)
    cache = ProofCache()
    todo = []
    for number, theorem in enumerate(theorems):
        known = None if fresh else cache.seconds(theorem.name, theorem.proof.__module__)
        if known is None:
            todo.append(number)
        else:
            yield Told(theorem.name, theorem.says, "proved", known, remembered=True)
    for told in spread(partial(_prove, str(folder)), todo, where or Where(jobs=cpu_count() or 1)):
        if told.verdict == "proved":
            theorem = next(t for t in theorems if t.name == told.name)
            cache.keep(told.name, theorem.proof.__module__, told.seconds)
        yield told


def _theorems(folder: Path) -> Any:
    if not (folder / "proofs" / "theorems.py").is_file():
        raise BadDesign(f"{folder}: no proofs/theorems.py here; run this in a checkout of the repository")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(LIST).THEOREMS


def _prove(folder: str, number: int) -> Told:
    theorem = _theorems(Path(folder))[number]
    began = time.perf_counter()
    verdict, why = "proved", ""
    try:
        theorem.prove()
    except AssertionError as false:
        undecided = type(false).__name__ == "Undecided"
        verdict, why = "unknown" if undecided else "refuted", str(false)
    except Exception:
        verdict, why = "unknown", traceback.format_exc()
    return Told(theorem.name, theorem.says, verdict, time.perf_counter() - began, why=why)
