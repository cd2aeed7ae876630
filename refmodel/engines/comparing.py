"""Values that texts have made, compared as terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import z3

from refmodel.bare import Event
from refmodel.engines.connectives import identical, negation, same
from refmodel.engines.terms import TRUE, Term, constant
from refmodel.language.annotations import kind_of
from refmodel.language.opaque import Opaque


def is_exit(shown: Any) -> Term:
    event = shown.event
    return event.term == constant(event.kind, Event.EXITED) if isinstance(event, Opaque) else z3.BoolVal(event is Event.EXITED)


def differences(one: Any, other: Any) -> Iterator[Term]:
    """What has to hold, one thing of it at least, if two values are not the same. Of the same term nothing is said."""
    if attrs.has(type(one)):
        kind = kind_of(type(one))
        for (_, leaf), a, b in zip(kind.leaves(), kind.flatten(one), kind.flatten(other), strict=True):
            mine, theirs = term_of(leaf, a), term_of(leaf, b)
            if not identical(mine, theirs):
                yield negation(same(mine, theirs))
    elif one != other:
        yield TRUE


def term_of(leaf: Any, value: Any) -> Term:
    return value.term if isinstance(value, Opaque) else constant(leaf, value)
