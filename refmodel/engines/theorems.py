"""Proving every theorem of a checkout, several at a time."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Any

import attrs

import refmodel
from refmodel.engines.proof_cache import ProofCache
from refmodel.engines.spread import Where, spread
from refmodel.language.unsound import BadDesign

LIST = "proofs.theorems"
"""The module whose THEOREMS are proved."""


@attrs.frozen
class Told:
    """The result for one theorem."""

    name: str
    says: str
    verdict: str
    """``proved``, ``refuted`` or ``unknown``."""
    seconds: float
    remembered: bool = False
    why: str = ""


def prove_all(
    folder: Path,
    fresh: bool = False,
    where: Where | None = None,
    names: Sequence[str] = (),
    slow: bool = True,
    ended: Callable[[str], None] = lambda name: None,
) -> Iterator[Told]:
    """Every theorem of the checkout in this folder, in order; whoever helps has a checkout in the same folder. With names, those
    whose name has one of these in it; without ``slow``, those that take no longer than most. ``ended`` is called with the name of
    each that was worked on, in whatever order.

    Raises ``BadDesign`` if there is no list of theorems, or none of that name.
    """
    theorems = theorems_of(folder)
    cache = ProofCache()
    todo = []
    for number in chosen(folder, names, slow):
        theorem = theorems[number]
        known = None if fresh else cache.seconds(theorem.name, theorem.proof.__module__)
        if known is None:
            todo.append(number)
        else:
            ended(theorem.name)
            yield Told(theorem.name, theorem.says, "proved", known, remembered=True)
    for told in spread(
        partial(_prove, str(folder)), todo, where or Where(jobs=cpu_count() or 1), lambda number: ended(theorems[todo[number]].name)
    ):
        if told.verdict == "proved":
            theorem = next(t for t in theorems if t.name == told.name)
            cache.keep(told.name, theorem.proof.__module__, told.seconds)
        yield told


def chosen(folder: Path, names: Sequence[str] = (), slow: bool = True) -> list[int]:
    """The numbers of the theorems with one of these in their name, or of all; without ``slow``, of those that take no longer than
    most. Raises ``BadDesign`` if there is no list of theorems, or none of that name."""
    theorems = theorems_of(folder)
    unknown = [name for name in names if not any(name in t.name for t in theorems)]
    if unknown:
        raise BadDesign(
            f"{unknown[0]}: in no theorem's name; expected a part of one, such as {theorems[0].name}. "
            f"A design is proved by refmodel check {unknown[0]} --engine prove"
        )
    return [
        number
        for number, theorem in enumerate(theorems)
        if (not names or any(name in theorem.name for name in names)) and (slow or not theorem.slow)
    ]


def home() -> Path:
    """The folder that the theorems are in: of the checkout that this is run in, or else those that were installed."""
    package = Path(refmodel.__file__).resolve().parent
    places = (Path.cwd(), package, package.parent)
    return next((place for place in places if (place / "proofs" / "theorems.py").is_file()), package)


def theorems_of(folder: Path) -> Any:
    """The list of theorems in this folder; ``BadDesign`` if there is none."""
    if not (folder / "proofs" / "theorems.py").is_file():
        raise BadDesign(f"{folder}: no proofs/theorems.py here; expected a checkout of the repository, or an installed refmodel")
    if str(folder) not in sys.path:
        sys.path.append(str(folder)) if folder.name == "refmodel" else sys.path.insert(0, str(folder))
    return importlib.import_module(LIST).THEOREMS


def _prove(folder: str, number: int) -> Told:
    theorem = theorems_of(Path(folder))[number]
    verdict, why, seconds = attempt(theorem.prove)
    return Told(theorem.name, theorem.says, verdict, seconds, why=why)


def attempt(claim: Callable[[], object]) -> tuple[str, str, float]:
    """What comes of proving something: ``proved``, ``refuted`` or ``unknown``; why; and the seconds that it took."""
    began = time.perf_counter()
    verdict, why = "proved", ""
    try:
        claim()
    except AssertionError as false:
        undecided = type(false).__name__ == "Undecided"
        verdict, why = "unknown" if undecided else "refuted", str(false)
    except Exception:
        verdict, why = "unknown", traceback.format_exc()
    return verdict, why, time.perf_counter() - began
