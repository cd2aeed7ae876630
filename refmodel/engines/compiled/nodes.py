"""Scalars as expressions over a packed state. Equal expressions are one node, so that each is computed once.

A node knows between which numbers its value lies. Flags are 0 and 1, enum members count from 0, and NOTHING is -1.
"""

from __future__ import annotations

from typing import Any

from refmodel.language.unsound import Unsound

LARGEST = (1 << 31) - 1
"""Expressions are computed in 32 bits, with a sign."""


class Node:
    """An expression: what is done (``op``), to what, and between which numbers the result lies."""

    __slots__ = ("args", "high", "low", "number", "op")
    args: tuple[Any, ...]
    high: int
    low: int
    number: int
    op: str

    @property
    def is_constant(self) -> bool:
        return self.op == "constant"

    @property
    def value(self) -> int:
        """The number that a constant is."""
        return int(self.args[0])

    @property
    def is_flag(self) -> bool:
        """Whether it is 0 or 1."""
        return self.low >= 0 and self.high <= 1

    def __repr__(self) -> str:
        return str(self.args[0]) if self.is_constant else f"{self.op}{self.args}"

    def parts(self) -> tuple[Node, ...]:
        """The nodes that it is computed from."""
        if self.op == "entry":
            return (*(part for part, _ in self.args[2]), self.args[3])
        if self.op == "arithmetic":
            return self.args[1:]
        return self.args if self.op in ("equal", "not", "and", "or", "select", "less") else ()


class Graph:
    """All expressions of one trace. Its methods make them, and simplify what can be seen to be simpler."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[Any, ...], Node] = {}
        self.no, self.yes = self.constant(0), self.constant(1)

    def node(self, op: str, args: tuple[Any, ...], low: int, high: int) -> Node:
        """The node that is this, range included: what else is called the same may lie elsewhere."""
        key = op, args, low, high
        found = self._nodes.get(key)
        if found is None:
            if high > LARGEST or low < -LARGEST:
                raise Unsound("a number may grow beyond 32 bits in this geometry")
            found = self._nodes[key] = Node()
            found.op, found.args, found.low, found.high, found.number = op, args, low, high, len(self._nodes)
        return found

    def constant(self, value: int | bool) -> Node:
        number = int(value)
        return self.node("constant", (number,), number, number)

    def equal(self, a: Node, b: Node) -> Node:
        if a is b:
            return self.yes
        if a.high < b.low or b.high < a.low:
            return self.no
        if a.is_constant and b.is_constant:
            return self.constant(a.value == b.value)
        if a.is_constant:
            a, b = b, a
        if not b.is_constant:
            a, b = (b, a) if a.number > b.number else (a, b)
        elif a.is_flag:
            return a if b.value == 1 else self.negated(a)
        elif a.op == "select":
            chosen = self._equal_to_choice(a, b)
            if chosen is not None:
                return chosen
        return self.node("equal", (a, b), 0, 1)

    def _equal_to_choice(self, choice: Node, constant: Node) -> Node | None:
        """Whether one of two values is a constant, if one of the two questions is answered already."""
        condition, first, second = choice.args
        yes, no = self.equal(first, constant), self.equal(second, constant)
        if yes.is_constant:
            return self.either(condition, no) if yes.value else self.both(self.negated(condition), no)
        if no.is_constant:
            return self.either(self.negated(condition), yes) if no.value else self.both(condition, yes)
        return None

    def negated(self, a: Node) -> Node:
        if a.is_constant:
            return self.constant(not a.value)
        return a.args[0] if a.op == "not" else self.node("not", (a,), 0, 1)

    def both(self, a: Node, b: Node) -> Node:
        if a.is_constant:
            return b if a.value else self.no
        if b.is_constant:
            return a if b.value else self.no
        if a is b:
            return a
        if self.negated(a) is b:
            return self.no
        return self.node("and", (a, b) if a.number < b.number else (b, a), 0, 1)

    def either(self, a: Node, b: Node) -> Node:
        if a.is_constant:
            return self.yes if a.value else b
        if b.is_constant:
            return self.yes if b.value else a
        if a is b:
            return a
        if self.negated(a) is b:
            return self.yes
        return self.node("or", (a, b) if a.number < b.number else (b, a), 0, 1)

    def select(self, condition: Node, a: Node, b: Node) -> Node:
        """``a`` where the condition holds, and ``b`` elsewhere."""
        if condition.is_constant:
            return a if condition.value else b
        if condition.op == "not":
            condition, a, b = condition.args[0], b, a
        if b.op == "select" and b.args[0] is condition:
            b = b.args[2]
        if a.op == "select" and a.args[0] is condition:
            a = a.args[1]
        if a is b:
            return a
        if a.is_flag and b.is_flag:
            if a.is_constant:
                return self.either(condition, b) if a.value else self.both(self.negated(condition), b)
            if b.is_constant:
                return self.either(self.negated(condition), a) if b.value else self.both(condition, a)
        return self.node("select", (condition, a, b), min(a.low, b.low), max(a.high, b.high))

    def less(self, a: Node, b: Node) -> Node:
        if a.high < b.low:
            return self.yes
        if a.low >= b.high:
            return self.no
        return self.node("less", (a, b), 0, 1)

    def arithmetic(self, operator: str, a: Node, b: Node) -> Node:
        """``a operator b``. A divisor of 0 counts as 1, and shifts end at 31: whoever asks sees to it that neither matters."""
        if a.is_constant and b.is_constant:
            return self.constant(_computed(operator, a.value, b.value))
        if operator in ("+", "-", "|", "^", "<<", ">>", "&~") and b.is_constant and not b.value:
            return a
        if operator in ("+", "|", "^") and a.is_constant and not a.value:
            return b
        low, high = _between(operator, a, b)
        return self.node("arithmetic", (operator, a, b), low, high)

    def any(self, nodes: list[Node]) -> Node:
        total = self.no
        for node in nodes:
            total = self.either(total, node)
        return total


def _computed(operator: str, x: int, y: int) -> int:
    if operator in ("//", "%"):
        return x // (y or 1) if operator == "//" else x % (y or 1)
    if operator in ("<<", ">>"):
        y = min(max(y, 0), 31)
        return x << y if operator == "<<" else x >> y
    return {"+": x + y, "-": x - y, "*": x * y, "&": x & y, "|": x | y, "^": x ^ y, "&~": x & ~y}[operator]


def _between(operator: str, a: Node, b: Node) -> tuple[int, int]:
    if operator == "+":
        return a.low + b.low, a.high + b.high
    if operator == "-":
        return a.low - b.high, a.high - b.low
    if operator == "*":
        ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        return min(ends), max(ends)
    if operator == "<<":
        return min(a.low, 0), max(a.high, 0) << min(max(b.high, 0), 31)
    if operator in ("|", "^"):
        return 0, (1 << max(a.high, b.high, 1).bit_length()) - 1
    return min(a.low, 0), max(a.high, 0)
