"""Accesses by linear address: walked through the tables that the guest is known to have in its memory, bit for bit, within the
envelope of what its processor may remember of earlier walks.

Entries of which nothing is known decide nothing: a walk that meets one may end in any way.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import attrs
from msgspec import UNSET

from refmodel.language.asking import Fault
from refmodel.laws import equivalence
from refmodel.machine.words import Translation
from refmodel.machine.x86.guest_walk import Access, Cpu, NotCanonical, PageFault, canonical
from refmodel.machine.x86.staleness import Remembered, Tag
from refmodel.machine.x86.words import FRAME, PS, P, lacking
from refmodel.oracle.trace import anywhere, guest, reported
from refmodel.oracle.trace.contents import Part
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Invlpg, Invpcid, Linear, Registers
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.tables import Key, Open
from refmodel.oracle.x86.fault_codes import CODES, is_only_the_code

MOST = 256
"""Stores to tables that are gone back over for one page. After more of them, its accesses may end in any way."""
LONGEST = 4096
"""Steps of a processor's log that are kept, if it does not forget everything before."""
PCID = 0xFFF
"""Bits 11:0 of CR3, with CR4.PCIDE (SDM Vol. 3A 4.5.2)."""


@attrs.frozen
class Stored:
    """A store to a table: where, and what was there before."""

    address: int
    before: Part


@attrs.frozen
class Runs:
    """From here on the processor walks with these registers, under this tag."""

    cpu: Cpu
    tag: Tag


@attrs.frozen
class Forgets:
    """Something that makes the processor forget."""

    how: Callable[[Remembered], None]


Step: TypeAlias = Stored | Runs | Forgets


@attrs.define
class Page:
    """What may be remembered for a linear page, and the number of the first step that has not been taken into account."""

    remembered: Remembered
    next: int


@attrs.define
class Processor:
    """A CPU of a VM's: its registers, and what has happened since it last had to forget everything.

    It may walk at any time, for any address. What it may remember is found out page by page, when a page is accessed: by going
    over the steps in order.
    """

    cpu: Cpu = Cpu(0)
    pcids: bool = False
    """CR4.PCIDE."""
    global_pages: bool = False
    """CR4.PGE."""
    lost: bool = True
    """Whether it may remember more than was seen: until it first has to forget everything."""
    start: Runs = Runs(Cpu(0), Tag())
    """How it ran before the first step."""
    start_global: bool = False
    """CR4.PGE before the first step."""
    steps: list[Step] = attrs.field(factory=list)
    dropped: int = 0
    """Steps that are no longer kept."""
    pages: dict[int, Page] = attrs.field(factory=dict)

    @property
    def tag(self) -> Tag:
        """Without CR4.PCIDE, the PCID is 0 (SDM Vol. 3A 4.10.1)."""
        return Tag(pcid=self.cpu.cr3 & PCID if self.pcids else 0)

    def add(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) >= 2 * LONGEST:
            del self.steps[:LONGEST]
            self.dropped += LONGEST

    def forgets(self, how: Callable[[Remembered], None]) -> None:
        """Some of what it read before is remembered no more."""
        self.add(Forgets(how))

    def forgets_everything(self) -> None:
        """Nothing that it read before is remembered."""
        self.steps.clear()
        self.pages.clear()
        self.dropped = 0
        self.lost = False
        self.start, self.start_global = Runs(self.cpu, self.tag), self.global_pages

    def page(self, gva: int) -> Page:
        """A copy of what is known for an address. Raises ``Open`` if the steps since then are no longer kept."""
        known = self.pages.get(gva >> 12) or Page(Remembered(self.start_global), 0)
        if known.next < self.dropped:
            raise Open
        return Page(Remembered(known.remembered.global_pages, set(known.remembered.chains)), known.next)


class Tables:
    """The guest's memory, as its processor walks it: now, or as it was before some changes of it.

    An entry of which only the flags are not known leads where it leads. A walk takes them to be clear, so that it sets them; what
    may be remembered is found out with the flags set.
    """

    def __init__(self, k: Knowledge, vm: int, before: Mapping[int, Part] | None = None, flags: int = 0) -> None:
        self.k, self.vm, self.before, self.flags = k, vm, before or {}, flags
        self.marks: list[tuple[int, int]] = []

    def read(self, address: int) -> int:
        if address in self.before:
            bits, known = self.before[address]
        else:
            page = self.k.pages.get(guest.reached(self.k, self.vm, address >> 12))
            bits, known = (0, 0) if page is None else page.bits(address & 0xFF8)
        if not anywhere.is_entry(known):
            raise Open
        return (bits & known) | (self.flags & ~known)

    def mark(self, address: int, entry: int, flags: int) -> None:
        if flags & ~entry:
            self.marks.append((address, flags))


def processor(k: Knowledge, vm: int, cpu: int) -> Processor:
    found: Processor = k.processors.setdefault((vm, cpu), Processor())
    return found


def registers(k: Knowledge, event: Registers) -> None:
    """MOV to a control register: first CR4, then CR3."""
    mine = processor(k, event.vm, event.cpu)
    given = {name: value for name in ("cr3", "levels", "wp", "smep", "smap", "nxe") if (value := getattr(event, name)) is not None}
    if event.physical_bits is not None:
        given["beyond"] = lacking(event.physical_bits)
    _mov_cr4(mine, event)
    mine.cpu = attrs.evolve(mine.cpu, **given)
    mine.add(Runs(mine.cpu, mine.tag))
    if event.cr3 is None:
        return
    if not event.keep:
        mine.forgets(functools.partial(Remembered.mov_cr3, tag=mine.tag))
        if not mine.pcids and not mine.global_pages:
            mine.forgets_everything()
    watch(k, event.vm, mine.cpu.cr3 & FRAME, mine.cpu.levels)


def _mov_cr4(mine: Processor, event: Registers) -> None:
    """SDM Vol. 3A 4.10.4.1: a change of PGE, or PCIDE cleared, forgets everything; SMEP set, what is of the current PCID."""
    tag = mine.tag
    smep_on = event.smep is True and not mine.cpu.smep
    global_pages = mine.global_pages if event.pge is None else event.pge
    everything = global_pages != mine.global_pages or (event.pcide is False and mine.pcids)
    mine.pcids = mine.pcids if event.pcide is None else event.pcide
    mine.global_pages = global_pages
    if everything:
        mine.forgets_everything()
    elif smep_on:
        mine.forgets(functools.partial(Remembered.mov_cr4, tag=tag, global_pages=global_pages, smep_on=True))


def invlpg(k: Knowledge, event: Invlpg) -> None:
    mine = processor(k, event.vm, event.cpu)
    mine.forgets(functools.partial(Remembered.invlpg, tag=mine.tag, gva=event.gva, levels=mine.cpu.levels))


def invpcid(k: Knowledge, event: Invpcid) -> None:
    mine = processor(k, event.vm, event.cpu)
    if event.kind == 0 and not canonical(event.gva, mine.cpu.levels):
        raise Inconsistent("gva", f"{event.gva:#x} is not canonical: INVPCID ends in #GP and does nothing")
    mine.forgets(
        functools.partial(Remembered.invpcid, kind=event.kind, tag=mine.tag, pcid=event.pcid, gva=event.gva, levels=mine.cpu.levels)
    )
    if event.kind == 2 or (event.kind == 3 and not mine.global_pages):
        mine.forgets_everything()


def watch(k: Knowledge, vm: int, table: int, level: int) -> None:
    """A page is a table from now on, and those that it leads to: what is stored there may be remembered as it was before."""
    key = guest.reached(k, vm, table >> 12)
    if level == 0 or k.table_pages.get(key, 0) >= level:
        return
    k.table_pages[key] = level
    page = k.page(*key)
    page.plain = False
    k.alike.pop(key, None)
    for offset in list(page.words):
        _watch_below(k, key, *page.bits(offset))


def store_to_table(k: Knowledge, key: Key, offset: int, bits: int, mask: int) -> None:
    """A word of a table is about to be stored to."""
    old = k.page(*key).bits(offset)
    for (vm, _), mine in k.processors.items():
        if vm == key[0] and mine.cpu.cr3:
            mine.add(Stored(key[1] << 12 | offset, old))
    _watch_below(k, key, (old[0] & ~mask) | (bits & mask), old[1] | mask)


def seen_in_table(k: Knowledge, key: Key, offset: int) -> None:
    """An entry of a table was seen. What was stored below it before is not known, and may be remembered."""
    tables = len(k.table_pages)
    _watch_below(k, key, *k.page(*key).bits(offset))
    if len(k.table_pages) > tables:
        for (vm, _), mine in k.processors.items():
            mine.lost = mine.lost or vm == key[0]


def _watch_below(k: Knowledge, key: Key, entry: int, known: int) -> None:
    """The table that an entry leads to is watched from now on."""
    level = k.table_pages[key]
    if anywhere.is_entry(known) and entry & P and not (level in (2, 3) and entry & PS):
        watch(k, key[0], entry & FRAME, level - 1)


def access_within_a_page(k: Knowledge, event: Linear) -> None:
    """Some walk that the processor may make has to end as it was told."""
    mine = processor(k, event.vm, event.cpu)
    if event.fault is UNSET and not event.gp and event.value is UNSET:
        raise Inconsistent("value", "expected a value, a fault or gp")
    kind = Access(user=event.user, write=event.kind == "store", fetch=event.kind == "fetch", ac=event.ac)
    try:
        ends = list(_ends(k, event, mine, kind))
    except Open:
        _settle_unknown(k, event, mine)
        return
    explaining: list[tuple[Tables, Translation | Fault]] = []
    refusals: list[str] = []
    for tables, end in ends:
        refused = _explains(k, event, tables, end)
        if refused is None:
            explaining.append((tables, end))
        else:
            refusals.append(refused)
    if mine.lost:  # it may have gone by what was remembered before
        _settle_unknown(k, event, mine)
    elif explaining:
        _settle(k, event, mine, explaining)
    else:
        law = _law(event, [end for _, end in ends], refusals)
        raise Deviates(*law, sorted(set(refusals)), f"for vm {event.vm}, cpu {event.cpu}, linear address {event.gva:#x}")


def _law(event: Linear, ends: list[Translation | Fault], refusals: list[str]) -> tuple[str, str, str]:
    """What an access breaks that ends in none of these ways."""
    reported = event.fault if isinstance(event.fault, int) else None
    if is_only_the_code(reported, [end.code if isinstance(end, PageFault) else None for end in ends]):
        return CODES
    faults = event.fault is not UNSET or event.gp or all("fault" in each for each in refusals)
    law = equivalence.faults_come_when_due if faults else equivalence.data_read_is_data_written
    return law.clause, law.name, law.sentence


def _ends(k: Knowledge, event: Linear, mine: Processor, kind: Access) -> Iterator[tuple[Tables, Translation | Fault]]:
    """Every way in which the access may end."""
    if mine.cpu.cr3 == 0:
        raise Open
    remembered = _may_remember(k, event, mine)
    for memory, end in remembered.ways(lambda: Tables(k, event.vm), mine.tag, mine.cpu, event.gva, kind):
        assert isinstance(memory, Tables)
        yield memory, end


def _may_remember(k: Knowledge, event: Linear, mine: Processor) -> Remembered:
    """What the processor may remember for this address. It may have walked for it at any time: with the tables as they are, and
    as they were before each store since they were last gone over, under the registers of that time."""
    page, end = mine.page(event.gva), mine.dropped + len(mine.steps)
    steps = mine.steps[page.next - mine.dropped :]
    stores = [step for step in steps if isinstance(step, Stored)]
    if len(stores) > MOST:
        raise Open
    memories = iter(_as_it_was(k, event.vm, stores))
    memory, runs = next(memories), _running(mine, page.next)
    _read(page, memory, runs, event.gva)
    for step in steps:
        if isinstance(step, Stored):
            memory = next(memories)
        elif isinstance(step, Runs):
            runs = step
        else:
            step.how(page.remembered)
        _read(page, memory, runs, event.gva)
    page.next = end
    mine.pages[event.gva >> 12] = page
    return page.remembered


def _read(page: Page, memory: Tables, runs: Runs, gva: int) -> None:
    """The processor may walk now, if it is known with what registers."""
    if runs.cpu.cr3:
        page.remembered.may_read(memory, runs.tag, runs.cpu, gva)


def _as_it_was(k: Knowledge, vm: int, stores: list[Stored]) -> list[Tables]:
    """The tables before the first of these stores, before the second, and so on, and as they are now."""
    before: dict[int, Part] = {}
    memories = [Tables(k, vm, flags=anywhere.FLAGS)]
    for store in reversed(stores):
        before = {**before, store.address: store.before}
        memories.append(Tables(k, vm, before, anywhere.FLAGS))
    return memories[::-1]


def _running(mine: Processor, number: int) -> Runs:
    """How the processor ran just before the step of this number."""
    earlier = mine.steps[: number - mine.dropped]
    return next((step for step in reversed(earlier) if isinstance(step, Runs)), mine.start)


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
    assert isinstance(event.value, int)
    due, wrong = 0, False
    for key, offset, bits, mask in guest.pieces(event.vm, end.physical, event.value, event.size):
        page = k.pages.get(guest.reached(k, *key))
        held, known = (0, 0) if page is None else page.bits(offset)
        wrong = wrong or (held ^ bits) & known & mask != 0
        shown = held & known & mask
        ahead = 8 * ((key[1] << 12 | offset) - end.physical)
        due |= shown << ahead if ahead >= 0 else shown >> -ahead
    return f"value {due:#x}" if wrong else None


def _settle_unknown(k: Knowledge, event: Linear, mine: Processor) -> None:
    """The access has ended as it was told, on whichever way."""
    anywhere.went_anywhere(k, event, mine.cpu.levels)
    _forget_by_fault(event, mine)


def _settle(k: Knowledge, event: Linear, mine: Processor, ways: list[tuple[Tables, Translation | Fault]]) -> None:
    """The access has ended in one of these ways: flags may be set, a fault makes forget, memory is read or written."""
    places = list(dict.fromkeys(end.physical for _, end in ways if isinstance(end, Translation)))
    _set_flags(k, event, [tables for tables, _ in ways], completed=bool(places))
    _forget_by_fault(event, mine)
    if len(places) > 1:
        if event.kind == "store":
            anywhere.stored(k, event, places)
    elif places:
        _complete(k, event, places[0])


def _set_flags(k: Knowledge, event: Linear, ways: list[Tables], completed: bool) -> None:
    """A flag is set for certain if the access has completed and every way sets it; one that only some ways set may be set."""
    counted = Counter(mark for tables in ways for mark in dict.fromkeys(tables.marks))
    for (address, flags), times in counted.items():
        if completed and times == len(ways):
            guest.write(k, event.vm, (event.vm, address >> 12), address & 0xFF8, flags, flags)
        else:
            k.page(*guest.reached(k, event.vm, address >> 12)).doubt(address & 0xFF8, flags)


def _forget_by_fault(event: Linear, mine: Processor) -> None:
    if event.fault is not UNSET:
        mine.forgets(functools.partial(Remembered.page_fault, tag=mine.tag, gva=event.gva))


def _complete(k: Knowledge, event: Linear, physical: int) -> None:
    """The access has read or written memory at this guest-physical address."""
    assert isinstance(event.value, int)
    for at, offset, bits, mask in guest.pieces(event.vm, physical, event.value, event.size):
        if event.kind == "store":
            guest.write(k, event.vm, at, offset, bits, mask)
        else:
            guest.learn(k, guest.reached(k, *at), offset, bits, mask)
    reported.access(k, event.cpu, (event.vm, physical >> 12), event.kind == "store")
