"""What every expression of a text is, worked out before anything runs.

A text is followed as the readings will follow it, with types in place of values: from an operation, a law, a property or a
statement of what a table may be, into whatever it calls, by whatever road. So everything that can be reached is read, and has to
be in the grammar; names are compared and nothing else; every field, table and argument exists and is of the kind that its place
wants; laws and conditions only look.
"""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType

from refmodel.language import asking
from refmodel.language.annotations import kind_of, refuse_odd_fault
from refmodel.language.arithmetic import place
from refmodel.language.calls import Calls
from refmodel.language.grammar import instead
from refmodel.language.kept import kept
from refmodel.language.kinds import Kind
from refmodel.language.meanings import Complaint, Effects, Frame, Stop
from refmodel.language.sources import code_of, definition_of
from refmodel.language.types import (
    NEVER,
    NONE,
    Known,
    Never,
    NoneType,
    State,
    Table,
    Text,
    Type,
    Words,
    fits,
    joined,
    said,
)
from refmodel.language.unsound import BadDesign

MOST = 100_000
"""Statements that are followed, every call and every turn of a loop counted."""
MOST_FORKS = 24
"""Conditions in loops behind which the text goes on either way, in every turn: the ways through a loop double with each."""


class Inference(Calls):
    """One design's text."""

    _done = 0
    _loops = _forks = 0
    """How many loops are around what is read, and how many of these conditions were met in the outermost."""

    def call(self, text: Text, given: Sequence[Type], named: Mapping[str, Type], node: ast.AST | None) -> Type:
        """What a text returns for arguments of these types."""
        arguments = self._bound(text, [*text.bound, *given], named, node)
        if self._frames and isinstance(node, ast.expr):
            self.called.setdefault((self._frames[-1].text.scope.function, place(node)), []).append(text)
        key = (text.node, text.scope, tuple(sorted(arguments.items(), key=lambda a: a[0])), bool(self.looking))
        if any(f.text.node is text.node and f.text.scope is text.scope for f in self._frames):
            return self.complain("a function may not call itself, because the depth of the recursion is not known", node)
        if key not in self._calls or isinstance(text.node, ast.Lambda):  # what a lambda sees may have changed
            outer, self.effects = self.effects, Effects()
            line, frame = self._line, Frame(text, arguments)
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

    def _returned(self, text: Text, frame: Frame) -> Type:
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
            self.complain("*args and **kwargs hide what is passed; write the parameters out", text.node, text.scope.function)
        own = text.node is definition_of(text.scope.function)
        if not own and (a.defaults or a.kw_defaults):
            self.complain(
                "a lambda may have no default arguments; leave them out: its names have the values that they have when count, "
                "reset or assign is called",
                text.node,
                text.scope.function,
            )
        if isinstance(text.node, ast.FunctionDef) and self._yields(text):
            self._may_yield(text, node)
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

    def _may_yield(self, text: Text, node: ast.AST | None) -> None:
        """Only an operation itself may, which nothing calls: what yields gives no condition, but something that is always true."""
        if self._frames:
            name = getattr(text.node, "name", "the function")
            self.complain(
                f"{name} yields: only an operation itself may yield, and nothing calls an operation that does, by super() neither; "
                f"expected the code of {name} here, and what several have in common in helpers that do not yield",
                node,
            )
        if self.looking:
            file = code_of(text.scope.function).co_filename
            self.complaints.setdefault(Complaint(file, text.node.lineno, f"{self.looking} only looks: only an operation may yield"))
            raise Stop

    @staticmethod
    def _yields(text: Text) -> bool:
        function = text.scope.function
        return bool(code_of(function).co_flags & inspect.CO_GENERATOR) and text.node is definition_of(function)

    # ------------------------------------------------------------ statements

    def block(self, statements: Sequence[ast.stmt]) -> bool:
        """Whether its end is reached."""
        for number, statement in enumerate(statements, 1):
            self._line = statement.lineno
            self._done += 1
            if self._done > MOST:
                file = code_of(self._frames[-1].text.scope.function).co_filename
                raise BadDesign(f"{file}:{self._line}: more than {MOST:,} statements when all loops are written out")
            try:
                if not self.statement(statement):
                    self._never_runs(statement, statements[number:])
                    return False
            except Stop:
                for name in _assigned(statement):  # whatever it is: it has been complained about
                    self.names[name] = NEVER
                if isinstance(statement, ast.Return | ast.Raise):
                    return False
        return True

    def _never_runs(self, last: ast.stmt, left: Sequence[ast.stmt]) -> None:
        """Complain of what stands behind a statement that always ends the function."""
        if left and isinstance(last, ast.Return | ast.Raise | ast.If):
            self._line = left[0].lineno
            self.complain("this never runs: all that stands before it returns or raises; leave it out, or move it", left[0])

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
                self.complain("the value of this expression is not used", node)
            case ast.If(test, body, orelse):
                self.flag(test)
                return self._branches(body, orelse, node)
            case ast.For() if any(isinstance(each, ast.Yield) for each in ast.walk(node)):
                self.complain("a yield stands in no loop, which would remember how far it is; write the steps out", node)
            case ast.For():
                return self._for(node)
            case ast.Assign(targets, value):
                what = self.expr(value)
                for target in targets:
                    self.assign(target, what, value)
                return True
            case ast.AnnAssign(target, annotation, value) if value is not None:
                given = self.expr(value)
                self._annotated(annotation, given, value)
                self.assign(target, given, value)
                return True
            case ast.AugAssign(target, ast.BitAnd(), ast.UnaryOp(ast.Invert(), mask)):
                self.assign(target, self._masked(self.expr(target), self.expr(mask), node), node)
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

    def _annotated(self, annotation: ast.expr, given: Type, value: ast.expr) -> None:
        """That a value is what the annotation of its name says, where that is the name of a type of the language."""
        space = self._frames[-1].text.scope.function.__globals__
        try:
            kind = kind_of(space[annotation.id] if isinstance(annotation, ast.Name) else None)
        except (BadDesign, KeyError, TypeError):
            return
        self.expect(given, kind, value, f"annotated as {ast.unparse(annotation)}")

    def _branches(self, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], condition: ast.If | None = None) -> bool:
        frame = self._frames[-1]
        before = dict(frame.names)
        one = self.block(body)
        after, frame.names = frame.names, before
        other = self.block(orelse)
        if one and other and condition is not None and self._loops:
            self._forks += 1
            if self._forks == MOST_FORKS + 1:
                self.complain(
                    f"a loop that is written out has more than {MOST_FORKS} conditions behind which it goes on either way: with "
                    "each, the ways through it may double; expected fewer rounds, or assign, reset or count over all entries",
                    condition,
                )
        if one and other:
            frame.names = {n: joined(t, frame.names[n]) for n, t in after.items() if n in frame.names}
        elif one:
            frame.names = after
        return one or other

    def _raise(self, node: ast.Raise) -> bool:
        self.may(node, "raise anything", "return a condition")
        if node.cause is not None or node.exc is None:
            self.complain("raise a Fault, and nothing from another", node)
        what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        for argument in node.exc.args if isinstance(node.exc, ast.Call) else ():
            if not isinstance(self.expr(argument), Words):
                self.complain(
                    "a Fault takes a string and nothing else; return a record with these fields, or store them to a table before",
                    argument,
                )
        space = self._frames[-1].text.scope.function.__globals__
        if isinstance(what, ast.Name) and what.id == "NotImplementedError" and what.id not in space:
            return False
        raised = self.expr(what) if what is not None else NONE
        if not (isinstance(raised, Known) and isinstance(raised.value, type) and issubclass(raised.value, asking.Fault)):
            self.complain("raise a subclass of Fault, where the operation has failed; use require where it does not apply", node)
        else:
            try:
                refuse_odd_fault(raised.value, asking.Fault)
            except BadDesign as why:
                self.complain(str(why), node)
            self.raised.setdefault(raised.value, f"{self.complaint('', node).file}:{node.lineno}")
        return False

    def _for(self, node: ast.For) -> bool:
        if node.orelse:
            self.complain("a for loop may have no else; write what it does behind the loop, since no loop is left by a break", node)
        if not self._loops:
            self._forks = 0
        self._loops += 1
        try:
            for value in self.several(node.iter):
                self.assign(node.target, value, node.iter)
                if not self._branches(node.body, []):
                    break
        finally:
            self._loops -= 1
        return True

    def _delete(self, target: ast.expr) -> None:
        table = self.expr(target.value) if isinstance(target, ast.Subscript) else NONE
        if not isinstance(target, ast.Subscript) or not isinstance(table, Table) or not table.kind.partial:
            self.complain("only an entry of a partial table (dict[...]) can be deleted", target)
            return
        self.key(table, target.slice)
        self._writes(table, target)


def _assigned(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
        elif isinstance(each, ast.FunctionDef | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.alias):
            yield (each.asname or each.name).partition(".")[0]


@kept
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
