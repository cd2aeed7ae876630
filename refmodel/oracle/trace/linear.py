"""Accesses by linear address: walked through the tables that the guest is known to have in its memory, bit for bit, within the
envelope of what its processor may remember of earlier walks.

Entries of which nothing is known decide nothing: a walk that meets one may end in any way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
from msgspec import UNSET

from refmodel.language.asking import Fault
from refmodel.laws import equivalence
from refmodel.machine.guest_walk import Access, Cpu, NotCanonical, PageFault
from refmodel.machine.staleness import Remembered, Tag
from refmodel.machine.words import FRAME, PS, P, Translation, lacking
from refmodel.oracle.trace import guest
from refmodel.oracle.trace.contents import FULL, Part
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Invlpg, Linear, Registers
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.tables import Key, Open

TAG = Tag()


MOST = 256
"""Changes of tables that are remembered, for a processor which was not made to forget; of more, anything may come."""


@attrs.define
class Processor:
    """A CPU of a VM's: its registers, and the chains that it may remember."""

    cpu: Cpu = Cpu(0)
    remembered: Remembered = attrs.field(factory=Remembered)
    lost: bool = True
    """Whether it may remember more than was seen: until it first has to forget everything."""
    changes: list[tuple[int, Part]] = attrs.field(factory=list)
    """The stores to tables since then: where, and what was there before."""
    read: dict[int, int] = attrs.field(factory=dict)
    """By linear page: how many of these changes came before the last look at what may be remembered for it."""

    def forgets(self) -> None:
        """Nothing that it read before is remembered."""
        self.changes.clear()
        self.read.clear()
        self.lost = False


class Tables:
    """The guest's memory, as its processor walks it: now, or as it was before some changes of it."""

    def __init__(self, k: Knowledge, vm: int, before: Mapping[int, Part] | None = None) -> None:
        self.k, self.vm, self.before = k, vm, before or {}
        self.marks: list[tuple[int, int]] = []

    def read(self, address: int) -> int:
        if address in self.before:
            bits, known = self.before[address]
            if known != FULL:
                raise Open
            return bits
        page = self.k.pages.get(guest.reached(self.k, self.vm, address >> 12))
        bits, known = (0, 0) if page is None else page.bits(address & 0xFF8)
        if known != FULL:
            raise Open
        return bits

    def mark(self, address: int, entry: int, flags: int) -> None:
        if flags & ~entry:
            self.marks.append((address, flags))


def processor(k: Knowledge, vm: int, cpu: int) -> Processor:
    found: Processor = k.processors.setdefault((vm, cpu), Processor())
    return found


def registers(k: Knowledge, event: Registers) -> None:
    """MOV to a control register."""
    mine = processor(k, event.vm, event.cpu)
    given = {name: value for name in ("cr3", "levels", "wp", "smep", "smap", "nxe")
             if (value := getattr(event, name)) is not None}
    if event.physical_bits is not None:
        given["beyond"] = lacking(event.physical_bits)
    rise = event.smep is True and not mine.cpu.smep
    mine.cpu = attrs.evolve(mine.cpu, **given)
    if event.pge is not None or rise:
        mine.remembered.mov_cr4(TAG, mine.remembered.global_pages if event.pge is None else event.pge)
        mine.forgets()
    if event.cr3 is not None and not event.keep:
        mine.remembered.mov_cr3(TAG)
        if not mine.remembered.global_pages:
            mine.forgets()
    if event.cr3 is not None:
        watch(k, event.vm, mine.cpu.cr3 & FRAME, mine.cpu.levels)


def invlpg(k: Knowledge, event: Invlpg) -> None:
    mine = processor(k, event.vm, event.cpu)
    mine.remembered.invlpg(TAG, event.gva)
    mine.read[event.gva >> 12] = len(mine.changes)


def watch(k: Knowledge, vm: int, table: int, level: int) -> None:
    """A page is a table from now on, and those that it leads to: what is stored there may be remembered as it was before."""
    key = guest.reached(k, vm, table >> 12)
    if level == 0 or k.table_pages.get(key, 0) >= level:
        return
    k.table_pages[key] = level
    page = k.page(*key)
    page.plain = False
    for offset in list(page.words):
        entry, known = page.bits(offset)
        if known == FULL and entry & P and not (level in (2, 3) and entry & PS):
            watch(k, vm, entry & FRAME, level - 1)


def store_to_table(k: Knowledge, key: Key, offset: int, bits: int, mask: int) -> None:
    """A word of a table is about to be stored to."""
    old = k.page(*key).bits(offset)
    for (vm, _), mine in k.processors.items():
        if vm == key[0] and mine.cpu.cr3:
            mine.changes.append((key[1] << 12 | offset, old))
    level = k.table_pages[key]
    if mask == FULL and bits & P and not (level in (2, 3) and bits & PS):
        watch(k, key[0], bits & FRAME, level - 1)


def access(k: Knowledge, event: Linear) -> None:
    """Some walk that the processor may make has to end as it was told."""
    mine = processor(k, event.vm, event.cpu)
    if event.fault is UNSET and not event.gp and event.value is UNSET:
        raise Inconsistent("value", "expected a value, a fault or gp")
    kind = Access(user=event.user, write=event.kind == "store", fetch=event.kind == "fetch", ac=event.ac)
    try:
        ends = list(_ends(k, event, mine, kind))
    except Open:
        return
    refusals: list[str] = []
    for tables, end in ends:
        refused = _explains(k, event, tables, end)
        if refused is None:
            _settle(k, event, mine, tables, end)
            return
        refusals.append(refused)
    if not mine.lost:
        law = equivalence.faults_come_when_due if event.fault is not UNSET or event.gp else equivalence.data_read_is_data_written
        if event.value is not UNSET and all("fault" in each for each in refusals):
            law = equivalence.faults_come_when_due
        raise Deviates(law.clause, law.name, law.sentence, sorted(set(refusals)), f"for vm {event.vm}, cpu {event.cpu}, linear "
                       f"address {event.gva:#x}")


def _ends(k: Knowledge, event: Linear, mine: Processor, kind: Access) -> Iterator[tuple[Tables, Translation | Fault]]:
    """Every way in which the access may end."""
    if mine.cpu.cr3 == 0:
        raise Open
    _may_have_read(k, event, mine)
    for memory, end in mine.remembered.ways(lambda: Tables(k, event.vm), TAG, mine.cpu, event.gva, kind):
        assert isinstance(memory, Tables)
        yield memory, end


def _may_have_read(k: Knowledge, event: Linear, mine: Processor) -> None:
    """The processor may have walked for this address at any time: with the tables as they are, and as they were before each of
    the changes since it was last looked at."""
    first = mine.read.get(event.gva >> 12, 0)
    if len(mine.changes) - first > MOST:
        raise Open
    before: dict[int, Part] = {}
    for address, old in reversed(mine.changes[first:]):
        before[address] = old
        mine.remembered.may_read(Tables(k, event.vm, before), TAG, mine.cpu, event.gva)
    mine.remembered.may_read(Tables(k, event.vm), TAG, mine.cpu, event.gva)
    mine.read[event.gva >> 12] = len(mine.changes)


def _explains(k: Knowledge, event: Linear, tables: Tables, end: Translation | Fault) -> str | None:
    """None if this end is the one that was told, otherwise what it would have been."""
    if isinstance(end, NotCanonical):
        return None if event.gp else "a general-protection fault"
    if isinstance(end, PageFault):
        return None if event.fault == end.code else f"a page fault with error code {end.code:#x}"
    assert isinstance(end, Translation)
    if event.fault is not UNSET or event.gp:
        return f"completion at guest-physical address {end.physical:#x}"
    if event.kind == "store" or event.value is UNSET:
        return None
    shift, mask = guest.span(end.physical, event.value, event.size)
    page = k.pages.get(guest.reached(k, event.vm, end.physical >> 12))
    bits, known = (0, 0) if page is None else page.bits(end.physical & 0xFF8)
    wrong = (bits ^ event.value << shift) & known & mask
    return f"value {(bits & mask & known) >> shift:#x}" if wrong else None


def _settle(k: Knowledge, event: Linear, mine: Processor, tables: Tables, end: Translation | Fault) -> None:
    """The access has ended so: flags may be set, a fault makes forget, memory is read or written."""
    for address, flags in tables.marks:
        key = guest.reached(k, event.vm, address >> 12)
        page = k.page(*key)
        bits, _ = page.bits(address & 0xFF8)
        if isinstance(end, Translation):
            guest.write(k, event.vm, (event.vm, address >> 12), address & 0xFF8, bits | flags, FULL)
        else:
            page.doubt(address & 0xFF8, flags)
    if isinstance(end, PageFault):
        mine.remembered.page_fault(TAG, event.gva)
    if not isinstance(end, Translation) or event.value is UNSET:
        return
    shift, mask = guest.span(end.physical, event.value, event.size)
    if event.kind == "store":
        guest.write(k, event.vm, (event.vm, end.physical >> 12), end.physical & 0xFF8, event.value << shift, mask)
    else:
        guest.learn(k, guest.reached(k, event.vm, end.physical >> 12), end.physical & 0xFF8, event.value << shift, mask)
