"""A design running on expressions: what its operations do, for every state and all arguments at once.

An operation runs once for each path through it. On the way it leaves *events*: a decision, a condition that is required, a value
that is chosen. What only looks (conditions, laws, functions without effect) has its paths put together as one expression.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import attrs

from refmodel.engines.compiled.known import Known
from refmodel.engines.compiled.nodes import Graph, Node
from refmodel.engines.compiled.tables import PageTable, PageValue, PartialTable, RecordTable, Store, Table, scalar_range
from refmodel.engines.layout import NATURAL_LIMIT, Layout
from refmodel.language.annotations import kind_of
from refmodel.language.arithmetic import LeavesKind
from refmodel.language.asking import Premises, Refused, Site, is_function
from refmodel.language.forks import Forks
from refmodel.language.joining import Impure
from refmodel.language.kinds import FlagKind, Kind, NaturalKind, PageKind, Scalar, WordKind
from refmodel.language.opaque import Opaque, check_constant, opaque, term_of
from refmodel.language.unsound import Unsound, is_of_a_text

OURS = str(Path(__file__).parents[2])
"""How the names of this package's files begin."""

MANY = 64
"""Paths that are put together as one value; with more than these, a function runs path by path."""

ALL = 4096
"""Paths of a condition or law that are put together at most."""


class GoesWrong(Exception):
    """On this path the text always computes what is no value, or stores under no name."""


@attrs.frozen
class Event:
    """What an operation did on its way: ``decide`` and ``answer`` fork, ``require`` ends it quietly, ``must`` ends it as an abort,
    ``keep`` ends the exploration, ``choose`` tries every option, and at ``wait`` others may run."""

    kind: str
    node: Node
    taken: bool = True
    choice: Choice | None = None
    place: tuple[str, int] | None = None
    """File and line of what is decided, or of the ``yield`` after which an operation goes on; None where conditions are put
    together as one value."""
    part: bool = False
    """Whether what is decided is only whether one field of two records is the same."""
    resumes: bool = False
    """Whether what is decided is that an operation goes on there."""
    of_choice: bool = False
    """Whether what is required is the condition of the choice just before it."""


@attrs.frozen
class Choice:
    """A value that the text leaves open: its options, each as the codes of its leaves."""

    number: int
    options: tuple[tuple[int, ...], ...]


@attrs.define
class Looked:
    """What a path has looked at. Another path on which the same has happened by then looks at the same, and finds the same."""

    found: tuple[tuple[Node, Any], ...] | None = None
    """Each way through it, and what it gives; None if it does more than look."""
    why: str = ""
    """What more it does, where that is known."""
    wrong: tuple[Node, ...] = ()
    premises: tuple[tuple[Site | None, Node], ...] = ()
    next: dict[tuple[CodeType | None, tuple[Event, ...]], Looked] = attrs.field(factory=dict)
    """What is looked at next, by what has happened in between."""


class Tracing:
    """One trace under way: what is known on this path, what has happened, and what has been stored."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.geometry = layout, layout.geometry
        self.graph = Graph()
        self.forks = Forks()
        self._impure: set[str] = set()
        self._choices: dict[tuple[Event, ...], int] = {}
        self._first: Looked | None = None
        self.state, self.before = self._state("now"), self._state("before")
        self.chosen: dict[int, tuple[int, tuple[Scalar, ...]]] = {}
        """For each choice how many waits came before it, and the kinds of its leaves."""
        self.begin()

    def paths(self) -> Iterator[None]:
        """Follow every path through one function, which is called once in each round with the same arguments."""
        self._first = Looked()
        for _ in self.forks.paths():
            self.begin()
            yield
        self._first = None

    def begin(self) -> None:
        """Start a path: nothing is known, and nothing has happened."""
        self.known = Known()
        self.events: list[Event] = []
        self._happened, self._before, self._looked = self.events, 0, self._first
        self.stores: list[Store] = []
        self.left: list[tuple[Store, ...]] = []
        """What was stored before each wait."""
        self.settled: set[tuple[tuple[str, int], bool]] = set()
        """Conditions that need not be decided, since what was decided before says how they come out: where, and how."""
        self.folding = 0
        self._base = self.graph.yes
        self._wrong: list[Node] = []
        self._premises: list[tuple[Site | None, Node]] = []
        self.aside: frozenset[Site] = frozenset()
        """Where what is told is no premise of the law's, and told apart only."""
        for state, which in ((self.state, "now"), (self.before, "before")):
            for table in self.layout.design.tables:
                getattr(state, table.name).forget(which)

    def _state(self, which: str) -> Any:
        state = self.layout.design.blank()
        for table in self.layout.design.tables:
            kind: type[Table] = PageTable if isinstance(table.value, PageKind) else PartialTable if table.partial else RecordTable
            setattr(state, table.name, kind(self, table, which))
        return state

    # ------------------------------------------------------------ what values ask

    def decide(self, term: Node) -> bool:
        truth = self.known.truth(term)
        if truth is not None:
            if not self.folding and not term.is_constant:
                place, part = _place_in_text()
                if place is not None and not part:
                    self.settled.add((place, truth))
            return truth
        choice = bool(self.forks.again() if self.forks.replaying() else self.forks.take([True, False]))
        place, part = (None, False) if self.folding else _place_in_text()
        self.events.append(Event("decide", term, choice, place=place, part=part))
        self.known.learn(term, choice)
        return choice

    def required(self, term: Node) -> None:
        if self.folding:
            raise Impure
        if self.known.truth(term) is False:
            raise Refused
        self._from_here_on("require", term)

    def must(self, term: Node, why: str) -> None:
        """It goes wrong where this does not hold."""
        if not self.folding:
            if self.known.truth(term) is False:
                raise GoesWrong(why)
            self._from_here_on("must", term)
        elif self.known.truth(term) is not True:
            self._wrong.append(self.graph.both(self._here(), self.graph.negated(term)))

    def kept(self, kind: Scalar, term: Node, where: Node | None = None) -> None:
        """A number that is stored or returned is no larger than exploration keeps."""
        if isinstance(kind, NaturalKind) and term.high > NATURAL_LIMIT:
            small = self.graph.negated(self.graph.less(self.graph.constant(NATURAL_LIMIT), term))
            self._from_here_on("keep", small if where is None else self.graph.either(self.graph.negated(where), small))

    def _from_here_on(self, kind: str, term: Node, of_choice: bool = False) -> None:
        if self.known.truth(term) is not True:
            self.events.append(Event(kind, term, of_choice=of_choice))
            self.known.learn(term, True)

    def constant(self, kind: Scalar, value: Any) -> Node:
        check_constant(kind, value)
        return self.graph.constant(kind.encode(value))

    def equal(self, a: Node, b: Node) -> Node:
        return self.graph.equal(a, b)

    def both(self, a: Node, b: Node) -> Node:
        return self.graph.both(a, b)

    def either(self, a: Node, b: Node) -> Node:
        return self.graph.either(a, b)

    def negated(self, a: Node) -> Node:
        return self.graph.negated(a)

    def below(self, kind: Scalar, a: Node, b: Node) -> Node:
        return self.graph.less(a, b)

    def arithmetic(self, operator: str, kind: Scalar, a: Node, b: Node) -> tuple[Node, Node]:
        graph = self.graph
        result = graph.arithmetic(operator, a, b)
        if operator in ("//", "%"):
            return result, graph.negated(graph.equal(b, graph.no))
        sound = graph.negated(graph.less(result, graph.no))
        if isinstance(kind, WordKind):
            sound = graph.both(sound, graph.negated(graph.less(graph.constant((1 << kind.width) - 1), result)))
            if operator == "<<":
                sound = graph.both(sound, graph.less(b, graph.constant(kind.width)))
        return result, sound

    def bitwise(self, operator: str, kind: Scalar, a: Node, b: Node) -> Node:
        return self.graph.arithmetic(operator, a, b)

    def premise(self, term: Node) -> None:
        if self.known.truth(term) is not False:
            self._premises.append((Premises.site, self.graph.both(self._here(), term)))

    def plain_premise(self, site: Site | None) -> None:
        """A premise that is plainly true is met wherever it is looked at."""
        self._premises.append((site, self._here()))

    # ------------------------------------------------------------ what the text asks

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        if self.folding:
            raise Impure
        options = tuple(
            tuple(leaf.encode(v) for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True))
            for value in kind.values(self.geometry)
        )
        if not options:
            raise Refused
        number = self._choices.setdefault(tuple(self.events), len(self._choices))
        self.chosen[number] = len(self.left), tuple(leaf for _, leaf in kind.leaves())
        self.events.append(Event("choose", self.graph.yes, choice=Choice(number, options)))
        value = kind.build(
            iter([opaque(self, leaf, self._chosen(number, position, options)) for position, (_, leaf) in enumerate(kind.leaves())])
        )
        condition = self.fold(where, value)
        if self.known.truth(condition) is False:
            raise Refused
        self._from_here_on("require", condition, of_choice=True)
        return value

    def _chosen(self, number: int, position: int, options: Sequence[tuple[int, ...]]) -> Node:
        codes = {option[position] for option in options}
        if len(codes) == 1:
            return self.graph.constant(codes.pop())
        return self.graph.node("chosen", (number, position), min(codes), max(codes))

    def yes(self, question: str) -> bool:
        if self.folding:
            raise Impure
        answer = bool(self.forks.again() if self.forks.replaying() else self.forks.take([False, True]))
        self.events.append(Event("answer", self.graph.yes, answer))
        return answer

    def count(self, table: Table, where: Callable[..., Any]) -> Any:
        total = self.graph.no
        for key in table.keys():
            total = self.graph.arithmetic("+", total, self._holds_of(table, key, table.read(key), where))
        return opaque(self, NaturalKind(), total)

    def reset(self, table: Table, where: Callable[..., Any]) -> None:
        defaults = [self.graph.constant(code) for code in table.defaults()]
        self._everywhere(table, where, lambda key, entry, holds: defaults)

    def assign(self, table: Table, where: Callable[..., Any], value: Any) -> None:
        if is_function(value):
            self._everywhere(table, where, lambda key, entry, holds: self._computed(table, key, entry, holds, value))
        else:
            rows = table.rows_of(value)
            self._everywhere(table, where, lambda key, entry, holds: rows)

    def _everywhere(self, table: Table, where: Callable[..., Any], rows: Callable[..., list[Node]]) -> None:
        """Every entry is looked at, and every new one made, before any is changed."""
        if self.folding:
            raise Impure
        found = [(key, entry, self._holds_of(table, key, entry, where)) for key in table.keys() for entry in [table.read(key)]]
        new = [(key, holds, rows(key, entry, holds)) for key, entry, holds in found if self.known.truth(holds) is not False]
        for key, holds, row in new:
            table.store([self.graph.constant(part) for part in key], self.graph.yes if self.known.truth(holds) else holds, row)

    def _holds_of(self, table: Table, key: tuple[int, ...], entry: Any, where: Callable[..., Any]) -> Node:
        """Whether there is an entry, and a condition holds of it."""
        there = table.is_there(key)
        if self.known.truth(there) is False:
            return self.graph.no
        holds = self.fold(where, entry, *table.spelled(key), assuming=there)
        return self.graph.both(there, holds)

    def _computed(self, table: Table, key: tuple[int, ...], entry: Any, holds: Node, value: Callable[..., Any]) -> list[Node]:
        """What a function gives for one entry, where a condition holds."""
        try:
            paths = self._assuming(holds, lambda: self._apart(value, (entry, *table.spelled(key)), table.rows_of))
        except Impure as why:
            raise Unsound(f"what assign works out for an entry does more than look, or always goes wrong ({why})") from None
        self._settle()
        return [self._together([(where, rows[i]) for where, rows in paths]) for i in range(table.width)]

    def looked_at(self, operand: Callable[[], Any], assuming: Node) -> Node:
        """An operand of a condition, where the operand before it lets it be looked at."""
        if self.known.truth(assuming) is False:
            return self.graph.no
        paths = self._assuming(assuming, lambda: self._apart(operand, (), self._flag, ALL))
        self._settle()
        return self._together(paths)

    def wait(self, place: tuple[str, int]) -> None:
        """Others may run at this ``yield``: from here on the tables hold what they will have left."""
        self.events.append(Event("wait", self.graph.yes, place=place))
        self.left.append(tuple(self.stores))
        self.stores = []
        for table in self.layout.design.tables:
            getattr(self.state, table.name).forget(f"after {len(self.left)}")

    # ------------------------------------------------------------ what only looks, as one value

    def fold(self, predicate: Callable[..., Any], *arguments: Any, assuming: Node | None = None) -> Node:
        """A predicate as one flag, perhaps only where something is assumed. It only looks; anything else is ``Unsound``, unless
        what it is within can run path by path."""

        def work() -> Sequence[tuple[Node, Node]]:
            return self._apart(predicate, arguments, self._flag, ALL)

        try:
            result = self._together(work() if assuming is None or assuming.is_constant else self._assuming(assuming, work))
        except Impure as why:
            if self.folding:
                raise
            raise Unsound(f"a law or condition has a side effect{f' ({why})' if str(why) else ''}") from None
        self._settle()
        return result

    def judged(self, predicate: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Node, Node]:
        """Whether a law holds, and whether a premise of it does. A law that computes what is no value does not hold."""
        try:
            paths = self._apart(predicate, arguments, self._flag, ALL)
        except Impure as why:
            raise Unsound(f"a law or condition has a side effect{f' ({why})' if str(why) else ''}") from None
        wrong, met = self.graph.any(self._wrong), self.graph.any([met for at, met in self._premises if at not in self.aside])
        return self.graph.both(self._together(paths), self.graph.negated(wrong)), met

    def met(self, site: Site) -> Node:
        """Whether the premise of one implication holds, of a law that was judged with its implications told apart."""
        return self.graph.any([met for where, met in self._premises if where == site])

    def merged(self, name: str, body: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """The value of a function that only looks; one that does more runs as it stands."""
        if name in self._impure:
            return body(*arguments)
        try:
            paths = self._apart(body, arguments, lambda value: value)
            result = self._one_value(paths)
        except Impure:
            self._impure.add(name)
            return body(*arguments)
        self._settle()
        return result

    def _apart(
        self, body: Callable[..., Any], arguments: Sequence[Any], take: Callable[[Any], Any], many: int = MANY
    ) -> Sequence[tuple[Node, Any]]:
        """Every path through what only looks: where it is taken, and what it gives. What an earlier path found is not looked for
        again."""
        if self.folding or self._looked is None:
            return self._paths_apart(body, arguments, take, many)
        key = getattr(body, "__code__", None), tuple(self._happened[self._before :])
        self._before = len(self._happened)
        known = self._looked.next.get(key)
        if known is None:
            known = self._looked.next[key] = self._look(body, arguments, take, many)
        else:
            self._wrong += known.wrong
            self._premises += known.premises
        self._looked = known
        if known.found is None:
            raise Impure(known.why)
        return known.found

    def _look(self, body: Callable[..., Any], arguments: Sequence[Any], take: Callable[[Any], Any], many: int) -> Looked:
        wrong, premises = len(self._wrong), len(self._premises)
        try:
            found = self._paths_apart(body, arguments, take, many)
        except Impure as why:
            return Looked(why=str(why))
        return Looked(tuple(found), "", tuple(self._wrong[wrong:]), tuple(self._premises[premises:]))

    def _paths_apart(
        self, body: Callable[..., Any], arguments: Sequence[Any], take: Callable[[Any], Any], many: int
    ) -> list[tuple[Node, Any]]:
        outer = self.forks, self.known, self.events, self._base, len(self._wrong), len(self._premises)
        self._base = self._here()
        self.folding += 1
        self.forks = Forks()
        found: list[tuple[Node, Any]] = []
        try:
            for _ in self.forks.paths():
                self.known, self.events = Known(outer[1]), []
                try:
                    value = take(body(*arguments))
                except LeavesKind:
                    self._wrong.append(self._here())
                    continue
                except Unsound:
                    raise
                except RecursionError:  # not to be tried again in another way, at each level of it
                    raise Unsound("this is nested too deeply to be followed") from None
                except Exception as error:  # a Fault, an abort: it does more than look
                    raise Impure(f"{type(error).__name__}: {error}") from None
                found.append((self._on(self.graph.yes), value))
                if len(found) > many:
                    raise Impure("too many paths")
            if not found:
                raise Impure("it goes wrong on every path")
        except Impure:
            del self._wrong[outer[4] :], self._premises[outer[5] :]
            raise
        finally:
            self.forks, self.known, self.events, self._base = outer[:4]
            self.folding -= 1
        return found

    def _assuming(self, condition: Node, work: Callable[[], Sequence[tuple[Node, Any]]]) -> Sequence[tuple[Node, Any]]:
        """Do this where a condition holds: what goes wrong elsewhere does not count."""
        known, base = self.known, self._base
        self._base = self.graph.both(self._here(), condition)
        self.known = Known(known)
        self.known.learn(condition, True)
        events, self.events = self.events, []
        try:
            return work()
        finally:
            self.known, self._base, self.events = known, base, events

    def _here(self) -> Node:
        """Where this path is, within what is being looked at."""
        return self._on(self._base) if self.folding else self._base

    def _on(self, node: Node) -> Node:
        for event in self.events:
            node = self.graph.both(node, event.node if event.taken else self.graph.negated(event.node))
        return node

    def _settle(self) -> None:
        """What was looked at is done: where it went wrong, the operation does."""
        if not self.folding and self._wrong:
            sound = self.graph.negated(self.graph.any(self._wrong))
            self._wrong.clear()
            self.must(sound, "it computes what is no value of its kind")

    def _together(self, paths: Sequence[tuple[Node, Node]]) -> Node:
        result = paths[-1][1]
        for where, node in reversed(paths[:-1]):
            result = self.graph.select(where, node, result)
        return result

    def _one_value(self, paths: Sequence[tuple[Node, Any]]) -> Any:
        """Values of several paths as one; ``Impure`` if they are not of one kind."""
        if len(paths) == 1:
            return paths[0][1]
        values = [value for _, value in paths]
        first = next((value for value in values if isinstance(value, Opaque)), values[0])
        if first is None and all(value is None for value in values):
            return None
        if isinstance(first, tuple):
            if any(not isinstance(value, tuple) or len(value) != len(first) for value in values):
                raise Impure
            return tuple(self._one_value([(where, value[i]) for where, value in paths]) for i in range(len(first)))
        if isinstance(first, PageValue):
            if any(not isinstance(value, PageValue) or value.table.kind != first.table.kind for value in values):
                raise Impure
            return PageValue(
                first.table, [self._together([(where, value.rows[i]) for where, value in paths]) for i in range(len(first.rows))]
            )
        kind = _kind_of_value(first)
        if kind is None or any(
            not isinstance(value, Opaque) and type(value) is not type(first) and not isinstance(first, Opaque) for value in values
        ):
            raise Impure
        rows = [self.flat(kind, value) for value in values]
        where = [condition for condition, _ in paths]
        mixed = [self._together(list(zip(where, column, strict=True))) for column in zip(*rows, strict=True)]
        return kind.build(iter([opaque(self, leaf, node) for (_, leaf), node in zip(kind.leaves(), mixed, strict=True)]))

    def _flag(self, value: Any) -> Node:
        return term_of(self, FlagKind(), value)  # type: ignore[no-any-return]

    def flat(self, kind: Kind, value: Any) -> list[Node]:
        """The leaves of a value of the text."""
        return [term_of(self, leaf, each) for (_, leaf), each in zip(kind.leaves(), kind.flatten(value), strict=True)]

    def variable(self, op: str, kind: Kind, at: int = 0) -> Any:
        """A value that is handed in from outside, leaf by leaf from a position on."""
        nodes = [
            (leaf, self.graph.node(op, (at + i,), *scalar_range(leaf, self.geometry))) for i, (_, leaf) in enumerate(kind.leaves())
        ]
        return kind.build(iter([opaque(self, leaf, node) for leaf, node in nodes]))


def _place_in_text() -> tuple[tuple[str, int] | None, bool]:
    """Where the text stands that has just asked something of this reading; and whether the library asks it that compares records
    for the text: of one field, and not of the whole."""
    frame, part = inspect.currentframe(), False
    while frame is not None and not is_of_a_text(frame.f_code.co_filename):
        part = part or not frame.f_code.co_filename.startswith(OURS)
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno), part


def _kind_of_value(value: Any) -> Kind | None:
    if isinstance(value, Opaque):
        return value.kind
    if isinstance(value, bool):
        return FlagKind()
    if isinstance(value, enum.Enum) or attrs.has(type(value)):
        return kind_of(type(value))
    return None


__all__ = ["Choice", "Event", "GoesWrong", "Tracing"]
