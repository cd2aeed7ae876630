"""What the functions that every compiled design shares are written from, and how they reach their memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from refmodel.engines.compiled.code import Function, Value
from refmodel.engines.compiled.context import Places
from refmodel.engines.compiled.trees import Traced

LANES = 64
"""Renamings that are summed at once."""
EXPLORING, WALKING, COLLECTING = 0, 1, 2
"""What ``mode`` says."""


@attrs.frozen
class Shared:
    """The shape of a design's states, from which the functions are written."""

    places: Places
    renamings: int
    lanes: int
    """Renamings, filled up to whole vectors."""
    operations: Sequence[Traced]
    step_laws: Mapping[int, Sequence[tuple[int, str]]]
    """For each type of outcome, by its number, the laws that judge a step: their numbers and functions."""
    state_laws: Sequence[tuple[int, str]]
    after: Sequence[Sequence[tuple[int, str]]]
    """For each operation the laws about states that look at a table which it writes."""
    in_parts: bool = False
    """Whether a state may belong to another worker."""

    @property
    def vector(self) -> int:
        """Renamings in one vector."""
        return min(self.lanes, LANES)

    def _get(self, f: Function, name: str, type: str = "i64") -> Value:
        return self.places.get(f, name, type)

    def _set(self, f: Function, name: str, value: Value | int, type: str = "i64") -> None:
        self.places.set(f, name, value, type)

    def _add(self, f: Function, name: str, value: Value | int) -> Value:
        """Count a field up, and give what it was."""
        before = self._get(f, name)
        self._set(f, name, before + value)
        return before

    def _copy(self, f: Function, to: Value, of: Value) -> None:
        f.copy(to, of, self.places.padded)

    def _attempt(self, f: Function, number: int, at: Value, state: Value) -> None:
        """Every way through an operation, from a state, with the arguments of one of its instances."""
        traced = self.operations[number]
        self._set(f, "instance", at + traced.first)
        arguments = f.constant("ptr", f"@arguments{number}").at(at * len(traced.arguments[0]))
        f.call("void", f"operation{number}", f.given("ptr", "c"), state, arguments)

    def _draw(self) -> str:
        """A random number below another (xorshift of 64 bits, of which the upper half is used)."""
        f = Function("internal i64 @draw(ptr %c, i64 %below)")
        x = self._get(f, "random")
        for shift, left in ((13, True), (7, False), (17, True)):
            x = x ^ (x << shift if left else x >> shift)
        self._set(f, "random", x)
        f.line(f"ret i64 {((x >> 32) * f.given('i64', 'below') >> 32).text}")
        return f.text()
