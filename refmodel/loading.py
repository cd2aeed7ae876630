"""From what a user types to a design: a shipped name, ``file.py``, ``file.py:Class``, or ``package.module:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from refmodel.designs import COMBINED, SHIPPED
from refmodel.language import BadDesign, Design
from refmodel.language.design import Outline, outline
from refmodel.pairs import PAIRS


def load(name: str) -> Outline:
    """The design of that name, read and found well formed; ``BadDesign`` says what is wrong with it."""
    return outline(_find(name))


def _find(name: str) -> type[Design]:
    for shipped in (SHIPPED, COMBINED, PAIRS):
        if name in shipped:
            return shipped[name]
    place, _, cls = name.partition(":")
    if place.endswith(".py"):
        module = _from_file(Path(place))
    elif cls:
        module = _from_package(place)
    else:
        raise BadDesign(f"{name}: no such design; expected one of {', '.join(SHIPPED | COMBINED)}, file.py, file.py:Class or "
                        "package.module:Class")
    return _class_in(module, place, cls)


def _from_package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as why:
        raise BadDesign(f"{name}: cannot be imported: {why}") from None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadDesign(f"{path}: no such file")
    name = f"refmodel_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise BadDesign(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BadDesign:
        raise
    except SyntaxError as why:
        raise BadDesign(f"{path}:{why.lineno}: {why.msg}") from None
    except Exception as why:
        line = next((f.lineno for f in reversed(traceback.extract_tb(why.__traceback__)) if Path(f.filename) == path.resolve()), 0)
        raise BadDesign(f"{path}:{line}: {type(why).__name__}: {why}") from None
    return module


def _class_in(module: ModuleType, place: str, name: str) -> type[Design]:
    if name:
        found = getattr(module, name, None)
        if not (isinstance(found, type) and issubclass(found, Design)):
            raise BadDesign(f"{place}: {name} is no design there; expected a class derived from refmodel.language.Design")
        return found
    own = [c for c in vars(module).values()
           if isinstance(c, type) and issubclass(c, Design) and c.__module__ == module.__name__]
    if len(own) == 1:
        return own[0]
    if not own:
        raise BadDesign(f"{place}: holds no design; expected a class derived from refmodel.language.Design")
    raise BadDesign(f"{place}: holds {len(own)} designs; say which: " + ", ".join(f"{place}:{c.__name__}" for c in own))
