"""What ``refmodel prove --json`` prints, as records. Without a second opinion it is ``Told``, once for each theorem."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.engines.second_opinion import Answer, Opinion


@attrs.frozen
class OpinionDocument:
    """The answers of two solvers for one theorem."""

    name: str
    says: str
    verdict: str
    """``agreed``, ``written`` (nobody else was asked), ``refuted``, ``unknown``, ``undecided`` or ``DISAGREE``."""
    complaints: tuple[str, ...]
    """What keeps it from being agreed, a sentence each."""
    answers: tuple[Answer, ...]
    """What became of each question."""


def opinion_document(told: Sequence[Opinion], verdict: str, complaints: Sequence[str]) -> OpinionDocument:
    """The document of one theorem, of which each part has an opinion."""
    return OpinionDocument(
        told[0].task.theorem,
        told[0].task.says,
        verdict,
        tuple(complaints),
        tuple(answer for opinion in told for answer in opinion.answers),
    )
