"""Accesses by linear address that cross into the next page are two, each walked for itself."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from refmodel.oracle.trace import linear
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Linear
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.x86.fault_codes import CODES


def access(k: Knowledge, event: Linear) -> None:
    """One that crosses into the next page is two; a fault may be that of either."""
    unheld = k.unheld
    try:
        _access(k, event)
    except (Deviates, Inconsistent):
        k.unheld = unheld
        raise
    k.unheld = min(k.unheld, unheld + 1)


def _access(k: Knowledge, event: Linear) -> None:
    inside = 4096 - (event.gva & 0xFFF)
    if event.size <= inside:
        linear.access_within_a_page(k, event)
        return
    first, second = _halves(event, inside)
    if event.fault is UNSET and not event.gp:
        linear.access_within_a_page(k, first)
        linear.access_within_a_page(k, second)
    elif all(linear.may_end_so(k, half) for half in (first, second)):
        for half in (first, second):  # nothing is forgotten: what only one of the two forgets may still be cached
            linear.may_have_walked(k, half, faulted=True)
    else:
        try:
            linear.access_within_a_page(k, first)
            walked = second
        except Deviates as why:
            try:
                linear.access_within_a_page(k, second)
                walked = first
            except Deviates as other:
                raise (other if other.clause == CODES[0] else why) from None  # a fault is due there, with another code
        linear.may_have_walked(k, walked)


def _halves(event: Linear, inside: int) -> tuple[Linear, Linear]:
    """The part in the first page, and the part in the next."""
    values: list[int | UnsetType] = [UNSET, UNSET]
    if isinstance(event.value, int):
        if event.value >> 8 * event.size:
            raise Inconsistent("value", f"{event.value:#x} has more than {8 * event.size} bits")
        values = [event.value & (1 << 8 * inside) - 1, event.value >> 8 * inside]
    after = (event.gva + inside) & (1 << 64) - 1
    return (
        msgspec.structs.replace(event, size=inside, value=values[0]),
        msgspec.structs.replace(event, gva=after, size=event.size - inside, value=values[1]),
    )
