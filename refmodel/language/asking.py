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
    """In plain Python, ``require`` raises this if its condition is false: the operation does not apply, and the state is unchanged.

    Code that runs operations by itself has to catch it. A design may neither raise nor catch it."""


class Fault(Exception):
    """Base of the outcomes that an operation may raise, such as a page fault: ``raise PageFault("write")``.

    The operation ends there. Its stores up to that point are kept, and laws are judged of the state then. A law about such an
    outcome has a parameter ``outcome`` of that class. Two faults of one class with equal arguments are equal."""

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
    """State when an operation applies: if the condition is false, the operation does not apply, and nothing that it stored is kept.

    In plain Python, ``require`` raises ``Refused`` if the condition is false."""
    if condition is True:
        return
    if condition is False or (isinstance(condition, int) and not condition):
        raise Refused
    if not isinstance(condition, int):
        condition.required()


def choose(annotation: Any, where: Callable[[Any], Any]) -> Any:
    """Any value of a type for which ``where(value)`` holds: ``choose(Mfn, lambda mfn: self.owner[mfn] == NOTHING)``.

    Every such value is explored, and a proof is for all of them. If there is none, the operation does not apply. A monitor
    that may run out of what it chooses says so with ``fails``. Raises ``Unsound`` outside of refmodel's engines.
    """
    return answerer().choose(kind_of(annotation), where)


FAILS = " fails"
"""What a question about an allocation ends with."""


def fails(what: str) -> bool:
    """Does an allocation fail? ``what`` names it, such as ``"swap slot"``, and is shown in runs. Both answers are explored, and a
    proof is for both, however much is free. Raises ``Unsound`` outside of refmodel's engines."""
    answer: bool = answerer().yes(what + FAILS)
    return answer


CACHED = " cached"
"""What a question about the use of a cached translation ends with."""


def cached(what: str) -> bool:
    """Does a processor use a translation that it has cached, rather than walk the tables? ``what`` names what is cached, such as
    ``"IOTLB entry"``.

    Both answers are explored, since a processor may drop what it has cached at any time (SDM Vol. 3A 4.10.2).
    Raises ``Unsound`` outside of refmodel's engines."""
    answer: bool = answerer().yes(what + CACHED)
    return answer


def count(table: Total[Any, Any], where: Callable[..., Any]) -> int:
    """How many entries satisfy ``where(entry, *key)``: ``count(self.p2m, lambda entry, vm, gfn: entry.mfn == mfn)``.

    A proof knows the exact number, for tables of any size. Raises ``Unsound`` outside of refmodel's engines."""
    number: int = answerer().count(table, where)
    return number


def reset(table: Total[Any, Any], where: Callable[..., Any]) -> None:
    """Give every entry that satisfies ``where(entry, *key)`` the default of its type again: a flush of a cache of any size.

    Entries of a partial table are removed. All entries are looked at before any is changed. Raises ``Unsound`` outside of
    refmodel's engines."""
    answerer().reset(table, where)


def assign(table: Total[Any, Any], where: Callable[..., Any], value: Any) -> None:
    """Store a value in every entry that satisfies ``where(entry, *key)``, for tables of any size. ``value`` is the value itself, or
    a function that works it out as ``value(entry, *key)``. All entries are looked at before any is changed. Raises ``Unsound``
    outside of refmodel's engines."""
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


def implies(premise: Any, conclusion: Any) -> bool:
    """True unless the premise is true and the conclusion false. Laws are written with ``implies``.

    Both arguments are evaluated, even if the premise is false. A law none of whose premises can be true is reported as vacuous."""
    if premise is False:
        return True
    Premises.told(premise, sys._getframe(1))
    holds: bool = conclusion if premise is True else premise.implies(conclusion)
    return holds


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
