"""What is begun and comes to an end: a flush that processors have not acknowledged, a page that is being read in.

    @pending("EFF-4", "A vCPU that was asked to forget acknowledges.", until="acknowledge")
    def unacknowledged(self, vm: Vm, vcpu: Vcpu) -> bool:
        return self.asked[vm, vcpu]

The condition says where something is pending; the operation ``until`` ends it there. Three things are claimed of it, for any number
of names (``engines/progress.py``): wherever it is pending the operation applies, afterwards it is not pending there any more, and
no such operations begin each other's work again for ever.

What is done in turn, as a queue's entries are, has a *rank*: a method that gives a natural number, which falls with each step.

    @pending("EFF-4", "The entries of a queue are handled.", until="handle", rank="length")
    def queued(self) -> bool:
        return self.length() > 0

    def length(self) -> int:
        return self.queue[()].tail - self.queue[()].head
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

import attrs

from refmodel.language.laws import Law, law
from refmodel.language.places import home_of, place_of
from refmodel.language.unsound import BadDesign

if TYPE_CHECKING:
    from refmodel.language.design import Operation


@attrs.frozen(eq=False)
class Pending:
    """A condition that an operation ends. ``@pending(clause, sentence, until=OPERATION)`` makes one of a method."""

    law: Law
    """The condition, with its clause and sentence. It need not hold; that it comes to an end is what is claimed."""
    until: str
    """The operation that ends it. Its parameters are among the condition's, by name."""
    after: tuple[str, ...] = ()
    """What else has to be ended first, everywhere."""
    rank: str = ""
    """The method that says how many steps of the operation are left, at most. Empty where one step ends it at its names."""

    @property
    def name(self) -> str:
        """What the text calls the condition."""
        return self.law.name


@attrs.frozen
class Rank:
    """A number that falls with each step of the operation that ends something."""

    function: Callable[..., Any]
    names: tuple[str, ...]
    """Its parameters after the state, which are among the condition's. It is one number for each value of these."""


def rank_of(cls: type, each: Pending) -> Rank | None:
    """The rank of a condition in a design; None where it has none."""
    if not each.rank:
        return None
    function = getattr(cls, each.rank)
    return Rank(function, tuple(inspect.signature(function).parameters)[1:])


def pending(
    clause: str, sentence: str, *, until: str, after: Sequence[str] = (), rank: str = ""
) -> Callable[[Callable[..., Any]], Pending]:
    """Claim that wherever a condition holds, an operation ends it, once nothing named in ``after`` is pending any more.

    With ``rank``, the name of a method that gives a natural number, the claim is that the number falls with each step of the
    operation that is taken where the condition holds, and that the operation applies as long as it holds anywhere."""

    def bind(function: Callable[..., Any]) -> Pending:
        condition = law(clause, sentence)(function)
        if not isinstance(until, str) or isinstance(after, str) or not all(isinstance(each, str) for each in after):
            raise BadDesign(
                f"{condition.place}: @pending is given until={until!r}, after={after!r}; expected the name of an "
                'operation, and a tuple of names of what is pending: until="finish", after=("unacknowledged",)'
            )
        if not isinstance(rank, str):
            raise BadDesign(
                f"{condition.place}: @pending is given rank={rank!r}; expected the name of a method that gives a number: "
                'rank="length"'
            )
        if condition.about:
            raise BadDesign(
                f"{condition.place}: pending {condition.name} has a parameter {min(condition.about)}; expected names "
                "only, since it is a condition of one state"
            )
        return Pending(condition, until, tuple(after), rank)

    return bind


def pendings(cls: type, operations: Sequence[Operation]) -> tuple[Pending, ...]:
    """What may be pending in a design, in the order of its text; ``BadDesign`` where one makes no sense."""
    _refuse_outside(cls)
    found = stated(cls)
    by_name = {op.name: op for op in operations}
    for name, each in found.items():
        _refuse_odd(cls, name, each, by_name, found)
    waits = {name: each.after for name, each in found.items()}
    for name in found:
        if name in led_to(name, waits):
            raise BadDesign(f"{place_of(home_of(cls, name), name)} waits for itself: what is named in after leads back to it")
    return tuple(found.values())


def stated(cls: type) -> dict[str, Pending]:
    """What a class and those that it is made of say may be pending, by name, whether or not what it waits for makes
    sense; ``BadDesign`` where one is hidden by what is not pending, or stated anew."""
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name, v in vars(base).items() if isinstance(v, Pending))
    found = {name: getattr(cls, name) for name in names}
    for name, each in found.items():
        if not isinstance(each, Pending):
            raise BadDesign(
                f"{place_of(home_of(cls, name), name)} hides what is pending, so that nobody would ask whether it "
                "ends; expected another name"
            )
        first, *others = [base.__qualname__ for base in cls.__mro__ if isinstance(vars(base).get(name), Pending)]
        if others:
            raise BadDesign(
                f"{each.law.place}: {first} states anew what is pending, so that nobody would ask whether what "
                f"{others[0]} says of it still ends; expected another name: both are judged then"
            )
    return found


def led_to(name: str, leads: Mapping[str, Collection[str]]) -> set[str]:
    """What one leads to, step by step."""
    reached: set[str] = set()
    todo = list(leads[name])
    while todo:
        at = todo.pop()
        if at not in reached:
            reached.add(at)
            todo += leads[at]
    return reached


def _refuse_outside(cls: type) -> None:
    """In the body of a class it is known what the condition is about; elsewhere nobody would judge it."""
    modules = [sys.modules[base.__module__] for base in cls.__mro__ if base.__module__ in sys.modules]
    for each in (v for module in modules for v in vars(module).values() if isinstance(v, Pending)):
        raise BadDesign(
            f"{each.law.place}: pending {each.name} stands outside of a design, where it would never be judged; "
            "expected it in the body of the class that it is about"
        )


def _refuse_odd(cls: type, name: str, each: Pending, operations: Mapping[str, Operation], found: Mapping[str, Pending]) -> None:
    odd = next((what for oddities in (_odd(each, operations, found), _odd_rank(cls, each)) for what in oddities), None)
    if odd is not None:
        raise BadDesign(f"{place_of(home_of(cls, name), name)} {odd}")


def _odd(each: Pending, operations: Mapping[str, Operation], found: Mapping[str, Pending]) -> Iterator[str]:
    """What is wrong with what a condition waits for."""
    op = operations.get(each.until)
    if op is None:
        yield f"is pending until {each.until}, which is no operation; expected one of {', '.join(operations)}"
        return
    if op.split:
        yield (
            f"is pending until {op.name}, which yields: others run before it is done. Expected an operation without yield; its "
            "parts may be operations of their own"
        )
    names = dict(each.law.names)
    for parameter, kind in op.parameters:
        if names.get(parameter) != kind:
            yield (
                f"is pending until {op.name}, whose parameter {parameter} it does not have; expected a parameter of that name "
                "and type, which says where it is pending"
            )
    for other in each.after:
        if other not in found:
            yield f"waits for {other}, which is not pending anywhere; expected one of {', '.join(found)}"


def _odd_rank(cls: type, each: Pending) -> Iterator[str]:
    """What is wrong with the method that says how many steps are left."""
    if not each.rank:
        return
    method = inspect.getattr_static(cls, each.rank, None)
    if type(method) is not FunctionType:
        yield (
            f"has the rank {each.rank}, which is no plain method of {cls.__name__}; expected a method that gives a natural number: "
            f"def {each.rank}(self) -> int"
        )
        return
    own = {name for name, _ in each.law.names}
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.name not in own or parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            yield (
                f"has the rank {each.rank}, whose parameter {parameter.name} it does not have; expected "
                f"{'one of ' + ', '.join(sorted(own)) if own else 'no parameter'}"
            )


__all__ = ["Pending", "Rank", "led_to", "pending", "pendings", "rank_of", "stated"]
