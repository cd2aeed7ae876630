"""What every expression of a text is, worked out before anything runs.

A text is followed as the readings will follow it, with types in place of values: from an operation, a law or a property into
whatever it calls, by whatever road. So everything that can be reached is read, and has to be in the grammar; names are compared
and nothing else; every field, table and argument exists and is of the kind that its place wants; laws and conditions only look.
"""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

import attrs

from refmodel.language import asking
from refmodel.language.arithmetic import SIGNS, Place, place
from refmodel.language.grammar import instead
from refmodel.language.kinds import (
    NOTHING,
    EnumKind,
    FlagKind,
    Kind,
    NameKind,
    NaturalKind,
    PageKind,
    RecordKind,
    Scalar,
    TableKind,
    TupleKind,
    WordKind,
    kind_of,
)
from refmodel.language.laws import Law
from refmodel.language.sources import code_of, definition_of
from refmodel.language.types import (
    FLAG,
    NATURAL,
    NEVER,
    NONE,
    Ints,
    Known,
    Never,
    NoneType,
    Nothing,
    OneOf,
    Scope,
    State,
    Table,
    Text,
    TupleOf,
    Type,
    Words,
    fits,
    joined,
    said,
)
from refmodel.language.unsound import BadDesign

LONGEST = 64
"""How often a loop may be gone through: it is written out."""

BUILTINS: tuple[Any, ...] = (any, all, min, max, range, super)
WORDS = (asking.require, asking.choose, asking.fails, asking.cached, asking.count, asking.reset, asking.assign, asking.implies,
         attrs.evolve)


@attrs.frozen
class Complaint:
    """A place in a text that says what it may not."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@attrs.define
class Effects:
    """What a text has done so far: which tables it looked at, and whether it stated a premise."""

    reads: set[str] = attrs.field(factory=set)
    writes: set[str] = attrs.field(factory=set)
    premises: bool = False

    def add(self, other: Effects) -> None:
        self.reads |= other.reads
        self.writes |= other.writes
        self.premises |= other.premises


@attrs.define(eq=False)
class _Frame:
    """One call under way."""

    text: Text
    names: dict[str, Type]
    returned: list[Type] = attrs.field(factory=list)


class _Seen(Mapping[str, Type]):
    """What a lambda sees of the function that it stands in: what its names are when it is called, as Python has it."""

    def __init__(self, frame: _Frame) -> None:
        self.frame = frame

    def __getitem__(self, name: str) -> Type:
        names = self.frame.names
        return names[name] if name in names else self.frame.text.scope.names[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.frame.text.scope.names, **self.frame.names})

    def __len__(self) -> int:
        return len({**self.frame.text.scope.names, **self.frame.names})


class Stop(Exception):
    """The expression was complained about: nothing more can be said of it."""


class Inference:
    """One design's text."""

    def __init__(self, cls: type, tables: Sequence[TableKind]) -> None:
        self.cls = cls
        self.tables = {t.name: Table(t) for t in tables}
        self.complaints: dict[Complaint, None] = {}
        self.functions: dict[FunctionType, None] = {}
        self.effects = Effects()
        self.looking = ""
        """What the text under way is, where it may only look: a law, a condition."""
        self.widths: dict[FunctionType, dict[Place, int]] = {}
        """Where there is arithmetic on words of so many bits, or (0) on naturals."""
        self._texts: dict[FunctionType, Text] = {}
        self._calls: dict[Any, tuple[Type, Effects]] = {}
        self._frames: list[_Frame] = []
        self._line = 0

    # ------------------------------------------------------------ complaints

    def complain(self, what: str, node: ast.AST | None = None) -> Type:
        """Note what is wrong with a place; its value is taken for anything, lest one mistake be reported twice."""
        line = getattr(node, "lineno", 0) or self._line
        file = code_of(self._frames[-1].text.scope.function).co_filename if self._frames else inspect.getfile(self.cls)
        self.complaints.setdefault(Complaint(file, line, what))
        raise Stop

    def expect(self, what: Type, kind: Kind, node: ast.AST, where: str) -> None:
        if not fits(what, kind):
            self.complain(f"{said(what)} stands where {said(kind)} is expected ({where})", node)

    def may(self, node: ast.AST, what: str) -> None:
        """Only an operation may do this."""
        if self.looking:
            self.complain(f"{self.looking} only looks: it may not {what}", node)

    # ------------------------------------------------------------ from Python's objects to types

    def meaning(self, value: Any, node: ast.AST | None = None, name: str = "") -> Type:
        """What an object of Python's is to a text."""
        if value is None:
            return NONE
        match value:
            case bool():
                return FLAG
            case int() if type(value) is int:
                return Nothing() if value == NOTHING else Ints(frozenset([value]))
            case str() if type(value) is str:
                return Words()
            case tuple() if type(value) is tuple:
                return TupleOf(tuple(self.meaning(v, node, name) for v in value))
            case FunctionType():
                return Known(value) if value in WORDS else self.text(value, node)
            case ModuleType() | type() | Law():
                return Known(value)
            case enum.Enum():
                return self.kind(type(value), node)
        if typing.get_origin(value) is not None:
            return Known(value)
        if attrs.has(type(value)):
            kind = self.kind(type(value), node)
            assert isinstance(kind, RecordKind)
            for field, of in kind.fields:
                if not fits(self.meaning(getattr(value, field), node, name), of):
                    self.complain(f"{name}: the field {field} of this record is no {said(of)}", node)
            return kind
        if value in BUILTINS:
            return Known(value)
        return self.complain(f"{name or value!r} is a {type(value).__name__}: a text reaches functions with a text of their own, "
                             "frozen records, enum members, numbers, flags and tuples of these; state is in tables only", node)

    def kind(self, annotation: Any, node: ast.AST | None) -> Kind:
        try:
            return kind_of(annotation)
        except (BadDesign, TypeError) as why:
            self.complain(str(why), node)
            raise AssertionError from None

    def text(self, function: FunctionType, node: ast.AST | None = None) -> Text:
        """A function's text; refused if it has none."""
        if function not in self._texts:
            definition = definition_of(function)
            if definition is None:
                code = code_of(function)
                self.complain(f"{function.__qualname__} has no text that can be read ({code.co_filename}:{code.co_firstlineno}): a "
                              "helper is a plain function or lambda in a file, as it was loaded", node)
            assert definition is not None
            self._texts[function] = Text(definition, Scope({}, function))
            cells = dict(zip(code_of(function).co_freevars, function.__closure__ or (), strict=True))
            names = {name: self._cell(cell, name, node) for name, cell in cells.items()}
            self._texts[function] = Text(definition, Scope(names, function))
            self.functions[function] = None
        return self._texts[function]

    def _cell(self, cell: Any, name: str, node: ast.AST | None) -> Type:
        try:
            value = cell.cell_contents
        except ValueError:
            return self.complain(f"{name} has no value yet", node)
        return self.meaning(value, node, name)

    # ------------------------------------------------------------ calling a text

    def call(self, text: Text, given: Sequence[Type], named: Mapping[str, Type], node: ast.AST | None) -> Type:
        """What a text returns for arguments of these types."""
        arguments = self._bound(text, [*text.bound, *given], named, node)
        key = (text.node, text.scope, tuple(sorted(arguments.items(), key=lambda a: a[0])), bool(self.looking))
        if any(f.text.node is text.node and f.text.scope is text.scope for f in self._frames):
            return self.complain("a text that calls itself has no bound that can be seen", node)
        if key not in self._calls or isinstance(text.node, ast.Lambda):  # what a lambda sees may have changed
            outer, self.effects = self.effects, Effects()
            line, frame = self._line, _Frame(text, arguments)
            self._frames.append(frame)
            result: Type = NEVER
            try:
                result = self._returned(text, frame)
            finally:
                self._frames.pop()
                self._line = line
                mine, self.effects = self.effects, outer
                self.effects.add(mine)
                self._calls[key] = result, mine
            return result
        result, effects = self._calls[key]
        self.effects.add(effects)
        return result

    def _returned(self, text: Text, frame: _Frame) -> Type:
        if isinstance(text.node, ast.Lambda):
            return self.expr(text.node.body)
        ends = self.block(text.node.body)
        if ends:
            frame.returned.append(NONE)
        result: Type = NEVER
        for returned in frame.returned:
            result = joined(result, returned)
        promised = self._promised(text).get("return")
        if promised is not None and not isinstance(result, Never | NoneType):
            if not fits(result, promised):
                self.complain(f"{text.node.name} says that it returns {said(promised)}, and returns {said(result)}", text.node)
            return promised
        return result

    def _promised(self, text: Text) -> dict[str, Kind]:
        """The kinds that a function's annotations state."""
        return _kinds_stated(text.scope.function) if isinstance(text.node, ast.FunctionDef) else {}

    def _bound(self, text: Text, given: Sequence[Type], named: Mapping[str, Type], node: ast.AST | None) -> dict[str, Type]:
        a = text.node.args
        if a.vararg or a.kwarg:
            self.complain("*args and **kwargs hide what is passed; write the parameters out", text.node)
        own = text.node is definition_of(text.scope.function)
        if not own and (a.defaults or a.kw_defaults):
            self.complain("a lambda may have no default arguments; what it speaks of is what it was when it was stated", text.node)
        if isinstance(text.node, ast.FunctionDef) and self._yields(text) and self._frames:
            self.complain("only an operation itself may yield", node)
        positional = [p.arg for p in (*a.posonlyargs, *a.args)]
        bound: dict[str, Type] = dict(zip(positional, given, strict=False))
        if len(given) > len(positional):
            self.complain(f"{len(given)} arguments are given, and {len(positional)} expected", node)
        for name, value in named.items():
            if name in bound or name not in (*positional, *(p.arg for p in a.kwonlyargs)):
                self.complain(f"there is no parameter {name}, or it is given twice", node)
            bound[name] = value
        function = text.scope.function
        if text.node is definition_of(function):
            defaults = dict(zip(positional[::-1], (function.__defaults__ or ())[::-1], strict=False))
            for name, value in {**defaults, **(function.__kwdefaults__ or {})}.items():
                if name not in bound:
                    bound[name] = self.meaning(value, node, name)
        for name in (*positional, *(p.arg for p in a.kwonlyargs)):
            if name not in bound:
                self.complain(f"the argument {name} is missing", node)
        for name, kind in self._promised(text).items():
            if name != "return" and name in bound and not isinstance(bound[name], State | Table | Text):
                if not fits(bound[name], kind):
                    self.complain(f"{said(bound[name])} stands where {said(kind)} is expected (the argument {name})", node)
                bound[name] = kind
        return bound

    @staticmethod
    def _yields(text: Text) -> bool:
        function = text.scope.function
        return bool(code_of(function).co_flags & inspect.CO_GENERATOR) and text.node is definition_of(function)

    # ------------------------------------------------------------ statements

    @property
    def names(self) -> dict[str, Type]:
        return self._frames[-1].names

    def block(self, statements: Sequence[ast.stmt]) -> bool:
        """Whether its end is reached."""
        for statement in statements:
            self._line = statement.lineno
            try:
                if not self.statement(statement):
                    return False
            except Stop:
                for name in _assigned(statement):  # whatever it is: it has been complained about
                    self.names[name] = NEVER
                if isinstance(statement, ast.Return | ast.Raise):
                    return False
        return True

    def statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Pass():
                return True
            case ast.Return(value):
                self._frames[-1].returned.append(NONE if value is None else self.expr(value))
                return False
            case ast.Raise():
                return self._raise(node)
            case ast.Expr(ast.Constant()):
                return True
            case ast.Expr(ast.Yield(None)) if len(self._frames) == 1:
                return True
            case ast.Expr(ast.Call() as value):
                return not isinstance(self.expr(value), Never)
            case ast.Expr(value):
                self.expr(value)
                self.complain("an expression that nothing is done with", node)
            case ast.If(test, body, orelse):
                self.flag(test)
                return self._branches(body, orelse)
            case ast.For():
                return self._for(node)
            case ast.Assign(targets, value):
                what = self.expr(value)
                for target in targets:
                    self.assign(target, what, value)
                return True
            case ast.AnnAssign(target, _, value) if value is not None:
                self.assign(target, self.expr(value), value)
                return True
            case ast.AugAssign(target, op, value):
                self.assign(target, self._arithmetic(op, self.expr(target), self.expr(value), node), node)
                return True
            case ast.Delete(targets):
                for target in targets:
                    self._delete(target)
                return True
        self.complain(instead(node), node)
        return True

    def _branches(self, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt]) -> bool:
        frame = self._frames[-1]
        before = dict(frame.names)
        one = self.block(body)
        after, frame.names = frame.names, before
        other = self.block(orelse)
        if one and other:
            frame.names = {n: joined(t, frame.names[n]) for n, t in after.items() if n in frame.names}
        elif one:
            frame.names = after
        return one or other

    def _raise(self, node: ast.Raise) -> bool:
        if node.cause is not None or node.exc is None:
            self.complain("raise a Fault, and nothing from another", node)
        what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        for argument in node.exc.args if isinstance(node.exc, ast.Call) else ():
            if not isinstance(self.expr(argument), Words):
                self.complain("a Fault takes a string and nothing else", argument)
        if isinstance(what, ast.Name) and what.id == "NotImplementedError":
            return False
        raised = self.expr(what) if what is not None else NONE
        if not (isinstance(raised, Known) and isinstance(raised.value, type) and issubclass(raised.value, asking.Fault)):
            self.complain("raise a subclass of Fault, where the operation has failed; use require where it does not apply", node)
        self.may(node, "raise a Fault")
        return False

    def _for(self, node: ast.For) -> bool:
        if node.orelse:
            self.complain("a for loop may have no else", node)
        for value in self.several(node.iter):
            self.assign(node.target, value, node.iter)
            if not self._branches(node.body, []):
                break
        return True

    def several(self, node: ast.expr) -> tuple[Type, ...]:
        """What a loop goes through."""
        if isinstance(node, ast.Tuple):
            return tuple(map(self.expr, node.elts))
        match self.expr(node):
            case TupleOf(parts) | TupleKind(parts):
                return tuple(parts)
            case what:
                self.complain(f"a loop goes through a tuple or a range of constants, not through {said(what)}; use count, reset or "
                              "assign for a table", node)
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
                self.complain("state is in tables only: a text sets no attributes; declare a table", target)
            case _:
                self.complain(instead(target), target)

    def _delete(self, target: ast.expr) -> None:
        table = self.expr(target.value) if isinstance(target, ast.Subscript) else NONE
        if not isinstance(target, ast.Subscript) or not isinstance(table, Table) or not table.kind.partial:
            self.complain("only an entry of a partial table (dict[...]) can be deleted", target)
            return
        self.key(table, target.slice)
        self._writes(table, target)

    def _writes(self, table: Table, node: ast.AST) -> None:
        self.may(node, "change a table")
        self.effects.writes.add(table.kind.name)

    # ------------------------------------------------------------ expressions

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
                return Text(node, Scope(_Seen(frame), frame.text.scope.function))
            case ast.Compare(left, ops, comparators):
                return self._compare([left, *comparators], ops, node)
            case ast.BoolOp(_, values):
                for value in values:
                    self.flag(value)
                return FLAG
            case ast.UnaryOp(ast.Not(), operand):
                self.flag(operand)
                return FLAG
            case ast.UnaryOp(ast.Invert(), operand):
                return self.complain("~ masks a word, and stands nowhere but in word & ~mask", node)
            case ast.BinOp(ast.UnaryOp(ast.Invert(), mask), ast.BitAnd(), word) | ast.BinOp(
                    word, ast.BitAnd(), ast.UnaryOp(ast.Invert(), mask)):
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
            self.complain(f"{said(what)} is no condition; compare it with 0", node)
        if not isinstance(what, FlagKind | Never):
            self.complain(f"{said(what)} is no condition; compare it by ==", node)

    def _name(self, name: str, node: ast.AST) -> Type:
        frame = self._frames[-1]
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
            return self.complain(f"{name} is not known, or not part of the language (specs/reading.md lists what is)", node)
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

    # ------------------------------------------------------------ comparing and computing

    def _compare(self, nodes: Sequence[ast.expr], ops: Sequence[ast.cmpop], node: ast.AST) -> Type:
        for one, op, other in zip(nodes, ops, nodes[1:], strict=False):
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
                    self.complain(f"{said(what)} has no order; names know == and != only", node)
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
            self.complain(f"{said(left)} is compared with {said(right)}", node)

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
            return self.complain(f"{type(op).__name__} is no operation of the language", node)
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
                self.complain(f"there is no arithmetic on {said(what)}; names know == and != only", node)
        return self.complain(f"{said(left)} {sign} {said(right)} is not defined", node)

    def _held(self, node: ast.AST, width: int, kind: Kind) -> Kind:
        """Note of which kind this arithmetic is, so that on ints it is held to that."""
        if self.widths.setdefault(self._frames[-1].text.scope.function, {}).setdefault(place(node), width) != width:
            self.complain("this is arithmetic on numbers of one kind here and of another there; write it twice", node)
        return kind

    def _folded(self, sign: str, left: Ints, right: Ints, node: ast.AST) -> Type:
        try:
            values = frozenset(_COMPUTED[sign](a, b) for a in left.values for b in right.values)
        except (ArithmeticError, ValueError):
            return self.complain("this number has no value", node)
        if min(values) < 0 or max(values) >> 64:
            return self.complain("a number of the language is not below zero, and has at most 64 bits", node)
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
        return self.complain(f"{said(of)} has no attribute {name}", node)

    def _of_state(self, state: State, name: str, node: ast.AST) -> Type:
        if name in self.tables and state.after is None:
            self.effects.reads.add(name)
            return self.tables[name]
        mro: Sequence[type] = state.cls.__mro__
        if state.after is not None:
            mro = mro[mro.index(state.after) + 1:]
        return self._member(state.cls, mro, State(state.cls), name, node)

    def _member(self, cls: type, mro: Sequence[type], bound: Type | None, name: str, node: ast.AST) -> Type:
        """What a class has under a name, bound to a state or record if there is one."""
        found = next((vars(base)[name] for base in mro if name in vars(base)), None)
        mine = () if bound is None else (bound,)
        match found:
            case None:
                has = [*self.tables] if isinstance(bound, State) else [a.name for a in attrs.fields(cls)] if attrs.has(cls) else []
                return self.complain(f"{cls.__name__} has no {name}" + (f"; it has {', '.join(has)}" if has else ""), node)
            case FunctionType():
                return attrs.evolve(self.text(found, node), bound=mine)
            case staticmethod():
                return self.meaning(found.__func__, node, name)
            case classmethod():
                if not isinstance(found.__func__, FunctionType):
                    return self.complain(f"{name} is no plain class method", node)
                return attrs.evolve(self.text(found.__func__, node), bound=(Known(cls),))
            case property() if bound is not None:
                if not isinstance(found.fget, FunctionType):
                    return self.complain(f"the property {name} has no plain text", node)
                return self.call(attrs.evolve(self.text(found.fget, node), bound=mine), (), {}, node)
        if isinstance(found, Law):
            return Known(found)
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
        return self.complain(f"{said(of)} has no entries", node)

    def key(self, table: Table, node: ast.expr) -> None:
        """The key of a table."""
        self._key(table, self.expr(node), node)

    def _key(self, table: Table, what: Type, node: ast.AST) -> None:
        kinds = table.kind.keys
        parts = what.parts if isinstance(what, TupleOf | TupleKind) else (what,)
        if len(parts) != len(kinds):
            self.complain(f"the table {table.kind.name} has a key of {len(kinds)} parts, not {len(parts)}", node)
        for part, kind in zip(parts, kinds, strict=True):
            self.expect(part, kind, node, f"the key of {table.kind.name}")

    # ------------------------------------------------------------ calls

    def _call(self, node: ast.Call) -> Type:
        what = self.expr(node.func)
        if (isinstance(what, Known) and what.value is any) or (isinstance(what, Known) and what.value is all):
            return self._quantified(node)
        if isinstance(what, Known) and what.value is super:
            return self._super(node)
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            self.complain("write the arguments out", node)
        given = [self.expr(a) for a in node.args]
        named = {k.arg: self.expr(k.value) for k in node.keywords if k.arg is not None}
        if isinstance(what, Text):
            return self.call(what, given, named, node)
        if not isinstance(what, Known):
            return self.complain(f"{said(what)} cannot be called", node)
        return self._known_call(what.value, given, named, node)

    def _known_call(self, value: Any, given: list[Type], named: dict[str, Type], node: ast.Call) -> Type:
        if isinstance(value, tuple):
            page, name = value
            return self._page_call(page, name, given, named, node)
        if isinstance(value, FunctionType) and value in WORDS:
            words: Callable[..., Type] = getattr(self, f"_word_{value.__name__}")
            try:
                inspect.signature(words).bind(node, *given, **named)
            except TypeError:
                if value is not attrs.evolve:
                    return self.complain(f"{value.__name__}{inspect.signature(value)}: other arguments are given", node)
            return words(node, *given, **named)
        if value is bool:
            if len(given) != 1 or named or given[0] != FLAG:
                self.complain("bool() of a flag is that flag; nothing else has a truth", node)
            return FLAG
        if value in (min, max):
            if len(given) < 2 or named or not all(isinstance(g, Ints | NaturalKind | WordKind) for g in given):
                self.complain(f"{value.__name__} compares two or more numbers", node)
            return functools.reduce(joined, given)
        if value is range:
            if named or not 1 <= len(given) <= 3 or not all(isinstance(g, Ints) and len(g.values) == 1 for g in given):
                self.complain("a range has constant bounds", node)
            numbers = range(*[max(g.values) for g in given if isinstance(g, Ints)])
            if len(numbers) > LONGEST:
                self.complain(f"a loop is gone through at most {LONGEST} times", node)
            return TupleOf(tuple(Ints(frozenset([n])) for n in numbers))
        if isinstance(value, type) and attrs.has(value):
            return self._constructed(value, given, named, node)
        return self.complain(f"{getattr(value, '__name__', value)} is no function of the language", node)

    def _page_call(self, page: PageKind, name: str, given: list[Type], named: dict[str, Type], node: ast.AST) -> Type:
        expected = (page.index, page.cell) if name == "put" else ()
        if named or len(given) != len(expected):
            self.complain(f"{name} of a page takes {len(expected)} arguments", node)
        for what, kind in zip(given, expected, strict=True):
            self.expect(what, kind, node, f"{name} of a page")
        return FLAG if name == "is_zero" else page

    def _constructed(self, cls: type, given: list[Type], named: dict[str, Type], node: ast.AST) -> Type:
        kind = self.kind(cls, node)
        assert isinstance(kind, RecordKind)
        fields, of = [a for a in attrs.fields(cls) if a.init], dict(kind.fields)
        positional = [a.name for a in fields if not a.kw_only]
        if len(given) > len(positional) or set(named) & set(positional[:len(given)]):
            self.complain(f"{cls.__name__} has fewer fields, or one is given twice", node)
        for name, what in {**dict(zip(positional, given, strict=False)), **named}.items():
            if name not in of:
                self.complain(f"{cls.__name__} has no field {name}; it has {', '.join(of)}", node)
            self.expect(what, of[name], node, f"the field {name} of {cls.__name__}")
        for a in fields:
            if a.default is attrs.NOTHING and a.name not in (*positional[:len(given)], *named):
                self.complain(f"{cls.__name__} is made without its field {a.name}", node)
        return kind

    def _super(self, node: ast.Call) -> Type:
        frame = self._frames[-1]
        home = frame.text.scope.names.get("__class__")
        first = next(iter(frame.names.values()), None)
        mine = frame.names.get(frame.text.node.args.args[0].arg) if frame.text.node.args.args else first
        if node.args or node.keywords or not isinstance(home, Known) or not isinstance(mine, State):
            return self.complain("super() stands in a method of a design, without arguments", node)
        return State(mine.cls, after=home.value)

    def _quantified(self, node: ast.Call) -> Type:
        if len(node.args) != 1 or node.keywords:
            self.complain("any and all take a tuple, or a generator over one", node)
        [over] = node.args
        if not isinstance(over, ast.GeneratorExp):
            for part in self.several(over):
                if not isinstance(part, FlagKind | Never):
                    self.complain(f"{said(part)} is no condition; compare it by ==", over)
            return FLAG
        if len(over.generators) != 1 or over.generators[0].is_async:
            self.complain("a generator goes over one tuple", over)
        [generator] = over.generators
        frame = self._frames[-1]
        outer = dict(frame.names)
        for value in self.several(generator.iter):
            self.assign(generator.target, value, over)
            for test in (*generator.ifs, over.elt):
                self.flag(test)
        frame.names = outer
        return FLAG

    # ------------------------------------------------------------ the words of the language

    def _word_require(self, node: ast.AST, condition: Type) -> Type:
        self.may(node, "require anything")
        if not isinstance(condition, FlagKind | Never):
            self.complain(f"{said(condition)} is no condition; compare it", node)
        return NONE

    def _word_choose(self, node: ast.AST, annotation: Type, where: Type) -> Type:
        self.may(node, "choose")
        if not isinstance(annotation, Known):
            return self.complain("choose wants a type of the language, such as Mfn", node)
        kind = self.kind(annotation.value, node)
        self.condition(where, [kind], node, "a condition of choose")
        return kind

    def _word_fails(self, node: ast.AST, what: Type) -> Type:
        self.may(node, "ask")
        if not isinstance(what, Words):
            self.complain("what is asked is said by a string", node)
        return FLAG

    _word_cached = _word_fails

    def _word_implies(self, node: ast.AST, premise: Type, conclusion: Type) -> Type:
        self.effects.premises = True
        for what in (premise, conclusion):
            if not isinstance(what, FlagKind | Never):
                self.complain(f"{said(what)} is no condition; compare it", node)
        return FLAG

    def _word_count(self, node: ast.AST, table: Type, where: Type) -> Type:
        within = self._table(table, node, "count")
        looked = self.condition(where, [within.value, *within.keys], node, "a condition of count")
        if looked.reads:
            self.complain("what is counted depends on the entry, its key and names: the condition may not look at "
                          f"{', '.join(sorted(looked.reads))}", node)
        self.effects.reads.add(within.name)
        return NATURAL

    def _word_reset(self, node: ast.AST, table: Type, where: Type) -> Type:
        within = self._table(table, node, "reset")
        self.condition(where, [within.value, *within.keys], node, "a condition of reset")
        self._writes(Table(within), node)
        return NONE

    def _word_assign(self, node: ast.AST, table: Type, where: Type, value: Type) -> Type:
        within = self._table(table, node, "assign")
        if within.partial or isinstance(within.value, PageKind):
            self.complain(f"assign goes over total tables of records; {within.name} is partial, or holds pages", node)
        self.condition(where, [within.value, *within.keys], node, "a condition of assign")
        if isinstance(value, Text):
            looked = self._look(value, [within.value, *within.keys], node, "what is assigned")
            self.expect(looked[0], within.value, node, f"an entry of {within.name}")
        else:
            self.expect(value, within.value, node, f"an entry of {within.name}")
        self._writes(Table(within), node)
        return NONE

    def _word_evolve(self, node: ast.AST, *given: Type, **fields: Type) -> Type:
        record = given[0] if len(given) == 1 else NONE
        if not isinstance(record, RecordKind):
            return self.complain("attrs.evolve takes a record and named fields", node)
        of = dict(record.fields)
        for name, what in fields.items():
            if name not in of:
                self.complain(f"{record.cls.__name__} has no field {name}; it has {', '.join(of)}", node)
            self.expect(what, of[name], node, f"the field {name} of {record.cls.__name__}")
        return record

    def _table(self, table: Type, node: ast.AST, word: str) -> TableKind:
        if not isinstance(table, Table):
            self.complain(f"{word} goes over a table, not over {said(table)}", node)
            raise AssertionError
        return table.kind

    def condition(self, where: Type, given: Sequence[Type], node: ast.AST, what: str) -> Effects:
        """A condition over entries; what it looks at."""
        result, looked = self._look(where, given, node, what)
        if not isinstance(result, FlagKind | Never):
            self.complain(f"{what} gives {said(result)}, which is no condition", node)
        return looked

    def _look(self, where: Type, given: Sequence[Type], node: ast.AST, what: str) -> tuple[Type, Effects]:
        if not isinstance(where, Text):
            self.complain(f"{what} is a lambda or a function", node)
            raise AssertionError
        outer, self.looking = self.looking, what
        effects, self.effects = self.effects, Effects()
        try:
            result = self.call(where, given, {}, node)
        finally:
            self.looking = outer
            mine, self.effects = self.effects, effects
            self.effects.add(mine)
        return result, mine


_COMPUTED: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "//": lambda a, b: a // b, "%": lambda a, b: a % b,
    "<<": lambda a, b: a << min(b, 64), ">>": lambda a, b: a >> b, "&": lambda a, b: a & b, "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


def _assigned(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id


@functools.cache
def _kinds_stated(function: FunctionType) -> dict[str, Kind]:
    """The kinds that a function's annotations state, where they state one."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}
    stated = {}
    for name, hint in hints.items():
        try:
            stated[name] = kind_of(hint)
        except (BadDesign, TypeError):
            continue
    return stated


__all__ = ["Complaint", "Effects", "EnumKind", "Inference", "OneOf", "Scalar", "State"]
