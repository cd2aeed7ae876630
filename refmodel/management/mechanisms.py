"""Mechanisms compared: a VM is given less memory than it touches, and each mechanism regains what is missing in its way.

The same recording runs under each. What differs is who chooses the page that goes, where it goes, and what its return costs.

A monitor that pages has no copy of a page when it goes first, also of a guest's page of a file, and has to write it. It takes pages
at random, as ESX does, or those used longest ago, as Linux does as far as accessed bits tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.activity import Activity
from refmodel.management.bound import least_read, least_written
from refmodel.management.costs import Costs
from refmodel.management.pools import Pools
from refmodel.management.recording import PAGE, Flags, Recording
from refmodel.management.saving import LARGEST_COMPRESSED
from refmodel.management.simulation import Evicted, Memory

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
FASTEST, SLOWEST = 1.0, 10_000.0
"""Microseconds of a read from a device: from memory on a bus to a disk."""
VM = "vm"
"""The one that there is."""
IDLE = 10
"""Periods after which a page counts as idle."""
OLDEST = ", oldest first"
"""After the name of a mechanism of the monitor's: it takes the pages used longest ago."""
DEFLATING, UNPLUGGING, LEAST = "balloon, deflate on OOM", "unplugging blocks", "least possible"
"""Names of mechanisms."""


@attrs.frozen
class Regained:
    """The memory that a mechanism regained over a recording, and its costs."""

    mechanism: str
    part: float
    """The part of the VM's pages that was regained, at most ``REGAINED``; on average, where it varies. What an ephemeral pool holds
    can be had at any time, and is regained. What a persistent pool holds is not, nor is what the guest took back."""
    reads: int
    """Pages read from the swap device."""
    writes: int
    expanded: int
    """Pages that came back from compressed memory."""
    copied: int
    """Pages that came back from a pool of transcendent memory."""
    deflated: int
    """Pages that the guest took out of the balloon because it was out of memory."""
    twice: int
    """Of the pages read: those that the guest wrote out, and that the monitor had to read in for that."""
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
    ballooned: int = 0
    deflated: int = 0
    twice: int = 0

    def waited(self, costs: Costs, seconds: float) -> float:
        """The part of so many seconds of work and what the VM waits besides."""
        micros = (
            self.reads * costs.swap_in
            + self.writes * costs.swap_out
            + self.exits * costs.exit
            + self.expanded * costs.decompress
            + self.compressed * costs.compress
            + self.copies * costs.copy
            + self.ballooned * costs.balloon
            + self.deflated * costs.first_touch
        )
        return micros / 1e6 / (seconds + micros / 1e6)


Chooser = Callable[[Memory, npt.NDArray[np.int64], int, int], npt.NDArray[np.int64]]
"""Which of the pages that are here go: of a memory, the numbers of its pages, how many, and the period."""


def oldest(memory: Memory, here: npt.NDArray[np.int64], count: int, period: int) -> npt.NDArray[np.int64]:
    """The pages used longest ago: so a guest chooses, and a monitor that looks at accessed bits."""
    found = here[np.argpartition(memory.stamp[here], count - 1)[:count]]
    return found[np.argsort(memory.stamp[found])]


def at_random(seed: int) -> Chooser:
    draw = np.random.default_rng(seed)

    def choose(memory: Memory, here: npt.NDArray[np.int64], count: int, period: int) -> npt.NDArray[np.int64]:
        """The monitor does not know what the guest thinks of its pages, and takes any (OSDI 2002, section 3.3)."""
        return draw.choice(here, count, replace=False)

    return choose


def evict(memory: Memory, allowed: int, choose: Chooser, period: int) -> Evicted:
    """Let pages go until no more than ``allowed`` are left."""
    here = np.flatnonzero(memory.resident)
    if len(here) <= allowed:
        return Evicted(here[:0], memory.dirty[:0])
    going = choose(memory, here, len(here) - allowed, period)
    memory.resident[going] = False
    memory.gone[going] = True
    dirty = memory.dirty[going]
    memory.dirty[going] = False
    return Evicted(going, dirty)


def first_touched(memory: Memory, touched: Flags) -> Flags:
    """The pages that come for the first time. No disk of the monitor's has them."""
    return touched & ~memory.resident & ~memory.gone


def to_disk(activity: Activity, periods: int, pages: int, choose: Chooser, exits: int, monitors: bool = False) -> Tally:
    """Pages go to the swap device, the guest's or the monitor's, and come back with so many exits each."""
    memory, told = Memory.of(activity.pages), Tally()
    for period in range(periods):
        touched = activity.touched(period)
        unsaved = first_touched(memory, touched) & monitors
        _, back = memory.touch(touched, activity.changed(period))
        memory.dirty |= unsaved
        told.writes += int(np.count_nonzero(evict(memory, pages, choose, period).dirty))
        told.reads += len(back)
        told.exits += exits * len(back)
    return told


def deflating(activity: Activity, periods: int, pages: int) -> tuple[Tally, float]:
    """A guest without a swap device takes pages out of the balloon when it is out of memory. Also how many it has on average.

    Pages that it stored to cannot go. Others, of files, go before it takes one back, and it gives back what such pages can make
    room for. A page that comes back from the monitor is a fresh one, of zeroes.
    """
    memory, told, had = Memory.of(activity.pages), Tally(), np.zeros(periods)
    for period in range(periods):
        _, back = memory.touch(activity.touched(period), activity.changed(period))
        before = had[period - 1] if period else pages
        had[period] = max(pages, int(np.count_nonzero(memory.resident & memory.dirty)))
        evict(memory, int(had[period]), _clean, period)
        told.reads += len(back)
        told.exits += len(back) + max(0, int(had[period] - before))
        told.deflated += max(0, int(had[period] - before))
        told.ballooned += abs(int(had[period] - before))
    return told, float(had.mean())


def _clean(memory: Memory, here: npt.NDArray[np.int64], count: int, period: int) -> npt.NDArray[np.int64]:
    return oldest(memory, here[~memory.dirty[here]], count, period)


def paged_twice(activity: Activity, periods: int, pages: int, believed: int, choose: Chooser) -> Tally:
    """The guest pages within what it believes it has, the monitor within what there is, and neither knows of the other.

    A page that the guest lets go of and that the monitor has paged out is read in first, to be written out again (Goldberg and
    Hassinger, AFIPS 1974; OSDI 2002, section 3.1).
    """
    guest, host, told = Memory.of(activity.pages), Memory.of(activity.pages), Tally()
    for period in range(periods):
        touched, changed = activity.touched(period), activity.changed(period)
        _, back = guest.touch(touched, changed)
        let_go = evict(guest, believed, oldest, period)
        going = let_go.pages
        twice = int(np.count_nonzero(host.gone[going] & let_go.dirty))
        host.resident[going], host.gone[going], host.dirty[going] = False, False, False  # the guest uses the frames otherwise
        unsaved = first_touched(host, touched & guest.resident)
        _, missed = host.touch(touched & guest.resident, changed)
        host.dirty |= unsaved
        out = evict(host, pages, choose, period)
        told.twice += twice
        told.reads += len(back) + len(missed) + twice
        told.writes += int(np.count_nonzero(let_go.dirty)) + int(np.count_nonzero(out.dirty))
        told.exits += 2 * len(back) + len(missed)
    return told


def compressed(activity: Activity, sizes: npt.NDArray[np.uint16], periods: int, pages: int, choose: Chooser) -> Tally:
    """Pages that the monitor takes are compressed into part of the same memory; only where that is full, or a page does not become
    small, does one go to the device (zswap; ESX's compression cache)."""
    memory, told = Memory.of(activity.pages), Tally()
    inside, unsaved = np.zeros(activity.pages, np.bool_), np.zeros(activity.pages, np.bool_)
    room, space = POOL * pages, sizes / PAGE
    fits = (sizes > 0) & (sizes <= LARGEST_COMPRESSED)
    for period in range(periods):
        touched = activity.touched(period)
        first = first_touched(memory, touched)
        _, back = memory.touch(touched, activity.changed(period))
        memory.dirty |= first
        told.expanded += int(np.count_nonzero(inside[back]))
        told.reads += int(np.count_nonzero(~inside[back]))
        told.exits += len(back)
        memory.dirty[back] |= unsaved[back]  # no disk has what was compressed
        inside[back], unsaved[back] = False, False
        while (over := int(np.count_nonzero(memory.resident)) + float(space[inside].sum()) - pages) >= 1:
            evicted = evict(memory, max(0, int(np.count_nonzero(memory.resident)) - int(over)), choose, period)
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
    return float(np.mean(found[periods // 2 :]))


@attrs.frozen(eq=False)
class Measured:
    """What each mechanism did on a recording, whatever that costs."""

    tallies: Mapping[str, Tally]
    had: Mapping[str, float]
    """Pages that the VM had, where that is not ``pages``."""
    pages: int
    used: int
    seconds: float

    def waited(self, mechanism: str, costs: Costs) -> float:
        """The part of its time that the VM waits, at such costs."""
        return self.tallies[mechanism].waited(costs, self.seconds)

    def regained(self, costs: Costs) -> list[Regained]:
        """All of it, at such costs."""
        return [
            Regained(
                name,
                1 - self.had.get(name, self.pages) / self.used,
                t.reads,
                t.writes,
                t.expanded,
                t.copied,
                t.deflated,
                t.twice,
                self.waited(name, costs),
            )
            for name, t in self.tallies.items()
        ]


def compare(recording: Recording, activity: Activity, costs: Costs | None = None, seed: int = 0) -> list[Regained]:
    """Every mechanism on a recording, and the least that is possible."""
    return measure(recording, activity, seed).regained(costs or Costs())


def measure(recording: Recording, activity: Activity, seed: int = 0) -> Measured:
    """What every mechanism does on a recording."""
    periods = recording.samples
    busiest = max(int(np.count_nonzero(activity.touched(period))) for period in range(periods))
    used = int(np.count_nonzero(np.any(recording.touched, axis=0)))
    pages = max(busiest // 2, int((1 - REGAINED) * used))
    believed, frames = max(pages, int(GUEST * used)), int(FREE * (used - pages))
    tallies = {"balloon": to_disk(activity, periods, pages, oldest, 1)}
    had = dict[str, float]()
    tallies[DEFLATING], had[DEFLATING] = deflating(activity, periods, pages)
    for how in ("", OLDEST):
        swapping, twice, compressing = (oldest if how else at_random(seed) for _ in range(3))
        tallies |= {
            f"host swapping{how}": to_disk(activity, periods, pages, swapping, 1, monitors=True),
            f"paging twice{how}": paged_twice(activity, periods, pages, believed, twice),
            f"compressed memory{how}": compressed(activity, recording.compressed, periods, pages, compressing),
        }
    for name, most in (("tmem, ephemeral pool", 0), ("tmem, both pools", frames)):
        tallies[name], owed = pooled(activity, periods, pages, frames, most)
        had[name] = pages + owed
    by_block = min(REGAINED, blocks(activity, periods))
    had[UNPLUGGING] = (1 - by_block) * used
    tallies[UNPLUGGING] = to_disk(activity, periods, max(pages, int(had[UNPLUGGING])), oldest, 0)
    tallies[LEAST] = _least(activity, periods, pages)
    return Measured(tallies, had, pages, used, periods * recording.interval)


def even(measured: Sequence[Measured], one: str, other: str) -> float | None:
    """The time of a read, in microseconds, above which VMs wait less under ``other``; None if it is so for all or for none. A write
    is taken to cost a tenth of a read."""

    def gains(read: float) -> float:
        costs = Costs(swap_in=read, swap_out=read / 10)
        return sum(each.waited(one, costs) - each.waited(other, costs) for each in measured)

    low, high = FASTEST, SLOWEST
    if gains(low) >= 0 or gains(high) <= 0:
        return None
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (low, middle) if gains(middle) > 0 else (middle, high)
    return high


def _least(activity: Activity, periods: int, pages: int) -> Tally:
    """No mechanism reads or writes fewer, which keeps pages whole, in as many frames, or on the device."""
    reads = least_read([activity], periods, pages)
    return Tally(reads, least_written([activity], periods, pages), exits=reads)
