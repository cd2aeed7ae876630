"""Operations that let others run in their midst: a state says where each of them waits, and what it remembers there.

An operation is traced to its end, over tables that hold something new after each wait. The tree is then cut at its waits. What
comes after one is an operation of its own, which finds what it needs of the time before in a *slot* behind the tables. Only what is
needed is remembered, so that states differ in what matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from refmodel.engines.compiled.nodes import Graph, Node
from refmodel.engines.compiled.reading import Choice, Event, Tracing
from refmodel.engines.compiled.tables import Slots, Store, scalar_range
from refmodel.engines.compiled.trees import End, Traced, Tree
from refmodel.engines.layout import Layout
from refmodel.language.kinds import FlagKind, NameKind, Scalar, WordKind
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import Unsound

WHERE = WordKind(7)
"""The byte of a slot that says where an operation waits; 0 if none does."""


@attrs.define(eq=False)
class _Point:
    """A place where an operation waits: what it remembers there, and where in a slot."""

    number: int
    tree: Tree
    traced: Traced
    reading: Tracing
    earlier: int
    """Waits that come before this one."""
    saved: list[Node] = attrs.field(factory=list)
    kinds: list[Scalar] = attrs.field(factory=list)
    first: int = 0
    goes_on_as_another: bool = False
    """Whether what comes after is what comes after another point, whose number and place in a slot this one has."""

    @property
    def rest(self) -> Tree:
        return self.tree.branches[0]

    @property
    def place(self) -> tuple[str, int] | None:
        return None if self.tree.event is None else self.tree.event.place

    def actor(self) -> Node:
        return next(tree.end.actor for tree in self.rest.below() if tree.end is not None and tree.end.actor is not None)


class Waiting:
    """The operations of a design that wait, cut at their waits. The layout gets slots for them."""

    def __init__(self, layout: Layout, split: Sequence[tuple[Traced, Tracing]]) -> None:
        self.layout = layout
        self.most = layout.geometry.under_way
        """Operations that may wait at once."""
        self._points: dict[Tree, _Point] = {}
        self._readings = {traced.op.name: reading for traced, reading in split}
        for traced, reading in split:
            self._find(traced.tree, traced, reading, 0)
        self.kinds: list[Scalar] = [WHERE]
        self.slots = Slots(0, 1)
        for point in reversed(self._points.values()):
            self._remember(point)
        self.slots = Slots(layout.add_slots(self.most, self.kinds), len(self.kinds))

    def _find(self, tree: Tree, traced: Traced, reading: Tracing, earlier: int) -> None:
        if tree.event is not None and tree.event.kind == "wait":
            self._points[tree] = _Point(len(self._points) + 1, tree, traced, reading, earlier)
            earlier += 1
        for branch in tree.branches:
            self._find(branch, traced, reading, earlier)

    # ------------------------------------------------------------ what is remembered

    def _remember(self, point: _Point) -> None:
        """Find where in a slot a point keeps what it needs, once all later waits have places. Paths that come to one ``yield``
        and go on in the same way wait at one point, so that a state is not counted once for each of them."""
        point.saved = self._needed(point)
        kinds = [self._kind(node, point) for node in point.saved]
        for other in self._points.values():
            if other.first and other.place == point.place and other.kinds == kinds and self._go_on_alike(other, point):
                point.number, point.first, point.goes_on_as_another = other.number, other.first, True
                return
        point.first, point.kinds = len(self.kinds), kinds
        self.kinds += kinds

    def _go_on_alike(self, one: _Point, other: _Point) -> bool:
        graph = Graph()
        slot = graph.node("argument", (0,), 0, self.most - 1)
        rest = [
            _Rest(self, attrs.evolve(each, number=one.number, first=one.first), graph, slot, {}).tree(each.rest)
            for each in (one, other)
        ]
        return _is_same(*rest)

    def _needed(self, point: _Point) -> list[Node]:
        """What comes after a wait and was computed before it: the largest expressions, each once. Whoever ends it there has begun
        it."""
        found: dict[int, Node] = {}
        todo = [point.actor(), *(node for tree in point.rest.below() for node in tree.uses())]
        done = set[int]()
        while todo:
            node = todo.pop()
            if node.is_constant or node.number in done:
                continue
            done.add(node.number)
            if _known_after(node, point.reading) <= point.earlier:
                found[node.number] = node
            else:
                todo += node.parts()
        return [found[number] for number in sorted(found)]

    def _kind(self, node: Node, point: _Point) -> Scalar:
        """The kind of what is remembered, so that names are renamed there as everywhere."""
        if node.op == "entry":
            return self.layout.leaf_at(node.args[1])
        if node.op == "argument":
            return tuple(leaf for _, kind in point.traced.op.parameters for _, leaf in kind.leaves())[int(node.args[0])]
        if node.op == "chosen":
            return point.reading.chosen[node.args[0]][1][int(node.args[1])]
        if node.op == "select":
            return next((self._kind(part, point) for part in node.args[1:] if not part.is_constant), WHERE)
        if node.is_flag:
            return FlagKind()
        if node.low < 0 or node.high > 127:
            raise Unsound("an operation remembers a number that does not fit into a byte")
        return WHERE

    # ------------------------------------------------------------ the first part

    def started(self, traced: Traced) -> Tree:
        """An operation up to its first waits. It starts if there is a slot left, and takes the first."""
        graph = self._readings[traced.op.name].graph
        free = self._waits_at(graph, graph.constant(self.most - 1), 0)
        return Tree(Event("require", free), branches=[self._cut(traced.tree, graph)])

    def _cut(self, tree: Tree, graph: Graph) -> Tree:
        point = self._points.get(tree)
        if point is None:
            return attrs.evolve(tree, branches=[self._cut(branch, graph) for branch in tree.branches])
        stores, taken = list(tree.left), graph.no
        rows = self._rows(point, graph, lambda node: node)
        for slot in range(self.most):
            free = self._waits_at(graph, graph.constant(slot), 0)
            mine = graph.both(free, graph.negated(taken))
            stores.append(Store(self.slots, (graph.constant(slot),), mine, rows))
            taken = graph.either(taken, free)
        return Tree(end=End("applies", tuple(stores), actor=point.actor()))

    def _rows(self, point: _Point, graph: Graph, rewritten: Callable[[Node], Node]) -> tuple[Node, ...]:
        """A slot that says that an operation waits here."""
        rows = [graph.constant(code) for code in self._empty()]
        rows[0] = graph.constant(point.number)
        rows[point.first : point.first + len(point.saved)] = [rewritten(node) for node in point.saved]
        return tuple(rows)

    def _empty(self) -> list[int]:
        return [NOTHING if isinstance(kind, NameKind) else 0 for kind in self.kinds]

    def _byte(self, graph: Graph, slot: Node, at: int, low: int, high: int) -> Node:
        first, strides = self.slots.place([slot])
        return graph.node("entry", ("now", first + at, strides, graph.yes, 0), low, high)

    def _waits_at(self, graph: Graph, slot: Node, number: int) -> Node:
        return graph.equal(self._byte(graph, slot, 0, 0, 127), graph.constant(number))

    # ------------------------------------------------------------ what comes after

    def resumed(self) -> Tree:
        """One of those that wait goes on: what it does depends on where it waits."""
        graph = Graph()
        slot = graph.node("argument", (0,), 0, self.most - 1)
        tree = Tree(end=End("refused"))
        choices = dict[tuple[int, int], int]()
        for point in self._points.values():
            if point.goes_on_as_another:
                continue
            rest = _Rest(self, point, graph, slot, choices).tree(point.rest)
            is_there = self._waits_at(graph, slot, point.number)
            tree = Tree(Event("decide", is_there, place=point.place, resumes=True), branches=[tree, rest])
        return tree

    def point_at(self, tree: Tree) -> _Point:
        return self._points[tree]

    def ended(self, graph: Graph, slot: Node) -> list[Store]:
        """An operation has ended: those that wait behind it move up."""
        stores = []
        for number in range(self.most - 1):
            rows = [
                self._byte(graph, graph.constant(number + 1), at, *scalar_range(kind, self.layout.geometry))
                for at, kind in enumerate(self.kinds)
            ]
            stores.append(Store(self.slots, (graph.constant(number),), graph.less(slot, graph.constant(number + 1)), tuple(rows)))
        empty = tuple(graph.constant(code) for code in self._empty())
        return [*stores, Store(self.slots, (graph.constant(self.most - 1),), graph.yes, empty)]


class _Rest:
    """What comes after one wait, in another graph: what was computed before is read from the slot.

    A ``require`` that does not hold ends the operation here, with nothing more done; so does a choice without any option. That is a
    step like others, since the operation waits no longer.
    """

    def __init__(
        self,
        waiting: Waiting,
        point: _Point,
        graph: Graph,
        slot: Node,
        choices: dict[tuple[int, int], int],
        option: dict[tuple[int, int], int] | None = None,
    ) -> None:
        """``option``: what a choice falls on, by the choice's number and the position of each leaf."""
        self.waiting, self.point, self.graph, self.slot, self.choices = waiting, point, graph, slot, choices
        self.option = option or {}
        self._saved = {node.number: at for at, node in enumerate(point.saved)}
        self._known: dict[int, Node] = {}

    def tree(self, tree: Tree) -> Tree:
        if tree.event is None:
            return Tree(end=None if tree.end is None else self._end(tree.end))
        if tree.event.kind == "wait":
            return Tree(end=self._waits_again(tree))
        if tree.event.kind == "require":
            return self._unless_it_ends(self.node(tree.event.node), self.tree(tree.branches[0]))
        if tree.event.choice is not None:
            return self._chosen(tree, tree.event.choice)
        event = attrs.evolve(tree.event, node=self.node(tree.event.node))
        return Tree(event, branches=[self.tree(branch) for branch in tree.branches], scale=tree.scale)

    def _unless_it_ends(self, goes_on: Node, rest: Tree) -> Tree:
        """The rest where something holds; elsewhere the operation ends."""
        ended = Tree(end=self._end(End("refused")))
        if goes_on.is_constant:
            return rest if goes_on.value else ended
        return Tree(Event("decide", goes_on), branches=[ended, rest])

    def _chosen(self, tree: Tree, choice: Choice) -> Tree:
        """Every option that satisfies the condition, one after the other; where there is none, the operation ends. The condition is
        worked out for all options, so where it goes wrong for one of them, the operation goes wrong."""
        musts, fits, rest = _condition_of(tree.branches[0], self.point.reading.graph)
        each = [self._with(choice, option) for option in choice.options]
        event = Event("choose", self.graph.yes, choice=Choice(self._choice(choice.number), choice.options))
        one = Tree(Event("require", self.node(fits)), branches=[self.tree(rest)])
        chosen = self._unless_it_ends(
            self._any([other.node(fits) for other in each]), Tree(event, branches=[one], scale=tree.scale)
        )
        for must in musts:
            for other in each:
                chosen = Tree(Event("must", other.node(must)), branches=[chosen])
        return chosen

    def _with(self, choice: Choice, option: tuple[int, ...]) -> _Rest:
        """The rest of the operation where a choice falls on this option."""
        option_of = {(choice.number, position): code for position, code in enumerate(option)}
        return _Rest(self.waiting, self.point, self.graph, self.slot, self.choices, {**self.option, **option_of})

    def _any(self, nodes: Sequence[Node]) -> Node:
        found = self.graph.no
        for node in nodes:
            found = self.graph.either(found, node)
        return found

    def _end(self, end: End) -> End:
        if end.what == "goes wrong":
            return end
        actor = self.node(end.actor or self.point.actor())
        ended = self.waiting.ended(self.graph, self.slot)
        if end.what == "refused":
            return End("applies", tuple(ended), actor=actor, goes_on=False)
        stores = [*map(self._store, end.stores), *ended]
        return End("applies", tuple(stores), end.returns, tuple(map(self.node, end.outcome)), actor)

    def _waits_again(self, tree: Tree) -> End:
        point = self.waiting.point_at(tree)
        rows = self.waiting._rows(point, self.graph, self.node)
        stores = [*map(self._store, tree.left), Store(self.waiting.slots, (self.slot,), self.graph.yes, rows)]
        return End("applies", tuple(stores), actor=self.node(point.actor()))

    def _store(self, store: Store) -> Store:
        return Store(store.table, tuple(map(self.node, store.key)), self.node(store.where), tuple(map(self.node, store.rows)))

    def _choice(self, number: int) -> int:
        return self.choices.setdefault((self.point.number, number), len(self.choices))

    def node(self, node: Node) -> Node:
        """An expression as it is after the wait."""
        if node.number not in self._known:
            self._known[node.number] = self._node(node)
        return self._known[node.number]

    def _node(self, node: Node) -> Node:
        graph = self.graph
        if node.is_constant:
            return graph.constant(node.value)
        if node.number in self._saved:
            at = self.point.first + self._saved[node.number]
            return self.waiting._byte(graph, self.slot, at, node.low, node.high)
        if node.op == "entry":
            _, at, strides, guard, default = node.args
            moved = tuple((self.node(part), stride) for part, stride in strides)
            return graph.node("entry", ("now", at, moved, self.node(guard), default), node.low, node.high)
        if node.op == "chosen" and node.args in self.option:
            return graph.constant(self.option[node.args])
        if node.op == "chosen":
            return graph.node("chosen", (self._choice(node.args[0]), node.args[1]), node.low, node.high)
        if node.op == "arithmetic":
            return graph.arithmetic(node.args[0], *map(self.node, node.args[1:]))
        make: dict[str, Callable[..., Node]] = {
            "equal": graph.equal,
            "not": graph.negated,
            "and": graph.both,
            "or": graph.either,
            "select": graph.select,
            "less": graph.less,
        }
        return make[node.op](*map(self.node, node.args))


def _condition_of(tree: Tree, graph: Graph) -> tuple[list[Node], Node, Tree]:
    """Behind a choice: what must hold for its condition to be worked out, the condition, and what follows where it is met."""
    musts = []
    while tree.event is not None and tree.event.kind == "must":
        musts.append(tree.event.node)
        [tree] = tree.branches
    if tree.event is not None and tree.event.kind == "require" and tree.event.of_choice:
        return musts, tree.event.node, tree.branches[0]
    never = tree.end is not None and tree.end.what == "refused"
    return musts, graph.no if never else graph.yes, tree


def _is_same(one: Tree, other: Tree) -> bool:
    """Whether two trees over one graph decide and do the same."""
    at_once = one.event == other.event and one.scale == other.scale and _ends_alike(one.end, other.end)
    return at_once and len(one.branches) == len(other.branches) and all(map(_is_same, one.branches, other.branches))


def _ends_alike(one: End | None, other: End | None) -> bool:
    if one is None or other is None:
        return one is other
    return attrs.astuple(one, recurse=False) == attrs.astuple(other, recurse=False)


def _known_after(node: Node, reading: Tracing) -> int:
    """The number of waits after which an expression has its value."""
    latest, todo, done = 0, [node], set[int]()
    while todo:
        each = todo.pop()
        if each.number in done:
            continue
        done.add(each.number)
        if each.op == "entry" and each.args[0] != "now":
            latest = max(latest, int(each.args[0].split()[1]))
        elif each.op == "chosen":
            latest = max(latest, reading.chosen[each.args[0]][0])
        todo += each.parts()
    return latest


__all__ = ["Waiting"]
