"""What a trace makes of an operation: a tree of decisions, and what it does at each end; and of a law: two expressions."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from refmodel.engines.compiled.nodes import Node
from refmodel.engines.compiled.reading import Event
from refmodel.engines.compiled.tables import Store
from refmodel.language.design import Operation
from refmodel.language.laws import Law


@attrs.define(eq=False)
class Tree:
    """One point of an operation: what happens there, and how it goes on."""

    event: Event | None = None
    """None at an end, and where no path has come yet."""
    end: End | None = None
    branches: list[Tree] = attrs.field(factory=list)
    """For a decision or an answer: if not, and if so. For all else: how it goes on."""
    scale: int = 1
    """What an answer given here counts, in the number that stands for all answers."""
    left: tuple[Store, ...] = ()
    """What has been stored when an operation comes to wait here."""

    def uses(self) -> list[Node]:
        """The expressions that are needed here."""
        stores = [*self.left, *(self.end.stores if self.end is not None else ())]
        found = [node for store in stores for node in (*store.key, store.where, *store.rows)]
        if self.event is not None:
            found.append(self.event.node)
        if self.end is not None and self.end.what == "applies":
            found += [*self.end.outcome, *([self.end.actor] if self.end.actor is not None else [])]
        return found

    def below(self) -> Iterator[Tree]:
        """This point and all that it leads to."""
        todo = [self]
        while todo:
            tree = todo.pop()
            yield tree
            todo += reversed(tree.branches)


@attrs.frozen(eq=False)
class End:
    """How a path ends: it applies, it is refused, or the text goes wrong."""

    what: str
    stores: tuple[Store, ...] = ()
    returns: type | None = None
    outcome: tuple[Node, ...] = ()
    actor: Node | None = None
    """The VM that took the step, or NOTHING."""
    goes_on: bool = True
    """False: an operation that waited ends here, because something that it requires does not hold."""
    settled: frozenset[tuple[tuple[str, int], bool]] = attrs.field(default=frozenset(), eq=False)
    """Conditions on the way here that need not be decided: where each is, and how it comes out."""


@attrs.frozen(eq=False)
class Traced:
    """An operation, with all that it can do in a geometry."""

    op: Operation
    tree: Tree
    first: int
    """The number of its first instance."""
    arguments: tuple[tuple[int, ...], ...]
    """The codes of the arguments of each instance."""

    def ends(self) -> list[End]:
        return [tree.end for tree in self.tree.below() if tree.end is not None]

    def most_ways(self) -> int:
        """No state has more successors by one instance than this."""
        return _most(self.tree)


@attrs.frozen(eq=False)
class Judged:
    """A law, for one type of outcome: over how many names it is claimed, where it holds, where a premise of it does, and where the
    premise of each implication does, if it states several."""

    law: Law
    sizes: tuple[int, ...]
    holds: Node
    premise: Node
    parts: tuple[Node, ...] = ()


def _most(tree: Tree) -> int:
    if tree.event is None:
        return 1
    below = [_most(branch) for branch in tree.branches] or [1]
    if tree.event.kind == "choose":
        assert tree.event.choice is not None
        return below[0] * len(tree.event.choice.options)
    return sum(below) if tree.event.kind == "answer" else max(below)


__all__ = ["End", "Judged", "Traced", "Tree"]
