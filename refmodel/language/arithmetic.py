"""Arithmetic on ints, held to the kind that it is of: a word does not overflow, and no number goes below zero.

Python's ints know no bounds, so a text runs from code in which each operator on words or naturals calls ``computed``. It is
compiled from the very same text; functions without arithmetic stay as they are. Values that stand for many look after themselves.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping
from typing import Any

Place = tuple[int, int, int, int]
"""Where an expression stands in its file."""

NAME = "__refmodel_computed__"

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "<<": lambda a, b: a << b,
}


class LeavesKind(Exception):
    """A number that is none of its kind: the text has gone wrong."""


def computed(sign: str, a: Any, b: Any, width: int) -> Any:
    """``a sign b`` as a word of this width, or as a natural if the width is 0. Raises ``LeavesKind`` if it is none."""
    if not isinstance(a, int) or not isinstance(b, int):
        return _OPERATORS[sign](a, b)
    if sign in ("//", "%") and not b:
        raise LeavesKind(f"{a} {sign} 0")
    if sign == "<<" and b >= (width or 64):
        raise LeavesKind(f"{a} << {b} leaves the values of a word")
    result = _OPERATORS[sign](a, b)
    if result < 0 or (width and result >> width):
        raise LeavesKind(f"{a} {sign} {b} leaves the values of a {'word' if width else 'natural number'}")
    return result


def place(node: ast.AST) -> Place:
    return (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)  # type: ignore[attr-defined]


class Checked(ast.NodeTransformer):
    """Has arithmetic computed as words of these widths, or as naturals (0)."""

    def __init__(self, widths: Mapping[Place, int]) -> None:
        self.widths = widths

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return self._call(node.op, node.left, node.right, node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        before = copy.deepcopy(node.target)
        before.ctx = ast.Load()
        value = self._call(node.op, before, node.value, node)
        return ast.copy_location(ast.Assign([node.target], value), node)

    def _call(self, op: ast.operator, left: ast.expr, right: ast.expr, node: ast.AST) -> ast.expr:
        width, sign = self.widths.get(place(node)), SIGNS[type(op)]
        if width is None or sign not in _OPERATORS:
            return ast.copy_location(ast.BinOp(left, op, right), node)
        arguments: list[ast.expr] = [ast.Constant(sign), left, right, ast.Constant(width)]
        return ast.copy_location(ast.Call(ast.Name(NAME, ast.Load()), arguments, []), node)


SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
