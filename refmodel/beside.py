"""Modules that lie beside designs in files and are imported by them: which text each was made of.

Python imports a module once. In a session that lasts, such as a notebook's, a file beside a design is edited and the design is
checked again: then it is to be what the files are now.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import attrs


@attrs.frozen
class _Imported:
    module: ModuleType
    file: Path
    digest: str | None


_imported: dict[str, _Imported] = {}
"""By its name: what was imported while a design was loaded, and lies in the folder that the design's imports are found in."""


def digest(file: Path) -> str | None:
    """Of a file's contents as they are now; None if it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


class AsItIs(SourceFileLoader):
    """Compiles what a file holds. What Python has compiled before and kept is told from another text by size and second alone."""

    def get_code(self, fullname: str) -> CodeType:
        file = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(file), file)
        return code


@contextlib.contextmanager
def importing(folder: Path | None) -> Iterator[None]:
    """What is imported within this from a folder is what its files hold. It is noted, also what is below the folder; installed
    packages and refmodel itself are not."""
    if folder is None:
        yield
        return
    before = set(sys.modules)
    place = str(folder)
    sys.path_importer_cache[place] = FileFinder(place, (ExtensionFileLoader, EXTENSION_SUFFIXES), (AsItIs, SOURCE_SUFFIXES))
    try:
        yield
    finally:
        sys.path_importer_cache.pop(place, None)
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        file = Path(getattr(module, "__file__", None) or "").resolve()
        is_ours = name.partition(".")[0] == __name__.partition(".")[0]
        if file.suffix == ".py" and file.is_relative_to(folder) and "site-packages" not in file.parts and not is_ours:
            _imported[name] = _Imported(module, file, digest(file))


def imported_from(file: Path, text_digest: str) -> ModuleType | None:
    """The module that another design imported from this file, if its text was this one."""
    for name, each in _imported.items():
        if each.file == file and each.digest == text_digest and sys.modules.get(name) is each.module:
            return each.module
    return None


def forget_edited() -> bool:
    """Whether one of these files has changed since. Then all are imported again when they are next asked for."""
    if all(digest(each.file) == each.digest for each in _imported.values()):
        return False
    for name, each in _imported.items():
        if sys.modules.get(name) is each.module:
            del sys.modules[name]
    _imported.clear()
    importlib.invalidate_caches()
    return True
