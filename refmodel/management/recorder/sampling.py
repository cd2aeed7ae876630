"""Sampling a program's pages: which were touched, which hold something else than before.

The kernel counts referenced pages by mapping. So each mapping is parted into granules, of one page unless there are very many:
every second granule is left out of core dumps, which keeps neighbours from being merged and changes nothing else. Then
``Referenced`` in /proc/PID/smaps is about a granule. All processes are stopped, with all threads, while one is looked at, so that
between two looks each runs for one interval.
"""

from __future__ import annotations

import errno
import hashlib
import heapq
from contextlib import ExitStack, suppress
from itertools import pairwise

import attrs
import numpy as np

from refmodel.language import BadDesign
from refmodel.management.recorder.areas import PAGE, Area, areas_of, clear_referenced, family, present
from refmodel.management.recorder.calls import DO_DUMP, DONT_DUMP, MADVISE, Stopped, stopped
from refmodel.management.recorder.written import Watch, may_be_watched
from refmodel.management.recording import ABSENT, ZERO

Place = tuple[int, int] | tuple[str, int]
"""What a page is to programs: a process's number and the page's own, or a file and a page of it."""
ZEROES = bytes(PAGE)
MOST_MAPPINGS = "/proc/sys/vm/max_map_count"


@attrs.define
class Page:
    """What is known of a page."""

    owner: int
    content: int = ABSENT
    data: bytes = b""


@attrs.frozen
class Sample:
    """One look: numbers of pages, in the order in which pages were first met."""

    touched: tuple[int, ...]
    changed: tuple[int, ...]
    contents: tuple[int, ...]


@attrs.define
class Sampler:
    """Looks at a process and its descendants again and again.

    Pages are numbered as a guest's kernel might choose frames: one that was given up is the next to be used.
    """

    root: int
    key: bytes
    granule: int = 1
    pages: list[Page] = attrs.field(factory=list)
    numbers: dict[Place, int] = attrs.field(factory=dict)
    stores: bool = False
    """Whether stores are watched: a page that is written with what it held is changed too."""
    _watches: dict[int, Watch | None] = attrs.field(factory=dict)
    _free: list[int] = attrs.field(factory=list)
    """A heap."""
    _processes: dict[int, int] = attrs.field(factory=dict)

    def sample(self) -> Sample:
        """Look once, while all processes are stopped. One that has gone, or goes meanwhile, has no pages any more."""
        touched, changed, alive = set[int](), set[int](), set[int]()
        living = list(family(self.root))
        self._close(self._watches.keys() - set(living))
        with ExitStack() as all_stopped:
            for process in [each for pid in living if (each := _stop(all_stopped, pid))]:
                with suppress(OSError):
                    self._look(process, touched, changed, alive)
        for place in [place for place, number in self.numbers.items() if number not in alive]:
            number = self.numbers.pop(place)
            self.pages[number] = Page(0)
            heapq.heappush(self._free, number)
        return Sample(tuple(sorted(touched)), tuple(sorted(changed)), tuple(page.content for page in self.pages))

    def _look(self, process: Stopped, touched: set[int], changed: set[int], alive: set[int]) -> None:
        owner = self._processes.setdefault(process.pid, len(self._processes) + 1)
        areas = areas_of(process.pid)
        written = self._written(process, areas) if self.stores else set()
        seen = dict[int, int]()
        for area in areas:
            pages = self._touched(process.pid, area)
            seen |= {page: self._number(owner, area, page) for page in pages}
            shared = area.file and not area.anonymous
            alive |= {
                number
                for page in range(area.start, area.end)
                if (number := self.numbers.get((area.file, area.offset + page - area.start) if shared else (owner, page)))
                is not None
            }
        touched |= set(seen.values())
        alive |= set(seen.values())
        changed |= self._read(process.pid, seen) | {seen[page] for page in written & seen.keys()}
        self._part(process, areas)
        clear_referenced(process.pid)  # last: reading a page's contents references it

    def _written(self, process: Stopped, areas: list[Area]) -> set[int]:
        """The pages that were written to since the last look, of mappings that there were then; watch those that are new."""
        watch = self._watch_of(process, areas)
        if watch is None:
            return set()
        written = watch.taken(areas)
        watch.add([area for area in areas if may_be_watched(area)])
        return written

    def _watch_of(self, process: Stopped, areas: list[Area]) -> Watch | None:
        """None if this process lets no stores be watched: its pages change as their contents do."""
        watch = self._watches.get(process.pid)
        if watch is not None and not any(area.watched for area in areas):
            self._close({process.pid})  # it runs another program now
        if process.pid not in self._watches:
            try:
                self._watches[process.pid] = Watch.of(process)
            except OSError:
                self._watches[process.pid] = None
        return self._watches[process.pid]

    def close(self) -> None:
        """Watch no stores any more."""
        self._close(set(self._watches))

    def _close(self, processes: set[int]) -> None:
        for pid in processes:
            if (watch := self._watches.pop(pid)) is not None:
                watch.close()

    def _touched(self, pid: int, area: Area) -> list[int]:
        """The pages that were touched. Of a mapping that has not been parted yet, those that are in memory."""
        if not area.referenced:
            return []
        if area.end - area.start == 1:
            return [area.start]
        return [int(page) for page in present(pid, area)]

    def _number(self, owner: int, area: Area, page: int) -> int:
        shared = bool(area.file) and not area.anonymous
        place: Place = (area.file, area.offset + page - area.start) if shared else (owner, page)
        if place not in self.numbers:
            self.numbers[place] = heapq.heappop(self._free) if self._free else len(self.pages)
            if self.numbers[place] == len(self.pages):
                self.pages.append(Page(0))
            self.pages[self.numbers[place]].owner = 0 if shared else owner
        return self.numbers[place]

    def _part(self, process: Stopped, areas: list[Area]) -> None:
        """Part mappings into granules, of which neighbours are marked differently."""
        end, marked = 0, False
        for area in areas:
            marked = marked and end == area.start
            granules = self._granules(process.pid, area)
            for start, after in granules:
                marked = not marked
                mark(process, start, after, marked)
            end, marked = area.end, marked if granules else area.marked

    def _granules(self, pid: int, area: Area) -> list[tuple[int, int]]:
        """The parts of a mapping that is to be parted. Anonymous pages that are not in memory stay together: when they come they
        are new."""
        if area.end - area.start <= self.granule or not area.accessible:
            return []
        starts = np.arange(area.start, area.end, self.granule)
        if not area.file:
            here = np.zeros(len(starts), np.bool_)
            here[(present(pid, area) - area.start) // self.granule] = True
            starts = starts[here | np.insert(here[:-1], 0, here.any())]
        return [*pairwise([*starts.tolist(), area.end])] if len(starts) else []

    def _read(self, pid: int, seen: dict[int, int]) -> set[int]:
        """Number the contents of pages; which hold something new."""
        changed = set[int]()
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for first, last in runs(sorted(seen)):
                try:
                    memory.seek(first * PAGE)
                    data = memory.read((last - first + 1) * PAGE)
                except OSError:
                    continue
                for at in range(len(data) // PAGE):
                    page = self.pages[seen[first + at]]
                    page.data = data[at * PAGE : (at + 1) * PAGE]
                    content = self.number_of(page.data)
                    if content != page.content:
                        changed.add(seen[first + at])
                        page.content = content
        return changed

    def number_of(self, data: bytes) -> int:
        """A content's number: 1 for zeroes, otherwise 32 bits of a hash under the key."""
        if data == ZEROES:
            return ZERO
        return max(ZERO + 1, int.from_bytes(hashlib.blake2b(data, digest_size=4, key=self.key).digest(), "little"))


def _stop(all_stopped: ExitStack, pid: int) -> Stopped | None:
    try:
        return all_stopped.enter_context(stopped(pid))
    except OSError:
        return None


def mark(process: Stopped, start: int, end: int, marked: bool) -> None:
    """Leave pages out of core dumps, or not. ``BadDesign`` if the process has as many mappings as the kernel allows."""
    failed = process.call(MADVISE, start * PAGE, (end - start) * PAGE, DONT_DUMP if marked else DO_DUMP)
    if failed in (-errno.ENOMEM, -errno.EAGAIN):
        raise BadDesign(
            f"process {process.pid} has too many pages to be looked at one by one: expected a larger --granule, "
            f"or a larger {MOST_MAPPINGS}"
        )


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Numbers in a row, as first and last, at most 256 of them."""
    found = list[tuple[int, int]]()
    start = None
    for number, following in pairwise([*numbers, -1]):
        start = number if start is None else start
        if following != number + 1 or number - start == 255:
            found.append((start, number))
            start = None
    return found


def bitmap(rows: list[tuple[int, ...]], pages: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Rows of page numbers as flags."""
    flags = np.zeros((len(rows), pages), np.bool_)
    for row, numbers in zip(flags, rows, strict=True):
        row[list(numbers)] = True
    return flags
