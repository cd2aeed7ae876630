"""What a call in a text gives: of a helper, of a record's class, of a word of the language."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import attrs

from refmodel.language.asking import Site
from refmodel.language.expressions import Expressions
from refmodel.language.kept import kept
from refmodel.language.kinds import EnumKind, FlagKind, Kind, NameKind, NaturalKind, PageKind, RecordKind, TableKind, WordKind
from refmodel.language.laws import Law
from refmodel.language.meanings import WORDS, Effects
from refmodel.language.remedies import for_call
from refmodel.language.sources import code_of
from refmodel.language.types import (
    FLAG,
    NATURAL,
    NONE,
    Ints,
    Known,
    Never,
    State,
    Table,
    Text,
    TupleOf,
    Type,
    Words,
    joined,
    no_condition,
    said,
)

LONGEST = 64
"""How often a loop may be gone through: it is written out."""


@kept
def _signature(cls: Any, name: str) -> inspect.Signature:
    return inspect.signature(getattr(cls, name))


def named(kind: Kind) -> str:
    """A kind as a text names it."""
    match kind:
        case NameKind(sort):
            return sort
        case EnumKind(cls):
            return cls.__name__
    return "flag" if isinstance(kind, FlagKind) else "Type"


def lambda_over(table: TableKind) -> str:
    """A lambda of an entry of a table and its key, as an example."""
    keys = [named(kind).lower() for kind in table.keys]
    numbered = [key if keys.count(key) == 1 else f"{key}{place}" for place, key in enumerate(keys, 1)]
    return f"lambda {', '.join(['entry', *numbered])}: ..."


def takes(text: Text, given: int) -> bool:
    """Whether a function or lambda can be called with so many arguments."""
    args = text.node.args
    most = len(args.posonlyargs) + len(args.args) - len(text.bound)
    return bool(args.vararg) or most - len(args.defaults) <= given <= most


SUCH_AS = {
    "choose": "it takes a type and a condition, such as choose(Mfn, lambda mfn: not self.used[mfn])",
    "require": "it takes one condition, and no words",
    "count": "it takes a table and a condition, such as count(self.p2m, lambda entry, vm, gfn: entry.mfn == mfn)",
    "implies": "it takes a premise and a conclusion",
    "reset": "it takes a table and a condition, such as reset(self.tlb, lambda entry, vm, gfn: entry.mfn == mfn)",
    "assign": "it takes a table, a condition and a value, such as assign(self.used, lambda used, mfn: used, False)",
    "fails": 'it takes what is asked for, such as fails("frame")',
    "cached": 'it takes what may be cached, such as cached("translation")',
}
"""How words are called."""


class Calls(Expressions):
    """Calls."""

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
        if isinstance(what, Never):  # it has been complained about
            return what
        if not isinstance(what, Known):
            return self.complain(f"{said(what)} cannot be called", node)
        return self._known_call(what.value, given, named, node)

    def _known_call(self, value: Any, given: list[Type], named: dict[str, Type], node: ast.Call) -> Type:
        if isinstance(value, tuple):
            page, name = value
            return self._page_call(page, name, given, named, node)
        if type(value) is FunctionType and value in WORDS:
            words: Callable[..., Type] = getattr(self, f"_word_{value.__name__}")
            mine: Any = type(self)
            try:
                _signature(mine, words.__name__).bind(self, node, *given, **named)
            except TypeError:
                if value is not attrs.evolve:
                    wanted = ", ".join(inspect.signature(value).parameters)
                    such = f"; {SUCH_AS[value.__name__]}" if value.__name__ in SUCH_AS else ""
                    return self.complain(f"{value.__name__}({wanted}): other arguments are given{such}", node)
            return words(node, *given, **named)
        if value is bool:
            if len(given) != 1 or named or given[0] != FLAG:
                self.complain("bool() of a flag is that flag; nothing else has a truth", node)
            return FLAG
        if value is min or value is max:
            if len(given) < 2 or named or not all(isinstance(g, Ints | NaturalKind | WordKind) for g in given):
                self.complain(f"{value.__name__} compares two or more numbers", node)
            return functools.reduce(joined, given)
        if value is range:
            if named or not 1 <= len(given) <= 3 or not all(isinstance(g, Ints) and len(g.values) == 1 for g in given):
                self.complain("a range has constant bounds; count, reset and assign go over a whole table, whatever its size", node)
            numbers = range(*[max(g.values) for g in given if isinstance(g, Ints)])
            if len(numbers) > LONGEST:
                self.complain(f"a loop is gone through at most {LONGEST} times", node)
            return TupleOf(tuple(Ints(frozenset([n])) for n in numbers))
        if isinstance(value, type) and attrs.has(value):
            return self._constructed(value, given, named, node)
        if isinstance(value, Law):
            return self.complain(
                f"{value.name} is a law, and nothing calls a law; put what it states into a function that both call", node
            )
        return self.complain(
            for_call(node.func, value) or f"{getattr(value, '__name__', value)} is no function of the language", node
        )

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
        if len(given) > len(positional):
            by_name = [a.name for a in fields if a.kw_only]
            self.complain(
                f"{cls.__name__} is given {len(given)} fields by place, and takes {len(positional)}"
                + (f"; {', '.join(by_name)} is given by name" if by_name else ""),
                node,
            )
        for name in positional[: len(given)]:
            if name in named:
                self.complain(f"{cls.__name__} is given its field {name} twice, by place and by name", node)
        for name, what in {**dict(zip(positional, given, strict=False)), **named}.items():
            if name not in of:
                self.complain(f"{cls.__name__} has no field {name}; it has {', '.join(of)}", node)
            self.expect(what, of[name], node, f"the field {name} of {cls.__name__}")
        for a in fields:
            if a.default is attrs.NOTHING and a.name not in (*positional[: len(given)], *named):
                self.complain(f"{cls.__name__} is made without its field {a.name}", node)
        return kind

    def _super(self, node: ast.Call) -> Type:
        frame = self._frames[-1]
        home = frame.text.scope.names.get("__class__")
        first = next(iter(frame.names.values()), None)
        mine = frame.names.get(frame.text.node.args.args[0].arg) if frame.text.node.args.args else first
        if node.args or node.keywords or not isinstance(home, Known) or not isinstance(mine, State):
            what = "super() is given arguments" if node.args or node.keywords else "super() stands outside the methods of a design"
            return self.complain(f"{what}; expected super() without arguments, in a method of a design", node)
        return State(mine.cls, after=home.value)

    def _quantified(self, node: ast.Call) -> Type:
        if len(node.args) != 1 or node.keywords:
            self.complain("any and all take a tuple, or a generator over one", node)
        [over] = node.args
        if not isinstance(over, ast.GeneratorExp):
            for part in self.several(over):
                if not isinstance(part, FlagKind | Never):
                    self.complain(no_condition(part, "compare it by =="), over)
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
        self.may(node, "require anything", "return the condition")
        if not isinstance(condition, FlagKind | Never):
            self.complain(no_condition(condition, "compare it"), node)
        return NONE

    def _word_choose(self, node: ast.AST, annotation: Type, where: Type) -> Type:
        self.may(node, "choose", "choose in an operation")
        if not isinstance(annotation, Known):
            return self.complain("choose wants a type of the language, such as Mfn", node)
        kind = self.kind(annotation.value, node)
        self.condition(where, [kind], node, "a condition of choose", f"choose({named(kind)}, lambda one: ...)")
        self.chosen.setdefault(kind)
        return kind

    def _word_fails(self, node: ast.AST, what: Type) -> Type:
        self.may(node, "ask", "ask in an operation")
        if not isinstance(what, Words):
            self.complain('what is asked is said by a string, such as "frame"', node)
        return FLAG

    _word_cached = _word_fails

    def _word_implies(self, node: ast.AST, premise: Type, conclusion: Type) -> Type:
        self.effects.premises.add(self._site_of(node))
        for what in (premise, conclusion):
            if not isinstance(what, FlagKind | Never):
                self.complain(no_condition(what, "compare it"), node)
        return FLAG

    def _site_of(self, node: ast.AST) -> Site:
        """Where a call stands."""
        file = code_of(self._frames[-1].text.scope.function).co_filename
        return file, getattr(node, "lineno", 0), getattr(node, "col_offset", 0)

    def _word_count(self, node: ast.AST, table: Type, where: Type) -> Type:
        within = self._table(table, node, "count")
        looked = self._over(within, where, node, "count")
        self.looked_at_by_counts += [
            (
                self.complaint(
                    "what is counted depends on the entry, its key, names, and tables that no operation writes to: the "
                    f"condition may not look at {name}; keep what it looks for there in the records of {within.name} itself, one "
                    "record for both facts. An entry whose key does not depend on what is counted can be looked up before, into "
                    "a local name",
                    node,
                ),
                name,
            )
            for name in sorted(looked.reads)
        ]
        self.effects.reads.add(within.name)
        return NATURAL

    def _word_reset(self, node: ast.AST, table: Type, where: Type) -> Type:
        within = self._table(table, node, "reset")
        self._over(within, where, node, "reset")
        self._writes(Table(within), node)
        return NONE

    def _word_assign(self, node: ast.AST, table: Type, where: Type, value: Type) -> Type:
        within = self._table(table, node, "assign")
        if within.partial:
            instead = (
                f"expected a Total table, with a flag in its records for which entries there are, or {within.name}[KEY] = VALUE"
            )
            self.complain(f"assign goes over total tables, and {within.name} is partial (dict): {instead}", node)
        if isinstance(within.value, PageKind):
            self.complain(
                f"assign stores records, and {within.name} holds pages: expected {within.name}[KEY] = PAGE, or reset", node
            )
        self._over(within, where, node, "assign", ", VALUE")
        if isinstance(value, Text):
            example = f"assign(TABLE, CONDITION, {lambda_over(within)})"
            looked = self._look(value, [within.value, *within.keys], node, "what is assigned", example)
            self.expect(looked[0], within.value, node, f"an entry of {within.name}")
        else:
            self.expect(value, within.value, node, f"an entry of {within.name}")
        self._writes(Table(within), node)
        return NONE

    def _word_evolve(self, node: ast.AST, *given: Type, **fields: Type) -> Type:
        record = given[0] if len(given) == 1 else NONE
        if isinstance(record, Never):
            return record
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

    def _over(self, within: TableKind, where: Type, node: ast.AST, word: str, behind: str = "") -> Effects:
        """A condition over the entries of a table; what it looks at."""
        example = f"{word}({within.name}, {lambda_over(within)}{behind})"
        return self.condition(where, [within.value, *within.keys], node, f"a condition of {word}", example)

    def condition(self, where: Type, given: Sequence[Type], node: ast.AST, what: str, example: str) -> Effects:
        """A condition; what it looks at."""
        result, looked = self._look(where, given, node, what, example)
        if not isinstance(result, FlagKind | Never):
            self.complain(f"{what} gives {said(result)}, which is no condition; expected {example}", node)
        return looked

    def _look(self, where: Type, given: Sequence[Type], node: ast.AST, what: str, example: str) -> tuple[Type, Effects]:
        if not isinstance(where, Text):
            self.complain(f"{said(where)} stands where {what} is expected: {example}", node)
            raise AssertionError
        if not takes(where, len(given)):
            self.complain(f"{what} takes other parameters; expected {example}", node)
        outer, self.looking = self.looking, what
        effects, self.effects = self.effects, Effects()
        try:
            result = self.call(where, given, {}, node)
        finally:
            self.looking = outer
            mine, self.effects = self.effects, effects
            self.effects.add(mine)
        return result, mine
