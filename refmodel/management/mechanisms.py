"""Mechanisms compared: a VM is given less memory than it touches, and each mechanism regains what is missing in its way.

The same recording runs under each. What differs is who chooses the page that goes, where it goes, and what its return costs.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.activity import Activity, next_uses
from refmodel.management.costs import Costs
from refmodel.management.pools import Pools
from refmodel.management.recording import PAGE, Recording
from refmodel.management.saving import LARGEST_COMPRESSED
from refmodel.management.simulation import Memory

REGAINED = 0.3
"""The part of a VM's pages that is to be regained."""
GUEST = 0.85
"""Where the guest pages too: the part of its pages that it believes it has."""
BLOCK = 512
"""Pages of a block of 2 MiB, which virtio-mem plugs and unplugs."""
POOL = 0.25
"""The part of a VM's memory that may hold compressed pages."""
FREE = 0.5
"""The part of what was regained that nobody else uses, so that it can hold pages of the guest's."""
VM = "vm"
"""The one that there is."""
IDLE = 10
"""Periods after which a page counts as idle."""


@attrs.frozen
class Regained:
    """What a mechanism did over a recording."""

    mechanism: str
    part: float
    """The part of the VM's pages that was regained in the end, at most ``REGAINED``. What an ephemeral pool holds can be had at any
    time, and is regained. What a persistent pool holds is not."""
    reads: int
    """Pages read from the swap device."""
    writes: int
    expanded: int
    """Pages that came back from compressed memory."""
    copied: int
    """Pages that came back from a pool of transcendent memory."""
    waited: float
    """The part of its time that the VM waited."""


@attrs.define(eq=False)
class Tally:
    """What is counted."""

    reads: int = 0
    writes: int = 0
    expanded: int = 0
    compressed: int = 0
    exits: int = 0
    copies: int = 0
    copied: int = 0

    def waited(self, costs: Costs, seconds: float) -> float:
        """The part of so many seconds of work and what the VM waits besides."""
        micros = (self.reads * costs.swap_in + self.writes * costs.swap_out + self.exits * costs.exit
                  + self.expanded * costs.decompress + self.compressed * costs.compress + self.copies * costs.copy)
        return micros / 1e6 / (seconds + micros / 1e6)


Chooser = Callable[[Memory, npt.NDArray[np.int64], int, int], npt.NDArray[np.int64]]
"""Which of the pages that are here go: of a memory, the numbers of its pages, how many, and the period."""


def by_guest(memory: Memory, here: npt.NDArray[np.int64], count: int, period: int) -> npt.NDArray[np.int64]:
    """The guest lets the pages go that it used longest ago."""
    return here[np.argpartition(memory.stamp[here], count - 1)[:count]]


def _at_random(seed: int) -> Chooser:
    draw = np.random.default_rng(seed)

    def choose(memory: Memory, here: npt.NDArray[np.int64], count: int, period: int) -> npt.NDArray[np.int64]:
        """The monitor does not know what the guest thinks of its pages, and takes any (OSDI 2002, section 3.3)."""
        return draw.choice(here, count, replace=False)

    return choose


def _knowing(activity: Activity, periods: int) -> Chooser:
    coming = next_uses(activity, periods)

    def choose(memory: Memory, here: npt.NDArray[np.int64], count: int, period: int) -> npt.NDArray[np.int64]:
        """The page whose next use is farthest away."""
        later = -(coming[period][here].astype(np.int64) * activity.pages + here)  # no two alike
        return here[np.argpartition(later, count - 1)[:count]]

    return choose


def evict(memory: Memory, allowed: int, choose: Chooser, period: int) -> tuple[int, npt.NDArray[np.int64]]:
    """Let pages go until no more than ``allowed`` are left: how many had to be written, and which went."""
    here = np.flatnonzero(memory.resident)
    if len(here) <= allowed:
        return 0, here[:0]
    going = choose(memory, here, len(here) - allowed, period)
    memory.resident[going] = False
    memory.gone[going] = True
    written = int(np.count_nonzero(memory.dirty[going]))
    memory.dirty[going] = False
    return written, going


def to_disk(activity: Activity, periods: int, pages: int, choose: Chooser, exits: int) -> Tally:
    """Pages go to the swap device, the guest's or the monitor's, and come back with so many exits each."""
    memory, told = Memory.of(activity.pages), Tally()
    for period in range(periods):
        _, back = memory.touch(activity.touched(period), activity.changed(period))
        written, _ = evict(memory, pages, choose, period)
        told.reads += len(back)
        told.writes += written
        told.exits += exits * len(back)
    return told


def paged_twice(activity: Activity, periods: int, pages: int, believed: int, seed: int = 0) -> Tally:
    """The guest pages within what it believes it has, the monitor within what there is, and neither knows of the other.

    A page that the guest lets go of and that the monitor has paged out is read in first, to be written out again (Goldberg and
    Hassinger, AFIPS 1974; OSDI 2002, section 3.1).
    """
    guest, host, told, choose = Memory.of(activity.pages), Memory.of(activity.pages), Tally(), _at_random(seed)
    for period in range(periods):
        touched, changed = activity.touched(period), activity.changed(period)
        _, back = guest.touch(touched, changed)
        dirty = guest.dirty.copy()
        written, going = evict(guest, believed, by_guest, period)
        twice = going[host.gone[going] & dirty[going]]
        host.resident[going], host.gone[going], host.dirty[going] = False, False, False  # the guest uses the frames otherwise
        _, missed = host.touch(touched & guest.resident, changed)
        out, _ = evict(host, pages, choose, period)
        told.reads += len(back) + len(missed) + len(twice)
        told.writes += written + out
        told.exits += 2 * len(back) + len(missed)
    return told


def compressed(activity: Activity, sizes: npt.NDArray[np.uint16], periods: int, pages: int) -> Tally:
    """Pages that were used longest ago are compressed into part of the same memory; only where that is full, or a page does not
    become small, does one go to the device (zswap; ESX's compression cache)."""
    memory, told = Memory.of(activity.pages), Tally()
    inside, unsaved = np.zeros(activity.pages, np.bool_), np.zeros(activity.pages, np.bool_)
    room, space = POOL * pages, sizes / PAGE
    fits = (sizes > 0) & (sizes <= LARGEST_COMPRESSED)
    for period in range(periods):
        _, back = memory.touch(activity.touched(period), activity.changed(period))
        told.expanded += int(np.count_nonzero(inside[back]))
        told.reads += int(np.count_nonzero(~inside[back]))
        told.exits += len(back)
        memory.dirty[back] |= unsaved[back]  # no disk has what was compressed
        inside[back], unsaved[back] = False, False
        while (over := int(np.count_nonzero(memory.resident)) + float(space[inside].sum()) - pages) >= 1:
            evicted = memory.evict_to(max(0, int(np.count_nonzero(memory.resident)) - int(over)))
            if not len(evicted.pages):
                break
            going, room_left = evicted.pages, max(0.0, room - float(space[inside].sum()))
            small = fits[going] & (np.cumsum(np.where(fits[going], space[going], 0)) <= room_left)
            inside[going[small]], unsaved[going[small]] = True, evicted.dirty[small]
            told.compressed += int(np.count_nonzero(small))
            told.writes += int(np.count_nonzero(evicted.dirty & ~small))
    return told


def pooled(activity: Activity, periods: int, pages: int, frames: int, most: int) -> tuple[Tally, float]:
    """The guest puts pages that it lets go into pools of so many frames. Also how many pages the persistent one, which takes up to
    ``most``, has on average."""
    memory, told, kept = Memory.of(activity.pages), Tally(), Pools.of({VM: activity.pages})
    owed = np.zeros(periods)
    for period in range(periods):
        _, back = memory.touch(activity.touched(period), activity.changed(period))
        got = kept.get(VM, back)
        memory.dirty[got.persistent] = True
        going = memory.evict_to(pages)
        put = kept.put(VM, going.pages, going.dirty, frames, most)
        told.reads += len(back) - got.found
        told.writes += put.written
        told.copied += got.found
        told.copies += got.found + put.kept
        told.exits += len(back) - got.found + got.calls + len(going.pages)
        owed[period] = kept.owed(VM)
    return told, float(owed.mean())


def blocks(activity: Activity, periods: int) -> float:
    """The part of memory in blocks of 2 MiB of which no page was touched for ``IDLE`` periods, on average: what can be unplugged by
    block if no page is moved."""
    edges, last, found = np.arange(0, activity.pages, BLOCK), np.full(activity.pages, -IDLE), list[float]()
    for period in range(periods):
        last[activity.touched(period)] = period
        idle = np.maximum.reduceat(last, edges) <= period - IDLE
        found.append(np.count_nonzero(idle) / len(edges))
    return float(np.mean(found[periods // 2:]))


def compare(recording: Recording, activity: Activity, costs: Costs | None = None, seed: int = 0) -> list[Regained]:
    """Every mechanism on a recording, and the least that is possible."""
    costs, periods = costs or Costs(), recording.samples
    most = max(int(np.count_nonzero(activity.touched(period))) for period in range(periods))
    used = int(np.count_nonzero(np.any(recording.touched, axis=0)))
    pages, seconds = max(most // 2, int((1 - REGAINED) * used)), periods * recording.interval
    part = 1 - pages / used
    tallies = {
        "balloon": to_disk(activity, periods, pages, by_guest, 1),
        "host swapping": to_disk(activity, periods, pages, _at_random(seed), 1),
        "paging twice": paged_twice(activity, periods, pages, max(pages, int(GUEST * used)), seed),
        "compressed memory": compressed(activity, recording.compressed, periods, pages)}
    parts, frames = dict.fromkeys(tallies, part), int(FREE * (used - pages))
    for name, most in (("tmem, ephemeral pool", 0), ("tmem, both pools", frames)):
        tallies[name], owed = pooled(activity, periods, pages, frames, most)
        parts[name] = part - owed / used
    found = [Regained(name, parts[name], t.reads, t.writes, t.expanded, t.copied, t.waited(costs, seconds))
             for name, t in tallies.items()]
    by_block = min(REGAINED, blocks(activity, periods))
    left = to_disk(activity, periods, max(pages, int((1 - by_block) * used)), by_guest, 0)
    unplugged = Regained("unplugging blocks", by_block, left.reads, left.writes, 0, 0, left.waited(costs, seconds))
    return [*found, unplugged, _least(activity, periods, pages, part, costs, seconds)]


def _least(activity: Activity, periods: int, pages: int, part: float, costs: Costs, seconds: float) -> Regained:
    told = to_disk(activity, periods, pages, _knowing(activity, periods), 1)
    return Regained("least possible", part, told.reads, told.writes, 0, 0, told.waited(costs, seconds))
