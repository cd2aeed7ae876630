"""Laws that the machine writes: as text that a person can paste, and as laws that the engines read.

A text is registered where Python looks for sources, so that the grammar reads it as it reads a file.
"""

from __future__ import annotations

import itertools
import linecache
import re
import sys
import typing
from collections.abc import Sequence
from types import FunctionType, ModuleType
from typing import Any

from refmodel import language
from refmodel.engines.scope import scalars_of
from refmodel.language.annotations import kind_of
from refmodel.language.design import Outline
from refmodel.language.kinds import EnumKind, FlagKind, NameKind, Scalar
from refmodel.language.laws import Law

WORDS = ("NOTHING", "count", "implies", "law")
"""The words of the language that a written law may use."""
CLAUSE = "INV-1"
"""The clause that a written law is given; a person gives it a better one."""

_number = itertools.count(1)


class Writer:
    """Writes laws about one design, in the words of its module."""

    def __init__(self, design: Outline) -> None:
        self.module = ModuleType(f"refmodel_written_{next(_number)}")
        self.unnamed: dict[str, str] = {}
        """How to have a type that the design's module has no name for."""
        sys.modules[self.module.__name__] = self.module  # a law travels between processes by its place
        space = self.module.__dict__
        space.update({word: getattr(language, word) for word in WORDS}, Any=Any)
        self._subject = _own_name(design.cls)
        if self._subject is not None:
            space[self._subject] = design.cls
        self._taken = {law.name for law in design.laws}
        known = _vocabulary(design)
        self._types: dict[Scalar, str] = {FlagKind(): "bool"}
        for kind in scalars_of(design):
            if isinstance(kind, NameKind):
                self._types[kind], space[kind.sort] = self._name(kind, known)
                space[self._types[kind]] = space[kind.sort]
            elif isinstance(kind, EnumKind):
                self._types[kind] = kind.cls.__name__
                space[kind.cls.__name__] = kind.cls
                if known.get(kind.cls.__name__) is not kind.cls:
                    self.unnamed[kind.cls.__name__] = f"from {kind.cls.__module__} import {kind.cls.__name__}"

    def _name(self, kind: NameKind, known: dict[str, Any]) -> tuple[str, Any]:
        """What the design's module calls a sort of names."""
        for name, value in known.items():
            if typing.get_origin(value) is typing.Annotated and kind_of(value) == kind:
                return name, value
        self.unnamed[kind.sort] = f'{kind.sort} = Annotated[int, Name("{kind.sort}")]'
        return kind.sort, typing.Annotated[int, language.Name(kind.sort)]

    def law(self, label: str, names: Sequence[tuple[str, Scalar]], body: str, sentence: str) -> tuple[Law, str]:
        """A law, and its text."""
        name = self._unused(label)
        given = "".join(f", {n}: {self._types[kind]}" for n, kind in names)
        state = "Any" if self._subject is None else f'"{self._subject}"'
        text = f'@law("{CLAUSE}", "{sentence}")\ndef {name}(s: {state}{given}) -> Any:\n    return {body}\n'
        file = f"/written/{self.module.__name__}/{name}.py"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec", dont_inherit=True), self.module.__dict__)
        return self.module.__dict__[name], text

    def _unused(self, label: str) -> str:
        names = itertools.chain([label], (f"{label}_{i}" for i in itertools.count(2)))
        return next(name for name in names if name not in self.module.__dict__ and name not in self._taken)

    def header(self, texts: Sequence[str]) -> str:
        """The imports that these texts need, and the types that the design's module has no name for."""
        whole = "\n".join(texts)
        needed = [line for name, line in self.unnamed.items() if re.search(rf"\b{name}\b", whole)]
        used = [word for word in WORDS if re.search(rf"\b{word}\b", whole)]
        types = [line for line in needed if "Annotated" in line]
        words = ", ".join(sorted([*used, *(["Name"] if types else [])]))
        return "\n".join(
            [f"from typing import {'Annotated, ' if types else ''}Any", "", f"from refmodel.language import {words}", *needed]
        )


def _own_name(cls: type) -> str | None:
    """What the module of a class calls it; None if it is no name there, as of a class that is made by a function."""
    return cls.__name__ if getattr(sys.modules.get(cls.__module__), cls.__name__, None) is cls else None


def _vocabulary(design: Outline) -> dict[str, Any]:
    """What the modules that a design is made of have names for; its own module first."""
    found: dict[str, Any] = {}
    for function in (each for op in design.operations if isinstance(each := op.method, FunctionType)):
        if function.__module__ == design.cls.__module__:
            found.update(function.__globals__)
    for base in design.cls.__mro__:
        module = sys.modules.get(base.__module__)
        for name, value in vars(module).items() if module is not None else ():
            found.setdefault(name, value)
    return found
