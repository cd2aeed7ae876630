"""A plain function of the model running on solver terms: every path it may take, and what comes of each.

Small pure helpers are *summarised*: followed apart, their paths put together as one term, so that who calls them forks on what
they mean and not on how they get there. Without that a two-dimensional walk has hundreds of thousands of paths.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from refmodel.engines.connectives import number_of
from refmodel.engines.symbolic import Obligation, Symbolic
from refmodel.engines.terms import Term
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault
from refmodel.language.joining import joined_texts, texts_from
from refmodel.language.kinds import Scalar
from refmodel.language.opaque import Opaque, opaque
from refmodel.language.unsound import BadDesign


@attrs.frozen
class Path:
    """One way through a function."""

    conditions: tuple[Term, ...]
    """What must hold of the inputs for the function to go this way."""
    result: Any
    """What it returns, or the ``Fault`` that it raises."""
    obligations: tuple[Obligation, ...]
    """What must hold besides, lest ints and terms part."""


def explore(
    reading: Symbolic,
    run: Callable[[], Any],
    texts: Sequence[Callable[..., Any]],
    *,
    summarised: Sequence[Callable[..., Any]] = (),
    replaced: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
) -> Iterator[Path]:
    """Every path of ``run``, a function of no arguments which calls ``texts``.

    ``summarised`` are taken as one term each; ``replaced`` ones are not run at all, what is given runs in their stead.
    """
    stand_ins: dict[Callable[..., Any], Callable[..., Any]] = {f: _summary(reading, f) for f in summarised}
    stand_ins.update(replaced or {})
    with joined_texts(texts_from(*texts, *summarised)), in_place_of(stand_ins):
        for _ in reading.paths():
            try:
                result = run()
            except Fault as fault:
                result = fault
            yield Path(tuple(reading.conditions), result, tuple(reading.obligations))


def _summary(reading: Symbolic, function: Callable[..., Any]) -> Callable[..., Any]:
    kind = kind_of(typing.get_type_hints(function, include_extras=True)["return"])
    if not isinstance(kind, Scalar):
        raise BadDesign(f"{function.__qualname__} returns no scalar: it cannot be summarised")

    done: dict[tuple[Any, ...], tuple[Term, list[Obligation], tuple[Any, ...]]] = {}

    def summary(*arguments: Any) -> Any:
        key = tuple(_identity(a) for a in arguments)
        if key not in done:  # the arguments are kept, since what identifies them must not be used again
            term, owed = reading.alone(lambda: reading.fold(function, *arguments, kind=kind))
            done[key] = term, owed, arguments
        term, owed, _ = done[key]
        reading.owe(owed)
        return opaque(reading, kind, term)

    return summary


def _identity(value: Any) -> Any:
    """A key of an argument: equal keys make a function return the same."""
    if isinstance(value, Opaque):
        return "term", number_of(value.term)
    return value if isinstance(value, bool | int) else ("record", id(value))


@contextmanager
def in_place_of(stand_ins: Mapping[Callable[..., Any], Callable[..., Any]]) -> Iterator[None]:
    """Wherever a module of the model names one of these functions, it names the stand-in."""
    changed: list[tuple[dict[str, Any], str, Any]] = []
    modules = [vars(m) for n, m in sys.modules.items() if n.startswith("refmodel.machine.")]
    for function, stand_in in stand_ins.items():
        for space in {id(s): s for s in [*modules, function.__globals__]}.values():
            if space.get(function.__name__) is function:
                changed.append((space, function.__name__, function))
                space[function.__name__] = stand_in
    try:
        yield
    finally:
        for space, name, function in changed:
            space[name] = function
