"""What Linux says of a process's mappings: /proc/PID/smaps and /proc/PID/pagemap (proc(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT = np.uint64(1 << 63)
"""Of an entry of pagemap: the page is in memory."""
OF_THE_KERNEL = ("[vvar]", "[vdso]", "[vsyscall]", "[vvar_vclock]")
FIELDS = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) (\S+) (\d+) *([^\n]*)$"
    rb"|^(Referenced|Anonymous|VmFlags): +([^\n]*)$",
    re.M,
)


@attrs.frozen
class Area:
    """A mapping: pages from ``start`` up to ``end``, by number."""

    start: int
    end: int
    file: str
    """Device and inode; empty for anonymous memory."""
    offset: int
    """Of its first page in the file, in pages."""
    referenced: bool
    """Whether a page of it was touched since referenced bits were cleared."""
    anonymous: bool
    """Whether a page of it is the process's own."""
    marked: bool
    """Whether it is left out of core dumps, which is how neighbours are kept apart."""
    accessible: bool
    """Whether its pages may be read, written or executed. Memory that is only reserved may not."""
    writable: bool
    watched: bool
    """Whether a userfaultfd protects its pages from stores (``uw`` among the flags)."""


def areas_of(pid: int) -> list[Area]:
    """The mappings that hold a process's memory. ``OSError`` if it has gone, or may not be read."""
    found, head = list[Area](), None
    touched = own = False
    for each in FIELDS.finditer(Path(f"/proc/{pid}/smaps").read_bytes()):
        if each[1] is not None:
            head, touched, own = each, False, False
        elif each[8] == b"Referenced":
            touched = each[9].split()[0] != b"0"
        elif each[8] == b"Anonymous":
            own = each[9].split()[0] != b"0"
        elif head is not None:
            flags = each[9].split()
            if head[7].decode() not in OF_THE_KERNEL and not {b"io", b"pf", b"ht"} & set(flags):
                file = "" if head[6] == b"0" else f"{head[5].decode()}:{head[6].decode()}"
                found.append(
                    Area(
                        int(head[1], 16) // PAGE,
                        int(head[2], 16) // PAGE,
                        file,
                        int(head[4], 16) // PAGE,
                        touched,
                        own,
                        b"dd" in flags,
                        not head[3].startswith(b"---"),
                        b"w" in head[3],
                        b"uw" in flags,
                    )
                )
    return found


def present(pid: int, area: Area) -> npt.NDArray[np.int64]:
    """The numbers of the pages of a mapping that are in memory."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as entries:
        entries.seek(area.start * 8)
        data = entries.read((area.end - area.start) * 8)
    entries_read = np.frombuffer(data[: len(data) // 8 * 8], dtype="<u8")
    return area.start + np.flatnonzero(entries_read & PRESENT)


def clear_referenced(pid: int) -> None:
    """Clear the referenced bits of a process.

    Writing 1 leaves the translations in TLBs, so that pages cached there are not seen to be touched again. Writing 4 flushes them,
    also where the kernel has no soft-dirty bits (fs/proc/task_mmu.c, ``clear_refs_write``).
    """
    for command in ("1", "4"):
        Path(f"/proc/{pid}/clear_refs").write_text(command)


def family(root: int) -> Iterator[int]:
    """A process and those that come from it, as long as their parents live."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(each) for each in (task / "children").read_text().split()]
        except OSError:
            continue
