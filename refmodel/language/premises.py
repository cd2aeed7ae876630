"""Where a law asks for something under a condition only, however that is written.

``implies(premise, conclusion)`` says so. So do ``not a or b``, ``a != c or b``, ``not (a and b)``, ``b if a else True``, and an
``if`` before ``return True``. If what stands before is never the case, the law has asked for nothing, and is *vacuous*. So these
conditions are told as the premise of ``implies`` is: functions run from code in which ``premise`` is called on them. It gives back
what it is given. Where an implication stands in the conclusion of another, its premise counts only where both hold.

A condition is looked for where the law's verdict comes from: in what it returns, and in the helpers whose answer it returns.
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import attrs

from refmodel.language import asking
from refmodel.language.arithmetic import Place, place
from refmodel.language.sources import Definition, code_of, definition_of

PREMISE, WITHIN = "__refmodel_premise__", "__refmodel_within__"
NAMES: dict[str, Any] = {PREMISE: asking.premise, WITHIN: asking.implies_within}


@attrs.frozen
class Stated:
    """What the text of a function is changed into."""

    premises: dict[Place, bool] = attrs.field(factory=dict)
    """Of each condition: what it is when the law asks for something."""
    within: frozenset[Place] = frozenset()
    """The calls of ``implies`` whose conclusion may state further premises."""


def stated_by(law: Any, cls: type) -> dict[FunctionType, Stated]:
    """What a law, and the helpers whose answer it returns, state a premise by."""
    found: dict[FunctionType, Stated] = {}
    todo: list[FunctionType] = [law]
    while todo:
        function = todo.pop()
        definition = definition_of(function)
        if function in found or definition is None:
            continue
        search = _Search(functools.partial(_called, function=function, cls=cls))
        search.function(definition)
        found[function] = Stated(search.premises, frozenset(search.within))
        todo += search.helpers
    return {function: stated for function, stated in found.items() if stated.premises or stated.within}


def sites(function: FunctionType, stated: Stated) -> list[asking.Site]:
    """Where a function states these premises."""
    file = code_of(function).co_filename
    return [(file, line, column) for line, column, _, _ in stated.premises]


def _called(node: ast.expr, function: FunctionType, cls: type) -> Any:
    """What a name stands for: something of the file's, or of the design's; None if it is neither."""
    match node:
        case ast.Name(name):
            return function.__globals__.get(name)
        case ast.Attribute(ast.Name(name), of):
            whose = cls if (name,) == code_of(function).co_varnames[:1] else function.__globals__.get(name)
            return getattr(whose, of, None)
    return None


class _Search:
    """Looks through one function."""

    def __init__(self, called: Callable[[ast.expr], Any]) -> None:
        self._called = called
        self._assigned: dict[str, list[ast.expr]] = {}
        self.premises: dict[Place, bool] = {}
        self.within: set[Place] = set()
        self.helpers: list[FunctionType] = []

    def function(self, definition: Definition) -> None:
        if isinstance(definition, ast.Lambda):
            self.claim(definition.body)
            return
        for node in ast.walk(definition):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._assigned.setdefault(node.targets[0].id, []).append(node.value)
        self.block(definition.body)

    # ------------------------------------------------------------ statements

    def block(self, statements: Sequence[ast.stmt], after: Sequence[ast.stmt] = ()) -> None:
        """What statements return, and under which conditions. ``after``: what comes after them."""
        for at, statement in enumerate(statements):
            match statement:
                case ast.Return(value) if value is not None:
                    self.claim(value)
                case ast.If(test, body, orelse):
                    rest = [*statements[at + 1:], *after]
                    self._branch(test, body, [*orelse, *rest])
                    self.block(body, rest)
                    self.block(orelse, rest)
                case ast.For(_, _, body):
                    self.block(body)

    def _branch(self, test: ast.expr, body: Sequence[ast.stmt], otherwise: Sequence[ast.stmt]) -> None:
        """An ``if``: what it decides is a premise where one side asks for nothing."""
        asks, asks_otherwise = _asks(body), _asks(otherwise)
        if _returns(body, False):
            self.denial(test)
        elif _returns(otherwise, False):
            self.claim(test)
        elif asks != asks_otherwise and (asks or _ends(body)) and not _one_of_several(otherwise):
            self.premise(test, asks)

    # ------------------------------------------------------------ expressions

    def claim(self, node: ast.expr) -> None:
        """An expression that is to hold."""
        match node:
            case ast.BoolOp(ast.And(), values):
                for value in values:
                    self.claim(value)
            case ast.BoolOp(ast.Or(), values):
                self._alternatives(values)
            case ast.UnaryOp(ast.Not(), operand):
                self.denial(operand)
            case ast.IfExp(test, body, orelse):
                self._either(test, body, orelse)
            case ast.Name(name) if len(self._assigned.get(name, ())) == 1:
                self.claim(self._assigned.pop(name)[0])
            case ast.Call(ast.Name("all"), [ast.GeneratorExp(element, generators)], []):
                for test in (test for each in generators for test in each.ifs):
                    self.premise(test, True)
                self.claim(element)
            case ast.Call(called, arguments, []):
                self._call(node, self._called(called), arguments)
            case ast.Attribute() if isinstance(found := self._called(node), property) and isinstance(found.fget, FunctionType):
                self.helpers.append(found.fget)

    def denial(self, node: ast.expr) -> None:
        """An expression that is not to hold."""
        match node:
            case ast.BoolOp(ast.And(), values):
                self.premise(values[0], True)
            case ast.BoolOp(ast.Or(), values):
                for value in values:
                    self.denial(value)
            case ast.UnaryOp(ast.Not(), operand):
                self.claim(operand)

    def _call(self, node: ast.Call, called: Any, arguments: Sequence[ast.expr]) -> None:
        if called is asking.implies and len(arguments) == 2:
            if any(isinstance(each, ast.Call | ast.BoolOp | ast.IfExp) for each in ast.walk(arguments[1])):
                self.within.add(place(node))
            self.claim(arguments[1])
        elif isinstance(called, FunctionType):
            self.helpers.append(called)

    def _either(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> None:
        if _is(body, False):
            self.denial(test)
        elif _is(orelse, False):
            self.claim(test)
        elif _is(body, True) or _is(orelse, True):
            self.premise(test, _is(orelse, True))
        self.claim(body)
        self.claim(orelse)

    def _alternatives(self, values: Sequence[ast.expr]) -> None:
        """Of several expressions one is to hold. Those that are negated and stand first are a premise of the others. Where all are
        negated, several things are not to be so at once: that one of them rules out another is what the law is for."""
        denied = list(itertools.takewhile(bool, map(_denied, values[:-1])))
        told = denied[0 if _denied(values[-1]) else -1] if denied else None
        if told is not None:
            self.premise(*told)
            if len(denied) == len(values) - 1:
                self.claim(values[-1])

    def premise(self, node: ast.expr, wanted: bool) -> None:
        """A condition under which the law asks for something, if it is the case, or if it is not."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.premise(node.operand, not wanted)
        elif not isinstance(node, ast.Constant):
            self.premises[place(node)] = wanted


def _denied(node: ast.expr) -> tuple[ast.expr, bool] | None:
    """What an expression denies, and what that is where the expression does not hold; None if it denies nothing."""
    match node:
        case ast.UnaryOp(ast.Not(), operand):
            return operand, True
        case ast.Compare(_, [ast.NotEq() | ast.NotIn()], _):
            return node, False
    return None


def _is(node: ast.AST, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _returns(statements: Sequence[ast.stmt], value: bool) -> bool:
    """Whether statements return this, and do nothing else."""
    match statements:
        case [ast.Return(ast.Constant() as returned), *_]:
            return returned.value is value
    return False


def _asks(statements: Sequence[ast.stmt]) -> bool:
    """Whether statements return anything but True."""
    return any(isinstance(node, ast.Return) and not (node.value and _is(node.value, True))
               for statement in statements for node in ast.walk(statement))


def _ends(statements: Sequence[ast.stmt]) -> bool:
    return isinstance(statements[-1], ast.Return | ast.Continue)


def _one_of_several(statements: Sequence[ast.stmt]) -> bool:
    """Whether statements say that one of several conditions holds: ``return True`` under each of them, ``return False`` at the end.
    """
    conditions = statements[:-1]
    return _returns(statements[-1:], False) and all(
        isinstance(each, ast.If) and not each.orelse and _returns(each.body, True) for each in conditions)


class Telling(ast.NodeTransformer):
    """Calls ``premise`` on what is a premise. What is asked for by the conclusion of an implication becomes a lambda."""

    def __init__(self, stated: Stated) -> None:
        self.stated = stated

    def visit(self, node: ast.AST) -> ast.AST:
        at = place(node) if isinstance(node, ast.expr) else None
        new = super().generic_visit(node)
        if at in self.stated.within and isinstance(new, ast.Call):
            later = ast.Lambda(ast.arguments([], [], None, [], [], None, []), new.args[1])
            new = ast.copy_location(ast.Call(ast.Name(WITHIN, ast.Load()), [new.args[0], later], []), new)
        if at in self.stated.premises:
            told = [new, ast.Constant(self.stated.premises[at])]
            new = ast.copy_location(ast.Call(ast.Name(PREMISE, ast.Load()), told, []), new)  # type: ignore[arg-type]
        return new
