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
KEY = "__refmodel_key__"

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
        raise LeavesKind(f"{a} << {b}: expected a shift by less than the {width or 64} bits of the word")
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
        return self._call(node.op, node.left, node.right, node) if self._is_checked(node) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | list[ast.stmt]:
        self.generic_visit(node)
        if not self._is_checked(node):
            return node
        if not isinstance(node.target, ast.Subscript):
            return self._stored(node, node.target)
        key = ast.copy_location(ast.Assign([ast.Name(KEY, ast.Store())], node.target.slice), node)  # looked at once, and first
        node.target.slice = ast.Name(KEY, ast.Load())
        return [key, self._stored(node, node.target)]

    def _stored(self, node: ast.AugAssign, target: ast.expr) -> ast.stmt:
        before = copy.deepcopy(target)
        before.ctx = ast.Load()  # type: ignore[attr-defined]
        return ast.copy_location(ast.Assign([target], self._call(node.op, before, node.value, node)), node)

    def _is_checked(self, node: ast.BinOp | ast.AugAssign) -> bool:
        return place(node) in self.widths and SIGNS[type(node.op)] in _OPERATORS

    def _call(self, op: ast.operator, left: ast.expr, right: ast.expr, node: ast.AST) -> ast.expr:
        arguments: list[ast.expr] = [ast.Constant(SIGNS[type(op)]), left, right, ast.Constant(self.widths[place(node)])]
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
