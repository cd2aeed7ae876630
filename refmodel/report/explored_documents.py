"""What ``refmodel explore --json`` prints, as records."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from refmodel.engines.stepping import Stepping
from refmodel.engines.tokens import encode
from refmodel.engines.words import broken_text
from refmodel.oracle.trace.following import Followed
from refmodel.oracle.trace.known_states import entry_texts
from refmodel.oracle.trace.verdicts import Deviation
from refmodel.report import exploring


@attrs.frozen
class OfferDocument:
    """A possible next step."""

    step: str
    """With its arguments, and the answers to what it asks."""
    comes: str
    """What comes of it."""
    breaks: str | None
    """The clause that it breaks."""


@attrs.frozen
class LawNowDocument:
    """A law about states, and whether it holds in this state."""

    clause: str
    law: str
    met: int
    """For how many names it claims something here."""
    of: int
    """For how many names there are."""
    holds: bool


@attrs.frozen
class ExploredDocument:
    """A state of a design, and the possible next steps."""

    design: str
    token: str
    """The run that leads here."""
    state: Mapping[str, str]
    """By place, the entries that are not as they are by default."""
    broken: str | None
    """The law that the last step broke. No step is offered after it."""
    steps: tuple[OfferDocument, ...]
    laws: tuple[LawNowDocument, ...]


@attrs.frozen
class EntryChangeDocument:
    """An entry that an event changed."""

    entry: str
    was: str
    now: str


@attrs.frozen
class TraceEventDocument:
    """An event of a trace, and what is known after the event."""

    trace: str
    line: int
    event: str
    """The line itself."""
    about: str
    """The pages and frames that it is about."""
    changes: tuple[EntryChangeDocument, ...]
    state: Mapping[str, str]
    """By place, what is known of these pages and frames."""
    values: Mapping[str, str]
    """What was to be evaluated, by expression."""
    deviation: Deviation | None


def explored_document(stepping: Stepping, spec: str) -> ExploredDocument:
    """The state that a run has come to."""
    design = stepping.design
    offers = tuple(
        OfferDocument(
            exploring.offer_text(design, offer), exploring.comes_of_it(offer), None if offer.broken is None else offer.broken.clause
        )
        for offer in stepping.offers()
    )
    laws = tuple(LawNowDocument(now.law.clause, now.law.name, now.met, now.claimed, now.holds) for now in stepping.laws())
    return ExploredDocument(
        spec,
        encode(spec, design, stepping.geometry, stepping.run),
        exploring.entry_texts(design, stepping.entries()),
        None if stepping.broken is None else broken_text(stepping.broken),
        offers,
        laws,
    )


def event_document(trace: str, followed: Followed, values: Mapping[str, str]) -> TraceEventDocument:
    """An event that was looked at."""
    return TraceEventDocument(
        trace,
        followed.line,
        followed.text,
        followed.about.words(),
        tuple(EntryChangeDocument(*change) for change in followed.changes()),
        entry_texts(followed.after),
        values,
        followed.deviation,
    )
