"""Candidate laws: ``atom implies atom``, an atom alone, and uniqueness.

Which of them hold in all states that were seen, and which of those exclude a given state.

They are far too many to be written down one by one. For each atom a word of bits remembers which atoms have held wherever it held.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from refmodel.engines.atoms import Scheme, Term, fields, named, scheme
from refmodel.engines.machine import Machine
from refmodel.engines.written import Writer
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.kinds import FlagKind, NameKind, Scalar, TableKind
from refmodel.language.sizes import Geometry


@attrs.frozen
class Candidate:
    """What a law could say."""

    names: tuple[tuple[str, Scalar], ...]
    premise: str
    conclusion: str
    label: str
    cost: int

    @property
    def body(self) -> str:
        """The expression of the law."""
        return f"implies({self.premise}, {self.conclusion})" if self.premise else self.conclusion

    @property
    def sentence(self) -> str:
        """The law in words."""
        said = in_words(self.conclusion)
        return f"Where {in_words(self.premise)}, {said}." if self.premise else f"Always {said}."


def in_words(text: str) -> str:
    """A condition as it is read aloud."""
    text = re.sub(r"count\(s\.(\w+), lambda [^:]*: ([^()]*)\)", r"the number of entries of \1 with \2", text)
    if text.startswith("not "):
        return f"{in_words(text[4:])} is false"
    text = re.sub(r"\bs\.", "", text)
    for old, new in ((" != NOTHING", " is not NOTHING"), (" != ", " is not "), (" == ", " is "), ("(", ""), (")", "")):
        text = text.replace(old, new)
    return text


class Candidates:
    """All candidates about some tables of a design, as far as the states that were seen leave them."""

    def __init__(self, design: Outline, tables: Sequence[TableKind], writer: Writer) -> None:
        self._space = writer.module.__dict__
        self._machine = Machine(design, design.cls.geometry)
        self._schemes = [_Implications(scheme(design, table, tables), self._space) for table in tables]
        self._others = [(each, self._holding(each)) for table in tables for each in unique(table)]
        self.made = len(self._others) + sum(each.made for each in self._schemes)

    def _holding(self, candidate: Candidate) -> Callable[..., Any]:
        premise = candidate.premise or "True"
        return _compiled(candidate.names, f"not ({premise}) or ({candidate.conclusion})", self._space)

    @property
    def left(self) -> int:
        """How many hold in every state that was seen."""
        return len(self._others) + sum(each.left for each in self._schemes)

    def see(self, state: Any) -> None:
        """What does not hold in this state is no candidate any more."""
        with answering(self._machine):
            for each in self._schemes:
                each.see(state, self._machine.geometry)
            own = self._machine.geometry
            self._others = [(c, holds) for c, holds in self._others if _everywhere(c, holds, state, own)]

    def excluding(self, state: Any, geometry: Geometry, rejected: set[str]) -> list[Candidate]:
        """The candidates that do not hold in this state of this geometry, the simplest first."""
        with answering(self._machine):
            found = [c for c, holds in self._others if not _everywhere(c, holds, state, geometry)]
            for each in self._schemes:
                found += each.excluding(state, geometry, rejected)
        unlike = {c.body: c for c in found if c.body not in rejected}
        return sorted(unlike.values(), key=lambda c: (c.cost, len(c.body), c.body))


def _everywhere(candidate: Candidate, holds: Callable[..., Any], state: Any, geometry: Geometry) -> bool:
    values = itertools.product(*(kind.values(geometry) for _, kind in candidate.names))
    return all(holds(state, *each) for each in values)


def _compiled(names: Sequence[tuple[str, Scalar]], text: str, space: dict[str, Any]) -> Callable[..., Any]:
    """A condition of the templates' own making, as a function on ints."""
    made: Callable[..., Any] = eval(f"lambda s, {', '.join(n for n, _ in names)}: {text}", space)
    return made


class _Implications:
    """What may be said with one scheme. A condition is numbered twice its atom's number, and its denial one more."""

    def __init__(self, of: Scheme, space: dict[str, Any]) -> None:
        self.names, self.atoms = of.names, of.atoms
        self._all = _compiled(of.names, "(" + "".join(f"bool({atom.text}), " for atom in of.atoms) + ")", space)
        self._everything = (1 << 2 * len(of.atoms)) - 1
        self._with = [self._everything] * (2 * len(of.atoms))
        """For each condition, those that held wherever it held."""
        self._always, self._ever = self._everything, 0
        self._seen: set[int] = set()

    @property
    def made(self) -> int:
        number = 2 * len(self.atoms)
        return number + number * (number - 2) // 2

    @property
    def left(self) -> int:
        return sum(bits.bit_count() - 1 for bits in self._with) // 2

    def _masks(self, state: Any, geometry: Geometry) -> Iterator[int]:
        """For all names, the conditions that hold."""
        for values in itertools.product(*(kind.values(geometry) for _, kind in self.names)):
            mask = 0
            for number, holds in enumerate(self._all(state, *values)):
                mask |= 1 << (2 * number + (not holds))
            yield mask

    def see(self, state: Any, geometry: Geometry) -> None:
        for mask in self._masks(state, geometry):
            if mask in self._seen:
                continue
            self._seen.add(mask)
            self._always, self._ever = self._always & mask, self._ever | mask
            for number in _bits(mask):
                self._with[number] &= mask

    def excluding(self, state: Any, geometry: Geometry, rejected: set[str]) -> Iterator[Candidate]:
        for mask in self._masks(state, geometry):
            for number in _bits(self._always & ~mask):
                yield self._alone(number)
            for premise in _bits(mask & self._ever):
                weaker = self._with[premise] & ~mask
                for conclusion in _bits(weaker):
                    alone = self._always >> conclusion & 1 and self._alone(conclusion).body not in rejected
                    if not alone and not self._about(premise) & self._about(conclusion):
                        yield self._implies(premise, conclusion)

    def _about(self, number: int) -> frozenset[str]:
        return self.atoms[number // 2].about

    def _text(self, number: int) -> tuple[str, str, int]:
        atom = self.atoms[number // 2]
        if number % 2:
            return atom.denied, atom.denied_label, atom.cost + atom.denying
        return atom.text, atom.label, atom.cost

    def _alone(self, number: int) -> Candidate:
        text, label, cost = self._text(number)
        return Candidate(self._names_in(text), "", text, label, cost)

    def _implies(self, premise: int, conclusion: int) -> Candidate:
        """The implication, or the same the other way round if that is simpler."""
        one = self._text(premise), self._text(conclusion)
        other = self._text(conclusion ^ 1), self._text(premise ^ 1)
        chosen = min(one, other, key=lambda way: (way[0][2] + way[1][2], way[0][2], way[0][0]))
        (before, label, cost), (after, other_label, other_cost) = chosen
        names = self._names_in(f"{before} {after}")
        return Candidate(names, before, after, f"{label}_implies_{other_label}", 1 + cost + other_cost)

    def _names_in(self, text: str) -> tuple[tuple[str, Scalar], ...]:
        return tuple((n, kind) for n, kind in self.names if re.search(rf"\b{n}\b", text))


def _bits(word: int) -> Iterator[int]:
    while word:
        low = word & -word
        yield low.bit_length() - 1
        word ^= low


# ---------------------------------------------------------------- uniqueness


def unique(table: TableKind) -> Iterator[Candidate]:
    """Two keys whose entries name the same thing are the same, or agree in a part."""
    mine, others = named(table), named(table, "other_")
    own, their = (fields(table, [Term(n, kind, n, 0) for n, kind in names]) for names in (mine, others))
    pairs = list(zip(own, their, strict=True))
    names = [(a, b) for a, b in pairs if isinstance(a.kind, NameKind)]
    flags: list[tuple[Term, Term] | None] = [None, *((a, b) for a, b in pairs if isinstance(a.kind, FlagKind))]
    groups = [[each] for each in names] + [list(two) for two in itertools.combinations(names, 2)]
    parts = [f"{a} == {b}" for (a, _), (b, _) in zip(mine, others, strict=True)]
    ends = dict.fromkeys([" and ".join(parts), *parts])
    for group, flag, end in itertools.product(groups, flags, ends):
        said = [
            *([f"{flag[0].text}", f"{flag[1].text}"] if flag else []),
            *(f"{a.text} != NOTHING" for a, _ in group),
            *(f"{a.text} == {b.text}" for a, b in group),
        ]
        guards = [f"{t.guard}" for t in group[0] if t.guard]
        label = "_".join([*(a.label for a, _ in group), "is_unique", *(["if", flag[0].label] if flag else [])])
        yield Candidate((*mine, *others), " and ".join([*guards, *said]), end, label, 3 + 2 * len(group) + 2 * (flag is not None))
