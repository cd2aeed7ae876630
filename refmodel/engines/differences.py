"""What a step changed: two states, compared entry by entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from refmodel.language.design import Outline


@attrs.frozen
class Change:
    """One entry of one table that a step changed."""

    table: str
    key: Any
    was: Any
    now: Any


def changes(design: Outline, before: Any, after: Any) -> Iterator[Change]:
    """What differs between two states, entry by entry."""
    for kind in design.tables:
        was, now = getattr(before, kind.name), getattr(after, kind.name)
        for key in sorted(set(was) | set(now), key=str):
            old, new = was.get(key), now.get(key)
            if old != new:
                yield Change(kind.name, key, old, new)
