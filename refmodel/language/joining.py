"""``and``, ``or`` and ``not`` without forking, where values stand for many.

Python decides ``a and b`` by testing ``a``, which forks a run. Where ``b`` only looks, both can be looked at, and the result
is one truth value; runs then fork at ``if`` and not inside conditions. So while a reading is at work, the functions of a
specification run from code in which these three words call the functions below. It is compiled from the very same text, line
by line; on ints the text runs as Python compiled it.
"""

from __future__ import annotations

import ast
import functools
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import CodeType, FunctionType
from typing import Any

from refmodel.language.asking import current
from refmodel.language.compiling import compiled
from refmodel.language.design import Outline
from refmodel.language.held import held_definition, version
from refmodel.language.opaque import Flag, Opaque
from refmodel.language.sources import Definition, code_of, replaced, restored


class Impure(BaseException):
    """An operand does more than look: Python's own order of evaluation has to be kept."""


def both(a: Any, b: Callable[[], Any]) -> Any:
    """``a and b``."""
    if not isinstance(a, Opaque):
        return a and b()
    if isinstance(a, Flag):
        try:
            return Flag(a.reading, a.kind, a.reading.both(a.term, a.reading.looked_at(b, a.term)))
        except Impure:
            pass
    return b() if a else a


def either(a: Any, b: Callable[[], Any]) -> Any:
    """``a or b``."""
    if not isinstance(a, Opaque):
        return a or b()
    if isinstance(a, Flag):
        try:
            otherwise = a.reading.looked_at(b, a.reading.negated(a.term))
            return Flag(a.reading, a.kind, a.reading.either(a.term, otherwise))
        except Impure:
            pass
    return a if a else b()


def negation(a: Any) -> Any:
    """``not a``."""
    return Flag(a.reading, a.kind, a.reading.negated(a.term)) if isinstance(a, Flag) else not a


def whole(body: Callable[..., Any], state: Any, *arguments: Any) -> Any:
    """A call of a helper that may fork. A reading that can make one path of its paths is given it as a whole."""
    run = getattr(current(), "whole", None)
    return body(state, *arguments) if run is None else run(state, lambda: body(state, *arguments))


NAMES = {"__refmodel_whole__": whole, "__refmodel_both__": both, "__refmodel_either__": either, "__refmodel_not__": negation}


class Rewrite(ast.NodeTransformer):
    """The three words as calls. An operand becomes a lambda, in which ``super()`` has to be told what it is about."""

    def __init__(self, of: str | None) -> None:
        self.of = of

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if self.of and isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            node.args = [ast.Name("__class__", ast.Load()), ast.Name(self.of, ast.Load())]
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        name = "__refmodel_both__" if isinstance(node.op, ast.And) else "__refmodel_either__"
        result = node.values[-1]
        for value in reversed(node.values[:-1]):
            later = ast.Lambda(ast.arguments([], [], None, [], [], None, []), result)
            result = ast.Call(ast.Name(name, ast.Load()), [value, later], [])
        return ast.copy_location(result, node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            return node
        return ast.copy_location(ast.Call(ast.Name("__refmodel_not__", ast.Load()), [node.operand], []), node)


def joined_code(function: FunctionType) -> CodeType | None:
    """The code of a function with the three words joined, or None if its text cannot be had."""
    return _joined_code(function, version(function))


@functools.cache
def _joined_code(function: FunctionType, version: int) -> CodeType | None:
    definition = held_definition(function)
    if definition is None:
        return None
    arguments = definition.args.posonlyargs + definition.args.args
    of = arguments[0].arg if arguments and "__class__" in code_of(function).co_freevars else None
    joined: Definition = Rewrite(of).visit(definition)
    if isinstance(joined, ast.FunctionDef) and _is_helper_that_forks(function, joined):
        joined = _as_a_whole(joined)
    return compiled(function, joined)


def _is_helper_that_forks(function: FunctionType, definition: ast.FunctionDef) -> bool:
    """Whether this is a method with a branch of its own, and no operation: what an operation comes to is judged path by path."""
    arguments = definition.args
    plain = arguments.args and not (arguments.posonlyargs or arguments.vararg or arguments.kwonlyargs or arguments.kwarg)
    if not plain or "." not in function.__qualname__ or hasattr(function, "__refmodel__"):
        return False
    found = {type(node) for node in ast.walk(definition)}
    return not found & {ast.Yield, ast.YieldFrom} and bool(found & {ast.If, ast.IfExp})


def _as_a_whole(definition: ast.FunctionDef) -> ast.FunctionDef:
    """A copy of a function whose body is run by ``whole``."""
    names = [a.arg for a in definition.args.args]
    parameters = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    body = ast.FunctionDef("__refmodel_body__", parameters, definition.body, [])
    given: list[ast.expr] = [ast.Name(name, ast.Load()) for name in ("__refmodel_body__", *names)]
    call = ast.Return(ast.Call(ast.Name("__refmodel_whole__", ast.Load()), given, []))
    definition.body = [ast.copy_location(body, definition), ast.copy_location(call, definition)]
    return definition


def texts_from(*roots: Any) -> tuple[FunctionType, ...]:
    """These functions and whatever of the kind they call."""
    found: dict[FunctionType, None] = {}
    todo: list[Any] = list(roots)
    while todo:
        item = todo.pop()
        if isinstance(item, property):
            todo.append(item.fget)
        elif type(item) is FunctionType and item not in found and _is_text(item):
            found[item] = None
            todo += [item.__globals__.get(name) for name in _names(item.__code__)]
        elif isinstance(item, type):
            todo += [v for v in vars(item).values() if isinstance(v, (property, FunctionType))]
    return tuple(f for f in found if joined_code(f) is not None)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_text(function: FunctionType) -> bool:
    module = function.__module__ or ""
    if module.startswith(("refmodel.language", "refmodel.engines", "attr")):
        return False
    home = getattr(sys.modules.get(module), "__file__", None)  # attrs lends records methods of its own
    return module.split(".")[0] not in sys.stdlib_module_names and function.__code__.co_filename == home


def joined(design: Outline) -> AbstractContextManager[None]:
    """While this holds, the design's text runs with the three words joined."""
    return joined_texts(design.text.functions)


@contextmanager
def joined_texts(
    functions: Sequence[FunctionType],
    code_in_place: Callable[[FunctionType], CodeType | None] = joined_code,
    more: Mapping[str, Any] = types.MappingProxyType({}),
) -> Iterator[None]:
    """While this holds, these functions run with the three words joined, or from other code in their place, which may call more."""
    before = [f.__code__ for f in functions]
    for f in functions:
        f.__globals__.update({**NAMES, **more})
        code = code_in_place(f)
        replaced(f)
        if code is not None:
            f.__code__ = code
    try:
        yield
    finally:
        for f, code in zip(functions, before, strict=True):
            f.__code__ = code
            restored(f)
