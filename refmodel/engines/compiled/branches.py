"""Which ways of an operation's conditions steps have taken: what coverage tools call branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refmodel.engines.compiled.reading import Event
from refmodel.engines.compiled.trees import End, Traced, Tree
from refmodel.engines.exploration import Branch

Way = tuple[tuple[Branch, bool], ...]
"""The branches by which a path has gone, and of each whether the whole condition was decided there, or one field of two records."""


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
                way = [(branch, is_whole) for branch, is_whole in on_the_way if end.goes_on or not branch.resumes]
                every.update(branch for branch, is_whole in way if is_whole)
                if came[id(end)]:
                    taken.update(branch for branch, _ in way)
                    taken.update(Branch(*place, holds) for place, holds in end.settled)
    return frozenset(every), frozenset(taken & every)


def _paths(tree: Tree, on_the_way: Way) -> Iterator[tuple[End, Way]]:
    if tree.end is not None:
        yield tree.end, on_the_way
    for number, branch in enumerate(tree.branches):
        yield from _paths(branch, on_the_way + _gone(tree.event, bool(number)))


def _gone(event: Event | None, holds: bool) -> Way:
    """The branch by which a path goes on. Not to go on after one ``yield`` is to go on after another."""
    if event is None or event.kind != "decide" or event.place is None or (event.resumes and not holds):
        return ()
    return ((Branch(*event.place, holds, event.resumes), not event.part),)


__all__ = ["branches", "ends_of"]
