"""What an expression of a text is."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Sequence
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Annotated, Any

import attrs

from refmodel.language.arithmetic import SIGNS, place
from refmodel.language.asking import Fault
from refmodel.language.grammar import instead, not_known
from refmodel.language.kinds import EnumKind, FlagKind, Kind, NameKind, NaturalKind, PageKind, RecordKind, TupleKind, WordKind
from refmodel.language.laws import Law
from refmodel.language.meanings import BUILTINS, Meanings, Seen, Stop
from refmodel.language.remedies import NO_NONE, for_arithmetic, for_attribute, for_comparison, for_store_to_field
from refmodel.language.sources import code_of
from refmodel.language.types import (
    FLAG,
    NATURAL,
    NEVER,
    Ints,
    Known,
    Never,
    NoneType,
    Nothing,
    Scope,
    State,
    Table,
    Text,
    TupleOf,
    Type,
    fits,
    joined,
    no_condition,
    said,
)

MOST_OPERANDS = 1000
"""Conditions joined by one ``and`` or ``or``."""


class Expressions(Meanings):
    """Expressions, but for calls."""

    def _call(self, node: ast.Call) -> Type:
        """What a call gives (``calls``)."""
        raise NotImplementedError

    def expr(self, node: ast.expr) -> Type:
        match node:
            case ast.Name(name):
                return self._name(name, node)
            case ast.Constant(value):
                return self._constant(value, node)
            case ast.Attribute(value, attribute):
                return self.attribute(self.expr(value), attribute, node)
            case ast.Subscript(value, key):
                return self._subscript(self.expr(value), key, node)
            case ast.Tuple(elts):
                return TupleOf(tuple(map(self.expr, elts)))
            case ast.Call():
                return self._call(node)
            case ast.Lambda():
                frame = self._frames[-1]
                return Text(node, Scope(Seen(frame), frame.text.scope.function))
            case ast.Compare(left, ops, comparators):
                return self._compare([left, *comparators], ops, node)
            case ast.BoolOp(op, values):
                if len(values) > MOST_OPERANDS:
                    word = "and" if isinstance(op, ast.And) else "or"
                    self.complain(f"{len(values)} conditions joined by {word}; expected at most {MOST_OPERANDS}", node)
                for value in values:
                    self.flag(value)
                return FLAG
            case ast.UnaryOp(ast.Not(), operand):
                self.flag(operand)
                return FLAG
            case ast.UnaryOp(ast.Invert(), operand):
                return self.complain("~ masks a word, and stands nowhere but in word & ~mask", node)
            case ast.BinOp(ast.UnaryOp(ast.Invert(), mask), ast.BitAnd(), word) | ast.BinOp(
                word, ast.BitAnd(), ast.UnaryOp(ast.Invert(), mask)
            ):
                return self._masked(self.expr(word), self.expr(mask), node)
            case ast.BinOp(left, op, right):
                return self._arithmetic(op, self.expr(left), self.expr(right), node)
            case ast.IfExp(test, body, orelse):
                self.flag(test)
                return joined(self.expr(body), self.expr(orelse))
        return self.complain(instead(node), node)

    def flag(self, node: ast.expr) -> None:
        """A condition."""
        what = self.expr(node)
        if isinstance(what, Ints | NaturalKind | WordKind):
            self.complain(no_condition(what, "compare it with 0"), node)
        if not isinstance(what, FlagKind | Never):
            self.complain(no_condition(what, "compare it by =="), node)

    def _name(self, name: str, node: ast.AST) -> Type:
        frame = self._frames[-1]
        if name.startswith("__"):
            return self.complain(f"{name}: Python takes another name for it within a class; begin with one underscore", node)
        for names in (frame.names, frame.text.scope.names):
            if name in names:
                return names[name]
        code = code_of(frame.text.scope.function)
        if isinstance(frame.text.node, ast.FunctionDef) and name in code.co_varnames:
            return self.complain(f"{name} has no value on every path that leads here", node)
        space = frame.text.scope.function.__globals__
        if name in space:
            return self.meaning(space[name], node, name)
        found = next((b for b in (*BUILTINS, bool, tuple) if b.__name__ == name), None)
        if found is None:
            return self.complain(not_known(name), node)
        return Known(found)

    def _constant(self, value: Any, node: ast.AST) -> Type:
        if isinstance(value, float | complex):
            return self.complain(f"a {'float' if isinstance(value, float) else 'complex number'} is no value of the language", node)
        if isinstance(value, bytes) or value is Ellipsis:
            return self.complain(f"{value!r} is no value of the language", node)
        return self.meaning(value, node)

    def _masked(self, word: Type, mask: Type, node: ast.AST) -> Type:
        if not isinstance(word, WordKind) or not fits(mask, word):
            self.complain(f"~ masks a word with another of its width; here are {said(word)} and {said(mask)}", node)
        return word

    # ------------------------------------------------------------ storing and going through

    def several(self, node: ast.expr) -> tuple[Type, ...]:
        """What a loop goes through."""
        if isinstance(node, ast.Tuple):
            return tuple(map(self.expr, node.elts))
        match self.expr(node):
            case TupleOf(parts) | TupleKind(parts):
                return tuple(parts)
            case what:
                instead = "use count, reset or assign for a table"
                if isinstance(what, Known) and isinstance(what.value, enum.EnumType):
                    name = what.value.__name__
                    instead = f"write its members out: ({', '.join(f'{name}.{each}' for each in what.value.__members__)})"
                self.complain(f"a loop goes through a tuple or a range of constants, not through {said(what)}; {instead}", node)
                return ()

    def assign(self, target: ast.expr, value: Type, node: ast.AST) -> None:
        match target:
            case ast.Name(name):
                if isinstance(value, NoneType):
                    self.complain("None is no value of the language; what is assigned returns nothing", node)
                self.names[name] = value
            case ast.Tuple(elts):
                parts = value.parts if isinstance(value, TupleOf | TupleKind) else ()
                if len(parts) != len(elts):
                    self.complain(f"{said(value)} is assigned to {len(elts)} names", node)
                for one, part in zip(elts, parts, strict=True):
                    self.assign(one, part, node)
            case ast.Subscript(of, key):
                table = self.expr(of)
                if not isinstance(table, Table):
                    self.complain("only an entry of a table can be stored to; a page or record is replaced as a whole", target)
                    return
                self.key(table, key)
                self.expect(value, table.kind.value, node, f"an entry of {table.kind.name}")
                self._writes(table, target)
            case ast.Attribute():
                self.complain(self._no_attribute_is_set(target, node), target)
            case _:
                self.complain(instead(target), target)

    def _no_attribute_is_set(self, target: ast.Attribute, node: ast.AST) -> str:
        if isinstance(self.expr(target.value), RecordKind):
            return for_store_to_field(target, node)
        name = target.attr
        return (
            f"state is in tables only: a design cannot set {ast.unparse(target)}; declare a table, such as "
            f"{name}: Total[tuple[()], bool], and store to {ast.unparse(target)}[()]"
        )

    def _writes(self, table: Table, node: ast.AST) -> None:
        self.may(node, "change a table", "change it in an operation")
        self.effects.writes.add(table.kind.name)

    # ------------------------------------------------------------ comparing and computing

    def _compare(self, nodes: Sequence[ast.expr], ops: Sequence[ast.cmpop], node: ast.AST) -> Type:
        for one, op, other in zip(nodes, ops, nodes[1:], strict=False):
            if isinstance(op, ast.Is | ast.IsNot) and isinstance(other, ast.Constant) and other.value is None:
                self.complain(NO_NONE, node)
            if isinstance(op, ast.Is | ast.IsNot):
                self.complain(instead(op), node)
            if isinstance(op, ast.In | ast.NotIn):
                self._membership(self.expr(one), other)
                continue
            left, right = self.expr(one), self.expr(other)
            if isinstance(left, Never) or isinstance(right, Never):
                continue
            self._comparable(left, op, right, node)
        return FLAG

    def _comparable(self, left: Type, op: ast.cmpop, right: Type, node: ast.AST) -> None:
        if not isinstance(op, ast.Eq | ast.NotEq):
            for what in (left, right):
                if isinstance(what, NameKind | Nothing):
                    self.complain(f"{said(what)} has no order; names can only be compared with == and !=", node)
                if not isinstance(what, Ints | NaturalKind | WordKind):
                    self.complain(f"{said(what)} has no order", node)
        same = joined(left, right)
        if isinstance(same, Ints):
            return
        if isinstance(left, TupleOf | TupleKind) and isinstance(right, TupleOf | TupleKind) and len(left.parts) == len(right.parts):
            for one, other in zip(left.parts, right.parts, strict=True):
                self._comparable(one, op, other, node)
            return
        if not isinstance(same, Kind) or not (fits(left, same) and fits(right, same)):
            self.complain(f"{said(left)} is compared with {said(right)}{for_comparison(left, right)}", node)

    def _membership(self, what: Type, node: ast.expr) -> None:
        if isinstance(node, ast.Tuple | ast.List):
            for each in node.elts:
                self._comparable(what, ast.Eq(), self.expr(each), node)
            return
        within = self.expr(node)
        if isinstance(within, Table):
            if not within.kind.partial:
                self.complain(f"every key is in the total table {within.kind.name}", node)
            self._key(within, what, node)
            self.effects.reads.add(within.kind.name)
        elif isinstance(within, TupleOf | TupleKind):
            for part in within.parts:
                self._comparable(what, ast.Eq(), part, node)
        else:
            self.complain(f"in asks about a partial table or a tuple, not about {said(within)}", node)

    def _arithmetic(self, op: ast.operator, left: Type, right: Type, node: ast.AST) -> Type:
        if isinstance(left, Never) or isinstance(right, Never):
            return NEVER
        sign = SIGNS.get(type(op))
        if sign is None:
            return self.complain(instead(op), node)
        both = joined(left, right)
        if isinstance(both, Ints) and isinstance(left, Ints) and isinstance(right, Ints):
            return self._folded(sign, left, right, node)
        if isinstance(both, FlagKind) and sign in "&|^":
            return FLAG
        if isinstance(both, NaturalKind) and sign in "+-":
            return self._held(node, 0, NATURAL)
        if isinstance(both, WordKind):
            return self._held(node, both.width, both)
        for what in (left, right):
            if isinstance(what, NameKind | Nothing):
                self.complain(f"there is no arithmetic on {said(what)}; names can only be compared with == and !=", node)
        return self.complain(f"{said(left)} {sign} {said(right)} is not defined{for_arithmetic(sign, left, right)}", node)

    def _held(self, node: ast.AST, width: int, kind: Kind) -> Kind:
        """Note of which kind this arithmetic is, so that on ints it is held to that."""
        if self.widths.setdefault(self._frames[-1].text.scope.function, {}).setdefault(place(node), width) != width:
            self.complain("this is arithmetic on numbers of one kind here and of another there; write it twice", node)
        self._fits_constants(node)
        return kind

    def _fits_constants(self, node: ast.AST) -> None:
        """That where arithmetic is of words in one call and of constants in another, it is the same on ints."""
        at = self._frames[-1].text.scope.function, place(node)
        width = self.widths.get(at[0], {}).get(at[1])
        if width and self.largest.get(at, 0) >> width:
            self.complain(
                f"this is arithmetic on words of {width} bits in one call and on larger constants in another; write it twice", node
            )

    def _folded(self, sign: str, left: Ints, right: Ints, node: ast.AST) -> Type:
        try:
            values = frozenset(_COMPUTED[sign](a, b) for a in left.values for b in right.values)
        except (ArithmeticError, ValueError):
            return self.complain("this number has no value", node)
        if min(values) < 0 or max(values) >> 64:
            return self.complain("a number of the language is not below zero, and has at most 64 bits", node)
        at = self._frames[-1].text.scope.function, place(node)
        self.largest[at] = max(self.largest.get(at, 0), *values)
        self._fits_constants(node)
        return Ints(values)

    # ------------------------------------------------------------ attributes and keys

    def attribute(self, of: Type, name: str, node: ast.AST) -> Type:
        if name.startswith("__") or (name.startswith("_") and isinstance(of, Kind)):
            self.complain(f"{name} is Python's own", node)
        match of:
            case Never():
                raise Stop
            case State():
                return self._of_state(of, name, node)
            case RecordKind(cls, fields):
                for field, kind in fields:
                    if field == name:
                        return kind
                return self._member(cls, cls.__mro__, of, name, node)
            case PageKind() if name in ("put", "is_zero", "scrubbed"):
                return Known((of, name))
            case Known(ModuleType() as module):
                if module.__name__ == "refmodel":
                    getattr(module, name, None)  # its names are loaded when they are first asked for
                if name not in vars(module):
                    self.complain(f"{module.__name__} has no {name}", node)
                return self.meaning(vars(module)[name], node, f"{module.__name__}.{name}")
            case Known(type() as cls) if issubclass(cls, enum.Enum):
                if name not in cls.__members__:
                    self.complain(f"{cls.__name__} has no member {name}; it has {', '.join(cls.__members__)}", node)
                return self.kind(cls, node)
            case Known(type() as cls):
                return self._member(cls, cls.__mro__, None, name, node)
            case Known(Law() as law) if name == "function":
                return self.meaning(law.function, node)
        if isinstance(of, EnumKind) and hasattr(of.cls, name):
            return self.complain(
                f"{name} of {said(of)}: members are compared, and nothing else; write a helper that is given the "
                f"member: def {name}(member: {of.cls.__name__})",
                node,
            )
        remedy = for_attribute(of, name)
        has = "no attribute of the language" if remedy else "no attribute"
        return self.complain(f"{said(of)} has {has} {name}{remedy}", node)

    def _of_state(self, state: State, name: str, node: ast.AST) -> Type:
        if name in self.tables and state.after is None:
            self.effects.reads.add(name)
            return self.tables[name]
        mro: Sequence[type] = state.cls.__mro__
        if state.after is not None:
            mro = mro[mro.index(state.after) + 1 :]
        return self._member(state.cls, mro, State(state.cls), name, node)

    def _member(self, cls: type, mro: Sequence[type], bound: Type | None, name: str, node: ast.AST) -> Type:
        """What a class has under a name, bound to a state or record if there is one."""
        found = next((vars(base)[name] for base in mro if name in vars(base)), None)
        mine = () if bound is None else (bound,)
        match found:
            case None:
                if isinstance(bound, State) and len(mro) < len(cls.__mro__):
                    return self.complain(f"no class that {cls.__name__} is derived from has {name}", node)
                has = [*self.tables] if isinstance(bound, State) else [a.name for a in attrs.fields(cls)] if attrs.has(cls) else []
                return self.complain(f"{cls.__name__} has no {name}" + (f"; it has {', '.join(has)}" if has else ""), node)
            case FunctionType():
                return attrs.evolve(self.text(found, node), bound=mine)
            case staticmethod() if type(found) is staticmethod:  # what is derived from it may do anything when it is looked up
                return self.meaning(found.__func__, node, name)
            case classmethod() if type(found) is classmethod:
                if type(found.__func__) is not FunctionType:
                    return self.complain(f"{name} is no plain class method", node)
                return attrs.evolve(self.text(found.__func__, node), bound=(Known(cls),))
            case property() if type(found) is property and bound is not None:
                if type(found.fget) is not FunctionType:
                    return self.complain(f"the property {name} has no plain text", node)
                return self.call(attrs.evolve(self.text(found.fget, node), bound=mine), (), {}, node)
        if isinstance(found, Law):
            return Known(found)
        if isinstance(getattr(found, "law", None), Law):
            return self.complain(
                f"{name} is a condition under @pending, and nothing calls it; put the condition into a helper that both call", node
            )
        if isinstance(found, MemberDescriptorType) and issubclass(cls, Fault):
            return self.complain(f"a Fault has no fields of its own; return a record that has {name}", node)
        return self.meaning(found, node, f"{cls.__name__}.{name}")

    def _subscript(self, of: Type, key: ast.expr, node: ast.AST) -> Type:
        match of:
            case Table(kind):
                self.key(of, key)
                self.effects.reads.add(kind.name)
                return kind.value
            case PageKind(index, cell):
                self.expect(self.expr(key), index, key, "the index of a page")
                return cell
            case TupleOf(parts) | TupleKind(parts):
                which = self.expr(key)
                if not (isinstance(which, Ints) and len(which.values) == 1 and max(which.values) < len(parts)):
                    self.complain("a tuple is indexed by a constant within its length", key)
                    return NEVER
                return parts[max(which.values)]
        if isinstance(of, Known) and (of.value is Annotated or isinstance(of.value, type)):
            return self.complain("a type is made within the text; give it a name at the top of the file, and use that", node)
        if isinstance(of, Never):
            return NEVER
        return self.complain(f"{said(of)} has no entries", node)

    def key(self, table: Table, node: ast.expr) -> None:
        """The key of a table."""
        self._key(table, self.expr(node), node)

    def _key(self, table: Table, what: Type, node: ast.AST) -> None:
        kinds = table.kind.keys
        if len(kinds) == 1 and isinstance(what, TupleOf | TupleKind):
            self.complain(f"the key of {table.kind.name} is no tuple", node)
        parts = what.parts if isinstance(what, TupleOf | TupleKind) else (what,)
        if len(parts) != len(kinds):
            self.complain(f"the table {table.kind.name} has a key of {len(kinds)} parts, not {len(parts)}", node)
        for part, kind in zip(parts, kinds, strict=True):
            self.expect(part, kind, node, f"the key of {table.kind.name}")


_COMPUTED: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "<<": lambda a, b: a << min(b, 64),
    ">>": lambda a, b: a >> b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}
