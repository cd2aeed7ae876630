"""A design in a geometry as machine code, made by LLVM in this process."""

from __future__ import annotations

import copy
from typing import Any

import attrs

from refmodel.engines.compiled.branches import ends_of
from refmodel.engines.compiled.context import Context, Places
from refmodel.engines.compiled.functions import OperationWriter, law_text
from refmodel.engines.compiled.objects import llvm
from refmodel.engines.compiled.program import Program, Words
from refmodel.engines.compiled.runtime import Runtime
from refmodel.engines.compiled.tracing import traced_laws, traced_operations
from refmodel.engines.compiled.trees import Traced
from refmodel.engines.layout import Layout
from refmodel.language.annotations import kind_of
from refmodel.language.design import Outline
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import Unsound

MOST_INSTANCES = 1 << 16
"""Operations with arguments: more do not fit into the number of a way."""


def is_there() -> bool:
    """Whether llvmlite is installed."""
    return llvm() is not None


class Native:
    """The functions of one design in one geometry, ready to be called."""

    def __init__(self, design: Outline, geometry: Geometry, seed: int = 1, level: int = 1) -> None:
        self.design, self.geometry, self.level = design, geometry, level
        self.layout, self.operations = _traced(design, geometry)
        if sum(len(traced.arguments) for traced in self.operations) >= MOST_INSTANCES:
            raise Unsound(f"{design.name} has {MOST_INSTANCES:,} operations with arguments, or more, in this geometry")
        returned = dict.fromkeys(end.returns for traced in self.operations for end in traced.ends() if end.what == "applies")
        self.types: list[type | None] = list(dict.fromkeys([None, *returned]))
        self.laws = traced_laws(self.layout, list(returned))
        self.parts = [part for law in design.laws for part in design.parts_of(law)]
        self.words = Words(self.layout, seed)
        outcome = max((len(kind_of(t).leaves()) for t in self.types if t is not None and hasattr(t, "__attrs_attrs__")), default=1)
        self.ends = ends_of(self.operations)
        noted = len(design.laws) + len(self.parts)
        self.places = Places(self.layout.height, self.words.lanes, noted, len(self.operations), outcome, len(self.ends))
        self._runtime, texts = self._written()
        self._alone = Program(
            (*texts, self._runtime.text()),
            self.places,
            self.words,
            len(self.operations),
            noted,
            len(self.ends),
            self.successors,
            level,
        )

    @property
    def successors(self) -> int:
        """No state has more than these."""
        return sum(traced.most_ways() * len(traced.arguments) for traced in self.operations)

    def program(self, in_parts: bool = False) -> Program:
        """The functions, with what they read. ``in_parts``: those of a search that several workers share."""
        if not in_parts:
            return self._alone
        return attrs.evolve(
            self._alone, in_parts=True, texts=(*self._alone.texts[:-1], attrs.evolve(self._runtime, in_parts=True).text())
        )

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """A compiled function, to be called with a context first."""
        return self._alone.function(name, result, *arguments)

    def context(self) -> Context:
        """Memory to run in."""
        return self._alone.context()

    def _written(self) -> tuple[Runtime, list[str]]:
        """What every design shares, and the functions in LLVM's language: each operation by itself, and the laws."""
        names: dict[tuple[int, type | None], str] = {}
        laws, first = [], len(self.design.laws)
        of_parts = {
            number: [first + at for at, part in enumerate(self.parts) if part.function is law.function and law.part is None]
            for number, law in enumerate(self.design.laws)
        }
        for (number, returns), judged in self.laws.items():
            if judged.holds.is_constant and judged.holds.value and judged.premise.is_constant and not judged.premise.value:
                continue
            names[number, returns] = f"law{number}_{self.types.index(returns)}"
            laws.append(law_text(names[number, returns], judged, [number, *of_parts[number]], self.places))
        runtime = self._shared(names)
        ends = {id(end): number for number, end in enumerate(self.ends)}
        operations = [
            OperationWriter(traced, number, self.places, self.types, ends).text() for number, traced in enumerate(self.operations)
        ]
        return runtime, [*operations, "\n".join([*laws, runtime.judging()])]

    def _shared(self, names: dict[tuple[int, type | None], str]) -> Runtime:
        laws = self.design.laws
        of_state = [(number, name) for (number, _), name in names.items() if laws[number].of_state]
        steps = {
            self.types.index(returns): [
                (number, name)
                for (number, only), name in names.items()
                if laws[number].about
                and (only is returns or "outcome" not in laws[number].about)
                and laws[number].applies_to(returns)
            ]
            for returns in self.types
        }
        after = [
            [(number, name) for number, name in of_state if self.design.reads(laws[number]) & _written(traced)]
            for traced in self.operations
        ]
        return Runtime(self.places, self.words.renamings, self.words.lanes, self.operations, steps, of_state, after)


_recent: list[tuple[Layout, list[Traced]]] = []


def _traced(design: Outline, geometry: Geometry) -> tuple[Layout, list[Traced]]:
    """The layout and the operations of a design; those of the last few are remembered, for designs that differ in their laws."""
    for layout, traced in _recent:
        if layout.design.operations is design.operations and layout.geometry == geometry:
            mine = copy.copy(layout)
            mine.design = design
            return mine, traced
    layout = Layout(design, geometry)
    _recent.append((layout, traced_operations(layout)))
    del _recent[:-4]
    return _recent[-1]


def _written(traced: Traced) -> set[str]:
    return {store.table.name for end in traced.ends() for store in end.stores}


__all__ = ["Native", "is_there"]
