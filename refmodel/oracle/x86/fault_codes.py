"""One clause for a wrong error code, whoever reports the fault: a trace, a kernel, a vector."""

from __future__ import annotations

from collections.abc import Iterable

CODES = ("EQV-3", "error_codes_are_due", "A page walk that faults reports the architecture's error code.")


def is_only_the_code(reported: int | None, due: Iterable[int | None]) -> bool:
    """Whether a page fault is due here, and another error code than the one reported. None is an end that is no page fault."""
    ends = set(due)
    return reported is not None and reported not in ends and bool(ends - {None})
