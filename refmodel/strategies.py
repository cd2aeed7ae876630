"""Hypothesis strategies for tests of one's own: states that a design gets to, and values of the types that texts are written in.

    @given(states(Ept), values(Gfn, Ept.geometry))
    def test_a_helper(state, gfn): ...

``register`` makes ``from_type`` and type hints give states of a design.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from refmodel.engines.machine import Machine, recorded
from refmodel.engines.rule_machine import Start, starts_of
from refmodel.language.annotations import kind_of
from refmodel.language.design import Design, Outline, hashable, outline
from refmodel.language.kept import forget, kept
from refmodel.language.sizes import Geometry


def values(annotation: Any, geometry: Geometry) -> st.SearchStrategy[Any]:
    """The values of a type in a geometry: of a name, a flag, an enum, a word or a record.

    ``BadDesign`` if it is no type that a design may mention.
    """
    kind = kind_of(annotation)
    return st.deferred(lambda: st.sampled_from(list(kind.values(geometry))))


def states(design: type[Design], geometry: Geometry | None = None) -> st.SearchStrategy[Any]:
    """States that runs of a design reach, beginning with power-on: instances of the design's class, whose tables hold ints.

    The exploration of ``refmodel check`` finds the states. It runs once, and always finds the same states. If a run breaks a law,
    the states include those of a shortest such run. A test may change a state that it is given.
    """
    forget()
    read = outline(design)
    sizes = geometry or design.geometry
    starts = st.deferred(lambda: st.sampled_from(_starts(hashable(design), _Same(sizes))))
    return starts.map(lambda start: _state(read, sizes, start))


def register(design: type[Design], geometry: Geometry | None = None) -> None:
    """Let ``from_type(design)``, and an argument with this type, be a state of the design."""
    st.register_type_strategy(design, states(design, geometry))


class _Same:
    """A geometry as a key: one object is the same as itself."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.geometry == self.geometry

    def __hash__(self) -> int:
        return hash(str(self.geometry))


@kept
def _starts(design: Any, geometry: _Same) -> list[Start]:
    return starts_of(outline(design), geometry.geometry)[1]


def _state(design: Outline, geometry: Geometry, start: Start) -> Any:
    machine = Machine(design, geometry)
    machine.power_on(recorded(start.run.initial))
    for step in start.run.steps:
        machine.step(step)
        machine.settle()
    return machine.state


__all__ = ["register", "states", "values"]
