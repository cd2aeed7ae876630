"""Laws about a design that stand in another file, where nobody would look for them: the verdict would not speak of them.

A design that lists no laws has those in the files of its classes, and those that these files import by name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from refmodel.language.gathering import EveryLaw, design_of, subject_of
from refmodel.language.laws import Law
from refmodel.language.made import made_by_files
from refmodel.language.unsound import BadDesign


def refuse_laws_elsewhere(cls: Any, judged: tuple[Law, ...]) -> None:
    """``BadDesign`` where another file states a law about this very design, and no design of its own that is made of it; or where a
    file that a file of the design imports as a whole states a law about the design, or about a class that it is made of."""
    if not isinstance(cls.laws, EveryLaw) or cls.laws.packages:
        return
    whole = {id(each) for module in _files_of(cls) for each in vars(module).values() if isinstance(each, ModuleType)}
    for module, law in made_by_files(Law):
        if law not in judged and not _is_of(cls, module) and not _is_ours(module):
            subject = _subject(law)
            if _is_same(cls, subject) and not _has_one_made_of(module, cls):
                raise _refusal(cls, law)
            if id(module) in whole and _is_made_of(cls, subject):
                raise _refusal(cls, law)


def refuse_laws_of_the_file(cls: Any, named: ModuleType) -> None:
    """``BadDesign`` where a design was named as one of a file that imports it, and that file states a law about it."""
    if not _is_of(cls, named) and not _is_ours(named):
        imported = [value for module in _files_of(cls) for value in vars(module).values() if isinstance(value, Law)]
        for module, law in made_by_files(Law):
            if module is named and law not in imported and _is_made_of(cls, _subject(law)):
                raise _refusal(cls, law)


def _files_of(cls: type) -> Iterator[ModuleType]:
    yield from (sys.modules[base.__module__] for base in cls.__mro__ if base.__module__ in sys.modules)


def _is_of(cls: type, module: ModuleType) -> bool:
    """Whether a module is the file of a class that the design is made of, or was loaded from the same file."""
    file = getattr(module, "__file__", None)
    return any(each is module or (file is not None and getattr(each, "__file__", None) == file) for each in _files_of(cls))


def _is_ours(module: ModuleType) -> bool:
    """Whether a file is refmodel's own, whose laws are gathered by package; or what is written in search of missing laws."""
    is_written = module.__name__.startswith("refmodel_written_") and getattr(module, "__file__", None) is None
    return is_written or module.__name__.partition(".")[0] == "refmodel"


def _subject(law: Law) -> Any:
    try:
        return subject_of(law)
    except BadDesign:
        return None  # whoever judges it will say so


def _is_same(cls: type, subject: Any) -> bool:
    """Whether a law is about a class: also in another geometry, and where its file was loaded under another name."""
    return isinstance(subject, type) and subject.__qualname__ == cls.__qualname__ and _file_of(subject) == _file_of(cls)


def _file_of(cls: type) -> Any:
    return getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__


def _is_made_of(cls: type, subject: Any) -> bool:
    bases = [base for base in cls.__mro__ if base is not design_of(cls) and base is not object]
    return any(_is_same(base, subject) for base in bases)


def _has_one_made_of(module: ModuleType, cls: type) -> bool:
    """Whether a file has a class that is derived from this one: the law is judged of that."""
    here = (value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__)
    return any(_is_same(base, cls) for each in here for base in each.__mro__[1:])


def _refusal(cls: type, law: Law) -> BadDesign:
    return BadDesign(
        f"{law.place}: law {law.clause} ({law.name}) would never be judged of {cls.__name__}, which it is about: it stands in "
        f"another file; expected it in {_file_of(cls)}, or imported there by name, or about a class of its own file: "
        f"class Mine({cls.__name__})"
    )


__all__ = ["refuse_laws_elsewhere", "refuse_laws_of_the_file"]
