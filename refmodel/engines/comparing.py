"""Values that texts have made, compared as terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import z3

from refmodel.bare import Event
from refmodel.engines.connectives import same
from refmodel.engines.terms import Term, constant
from refmodel.language.annotations import kind_of
from refmodel.language.opaque import Opaque


def is_exit(shown: Any) -> Term:
    event = shown.event
    return event.term == constant(event.kind, Event.EXITED) if isinstance(event, Opaque) else z3.BoolVal(event is Event.EXITED)


def equalities(one: Any, other: Any) -> Iterator[Term]:
    """That two values are the same."""
    if attrs.has(type(one)):
        kind = kind_of(type(one))
        for (_, leaf), a, b in zip(kind.leaves(), kind.flatten(one), kind.flatten(other), strict=True):
            yield same(term_of(leaf, a), term_of(leaf, b))
    else:
        yield z3.BoolVal(one == other)


def term_of(leaf: Any, value: Any) -> Term:
    return value.term if isinstance(value, Opaque) else constant(leaf, value)
