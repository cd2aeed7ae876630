"""One way through a helper instead of many: the paths of a call are followed apart and put together behind it.

Whatever comes after a helper that forks is followed on each of its paths. Those that were answered alike and return alike become
one: each write is made where its path is taken (``when``), and what is returned is the one or the other, as of a conditional
expression. It is what the text says, said once.

Paths that return different names stay apart: laws are instantiated at names, and few at one thing or another. At ``SOME``, so do
paths that reset entries of different tables: what every entry is afterwards would depend on the path, which can take long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import attrs

from refmodel.engines.conditions import Counted, Lookup
from refmodel.engines.connectives import choice, conj, disj, identical, is_true, negation, number_of
from refmodel.engines.questions import is_heard, simplified
from refmodel.engines.symbolic_tables import Put, Reset, SymbolicPage, Table
from refmodel.engines.terms import TRUE, Term
from refmodel.language.asking import Refused
from refmodel.language.forks import Forks
from refmodel.language.kinds import FlagKind, NameKind, Scalar
from refmodel.language.opaque import Flag, Opaque, opaque, term_of
from refmodel.language.unsound import Unsound

if TYPE_CHECKING:
    from refmodel.engines.symbolic import Obligation, Symbolic

Write = Put | Reset
Tables = Mapping[str, Table]

NONE, SOME, MOST = 0, 1, 2
"""Which paths are put together."""

CALL_PATHS = 2_000
"""Paths of one call that are followed."""


def attempts(*fuller: int) -> Iterator[tuple[int, AbstractContextManager[None]]]:
    """What to put together at first and then, and at last nothing; and within what to try it: only what is met path by path is an
    error. What a second solver answers is asked path by path alone."""
    for merges in (NONE,) if is_heard() else (*fuller, NONE):
        yield merges, suppress(Unsound) if merges else nullcontext()


@attrs.define(eq=False)
class Part:
    """What a call comes to on some of its paths: all that it adds to the path that it is made on."""

    conditions: list[Term]
    known: dict[int, bool]
    kept: list[Term]
    """The terms of which ``known`` has the ids."""
    answers: list[Any]
    obligations: list[Obligation]
    lookups: dict[tuple[Any, ...], Lookup]
    counts: dict[int, Counted]
    noted: dict[int, tuple[Scalar, Term]]
    model: Any
    writes: dict[str, list[Write]]
    stamp: int
    """The number of the last write."""
    value: Any = None
    error: Exception | None = None


def parts_of(reading: Symbolic, tables: Tables, run: Callable[[], Any]) -> list[Part]:
    """What a call comes to: a part for each way in which it is answered and returns. There is none if the operation applies on none
    of the call's paths."""
    paths, owed = _paths(reading, tables, run)
    groups: dict[Any, list[Part]] = {}
    one_flag = all(_only_says(path) for path in paths)
    for path in paths:
        groups.setdefault("flag" if one_flag else _alike(path, reading.merges), []).append(path)
    parts = [_together(reading, group) for group in groups.values()]
    (parts[0] if parts else reading).obligations += owed
    return parts


def go_on(reading: Symbolic, tables: Tables, part: Part) -> Any:
    """The path goes on behind a call that came to this."""
    reading.conditions += part.conditions
    reading.known.update(part.known)
    reading._kept += part.kept
    reading.answers += part.answers
    reading.obligations += part.obligations
    for lookup in part.lookups.values():
        reading.note(lookup)
    for counted in part.counts.values():
        reading.note_count(counted)
    for kind, term in part.noted.values():
        reading.note_term(kind, term)
    for name, writes in part.writes.items():
        tables[name].writes += writes
    reading._stamp = max(reading._stamp, part.stamp)  # what is written next is written later
    reading.model = None if reading.forks.replaying() else part.model
    if part.error is not None:
        raise part.error
    return part.value


# ---------------------------------------------------------------- following a call


_OF_A_PATH = ("conditions", "known", "_kept", "answers", "obligations", "lookups", "counts", "noted", "model")


def _paths(reading: Symbolic, tables: Tables, run: Callable[[], Any]) -> tuple[list[Part], list[Obligation]]:
    """Every path of a call, each by itself; and what must hold on those on which the operation turns out not to apply."""
    outer = {name: getattr(reading, name) for name in (*_OF_A_PATH, "forks", "_elsewhere")}
    sizes = {name: len(table.writes) for name, table in tables.items()}
    peeked = {name: table._peeked for name, table in tables.items()}
    found: list[Part] = []
    owed: list[Obligation] = []
    reading.forks, reading._elsewhere = Forks(), {}
    try:
        for number, _ in enumerate(reading.forks.paths()):
            if number >= CALL_PATHS:
                raise Unsound(f"a helper with more than {CALL_PATHS:,} paths")
            _begin(reading, outer)
            for name, table in tables.items():
                table._peeked = dict(peeked[name])  # what was looked at on another path was looked at after other writes
            value, error = None, None
            try:
                value = run()
            except Refused:
                owed += reading.obligations
                continue
            except Exception as wrong:  # a Fault, or the monitor aborts: both are judged where the operation ends
                error = wrong
            finally:
                writes = {name: _taken_back(table, sizes[name]) for name, table in tables.items()}
            found.append(_added(reading, outer, {n: w for n, w in writes.items() if w}, value, error))
    finally:
        for name, before in outer.items():
            setattr(reading, name, before)
        for name, table in tables.items():
            table._peeked = peeked[name]
    return found, owed


def _begin(reading: Symbolic, outer: Mapping[str, Any]) -> None:
    """Start a path of a call where the call is made. Numbers of writes go on, since no two writes may have one."""
    reading.conditions, reading.known = list(outer["conditions"]), dict(outer["known"])
    reading.answers, reading._kept, reading.obligations = list(outer["answers"]), [], []
    reading.lookups, reading.counts, reading.noted = {}, {}, {}
    reading.model = None if reading.forks.replaying() else outer["model"]


def _taken_back(table: Table, size: int) -> list[Write]:
    """What was written to a table since it had been written to so often."""
    writes = table.writes[size:]
    del table.writes[size:]
    return writes


def _added(
    reading: Symbolic, outer: Mapping[str, Any], writes: dict[str, list[Write]], value: Any, error: Exception | None
) -> Part:
    """What a path of a call has added to what was there before."""
    known = {n: v for n, v in reading.known.items() if n not in outer["known"]}
    return Part(
        reading.conditions[len(outer["conditions"]) :],
        known,
        reading._kept,
        reading.answers[len(outer["answers"]) :],
        reading.obligations,
        reading.lookups,
        reading.counts,
        reading.noted,
        reading.model,
        writes,
        reading._stamp,
        value,
        error,
    )


def _only_says(path: Part) -> bool:
    """Whether all that comes of a path is a flag."""
    return path.error is None and isinstance(path.value, bool | Flag) and not path.answers and not path.writes


def _alike(path: Part, merges: int) -> object:
    """Equal for paths that can be put together."""
    if path.error is not None:
        return id(path)
    answers = [a if isinstance(a, bool) else ("chosen", *_shapes(a[0].flatten(a[1]))) for a in path.answers]
    apart = [name for name, writes in path.writes.items() if any(isinstance(write, Reset) for write in writes)]
    return tuple(answers), _shape(path.value), frozenset(apart if merges == SOME else ())


def _shape(value: Any) -> tuple[Any, ...]:
    """Equal for values that differ in terms only, and not in names."""
    if isinstance(value, Opaque):
        return ("name", number_of(value.term)) if isinstance(value.kind, NameKind) else ("term", value.kind)
    if isinstance(value, SymbolicPage):
        return "page", value.kind
    if isinstance(value, tuple):
        return "tuple", *_shapes(value)
    if attrs.has(type(value)):
        return type(value), *_shapes(getattr(value, field.name) for field in attrs.fields(type(value)))
    return "constant", type(value), value


def _shapes(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple([_shape(value) for value in values])


# ---------------------------------------------------------------- putting together


class _Tree:
    """Which of some paths is taken, by their conditions: no two paths of a call can be taken that are answered alike."""

    def __init__(self, conditions: Sequence[Sequence[Term]]) -> None:
        self.conditions = conditions

    def one_of(self, some: Sequence[int]) -> Term:
        """That one of these paths is taken."""
        return simplified(self._one_of(some, 0))

    def value(self, values: Mapping[int, Term]) -> Term:
        """The value of the path that is taken, of those that have one."""
        return simplified(self._value(list(values), values, 0))

    def _one_of(self, some: Sequence[int], depth: int) -> Term:
        if len(some) == 1:
            return conj([TRUE, *self.conditions[some[0]][depth:]])
        branches = self._branches(some, depth)
        said = [(cond, self._one_of(below, depth + 1)) for cond, below in branches]
        if _is_complete(branches):
            (cond, one), (_, other) = said
            return one if identical(one, other) else choice(cond, one, other)
        return disj([cond if is_true(below) else conj((cond, below)) for cond, below in said])

    def _value(self, some: Sequence[int], values: Mapping[int, Term], depth: int) -> Term:
        if all(identical(values[i], values[some[0]]) for i in some):
            return values[some[0]]
        branches = self._branches(some, depth)
        found = [(cond, below, self._value(below, values, depth + 1)) for cond, below in branches]
        result = found[-1][2]
        for cond, below, value in reversed(found[:-1]):
            if not identical(value, result):  # a condition alone does not tell a branch from others unless it is one or the other
                result = choice(cond if _is_complete(branches) else self._one_of(below, depth), value, result)
        return result

    def _branches(self, some: Sequence[int], depth: int) -> list[tuple[Term, list[int]]]:
        """The conditions that stand there, and the paths that have each."""
        if any(len(self.conditions[i]) == depth for i in some):
            raise Unsound("two paths of a call of which both can be taken")
        found: dict[int, tuple[Term, list[int]]] = {}
        for i in some:
            cond = self.conditions[i][depth]
            found.setdefault(number_of(cond), (cond, []))[1].append(i)
        return list(found.values())


def _is_complete(branches: Sequence[tuple[Term, list[int]]]) -> bool:
    """Whether these are a condition and its negation."""
    return len(branches) == 2 and identical(branches[1][0], negation(branches[0][0]))


def _together(reading: Symbolic, paths: Sequence[Part]) -> Part:
    """Paths as one."""
    first = paths[0]
    if len(paths) == 1:
        return first
    common = _common([p.conditions for p in paths])
    tree = _Tree([p.conditions[common:] for p in paths])
    one = tree.one_of(range(len(paths)))
    writes = {
        name: _written(reading, tree, [p.writes.get(name, []) for p in paths])
        for name in dict.fromkeys(name for p in paths for name in p.writes)
    }
    return Part(
        conditions=[*first.conditions[:common], *([] if is_true(one) else [one])],
        known={n: v for n, v in first.known.items() if all(p.known.get(n) is v for p in paths)},
        kept=[term for p in paths for term in p.kept],
        answers=first.answers,
        obligations=[o for p in paths for o in p.obligations],
        lookups={identity: lookup for p in paths for identity, lookup in p.lookups.items()},
        counts=_counts(paths),
        noted={number: noted for p in paths for number, noted in p.noted.items()},
        model=next((p.model for p in paths if p.model is not None), None),
        writes=writes,
        stamp=reading._stamp,
        value=_value(reading, tree, [p.value for p in paths]),
    )


def _common(conditions: Sequence[Sequence[Term]]) -> int:
    """With how many conditions all begin."""
    number = 0
    for some in zip(*conditions, strict=False):
        if not all(identical(cond, some[0]) for cond in some):
            break
        number += 1
    return number


def _counts(paths: Sequence[Part]) -> dict[int, Counted]:
    """What was counted on any of these paths, with all that is known of it later."""
    found: dict[int, Counted] = {}
    for number, counted in (each for p in paths for each in p.counts.items()):
        known = found.setdefault(number, counted)
        found[number] = attrs.evolve(known, later=tuple(dict.fromkeys((*known.later, *counted.later))))
    return found


def _value(reading: Symbolic, tree: _Tree, values: Sequence[Any]) -> Any:
    """What is returned on one path or another. All have one shape, or are flags."""
    first = values[0]
    if any(isinstance(v, Flag) for v in values) or (isinstance(first, bool) and not all(v is first for v in values)):
        terms = [term_of(reading, FlagKind(), v) for v in values]
        return opaque(reading, FlagKind(), tree.value(dict(enumerate(terms))))
    if isinstance(first, Opaque):
        return opaque(reading, first.kind, tree.value({i: v.term for i, v in enumerate(values)}))
    if isinstance(first, SymbolicPage):
        return SymbolicPage(reading, first.kind, tree.value({i: v.array for i, v in enumerate(values)}))
    if isinstance(first, tuple):
        return tuple([_value(reading, tree, parts) for parts in zip(*values, strict=True)])
    if attrs.has(type(first)):
        names = [field.name for field in attrs.fields(type(first))]
        return attrs.evolve(first, **{name: _value(reading, tree, [getattr(v, name) for v in values]) for name in names})
    return first


def _written(reading: Symbolic, tree: _Tree, writes: Sequence[Sequence[Write]]) -> list[Write]:
    """What each of the paths writes to one table, as one list: each write is made where a path is taken that has it."""
    lined_up: list[dict[int, Write]] = []
    for number, some in enumerate(writes):
        lined_up = _lined_up(lined_up, number, some)
    return [_one_write(reading, tree, those, len(writes)) for those in lined_up]


def _one_write(reading: Symbolic, tree: _Tree, those: Mapping[int, Write], paths: int) -> Write:
    """Writes of several paths to one place as one, where one of these is taken."""
    one = next(iter(those.values()))
    where = [] if len(those) == paths else [tree.one_of(list(those))]
    if any(write.when is not None for write in those.values()):
        where.append(tree.value({i: TRUE if write.when is None else write.when for i, write in those.items()}))
    when = simplified(conj(where)) if where else None
    if isinstance(one, Reset):
        return Reset(reading.stamp(), one.stated, one.assigned, when)
    every = zip(*[write.leaves for write in those.values() if isinstance(write, Put)], strict=True)
    leaves = [tree.value(dict(zip(those, each, strict=True))) for each in every]
    return Put(reading.stamp(), one.key, tuple(leaves), one.gone, when)


def _lined_up(before: Sequence[dict[int, Write]], number: int, more: Sequence[Write]) -> list[dict[int, Write]]:
    """The shortest list in which the writes of further paths stand in their order, and so do those of this one."""
    theirs, mine = [next(iter(each.values())).place for each in before], [write.place for write in more]
    alike = _alike_from(theirs, mine)
    found: list[dict[int, Write]] = []
    i = j = 0
    while i < len(theirs) or j < len(mine):
        if i < len(theirs) and j < len(mine) and theirs[i] == mine[j]:
            found.append({**before[i], number: more[j]})
            i, j = i + 1, j + 1
        elif j == len(mine) or (i < len(theirs) and alike[i + 1][j] >= alike[i][j + 1]):
            found.append(before[i])
            i += 1
        else:
            found.append({number: more[j]})
            j += 1
    return found


def _alike_from(theirs: Sequence[object], mine: Sequence[object]) -> list[list[int]]:
    """How many places two lists have in common in the same order, from any two positions on."""
    found = [[0] * (len(mine) + 1) for _ in range(len(theirs) + 1)]
    for i in reversed(range(len(theirs))):
        for j in reversed(range(len(mine))):
            found[i][j] = found[i + 1][j + 1] + 1 if theirs[i] == mine[j] else max(found[i + 1][j], found[i][j + 1])
    return found
