"""What a text states and Python drops: of two definitions of one name the first is gone, and nothing would be said of it.

A law that is gone is never judged, and an operation that is gone is never taken. The verdict would be about another text than the
one that its author reads.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from refmodel.language.gathering import design_of, subject_of
from refmodel.language.laws import Law
from refmodel.language.made import made_in
from refmodel.language.sources import class_body, code_of
from refmodel.language.unsound import BadDesign

ACCESSORS = ("setter", "getter", "deleter")
"""Decorators under which a property's name is stated again."""
STATING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.AnnAssign, ast.Assign, ast.Pass)
"""What states something in the body of a class."""


def refuse_lost(cls: type, judged: tuple[Law, ...]) -> None:
    """``BadDesign`` where a class that a design is made of states a name twice; where the file of one makes a law that stands in no
    class and under no name, and is not among those that are judged; or where the design's own file has a class with a law of which
    no design there is made, or with a law about the design, which is not made of that class."""
    for base in cls.__mro__[:-1]:
        _refuse_what_states_nothing(base)
        _refuse_stated_twice(base)
    for module in {name: sys.modules[name] for name in (base.__module__ for base in cls.__mro__) if name in sys.modules}.values():
        for law in made_in(module, Law):
            if law not in judged and not _is_kept(module, law) and not _is_stated_anew(module, law):
                raise BadDesign(
                    f"{law.place}: law {law.clause} ({law.name}) would never be judged: {_why(module, law)}; expected "
                    "it in the body of a class, at the top of its file under a name of its own, or in a tuple laws"
                )
        for method in made_in(module, FunctionType):
            if (
                "<locals>" not in method.__qualname__
                and not _is_taken(cls, module, method)
                and not _is_of_an_earlier_cell(module, method)
            ):
                raise BadDesign(
                    f"{_place(method)}: the operation {method.__name__} would never be taken: no class of this file has it under "
                    "its name; expected @operation or @guest alone, on a method in the body of a class"
                )
    for other, method in _operations_of_classes(cls):
        raise BadDesign(
            f"{_place(method)}: the operation {method.__name__} would never be taken: it stands in {other.__name__}, and no "
            f"design in this file is made of that; expected {other.__name__} among the bases of one, or in another file"
        )
    for other, law in _laws_of_classes(cls):
        raise BadDesign(
            f"{law.place}: law {law.clause} ({law.name}) would never be judged: it stands in {other.__name__}, and no "
            f"design in this file is made of that; expected {other.__name__} among the bases of one, or in another "
            "file"
        )
    for other, law in _laws_about(cls):
        raise BadDesign(
            f"{law.place}: law {law.clause} ({law.name}) is about {cls.__name__} and would never be judged of it: it stands in "
            f"{other.__name__}, of which {cls.__name__} is not made; expected it in the body of {cls.__name__}, or at the top of "
            "its file"
        )


def _refuse_what_states_nothing(cls: type) -> None:
    """``BadDesign`` for a statement that may leave out what the body of a class seems to state, or for a function that is gone."""
    file, body = class_body(cls)
    there = {
        name for base in cls.__mro__ if base.__qualname__ == cls.__qualname__ for name in vars(base)
    }  # also in other geometries
    for each in body:
        where = f"{file}:{each.lineno}: "
        if not isinstance(each, STATING) and not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)):
            raise BadDesign(
                f"{where}{cls.__qualname__}: `{ast.unparse(each).splitlines()[0]}` stands in the body of a class; expected tables, "
                "attributes and functions only, stated one after the other: state each in the body itself, or derive a class"
            )
        if isinstance(each, ast.FunctionDef) and each.name not in there and not each.name.startswith("__"):
            raise BadDesign(f"{where}{cls.__qualname__} states {each.name}, and something has removed it from the class")


def _refuse_stated_twice(cls: type) -> None:
    stands: dict[str, int] = {}
    file, body = class_body(cls)
    for name, line in _stated(body):
        if name in stands:
            raise BadDesign(
                f"{file}:{line}: {cls.__qualname__} states {name} again, and what line {stands[name]} states "
                "is gone; expected a name of its own for each"
            )
        stands[name] = line


def _stated(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """The names that the body of a class binds, each with its line: but for what is made of the same name, as ``f = guest(f)``."""
    for each in body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not any(isinstance(d, ast.Attribute) and d.attr in ACCESSORS for d in each.decorator_list):
                yield each.name, each.lineno
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield (each.target.id if each.value is not None else f"the type of {each.target.id}"), each.lineno
        elif isinstance(each, ast.Assign):
            used = {node.id for node in ast.walk(each.value) if isinstance(node, ast.Name)}
            yield from (
                (target.id, each.lineno) for target in each.targets if isinstance(target, ast.Name) and target.id not in used
            )


def _laws_of_classes(cls: type) -> Iterator[tuple[type, Law]]:
    """The laws in classes of a design's file of which no design there is made, each with its class."""
    stated = (
        (each, getattr(value, "law", value)) for each in _unused(cls) for value in vars(each).values()
    )  # also what is pending
    yield from ((each, law) for each, law in stated if isinstance(law, Law))


def _laws_about(cls: type) -> Iterator[tuple[type, Law]]:
    """The laws about a design, or about what it is made of, in classes of its file of which it is not made, each with its class."""
    for each in _classes_of(sys.modules[cls.__module__]):
        for value in vars(each).values() if not issubclass(cls, each) else ():
            law = getattr(value, "law", value)
            if isinstance(law, Law) and _is_about(law, cls, each):
                yield each, law


def _is_about(law: Law, cls: type, stands_in: type) -> bool:
    """Whether the first parameter of a law is a design, or a design that this is made of, and not the class where it stands."""
    try:
        subject = subject_of(law)
    except BadDesign:
        return False
    return (
        isinstance(subject, type)
        and issubclass(subject, design_of(cls))
        and subject is not design_of(cls)
        and issubclass(cls, subject)
        and not issubclass(stands_in, subject)
    )


def _operations_of_classes(cls: type) -> Iterator[tuple[type, FunctionType]]:
    """The operations in classes of a design's file of which no design there is made, each with its class."""
    yield from (
        (each, member)
        for each in _unused(cls)
        for member in vars(each).values()
        if type(member) is FunctionType and hasattr(member, "__refmodel__")
    )


def _classes_of(module: ModuleType) -> list[type]:
    """The classes that a file states."""
    return [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]


def _unused(cls: type) -> list[type]:
    """The classes of a design's file of which no design there is made."""
    here = _classes_of(sys.modules[cls.__module__])
    made_of = {base for each in (cls, *here) if issubclass(each, design_of(cls)) for base in each.__mro__}
    return [each for each in here if each not in made_of]


def _place(method: FunctionType) -> str:
    return f"{code_of(method).co_filename}:{code_of(method).co_firstlineno}"


def _is_taken(cls: type, module: ModuleType, method: FunctionType) -> bool:
    """Whether a class of a file, or one that a design is made of, has an operation under its own name, and as an operation."""
    classes = [*cls.__mro__, *(each for each in vars(module).values() if isinstance(each, type))]
    while classes:
        each = classes.pop()
        found = vars(each).get(method.__name__)
        if type(found) is FunctionType and hasattr(found, "__refmodel__") and found.__qualname__ == method.__qualname__:
            return True
        classes += [
            value for value in vars(each).values() if isinstance(value, type) and value.__qualname__.startswith(each.__qualname__)
        ]
    return False


def _is_kept(module: ModuleType, law: Law) -> bool:
    """Whether a law stands where it is found by designs that it is about: at the top of a file, in a class, or in its ``laws``."""
    return any(value is law or (isinstance(value, type) and _is_in(value, law)) for value in vars(module).values())


def _is_in(cls: type, law: Law) -> bool:
    """Whether a class has a law in its body, as that of a condition that is pending, in its ``laws``, or in a class within."""
    listed: Any = vars(cls).get("laws", ())
    within = [value for value in vars(cls).values() if isinstance(value, type) and value.__qualname__.startswith(cls.__qualname__)]
    stated = any(law in (value, getattr(value, "law", None)) for value in vars(cls).values())
    return stated or (isinstance(listed, tuple | list) and law in listed) or any(_is_in(each, law) for each in within)


def _is_stated_anew(module: ModuleType, law: Law) -> bool:
    """Whether the text that states a law has run again, or another cell of a notebook states it or its class instead."""
    now, mine = _now(module, law.function.__qualname__), code_of(law.function)  # type: ignore[arg-type]
    if not isinstance(now, Law):
        return _is_of_an_earlier_cell(module, law.function)
    its = code_of(now.function)  # type: ignore[arg-type]
    again = (mine.co_filename, mine.co_firstlineno) == (its.co_filename, its.co_firstlineno)
    elsewhere = _is_of_a_cell(mine) and _is_of_a_cell(its) and mine.co_filename != its.co_filename
    return (again or elsewhere) and _subject(now) == _subject(law)


def _now(module: ModuleType, path: str) -> Any:
    """What stands under a name now, in a module or in a class of it: also the law of a condition that is pending."""
    found: Any = module
    for name in path.split("."):
        found = vars(found).get(name) if isinstance(found, type | ModuleType) else None
    return getattr(found, "law", found)


def _is_of_a_cell(code: CodeType) -> bool:
    """Whether a text is a notebook's, which no file has."""
    return not os.path.exists(code.co_filename)


def _is_of_an_earlier_cell(module: ModuleType, function: Any) -> bool:
    """Whether a cell of a notebook stated a function in a class that another cell states now."""
    cls, code = vars(module).get(function.__qualname__.partition(".")[0]), code_of(function)
    if not isinstance(cls, type) or not _is_of_a_cell(code):
        return False
    files = {code_of(each).co_filename for each in vars(cls).values() if type(each) is FunctionType}
    return bool(files) and code.co_filename not in files


def _subject(law: Law) -> str:
    """What a law is about, by name: a cell that runs again makes another class of the same name. One in a class is about that."""
    if "." in law.function.__qualname__:
        return law.function.__qualname__.rpartition(".")[0]
    subject = subject_of(law)
    return getattr(subject, "__name__", str(subject))


def _why(module: ModuleType, law: Law) -> str:
    now = vars(module).get(law.name)
    if isinstance(now, Law) and now.function.__qualname__ == law.function.__qualname__:
        return f"the law of the same name at {now.place} has taken its place"
    return "it stands in no class, and under no name at the top of its file"
