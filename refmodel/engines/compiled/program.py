"""The functions of a design as text, with what they read: what a worker needs that explores a part of the states.

It can be pickled, since neither the design nor its classes are in it. It becomes machine code where it is used first.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.context import FINE, PADDING, Context, Places, aligned
from refmodel.engines.compiled.objects import linked, object_code
from refmodel.engines.compiled.shared import LANES
from refmodel.engines.layout import Layout
from refmodel.engines.symmetry import Symmetry


class Words:
    """The random words of a layout's facts, as compiled code reads them: for each byte of a state and each value of it a row of
    words, one for each renaming."""

    def __init__(self, layout: Layout, seed: int) -> None:
        symmetry = Symmetry(layout, seed)
        self.renamings = symmetry.order
        whole = PADDING // 8 if symmetry.order <= LANES else LANES
        self.lanes = -(-symmetry.order // whole) * whole
        """Renamings, filled up to whole vectors."""
        rows, offsets = symmetry.words()
        filled = np.repeat(rows[:, :1], self.lanes - symmetry.order, axis=1)
        self.table = _aligned(np.concatenate([rows, filled], axis=1))
        self.offsets: npt.NDArray[np.int32] = offsets
        self.nameless = symmetry.nameless()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, table=_aligned(state["table"]))

    def images(self, state: npt.NDArray[np.uint8], rows: Sequence[int]) -> int:
        """How many different things renamings make of these bytes of a state."""
        words = self.table.reshape(-1, self.lanes)[:, : self.renamings]
        return len(np.unique(words[self.offsets[rows] + state[rows].view(np.int8)].sum(axis=0)))


def _aligned(table: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """These words one behind the other, from a multiple of what vectors want."""
    place = aligned(table.nbytes).view(np.uint64)
    place[:] = table.ravel()
    return place


@attrs.frozen(eq=False, slots=False)
class Program:
    """The functions of a design in a geometry: each operation by itself, the laws, and what all designs share."""

    texts: tuple[str, ...]
    places: Places
    words: Words
    operations: int
    laws: int
    """Laws, and implications of those that state several: of each it is noted whether it was met."""
    ends: int
    successors: int
    """No state has more than these."""
    level: int
    in_parts: bool = False
    """Whether they are those of a search that several workers share."""

    @functools.cached_property
    def _engine(self) -> Any:
        *operations, laws, runtime = self.texts
        objects = [object_code(text, self.level, quickly=True) for text in operations]
        return linked([*objects, object_code(laws, self.level), object_code(runtime, self.level)], self.level)

    def __getstate__(self) -> dict[str, Any]:
        """Without machine code, which is this machine's and this process's."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(Program)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """A compiled function, to be called with a context first."""
        return ctypes.CFUNCTYPE(result, ctypes.c_void_p, *arguments)(self._engine.get_function_address(name))

    def context(self) -> Context:
        """Memory to run in."""
        context = Context(self.places)
        context.lend("words", self.words.table)
        context.lend("offsets", self.words.offsets)
        context.lend("shape_words", self.words.nameless)
        context["trouble"] = FINE
        return context


__all__ = ["Program", "Words"]
