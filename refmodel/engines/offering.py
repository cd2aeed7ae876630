"""What a step of another design may be about, so that it is the one that a path takes: values that the path knows.

There is such a step if there is one for any of these values. On ints all that there are can be tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from refmodel.engines.comparing import term_of
from refmodel.engines.connectives import number_of
from refmodel.engines.paths import Path, Segment
from refmodel.engines.symbolic_tables import Reset
from refmodel.language.asking import answering
from refmodel.language.design import Operation
from refmodel.language.kinds import Kind, NameKind, PageKind
from refmodel.language.opaque import Opaque, Reading, asking
from refmodel.language.tables import NOTHING

Values = Mapping[Kind, Sequence[Any]]

MOST = 6
"""Values of one kind that are taken from tables."""


def identity(kind: Kind, value: Any) -> tuple[int, ...]:
    """Equal for values that are the same term by term."""
    return tuple([number_of(term_of(leaf, v)) for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)])


def distinct(kind: Kind, values: Iterable[Any]) -> list[Any]:
    """Each of these values once, in their order."""
    found: dict[tuple[int, ...], Any] = {}
    for value in values:
        found.setdefault(identity(kind, value), value)
    return [*found.values()]


class Offer:
    """What the path knows, for what nothing in the other design's step stands for by its name. Whether that is asked for is noted:
    more need not be tried where it is not."""

    def __init__(self, reading: Reading, named: Values, chosen: int, more: Values | None) -> None:
        self.reading, self.named, self.chosen, self.more = reading, named, chosen, more
        self.asked: set[Kind] = set()

    def of_kind(self, kind: Kind) -> list[Any]:
        """What there is of a kind."""
        self.asked.add(kind)
        known = [*self.named.get(kind, ()), *(self.more or {}).get(kind, ())]
        return [asking(self.reading, each) for each in distinct(kind, known)]

    def is_named(self, kind: Kind, value: Any) -> bool:
        """Whether the path itself is about a value, which is then not NOTHING."""
        return identity(kind, value) in [identity(kind, each) for each in self.named.get(kind, ())]

    def to_choose(self, kind: Kind, number: int) -> list[Any]:
        """Candidates for a choice of the other design's step, when all else has been tried. If the path itself made a choice with
        this number, that choice is the only candidate."""
        if number < self.chosen:
            return []
        found = self.of_kind(kind)
        return found if self.more is not None else []


def is_nothing(kind: Kind, value: Any) -> bool:
    """Whether a value is NOTHING on every run."""
    return isinstance(kind, NameKind) and not isinstance(value, Opaque) and value == NOTHING


def choices_of(segment: Segment) -> list[tuple[Kind, Any]]:
    """What has been chosen."""
    return [answer for answer in segment.answers if not isinstance(answer, bool)]


def named_by(op: Operation, arguments: Sequence[Any], segment: Segment) -> Values:
    """What a part of a path is about, by kind: the operation's arguments, and what it has chosen. No name of these is NOTHING."""
    return _by_kind([*zip([kind for _, kind in op.parameters], arguments, strict=True), *choices_of(segment)])


def held_by(path: Path, segment: Segment) -> Values:
    """What a part of a path has read from tables and written to them, by kind. A name of these may be NOTHING."""
    found = _by_kind([*_written(segment), *_read(path, segment)])
    return {kind: distinct(kind, values)[:MOST] for kind, values in found.items()}


def _by_kind(values: Iterable[tuple[Kind, Any]]) -> dict[Kind, list[Any]]:
    found: dict[Kind, list[Any]] = {}
    for kind, value in values:
        found.setdefault(kind, []).append(value)
    return found


def _written(segment: Segment) -> Iterator[tuple[Kind, Any]]:
    for name in sorted(segment.written):
        table = getattr(segment.after, name)
        for write in table.writes:
            if not isinstance(write, Reset):
                yield from _entry(table, write.key)


def _read(path: Path, segment: Segment) -> Iterator[tuple[Kind, Any]]:
    for look in path.lookups.values():
        table = getattr(segment.before, look.table)
        if table.base == look.base:
            yield from _entry(table, look.key)


def _entry(table: Any, key: Any) -> Iterator[tuple[Kind, Any]]:
    """An entry, and each scalar in it."""
    if isinstance(table.kind.value, PageKind):
        return
    with answering(table.reading):
        leaves = table.peek(key)
        entry = table.value_of(leaves if table.domain is None else leaves[1:])  # the first leaf says whether the key is there
    kind = table.kind.value
    yield kind, entry
    yield from ((leaf, value) for (path, leaf), value in zip(kind.leaves(), kind.flatten(entry), strict=True) if path)
