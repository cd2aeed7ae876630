"""How often Python looks for cycles of objects while an engine, or a judge of traces, makes millions of them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = 100_000, 50, 100
"""New objects before the youngest are looked through; Python's own number is 700."""

WORKERS_THRESHOLDS = 1_000_000, 50, 100
"""The same in a process that ends with its work."""


def collect_rarely() -> None:
    """From now on, in this process: it was started for a few proofs, and what they leave goes when it ends."""
    gc.freeze()
    gc.set_threshold(*WORKERS_THRESHOLDS)


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Within this, cycles are looked for seldom, and not among what was there before: a proof, and judging a trace, make few,
    and looking took a tenth of their time."""
    before = gc.get_threshold()
    if before == WORKERS_THRESHOLDS:
        yield
        return
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
