"""Runs as stories: step by step what was done, what changed, what was shown, and the state as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.counterexamples import Counterexample
from refmodel.engines.machine import Broken, Machine, Run, recorded
from refmodel.engines.outcomes import exits, reply_in
from refmodel.engines.replaying import replay
from refmodel.engines.words import ABSENT, call, names_of, outcome_text, parts, place, shown
from refmodel.language import Law
from refmodel.language.design import Outline
from refmodel.language.kinds import Kind, NameKind, PageKind, TableKind
from refmodel.language.sizes import Geometry
from refmodel.report.pictures import Marked, Picture, State, picture


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
    shows: str = ""
    """What it showed, if that has no square. Figures, which have no room, leave it out."""


@attrs.frozen
class Story:
    title: str
    steps: tuple[StoryStep, ...]
    footer: str = ""
    history: str = ""
    """What the steps have in common, where they are not all that happened."""


# ---------------------------------------------------------------- runs of a design


def of_run(
    design: Outline, geometry: Geometry, run: Run, title: str, footer: str = "", broken: Broken | None = None, only: bool = False
) -> Story:
    """A run, from power-on; ``broken`` is the law that it is about, if it is not to be the first that its last step breaks.
    With ``only``, pictures leave out tables in which nothing stands out."""
    machine = Machine(design, geometry)
    machine.power_on(recorded(run.initial))
    state = {
        kind.name: {key: value for key, value in getattr(machine.state, kind.name).items() if value != _default(kind)}
        for kind in design.tables
    }
    steps = [StoryStep("power on", "", (), None, None, picture(design, state, Marked(only=only)))]
    for number, told in enumerate(replay(design, geometry, run), 1):
        for change in told.changes:
            state[change.table] = {**state[change.table], change.key: change.now}
            if change.now is None or change.now == _default(design.table(change.table)):
                del state[change.table][change.key]
        changed = frozenset((change.table, change.key) for change in told.changes)
        wrong = told.broken and (broken or told.broken)
        looked_at = frozenset() if wrong is None else concerned(design, state, wrong.law, dict(wrong.names))
        fields = None if wrong is None or wrong.law is None else design.mentions(wrong.law)
        steps.append(
            StoryStep(
                f"{number}. {call(design, told.step, told.begun)}",
                ", ".join(told.asked),
                tuple(_change(design, c.table, c.key, c.was, c.now) for c in told.changes),
                _square(told.outcome),
                None if wrong is None else _verdict(wrong),
                picture(design, state, Marked(changed, looked_at, only, fields)),
                _shows(told.outcome),
            )
        )
    return Story(title, tuple(steps), footer)


def of_no_step(step: StoryStep, broken: Broken, square: Square) -> StoryStep:
    """A step that breaks no law and is none of another design's."""
    return attrs.evolve(step, verdict=_verdict(broken), square=square)


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
    made = case.changes
    after = {table: dict(entries) for table, entries in state.items()}
    for change in made:
        after[change.table][change.key] = change.now
        if change.now is None or change.now == _default(design.table(change.table)):
            del after[change.table][change.key]
    looked_at = concerned(design, after, witness.broken.law, dict(witness.broken.names))
    fields = None if witness.broken.law is None else design.mentions(witness.broken.law)
    going_on = "others run, and it goes on in a lawful state"
    begun = [
        _lawful(design, going_on if number else f"{case.operation} begins in a lawful state", entries)
        for number, entries in enumerate(case.earlier)
    ]
    head = going_on if begun else "a lawful state"
    return Story(
        title,
        (
            *begun,
            _lawful(design, head, case.entries, case.of_others()),
            StoryStep(
                f"1. {call(design, witness.step)}",
                ", ".join(case.asked),
                tuple(_change(design, c.table, c.key, c.was, c.now) for c in made),
                _square(witness.outcome),
                _verdict(witness.broken),
                picture(design, after, Marked(frozenset((c.table, c.key) for c in made), looked_at, fields=fields)),
                _shows(witness.outcome),
            ),
        ),
        "If no run gets to the first state, a law is missing that excludes it."
        if not begun
        else "If no run gets from the one state to the other, say so by a law, or by require after the yield.",
    )


def _lawful(design: Outline, title: str, entries: Iterable[tuple[str, Any, Any]], detail: str = "") -> StoryStep:
    """A lawful state, as far as its entries matter."""
    state = {kind.name: dict[Any, Any]() for kind in design.tables}
    made = []
    for table, key, value in entries:
        state[table][key] = value
        made.append(_change(design, table, key, None, value))
    return StoryStep(title, detail, tuple(made), None, None, picture(design, state, Marked()))


def _default(kind: TableKind) -> Any:
    return None if kind.partial else kind.value.default()


def _change(design: Outline, table: str, key: Any, was: Any, now: Any) -> Change:
    kind = design.table(table)
    nothing = ABSENT if kind.partial else "-"
    was, now = (nothing if value is None else _said(kind.value, value) for value in (was, now))
    return Change(f"{table}[{place(kind, key)}]", was, now)


def _shows(outcome: Any) -> str:
    """What a step showed; two replies have a square of their own."""
    return outcome_text(outcome) if _square(outcome) is None else ""


def _square(outcome: Any) -> Square | None:
    """What the guest is shown on both machines; None if the outcome does not hold two replies, or it exits."""
    monitored, bare = reply_in(outcome, "shown"), reply_in(outcome, "due")
    if monitored is None or bare is None or exits(monitored):
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
    return frozenset(
        (table, key) for table in design.reads(law) for key in state.get(table, {}) if matches(design.table(table), key, of_sort)
    )


def matches(kind: TableKind, key: Any, of_sort: Mapping[str, set[Any]]) -> bool:
    named = [(k.sort, value) for k, value in parts(kind, key) if isinstance(k, NameKind) and k.sort in of_sort]
    return bool(named) and all(value in of_sort[sort] for sort, value in named)


def _said(kind: Kind, value: Any) -> str:
    """A value in words."""
    return "zeroes" if isinstance(kind, PageKind) and value.is_zero() else shown(kind, value)
