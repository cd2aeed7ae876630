"""Flushes that are under way. Several CPUs may flush one VM at a time, so an end has to be told which beginning it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MOST = 1024
"""Of the same pages under way at a time. Beyond that the oldest is taken never to end, so that no trace fills memory."""


class Flush(NamedTuple):
    """A flush that has begun and not ended: which CPU said so, when it began, and its first and last page."""

    cpu: int
    begun: int
    first: int
    last: int


MOST_ENDED = 16
"""Flushes that have ended and are kept in mind, to say why none of them was enough."""


class Ended(NamedTuple):
    """A flush that has ended: of which VM's pages, when it began, and where in the implementation's source it was told."""

    vm: int
    first: int
    last: int
    begun: int
    at: str | None


def why_not(ended: Iterable[Ended], vm: int, gfn: int, since: int) -> str:
    """What flushes have ended since a translation of a page was taken away, though none of them was of that page."""
    since_then = [flush for flush in ended if flush.begun >= since]
    of_vm = [flush for flush in since_then if flush.vm == vm]
    if of_vm:
        return f"one of gfn {of_vm[-1].first:#x} to {of_vm[-1].last:#x}{_told_at(of_vm[-1])} leaves gfn {gfn:#x} out"
    if since_then:
        return f"one of vm {since_then[-1].vm}{_told_at(since_then[-1])} is of no page of vm {vm}"
    return ""


def _told_at(flush: Ended) -> str:
    return f" ({flush.at})" if flush.at else ""


def with_begun(under_way: tuple[Flush, ...], flush: Flush) -> tuple[Flush, ...]:
    """Those under way, once another has begun."""
    return (*under_way[1 - MOST :], flush)


def ended(under_way: tuple[Flush, ...], cpu: int) -> tuple[Flush, tuple[Flush, ...]]:
    """The one that ends when this CPU says that one does, and the others: the last that the CPU itself has begun. If it has begun
    none, the last of all."""
    its_own = [at for at, flush in enumerate(under_way) if flush.cpu == cpu]
    at = its_own[-1] if its_own else len(under_way) - 1
    return under_way[at], (*under_way[:at], *under_way[at + 1 :])
