"""What has been decided on the way to here, so that no path is followed that nothing can take."""

from __future__ import annotations

from refmodel.engines.compiled.nodes import Node

FEW = 20
"""Ranges up to this wide are kept as sets of values."""


class Known:
    """Which flags are settled on this path, and which values are left of others."""

    def __init__(self, other: Known | None = None) -> None:
        """As much as the other knows. What is known is copied where more is learnt, so until then the two share their answers."""
        self._flags: dict[int, bool] = other._flags if other else {}
        self._values: dict[int, frozenset[int]] = other._values if other else {}
        self._answers: dict[int, bool | None] = other._answers if other else {}

    def learn(self, node: Node, holds: bool) -> None:
        self._flags, self._values, self._answers = dict(self._flags), dict(self._values), {}
        self._learn(node, holds)
        self._answers = {}

    def _learn(self, node: Node, holds: bool) -> None:
        if node.is_constant or node.number in self._flags:
            return
        self._flags[node.number] = holds
        if node.op == "not":
            self._learn(node.args[0], not holds)
        elif node.op in ("and", "or"):
            self._learn_of_two(node, holds, all_hold=node.op == "and")
        elif node.op == "equal" and node.args[1].is_constant:
            values = self.values(node.args[0])
            if values is not None:
                mine = frozenset((node.args[1].value,))
                self._values[node.args[0].number] = values & mine if holds else values - mine
        self._answers = {}

    def _learn_of_two(self, node: Node, holds: bool, all_hold: bool) -> None:
        first, second = node.args
        if holds == all_hold:
            self._learn(first, all_hold)
            self._learn(second, all_hold)
        elif self.truth(first) is all_hold:
            self._learn(second, not all_hold)
        elif self.truth(second) is all_hold:
            self._learn(first, not all_hold)

    def values(self, node: Node) -> frozenset[int] | None:
        """The values that a node may have here; None if they are too many to say."""
        known = self._values.get(node.number)
        if known is not None:
            return known
        if node.high - node.low > FEW:
            return None
        if node.op == "select":
            condition, first, second = node.args
            truth = self.truth(condition)
            if truth is not None:
                return self.values(first if truth else second)
            a, b = self.values(first), self.values(second)
            if a is not None and b is not None:
                return a | b
        return frozenset(range(node.low, node.high + 1))

    def truth(self, node: Node) -> bool | None:
        """Whether a flag is settled here, and how."""
        if node.is_constant:
            return bool(node.value)
        known = self._flags.get(node.number)
        if known is not None:
            return known
        if node.number not in self._answers:
            self._answers[node.number] = None
            self._answers[node.number] = self._truth(node)
        return self._answers[node.number]

    def _truth(self, node: Node) -> bool | None:
        if node.op == "not":
            truth = self.truth(node.args[0])
            return None if truth is None else not truth
        if node.op in ("and", "or"):
            settles = node.op == "or"
            a, b = self.truth(node.args[0]), self.truth(node.args[1])
            if a is settles or b is settles:
                return settles
            return None if a is None or b is None else not settles
        if node.op == "equal":
            mine, other = self.values(node.args[0]), self.values(node.args[1])
            if mine is None or other is None or (mine & other and (len(mine) > 1 or len(other) > 1)):
                return None
            return bool(mine & other)
        if node.op == "select":
            condition, first, second = node.args
            truth = self.truth(condition)
            if truth is not None:
                return self.truth(first if truth else second)
            a, b = self.truth(first), self.truth(second)
            return a if a is b else None
        return None
