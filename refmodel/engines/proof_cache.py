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

import ast
import functools
import hashlib
import importlib.util
import json
import os
import pkgutil
import platform
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import z3

import refmodel
from refmodel.engines.folders import cache_folder

HOME = Path(refmodel.__file__).resolve().parent
"""Where refmodel's own text is."""
RESTS_ON = ("attrs", "numpy", "z3-solver", "hypothesis", "msgspec", "llvmlite")
"""The packages whose versions are part of what a theorem is remembered under."""
_FOREIGN = tuple(Path(sysconfig.get_paths()[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))


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
        total.update(f"{_called(file)}\0".encode() + _read(str(file), *_stamp(file)))
    return total.hexdigest()


def _called(file: Path) -> str:
    """A file's name, wherever the checkout is."""
    return str(file.relative_to(HOME.parent)) if file.is_relative_to(HOME.parent) else str(file)


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


@functools.cache
def _read(file: str, changed: int, size: int) -> bytes:
    return hashlib.sha256(Path(file).read_bytes()).digest()


@functools.cache
def _versions() -> str:
    found = [sys.version, sys.implementation.name, sys.implementation.cache_tag or "", platform.machine(), z3.get_full_version()]
    for name in RESTS_ON:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} is not installed")
    return "\n".join(found)


def text_of(module: str) -> set[Path]:
    """The files that modules depend on, separated by spaces: what they import, and for those that are not refmodel's own whatever
    else is loaded or lies beside them."""
    names = module.split()
    found = _closure(names)
    roots = [file for name in names if (file := _file_of(name)) is not None and not file.is_relative_to(HOME)]
    if roots:
        found |= _loaded()
        for root in roots:
            found |= {f.resolve() for f in root.parent.rglob("*") if f.is_file() and "__pycache__" not in f.parts}
    return found


def _closure(names: list[str]) -> set[Path]:
    """What modules import, directly or not, as their text says."""
    found: dict[str, Path] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        file = _file_of(name)
        if name in found or file is None:
            continue
        found[name] = file
        todo += _imported(str(file), name, *_stamp(file))
        if "." in name:
            todo.append(name.rpartition(".")[0])  # a package's own text runs first
    return set(found.values())


def _loaded() -> set[Path]:
    """The files of all modules that are loaded, but for Python's own and those of packages; nothing reaches pytest's tests."""
    files = {Path(file).resolve() for name, m in list(sys.modules.items())
             if (file := getattr(m, "__file__", None)) and name != "__main__" and not _is_test(file)}
    return {f for f in files if f.is_file() and (f.is_relative_to(HOME) is False) and not _is_foreign(f)}


def _is_test(file: str) -> bool:
    return Path(file).name.startswith(("test_", "conftest"))


def _is_foreign(file: Path) -> bool:
    return any(file.is_relative_to(place) for place in _FOREIGN)


@functools.cache
def _spec(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):  # a name in a module, not a module
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin is not None and spec.has_location else None


@functools.cache
def _is_a_package_s(top: str) -> bool:
    """Whether a top-level module is there at all, and an installed package's: looked at without importing it."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return True
    if spec is None:
        return True
    places = [spec.origin] if spec.origin is not None and spec.has_location else list(spec.submodule_search_locations or ())
    found = [Path(place).resolve() for place in places]
    return bool(found) and all(_is_foreign(place) and not place.is_relative_to(HOME) for place in found)


def _file_of(name: str) -> Path | None:
    """The file of a module that is neither Python's nor a package's."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or (top != "refmodel" and _is_a_package_s(top)):
        return None
    file = _spec(name)
    return file if file is not None and file.suffix == ".py" and (file.is_relative_to(HOME) or not _is_foreign(file)) else None


@functools.cache
def _imported(file: str, name: str, changed: int, size: int) -> tuple[str, ...]:
    """The names that a file's import statements may mean, relative ones too."""
    return tuple(_imports(Path(file), name))


def _nodes(tree: ast.AST, own: bool) -> Iterator[ast.AST]:
    """Every node of a text, but for what refmodel's own says to type checkers only, which never runs. (A user's
    ``TYPE_CHECKING`` may be anything.)"""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        checked = own and isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        todo += node.orelse if checked and isinstance(node, ast.If) else ast.iter_child_nodes(node)


def _imports(file: Path, name: str) -> Iterator[str]:
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in _nodes(ast.parse(file.read_text()), file.is_relative_to(HOME)):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[:len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            if module:
                yield module
                yield from (f"{module}.{a.name}" for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "every_law":
            yield from _gathered(node)


def _gathered(call: ast.Call) -> Iterator[str]:
    """The modules of the packages whose laws a design gathers: it imports none of them."""
    for package in (a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)):
        yield package
        file = _file_of(package)
        if file is not None and file.name == "__init__.py":
            yield from (f"{package}.{each.name}" for each in pkgutil.iter_modules([str(file.parent)]))
