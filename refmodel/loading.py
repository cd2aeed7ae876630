"""From what a user types to a design: a shipped name, ``file.py``, ``file.py:Class``, or ``package.module:Class``.

Behind any of these may stand how many names there are of some sorts: ``ept@Vm=1,Mfn=4``.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import linecache
import os
import re
import shlex
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from refmodel.beside import AsItIs, forget_edited, imported_from, importing
from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.scope import sorts_of
from refmodel.language import BadDesign, Design, geometry
from refmodel.language.design import Outline, claims_of, hashable, outline
from refmodel.language.elsewhere import refuse_laws_of_the_file
from refmodel.language.kept import kept
from refmodel.language.kinds import NameKind
from refmodel.language.nearly import did_you_mean, nearly_or
from refmodel.language.places import home_of, place_of
from refmodel.language.sizes import Geometry
from refmodel.language.untouched import nothing_replaced
from refmodel.points import PAIRS, point

_LOADED: dict[tuple[Path, str], ModuleType] = {}
"""What was loaded from files: the same text is loaded once, so that its laws are the same laws."""
_PLACED: WeakKeyDictionary[type[Design], type[Design]] = WeakKeyDictionary()
"""Designs in a geometry that was asked for, and the same designs in the geometry of their text."""
_HERE = Path(__file__).parent
_READERS = (f"{_HERE / 'language'}{os.sep}", str(_HERE / "beside.py"), __file__, "<")
"""Files, or how their names begin, that a complaint is made in and never about."""


def load(name: str, *, may_lack_laws: bool = False) -> Outline:
    """The design of that name, read and found well formed; ``BadDesign`` says what is wrong with it."""
    return read(find(name), may_lack_laws=may_lack_laws)


def read(cls: type[Design], *, may_lack_laws: bool = False) -> Outline:
    """A design read and found well formed; ``BadDesign`` says what is wrong with it."""
    design = outline(cls, may_lack_laws=may_lack_laws)
    _sorts_are_mentioned(design)
    return design


def in_geometry(cls: type[Design], sizes: Geometry | Mapping[str, int]) -> type[Design]:
    """A copy of a design with another geometry, and no further ones: a whole geometry, or the design's own with other numbers of
    names."""
    if isinstance(sizes, Geometry):
        return _placed(cls, sizes)
    return _resized(hashable(cls), tuple(sorted(sizes.items())))


def _sorts_are_mentioned(design: Outline) -> None:
    """A geometry that counts names of a sort which no table, operation or law mentions is a misspelt one."""
    known = {*sorts_of(design), *(kind.sort for law in design.laws for _, kind in law.names if isinstance(kind, NameKind))}
    expected = f"expected some of {', '.join(sorted(known))}" if known else "expected no numbers of names"
    stated = [("geometry", design.cls.geometry), *(("further_geometries", each) for each in design.cls.further_geometries)]
    for attribute, each in stated:
        unknown = sorted(set(each.sizes) - known)
        if unknown:
            raise BadDesign(
                f"{_who_stated(design.cls, attribute, unknown)}: {design.name} mentions no sort of names "
                f"called {', '.join(unknown)}; "
                f"{nearly_or(unknown[0], sorted(known), expected)}"
            )


def _who_stated(cls: type[Design], attribute: str, sorts: Sequence[str]) -> str:
    """Who stated numbers of names of these sorts: a place in a design's file, or the geometry that somebody asked for."""
    asked_of = _PLACED.get(cls)
    if asked_of is None:
        return place_of(home_of(cls, attribute), attribute)
    if attribute == "geometry" and not set(sorts) <= set(asked_of.geometry.sizes):
        return ",".join(f"{sort}={cls.geometry.sizes[sort]}" for sort in sorts)
    return _who_stated(asked_of, attribute, sorts)


SIZES = re.compile(r"(?P<design>.+)@(?P<sizes>\w+=\d+(?:,\w+=\d+)*)")


def find(name: str) -> type[Design]:
    """The class that a name means; ``BadDesign`` if there is none."""
    sized = SIZES.fullmatch(name)
    try:
        if sized is None:
            return _named_design(name)
        return in_geometry(_named_design(sized["design"]), sizes_of(sized["sizes"]))
    except OSError as why:  # a name that is too long for a file
        raise BadDesign(f"{name[:80]}{'...' if len(name) > 80 else ''}: cannot be used: {why.strerror or why}") from None


def sizes_of(text: str) -> dict[str, int]:
    """Numbers of names as a user writes them, ``Vm=2,Mfn=4``; ``BadDesign`` if that is none."""
    parts = [re.fullmatch(r"\s*(\w+)=(\d+)\s*", part) for part in text.split(",")]
    if not all(parts):
        raise BadDesign(f"{text}: no geometry; expected sorts of names and how many there are, such as Vm=2,Mfn=4")
    sizes = {part[1]: int(part[2]) for part in parts if part}
    if len(sizes) < len(parts):
        raise BadDesign(f"{text}: no geometry; expected each sort of names once")
    return sizes


@kept
def _resized(cls: Any, sizes: tuple[tuple[str, int], ...]) -> type[Design]:
    """A copy of a design with other numbers of names, and no further geometries."""
    numbers: dict[str, Any] = dict(sizes)
    limits = {limit: numbers.get(limit) for limit in ("naturals", "words", "under_way")}
    resized = cls.geometry.resized(**limits, **geometry(**numbers).sizes)
    return _placed(cls, resized)


def _placed(cls: type[Design], other: Geometry) -> type[Design]:
    body = {
        "geometry": other,
        "further_geometries": (),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
    }
    placed = type(cls.__name__, (cls,), body)
    _PLACED[placed] = cls
    return placed


def _named_design(name: str) -> type[Design]:
    for shipped in (SHIPPED, COMBINED, PAIRS):
        if name in shipped:
            return shipped[name]
    found = point(name)
    if found is not None:
        return found
    place, _, cls = name.partition(":")
    if place.endswith(".py"):
        module = _from_file(Path(place))
    elif cls:
        module = _from_package(place)
    else:
        beside = [f"{place}.py"] if Path(f"{place}.py").is_file() else []
        meant = did_you_mean(name, [*SHIPPED, *COMBINED], first=beside)
        which = f"{meant} Expected" if meant else f"expected one of {', '.join(SHIPPED | COMBINED)},"
        raise BadDesign(
            f"{name}: no such design; {which} an MMU over mechanisms (ept over ksm, swapping), file.py, file.py:Class "
            "or package.module:Class"
        )
    return _class_in(module, place, cls)


def _from_package(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise BadDesign(f"{name}: no name of a module; expected package.module:Class, or file.py:Class")
    _forget_edited()
    try:
        with importing(_folder_of(name.partition(".")[0])):
            return importlib.import_module(name)
    except BadDesign as why:
        raise _with_line(why) from None
    except SyntaxError as why:
        raise BadDesign(f"{why.filename}:{why.lineno or 1}: {why.msg}") from None
    except ImportError as why:
        raise BadDesign(f"{name}: cannot be imported: {why}{_where_it_is(why, Path.cwd())}") from None
    except SystemExit:
        raise BadDesign(f"{name}: ends the program when it is loaded; expected a design") from None
    except Exception as why:
        last = traceback.extract_tb(why.__traceback__)[-1]
        raise BadDesign(f"{last.filename}:{last.lineno}: {type(why).__name__}: {why}") from None


def _folder_of(top: str) -> Path | None:
    """The folder that a module or a package is found in; None if it is not there, Python's own, or installed."""
    if top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    places = [spec.origin] if spec is not None and spec.origin else list(spec.submodule_search_locations or ()) if spec else []
    if not places or "site-packages" in Path(places[0]).parts:
        return None
    place = Path(places[0]).resolve()
    return place.parent.parent if place.name == "__init__.py" else place.parent


def _with_line(why: BadDesign) -> BadDesign:
    """A complaint with the file and line that were being loaded, unless it names a line itself."""
    frames = [f for f in traceback.extract_tb(why.__traceback__) if not f.filename.startswith(_READERS)]
    if not frames or re.match(r"[^\n]+:\d+: ", str(why)):
        return why
    return BadDesign(f"{frames[-1].filename}:{frames[-1].lineno}: {why}")


def _from_file(path: Path) -> ModuleType:
    """The module in a file: once for a path and its text, and the texts of what it imports from beside it."""
    if not path.is_file():
        raise BadDesign(f"{path}: no such file")
    file = path.resolve()
    if any("\ud800" <= letter <= "\udfff" for letter in str(file)):
        raise BadDesign(
            f"{path}: the name, or a folder's, is no text in this locale's encoding; expected another name, or another "
            "locale, such as LC_ALL=C.UTF-8"
        )
    try:
        text = file.read_bytes()
    except OSError as why:
        raise BadDesign(f"{path}: cannot be read: {why.strerror or why}") from None
    _forget_edited()
    key = file, hashlib.sha256(text).hexdigest()
    linecache.checkcache(str(file))  # or what was removed from the file would stand there still
    if key not in _LOADED:
        _LOADED[key] = imported_from(*key) or _executed(path, file, text)
    return _LOADED[key]


def _forget_edited() -> None:
    """Where a file has changed that a design was loaded from, all are loaded again when they are next asked for."""
    if forget_edited():
        linecache.checkcache()
        for module in _LOADED.values():
            sys.modules.pop(module.__name__, None)
        _LOADED.clear()


def _executed(path: Path, file: Path, text: bytes) -> ModuleType:
    folder, name = _named(file)
    _nothing_else_has_their_names(path, file, folder, text)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: a file beside a design does not stand in for a module of Python's
    already = sys.modules.get(name)
    if already is not None and Path(getattr(already, "__file__", None) or "").resolve() == file and _is_of(already, text):
        return already
    spec = importlib.util.spec_from_file_location(name, file, loader=AsItIs(name, str(file)))
    if spec is None or spec.loader is None:
        raise BadDesign(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        if "." in name:
            importlib.import_module(name.rpartition(".")[0])
        with importing(folder), nothing_replaced(str(path)):
            spec.loader.exec_module(module)
    except BaseException as why:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        if isinstance(why, SystemExit):
            raise BadDesign(f"{path}: ends the program when it is loaded; expected a design") from None
        if isinstance(why, BadDesign):
            raise _with_line(why) from None
        if isinstance(why, KeyboardInterrupt) or type(why).__module__.partition(".")[0] == __name__.partition(".")[0]:
            raise  # the user, or refmodel itself, has ended it
        if isinstance(why, SyntaxError) and Path(why.filename or path).is_file():
            raise BadDesign(f"{why.filename or path}:{why.lineno or 1}: {why.msg}") from None
        line = next((f.lineno for f in reversed(traceback.extract_tb(why.__traceback__)) if Path(f.filename) == file), None)
        if line is None and isinstance(why, RecursionError | MemoryError):
            raise BadDesign(f"{path}: nested more deeply than Python can read") from None
        remedy = _where_it_is(why, file.parent) or _parentheses(why)
        raise BadDesign(f"{path}:{line or 1}: {type(why).__name__}: {why}{remedy}") from None
    return module


def _parentheses(why: BaseException) -> str:
    """That a decorator which takes nothing was called, or a geometry where a function was before."""
    if str(why) == "'Geometry' object is not callable":
        return "; after geometry = geometry(...) in a class, write geometry.resized(Gfn=2) for another geometry"
    found = re.match(r"(operation|guest)\(\) missing 1 required positional argument", str(why))
    return f"; write @{found[1]} without parentheses" if found else ""


def _where_it_is(why: BaseException, near: Path) -> str:
    """What makes a module found that is not: the folder that holds it, in or above ``near``, or in a ``src`` there; as in suites
    whose pytest has a ``pythonpath``."""
    if not isinstance(why, ModuleNotFoundError) or not why.name:
        return ""
    top = why.name.partition(".")[0]
    folders = [folder for each in (near, *near.parents) for folder in (each, each / "src", each / "lib")]
    found = next((each for each in folders if (each / f"{top}.py").is_file() or (each / top / "__init__.py").is_file()), None)
    if found is None:
        return f"; expected {top} to be installed, or the folder that holds it in PYTHONPATH"
    return f"; it is found with PYTHONPATH={shlex.quote(str(found))}"


def _named(file: Path) -> tuple[Path, str]:
    """The folder that imports are found from, and the name of a file's module: in a package its own, for relative imports."""
    folder, parts = file.parent, [file.stem]
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    if len(parts) > 1:
        return folder, ".".join(parts)
    return folder, f"refmodel_user_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"


def _is_of(module: ModuleType, text: bytes) -> bool:
    """Whether a module was made of this text; one that came by an import was made of what its file holds."""
    known = [key for key, each in _LOADED.items() if each is module]
    return all(digest == hashlib.sha256(text).hexdigest() for _, digest in known)


_PACKAGE = __name__.partition(".")[0]


def _nothing_else_has_their_names(path: Path, file: Path, folder: Path, text: bytes) -> None:
    """A file beside the design that it imports is to be that file, and not another of the same name which was loaded before."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # said when it is executed
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top == _PACKAGE and (folder / top / "__init__.py").is_file():
                continue  # a checkout of refmodel, where another, installed one runs: designs import the one that runs
            beside = next((p for p in (folder / f"{top}.py", folder / top / "__init__.py") if p.is_file()), None)
            loaded = getattr(sys.modules.get(top), "__file__", None)
            if beside is None or top in sys.stdlib_module_names or loaded is None or Path(loaded).resolve() == beside.resolve():
                continue
            line = getattr(node, "lineno", 0)
            raise BadDesign(f"{path}:{line}: imports {top}, which is {loaded} here, and not {beside}; expected another name")


def _class_in(module: ModuleType, place: str, name: str) -> type[Design]:
    if name:
        found = getattr(module, name, None)
        if not (isinstance(found, type) and issubclass(found, Design)):
            there = [said for said, c in vars(module).items() if isinstance(c, type) and issubclass(c, Design) and c is not Design]
            hint = did_you_mean(name, there) or (
                f"expected one of {', '.join(there)}" if there else "expected a class derived from refmodel.language.Design"
            )
            raise BadDesign(f"{place}: {name} is no design there; {hint}")
        refuse_laws_of_the_file(found, module)
        return found
    own = _own_designs(module)
    if len(own) == 1:
        return next(iter(own))
    if not own:
        raise BadDesign(f"{place}: holds no design; expected a class derived from refmodel.language.Design")
    raise BadDesign(
        f"{place}: holds {len(own)} designs; say which: "
        + ", ".join([*(f"{place}:{said}" for said in own.values()), f"or, for refmodel check, {place}:* for all"])
    )


def _own_designs(module: ModuleType) -> dict[type[Design], str]:
    """The designs that a module defines, by what it calls them."""
    return {
        c: said
        for said, c in vars(module).items()
        if isinstance(c, type) and issubclass(c, Design) and c.__module__ == module.__name__
    }


def named_by(name: str) -> list[str]:
    """The names of the designs that a name means: one, or for ``FILE:*`` each class of a file that states laws."""
    place, colon, cls = name.partition(":")
    if cls != "*":
        return [name]
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    found = [f"{place}{colon}{said}" for of, said in _own_designs(module).items() if claims_of(of).all]
    if not found:
        raise BadDesign(f"{place}: holds no design that states laws; expected a class derived from refmodel.language.Design")
    return found
