"""What a text asks of whoever runs it: may I go on, which one, does it fail, is it cached.

A design asks, an engine answers. The random engine draws an answer, the exhaustive one takes them all, the
symbolic one hands out a fresh term that stands for all at once, replay reads a recorded list.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection
from types import FrameType, FunctionType, MethodType
from typing import Any, ClassVar, Protocol

from refmodel.language.annotations import kind_of
from refmodel.language.kinds import Kind
from refmodel.language.tables import Partial, Total
from refmodel.language.unsound import Unsound


class Refused(Exception):
    """A ``require`` that does not hold: the operation does not apply here, and has not happened."""


class Fault(Exception):
    """Base of the outcomes a text may raise on purpose. The operation has ended, and failed.

    Two of one class and one text are equal, as records are: a guest cannot tell them apart."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Fault) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class Answerer(Protocol):
    """Who answers: one of the engines."""

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any: ...
    def yes(self, question: str) -> Any: ...
    def count(self, table: Any, where: Callable[..., Any]) -> Any: ...
    def reset(self, table: Any, where: Callable[..., Any]) -> None: ...
    def assign(self, table: Any, where: Callable[..., Any], value: Any) -> None: ...


_answerers: list[Answerer] = []


begin_answering: Callable[[Answerer], None] = _answerers.append
"""From now on this answerer answers, until ``end_answering``: ``answering`` without the with-statement."""
end_answering: Callable[[], Answerer] = _answerers.pop


class answering:  # a with-statement's word; a class, because it is entered at every step
    """While this holds, ``answerer`` answers."""

    __slots__ = ("answerer",)

    def __init__(self, answerer: Answerer) -> None:
        self.answerer = answerer

    def __enter__(self) -> None:
        _answerers.append(self.answerer)

    def __exit__(self, *_: object) -> None:
        _answerers.pop()


def answerer() -> Answerer:
    """Who answers now; ``Unsound`` if nobody does."""
    if not _answerers:
        raise Unsound("a text asked a question while no engine was running it")
    return _answerers[-1]


def current() -> Answerer | None:
    """Who answers now, if anybody does."""
    return _answerers[-1] if _answerers else None


def require(condition: Any) -> None:
    """Go on only where this holds; elsewhere the operation does not apply."""
    if condition is True:
        return
    if condition is False or (isinstance(condition, int) and not condition):
        raise Refused
    if not isinstance(condition, int):
        condition.required()


def choose(annotation: Any, where: Callable[[Any], Any]) -> Any:
    """Any value of this kind for which ``where`` holds: the text does not care which.

    If there is none, the operation does not apply. A monitor that may run out says so with ``fails``.
    """
    return answerer().choose(kind_of(annotation), where)


FAILS = " fails"
"""What a question about an allocation ends with."""


def fails(what: str) -> bool:
    """Does this allocation fail? An engine may always say yes."""
    answer: bool = answerer().yes(what + FAILS)
    return answer


def cached(what: str) -> bool:
    """Does the hardware use the translation it has cached? It may have dropped it at any time."""
    answer: bool = answerer().yes(f"{what} cached")
    return answer


def count(table: Total[Any, Any], where: Callable[..., Any]) -> int:
    """How many entries satisfy ``where(entry, *key)``. Exact in every reading, for any size."""
    number: int = answerer().count(table, where)
    return number


def reset(table: Total[Any, Any], where: Callable[..., Any]) -> None:
    """Put back to the default every entry that satisfies ``where(entry, *key)``: a flush, for any size."""
    answerer().reset(table, where)


def assign(table: Total[Any, Any], where: Callable[..., Any], value: Any) -> None:
    """Let every entry that satisfies ``where(entry, *key)`` be this value, or what a function ``value(entry, *key)`` gives:
    what is done to many at once, for any number."""
    answerer().assign(table, where, value)


Site = tuple[str, int, int]
"""Where an implication stands in a text: file, line and column."""
Span = tuple[str, tuple[int, int], tuple[int, int]]
"""A part of a text: its file, and the lines and columns where it begins and ends."""


class Premises:
    """Whether an implication evaluated since ``begin`` had a true premise: the measure of a law's vacuity."""

    met = False
    only: Site | None = None
    """The one implication that counts; None if all do."""
    apart = False
    """Whether implications are told apart."""
    plainly: Callable[[Site | None], None] | None = None
    """Told of a premise that is plainly true, which no reading is handed; None on ints."""
    site: Site | None = None
    """The implication that is evaluated, if they are told apart."""
    left_out: ClassVar[Collection[Span]] = ()
    """The parts of the text in which no implication counts."""
    aside = False
    """Whether what is told is no premise of the law's, and noted only where premises are told apart."""
    within: ClassVar[list[Any]] = []
    """The premises of the implications whose conclusion is evaluated."""

    @classmethod
    def begin(
        cls,
        only: Site | None = None,
        apart: bool = False,
        plainly: Callable[[Site | None], None] | None = None,
        left_out: Collection[Span] = (),
    ) -> None:
        """From now on it is measured whether a premise is met, or that of one implication. ``apart``: of each by itself, too.
        ``plainly`` is told of each that is plainly true. What stands in parts of the text that are ``left_out`` does not count."""
        cls.met, cls.only, cls.apart, cls.plainly, cls.left_out = False, only, apart, plainly, left_out

    @classmethod
    def told(cls, condition: Any, caller: FrameType) -> None:
        """A premise, which is not plainly false. It counts where it holds together with those that it is within."""
        for outer in cls.within:
            if outer is False:
                return
            if outer is not True:
                condition = outer if condition is True else outer & condition
        site = _site(caller) if cls.apart or cls.only is not None or cls.left_out else None
        if site is not None and any(within(site, span) for span in cls.left_out):
            return
        counts = cls.only == site if cls.aside else cls.only is None or cls.only == site
        if not counts and not (cls.aside and cls.only is None):
            return
        if condition is not True:
            cls.site = site
            condition.told()
        else:
            cls.met = cls.met or counts
            if cls.plainly is not None:
                cls.plainly(site)


def implies(premise: Any, conclusion: Any) -> Any:
    """If the premise holds, so does the conclusion. Both are evaluated; laws are written with it."""
    if premise is False:
        return True
    Premises.told(premise, sys._getframe(1))
    return conclusion if premise is True else premise.implies(conclusion)


def implies_within(premise: Any, conclusion: Callable[[], Any]) -> Any:
    """``implies``, where the conclusion states further premises: they count where this one holds."""
    Premises.within.append(premise)
    try:
        concluded = conclusion()
    finally:
        Premises.within.pop()
    if premise is False:
        return True
    Premises.told(premise, sys._getframe(1))
    return concluded if premise is True else premise.implies(concluded)


def premise(condition: Any, wanted: bool) -> Any:
    """The condition. A law asks for something where it is as wanted: that is told as the premise of an implication is."""
    if isinstance(condition, bool):
        if condition is wanted:
            Premises.told(True, sys._getframe(1))
    else:
        Premises.told(condition if wanted else condition.denied(), sys._getframe(1))
    return condition


def alternative(condition: Any) -> Any:
    """The condition: the first of several alternatives. Where it does not hold the others are asked for, which is noted; it is no
    premise of the law."""
    if not Premises.apart and Premises.only is None:
        return condition
    Premises.aside = True
    try:
        if condition is False:
            Premises.told(True, sys._getframe(1))
        elif condition is not True:
            Premises.told(condition.denied(), sys._getframe(1))
    finally:
        Premises.aside = False
    return condition


def _site(caller: FrameType) -> Site:
    """Where the call stands that is under way. Code that a reading has made of a text stands where the text does."""
    code = caller.f_code
    line, _, column, _ = next(itertools.islice(code.co_positions(), caller.f_lasti // 2, None))
    return code.co_filename, line or 0, column or 0


def within(site: Site, span: Span) -> bool:
    """Whether something stands in a part of a text."""
    file, begins, ends = span
    return site[0] == file and begins <= site[1:] < ends


def concrete_count(table: Total[Any, Any], where: Callable[..., Any]) -> int:
    """``count`` on ints."""
    total = 0
    for key, entry in table.items():
        if where(entry, *key) if type(key) is tuple else where(entry, key):
            total += 1
    return total


def concrete_reset(table: Total[Any, Any], where: Callable[..., Any]) -> None:
    """``reset`` on ints. Every entry is looked at before any is changed; those of a partial table go."""
    if isinstance(table, Partial):
        for key in [k for k, e in table.items() if where(e, *(k if isinstance(k, tuple) else (k,)))]:
            del table[key]
    else:
        concrete_assign(table, where, table.default)


def is_function(value: Any) -> bool:
    """Whether what ``assign`` is given is worked out for each entry, by a function or a method."""
    return isinstance(value, FunctionType | MethodType)


def concrete_assign(table: Total[Any, Any], where: Callable[..., Any], value: Any) -> None:
    """``assign`` on ints. Every entry is looked at, and every new one is made, before any is changed."""
    found = [(k, e) for k, e in table.items() if where(e, *(k if isinstance(k, tuple) else (k,)))]
    if is_function(value):
        new = [(key, value(entry, *(key if isinstance(key, tuple) else (key,)))) for key, entry in found]
    else:
        new = [(key, value) for key, _ in found]
    for key, entry in new:
        table[key] = entry
