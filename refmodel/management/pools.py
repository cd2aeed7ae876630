"""Pools of transcendent memory: pages that guests evict, kept by the monitor in frames that no VM has.

A clean page goes to the *ephemeral* pool, as Linux's cleancache did with pages of files. The monitor may drop it at any time; the
page put longest ago goes first, whoever's it is (Xen, ``tmem_evict`` in ``common/tmem.c``, where no client is above its weight).

A changed page goes to the *persistent* pool, as in frontswap. What was taken is kept until its guest gets it, and counts as its
VM's memory (Xen, message of commit ``6009f4dd``, and ``__tmem_alloc_page_thispool``). What is refused goes to the disk.

A guest that gets a page has it alone: the pool keeps no second copy, and no disk has one of a persistent page, so that it counts as
changed (Linux, ``frontswap_tmem_exclusive_gets``: ``SetPageDirty``).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@attrs.frozen
class Put:
    """What came of pages that a guest put, one call each."""

    kept: int
    """Copied into a pool."""
    written: int
    """Changed pages that were refused: the guest writes them to its disk."""


@attrs.frozen(eq=False)
class Got:
    """What came of pages that a guest came back for."""

    calls: int
    """A get for each page that may be kept, and a flush for each persistent one that was."""
    found: int
    persistent: Numbers
    """Those found in the persistent pool. No disk has them."""


@attrs.define(eq=False)
class Pools:
    """What is kept, by VM and page."""

    ephemeral: dict[str, Flags]
    persistent: dict[str, Flags]
    asked_for: dict[str, Flags]
    """Pages that were put as clean ones: the guest does not know whether they are kept, and has to ask."""
    put_at: dict[str, Numbers]
    """The number of a page's last put, over all VMs."""
    puts: int = 0

    @classmethod
    def of(cls, pages: Mapping[str, int]) -> Pools:
        """Empty ones, for VMs of so many pages."""
        ephemeral, persistent, asked_for = ({name: np.zeros(count, np.bool_) for name, count in pages.items()} for _ in range(3))
        return cls(ephemeral, persistent, asked_for, {name: np.full(count, -1, np.int64) for name, count in pages.items()})

    def owed(self, name: str) -> int:
        """Persistent pages of a VM."""
        return int(np.count_nonzero(self.persistent[name]))

    def all_owed(self) -> int:
        """Persistent pages of all VMs: frames that the monitor cannot have back."""
        return sum(map(self.owed, self.persistent))

    def held(self, name: str) -> int:
        """Pages of a VM in either pool."""
        return int(np.count_nonzero(self.ephemeral[name])) + self.owed(name)

    def put(self, name: str, pages: Numbers, dirty: Flags, frames: int, most: int) -> Put:
        """Put pages in this order, one by one, into pools of so many frames; a VM may have ``most`` persistent pages.

        A persistent page may displace any ephemeral one, and an ephemeral page the one put longest ago.
        """
        owed = self.all_owed()
        taken = dirty & (np.cumsum(dirty) <= min(frames - owed, most - self.owed(name)))
        kept = ~dirty & (owed + np.cumsum(taken) < frames)
        self.persistent[name][pages[taken]] = True
        self.ephemeral[name][pages[kept]] = True
        self.asked_for[name][pages] = ~dirty
        self.put_at[name][pages] = self.puts + np.arange(len(pages))
        self.puts += len(pages)
        self.shrink_to(frames)
        return Put(int(np.count_nonzero(taken | kept)), int(np.count_nonzero(dirty & ~taken)))

    def get(self, name: str, pages: Numbers) -> Got:
        """Get those of these pages that are kept. The pools have them no more."""
        ephemeral, persistent = (int(np.count_nonzero(kept[name][pages])) for kept in (self.ephemeral, self.persistent))
        asked, owed = int(np.count_nonzero(self.asked_for[name][pages])), pages[self.persistent[name][pages]]
        for kept in (self.ephemeral, self.persistent, self.asked_for):
            kept[name][pages] = False
        return Got(asked + 2 * persistent, ephemeral + persistent, owed)

    def shrink_to(self, frames: int) -> None:
        """Drop the ephemeral pages that were put longest ago, until the pools fit, or only persistent pages are left."""
        kept = np.concatenate([self.put_at[name][flags] for name, flags in self.ephemeral.items()])
        left = max(0, frames - self.all_owed())
        if len(kept) <= left:
            return
        first = np.partition(kept, len(kept) - left)[len(kept) - left] if left else self.puts
        for name, flags in self.ephemeral.items():
            self.ephemeral[name] = flags & (self.put_at[name] >= first)
