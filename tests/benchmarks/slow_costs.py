"""What the costs of exits, of a disk and of scanning are on this machine, in microseconds: for tests/benchmarks/test_costs.py."""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from refmodel.machine.x86.words import RW, US, A, D, P
from refmodel.management.recording import PAGE
from refmodel.oracle.x86.agent.image import TABLES, USER_STUB, WINDOW
from refmodel.oracle.x86.agent.script import Script, Step
from refmodel.oracle.x86.kvm import Kvm

ROUNDS = 15
EXITS = 10_000
CODE = USER_STUB + 0x40
SAVE, RESTORE = b"\x49\x89\xd9\x49\x89\xca\x49\x89\xd3", b"\x4c\x89\xcb\x4c\x89\xd1\x4c\x89\xda"
"""RBX, RCX and RDX to R9, R10 and R11, and back."""
NOP, CPUID, STORE_AND_ON = b"\x90", b"\x0f\xa2", b"\x89\x03\x48\x81\xc3\x00\x10\x00\x00"
"""The last stores to the page that RBX points to, and goes to the next page."""
UD2 = 6
DONTNEED = 4
FILE_PAGES, READS = 1 << 14, 400
SCANNED = 1 << 14


def exits() -> dict[str, float]:
    """A guest's program under KVM: CPUID always exits, and so does the first store to a page that its VM has not got."""
    guest = Guest()
    try:
        return {
            "no exit": guest.loop(NOP, EXITS),
            "exit": guest.loop(CPUID, EXITS),
            "a page that is there": guest.loop(STORE_AND_ON, len(WINDOW)),
            "a page supplied": guest.loop(STORE_AND_ON, len(WINDOW), guest.take_pages),
        }
    finally:
        guest.host.close()


class Guest:
    """A KVM guest that runs a loop at CPL 3: a KVM without hardware's help interprets code at CPL 0."""

    def __init__(self) -> None:
        self.host, script = Kvm(), Script()
        for level in (4, 3, 2):
            script.add(Step.STORE, TABLES[level], TABLES[level - 1] | P | RW | US | A)
        for number, gpa in enumerate(WINDOW):
            script.add(Step.STORE, TABLES[1] + 8 * number, gpa | P | RW | US | A | D)
        script.add(Step.CONTROL, 0x80010033, 0x20, 0xD00)
        script.add(Step.RELOAD, TABLES[4])
        self.host.perform(script)

    def take_pages(self) -> None:
        """As a balloon's host does it: the VM has these pages no more."""
        madvise = ctypes.CDLL(None, use_errno=True).madvise
        if madvise(ctypes.c_void_p(self.host.address + WINDOW.start), ctypes.c_size_t(len(WINDOW) * PAGE), DONTNEED):
            raise OSError(ctypes.get_errno(), "madvise")

    def loop(self, body: bytes, times: int, before: Callable[[], None] = lambda: None) -> float:
        """Microseconds for one of so many."""
        back = struct.pack("<b", -len(body) - 5)
        self.host.image.put(
            CODE, SAVE + b"\x41\xb8" + struct.pack("<I", times) + body + b"\x49\xff\xc8\x75" + back + RESTORE + b"\x0f\x0b"
        )
        found = list[float]()
        for _ in range(ROUNDS):
            before()
            script = Script()
            number = script.add(Step.ACCESS, 0, self.host.image.at(CODE), 1)
            start = time.perf_counter()
            vector = self.host.perform(script)[number][0]
            found.append(1e6 * (time.perf_counter() - start) / times)
            assert vector == UD2, f"the guest's loop ends with exception {vector}"
        return min(found)


def disk(folder: Path) -> tuple[str, dict[str, float]]:
    """A disk's name, and random reads and writes of a page of a file on it, past the page cache: medians."""
    with tempfile.NamedTemporaryFile(dir=folder) as file, mmap.mmap(-1, PAGE) as page:
        file.write(os.urandom(PAGE) * FILE_PAGES)
        file.flush()
        os.fsync(file.fileno())
        direct = os.open(file.name, os.O_RDWR | os.O_DIRECT)
        try:
            found = {
                "swap_in": _median(lambda at: os.preadv(direct, [page], at)),
                "swap_out": _median(lambda at: os.pwritev(direct, [page], at)),
            }
        finally:
            os.close(direct)
        return _name(os.stat(file.name).st_dev), found


def _name(device: int) -> str:
    event = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/uevent")
    lines = event.read_text().splitlines() if event.exists() else []
    return next((line.partition("=")[2] for line in lines if line.startswith("DEVNAME=")), "none of the kernel's")


def _median(work: Callable[[int], object]) -> float:
    draw, found = random.Random(1), list[float]()
    for _ in range(READS):
        at = draw.randrange(FILE_PAGES) * PAGE
        start = time.perf_counter()
        work(at)
        found.append(1e6 * (time.perf_counter() - start))
    return sorted(found)[READS // 2]


def scan() -> float:
    """Clearing a page's referenced bit, and half of a touch afterwards: half of the pages come back."""
    with mmap.mmap(-1, SCANNED * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, len(memory), PAGE):
            memory[at] = 1
        again = _touched(memory)
        start = time.perf_counter()
        Path("/proc/self/clear_refs").write_text("4")
        Path("/proc/self/clear_refs").write_text("1")
        cleared = 1e6 * (time.perf_counter() - start) / _resident()
        return cleared + max(0.0, _touched(memory) - again) / 2


def _touched(memory: mmap.mmap) -> float:
    start = time.perf_counter()
    for at in range(0, len(memory), PAGE):
        memory[at]
    return 1e6 * (time.perf_counter() - start) / SCANNED


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])
