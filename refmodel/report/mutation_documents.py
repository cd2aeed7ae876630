"""What ``refmodel mutate --json`` prints, as records."""

from __future__ import annotations

import attrs

from refmodel.engines.mutation.scores import Score


@attrs.frozen
class MutantDocument:
    """A mutant of the text, and its verdict."""

    file: str
    line: int
    function: str
    operator: str
    before: str
    after: str
    key: str
    """What names it in the file of reasons."""
    verdict: str
    why: str
    reason: str


@attrs.frozen
class MutationDocument(Score):
    """The result of ``refmodel mutate`` for one text."""

    survivors: tuple[str, ...]
    """The keys of those that nothing notices and that have no reason."""
    percent: float
    stale: tuple[str, ...]
    """Reasons that belong to no mutant any more."""
    unproved: tuple[str, ...]
    """Obligations that are not proved of the text itself: the proof of them notices no mutant."""
    mutants_judged: tuple[MutantDocument, ...]
