"""What sharing, patching and compressing save: frames that hold the contents of a recording's snapshot."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.recording import ABSENT, NO_PATCH, PAGE, ZERO, Recording

LARGEST_PATCH = 2048
"""Bytes: what takes more is left whole (Difference Engine; half a page)."""
LARGEST_COMPRESSED = 2990
"""Bytes: what takes more is not kept compressed (Lagar-Cavilla et al., ASPLOS 2019: 73 per cent of a page)."""

LEAST = 100
"""Pages of its own that a recorded process has to have to be counted as a VM: a shell that only starts others has fewer."""


@attrs.frozen
class Saved:
    """The number of pages, and the number of frames that hold them, by each way of saving memory."""

    pages: int
    zero: int
    """Pages of zeroes beyond the first."""
    same: int
    """Pages like another, beyond the first of each, zeroes not counted."""
    held: int
    """Pages like another, with the first of each and with zeroes: those that share a frame."""
    shared: float
    """Frames where equal pages share one."""
    patched: float
    """Frames where, besides, a page is kept as a patch if that is small."""
    compressed: float
    """Frames where every page is kept compressed if that helps, and none is shared."""
    all: float
    """Frames where pages are shared, then patched, and those that are left whole compressed."""

    def part(self, frames: float) -> float:
        """The part of memory that is saved."""
        return 1 - frames / self.pages if self.pages else 0.0


def saved(recording: Recording, snapshot: int = -1) -> Saved:
    """What one VM that holds all the pages of a snapshot saves."""
    contents = recording.contents[snapshot]
    return of(contents, recording.compressed, recording.patches)


def of(contents: npt.NDArray[np.uint32], compressed: npt.NDArray[np.uint16], patches: npt.NDArray[np.uint16]) -> Saved:
    """What sharing, patching and compression save, from the pages' content numbers and their sizes compressed and patched."""
    here = contents != ABSENT
    contents, compressed, patches = contents[here], compressed[here], patches[here]
    kinds, first, pages = np.unique(contents, return_index=True, return_counts=True)
    zero = int(np.count_nonzero(contents == ZERO))
    whole = first[kinds != ZERO]
    sizes, diffs = compressed[whole].astype(float), patches[whole].astype(float)
    smaller = np.where((sizes > 0) & (sizes <= LARGEST_COMPRESSED), sizes / PAGE, 1.0)
    as_patch = np.where((patches[whole] != NO_PATCH) & (diffs <= LARGEST_PATCH), diffs / PAGE, 1.0)
    every = compressed.astype(float)
    alone = np.where(contents == ZERO, 0.0, np.where((every > 0) & (every <= LARGEST_COMPRESSED), every / PAGE, 1.0))
    extra = 1.0 if zero else 0.0
    return Saved(
        len(contents),
        max(0, zero - 1),
        len(contents) - zero - len(whole),
        int(pages[pages > 1].sum()),
        len(whole) + extra,
        float(as_patch.sum()) + extra,
        float(alone.sum()),
        float(np.minimum(as_patch, smaller).sum()) + extra,
    )


def alike(recording: Recording, count: int) -> list[Saved]:
    """What 1, 2, ... VMs save: each has the pages of one of the recorded processes, and all the pages of files."""
    contents = recording.contents[-1]
    held = {owner: int(np.count_nonzero(contents[recording.owners == owner] != ABSENT)) for owner in np.unique(recording.owners)}
    owners = [owner for owner, pages in held.items() if owner and pages >= LEAST]
    found = []
    for vms in range(1, min(count, len(owners)) + 1):
        at = np.concatenate([np.flatnonzero((recording.owners == owner) | (recording.owners == 0)) for owner in owners[:vms]])
        found.append(of(contents[at], recording.compressed[at], recording.patches[at]))
    return found


def together(recordings: Sequence[Recording]) -> Saved:
    """What VMs save that each hold a recording's last snapshot; patches are within each. ``ValueError`` if keys differ."""
    if len({each.key for each in recordings}) != 1:
        raise ValueError("contents that were numbered under different keys cannot be compared")
    return of(
        np.concatenate([r.contents[-1] for r in recordings]),
        np.concatenate([r.compressed for r in recordings]),
        np.concatenate([r.patches for r in recordings]),
    )
