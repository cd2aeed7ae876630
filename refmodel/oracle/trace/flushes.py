"""Flushes that are under way. Several CPUs may flush one VM at a time, so an end has to be told which beginning it belongs to."""

from typing import NamedTuple

MOST = 1024
"""Of the same pages under way at a time. Beyond that the oldest is taken never to end, so that no trace fills memory."""


class Flush(NamedTuple):
    """A flush that has begun and not ended: which CPU said so, when it began, and its first and last page."""

    cpu: int
    begun: int
    first: int
    last: int


def with_begun(under_way: tuple[Flush, ...], flush: Flush) -> tuple[Flush, ...]:
    """Those under way, once another has begun."""
    return (*under_way[1 - MOST:], flush)


def ended(under_way: tuple[Flush, ...], cpu: int) -> tuple[Flush, tuple[Flush, ...]]:
    """The one that ends when this CPU says that one does, and the others: the last that the CPU itself has begun. If it has begun
    none, the last of all."""
    its_own = [at for at, flush in enumerate(under_way) if flush.cpu == cpu]
    at = its_own[-1] if its_own else len(under_way) - 1
    return under_way[at], (*under_way[:at], *under_way[at + 1:])
