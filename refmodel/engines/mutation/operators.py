"""The operators: the ways in which one place of a function's text is changed, one place at a time."""

from __future__ import annotations

import ast
import copy
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from refmodel.language.tables import NOTHING

NO_STATEMENT = "pass"
ASKING = ("reset", "assign", "choose", "count")
"""Words whose second argument is a condition."""


@attrs.frozen
class Edit:
    """A node of a function's syntax, and what is put in its place."""

    operator: str
    node: ast.AST
    after: ast.AST


@attrs.frozen
class Around:
    """What the operators know of the function around a place."""

    names: Mapping[str, Any]
    """What its global names mean."""
    parameters: Mapping[str, str]
    """Its parameters, each with its annotation."""
    assigned: Mapping[str, int]
    """How often each local name is assigned."""
    conditions: frozenset[int]
    """The lambdas, by id, that reset, assign, choose or count ask."""
    is_condition: bool
    """Whether the function returns a flag."""

    def meaning(self, node: ast.AST) -> Any:
        """What a global name means, or a dotted one."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id) if node.id not in self.parameters else None
        return getattr(self.meaning(node.value), node.attr, None) if isinstance(node, ast.Attribute) else None


def around(definition: ast.FunctionDef | ast.Lambda, names: Mapping[str, Any]) -> Around:
    """What the operators have to know of a function."""
    arguments = (*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs)
    parameters = {a.arg: ast.unparse(a.annotation) if a.annotation is not None else "" for a in arguments}
    assigned: dict[str, int] = {}
    conditions = set()
    for node in ast.walk(definition):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            assigned[node.id] = assigned.get(node.id, 0) + 1
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKING:
            conditions |= {id(a) for a in node.args[1:2] if isinstance(a, ast.Lambda)}
    returns = definition.returns if isinstance(definition, ast.FunctionDef) else None
    return Around(names, parameters, assigned, frozenset(conditions), returns is not None and ast.unparse(returns) == "bool")


def edits(definition: ast.FunctionDef | ast.Lambda, names: Mapping[str, Any]) -> Iterator[Edit]:
    """Every change of a function's body, in the order of the text."""
    known = around(definition, names)
    body: Sequence[ast.AST] = definition.body if isinstance(definition, ast.FunctionDef) else [definition.body]
    for statement in body:
        for node in _in_order(statement):
            for operator in OPERATORS:
                yield from operator(node, known)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


# ---------------------------------------------------------------- statements


def _drop_statement(node: ast.AST, known: Around) -> Iterator[Edit]:
    match node:
        case ast.Expr(ast.Call(ast.Name("require"))):
            yield Edit("drop require", node, ast.Pass())
        case ast.Expr(ast.Call()):
            yield Edit("drop call", node, ast.Pass())
        case ast.Assign([ast.Subscript()]) | ast.Assign([ast.Attribute()]):
            yield Edit("drop store", node, ast.Pass())
        case ast.Assign([target]) if _stored(target) and all(known.assigned.get(n, 0) > 1 for n in _stored(target)):
            yield Edit("drop assignment", node, ast.Pass())
        case ast.AugAssign() | ast.Delete() | ast.Raise() | ast.Return(None):
            yield Edit(f"drop {type(node).__name__.lower()}", node, ast.Pass())


def _stored(target: ast.AST) -> list[str]:
    return [n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


# ---------------------------------------------------------------- conditions


def _tested(node: ast.AST, known: Around) -> Iterator[ast.expr]:
    """The conditions that a node decides by."""
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield test
        case ast.Call(ast.Name("require"), [test]):
            yield test
        case ast.Lambda(body=body) if id(node) in known.conditions:
            yield body
        case ast.Return(value) if value is not None and known.is_condition:
            yield value
        case ast.BoolOp(values=values):
            yield from values


def _negate(node: ast.AST, known: Around) -> Iterator[Edit]:
    for test in _tested(node, known):
        by_itself = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn)
        if not by_itself and not isinstance(test, ast.UnaryOp | ast.Constant):  # those have an operator of their own
            yield Edit("negate condition", test, ast.UnaryOp(ast.Not(), test))


def _always_or_never(node: ast.AST, known: Around) -> Iterator[Edit]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            yield Edit("guard always", test, ast.Constant(True))
            yield Edit("guard never", test, ast.Constant(False))
        case ast.Lambda(body=body) if id(node) in known.conditions:
            yield Edit("condition always", body, ast.Constant(True))
            yield Edit("condition never", body, ast.Constant(False))


def _drop_operand(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        for i in range(len(node.values)):
            left = [v for j, v in enumerate(node.values) if j != i]
            yield Edit("drop operand", node, left[0] if len(left) == 1 else ast.BoolOp(node.op, left))


def _swap_and_or(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        yield Edit("swap and/or", node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))


def _drop_not(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield Edit("drop not", node, node.operand)


_OTHER: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def _compare_otherwise(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in _OTHER:
                ops = [*node.ops[:i], _OTHER[type(op)](), *node.ops[i + 1 :]]
                yield Edit("other comparison", node, ast.Compare(node.left, ops, node.comparators))


# ---------------------------------------------------------------- values


def _off_by_one(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield Edit("off by one", node, ast.Constant(node.value + 1))
        if node.value > 0:
            yield Edit("off by one", node, ast.Constant(node.value - 1))


def _other_flag(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield Edit("other flag", node, ast.Constant(not node.value))


_COMPUTED_OTHERWISE: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


def _other_arithmetic(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED_OTHERWISE:
        yield Edit("other arithmetic", node, ast.BinOp(node.left, _COMPUTED_OTHERWISE[type(node.op)](), node.right))
    if isinstance(node, ast.AugAssign) and type(node.op) in _COMPUTED_OTHERWISE:
        yield Edit("other arithmetic", node, ast.AugAssign(node.target, _COMPUTED_OTHERWISE[type(node.op)](), node.value))


def _other_member(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        cls = known.meaning(node.value)
        if isinstance(cls, type) and issubclass(cls, enum.Enum) and node.attr in cls.__members__:
            members = list(cls.__members__)
            after = members[(members.index(node.attr) + 1) % len(members)]
            if after != node.attr:
                yield Edit("other member", node, ast.Attribute(node.value, after, ast.Load()))


def _other_name(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and known.parameters.get(node.id):
        same = [n for n, of in known.parameters.items() if of == known.parameters[node.id]]
        if len(same) > 1:
            yield Edit("other name", node, ast.Name(same[(same.index(node.id) + 1) % len(same)], ast.Load()))


def _swap_arguments(node: ast.AST, known: Around) -> Iterator[Edit]:
    if isinstance(node, ast.Call):
        for i, (one, other) in enumerate(zip(node.args, node.args[1:], strict=False)):
            kind = _kind(one, known)
            if kind and kind == _kind(other, known) and ast.dump(one) != ast.dump(other):
                args = [*node.args[:i], other, one, *node.args[i + 2 :]]
                yield Edit("swap arguments", node, ast.Call(node.func, args, node.keywords))


def _kind(node: ast.AST, known: Around) -> str:
    match node:
        case ast.Name(name):
            return known.parameters.get(name, "")
        case ast.Constant(value) if isinstance(value, bool | int):
            return type(value).__name__
    return ""


def _drop_field(node: ast.AST, known: Around) -> Iterator[Edit]:
    """A field of a record that is made or evolved: it keeps its default, or what it was."""
    if not isinstance(node, ast.Call):
        return
    what = known.meaning(node.func)
    if what is attrs.evolve:
        if len(node.keywords) == 1:
            yield Edit("drop field", node, node.args[0])
        elif node.keywords:
            for i in range(len(node.keywords)):
                yield Edit("drop field", node, ast.Call(node.func, node.args, [*node.keywords[:i], *node.keywords[i + 1 :]]))
    elif isinstance(what, type) and attrs.has(what):
        yield from _defaults(node, what)


def _defaults(node: ast.Call, cls: type) -> Iterator[Edit]:
    fields = {a.name: a for a in attrs.fields(cls)}
    for i, keyword in enumerate(node.keywords):
        if keyword.arg in fields and fields[keyword.arg].default is not attrs.NOTHING:
            yield Edit("drop field", node, ast.Call(node.func, node.args, [*node.keywords[:i], *node.keywords[i + 1 :]]))
    for i, (given, field) in enumerate(zip(node.args, fields.values(), strict=False)):
        plain = _plain(field.default)
        if plain is not None and ast.dump(given) != ast.dump(plain) and not isinstance(given, ast.Constant):
            yield Edit("drop field", node, ast.Call(node.func, [*node.args[:i], plain, *node.args[i + 1 :]], node.keywords))


def _plain(value: Any) -> ast.expr | None:
    """A default as an expression, where it can be written without further names."""
    if isinstance(value, bool):
        return ast.Constant(value)
    if isinstance(value, enum.Enum):
        return ast.Attribute(ast.Name(type(value).__name__, ast.Load()), value.name, ast.Load())
    if isinstance(value, int):
        return ast.Name("NOTHING", ast.Load()) if value == NOTHING else ast.Constant(value)
    return None


OPERATORS: tuple[Callable[[ast.AST, Around], Iterator[Edit]], ...] = (
    _drop_statement,
    _negate,
    _always_or_never,
    _drop_operand,
    _swap_and_or,
    _drop_not,
    _compare_otherwise,
    _off_by_one,
    _other_flag,
    _other_arithmetic,
    _other_member,
    _other_name,
    _swap_arguments,
    _drop_field,
)


def written(node: ast.AST) -> str:
    """A node as text on one line."""
    if isinstance(node, ast.Pass):
        return NO_STATEMENT
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
