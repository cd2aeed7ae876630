"""Events judged by what such an event came to for pages and frames of the same shape (``shapes``).

Nothing is said here of what events do, or of laws: each step was found by watching the judge (``recording``). Where no step is
known, the event is judged as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

from refmodel.oracle.trace.doing import Step, Template, do, may_be_done
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.recording import Recording
from refmodel.oracle.trace.shapes import Shape, shape_of
from refmodel.oracle.trace.tables import Key

OFTEN = 3
"""So many times an event is judged as ever for a shape before it is watched."""
MOST_SHAPES = 1 << 13
"""Shapes that are kept in mind."""
MOST_PAGES = 1 << 17
"""Pages whose shape is kept in mind."""


Where: TypeAlias = tuple[bool, bool, bool]
"""What steps depend on besides: whether flushes are told, whether all was told from the start, and whether the frames are that the
VM's pages are given."""


class Alike:
    """What has one shape, and the steps that are known of it: by the kind of an event, or how often that was met."""

    __slots__ = ("shape", "steps", "where")

    def __init__(self, shape: Shape | None, where: Where) -> None:
        self.shape, self.where = shape, where
        self.steps: dict[Hashable, Step | int] = {}


class Place:
    """A page, and those with which it shares frames, and where they belong."""

    __slots__ = ("alike", "frames", "made", "pages")

    def __init__(self, alike: Alike, pages: Sequence[Key], frames: Sequence[int]) -> None:
        self.alike, self.pages, self.frames = alike, tuple(pages), tuple(frames)
        self.made: dict[Template, Any] = {}
        """Records that were made for it."""


NEVER = 1 << 60
"""How often an event was met that has no step."""
SINGULAR = Alike(None, (False, False, False))
_known: dict[tuple[Where, Shape], Alike] = {}


def forget_steps() -> None:
    """Nothing is known of any shape: for tests."""
    _known.clear()


def _alike(where: Where, shape: Shape) -> Alike:
    which = where, shape
    found = _known.get(which)
    if found is None:
        if len(_known) >= MOST_SHAPES:
            _known.clear()
        found = _known[which] = Alike(shape, where)
    return found


def place_of(k: Knowledge, key: Key, named: tuple[int, ...] = ()) -> Place:
    """Where a page belongs; or where it belongs together with frames that an event names."""
    pages, frames, p2m = [key], list(named), k.tables["p2m"]
    if key not in p2m:
        k.by_itself(key)
    shape = None if key in k.untold_copies or key in k.may_have_copies else shape_of(k, pages, frames)
    if shape is not None and len(pages) > 1 and not all(page in p2m for page in pages):
        for page in pages:
            k.by_itself(page)
        pages, frames = [key], list(named)
        shape = shape_of(k, pages, frames)
    if shape is None:
        place = Place(SINGULAR, (), ())
    else:
        for page in pages:
            k.mentioned_pages.add(*page)
        place = Place(_alike((k.flushes_told, k.closed, key[0] in k.populating), shape), pages, frames)
    if not named and len(pages) == 1:
        if len(k.alike) >= MOST_PAGES:
            k.alike.clear()
        k.alike[key] = place
    return place


def taken(
    k: Knowledge, key: Key, kind: Hashable, judge: Callable[[Knowledge, Any], None], event: Any, named: tuple[int, ...] = ()
) -> None:
    """Judge an event about a page, as ever if no step is known. ``kind`` tells it from others; ``named`` are frames that it names,
    whether the page has to do with them or not. Raises ``Deviates``."""
    place: Place = place_of(k, key, named) if named else (k.alike.get(key) or place_of(k, key))
    step = place.alike.steps.get(kind, 0)
    if type(step) is Step:
        if step.needs and not may_be_done(k, step, place.pages, place.frames):
            judge(k, event)
            return
        if step.idle:
            k.time += step.ticks
            return
        do(k, step, place.pages, place.frames, place.made)
        if step.shape is None or named or len(place.pages) > 1:
            _moves_elsewhere(k, place, step)
            return
        if step.after is None:
            step.after = _alike(place.alike.where, step.shape)
        place.alike = step.after
        if step.frames is not None:
            place.frames = tuple([place.frames[at] for at in step.frames])
            place.made = {}
    elif place.alike is SINGULAR or step == NEVER:
        judge(k, event)
    elif step < OFTEN:  # type: ignore[operator]
        place.alike.steps[kind] = step + 1  # type: ignore[operator]
        judge(k, event)
    else:
        recording = Recording(k, place.pages, place.frames)
        with recording:
            judge(k, event)
        found = recording.step()
        if found is not None:
            found.idle = found.does_nothing() and found.shape == place.alike.shape and not named and len(place.pages) == 1
        place.alike.steps[kind] = NEVER if found is None else found


def _moves_elsewhere(k: Knowledge, place: Place, step: Step) -> None:
    """The page has another shape, and it is not known yet to be its own, or other pages do too."""
    if step.shape is None or len(place.pages) > 1:
        for page in place.pages:
            k.alike.pop(page, None)
        return
    frames = place.frames if step.frames is None else [place.frames[at] for at in step.frames]
    k.alike[place.pages[0]] = Place(_alike(place.alike.where, step.shape), place.pages, frames)
