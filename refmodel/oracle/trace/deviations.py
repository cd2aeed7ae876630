"""What can be wrong with an event."""

from __future__ import annotations

from collections.abc import Sequence


class Deviates(Exception):
    """An event that no lawful run explains: the clause that it breaks, the law's name and sentence, what would have been lawful."""

    def __init__(self, clause: str, law: str, sentence: str, expected: Sequence[str] = (), why: str = "") -> None:
        super().__init__(sentence)
        self.clause, self.law, self.sentence, self.why = clause, law, sentence, why
        self.expected = tuple(expected)
        self.names: tuple[tuple[str, int], ...] = ()
        """The names for which the law is broken."""


class Inconsistent(Exception):
    """An event that the format does not allow: bad input, in this field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
