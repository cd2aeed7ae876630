"""One clause for a wrong error code, whoever reports the fault: a trace, a kernel, a vector."""

from __future__ import annotations

from collections.abc import Iterable

from refmodel.machine.x86.guest_walk import FETCH, PK, RSVD, Access
from refmodel.machine.x86.words import RW, US, P

CODES = ("EQV-3", "error_codes_are_due", "A page walk that faults reports the architecture's error code.")


def contradicts(code: int, access: Access) -> list[str]:
    """What an error code says that is not so of the access, or not together, whatever page tables hold; a line each (SDM Vol. 3A
    4.7)."""
    wrong = {
        "bit 1 set if and only if the access is a write": bool(code & RW) != access.write,
        "bit 2 set if and only if the access is a user-mode access": bool(code & US) != access.user,
        "bit 4 clear, because the access is no instruction fetch": bool(code & FETCH) and not access.fetch,
        "bit 3 clear, because bit 0 says that an entry was not present": bool(code & RSVD) and not code & P,
        "bit 5 clear, because bit 0 says that an entry was not present": bool(code & PK) and not code & P,
        "bit 5 clear, because protection keys do not forbid fetches": bool(code & PK) and access.fetch,
    }
    return [f"an error code with {due}" for due, is_wrong in wrong.items() if is_wrong]


def is_only_the_code(reported: int | None, due: Iterable[int | None]) -> bool:
    """Whether a page fault is due here, and another error code than the one reported. None is an end that is no page fault."""
    ends = set(due)
    return reported is not None and reported not in ends and bool(ends - {None})
