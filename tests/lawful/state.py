"""What a monitor, its VMs and the machine hold, and what kinds of monitors there are."""

from __future__ import annotations

import enum
import random
from collections.abc import Collection, Generator, Iterator
from typing import Any, TypeAlias

import attrs

Told: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[int, int]
Turns: TypeAlias = Generator[None, None, None]
"""Something that is done in several steps. Others act between them."""
Answers: TypeAlias = Generator[None, None, str]
"""The same, and how it has ended."""
PAGE = 4096
ZEROES = bytes(PAGE)
LEAF = 512
OFFSETS = (0, 8, 16, 4, 3, 4080, 4088, 4092)
SIZES = (8, 8, 8, 8, 4, 2, 1, 16, 12)
VALUES = (0, 0, 0, 0, 1, 7, 0xFF, 0x1234567890ABCDEF)


class Backing(enum.Enum):
    """What stands behind a page."""

    PROMISED = "promised"
    """Nothing: it holds zeroes, and gets a frame when it is touched."""
    WAITING = "waiting"
    """Its contents are elsewhere, such as in a file, and arrive when it is touched."""
    MAPPED = "mapped"
    SWAPPED = "swapped"
    BALLOONED = "ballooned"
    """Nothing, and there is no memory."""


class Log(enum.Enum):
    """What the dirty log has of a page."""

    NOTHING = "nothing"
    """It was not sent yet, and is not watched."""
    MARKED = "marked"
    TAKEN = "taken"
    SENT = "sent"
    """The other machine has it as it is, and stores to it are watched for."""


@attrs.define(eq=False)
class Frame:
    """A frame of machine memory."""

    bytes: bytearray = attrs.field(factory=lambda: bytearray(PAGE))
    users: set[Key] = attrs.field(factory=set)
    """The pages that stand on it."""
    is_merged: bool = False
    """Whether pages were merged on it: until it is broken it counts as shared, also if one page is left."""
    is_table: bool = False


@attrs.define(eq=False)
class Slot:
    """A slot on swap that is in use."""

    bytes: bytes
    users: set[Key]
    """The pages that it is the copy of, in a frame or not."""


@attrs.define(eq=False)
class Entry:
    """A translation that is installed."""

    mfn: int
    writable: bool
    allowed: bool
    """Whether the monitor allows stores, so that it may be writable at any time."""


@attrs.define(eq=False)
class Page:
    """A page of a VM's memory."""

    backing: Backing
    mfn: int = -1
    slot: int = -1
    """The slot that is a good copy, or -1."""
    kept: bytes = ZEROES
    """What it holds while it waits."""
    log: Log = Log.NOTHING
    is_reported: bool = False
    is_private: bool = False
    is_tracked: bool = False
    dma: str = ""
    """What the IOMMU lets devices do: nothing, r, or rw."""
    is_touchable: bool = False
    """Whether it is in the balloon, and there all the same."""
    was_touched: bool = False
    lent: set[Key] = attrs.field(factory=set)
    """As which pages others, or its own VM, reach it."""

    @property
    def stays(self) -> bool:
        """Whether it has to stay where it is."""
        return bool(self.dma or self.is_private)

    @property
    def is_pinned(self) -> bool:
        """Whether it has to stay as it is."""
        return bool(self.dma or self.lent or self.is_private)


@attrs.define(eq=False)
class Loan:
    """A page that is reached at another address: in another VM, by a grant, or in its own, as an alias."""

    lender: Key
    writable: bool


@attrs.define(eq=False)
class Ring:
    """A dirty ring."""

    entries: list[int] = attrs.field(factory=list)
    """All pages that were ever pushed, by index."""
    harvested: int = 0
    reset: int = 0
    is_full_told: bool = False


@attrs.define(eq=False)
class Vm:
    """A VM."""

    number: int
    cpus: tuple[int, ...]
    pages: dict[int, Page] = attrs.field(factory=dict)
    table: dict[int, Entry] = attrs.field(factory=dict)
    tlbs: dict[int, dict[int, tuple[int, bool]]] = attrs.field(factory=dict)
    """By CPU and page: the frame, and whether it may be written to."""
    busy: set[int] = attrs.field(factory=set)
    """CPUs that have exited: they cache nothing meanwhile."""
    stale: dict[int, int] = attrs.field(factory=dict)
    """By page of which translations were removed that may still be cached: when."""
    slots: dict[int, tuple[int, int, bool]] = attrs.field(factory=dict)
    """By memory slot: its first page, its number of pages, and whether it is read-only."""
    loans: dict[int, Loan] = attrs.field(factory=dict)
    not_executable: set[int] = attrs.field(factory=set)
    """Pages that were last mapped without the right to fetch instructions."""
    leaves: set[int] = attrs.field(factory=set)
    ever_dma: set[int] = attrs.field(factory=set)
    """Pages of which an IOMMU's mapping was told."""
    is_paused: bool = False
    is_alone: bool = False
    """Whether somebody has the whole VM for itself."""
    is_logging: bool = False
    late: set[int] = attrs.field(factory=set)
    """Pages that were stored to and not marked yet."""
    destination: dict[int, bytes] = attrs.field(factory=dict)
    rings: dict[int, Ring] = attrs.field(factory=dict)

    def is_read_only(self, gfn: int) -> bool:
        return any(first <= gfn < first + pages and readonly for first, pages, readonly in self.slots.values())


@attrs.frozen
class Options:
    """What kind of monitor it is."""

    flushes_told: bool = True
    marks_late: bool = False
    maps_told: bool = True
    populates: bool = True
    """Whether it tells which frames pages get."""
    frames_told: float = 0.8
    """How often a frame is named where it may be left out."""
    touchable: bool = False
    """Whether guests may touch what they gave to their balloon."""
    ring: bool = False
    starts_marked: bool = False
    """Whether migration begins with all marks set."""
    vms: int = 2
    cpus: int = 2
    threads: int = 2
    pages: int = 6
    frames: int = 16
    swap: int = 6
    leaves: bool = False
    gaps: bool = False
    things: frozenset[str] = frozenset()
    """What it does: the names of methods of ``Monitor``."""


THINGS = (
    "remaps", "protects", "allows", "shares", "balloons", "deflates", "reports", "loses", "writes_back", "swaps_out", "swaps_in",
    "moves", "iommu_maps", "iommu_unmaps", "device_acts", "backend_writes", "monitor_reads", "slot_comes_or_goes", "slot_moves",
    "plugs", "lends", "takes_back", "converts", "tracks", "maps_leaf", "splits_leaf", "dumps_translation", "dumps_page",
    "dumps_frame", "dumps_word", "dumps_balloon", "makes_table", "frees", "discards", "destroys", "sends", "flushes_all",
    "harvests", "marks_late_stores", "turns_read_only", "fills", "maps_ahead",
)  # fmt: skip
"""Everything that a thread of the monitor does."""
GROUPS = (
    ("shares", "moves", "dumps_frame", "discards"),
    ("shares", "writes_back", "swaps_out", "swaps_in"),
    ("writes_back", "swaps_out", "swaps_in", "moves", "backend_writes"),
    ("balloons", "deflates", "reports", "loses", "dumps_balloon"),
    ("sends", "harvests", "marks_late_stores", "backend_writes"),
    ("sends", "harvests", "marks_late_stores", "shares", "swaps_out", "writes_back", "lends"),
    ("sends", "harvests", "marks_late_stores", "iommu_maps", "iommu_unmaps", "device_acts", "balloons", "deflates"),
    ("lends", "takes_back", "destroys", "dumps_translation"),
    ("slot_comes_or_goes", "slot_moves", "plugs", "turns_read_only"),
    ("maps_ahead", "allows", "protects", "flushes_all", "dumps_translation"),
)
"""Things that go together."""
RAM, HOT, ROM, LENT, FAR = 0, 16, 32, 48, 512
"""The first page of the memory that a VM always has, of a slot that comes and goes, of one that may be read-only, of what a VM
borrows, and of what is mapped by leaves."""


RING = 4
"""The entries that a dirty ring has room for."""


def sized(size: int) -> Told:
    return {} if size == 8 else {"size": size}


def stretches(pairs: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Pages in a row, on frames in a row."""
    stretch: list[tuple[int, int]] = []
    for gfn, mfn in pairs:
        follows = stretch and gfn == stretch[-1][0] + 1 and (mfn < 0 or mfn == stretch[-1][1] + 1)
        if stretch and not follows:
            yield stretch
            stretch = []
        stretch.append((gfn, mfn))
    if stretch:
        yield stretch


def bitmap(bits: Collection[int]) -> str:
    """As in KVM_GET_DIRTY_LOG."""
    number = sum(1 << bit for bit in bits)
    return number.to_bytes(max(bits) // 8 + 1, "little").hex()


def some_options(draw: random.Random) -> Options:
    """A kind of monitor, drawn: often one that does few things, so that they meet."""
    count = draw.choice((3, 8, 16, len(THINGS)))
    chosen = set(draw.sample(THINGS, count)) | {"remaps"}
    for group in draw.sample(GROUPS, draw.choice((1, 1, 2, 3))):
        chosen |= set(group)
    return Options(
        flushes_told=draw.random() < 0.6,
        marks_late=draw.random() < 0.2,
        maps_told=draw.random() < 0.85,
        populates=draw.random() < 0.7,
        frames_told=draw.choice((1.0, 0.8, 0.3)),
        touchable=draw.random() < 0.3,
        ring=draw.random() < 0.4,
        starts_marked=draw.random() < 0.5,
        vms=draw.choice((1, 2, 2, 3)),
        cpus=draw.choice((1, 2, 2, 3)),
        threads=draw.choice((1, 2, 3)),
        pages=draw.choice((2, 3, 5, 8)),
        frames=draw.choice((8, 16, 24, 40)),
        swap=draw.choice((2, 6)),
        leaves=draw.random() < 0.15,
        gaps=draw.random() < 0.15,
        things=frozenset(chosen),
    )
