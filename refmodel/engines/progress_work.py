"""What is pending in a state on ints, the operations that end it, and each way to answer what these ask."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from refmodel.engines.aborts import in_words
from refmodel.engines.machine import Broken, Machine, Step, copy_of
from refmodel.language.asking import CACHED, FAILS, Refused, answering
from refmodel.language.design import Outline
from refmodel.language.kinds import Kind, NameKind
from refmodel.language.pending import Pending, rank_of, stated
from refmodel.language.sizes import Geometry

ANSWERS = 64
"""Ways to answer what an operation asks, before it counts as refused."""

Due = tuple[Pending, tuple[Any, ...]]
"""What is pending, and where."""


Rule = Mapping[tuple[str, int], bool]
"""Whether the hardware uses something that it has cached, by the question, and by its place among what is asked."""
RULES = 32
"""Rules of the hardware under which an operation is tried."""


class SaysNothing(Exception):
    """A condition or its rank computes in a state what is no value of the language."""

    def __init__(self, due: Due, why: str) -> None:
        super().__init__(why)
        self.due, self.why = due, why


class _Plenty(Machine):
    """A machine in which no allocation fails, unless it has to."""

    plenty = True
    waits = False
    """Whether it came to choose something after an allocation, of which there may be none."""
    rule: Rule | None = None
    """By what the hardware uses what it has cached, and what it does not; None: as it is answered."""
    of_hardware: list[tuple[str, int]]
    """What was asked of the hardware, and where among what was asked before."""

    def yes(self, question: str) -> bool:
        if not question.endswith(FAILS):
            at = question, len(self._asked)
            if at not in self.of_hardware:
                self.of_hardware.append(at)
            return super().yes(question) if self.rule is None else self._answered(question, self.rule.get(at, False))
        return self._answered(question, False) if self.plenty else super().yes(question)

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        self.waits = self.waits or (isinstance(kind, NameKind) and any(question.endswith(FAILS) for *_, question in self._asked))
        return super().choose(kind, where)

    def _answered(self, question: str, answer: bool) -> bool:
        self._asked.append((answer, int(answer), question))
        return answer


class Work:
    """What is pending in states of a design, and the operations that end it."""

    def __init__(self, design: Outline, geometry: Geometry) -> None:
        self.design = design
        self.machine = _Plenty(design, geometry)
        self.machine.of_hardware = []
        self._stated = tuple(stated(design.cls).values())
        """Those that are not judged as well: others may wait for them."""
        self._names = {each.name: self.machine.names_of(each.law) for each in self._stated}
        self._ranks = {each.name: rank_of(design.cls, each) for each in self._stated}
        self._judged = {each.name for each in design.pending}

    def is_judged(self, pending: Pending) -> bool:
        """Whether anybody asked for it."""
        return pending.name in self._judged

    def pending_in(self, state: Any) -> set[str]:
        """The names of the conditions that hold somewhere in a state, or say nothing there, of those that are judged."""
        found = set[str]()
        for each in self.design.pending:
            try:
                holds = any(self.holds(each, names, state) for names in self._names[each.name])
            except SaysNothing:
                holds = True
            if holds:
                found.add(each.name)
        return found

    def due(self, state: Any, early: bool = False) -> list[Due]:
        """What is pending in a state, and waits for nothing else that is; or what waits, and may be ended ``early`` all the same.
        Raises ``SaysNothing``."""
        anywhere = {
            each.name: [names for names in self._names[each.name] if self.holds(each, names, state)] for each in self._stated
        }
        return [
            (each, names)
            for each in self._stated
            if early == any(anywhere[name] for name in each.after)
            for names in anywhere[each.name]
        ]

    def can_end(self, state: Any) -> Iterator[str]:
        """The names of the conditions that hold in a state and that the operation ends which is to end them."""
        for each, names in [due for due in self.due(state) if self.is_judged(due[0])]:
            self.machine.begin(copy_of(self.design, state))
            left = self.left(each, names, self.machine.state)
            if any(self.left(each, names, self.machine.state) < left for _ in self.taken(each, names)):
                yield each.name

    def holds(self, pending: Pending, names: tuple[Any, ...], state: Any) -> bool:
        """Whether it is pending there. Raises ``SaysNothing``."""
        return bool(self._said(pending.law.function, names, state, (pending, names)))

    def left(self, pending: Pending, names: tuple[Any, ...], state: Any) -> int:
        """Its rank there; where it has none, 1 if it is pending, and 0 if not. Raises ``SaysNothing``."""
        rank = self._ranks[pending.name]
        if rank is None:
            return int(self.holds(pending, names, state))
        own = dict(zip((name for name, _ in pending.law.names), names, strict=True))
        return int(self._said(rank.function, [own[name] for name in rank.names], state, (pending, names)))

    def not_ended(self, due: Due, left: int, state: Any) -> str:
        """Why the operation that was taken has not ended what was due, of which so much was left. Empty if it has."""
        now, (pending, _) = self.left(*due, state), due
        if now < left:
            return ""
        if pending.rank:
            return f"{pending.rank} does not fall with {pending.until}: it is {left} before, and {now} after"
        return f"it is still pending after {pending.until}"

    def _said(self, function: Callable[..., Any], values: Sequence[Any], state: Any, due: Due) -> Any:
        try:
            with answering(self.machine):
                return function(state, *values)
        except Exception as wrong:  # what it computes is no value of the language, or a key is missing
            raise SaysNothing(due, in_words(wrong)) from None

    def arguments(self, pending: Pending, names: Sequence[Any]) -> tuple[Any, ...]:
        """What the operation is given that ends it."""
        given = dict(zip((name for name, _ in pending.law.names), names, strict=True))
        return tuple(given[name] for name, _ in self.design.operation(pending.until).parameters)

    def entries(self, state: Any) -> dict[str, dict[Any, Any]]:
        """A copy of all that a state holds."""
        return {table.name: dict(getattr(state, table.name)) for table in self.design.tables}

    def taken(self, pending: Pending, names: Sequence[Any]) -> Iterator[tuple[Step, Answers]]:
        """Each way to take the operation that ends it, in the machine's state, with the answers. Each is undone by the next."""
        op, arguments = self.design.operation(pending.until), self.arguments(pending, names)
        for pick in itertools.islice(each_answer(), ANSWERS):
            self.machine.undo()
            taken = self.machine.attempt(op, arguments, pick)
            if taken is not None:
                yield taken[0], pick
            if pick.asked_for_nothing:
                break
        self.machine.undo()

    def waits_for_memory(self, pending: Pending, names: Sequence[Any]) -> bool:
        """Whether the operation applies if an allocation fails."""
        self.machine.plenty = False
        applies = any(True for _ in self.taken(pending, names))
        self.machine.plenty = True
        self.machine.undo()
        return applies

    def refused(self, pending: Pending, names: Sequence[Any]) -> str:
        """That the operation does not apply, and would not if an allocation failed: at all, or by some rule of the hardware, which
        uses this that it has cached and not that, always. Empty if it applies."""
        self.machine.of_hardware = []
        if not self._applies(pending, names):
            return f"{pending.until} is refused{' if no allocation fails' if self.waits_for_memory(pending, names) else ''}"
        todo: list[Rule] = [{}] if self.machine.of_hardware else []
        for _ in range(RULES):
            if not todo:
                break
            rule = todo.pop()
            self.machine.rule, self.machine.of_hardware = rule, []
            applies = self._applies(pending, names)
            self.machine.rule, left = None, [each for each in self.machine.of_hardware if each not in rule]
            if not applies:
                return f"{pending.until} is refused if {_in_words({**dict.fromkeys(left, False), **rule})}"
            todo += [{**rule, **dict.fromkeys(left[:at], False), each: True} for at, each in enumerate(left)]
        return ""

    def _applies(self, pending: Pending, names: Sequence[Any]) -> bool:
        """Whether the operation applies in some way; or if an allocation fails, where it waits for memory."""
        self.machine.waits = False
        applies = any(True for _ in self.taken(pending, names))
        self.machine.undo()
        return applies or (self.machine.waits and self.waits_for_memory(pending, names))


def _in_words(rule: Rule) -> str:
    """What the hardware uses, and what not."""
    said: dict[str, set[bool]] = {}
    for (question, _), used in rule.items():
        said.setdefault(question.removesuffix(CACHED), set()).add(used)
    how = {True: "is used", False: "is not used"}
    return " and ".join(
        f"the cached {what} {how[min(used)] if len(used) == 1 else 'is used at times'}" for what, used in said.items()
    )


def broken_by(pending: Pending, names: Sequence[Any], why: str) -> Broken:
    """That something pending does not come to an end."""
    law = pending.law
    named = tuple(zip((name for name, _ in law.names), names, strict=True))
    return Broken(law, law.clause, law.sentence, named, f"({law.name}: {why})")


class Answers:
    """Answers to what an operation asks: the first of each, then others in turn."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers, self.sizes = list(numbers), list[int]()

    @property
    def asked_for_nothing(self) -> bool:
        """Whether there was nothing to answer, so that other answers change nothing."""
        return not self.sizes

    def again(self) -> Answers:
        """A new copy of these answers, none of which has been asked for."""
        return Answers(self.numbers)

    def __call__(self, options: Sequence[Any]) -> Any:
        at = len(self.sizes)
        self.sizes.append(len(options))
        number = self.numbers[at] if at < len(self.numbers) else 0
        if number >= len(options):
            raise Refused
        return options[number]


def each_answer() -> Iterator[Answers]:
    """Every way to answer, one after the other, each from what the last was asked."""
    numbers: list[int] = []
    while True:
        pick = Answers(numbers)
        yield pick
        numbers = [pick.numbers[at] if at < len(pick.numbers) else 0 for at in range(len(pick.sizes))]
        while numbers and numbers[-1] + 1 >= pick.sizes[len(numbers) - 1]:
            numbers.pop()
        if not numbers:
            return
        numbers[-1] += 1
