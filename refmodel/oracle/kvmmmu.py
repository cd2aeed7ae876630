"""Traces of Linux's KVM: the kvmmmu events of a running kernel, as the ``trace`` file or ``trace-cmd report`` prints them.

They tell of the walks that KVM makes through guests' tables, of the shadow pages that it gets for them, and of the entries that it
puts in. Each is judged by the text of the walk. A guest's control registers are not told, nor MAXPHYADDR; so a walk is lawful if
*some* registers explain it. What is told of tables that the text does not know (32-bit, PAE) is counted, not judged.

(Linux arch/x86/kvm/mmu/mmutrace.h says what each event holds; Documentation/trace/ftrace.rst how a line is laid out.)
"""

from __future__ import annotations

import functools
import itertools
import re
import time
from collections.abc import Callable, Iterator

import attrs

from refmodel.language import BadDesign
from refmodel.language.asking import Fault
from refmodel.machine.ept_walk import Ept, Use, ept_walk
from refmodel.machine.guest_walk import Access, Cpu, NotCanonical, PageFault, walk
from refmodel.machine.words import FRAME, NX, PS, RW, US, A, D, Translation, lacking
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.judge import Deviation, TraceVerdict
from refmodel.oracle.trace.reading import Source

LINE = re.compile(rb"^\s*(\S.*?-\d+)\s+(?:\([^)]*\)\s+)?\[\d+\]\s+(?:\S+\s+)?\d+\.\d+:\s+(\w+):\s*(.*)$")
"""Task and pid, the CPU, flags if they are printed, the time, the event, and what it holds."""
WALK = re.compile(rb"addr ([0-9a-f]+) pferr ([0-9a-f]+)")
ELEMENT = re.compile(rb"pte ([0-9a-f]+) level (\d)")
ERROR = re.compile(rb"pferr ([0-9a-f]+)")
MARK = re.compile(rb"gpa ([0-9a-f]+)")
PAGE = re.compile(rb"sp gen (\S+) gfn ([0-9a-f]+) l?(\d) (\d+)-byte (.*?) root (-?\d+) (\w+)(?: (new|existing))?")
REQUESTED = re.compile(rb"gfn ([0-9a-f]+) pfn ([0-9a-f]+) level (\d)")
MMIO = re.compile(rb"gfn ([0-9a-f]+) access \w+ gen (\w+)")
SPTE = re.compile(rb"gfn ([0-9a-f]+) spte ([0-9a-f]+) \((.)(.)(.)(.)\) level (\d)")
RIGHTS = re.compile(rb"(?:^| )([w-][u-][x-])(?: |$)")
FETCH, WRITE, USER = 1 << 4, 1 << 1, 1 << 2
"""Bits of the access that a walk is told to be for."""

WALKS = ("EQV-2", "walks_end_as_the_architecture_s", "A walk reads the entries, and ends, as the architecture's does.")
CODES = ("EQV-3", "error_codes_are_due", "A walk that fails tells the error code that is due.")
MARKS = ("EQV-4", "flags_are_set_as_they_are_used", "A walk that ends well sets the accessed and dirty flags that are clear.")
ROLES = ("EQV-2", "roles_inherit_what_every_level_gives", "A shadow page is of the table, and the rights, that the walk came by.")
ENTRIES = ("ISO-1", "shadow_entries_give_no_more", "A shadow entry leads to the frame that was asked for, with no more rights.")
SYNC = ("EQV-5", "pages_are_synced_that_fell_behind", "A shadow page falls behind and is brought up to date, by turns.")
SLOTS = ("ISO-1", "a_frame_has_memory_or_none", "In one generation of memory slots, a guest frame has memory or it has none.")
REUSE = ("ISO-3", "zapped_pages_are_not_used_again", "A shadow page that was zapped is not used before it is made anew.")


class _Told:
    """Memory that holds the entries that were told, in the order in which they were read."""

    def __init__(self, elements: tuple[int, ...]) -> None:
        self.elements, self.reads = elements, 0

    def read(self, address: int) -> int:
        if self.reads == len(self.elements):
            raise _MoreIsRead
        self.reads += 1
        return self.elements[self.reads - 1]

    def mark(self, address: int, entry: int, flags: int) -> None:
        """Flags are told apart."""


class _MoreIsRead(Exception):
    """The walk would go on where the told one ended."""


@attrs.define
class Walk:
    """A walk under way, for a task."""

    line: int
    address: int
    access: int
    elements: list[tuple[int, int]] = attrs.field(factory=list)
    """Entries, and their levels."""
    error: int | None = None
    marks: dict[int, int] = attrs.field(factory=dict)
    ended: bool = False

    def entries(self) -> tuple[int, ...]:
        return tuple(entry for entry, _ in self.elements)

    def known(self) -> bool:
        """Whether its tables are of a format that the text knows."""
        return bool(self.elements) and self.elements[0][1] in (4, 5)


@functools.lru_cache(maxsize=1 << 16)
def ends(entries: tuple[int, ...], levels: int, address: int, access: int) -> frozenset[int | None]:
    """The ways in which a walk that reads these entries may end, under any registers: error codes, or None where it completes."""
    kind = Access(user=access & USER != 0, write=access & WRITE != 0, fetch=access & FETCH != 0)
    found: set[int | None] = set()
    for flags, bits in itertools.product(itertools.product((True, False), repeat=7), (52, 46, 40, 36)):
        wp, smep, smap, nxe, ac, gigabyte_pages, amd = flags
        cpu = Cpu(0, levels, wp, smep, smap, nxe, beyond=lacking(bits), gigabyte_pages=gigabyte_pages, amd=amd)
        memory = _Told(entries)
        try:
            end: Translation | Fault = walk(memory, cpu, address, attrs.evolve(kind, ac=ac))
        except _MoreIsRead:
            continue
        except (PageFault, NotCanonical) as fault:
            end = fault
        if memory.reads == len(entries):
            found.add(end.code if isinstance(end, PageFault) else None)
    return frozenset(found)


@functools.lru_cache(maxsize=1 << 12)
def is_ept(entries: tuple[int, ...], levels: int, address: int) -> bool:
    """Whether a walk of a guest's own EPT may complete that reads these entries."""
    for flags, by_mode in itertools.product((False, True), (False, True)):
        memory = _Told(entries)
        try:
            ept_walk(memory, Ept(0, levels, flags, by_mode, beyond=lacking(52)), address, Use())
        except (_MoreIsRead, Fault):
            continue
        if memory.reads == len(entries):
            return True
    return False


class KvmMmu:
    """The judge of a kernel's events."""

    def __init__(self) -> None:
        self.walks: dict[bytes, Walk] = {}
        """By task: the walk that it made last."""
        self.requested: dict[bytes, tuple[int, int]] = {}
        """By task: the guest frame that an entry was asked for, and the frame behind it."""
        self.zapped: dict[tuple[bytes, bytes], int] = {}
        """By task and shadow page: the line that told of its end."""
        self.unsync: dict[tuple[bytes, bytes], bool] = {}
        """By task and shadow page: whether it may be behind the guest's table, as far as that was told."""
        self.mmio: dict[tuple[bytes, int], tuple[bytes, int]] = {}
        """By task and guest frame: the generation of slots in which it had no memory, and the line that told so."""
        self.mapped: dict[tuple[bytes, int], int] = {}
        """By task and guest frame: the line that told of its last entry."""
        self.judged = self.unknown = 0
        self.nested = False
        """Whether a guest was seen to have an EPT of its own. Its walks end in ways that cannot be told from page faults."""
        self.handlers: dict[bytes, Callable[[int, bytes, bytes], None]] = {
            b"kvm_mmu_pagetable_walk": self.pagetable_walk, b"kvm_mmu_paging_element": self.paging_element,
            b"kvm_mmu_walker_error": self.walker_error, b"kvm_mmu_set_accessed_bit": self.set_flag(A),
            b"kvm_mmu_set_dirty_bit": self.set_flag(D), b"kvm_mmu_get_page": self.get_page,
            b"kvm_mmu_prepare_zap_page": self.zap_page, b"kvm_mmu_unsync_page": self.turn(to_unsync=True),
            b"kvm_mmu_sync_page": self.turn(to_unsync=False), b"mark_mmio_spte": self.mark_mmio,
            b"kvm_mmu_spte_requested": self.spte_requested,
            b"kvm_mmu_set_spte": self.set_spte}

    def event(self, line: int, task: bytes, name: bytes, rest: bytes) -> None:
        """Judge one event. Raises ``Deviates``."""
        handler = self.handlers.get(name)
        if handler is None:
            return
        self.judged += 1
        if name not in _OF_A_WALK:
            self.finish(task)
        handler(line, task, rest)

    def finish(self, task: bytes) -> None:
        """A task's walk has ended, since it does something else."""
        walked = self.walks.get(task)
        if walked is None or walked.ended:
            return
        walked.ended = True
        if not walked.known():
            self.unknown += bool(walked.elements)
            return
        due = ends(walked.entries(), walked.elements[0][1], walked.address, walked.access)
        if walked.error not in due:
            completes = walked.error is None and is_ept(walked.entries(), walked.elements[0][1], walked.address)
            self.nested = self.nested or completes
            if completes or (self.nested and walked.error is not None):
                self.unknown += 1
                return
            raise _deviates(CODES if due - {None} and walked.error is not None else WALKS, list(_due(walked)),
                            f"the walk at line {walked.line}, of {walked.address:#x}, {_end(walked.error)}")
        if walked.error is None:
            self._flags(walked)

    def _flags(self, walked: Walk) -> None:
        """Each entry that is used and has no accessed flag gets one, and the leaf of a write a dirty flag. The root's place is not
        told, only the entry's in it."""
        table = None
        for number, (entry, level) in enumerate(walked.elements):
            leaf = number == len(walked.elements) - 1
            due = (A if not entry & A else 0) | (D if leaf and walked.access & WRITE and not entry & D else 0)
            offset = (walked.address >> (3 + 9 * level) & 0x1FF) << 3
            told = sum(flags for at, flags in walked.marks.items()
                       if (at == table | offset if table is not None else at & 0xFFF == offset))
            if due & ~told:
                flag = "accessed" if due & ~told & A else "dirty"
                raise _deviates(MARKS, [f"the {flag} flag of the level {level} entry {entry:#x} set"],
                                f"the walk at line {walked.line}, of {walked.address:#x}")
            table = entry & FRAME

    # ------------------------------------------------------------ walks

    def pagetable_walk(self, line: int, task: bytes, rest: bytes) -> None:
        address, access = (int(text, 16) for text in _fields(WALK, rest))
        self.walks[task] = Walk(line, address, access)

    def paging_element(self, line: int, task: bytes, rest: bytes) -> None:
        entry, level = _fields(ELEMENT, rest)
        walked = self.walks.get(task)
        if walked is None or walked.ended:
            return
        if walked.elements and int(level) != walked.elements[-1][1] - 1:
            due = walked.elements[-1][1] - 1
            raise _deviates(WALKS, [f"level {due}"], f"the walk at line {walked.line} goes to level {int(level)}")
        walked.elements.append((int(entry, 16), int(level)))

    def walker_error(self, line: int, task: bytes, rest: bytes) -> None:
        walked = self.walks.get(task)
        if walked is not None and not walked.ended:
            walked.error = int(_fields(ERROR, rest)[0], 16)
            self.finish(task)

    def set_flag(self, flag: int) -> Callable[[int, bytes, bytes], None]:
        def told(line: int, task: bytes, rest: bytes) -> None:
            walked = self.walks.get(task)
            if walked is not None and not walked.ended:
                at = int(_fields(MARK, rest)[0], 16)
                walked.marks[at] = walked.marks.get(at, 0) | flag
        return told

    # ------------------------------------------------------------ shadow pages and entries

    def get_page(self, line: int, task: bytes, rest: bytes) -> None:
        _, gfn, level, size, role, _, state, made = _fields(PAGE, rest)
        key = task, gfn + b" " + level + b" " + role
        if made == b"new":
            self.zapped.pop(key, None)
            self.unsync[key] = False
        elif made == b"existing" and key in self.zapped:
            raise _deviates(REUSE, ["a new page"], f"it was zapped at line {self.zapped[key]}")
        else:
            self._agrees(key, state)
        walked = self.walks.get(task)
        if walked is None or not walked.known() or walked.error is not None or b"direct" in role or size != b"8":
            return
        self._role(walked, int(gfn, 16), int(level), role)

    def _role(self, walked: Walk, gfn: int, level: int, role: bytes) -> None:
        """The page of a level is made of the entries above it."""
        above = [entry for entry, at in walked.elements if at > level]
        rights = RIGHTS.search(role)
        if not above or len(above) != walked.elements[0][1] - level or rights is None or above[-1] & PS:
            return
        if above[-1] & FRAME != gfn << 12:
            table = (above[-1] & FRAME) >> 12
            raise _deviates(ROLES, [f"gfn {table:#x}"], f"the walk at line {walked.line} leads to another table")
        given = functools.reduce(lambda one, other: one & other, above)
        denied = functools.reduce(lambda one, other: one | other, above)
        due = (b"w" if given & RW else b"-") + (b"u" if given & US else b"-")
        executable = b"x" if not denied & NX else b"-"
        nxe = b" nxe" in b" " + role
        if rights[1][:2] != due or (nxe and rights[1][2:] != executable):
            raise _deviates(ROLES, [(due + executable).decode()], f"the walk at line {walked.line} came by entries that give this")

    def zap_page(self, line: int, task: bytes, rest: bytes) -> None:
        _, gfn, level, _, role, _, _, _ = _fields(PAGE, rest)
        self.zapped[task, gfn + b" " + level + b" " + role] = line
        self.unsync.pop((task, gfn + b" " + level + b" " + role), None)

    def turn(self, to_unsync: bool) -> Callable[[int, bytes, bytes], None]:
        """A shadow page is let go, or brought up to date. Its state is told as it was before."""
        def told(line: int, task: bytes, rest: bytes) -> None:
            _, gfn, level, _, role, _, state, _ = _fields(PAGE, rest)
            key = task, gfn + b" " + level + b" " + role
            self._agrees(key, state)
            if (state == b"unsync") == to_unsync:
                raise _deviates(SYNC, ["sync" if to_unsync else "unsync"], f"it is told to be {state.decode()} already")
            self.unsync[key] = to_unsync
        return told

    def _agrees(self, key: tuple[bytes, bytes], state: bytes) -> None:
        """What is told of a page's state is what was told last."""
        if self.unsync.setdefault(key, state == b"unsync") != (state == b"unsync"):
            due = "unsync" if self.unsync[key] else "sync"
            raise _deviates(SYNC, [due], f"it was {due} when it was last told of, and nothing has changed that")

    def mark_mmio(self, line: int, task: bytes, rest: bytes) -> None:
        gfn, generation = _fields(MMIO, rest)
        key = task, int(gfn, 16)
        before, mapped = self.mmio.get(key), self.mapped.get(key, 0)
        if before is not None and before[0] == generation and mapped > before[1]:
            raise _deviates(SLOTS, [f"no entry at line {mapped}"], f"gfn {int(gfn, 16):#x}, generation {generation.decode()}: it "
                            f"had none at line {before[1]}, and a frame at line {mapped}")
        self.mmio[key] = generation, line

    def spte_requested(self, line: int, task: bytes, rest: bytes) -> None:
        gfn, pfn, level = _fields(REQUESTED, rest)
        if level == b"1":
            self.requested[task] = int(gfn, 16), int(pfn, 16)
        else:
            self.requested.pop(task, None)

    def set_spte(self, line: int, task: bytes, rest: bytes) -> None:
        gfn_text, spte_text, _, write, _, user, level = _fields(SPTE, rest)
        gfn, spte = int(gfn_text, 16), int(spte_text, 16)
        self.mapped[task, gfn] = line
        asked = self.requested.get(task)
        if level != b"1" or asked is None or asked[0] != gfn:
            return
        if spte & FRAME != asked[1] << 12:
            raise _deviates(ENTRIES, [f"pfn {asked[1]:x}"], f"gfn {gfn:#x}")
        walked = self.walks.get(task)
        if walked is None or not walked.known() or walked.error is not None or walked.elements[-1][1] != 1:
            return
        if walked.elements[-1][0] & FRAME == gfn << 12:
            self._rights(walked, gfn, write == b"w", user == b"u")

    def _rights(self, walked: Walk, gfn: int, write: bool, user: bool) -> None:
        entries = walked.entries()
        given = functools.reduce(lambda one, other: one & other, entries)
        wrote = bool(walked.access & WRITE)
        supervisor_wrote = wrote and not walked.access & USER  # with CR0.WP clear it may, and the user is kept out then
        may_write = (given & RW and (entries[-1] & D or wrote)) or (supervisor_wrote and not user)
        if (write and not may_write) or (user and not given & US):
            said = " ".join(word for word, has in (("writable", may_write), ("for users", given & US)) if has) or "read-only"
            raise _deviates(ENTRIES, [said], f"gfn {gfn:#x}; the walk at line {walked.line} gives no more")


_OF_A_WALK = (b"kvm_mmu_paging_element", b"kvm_mmu_walker_error", b"kvm_mmu_set_accessed_bit", b"kvm_mmu_set_dirty_bit")


class _Unreadable(Exception):
    """An event that does not hold what it should."""


def _fields(pattern: re.Pattern[bytes], rest: bytes) -> tuple[bytes, ...]:
    found = pattern.search(rest)
    if found is None:
        raise _Unreadable(f"expected {pattern.pattern.decode()}, got {rest[:80]!r}")
    return found.groups()


def _end(error: int | None) -> str:
    return "completes" if error is None else f"ends in a page fault with error code {error:#x}"


def _due(walked: Walk) -> Iterator[str]:
    """The ways in which a walk through these entries may end, and after how many of them."""
    entries, levels = walked.entries(), walked.elements[0][1]
    for number in range(1, len(entries) + 1):
        for error in sorted(ends(entries[:number], levels, walked.address, walked.access), key=str):
            yield f"the walk {_end(error)} at its {('first', 'second', 'third', 'fourth', 'fifth')[number - 1]} entry"
    if entries[-1] & 1 and levels - len(entries):
        yield "the walk goes on"


def _deviates(law: tuple[str, str, str], expected: list[str], why: str) -> Deviates:
    return Deviates(*law, expected, why)


def judge_kernel_trace(name: str) -> TraceVerdict:
    """Judge a kernel's trace to its end, or to the first event that deviates. ``BadDesign`` if it is none."""
    began = time.perf_counter()
    source, judge = Source(name), KvmMmu()
    before: list[bytes] = []
    deviation = None
    for line, text, task, event, rest in _events(source):
        try:
            judge.event(line, task, event, rest)
        except Deviates as why:
            deviation = Deviation(line, text.decode(errors="replace").strip(), None, why.clause, why.law, why.sentence, why.why,
                                  why.expected, tuple(b.decode(errors="replace").strip() for b in before))
            break
        except _Unreadable as why:
            raise BadDesign(f"{name}:{line}: {event.decode(errors='replace')}: {why}") from None
        before = [*before, text][-8:]
    if judge.judged == 0 and deviation is None:
        raise BadDesign(f"{name}: no kvmmmu events; expected Linux's trace file, or what trace-cmd report prints")
    notes = [source.cut] if source.cut else []
    if judge.unknown:
        notes.append(f"{judge.unknown:,} walks of other formats (32-bit, PAE, a guest's own EPT) were not judged")
    return TraceVerdict(name, judge.judged, time.perf_counter() - began, deviation, tuple(notes))


def _events(source: Source) -> Iterator[tuple[int, bytes, bytes, bytes, bytes]]:
    for first, block in source.blocks():
        for number, text in enumerate(block.split(b"\n"), first):
            found = LINE.match(text)
            if found is not None:
                yield number, text, found[1], found[2], found[3]


__all__ = ["KvmMmu", "ends", "judge_kernel_trace"]
