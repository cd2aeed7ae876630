"""What was proved before is not proved again, as long as nothing it depends on has changed.

A theorem is remembered under a hash of everything that its text can reach:

- the text of its module and of what that imports, however: once a theorem is not refmodel's own, every
  module counts that was loaded from outside Python and its packages;
- every file beside it, such as data that is read while modules load;
- the engines' text, the full version of Python, and the versions of the packages that a verdict rests on.

Only what was proved is kept: a refutation or an unknown is always worked out anew. A file that cannot be read, or does not
have what was asked for, is as if it were not there.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import z3

from refmodel.engines.folders import cache_folder
from refmodel.engines.reached import HOME, hash_of, text_of

RESTS_ON = ("attrs", "numpy", "z3-solver", "hypothesis", "msgspec", "llvmlite")
"""The packages whose versions are part of what a theorem is remembered under."""


def default_folder() -> Path:
    """``refmodel/proofs`` in the user's cache folder."""
    return cache_folder("proofs")


class ProofCache:
    """A folder of proved theorems, one small file each."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def seconds(self, theorem: str, module: str) -> float | None:
        """How long the proof took when it was made, or None if the theorem is not known as its text stands now."""
        kept = self.recall(theorem, module)
        return None if kept is None else float(kept["seconds"])

    def recall(self, theorem: str, module: str) -> dict[str, Any] | None:
        """What was kept of a theorem as its text stands now."""
        try:
            kept = json.loads(self._file(theorem, module).read_text())
            float(kept["seconds"])
            return dict(kept) if kept["theorem"] == theorem else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def keep(self, theorem: str, module: str, seconds: float, **more: Any) -> None:
        """Remember that a theorem was proved. A folder that cannot be written is no error: nothing is remembered then."""
        file = self._file(theorem, module)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
                json.dump({"theorem": theorem, "seconds": round(seconds, 3), "z3": z3.get_version_string(), **more}, new)
            os.replace(new.name, file)
        except OSError:
            return

    def _file(self, theorem: str, module: str) -> Path:
        key = hashlib.sha256(f"{theorem}\0{digest(module)}".encode()).hexdigest()
        return self.folder / key[:40]


def is_own(module: str) -> bool:
    """Whether a module is refmodel's own, by where it lies: a user's may have any name."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(HOME)


def digest(module: str) -> str:
    """A hash of all that a module depends on, or several, separated by spaces; and of what reads it."""
    total = hashlib.sha256(_versions().encode())
    for file in sorted(text_of(module)):
        total.update(f"{_called(file)}\0".encode() + hash_of(file))
    return total.hexdigest()


def _called(file: Path) -> str:
    """A file's name, wherever the checkout is."""
    return str(file.relative_to(HOME.parent)) if file.is_relative_to(HOME.parent) else str(file)


@functools.cache
def _versions() -> str:
    found = [sys.version, sys.implementation.name, sys.implementation.cache_tag or "", platform.machine(), z3.get_full_version()]
    for name in RESTS_ON:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} is not installed")
    return "\n".join(found)
