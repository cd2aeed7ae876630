"""A kind of property, derived from Python's own, keeps its first answer. The text that is read is worked out each time.

Expected: refused: is a Once: a design's code may only use
"""

from typing import Any

from refmodel import Design, Total, geometry, implies, law, operation


class Once(property):
    def __get__(self, state: Any, owner: Any = None) -> Any:
        if not hasattr(self, "kept"):
            self.kept = super().__get__(state, owner)
        return self.kept


class APropertyOfAnotherKind(Design):
    armed: Total[tuple[()], bool]
    done: Total[tuple[()], bool]
    geometry = geometry()

    @Once
    def is_armed(self) -> bool:
        return self.armed[()]

    @operation
    def go(self) -> None:
        if self.is_armed:
            self.done[()] = True

    @operation
    def arm(self) -> None:
        self.armed[()] = True

    @law("ISO-1", "What is done was armed.")
    def armed_first(s: "APropertyOfAnotherKind") -> bool:
        return implies(s.done[()], s.armed[()])
