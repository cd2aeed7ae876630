"""Which ways of an operation's conditions steps have taken: what coverage tools call branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refmodel.engines.compiled.trees import End, Traced, Tree
from refmodel.engines.exploration import Branch


def ends_of(operations: Sequence[Traced]) -> list[End]:
    """Every end of a path that is a step, each once: compiled code notes of each whether a step came to it."""
    return list({id(end): end for traced in operations for end in traced.ends() if end.what == "applies"}.values())


def branches(operations: Sequence[Traced], ended: Sequence[bool]) -> tuple[frozenset[Branch], frozenset[Branch]]:
    """The branches that some step may take, and those that some step took. ``ended`` has a flag for each of ``ends_of``."""
    came = {id(end): bool(was) for end, was in zip(ends_of(operations), ended, strict=True)}
    every, taken = set[Branch](), set[Branch]()
    for traced in operations:
        for end, on_the_way in _paths(traced.tree, ()):
            if id(end) in came:
                every.update(on_the_way)
                taken.update(on_the_way if came[id(end)] else ())
    return frozenset(every), frozenset(taken)


def _paths(tree: Tree, on_the_way: tuple[Branch, ...]) -> Iterator[tuple[End, tuple[Branch, ...]]]:
    if tree.end is not None:
        yield tree.end, on_the_way
    place = tree.event.place if tree.event is not None and tree.event.kind == "decide" else None
    for number, branch in enumerate(tree.branches):
        yield from _paths(branch, on_the_way if place is None else (*on_the_way, Branch(*place, bool(number))))


__all__ = ["branches", "ends_of"]
