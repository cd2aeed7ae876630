"""What was proved before is not proved again, as long as nothing it depends on has changed.

A theorem is remembered under a hash of the text of its module and of every module of the project which that imports, directly or
not, and of the versions of Python and z3. Only what was proved is kept: a refutation or an unknown is always worked out anew.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import z3

PACKAGES = ("refmodel", "proofs", "tests")
"""Where the project's own modules are."""


def default_folder() -> Path:
    """``refmodel/proofs`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "refmodel" / "proofs"


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
        except (OSError, ValueError, KeyError, TypeError):
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


@functools.cache
def digest(module: str) -> str:
    """A hash of the text that a module depends on, or several, separated by spaces; and of what reads it."""
    total = hashlib.sha256(f"{sys.version_info[:2]} {z3.get_full_version()}".encode())
    for name, file in sorted(_closure(module).items()):
        total.update(f"{name}\0".encode() + file.read_bytes())
    return total.hexdigest()


def _closure(module: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    todo = module.split()
    while todo:
        name = todo.pop()
        file = _file_of(name)
        if name in found or file is None:
            continue
        found[name] = file
        todo += _imported(file)
    return found


def _file_of(name: str) -> Path | None:
    if name.split(".", maxsplit=1)[0] not in PACKAGES:
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a name in a module, not a module
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
