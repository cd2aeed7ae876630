"""``match`` as the if, elif and else that it stands for, where its patterns are values: members of an enum, numbers, constants.

Python compares what is matched with such a pattern by ``==``. Patterns that take a value apart, give it a name or compare it by
identity (``True``, ``None``) stay as they are, and are refused.
"""

import ast
import copy
import re
from typing import TypeVar

Placed = TypeVar("Placed", ast.expr, ast.stmt)


def parsed(source: str) -> ast.Module:
    """A text's syntax, with an if in the place of each ``match`` that has patterns of values only; raises as ``ast.parse``."""
    tree = ast.parse(source)
    if re.search(r"^\s*match\b", source, re.MULTILINE) is None:  # a statement begins a line: most texts need no second look
        return tree
    changed: ast.Module = _Rewritten().visit(tree)
    return ast.fix_missing_locations(changed)


class _Rewritten(ast.NodeTransformer):
    def visit_Match(self, node: ast.Match) -> ast.stmt | list[ast.stmt]:
        self.generic_visit(node)
        if not all(_is_of_values(case.pattern) for case in node.cases):
            return node
        subject, before = node.subject, list[ast.stmt]()
        if not isinstance(subject, ast.Name):  # a property may ask something, and is asked once
            name = f"match {node.lineno}:{node.col_offset}"  # no text can use this name
            before = [ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], subject), node)]
            subject = ast.copy_location(ast.Name(name, ast.Load()), subject)
        left: list[ast.stmt] = []
        for case in reversed(node.cases):
            tests = [*_tests(case.pattern, subject), *([case.guard] if case.guard else [])]
            left = [_under(tests, case, left)] if tests else case.body
        return [*before, *left]


def _under(tests: list[ast.expr], case: ast.match_case, otherwise: list[ast.stmt]) -> ast.stmt:
    """The body of a case, if its tests are passed."""
    test = tests[0] if len(tests) == 1 else _placed(ast.BoolOp(ast.And(), tests), case.pattern, 3)
    return _placed(ast.If(test, case.body, otherwise), case.pattern, 4)


def _placed(node: Placed, pattern: ast.pattern, number: int) -> Placed:
    """The node where the pattern begins. What is made of one pattern ends in different places: conditions are told apart by them,
    from each other and from the pattern's value."""
    placed = ast.copy_location(node, pattern)
    placed.end_col_offset = pattern.end_col_offset + number
    return placed


def _is_of_values(pattern: ast.pattern) -> bool:
    match pattern:
        case ast.MatchValue() | ast.MatchAs(None, None):
            return True
        case ast.MatchOr(patterns):
            return all(isinstance(each, ast.MatchValue) for each in patterns)
    return False


def _tests(pattern: ast.pattern, subject: ast.expr) -> list[ast.expr]:
    """What a pattern asks of the subject: nothing, if it is the wildcard."""
    match pattern:
        case ast.MatchValue(value):
            return [_placed(ast.Compare(copy.deepcopy(subject), [ast.Eq()], [value]), pattern, 1)]
        case ast.MatchOr(patterns):
            return [_placed(ast.BoolOp(ast.Or(), [test for each in patterns for test in _tests(each, subject)]), pattern, 2)]
    return []


__all__ = ["parsed"]
