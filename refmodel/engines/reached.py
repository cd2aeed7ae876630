"""The files that a module depends on: what it imports, directly or not, as its text says.

To parse two hundred files takes half a second, which whoever waits for a verdict would wait for. So what a file imports is kept
under a hash of its text, in the user's cache folder.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import pkgutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import refmodel
from refmodel.engines.folders import cache_folder

HOME = Path(refmodel.__file__).resolve().parent
"""Where refmodel's own text is."""
MOST = 2_000
"""Files of which it is kept what they import; with more, only of those that were looked at last."""
EVERY = ".*"
"""Stands for the modules of a package whose laws a design gathers."""
_FOREIGN = tuple(Path(sysconfig.get_paths()[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))


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
        todo += _expanded(_Kept.imports_of(file, name))
        if "." in name:
            todo.append(name.rpartition(".")[0])  # a package's own text runs first
    _Kept.keep()
    return set(found.values())


def _loaded() -> set[Path]:
    """The files of all modules that are loaded, but for Python's own and those of packages; nothing reaches pytest's tests."""
    files = {
        Path(file).resolve()
        for name, m in list(sys.modules.items())
        if (file := getattr(m, "__file__", None)) and name != "__main__" and not _is_test(file)
    }
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
    top = _top(name)
    if top in sys.stdlib_module_names or (top != "refmodel" and _is_a_package_s(top)):
        return None
    file = _spec(name)
    return file if file is not None and file.suffix == ".py" and (file.is_relative_to(HOME) or not _is_foreign(file)) else None


def hash_of(file: Path) -> bytes:
    """A hash of a file's text."""
    found = file.stat()
    return _read(str(file), found.st_mtime_ns, found.st_size)


@functools.cache
def _read(file: str, changed: int, size: int) -> bytes:
    return hashlib.sha256(Path(file).read_bytes()).digest()


class _Kept:
    """What files import, by their text, as it is kept between runs."""

    known: ClassVar[dict[str, tuple[str, ...]] | None] = None
    used: ClassVar[dict[str, tuple[str, ...]]] = {}
    """What this process has asked for."""
    is_new: ClassVar[bool] = False

    @classmethod
    def imports_of(cls, file: Path, name: str) -> tuple[str, ...]:
        """The names that a file's import statements may mean."""
        key = f"{name} {file.name} {file.is_relative_to(HOME)} {hash_of(file).hex()}"
        if cls.known is None:
            cls.known = _recalled()
        found = cls.known.get(key)
        if found is None:
            found = tuple(dict.fromkeys(name for name in _imports(file, name) if _top(name) not in sys.stdlib_module_names))
            cls.known[key], cls.is_new = found, True
        cls.used[key] = found
        return found

    @classmethod
    def keep(cls) -> None:
        """Remember what was not known before. A folder that cannot be written is no error: nothing is remembered then."""
        if not cls.is_new or cls.known is None:
            return
        cls.is_new = False
        file = _file()
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
                json.dump(cls.known if len(cls.known) <= MOST else cls.used, new)
            os.replace(new.name, file)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _file() -> Path:
    reader = hashlib.sha256(f"{sys.version} {Path(__file__).read_text()}".encode()).hexdigest()
    return cache_folder("imports") / f"{reader[:16]}.json"


def _recalled() -> dict[str, tuple[str, ...]]:
    """What was kept. A file that cannot be read is as if it were not there."""
    try:
        return {str(key): tuple(map(str, names)) for key, names in json.loads(_file().read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _expanded(names: Iterable[str]) -> Iterator[str]:
    """These names; and for a package whose laws are gathered, each of its modules: whoever gathers imports none of them."""
    for name in names:
        if not name.endswith(EVERY):
            yield name
            continue
        package = name.removesuffix(EVERY)
        yield package
        file = _file_of(package)
        if file is not None and file.name == "__init__.py":
            yield from (f"{package}.{each.name}" for each in pkgutil.iter_modules([str(file.parent)]))


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
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            if module:
                yield module
                yield from (f"{module}.{a.name}" for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "every_law":
            yield from (f"{a.value}{EVERY}" for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
