"""Runs and traces as stories: step by step what was done, what changed, what was shown, and the state as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.counterexamples import Counterexample
from refmodel.engines.machine import Broken, Machine, Run, changes, recorded, replay
from refmodel.engines.samples import in_state
from refmodel.engines.words import arguments_of, call, names_of, parts, place, shown
from refmodel.language import Law
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry, Kind, NameKind, PageKind, TableKind
from refmodel.oracle.trace.concerned import OUTLINE
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.reading import Source
from refmodel.oracle.trace.verdicts import Deviation
from refmodel.report.pictures import Marked, Picture, State, picture

LAST = 25
"""Events of a trace that are drawn: those before the one that deviates, and that one."""


@attrs.frozen
class Change:
    where: str
    was: str
    now: str


@attrs.frozen
class Square:
    """The two ways round: what the monitored machine shows, and what the bare machine does."""

    monitored: str
    bare: str
    agree: bool


@attrs.frozen
class Verdict:
    """What is wrong, in words."""

    clause: str
    law: str
    sentence: str
    why: str
    expected: tuple[str, ...] = ()


@attrs.frozen
class StoryStep:
    title: str
    detail: str
    changes: tuple[Change, ...]
    square: Square | None
    verdict: Verdict | None
    picture: Picture


@attrs.frozen
class Story:
    title: str
    steps: tuple[StoryStep, ...]
    footer: str = ""


# ---------------------------------------------------------------- runs of a design


def of_run(design: Outline, geometry: Geometry, run: Run, title: str, footer: str = "", broken: Broken | None = None,
           only: bool = False) -> Story:
    """A run, from power-on; ``broken`` is the law that it is about, if it is not to be the first that its last step breaks.
    With ``only``, pictures leave out tables in which nothing stands out."""
    machine = Machine(design, geometry)
    machine.power_on(recorded(run.initial))
    state = {kind.name: {key: value for key, value in getattr(machine.state, kind.name).items() if value != _default(kind)}
             for kind in design.tables}
    steps = [StoryStep("power on", "", (), None, None, picture(design, state, Marked(only=only)))]
    for number, told in enumerate(replay(design, geometry, run), 1):
        for change in told.changes:
            state[change.table] = {**state[change.table], change.key: change.now}
            if change.now is None or change.now == _default(design.table(change.table)):
                del state[change.table][change.key]
        changed = frozenset((change.table, change.key) for change in told.changes)
        wrong = told.broken and (broken or told.broken)
        looked_at = frozenset() if wrong is None else concerned(design, state, wrong.law, dict(wrong.names))
        steps.append(StoryStep(
            f"{number}. {told.step.operation}({', '.join(arguments_of(design, told.step))})", ", ".join(told.asked),
            tuple(_change(design, c.table, c.key, c.was, c.now) for c in told.changes), _square(told.outcome),
            None if wrong is None else _verdict(wrong), picture(design, state, Marked(changed, looked_at, only))))
    return Story(title, tuple(steps), footer)


def of_broken_run(run: BrokenRun, title: str, only: bool = False) -> Story:
    """A run that breaks a law, with its token."""
    footer = "" if run.token is None else f"refmodel replay {run.token}"
    return of_run(run.judged, run.geometry, run.failure.run, title, footer, run.failure.broken, only)


def of_counterexample(design: Outline, case: Counterexample, title: str) -> Story:
    """A counterexample to induction: the entries that matter of a lawful state, and the step that breaks the law."""
    witness = case.witness
    state = {kind.name: dict[Any, Any]() for kind in design.tables}
    for table, key, value in case.entries:
        state[table][key] = value
    machine = in_state(design, witness.geometry, witness.tables)
    machine.attempt(design.operation(witness.step.operation), witness.step.arguments, recorded(witness.step.answers))
    made = tuple(changes(design, machine.before, machine.state))
    after = {table: dict(entries) for table, entries in state.items()}
    for change in made:
        after[change.table][change.key] = change.now
        if change.now is None or change.now == _default(design.table(change.table)):
            del after[change.table][change.key]
    entries = tuple(_change(design, table, key, None, value) for table, key, value in case.entries)
    looked_at = concerned(design, after, witness.broken.law, dict(witness.broken.names))
    return Story(title, (
        StoryStep("a lawful state", case.of_others(), entries, None, None, picture(design, state, Marked())),
        StoryStep(f"1. {call(design, witness.step)}", "", tuple(_change(design, c.table, c.key, c.was, c.now) for c in made),
                  _square(witness.outcome), _verdict(witness.broken),
                  picture(design, after, Marked(frozenset((c.table, c.key) for c in made), looked_at)))),
        "If no run gets to the first state, a law is missing that excludes it.")


def _default(kind: TableKind) -> Any:
    return None if kind.partial else kind.value.default()


def _change(design: Outline, table: str, key: Any, was: Any, now: Any) -> Change:
    kind = design.table(table)
    return Change(f"{table}[{place(kind, key)}]", *(("-" if value is None else said(kind.value, value)) for value in (was, now)))


def _square(outcome: Any) -> Square | None:
    monitored, bare = getattr(outcome, "shown", None), getattr(outcome, "due", None)
    if monitored is None or bare is None or getattr(monitored.event, "value", "") == "VM exit":
        return None
    one, other = (f"{reply.event.value}, {_cell(reply.cell)}" for reply in (monitored, bare))
    return Square(one, other, bool(monitored == bare))


def _cell(cell: Any) -> str:
    fields = attrs.asdict(cell)
    return ", ".join(f"{name} {value}" for name, value in fields.items()) if any(fields.values()) else "zero"


def _verdict(broken: Broken) -> Verdict:
    names = names_of(broken)
    law = broken.law.name.replace("_", " ") if broken.law else ""
    return Verdict(broken.clause, law, broken.sentence, "; ".join(filter(None, [f"for {names}" if names else "", broken.error])))


def concerned(design: Outline, state: State, law: Law | None, names: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    """The entries that a broken law looked at, for the names for which it is broken."""
    if law is None:
        return frozenset()
    of_sort: dict[str, set[Any]] = {}
    for name, kind in law.names:
        if isinstance(kind, NameKind) and name in names:
            of_sort.setdefault(kind.sort, set()).add(names[name])
    return frozenset((table, key) for table in design.reads(law) for key in state.get(table, {})
                     if _matches(design.table(table), key, of_sort))


def _matches(kind: TableKind, key: Any, of_sort: Mapping[str, set[Any]]) -> bool:
    named = [(k.sort, value) for k, value in parts(kind, key) if isinstance(k, NameKind) and k.sort in of_sort]
    return bool(named) and all(value in of_sort[sort] for sort, value in named)


# ---------------------------------------------------------------- traces


def of_trace(name: str, deviation: Deviation) -> Story:
    """The last events of a trace that deviates, with what was known after each. The file is read again, up to there."""
    judge, steps, before = Judge(name), list[StoryStep](), dict[str, dict[Any, Any]]()
    for line, text in _lines(name):
        if line > deviation.line:
            break
        event = judge.decode(line, text)
        found = judge.one(line, event, text)
        if line > deviation.line - LAST:
            state = known(judge)
            changed = frozenset((t, key) for t in state for key in {*state[t], *before.get(t, {})}
                                if state[t].get(key) is not before.get(t, {}).get(key))
            steps.append(_event(text.decode(errors="replace"), line, state, before, changed, found))
            before = state
    return Story(f"{name}: line {deviation.line} breaks {deviation.clause}", tuple(steps))


def _lines(name: str) -> Iterator[tuple[int, bytes]]:
    for first, block in Source(name).blocks():
        for number, text in enumerate(block.split(b"\n"), first):
            if text.strip():
                yield number, text


def known(judge: Judge) -> dict[str, dict[Any, Any]]:
    """What is known of each table."""
    state = {}
    for kind in OUTLINE.tables:
        table = judge.knowledge.tables[kind.name]
        plain = kind.value.default()
        state[kind.name] = {key: value for key, value in table.items()
                            if (value.words if isinstance(value, Contents) else value != plain)}
    return state


def _event(text: str, line: int, state: State, before: State, changed: frozenset[tuple[str, Any]],
           found: Deviation | None) -> StoryStep:
    changes = tuple(_change(OUTLINE, table, key, before.get(table, {}).get(key), state[table].get(key))
                    for table, key in sorted(changed, key=str)[:12]) if before else ()
    verdict, broken = None, frozenset[tuple[str, Any]]()
    if found is not None:
        verdict = Verdict(found.clause, found.law.replace("_", " "), found.sentence, found.why, found.expected)
        broken = named(state, dict(found.names))
    return StoryStep(f"line {line}", text, changes, None, verdict, picture(OUTLINE, state, Marked(changed, broken), said))


def named(state: State, names: Mapping[str, int]) -> frozenset[tuple[str, Any]]:
    """The entries under these names: a page's, a frame's, a slot's."""
    of_sort = {name.capitalize(): {value} for name, value in names.items()}
    return frozenset((kind.name, key) for kind in OUTLINE.tables for key in state[kind.name] if _matches(kind, key, of_sort))


def said(kind: Kind, value: Any) -> str:
    """A value in words; of contents, the words that are known."""
    if isinstance(value, Contents):
        words = [f"{at:#x}: {word if isinstance(word, int) else word[0]:#x}" for at, word in sorted(value.words.items())[:4]]
        return "{" + "; ".join(words) + ("; …" if len(value.words) > 4 else "") + "}"
    return "zeroes" if isinstance(kind, PageKind) and value.is_zero() else shown(kind, value)


def of_lines(title: str, lines: Sequence[str], verdict: Verdict) -> Story:
    """Lines only, where the trace cannot be read again."""
    empty = Picture(0, 0, 0, (), (), (), ())
    steps = [StoryStep(f"event {number}", text, (), None, verdict if number == len(lines) else None, empty)
             for number, text in enumerate(lines, 1)]
    return Story(title, tuple(steps))
