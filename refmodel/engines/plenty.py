"""An operation where no allocation fails; and whether it would be taken if there were one frame more.

Where an operation asks whether an allocation ``fails`` and then chooses a frame, there may be none to choose: it waits for memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import z3

from refmodel.engines.conditions import Lookup
from refmodel.engines.connectives import conj, number_of
from refmodel.engines.instances import Instance
from refmodel.engines.paths import Path
from refmodel.engines.questions import simplified
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.terms import FALSE, Term
from refmodel.language.asking import FAILS
from refmodel.language.design import Outline
from refmodel.language.kinds import FlagKind, Kind, NameKind
from refmodel.language.opaque import opaque

IN_MEMORY = "in memory "
"""What the terms begin with that stand for what is chosen after an allocation, such as a frame: there may be none."""


class Plenty(Symbolic):
    """A reading in which no allocation fails, and in which the hardware uses what it has cached by a rule of its own: one answer
    for each question, and each place among what is asked before. Allocations are noted, and what is asked of the hardware."""

    def __init__(self, design: Outline, asked_for: set[str], of_hardware: dict[str, Term]) -> None:
        super().__init__(design)
        self._asked_for, self._of_hardware = asked_for, of_hardware
        self._needs_memory = False

    def begin(self) -> None:
        super().begin()
        self._needs_memory = False

    def yes(self, question: str) -> bool:
        at = len(self.answers)
        if not question.endswith(FAILS):
            rule = self._of_hardware.setdefault(f"{question}!{at}", z3.Bool(f"{question}!{at}"))
            answer = bool(opaque(self, FlagKind(), rule))
            self.answers.append(answer)
            return answer
        self._needs_memory = True
        self._asked_for.add(question.removesuffix(FAILS))
        self.answers.append(False)
        return False

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        needs_memory = self._needs_memory and isinstance(kind, NameKind)
        called, self.choices = self.choices, f"{IN_MEMORY if needs_memory else ''}{self.choices}"
        try:
            return super().choose(kind, where)
        finally:
            self.choices = called


def with_one_more(way: Term, path: Path, state: Any, laws: Sequence[Instance]) -> Term:
    """That what has to hold for a path to be taken would hold if what is chosen after an allocation were a name that there is not
    yet: none of those that there are, counted nowhere, with all its entries as at power-on. ``state``: where the path begins.

    ``laws`` about such a name have to hold too: by a law that a page of it is like one of another, it may not be as at power-on.
    What else they look up for it may be anything."""
    entries: list[tuple[Term, Term]] = []
    looked_up = set[object]()
    for lookup in path.lookups.values():
        table = getattr(state, lookup.table)
        if lookup.base == table.base and _is_of_memory(lookup):
            entries += zip(table.symbols.at(lookup.key, lookup.ids), table.initial(), strict=True)
            looked_up.add(lookup.identity)
    if _speaks_of_memory(way):
        lawful = [each.body for each in laws if all(x.identity in looked_up for x in each.lookups if _is_of_memory(x))]
        way = conj([way, *lawful])
    new = simplified(z3.substitute(way, *entries) if entries else way)  # so that what is not NOTHING is not equal to it
    while facts := _facts(new):
        if not all(map(_is_new, facts)):
            return FALSE
        new = simplified(z3.substitute(new, *((each, z3.IntVal(0) if z3.is_int(each) else FALSE) for each in facts)))
    return new


def _facts(term: Term) -> list[Term]:
    """What a condition says of names that are chosen after an allocation, in its smallest parts that are conditions or numbers."""
    found: dict[int, Term] = {}
    todo, seen = [term], set[int]()
    while todo:
        each = todo.pop()
        if number_of(each) in seen or not _speaks_of_memory(each):
            continue
        seen.add(number_of(each))
        smaller = [part for part in _conditions_within(each) if _speaks_of_memory(part)]
        todo += smaller
        if not smaller:
            found[number_of(each)] = each
    return list(found.values())


def _conditions_within(term: Term) -> Iterator[Term]:
    """The largest conditions and numbers that a term is made of."""
    todo = term.children()
    while todo:
        each = todo.pop()
        if z3.is_bool(each) or z3.is_int(each):
            yield each
        else:
            todo += each.children()


def _is_new(fact: Term) -> bool:
    """Whether this says that a name which there is not yet is one of those that there are, or how often it is met there."""
    if z3.is_int(fact):
        return True
    parts = fact.children() if z3.is_eq(fact) else []
    return any(map(is_in_memory, parts)) and all(is_in_memory(part) or not _speaks_of_memory(part) for part in parts)


def is_in_memory(term: Term) -> bool:
    """Whether a term is what is chosen after an allocation."""
    return bool(z3.is_const(term) and term.decl().name().startswith(IN_MEMORY))


def _is_of_memory(lookup: Lookup) -> bool:
    """Whether something is looked up for what is chosen after an allocation."""
    return any(map(_speaks_of_memory, lookup.key))


def _speaks_of_memory(term: Term) -> bool:
    """Whether a term speaks of what is chosen after an allocation."""
    todo, seen = [term], set[int]()
    while todo:
        each = todo.pop()
        if number_of(each) not in seen:
            seen.add(number_of(each))
            todo += each.children()
            if is_in_memory(each):
                return True
    return False


__all__ = ["Plenty", "is_in_memory", "with_one_more"]
