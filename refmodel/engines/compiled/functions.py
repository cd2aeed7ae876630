"""Operations and laws as functions in LLVM's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import attrs

from refmodel.engines.compiled.code import Function, Value
from refmodel.engines.compiled.context import GOES_WRONG, TOO_LARGE, Places
from refmodel.engines.compiled.nodes import Node
from refmodel.engines.compiled.placing import placed
from refmodel.engines.compiled.reading import Choice
from refmodel.engines.compiled.tables import Store
from refmodel.engines.compiled.trees import End, Judged, Traced, Tree

DECLARED = (
    "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
    "declare void @trouble(ptr, i64, i64, i64)",
    "declare void @finish(ptr, ptr, i64, i64, i32, i64)",
)
"""What operations call."""

_INSTRUCTIONS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "&": "and",
    "|": "or",
    "^": "xor",
    "<<": "shl",
    ">>": "lshr",
    "//": "udiv",
    "%": "urem",
}


def bytes_of(name: str, codes: Sequence[int]) -> str:
    """A constant table of bytes."""
    shown = ", ".join(f"i8 {code}" for code in codes or [0])
    return f"@{name} = constant [{max(len(codes), 1)} x i8] [{shown}]"


@attrs.frozen
class Chosen:
    """The option that a loop has come to, and the table of what the options are; None if they are the numbers from 0 on."""

    at: Value
    table: str | None
    width: int

    def leaf(self, position: int) -> Value:
        if self.table is None:
            return self.at.to("i32", "trunc")
        table = self.at.function.constant("ptr", f"@{self.table}")
        return table.at(self.at * self.width + position).load("i8").to("i32", "sext")


@attrs.define
class Scope:
    """What has been computed so far, and is at hand here: a flag as i1, every other number as i32."""

    function: Function
    numbers: dict[int, Value] = attrs.field(factory=dict)
    flags: dict[int, Value] = attrs.field(factory=dict)
    choices: dict[int, Chosen] = attrs.field(factory=dict)

    def inner(self) -> Scope:
        return Scope(self.function, dict(self.numbers), dict(self.flags), dict(self.choices))

    def number(self, node: Node) -> Value:
        if node.is_constant:
            return self.function.constant("i32", node.value)
        if node.number not in self.numbers:
            self.compute(node)
            if node.number not in self.numbers:
                self.numbers[node.number] = self.flags[node.number].to("i32")
        return self.numbers[node.number]

    def flag(self, node: Node) -> Value:
        if node.is_constant:
            return self.function.constant("i1", "true" if node.value else "false")
        if node.number not in self.flags:
            self.compute(node)
            if node.number not in self.flags:
                self.flags[node.number] = self.numbers[node.number].to("i1", "trunc")
        return self.flags[node.number]

    def has(self, node: Node) -> bool:
        return node.is_constant or node.number in self.numbers or node.number in self.flags

    def compute(self, node: Node) -> None:
        """Have this at hand, and all that it is made of."""
        todo = [(node, False)]
        while todo:
            each, ready = todo.pop()
            if self.has(each):
                continue
            if ready:
                self._one(each)
            else:
                todo.append((each, True))
                todo += [(part, False) for part in each.parts()]

    def _one(self, node: Node) -> None:
        if node.op in ("equal", "less"):
            a, b = node.args
            self.flags[node.number] = self.number(a).compare("eq" if node.op == "equal" else "slt", self.number(b))
        elif node.op == "not":
            self.flags[node.number] = self.function.make("i1", f"xor i1 {self.flag(node.args[0]).text}, true")
        elif node.op in ("and", "or"):
            a, b = (self.flag(part) for part in node.args)
            self.flags[node.number] = a & b if node.op == "and" else a | b
        elif node.op == "select":
            condition, a, b = node.args
            if node.is_flag:
                self.flags[node.number] = self.function.select(self.flag(condition), self.flag(a), self.flag(b))
            else:
                self.numbers[node.number] = self.function.select(self.flag(condition), self.number(a), self.number(b))
        elif node.op == "arithmetic":
            self.numbers[node.number] = self._arithmetic(*node.args)
        else:
            self.numbers[node.number] = self._from_memory(node)

    def _arithmetic(self, operator: str, a: Node, b: Node) -> Value:
        function, left, right = self.function, self.number(a), self.number(b)
        if operator == "&~":
            return left & (right ^ -1)
        if operator in ("//", "%"):
            right = function.select(right.compare("eq", 0), function.constant("i32", 1), right)
        elif operator in ("<<", ">>"):
            right = function.select(right.compare("ugt", 31), function.constant("i32", 31), right)
        return function.make("i32", f"{_INSTRUCTIONS[operator]} i32 {left.text}, {right.text}")

    def _from_memory(self, node: Node) -> Value:
        function = self.function
        if node.op == "entry":
            which, at, strides, guard, default = node.args
            value = self.address(function.given("ptr", "s" if which == "now" else "b"), at, strides).load("i8").to("i32", "sext")
            if guard.is_constant:
                return value
            return function.select(self.flag(guard), value, function.constant("i32", default))
        if node.op == "chosen":
            return self.choices[node.args[0]].leaf(node.args[1])
        pointer = function.given("ptr", "a" if node.op == "argument" else "o")
        return pointer.at(node.args[0]).load("i8").to("i32", "sext")

    def address(self, base: Value, at: int, strides: Sequence[tuple[Node, int]]) -> Value:
        """The address of an entry. Before each state lies another's length of memory, for keys that are NOTHING."""
        total: Value | int = at
        for part, stride in strides:
            total = self.number(part) * stride + total
        return base.at(total)


class OperationWriter:
    """Writes one operation: all its paths, each ending in a call of ``finish``."""

    def __init__(self, traced: Traced, number: int, places: Places, types: Sequence[type | None], ends: Mapping[int, int]) -> None:
        self.traced, self.number, self.places, self.types = traced, number, places, types
        self._ends = ends
        self.function = Function(f"void @operation{number}(ptr %c, ptr noalias %s, ptr noalias %a)")
        self.globals: list[str] = []
        self._placed = placed(traced)

    def text(self) -> str:
        self._write(self.traced.tree, Scope(self.function), self.function.constant("i64", 0))
        self.function.line("ret void")
        codes = [code for row in self.traced.arguments for code in row]
        self.globals.append(bytes_of(f"arguments{self.number}", codes))
        return "\n".join([*DECLARED, *self.globals, self.function.text()])

    def _write(self, tree: Tree, scope: Scope, way: Value) -> None:
        if tree.event is not None and tree.event.choice is not None:
            self._choose(tree, tree.event.choice, scope, way)
            return
        for node in self._placed.get(tree, ()):
            scope.compute(node)
        if tree.end is not None:
            self._end(tree.end, scope, way)
        elif tree.event is not None:
            getattr(self, f"_{tree.event.kind}")(tree, scope, way)

    def _decide(self, tree: Tree, scope: Scope, way: Value) -> None:
        assert tree.event is not None
        function, condition = self.function, scope.flag(tree.event.node)
        yes, no, after = function.label(), function.label(), function.label()
        function.branch(condition, yes, no)
        for label, branch in ((yes, tree.branches[1]), (no, tree.branches[0])):
            function.start(label)
            self._write(branch, scope.inner(), way)
            function.jump(after)
        function.start(after)

    def _require(self, tree: Tree, scope: Scope, way: Value) -> None:
        assert tree.event is not None
        with self.function.where(scope.flag(tree.event.node)):
            self._write(tree.branches[0], scope.inner(), way)

    def _must(self, tree: Tree, scope: Scope, way: Value) -> None:
        self._unless(tree, scope, way, GOES_WRONG)

    def _keep(self, tree: Tree, scope: Scope, way: Value) -> None:
        self._unless(tree, scope, way, TOO_LARGE)

    def _unless(self, tree: Tree, scope: Scope, way: Value, trouble: int) -> None:
        assert tree.event is not None
        function = self.function
        good, bad, after = function.label(), function.label(), function.label()
        function.branch(scope.flag(tree.event.node), good, bad)
        function.start(bad)
        self._trouble(trouble, way)
        function.jump(after)
        function.start(good)
        self._write(tree.branches[0], scope.inner(), way)
        function.jump(after)
        function.start(after)

    def _trouble(self, trouble: int, way: Value) -> None:
        function = self.function
        what, law = function.constant("i64", trouble), function.constant("i64", -1)
        function.call("void", "trouble", function.given("ptr", "c"), what, law, way)

    def _answer(self, tree: Tree, scope: Scope, way: Value) -> None:
        self._write(tree.branches[0], scope.inner(), way)
        self._write(tree.branches[1], scope.inner(), way + tree.scale)

    def _choose(self, tree: Tree, choice: Choice, scope: Scope, way: Value) -> None:
        function = self.function
        width = len(choice.options[0])
        table = f"operation{self.number}_choice{choice.number}"
        plain = width == 1 and [option[0] for option in choice.options] == list(range(len(choice.options)))
        if not plain and len(choice.options) > 1:
            self.globals.append(bytes_of(table, [code for option in choice.options for code in option]))
        with function.each(0, len(choice.options)) as at:
            inner = scope.inner()
            inner.choices[choice.number] = Chosen(at, None if plain else table, width)
            self._write(tree.branches[0], inner, way + at * tree.scale)

    def _end(self, end: End, scope: Scope, way: Value) -> None:
        if end.what == "goes wrong":
            self._trouble(GOES_WRONG, way)
        if end.what != "applies":
            return
        assert end.actor is not None
        function, context = self.function, self.function.given("ptr", "c")
        stores = [self._ready(store, scope) for store in end.stores]
        outcome = [scope.number(node).to("i8", "trunc") for node in end.outcome]
        scratch = self.places.address(function, "scratch")
        function.copy(scratch, function.given("ptr", "s"), self.places.padded)
        for store, where, rows in stores:
            address = scope.address(scratch, *store.table.place(store.key))
            for at, row in rows:
                place = address.at(at)
                place.store(row if where is None else function.select(where, row, place.load(row.type, align=1)), align=1)
        self.places.address(function, "ended").at(self._ends[id(end)]).store(1, "i8")
        shown = self.places.address(function, "outcome")
        for at, value in enumerate(outcome):
            shown.at(at).store(value)
        function.call(
            "void",
            "finish",
            context,
            function.given("ptr", "s"),
            function.constant("i64", self.number),
            function.constant("i64", self.types.index(end.returns)),
            scope.number(end.actor),
            way,
        )

    def _ready(self, store: Store, scope: Scope) -> tuple[Store, Value | None, list[tuple[int, Value]]]:
        """What a store needs, computed before anything is stored: bytes and where they go. Constants are stored together."""
        for part in store.key:
            scope.compute(part)
        where = None if store.where.is_constant else scope.flag(store.where)
        if all(row.is_constant for row in store.rows) and len(store.rows) > 1:
            codes = ", ".join(f"i8 {row.value}" for row in store.rows)
            return store, where, [(0, self.function.constant(f"<{len(store.rows)} x i8>", f"<{codes}>"))]
        return store, where, [(at, scope.number(row).to("i8", "trunc")) for at, row in enumerate(store.rows)]


def law_text(name: str, judged: Judged, numbers: Sequence[int], places: Places) -> str:
    """A function that says whether a law is broken by a state, or by a step; and notes whether a premise was met, and that of each
    implication: under these numbers."""
    function = Function(f"i1 @{name}(ptr %c, ptr noalias %s, ptr noalias %b, ptr noalias %o, i32 %actor) noinline")
    scope = Scope(function)
    noted = dict(zip(numbers, (judged.premise, *judged.parts), strict=True))
    premises = {number: function.variable("i1", 0) for number, node in noted.items() if not node.is_constant}
    levels = _by_level(judged)
    with ExitStack() as loops:
        for level, nodes in sorted(levels.items()):
            if level and any(node.op == "name" and node.args[0] == level - 1 for node in nodes):
                at = loops.enter_context(function.each(0, judged.sizes[level - 1]))
                scope.numbers.update({node.number: at.to("i32", "trunc") for node in nodes if node.op == "name"})
            for node in nodes:
                if node.op == "actor":
                    scope.numbers[node.number] = function.given("i32", "actor")
                scope.compute(node)
        for number, premise in premises.items():
            premise.store(premise.load("i1") | scope.flag(noted[number]))
        holds = scope.flag(judged.holds)
        good, bad = function.label(), function.label()
        function.branch(holds, good, bad)
        function.start(bad)
        function.line("ret i1 true")
        function.start(good)
    for number, node in noted.items():
        met = places.address(function, "met").at(number)
        if number in premises:
            with function.where(premises[number].load("i1")):
                met.store(1, "i8")
        elif node.value:
            met.store(1, "i8")
    function.line("ret i1 false")
    return function.text()


def _by_level(judged: Judged) -> Mapping[int, list[Node]]:
    """The expressions of a law by the innermost of its loops that they depend on, the simplest first."""
    levels: dict[int, int] = {}
    found: dict[int, list[Node]] = {0: []}
    for node in _in_order(judged.holds, judged.premise, *judged.parts):
        levels[node.number] = (
            node.args[0] + 1 if node.op == "name" else max((levels.get(part.number, 0) for part in node.parts()), default=0)
        )
        found.setdefault(levels[node.number], []).append(node)
    return found


def _in_order(*roots: Node) -> Iterator[Node]:
    """The expressions that these are made of, each once and after its parts."""
    found: dict[int, Node] = {}
    todo = list(roots)
    while todo:
        node = todo.pop()
        if not node.is_constant and node.number not in found:
            found[node.number] = node
            todo += node.parts()
    yield from (found[number] for number in sorted(found))


__all__ = ["OperationWriter", "bytes_of", "law_text"]
