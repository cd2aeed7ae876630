"""Which pages a process wrote to, also where they hold what they held: userfaultfd's asynchronous write protection (Linux 6.7).

The process's mappings are registered with a userfaultfd of its own, whose pages the kernel protects, and lets be written to at
the first store, without telling anyone (userfaultfd(2), ``UFFD_FEATURE_WP_ASYNC``). PAGEMAP_SCAN(2const) says later which pages
are protected no longer, and protects them again in the same step. When the userfaultfd is closed all is as it was.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Iterator

import attrs

from refmodel.management.recorder.areas import PAGE, Area
from refmodel.management.recorder.calls import Stopped

USERFAULTFD, CLOSE, PIDFD_GETFD = 323, 3, 438
"""Numbers of system calls on x86-64."""
USER_MODE_ONLY = 1
"""``UFFD_USER_MODE_ONLY``: what every user may ask for. Protection that is asynchronous lets the kernel's own stores through."""
API, WP_ASYNC, MODE_WP = 0xAA, 1 << 15, 1 << 1
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_WRITEPROTECT = 0xC018AA3F, 0xC020AA00, 0xC018AA06
PAGEMAP_SCAN = 0xC0606610
WP_MATCHING = 1 << 0
IS_WPALLOWED, IS_WRITTEN = 1 << 0, 1 << 1
SCAN = struct.Struct("<12Q")
"""``struct pm_scan_arg``."""
REGIONS = 512
"""How many regions one scan returns, of three words each (``struct page_region``)."""
MOST_PAGES = 1 << 20
"""Of a mapping that is watched. Protecting what is not in memory takes page tables, also where a mapping was only reserved."""


@attrs.define
class Watch:
    """The pages of one process that were written to since it was asked last."""

    pid: int
    descriptor: int

    @staticmethod
    def of(process: Stopped) -> Watch:
        """A watch of a stopped process. ``OSError`` if the kernel has none, or grants none."""
        there = process.call(USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK | USER_MODE_ONLY)
        if there < 0:
            raise OSError(-there, f"userfaultfd: {os.strerror(-there)}")
        try:
            watch = Watch(process.pid, _taken_over(process.pid, there))
        finally:
            process.call(CLOSE, there)
        try:
            fcntl.ioctl(watch.descriptor, UFFDIO_API, struct.pack("<3Q", API, WP_ASYNC, 0))
        except OSError:
            watch.close()
            raise
        return watch

    def close(self) -> None:
        """Leave the process as it was found."""
        os.close(self.descriptor)

    def add(self, areas: list[Area]) -> None:
        """Watch these mappings too, where they can be: stores from now on are seen."""
        for run in _in_a_row(areas):
            for start, end in (
                [(run[0].start, run[-1].end)]
                if self._add(run[0].start, run[-1].end)
                else [(each.start, each.end) for each in run if self._add(each.start, each.end)]
            ):
                fcntl.ioctl(self.descriptor, UFFDIO_WRITEPROTECT, struct.pack("<3Q", start * PAGE, (end - start) * PAGE, 1))

    def _add(self, start: int, end: int) -> bool:
        try:
            fcntl.ioctl(self.descriptor, UFFDIO_REGISTER, struct.pack("<4Q", start * PAGE, (end - start) * PAGE, MODE_WP, 0))
        except OSError:
            return False
        return True

    def taken(self, areas: list[Area]) -> set[int]:
        """The numbers of the pages that were written to; from now on stores to them are seen again."""
        found = set[int]()
        with open(f"/proc/{self.pid}/pagemap", "rb", buffering=0) as pagemap:
            for run in _in_a_row([area for area in areas if area.watched]):
                for first, end in _written(pagemap.fileno(), run[0].start * PAGE, run[-1].end * PAGE):
                    found |= set(range(first // PAGE, end // PAGE))
        return found


def may_be_watched(area: Area) -> bool:
    """Whether stores to a mapping can be seen, and are not yet."""
    return area.writable and not area.watched and area.end - area.start <= MOST_PAGES


def _taken_over(pid: int, descriptor: int) -> int:
    """Another process's descriptor, as one of ours (pidfd_getfd(2))."""
    process = os.pidfd_open(pid)
    try:
        ours = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, descriptor, 0)
    finally:
        os.close(process)
    if ours < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"pidfd_getfd: {os.strerror(number)}")
    return int(ours)


def _in_a_row(areas: list[Area]) -> Iterator[list[Area]]:
    """Mappings without a gap between them, together."""
    run = list[Area]()
    for area in areas:
        if run and run[-1].end != area.start:
            yield run
            run = []
        run.append(area)
    if run:
        yield run


def _written(pagemap: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    regions = (ctypes.c_uint64 * (3 * REGIONS))()
    both = IS_WPALLOWED | IS_WRITTEN
    while start < end:
        asked = bytearray(
            SCAN.pack(SCAN.size, WP_MATCHING, start, end, 0, ctypes.addressof(regions), REGIONS, 0, 0, both, 0, IS_WRITTEN)
        )
        count = fcntl.ioctl(pagemap, PAGEMAP_SCAN, asked)
        yield from ((regions[3 * at], regions[3 * at + 1]) for at in range(count))
        start = SCAN.unpack(asked)[4]
