"""Parts of the text of a law: what they deny, return, compare, and give names to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence


def assignments(statements: Sequence[ast.stmt], under: tuple[ast.If, ...]) -> Iterator[tuple[str, ast.expr, tuple[ast.If, ...]]]:
    """What each local name is given, and by which ``if``."""
    for statement in statements:
        match statement:
            case ast.Assign([ast.Name(name)], value):
                yield name, value, under
            case ast.AnnAssign(ast.Name(name), _, ast.expr() as value):
                yield name, value, under
            case ast.If(_, body, orelse):
                yield from assignments(body, (*under, statement))
                yield from assignments(orelse, (*under, statement))
            case ast.For(_, _, body):
                yield from assignments(body, under)


def in_words(node: ast.BinOp) -> ast.BoolOp:
    """``a | b | c`` of flags as ``a or b or c``, and ``&`` as ``and``."""
    op = type(node.op)
    left = in_words(node.left).values if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, op) else [node.left]
    return ast.BoolOp(ast.Or() if op is ast.BitOr else ast.And(), [*left, node.right])


def denial(node: ast.expr) -> tuple[ast.expr, bool] | None:
    """What an expression denies, and what that is where the expression does not hold; None if it denies nothing."""
    match node:
        case ast.UnaryOp(ast.Not(), operand):
            return operand, True
        case ast.BinOp(left, ast.BitXor(), ast.Constant(True)):
            return left, True
        case ast.Compare(left, [ast.Eq() | ast.NotEq() as op], [ast.Constant(bool() as value)]):
            return (left, True) if value is isinstance(op, ast.NotEq) else None
        case ast.Compare(_, [ast.NotEq() | ast.NotIn()], _):
            return node, False
    return None


OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}


def at_most(left: ast.expr, op: ast.cmpop, right: ast.expr, *, denied: bool) -> tuple[ast.expr, type[ast.cmpop], ast.expr]:
    """A comparison of numbers as ``==``, ``<=`` or ``!=``, with a constant on the right. ``NotEq`` stands for whatever is none of
    them."""
    how = OPPOSITE.get(type(op), ast.NotEq) if denied else type(op)
    if how in (ast.Gt, ast.GtE):
        left, how, right = right, (ast.Lt if how is ast.Gt else ast.LtE), left
    if how is ast.Eq and isinstance(left, ast.Constant):
        left, right = right, left
    if how is ast.Lt:
        if isinstance(right, ast.Constant) and isinstance(right.value, int):
            right = ast.Constant(right.value - 1)
        how = ast.LtE
    return left, how if how in (ast.Eq, ast.LtE) else ast.NotEq, right


def is_constant(node: ast.AST, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def returns_at_once(statements: Sequence[ast.stmt], value: bool) -> bool:
    """Whether statements return this, and do nothing else."""
    match statements:
        case [ast.Return(ast.Constant() as returned), *_]:
            return returned.value is value
    return False


def asks_for_something(statements: Sequence[ast.stmt], holds: bool) -> bool:
    """Whether statements return anything but what asks for nothing."""
    return any(
        isinstance(node, ast.Return) and not (node.value and is_constant(node.value, holds))
        for statement in statements
        for node in ast.walk(statement)
    )


def ends(statements: Sequence[ast.stmt]) -> bool:
    return isinstance(statements[-1], ast.Return | ast.Continue)


def one_of_several(statements: Sequence[ast.stmt], wrong: bool) -> bool:
    """Whether statements say that one of several conditions holds: ``return True`` under each, ``return False`` at the end."""
    conditions = statements[:-1]
    return returns_at_once(statements[-1:], wrong) and all(
        isinstance(each, ast.If) and not each.orelse and returns_at_once(each.body, not wrong) for each in conditions
    )
