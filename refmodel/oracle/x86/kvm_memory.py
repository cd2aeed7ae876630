"""Memory management for real: two KVM guests whose pages Linux merges (KSM), takes away (a balloon's madvise) and swaps out.

The monitor's model runs alongside: sharing and ballooning as in refmodel/monitor, swapping as something that no guest can see. What
Linux may do of its own accord (merge equal pages, part them) the model is made to follow, if it can; a guest's page must hold
what the model's holds, and two pages lie in one frame only if the model can share them. Frames are seen through
/proc/self/pagemap (Linux Documentation/admin-guide/mm/pagemap.rst, ksm.rst; madvise(2)).
"""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from refmodel.bare import Event
from refmodel.designs import Ept
from refmodel.engines.machine import Machine
from refmodel.language import geometry, outline
from refmodel.machine.cells import Cell
from refmodel.machine.x86.words import RW, US, A, D, P
from refmodel.monitor.p2m import Backing
from refmodel.oracle.judging import Finding, Lost
from refmodel.oracle.kernel_settings import KSM
from refmodel.oracle.x86.agent.image import LOAD, MAILBOX, STORE, TABLES, USER_STUB
from refmodel.oracle.x86.agent.script import Script, Step
from refmodel.oracle.x86.kvm import Kvm

PAGES = 3
"""Of each guest."""
FIRST = 0x100000
"""The physical address of the first."""
SIZE = 10
DONTNEED, MERGEABLE, PAGEOUT = 4, 12, 21
"""madvise(2)."""
KSM_SETTINGS = {KSM / "sleep_millisecs": "1", KSM / "pages_to_scan": "4000", KSM / "smart_scan": "0"}
VALUES = tuple(Cell(writable=bool(n & 1), executable=bool(n & 2)) for n in range(4))
"""What a page may hold: its first word is the number, the rest zero; the model's cell stands for it."""
SOURCE = "specs/sharing.md, ISO-2 and EQV-1; specs/ballooning.md, ISO-4"


@attrs.frozen
class Happening:
    """Something done to the guests: a word for it, and a page of a guest where it is about one."""

    kind: str
    vm: int = 0
    page: int = 0
    value: int = 0

    def __str__(self) -> str:
        where = f"guest {self.vm} page {self.page}"
        return {
            "store": f"{where} is stored to: {self.value}",
            "merge": "Linux merges equal pages",
            "balloon": f"{where} goes into the balloon and comes back",
            "swap": f"{where} is swapped out",
        }[self.kind]


@attrs.frozen
class MemoryTest:
    """What happens, in order. Before, every page holds 0, in a frame of its own."""

    happenings: tuple[Happening, ...]

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield "every page is zero, in a frame of its own"
        yield from map(str, self.happenings)


def make(data: bytes, swapping: bool) -> MemoryTest:
    """The test that these bytes stand for; a byte of zero is nothing."""
    kinds = ("store", "merge", "store", "balloon", "merge", *(("swap",) if swapping else ()))
    happenings = []
    for byte in data:
        if byte:
            kind, rest = kinds[byte % len(kinds)], byte // len(kinds)
            happenings.append(Happening(kind, rest % 2, rest // 2 % PAGES, rest // 6 % len(VALUES)))
    return MemoryTest(tuple(happenings))


class Model:
    """The monitor's model of two such guests."""

    design = outline(Ept)
    geometry = geometry(Vm=2, Vcpu=1, Gfn=PAGES, Mfn=2 * PAGES + 2, Index=1, only={Cell: VALUES})

    def __init__(self) -> None:
        self.machine = Machine(self.design, self.geometry)
        self.machine.power_on(_first)
        for vm, page in pages():
            self._do("populate", vm, page)

    def _do(self, name: str, *arguments: Any) -> Any:
        taken = self.machine.attempt(self.design.operation(name), arguments, _first)
        if taken is None:
            return None
        self.machine.settle()
        return taken[1] if taken[1] is not None else True

    def store(self, vm: int, page: int, value: int) -> None:
        """A guest's store, with the exits it takes."""
        self._access("store_unpaged", vm, page, VALUES[value])

    def load(self, vm: int, page: int) -> int:
        return VALUES.index(self._access("load_unpaged", vm, page).shown.cell)

    def _access(self, name: str, vm: int, page: int, *value: Cell) -> Any:
        for _ in range(4):
            seen = self._do(name, vm, 0, page, 0, *value)
            if seen.shown.event == Event.COMPLETED:
                return seen
            self._do("ept_violation", vm, page, bool(value))
        raise AssertionError("the model's access does not complete")

    def balloon(self, vm: int, page: int) -> None:
        """Up, given away, down, and given back."""
        self._do("set_target", vm, 1)
        self._do("inflate", vm, page)
        self._do("set_target", vm, 0)
        self._do("deflate", vm, page)

    def share(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        """Whether the two can be in one frame; now they are."""
        if self.frame(*one) == self.frame(*other):
            return True
        return bool(self._do("share", *one, *other) or self._do("share", *other, *one))

    def part(self, vm: int, page: int) -> None:
        """A page gets a frame of its own, if it has none."""
        self._do("unmerge", vm, page)

    def frame(self, vm: int, page: int) -> int:
        entry = self.machine.state.p2m[vm, page]
        assert entry.backing == Backing.MAPPED
        return int(entry.mfn)


def _first(options: Sequence[Any]) -> Any:
    return options[0]


def pages() -> Iterator[tuple[int, int]]:
    return itertools.product(range(2), range(PAGES))


class Guests:
    """Two guests, whose pages one can look at from outside."""

    def __init__(self) -> None:
        self.hosts = [Kvm(), Kvm()]
        self._pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        for host in self.hosts:
            self._map(host)
            self._advise(host.address + FIRST, PAGES * 0x1000, MERGEABLE)

    @staticmethod
    def _map(host: Kvm) -> None:
        script = Script()
        for level in (4, 3, 2):
            script.add(Step.STORE, TABLES[level], TABLES[level - 1] | P | RW | US | A)
        for page in range(PAGES):
            script.add(Step.STORE, TABLES[1] + 8 * page, FIRST + 0x1000 * page | P | RW | US | A | D)
        script.add(Step.CONTROL, 0x80010033, 0x20, 0xD00)
        script.add(Step.RELOAD, TABLES[4])
        host.perform(script)

    def _advise(self, address: int, length: int, what: int) -> None:
        if self._libc.madvise(address, length, what):
            raise Lost(f"madvise {what}: {os.strerror(ctypes.get_errno())}")

    def at(self, vm: int, page: int) -> int:
        """Where a page lies in this process."""
        return self.hosts[vm].address + FIRST + 0x1000 * page

    def clear(self) -> None:
        """Every page is zero, in a frame of its own."""
        for vm, page in pages():
            self._advise(self.at(vm, page), 0x1000, DONTNEED)
            self.hosts[vm].image.put(FIRST + 0x1000 * page, bytes(0x1000))

    def access(self, vm: int, page: int, value: int | None = None) -> int:
        """An access at CPL 3, through the MMU that KVM has made: a store of a value, or a load."""
        host, script = self.hosts[vm], Script()
        if value is not None:
            script.add(Step.STORE, MAILBOX + 24, value)
        stub = host.image.at(USER_STUB) + (LOAD if value is None else STORE)
        number = script.add(Step.ACCESS, 0x1000 * page, stub, 1)
        vector, _, _, rax = host.perform(script)[number]
        if vector != 6:
            raise Lost(f"a guest's access ends with exception {vector}")
        return rax

    def balloon(self, vm: int, page: int) -> None:
        """Take a page away as the host does for virtio-balloon."""
        self._advise(self.at(vm, page), 0x1000, DONTNEED)

    def swap_out(self, vm: int, page: int) -> None:
        self._advise(self.at(vm, page), 0x1000, PAGEOUT)

    def merge(self) -> None:
        """Let KSM look at everything twice, which is what it needs to merge."""
        scans = int((KSM / "full_scans").read_text())  # a kernel without KSM has no such file
        (KSM / "run").write_text("1")
        until = time.monotonic() + 5
        try:
            while int((KSM / "full_scans").read_text()) < scans + 3 and time.monotonic() < until:
                time.sleep(0.002)
        finally:
            (KSM / "run").write_text("0")

    def frames(self) -> dict[tuple[int, int], int]:
        """The page frame number of each page that is in memory."""
        found = {}
        for vm, page in pages():
            (entry,) = struct.unpack("<Q", os.pread(self._pagemap, 8, self.at(vm, page) // 0x1000 * 8))
            if entry >> 63:
                found[vm, page] = entry & ((1 << 55) - 1)
        return found

    def close(self) -> None:
        os.close(self._pagemap)
        for host in self.hosts:
            host.close()


def _shared(frames: dict[tuple[int, int], int], page: tuple[int, int]) -> bool:
    return page in frames and list(frames.values()).count(frames[page]) > 1


@attrs.frozen
class MemoryCampaign:
    """Tests of memory management for KVM."""

    implementation: str
    guests: Guests
    swapping: bool
    size: int = SIZE
    slow: bool = True
    counted: dict[str, int] = attrs.field(factory=dict)
    """How often pages were found merged, parted and swapped: a run that met none says nothing."""

    @property
    def subject(self) -> str:
        return f"memory merged and parted, ballooned{' and swapped' if self.swapping else ' (no swap file can be had)'}"

    def make(self, data: bytes) -> MemoryTest:
        return make(data, self.swapping)

    def run(self, tests: Sequence[MemoryTest]) -> Sequence[tuple[str, Finding | None]]:
        return [self._one(test) for test in tests]

    def _one(self, test: MemoryTest) -> tuple[str, Finding | None]:
        self.guests.clear()
        model, met = Model(), "plain"
        for happening in test.happenings:
            self._happen(happening, model)
            finding, sharing = self._compare(model)
            met = "shared" if sharing else met
            if finding is not None:
                return "deviates", finding
        return met, None

    def _happen(self, happening: Happening, model: Model) -> None:
        guests, vm, page = self.guests, happening.vm, happening.page
        if happening.kind == "store":
            before = guests.frames()
            guests.access(vm, page, happening.value)
            model.store(vm, page, happening.value)
            self._count("pages parted by a store", _shared(before, (vm, page)) and not _shared(guests.frames(), (vm, page)))
        elif happening.kind == "balloon":
            guests.balloon(vm, page)
            model.balloon(vm, page)
        elif happening.kind == "swap":
            guests.swap_out(vm, page)
            self._count("pages swapped out", (vm, page) not in guests.frames())
        else:
            guests.merge()

    def _count(self, what: str, happened: bool) -> None:
        self.counted[what] = self.counted.get(what, 0) + happened

    def _compare(self, model: Model) -> tuple[Finding | None, bool]:
        """The frames first, then what each page holds: loads bring back what was swapped out."""
        frames = self.guests.frames()
        sharing = False
        for one, other in itertools.combinations(frames, 2):
            together = frames[one] == frames[other]
            sharing = sharing or together
            if together and not model.share(one, other):
                return Finding(
                    "two pages in one frame that the model cannot share",
                    SOURCE,
                    f"frames apart for {one} and {other}",
                    f"page frame {frames[one]:#x} for both",
                ), sharing
            if not together and model.frame(*one) == model.frame(*other):
                model.part(*other)
                self._count("pages parted", True)
        self._count("comparisons with pages merged", sharing)
        for vm, page in pages():
            due, got = model.load(vm, page), self.guests.access(vm, page)
            if due != got:
                words = f"guest {vm} page {page} holds {due}"
                return Finding("a page holds what it must not", SOURCE, words, f"{got:#x}"), sharing
        return None, sharing
