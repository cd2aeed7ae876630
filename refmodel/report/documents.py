"""What ``--json`` prints of designs, as records. ``refmodel/report/schemas.py`` makes the schemas of these, and of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import attrs
import msgspec

from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.counterexamples import Counterexample
from refmodel.engines.judgements import Simulated
from refmodel.engines.machine import Broken, Failure, Told
from refmodel.engines.verdicts import EngineReport, Numbers, conclusion, status_of
from refmodel.engines.words import call, change_text, outcome_text, place
from refmodel.engines.words import shown as shown_value
from refmodel.language.design import Outline
from refmodel.report import terminal


@attrs.frozen
class LawDocument:
    """A law, and an engine's result for it."""

    clause: str
    law: str
    verdict: str
    """One of the words of specs/guide/verdicts.md."""
    words: str
    """The verdict as it is printed, with its number of steps or times."""


@attrs.frozen
class BrokenDocument:
    """What a run breaks: a law, or an assertion in the design."""

    clause: str
    law: str | None
    """None where no law is broken, but the text went wrong."""
    sentence: str
    names: dict[str, Any]
    """The names for which the law is broken."""
    error: str
    """What went wrong in the text; empty where a law is broken."""


@attrs.frozen
class FailureDocument(BrokenDocument):
    """A run from power-on that breaks a law, or a step that breaks a law from a lawful state that perhaps no run reaches."""

    steps: tuple[str, ...] = ()
    """Of the run, in words; none where it is a step from a lawful state."""
    token: str | None = None
    """What ``refmodel replay`` takes; None for a step from a lawful state, and for a design that no name leads to."""
    from_a_lawful_state: bool = False
    operation: str = ""
    """The operation whose step it is, from a lawful state."""


@attrs.frozen
class EntryDocument:
    """An entry of a table, and its value."""

    entry: str
    value: str


@attrs.frozen
class CounterexampleDocument(BrokenDocument):
    """A counterexample to induction: the relevant table entries, the step, and the law that the step breaks."""

    operation: str
    step: str
    entries: tuple[EntryDocument, ...]
    other_entries: int
    """How many further entries matter to nothing and are not shown."""
    earlier: tuple[tuple[EntryDocument, ...], ...] = ()
    """For an operation that others interrupt: the entries of each state from which it took an earlier part."""


@attrs.frozen
class ChangeDocument:
    """An entry of a table that a step changed."""

    entry: str
    before: str
    after: str


@attrs.frozen
class StepDocument:
    """A step of a run: the operation with its arguments, what it changed, and what it showed."""

    step: str
    changes: tuple[ChangeDocument, ...]
    shows: str
    """Empty where it showed nothing."""


@attrs.frozen
class ReplayDocument:
    """The result of ``refmodel replay`` for one token."""

    design: str
    judged_by: str | None
    """The one clause that the run is judged by; None for all laws."""
    text_has_changed: bool
    """Whether the design's text is another than when the token was made."""
    steps: tuple[StepDocument, ...]
    broken: BrokenDocument | None
    """None where the run breaks no law."""


@attrs.frozen
class SuggestionDocument:
    """Laws that a proof lacks and that a search found."""

    words: tuple[str, ...]
    laws: str
    """Text to be pasted; empty where none was found."""


@attrs.frozen
class DisagreementDocument:
    """Two engines, or two readings of the text, that disagree: please report this as a defect of refmodel."""

    kind: str
    case: str
    token: str | None


@attrs.frozen
class EngineDocument:
    """The result of one engine for one design."""

    engine: str
    covered: str
    """What the engine looked at, in words."""
    numbers: Numbers
    seconds: float
    notes: tuple[str, ...]
    undecided: tuple[str, ...]
    """What was not shown, and why."""
    remembered: bool
    """Whether the answer was given before, of the very same text."""
    laws: tuple[LawDocument, ...]
    failure: FailureDocument | None
    examples: tuple[FailureDocument, ...]
    suggestion: SuggestionDocument | None
    leans_on: dict[str, tuple[str, ...]] | None
    """For each law, by name, the laws that its proof used; None where it was not asked."""
    counterexamples: tuple[CounterexampleDocument, ...]
    disagreement: DisagreementDocument | None


@attrs.frozen
class DesignDocument:
    """The result of ``refmodel check`` for one design."""

    design: str
    status: int
    """The exit status that this design alone would have."""
    conclusion: str
    engines: tuple[EngineDocument, ...]


@attrs.frozen
class ComparedDocument:
    """The result of ``refmodel check --against``: a design that ran beside another design."""

    design: str
    against: str
    runs: int
    compared: int
    """Instructions whose outcomes were compared."""
    explained: int
    """Those that showed what only a cached translation explains."""
    seconds: float
    differs: bool
    """Whether a guest can tell the difference."""


@attrs.frozen
class LeakDocument:
    """Two runs that look the same to a VM until one step shows the VM different results."""

    condition: str
    vm: int
    """The VM that comes to know."""
    runs: tuple[tuple[str, ...], ...]


@attrs.frozen
class LeaksDocument:
    """The result of ``refmodel leaks`` for one design."""

    design: str
    complete: bool
    """Whether every state was visited."""
    states: int
    there: str
    """The names that there are, and up to which numbers and of which records there are values: what needs others is not seen."""
    compared: int
    """Pairs of steps that were compared."""
    partly: tuple[str, ...]
    """The outcomes of which a part alone is compared, or nothing, as their classes state."""
    outcomes: tuple[str, ...]
    """Operations whose outcomes were compared."""
    changes: tuple[str, ...]
    """Operations after which it was compared what the VM knows."""
    observers: tuple[int, ...]
    flows: tuple[str, ...]
    """What the VM is meant to come to know."""
    uncompared: tuple[str, ...]
    """The guests' operations that show something, of which no two answers could be compared."""
    verdict: Literal["leaks", "no leak", "undecided"]
    leak: LeakDocument | None


@attrs.frozen
class FlowDocument(LeaksDocument):
    """An information flow that a design declares (``refmodel leaks --flows``): if the flow happens, ``leak`` shows it."""

    flow: str
    operation: str


@attrs.frozen
class UnexplainedDocument:
    """A run whose last step the other design cannot take, or that breaks a law of the design itself."""

    broken: str
    run: tuple[str, ...]
    """Its steps as calls with named arguments; none if the designs differ at power-on."""
    clause: str
    """The clause of the law that is broken; empty if it is the other design that has no such step."""


RefinementVerdict: TypeAlias = Literal["refines", "no refinement", "breaks a law", "undecided"]
"""``breaks a law``: a run breaks a law of the design itself, so nothing is said of the other."""


@attrs.frozen
class RefinementDocument:
    """The result of ``refmodel refine``."""

    design: str
    to: str
    verdict: RefinementVerdict
    runs: int
    steps: int
    explained: dict[str, int]
    """For each operation, how many of its steps were steps of the other design."""
    untaken: tuple[str, ...]
    """The operations of which no random run took a step."""
    failure: UnexplainedDocument | None
    proofs: tuple[Simulated, ...]
    unproved: tuple[str, ...]


def run_of(name: str, outline: Outline, report: EngineReport, failure: Failure) -> BrokenRun:
    """A run of a report's, with all that it takes to print it."""
    return BrokenRun(outline, report.geometry or outline.cls.geometry, failure, name, report.clause)


def document(name: str, outline: Outline, reports: Sequence[EngineReport]) -> DesignDocument:
    """All reports on a design."""
    return DesignDocument(name, status_of(reports), conclusion(reports), tuple(_engine(name, outline, r) for r in reports))


def plain(document: Any) -> Any:
    """A document as dictionaries, lists and numbers."""
    return msgspec.json.decode(msgspec.json.encode(document))


def _engine(name: str, outline: Outline, report: EngineReport) -> EngineDocument:
    return EngineDocument(
        engine=report.engine,
        covered=report.covered,
        numbers=report.numbers,
        seconds=round(report.seconds, 3),
        notes=report.notes,
        undecided=(*([report.why] if report.why else []), *report.unproved, *([report.left_open] if report.left_open else [])),
        remembered=report.remembered,
        laws=tuple(LawDocument(each.clause, each.name, str(v), report.words(each)) for each, v in report.verdicts.items()),
        failure=_failure(name, outline, report),
        examples=tuple(_run(run_of(name, outline, report, each)) for each in report.examples),
        suggestion=SuggestionDocument(report.suggestion, report.suggested) if report.suggestion else None,
        leans_on=report.leans_on,
        counterexamples=tuple(_counterexample(outline, case) for case in report.counterexamples),
        disagreement=_disagreement(name, outline, report),
    )


def _disagreement(name: str, outline: Outline, report: EngineReport) -> DisagreementDocument | None:
    case = report.disagreement
    if case is None:
        return None
    return DisagreementDocument(
        case.kind, case.case, None if case.failure is None else run_of(name, outline, report, case.failure).token
    )


def _failure(name: str, outline: Outline, report: EngineReport) -> FailureDocument | None:
    if report.failure is not None and report.geometry is not None:
        return _run(run_of(name, outline, report, report.failure))
    if report.counterexamples:
        return FailureDocument(
            **_broken(report.counterexamples[0].witness.broken), from_a_lawful_state=True, operation=report.operation
        )
    return None


def _run(run: BrokenRun) -> FailureDocument:
    steps = tuple(str(terminal.step_title(run.design, i, t)) for i, t in enumerate(run.told(), 1))
    return FailureDocument(**_broken(run.failure.broken), steps=steps, token=run.token)


def replay_document(design: Outline, spec: str, clause: str | None, text_has_changed: bool, told: Sequence[Told]) -> ReplayDocument:
    """What is said of a run that was run again."""
    steps = tuple(
        StepDocument(
            str(terminal.step_title(design, number, each)),
            tuple(ChangeDocument(*change_text(design, change)) for change in each.changes),
            outcome_text(each.outcome),
        )
        for number, each in enumerate(told, 1)
    )
    broken = told[-1].broken if told else None
    return ReplayDocument(spec, clause, text_has_changed, steps, None if broken is None else BrokenDocument(**_broken(broken)))


def _broken(broken: Broken) -> dict[str, Any]:
    return {
        "clause": broken.clause,
        "law": broken.law.name if broken.law else None,
        "sentence": broken.sentence,
        "names": dict(broken.names),
        "error": broken.error,
    }


def _counterexample(outline: Outline, case: Counterexample) -> CounterexampleDocument:
    def documents(entries: Iterable[tuple[str, Any, Any]]) -> tuple[EntryDocument, ...]:
        return tuple(
            EntryDocument(f"{table}[{place(outline.table(table), key)}]", shown_value(outline.table(table).value, value))
            for table, key, value in entries
        )

    return CounterexampleDocument(
        **_broken(case.witness.broken),
        operation=case.operation,
        step=call(outline, case.witness.step),
        entries=documents(case.entries),
        other_entries=case.others,
        earlier=tuple(map(documents, case.earlier)),
    )
