"""Which ways of an operation's conditions steps have taken: what coverage tools call branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refmodel.engines.compiled.reading import Event
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
    for number, branch in enumerate(tree.branches):
        yield from _paths(branch, on_the_way + _gone(tree.event, bool(number)))


def _gone(event: Event | None, holds: bool) -> tuple[Branch, ...]:
    """The branch by which a path goes on. Not to go on after one ``yield`` is to go on after another."""
    if event is None or event.kind != "decide" or event.place is None or (event.resumes and not holds):
        return ()
    return (Branch(*event.place, holds, event.resumes),)


__all__ = ["branches", "ends_of"]
