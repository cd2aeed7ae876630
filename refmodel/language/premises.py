"""Where a law asks for something under a condition only, however that is written.

``implies(premise, conclusion)`` says so. So do ``not a or b``, ``a != c or b``, ``not (a and b)``, ``b if a else True``, and an
``if`` before ``return True``. If what stands before is never the case, the law has asked for nothing, and is *vacuous*. So these
conditions are told as the premise of ``implies`` is: functions run from code in which ``premise`` is called on them. It gives back
what it is given. Where an implication stands in the conclusion of another, its premise counts only where both hold.

That no entry counts, as ``count(...) == 0`` says, is asked of each entry, as by ``all``. That at most so many do, or as many as of
others, has for its premise that one does.

A condition is looked for where the law's verdict comes from: in what it returns, and in the helpers whose answer it returns.
What a helper states by which a premise is worked out does not count. Of several alternatives that are plain claims the first is
told apart: it is no premise, but that it always holds is noted.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any, TypeAlias

import attrs

from refmodel.language import asking
from refmodel.language.arithmetic import Place, place
from refmodel.language.asking import Span
from refmodel.language.law_texts import (
    asks_for_something,
    assignments,
    at_most,
    denial,
    ends,
    in_words,
    is_constant,
    one_of_several,
    returns_at_once,
)
from refmodel.language.sources import Definition, code_of, definition_of
from refmodel.language.types import Text

PREMISE, WITHIN, ALTERNATIVE = "__refmodel_premise__", "__refmodel_within__", "__refmodel_alternative__"
NAMES: dict[str, Any] = {PREMISE: asking.premise, WITHIN: asking.implies_within, ALTERNATIVE: asking.alternative}

Called = Mapping[tuple[FunctionType, Place], Iterable[Text]]
"""What is called where: by a call, or by the mention of a property."""


@attrs.frozen
class Stated:
    """What the text of a function is changed into."""

    premises: dict[Place, bool] = attrs.field(factory=dict)
    """Of each condition: what it is when the law asks for something."""
    within: frozenset[Place] = frozenset()
    """The calls of ``implies`` whose conclusion may state further premises."""
    alternatives: frozenset[Place] = frozenset()
    """What stands first of several alternatives. It is no premise; that it always holds is worth a note."""


@attrs.frozen
class Asked:
    """What a law asks for, and where."""

    stated: dict[FunctionType, Stated]
    """What it, and the helpers whose answer it returns, state a premise by."""
    plainly: bool
    """Whether it asks for something under no condition, too."""
    only_looked_at: frozenset[Span]
    """The texts of helpers that it calls in order to work out a premise: what they state is not what the law asks for."""


def asked_by(law: FunctionType, called: Called) -> Asked:
    """What a law asks for."""
    searches = _Searches(called)
    plainly = searches.asks(law, denied=False)
    stated = {function: each for function, each in searches.stated().items() if each.premises or each.within or each.alternatives}
    return Asked(stated, plainly, frozenset(map(_span, searches.only_looked_at())))


def sites(function: FunctionType, places: Iterable[Place]) -> list[asking.Site]:
    """Where these parts of a function's text are."""
    file = code_of(function).co_filename
    return [(file, line, column) for line, column, _, _ in places]


def _span(function: FunctionType) -> Span:
    line, column, last, end = place(definition_of(function))  # type: ignore[arg-type]
    return code_of(function).co_filename, (line, column), (last, end)


def _named(node: ast.expr, function: FunctionType) -> Any:
    """What a name of the file's stands for; None if it is none."""
    match node:
        case ast.Name(name):
            return function.__globals__.get(name)
        case ast.Attribute(ast.Name(name), of):
            return getattr(function.__globals__.get(name), of, None)
    return None


class _Searches:
    """Looks through a law, and through what it calls."""

    def __init__(self, called: Called) -> None:
        self.called = called
        self._done: dict[tuple[FunctionType, bool], bool] = {}
        self._searches: list[_Search] = []
        self._looked_at: set[FunctionType] = set()

    def asks(self, function: FunctionType, *, denied: bool) -> bool:
        """Whether a function asks for something plainly. ``denied``: what it returns is not to hold."""
        definition = definition_of(function)
        if definition is None:
            return False
        if (function, denied) not in self._done:
            search = _Search(self, function, definition, denied=denied)
            self._done[function, denied] = False
            self._searches.append(search)
            self._done[function, denied] = search.asks()
        return self._done[function, denied]

    def within(self, function: FunctionType) -> _Search | None:
        """A further look through a function, of which what it states counts."""
        definition = definition_of(function)
        if definition is None:
            return None
        self._searches.append(_Search(self, function, definition, denied=False))
        return self._searches[-1]

    def looked_at(self, node: ast.AST, function: FunctionType) -> None:
        """An expression by which a premise is worked out."""
        for each in ast.walk(node):
            for text in self.called.get((function, place(each)), ()) if isinstance(each, ast.expr) else ():
                other = text.scope.function
                definition = definition_of(other)
                if text.node is definition and other not in self._looked_at:
                    self._looked_at.add(other)
                    self.looked_at(definition, other)

    def stated(self) -> dict[FunctionType, Stated]:
        """What each function states. What it states both ways, of its answer and of the opposite, is left out."""
        found: dict[FunctionType, Stated] = {}
        for each in self._searches:
            known = found.get(each.of, Stated())
            both = {at for at, wanted in each.premises.items() if known.premises.get(at, wanted) != wanted}
            premises = {at: wanted for at, wanted in {**known.premises, **each.premises}.items() if at not in both}
            found[each.of] = Stated(premises, known.within | each.within, known.alternatives | each.alternatives)
        return found

    def only_looked_at(self) -> Iterator[FunctionType]:
        asking_ = {each.of for each in self._searches}
        return (function for function in self._looked_at if function not in asking_)


Count: TypeAlias = "tuple[_Search, ast.Call]"
"""A count, and the search through the function in which it stands."""


class _Search:
    """Looks through one function. What asks for something says whether it does so plainly, under no condition."""

    def __init__(self, searches: _Searches, of: FunctionType, definition: Definition, *, denied: bool) -> None:
        self._searches, self.of, self._definition, self._denied = searches, of, definition, denied
        self._assigned = dict[str, list[tuple[ast.expr, tuple[ast.If, ...]]]]()
        if not isinstance(definition, ast.Lambda):
            for name, value, under in assignments(definition.body, ()):
                self._assigned.setdefault(name, []).append((value, under))
        self._conditions = 0
        """How many conditions what is looked at stands under."""
        self._helpers = frozenset([of])
        """Functions whose answer is being looked at: one that calls itself is refused elsewhere."""
        self.premises: dict[Place, bool] = {}
        self.within: set[Place] = set()
        self.alternatives: set[Place] = set()

    def asks(self) -> bool:
        if isinstance(self._definition, ast.Lambda):
            return self.ask(self._definition.body, denied=self._denied)
        return self.block(self._definition.body)

    def premise_of_its_answer(self) -> None:
        """That the function says yes is a premise."""
        for value in self._answers():
            self.premise(value, True)

    def _answers(self) -> list[ast.expr]:
        """What the function may return."""
        if isinstance(self._definition, ast.Lambda):
            return [self._definition.body]
        return [each.value for each in ast.walk(self._definition) if isinstance(each, ast.Return) and each.value is not None]

    def counts_that_it_gives(self, asked_by: frozenset[FunctionType]) -> list[Count]:
        """The counts that the number is made of which the function returns, to a helper of these."""
        self._helpers |= asked_by
        return [count for value in self._answers() for count in self._counts(value)]

    # ------------------------------------------------------------ statements

    def block(self, statements: Sequence[ast.stmt], after: Sequence[ast.stmt] = ()) -> bool:
        """What statements return, and under which conditions. ``after``: what comes after them."""
        plainly = False
        for at, statement in enumerate(statements):
            match statement:
                case ast.Return(value) if value is not None:
                    return self.ask(value, denied=self._denied) or plainly
                case ast.If():
                    return self._branch(statement, [*statements[at + 1 :], *after], statements[at + 1 :]) or plainly
                case ast.For(_, _, body):
                    plainly |= self.block(body, statements[at + 1 :])
        return plainly

    def _branch(self, node: ast.If, rest: Sequence[ast.stmt], own_rest: Sequence[ast.stmt]) -> bool:
        """An ``if``: what it decides is a premise where one side asks for nothing."""
        if not any(isinstance(each, ast.Return) for each in ast.walk(node)):
            return self.block(own_rest)  # it gives names their values
        body, otherwise = node.body, [*node.orelse, *rest]
        wrong = self._denied
        asks, asks_otherwise = asks_for_something(body, not wrong), asks_for_something(otherwise, not wrong)
        plainly = False
        if returns_at_once(body, wrong):
            plainly = self.ask(node.test, denied=True)
        elif returns_at_once(otherwise, wrong):
            plainly = self.ask(node.test, denied=False)
        elif asks != asks_otherwise and (asks or ends(body)) and not one_of_several(otherwise, wrong):
            self.premise(node.test, asks)
        decides = not (returns_at_once(body, wrong) or returns_at_once(otherwise, wrong))
        with self._under(decides):
            in_body, in_else = self.block(body, rest), self.block(node.orelse, rest)
            afterwards = self.block(own_rest)
        in_other = in_else or afterwards
        if decides and asks and asks_otherwise and in_body != in_other:
            self.premise(node.test, in_body)  # one side asks for something plainly, and the other under a condition
        return plainly or (in_body and in_other) or (afterwards and not ends(body))

    # ------------------------------------------------------------ expressions

    def ask(self, node: ast.expr, *, denied: bool) -> bool:
        """An expression that is to hold; or, if it is ``denied``, is not to."""
        match node:
            case ast.Constant(value):
                return value is denied
            case ast.UnaryOp(ast.Not(), operand):
                return self.ask(operand, denied=not denied)
            case ast.BoolOp(op, values) if isinstance(op, ast.Or) is denied:
                return True in {self.ask(value, denied=denied) for value in values}
            case ast.BoolOp(_, values) if denied:
                return self._not_at_once(values)
            case ast.BoolOp(_, values):
                return self._alternatives(values)
            case ast.BinOp(_, ast.BitAnd() | ast.BitOr()):  # of flags, since it is to hold
                return self.ask(in_words(node), denied=denied)
            case ast.BinOp(left, ast.BitXor(), ast.Constant(bool() as value)):
                return self.ask(left, denied=denied is not value)
            case ast.IfExp():
                return self._either(node, denied=denied)
            case ast.Compare(left, [ast.Eq() | ast.NotEq() as op], [ast.Constant(bool() as value)]):
                return self.ask(left, denied=denied is ((value is True) is isinstance(op, ast.Eq)))
            case ast.Compare(left, [ast.In()], [ast.Tuple(parts) | ast.List(parts) | ast.Set(parts)]) if not denied:
                most = [each.value for each in parts if isinstance(each, ast.Constant) and isinstance(each.value, int)]
                return 0 not in most or self._numbers(left, ast.LtE, ast.Constant(max(most)))
            case ast.Compare(left, [op], [right]):
                return self._numbers(*at_most(left, op, right, denied=denied))
            case ast.Name(name) if name in self._assigned:
                given, self._assigned[name] = self._assigned[name], []  # ``ok = ok and ...`` asks for nothing besides
                if self._conditions:  # what it was given was worked out before, whether the condition holds or not
                    return self._worked_out(given)
                return self._name(given, denied=denied)
            case ast.Call(called, arguments):
                return self._call(node, called, arguments, denied=denied)
            case ast.Attribute():
                return False not in {self._text(text, denied=denied) for text in self._called(node)}
        return True

    def _worked_out(self, given: Sequence[tuple[ast.expr, tuple[ast.If, ...]]]) -> bool:
        for value, _ in given:
            self._searches.looked_at(value, self.of)
        return True

    @contextmanager
    def _under(self, condition: bool = True) -> Iterator[None]:
        """What is looked at here is asked for under a condition."""
        self._conditions += condition
        yield
        self._conditions -= condition

    def _call(self, node: ast.Call, called: ast.expr, arguments: Sequence[ast.expr], *, denied: bool) -> bool:
        match called, arguments:
            case ast.Name("all" | "any" as word), [over] if (word == "any") is denied:
                return self._each(over, denied=denied)
            case ast.Name("all" | "any"), [ast.Tuple(parts) | ast.List(parts)] if parts:
                return self._not_at_once(parts) if denied else self._alternatives(parts)
        if _named(called, self.of) is asking.implies:
            return self._implies(node, denied=denied)
        texts = self._called(node)
        return bool(texts) and False not in {self._text(text, denied=denied) for text in texts}

    def _each(self, over: ast.expr, *, denied: bool) -> bool:
        """What is asked of each of several."""
        match over:
            case ast.GeneratorExp(element, generators):
                tests = [test for each in generators for test in each.ifs]
                for test in tests:
                    self.premise(test, True)
                with self._under(bool(tests)):
                    return self.ask(element, denied=denied) and not tests
            case ast.Tuple(parts) | ast.List(parts):
                return True in {self.ask(part, denied=denied) for part in parts}
        return True

    def _numbers(self, less: ast.expr, op: type[ast.cmpop], more: ast.expr) -> bool:
        """How many of something there are, or are at most. ``op`` is ``Eq``, ``LtE`` or ``NotEq``."""
        of_less, of_more = self._counts(less), self._counts(more)
        if op is ast.NotEq or not of_less or (op is ast.Eq and not of_more and not isinstance(more, ast.Constant)):
            return True  # what is asked of is there, whether anything counts or not
        none = isinstance(more, ast.Constant) and more.value == 0
        if none:
            return True in {search.where(each, none=True) for search, each in of_less}
        if isinstance(more, ast.Constant) and op is ast.Eq:
            return True
        for search, each in [*of_less, *(of_more if op is ast.Eq else ())]:
            search.where(each, none=False)
        return False

    def _counts(self, node: ast.expr) -> list[Count]:
        """The counts that a number is made of, if it is made of counts; also by a helper, or a property."""
        given = self._assigned.get(node.id, []) if isinstance(node, ast.Name) else []
        if len(given) == 1:
            return self._counts(given[0][0])
        found: list[Count] = []
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and _named(each.func, self.of) is asking.count:
                found += [(self, each)] if len(each.args) == 2 else []
            elif isinstance(each, ast.Call | ast.Attribute):
                found += [count for text in self._called(each) for count in self._counts_of(text)]
        return found

    def _counts_of(self, text: Text) -> list[Count]:
        """The counts that what a helper gives is made of."""
        function = text.scope.function
        if function in self._helpers or text.node is not definition_of(function):
            return []
        search = self._searches.within(function)
        return [] if search is None else search.counts_that_it_gives(self._helpers)

    def where(self, count: ast.Call, *, none: bool) -> bool:
        """What makes an entry count. ``none``: no entry is to; otherwise that one does is a premise."""
        where = count.args[1]
        if isinstance(where, ast.Lambda):
            if none:
                return self.ask(where.body, denied=True)
            self.premise(where.body, True)
            return False
        plainly = True
        for text in self._called(count):
            function = text.scope.function
            if text.node is definition_of(function):
                plainly &= self._asks_each(function) if none else self._asks_for_one(function)
        return plainly

    def _asks_each(self, function: FunctionType) -> bool:
        """A helper says which entries count, and none is to."""
        return self._searches.asks(function, denied=True)

    def _asks_for_one(self, function: FunctionType) -> bool:
        """A helper says which entries count: that one does is a premise, and nothing is asked for plainly."""
        search = self._searches.within(function)
        if search is not None:
            search.premise_of_its_answer()
        return False

    def _implies(self, node: ast.Call, *, denied: bool) -> bool:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        self._searches.looked_at(given[0], self.of)
        if len(node.args) == 2 and not denied:
            if any(isinstance(each, ast.Call | ast.BoolOp | ast.IfExp | ast.Attribute) for each in ast.walk(node.args[1])):
                self.within.add(place(node))
            with self._under():
                self.ask(node.args[1], denied=False)
        return False

    def _called(self, node: ast.expr) -> Sequence[Text]:
        return tuple(self._searches.called.get((self.of, place(node)), ()))

    def _text(self, text: Text, *, denied: bool) -> bool:
        """What a helper, or a lambda of this function's, is to say."""
        function = text.scope.function
        if text.node is definition_of(function):
            return self._searches.asks(function, denied=denied)
        return isinstance(text.node, ast.Lambda) and function is self.of and self.ask(text.node.body, denied=denied)

    def _either(self, node: ast.IfExp, *, denied: bool) -> bool:
        test, body, orelse = node.test, node.body, node.orelse
        plainly = False
        if is_constant(body, denied):
            plainly = self.ask(test, denied=True)
        elif is_constant(orelse, denied):
            plainly = self.ask(test, denied=False)
        elif is_constant(body, not denied) or is_constant(orelse, not denied):
            self.premise(test, is_constant(orelse, not denied))
        with self._under():
            in_body, in_else = self.ask(body, denied=denied), self.ask(orelse, denied=denied)
        if in_body != in_else and not any(is_constant(each, value) for each in (body, orelse) for value in (True, False)):
            self.premise(test, in_body)
        return plainly or (in_body and in_else)

    def _alternatives(self, values: Sequence[ast.expr]) -> bool:
        """Of several expressions one is to hold. Those that are negated and stand first are a premise of the others. Where all are
        negated, several things are not to be so at once: that one of them rules out another is what the law is for."""
        denied = list(itertools.takewhile(bool, map(denial, values[:-1])))
        told = denied[0 if denial(values[-1]) else -1] if denied else None
        if told is None:
            self._first_of(values)
            return True
        self.premise(*told)
        if len(denied) == len(values) - 1:
            with self._under():
                self.ask(values[-1], denied=False)
        return False

    def _first_of(self, values: Sequence[ast.expr]) -> None:
        """That what stands first of several alternatives always holds is noted, unless it is an implication of its own."""
        first = values[0]
        implies = isinstance(first, ast.Call) and _named(first.func, self.of) is asking.implies
        if not implies and not isinstance(first, ast.Constant):
            self.alternatives.add(place(first))

    def _not_at_once(self, values: Sequence[ast.expr]) -> bool:
        """Several expressions are not to hold at once."""
        self.premise(values[0], True)
        return False

    def _name(self, given: Sequence[tuple[ast.expr, tuple[ast.If, ...]]], *, denied: bool) -> bool:
        """A local name. Where it is given what asks for nothing, and something else by an ``if``, that has a premise."""
        holds = not denied
        if not given:
            return False
        if len(given) == 1:
            return self.ask(given[0][0], denied=denied)
        begins_as = given[0][0]
        plainly = not is_constant(begins_as, holds) and not given[0][1] and self.ask(begins_as, denied=denied)
        for value, under in given[1:]:
            if is_constant(value, holds):
                continue
            if under and is_constant(value, denied) and not under[-1].orelse:
                plainly |= self.ask(under[-1].test, denied=True)
            elif under:
                self._premise_of(under[-1], value)
                with self._under():
                    self.ask(value, denied=denied)
            else:
                plainly |= self.ask(value, denied=denied)
        return plainly

    def _premise_of(self, node: ast.If, value: ast.expr) -> None:
        """That a name is given a value in one branch of an ``if``."""
        in_body = any(each is value for statement in node.body for each in ast.walk(statement))
        if not (node.body and node.orelse):
            self.premise(node.test, in_body)

    def premise(self, node: ast.expr, wanted: bool) -> None:
        """A condition under which the law asks for something, if it is the case, or if it is not."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.premise(node.operand, not wanted)
        elif not isinstance(node, ast.Constant):
            self.premises[place(node)] = wanted
            self._searches.looked_at(node, self.of)


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
        if at in self.stated.alternatives:
            new = ast.copy_location(ast.Call(ast.Name(ALTERNATIVE, ast.Load()), [new], []), new)  # type: ignore[list-item]
        return new
