"""The laws of a design that lists none: every law that is about it.

A law says what it is about by the type of its first parameter, and by the type of the outcome that it judges. So a design that puts
a mechanism under an MMU gets the laws of both, and nobody has to list them:

    class Mine(Sharing, Swapping, MyMmu):
        laws = every_law("refmodel.laws")

Laws that stand in the file of a class that the design is made of are among them.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import typing
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import attrs

from refmodel.language.kept import kept
from refmodel.language.laws import Law
from refmodel.language.unsound import BadDesign


@attrs.frozen
class EveryLaw:
    """In the place of a design's ``laws``: every law of these packages, and of its classes' files, that is about it."""

    packages: tuple[str, ...]


def every_law(*packages: str) -> EveryLaw:
    """Gather the laws of these packages whose first parameter is the design or a class that it derives from: ``laws =
    every_law("my.laws")`` in the design's body."""
    return EveryLaw(packages)


def laws_about(cls: type, returned: Iterable[type | None], gathered: EveryLaw) -> tuple[Law, ...]:
    """The laws whose first parameter's type a design is; of those in packages, such as judge an outcome that its operations return.

    ``returned``: the types of what the design's operations return. ``BadDesign`` where a law's first parameter has no type, or
    where a law that the design's own file has is about nothing there: it would never be judged.
    """
    outcomes = {None, *returned}
    modules = [sys.modules[base.__module__] for base in reversed(cls.__mro__) if base.__module__ in sys.modules]
    general = [law for law in laws_of_packages(gathered.packages) if law.outcome in outcomes]
    for law in _laws_in(sys.modules[cls.__module__]):
        _is_about_something(cls, law, sys.modules[cls.__module__])
    stated = [law for module in modules for law in laws_of_module(module)]
    for law in stated:
        _is_about_something(cls, law, sys.modules[law.function.__module__])
    imported = [law for module in modules for law in _laws_in(module)]  # by a base's file, too: what is claimed of it holds here
    subjects = _subjects(gathered.packages)
    return tuple(
        law
        for law in dict.fromkeys([*general, *stated, *imported])
        if _is_a(cls, subjects[law] if law in subjects else subject_of(law))
    )


def left_out_by(cls: Any, returned: Iterable[type | None]) -> tuple[Law, ...]:
    """The laws about a design in the files of its classes, where its ``laws`` are a tuple, which may name fewer."""
    if isinstance(cls.laws, EveryLaw):
        return ()
    return tuple(law for law in laws_about(cls, returned, EveryLaw(())) if law not in cls.laws)


def _is_about_something(cls: type, law: Law, module: ModuleType) -> None:
    """A law that a file of the design's classes has is about the design, or about a class or a protocol that a design there is."""
    subject = subject_of(law)
    here = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__ and issubclass(each, design_of(cls))
    ]
    if not any(_is_a(each, subject) for each in (cls, *here)):
        name = getattr(subject, "__name__", subject)
        which = f"an earlier {name}" if name == cls.__name__ else f"{name}, which {cls.__name__} is not{_lacking(cls, subject)}"
        raise BadDesign(f"{law.place}: law {law.clause} ({law.name}) is about {which}: it would never be judged")


def design_of(cls: type) -> type:
    """``Design``, which every design is."""
    return next(base for base in cls.__mro__ if base.__module__ == "refmodel.language.design")


def _lacking(cls: type, kind: Any) -> str:
    """What a design lacks to be of a protocol."""
    missing = [name for name in _members(kind) if not _has(cls, name)] if getattr(kind, "_is_protocol", False) else []
    return f", since it has no {' and no '.join(missing)}" if missing else ""


@kept
def laws_of_packages(packages: tuple[str, ...]) -> tuple[Law, ...]:
    """Every law that the modules of these packages, and of packages within them, state or import by name, in their order."""
    modules: list[ModuleType] = []
    for name in packages:
        package = importlib.import_module(name)
        modules.append(package)
        within = pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}.")
        modules += [importlib.import_module(each.name) for each in within]
    stated = [law for module in modules for law in laws_of_module(module)]
    return tuple(dict.fromkeys([*stated, *(law for module in modules for law in _laws_in(module))]))  # those that they import, too


@kept
def _subjects(packages: tuple[str, ...]) -> dict[Law, Any]:
    """What each law of these packages is about."""
    return {law: subject_of(law) for law in laws_of_packages(packages)}


def laws_of_module(module: ModuleType) -> tuple[Law, ...]:
    """The laws that a module states, in the order of its text: not those that it imports."""
    return tuple(dict.fromkeys(v for v in vars(module).values() if isinstance(v, Law) and v.function.__module__ == module.__name__))


def _laws_in(module: ModuleType) -> list[Law]:
    """The laws that stand in a module under a name, those that it imports among them."""
    return [each for each in vars(module).values() if isinstance(each, Law)]


def subject_of(law: Law) -> Any:
    """The type of the state that a law is about."""
    code = law.function.__code__
    first = code.co_varnames[0]
    try:
        return typing.get_type_hints(law.function)[first]
    except Exception:
        raise BadDesign(
            f"{code.co_filename}:{code.co_firstlineno}: law {law.clause} ({law.name}): its first parameter {first} has "
            "no annotation that can be evaluated; expected the class that the law is about"
        ) from None


def _is_a(cls: type, kind: Any) -> bool:
    """Whether a design is of a type; where that is a protocol, whether it has the tables and methods that the protocol names."""
    if not isinstance(kind, type):
        return False
    if not getattr(kind, "_is_protocol", False):
        return issubclass(cls, kind)
    return all(_has(cls, name) for name in _members(kind))


def _has(cls: type, name: str) -> bool:
    """Whether a design has a table or a method of this name."""
    return hasattr(cls, name) or name in typing.get_type_hints(cls)


def _members(protocol: type) -> list[str]:
    named = [
        n
        for base in protocol.__mro__
        if getattr(base, "_is_protocol", False)
        for n in (*vars(base).get("__annotations__", {}), *vars(base))
    ]
    return [name for name in named if not name.startswith("_")]
