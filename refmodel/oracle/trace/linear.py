"""Accesses by linear address: walked through the tables that the guest is known to have in its memory, bit for bit, within the
envelope of what its processor may remember of earlier walks.

Entries of which nothing is known decide nothing: a walk that meets one may end in any way.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs
import msgspec
from msgspec import UNSET

from refmodel.language.asking import Fault
from refmodel.laws import equivalence
from refmodel.machine.words import Translation
from refmodel.machine.x86.guest_walk import PK, Access, Cpu, NotCanonical, PageFault, canonical
from refmodel.machine.x86.staleness import Remembered
from refmodel.machine.x86.words import FRAME, PS, A, P, lacking
from refmodel.oracle.trace import anywhere, guest, reported
from refmodel.oracle.trace.contents import Contents, Part
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Invlpg, Invpcid, Linear, Registers
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.processors import (
    NOT_TOLD,
    REGISTERS,
    All,
    Forgets,
    Loses,
    Processor,
    Replaced,
    Runs,
    Stored,
    Tables,
    may_remember,
)
from refmodel.oracle.trace.tables import Key, Open
from refmodel.oracle.x86.fault_codes import CODES, contradicts, is_only_the_code

TOLD = ("cr3", "levels", "wp", "smep", "smap", "nxe", "pke", "pkru", "amd", "gigabyte_pages")
"""Fields of ``registers`` that walks depend on by the same names."""
LEVELS = 5
"""Of page tables, at most (SDM Vol. 3A 4.5.1): whatever is canonical with fewer is so with these."""
CAPABILITIES = ("amd", "beyond", "gigabyte_pages")
"""Those that say what a processor is like. No gap ends them."""


def processor(k: Knowledge, vm: int, cpu: int) -> Processor:
    if (vm, cpu) not in k.processors:  # at power-on nothing is remembered, and registers are reported from the start on
        untold = REGISTERS if k.after_gap or "registers" in k.silent else frozenset[str]()
        unreported = frozenset[str]() if k.closed else frozenset({"cr3", "pge", "pcide", "smep"})
        cpu_told = Cpu(NOT_TOLD, **k.capabilities.get((vm, cpu), {}))
        k.processors[vm, cpu] = Processor(
            cpu_told, lost=not k.closed, untold=untold, keys_untold=bool(untold), unreported=unreported
        )
    found: Processor = k.processors[vm, cpu]
    return found


def registers(k: Knowledge, event: Registers) -> None:
    """MOV to a control register: first CR4, then CR3."""
    mine = processor(k, event.vm, event.cpu)
    if "registers" not in k.silent:
        mine.untold -= {name for name in REGISTERS if getattr(event, name) is not None}
        mine.keys_untold &= event.pke is None and event.pkru is None
    given = {name: value for name in TOLD if (value := getattr(event, name)) is not None}
    if event.physical_bits is not None:
        given["beyond"] = lacking(event.physical_bits)
    k.capabilities.setdefault((event.vm, event.cpu), {}).update({name: given[name] for name in CAPABILITIES if name in given})
    _mov_cr4(mine, event)
    mine.cpu = attrs.evolve(mine.cpu, **given)
    runs, is_load = Runs(mine.cpu, mine.tag), event.cr3 is not None and "cr3" not in mine.unreported
    mine.unreported -= {name for name in mine.unreported if getattr(event, name) is not None}
    if is_load and not event.keep:
        mine.forgets(functools.partial(Remembered.mov_cr3, tag=mine.tag), All(mine.tag.pcid, None), runs)
        if mine.no_globals and not mine.pcids:
            mine.forgets_everything()
    else:
        mine.add(runs)
    if event.cr3 is None:
        return
    watch(k, event.vm, mine.cpu.cr3 & FRAME, mine.cpu.levels)


def _mov_cr4(mine: Processor, event: Registers) -> None:
    """SDM Vol. 3A 4.10.4.1: a change of PGE, or PCIDE cleared, forgets everything; SMEP set, what is of the current PCID."""
    tag, before = mine.tag, (mine.global_pages, mine.pcids)
    smep_on = event.smep is True and not mine.cpu.smep and "smep" not in mine.unreported
    mine.global_pages = mine.global_pages if event.pge is None else event.pge
    mine.pcids = mine.pcids if event.pcide is None else event.pcide
    if mine.unreported & {"pge", "pcide"} and (mine.global_pages, mine.pcids) != before:
        mine.lose()  # it was so all the time, and not as it was taken to be
    elif mine.global_pages != before[0] or (before[1] and not mine.pcids):
        mine.forgets_everything()
    elif smep_on:
        mine.forgets(
            functools.partial(Remembered.mov_cr4, tag=tag, global_pages=mine.global_pages, smep_on=True),
            All(tag.pcid, None, globals_too=not mine.pcids),
        )


def invlpg(k: Knowledge, event: Invlpg) -> None:
    mine = processor(k, event.vm, event.cpu)
    if not mine.untold & {"levels", "pcide"} and canonical(event.gva, mine.cpu.levels):
        mine.invlpg(event.gva)
    else:
        mine.add(Forgets(functools.partial(Remembered.invlpg, tag=mine.tag, gva=event.gva, levels=mine.cpu.levels)))


def invpcid(k: Knowledge, event: Invpcid) -> None:
    mine = processor(k, event.vm, event.cpu)
    levels = LEVELS if "levels" in mine.untold else mine.cpu.levels
    if event.kind == 0 and not canonical(event.gva, levels):
        raise Inconsistent("gva", f"{event.gva:#x} is not canonical: INVPCID ends in #GP and does nothing")
    mine.forgets(
        functools.partial(Remembered.invpcid, kind=event.kind, tag=mine.tag, pcid=event.pcid, gva=event.gva, levels=levels),
        All(event.pcid if event.kind < 2 else None, event.gva >> 12 if event.kind == 0 else None),
    )
    if event.kind == 2 or (event.kind == 3 and mine.no_globals):
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
    _held_before(k, key, offset, old)
    _watch_below(k, key, (old[0] & ~mask) | (bits & mask), old[1] | mask)


def table_changed(k: Knowledge, key: Key, old: Contents) -> None:
    """A table does not hold what it held, other than by a store to one of its words."""
    now = k.page(*key)
    if (old.words, old.zeroed) == (now.words, now.zeroed):
        return
    for mine in _walking(k, key):
        if mine.has_tables:
            mine.add(Replaced(key, old.copy()))
    for offset in [each for each in now.words if old.bits(each) != now.bits(each)]:
        _watch_below(k, key, *now.bits(offset))


def tables_elsewhere(k: Knowledge, vm: int) -> None:
    """A VM reaches another page where it reached a table: what it has cached may come from either."""
    for (of, _), mine in k.processors.items():
        if of == vm:
            mine.add(Loses())


def _held_before(k: Knowledge, key: Key, offset: int, old: Part) -> None:
    """Processors that walk through a table may remember a word of it as it was."""
    for mine in _walking(k, key):
        if mine.has_tables:
            mine.add(Stored(key, offset, old))


def _walking(k: Knowledge, key: Key) -> Iterable[Processor]:
    """The processors that may walk through a table: its VM's, and those of VMs that borrow the page."""
    vms = _reaching(k, key)
    return [mine for (vm, _), mine in k.processors.items() if vm in vms]


def _reaching(k: Knowledge, key: Key) -> set[int]:
    """The VMs that reach a page."""
    return {key[0], *(vm for vm, _ in k.borrowers.of(key))}


def seen_in_table(k: Knowledge, key: Key, offset: int) -> None:
    """An entry of a table was seen. What was stored below it before is not known, and may be remembered."""
    tables = len(k.table_pages)
    _watch_below(k, key, *k.page(*key).bits(offset))
    if len(k.table_pages) > tables:
        for mine in _walking(k, key):
            mine.add(Loses())


def _watch_below(k: Knowledge, key: Key, entry: int, known: int) -> None:
    """The table that an entry leads to is watched from now on."""
    level = k.table_pages[key]
    if anywhere.is_entry(known) and entry & P and not (level in (2, 3) and entry & PS):
        for vm in _reaching(k, key):
            watch(k, vm, entry & FRAME, level - 1)


def access_within_a_page(k: Knowledge, event: Linear) -> None:
    """Some walk that the processor may make has to end as it was told."""
    mine = processor(k, event.vm, event.cpu)
    if event.fault is UNSET and not event.gp and event.value is UNSET:
        raise Inconsistent("value", "expected a value, a fault or gp")
    try:
        ends = _known_ends(k, event, mine)
    except Open:
        if wrong := _wrong_in_any_case(event):
            raise Deviates(*CODES, wrong, _where(event)) from None
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
    if explaining:
        _settle(k, event, mine, explaining)
    else:
        law = _law(event, [end for _, end in ends], refusals)
        raise Deviates(*law, sorted(set(refusals)), _where(event))


def _where(event: Linear) -> str:
    return f"for vm {event.vm}, cpu {event.cpu}, linear address {event.gva:#x}"


def _wrong_in_any_case(event: Linear) -> list[str]:
    """What of an error code is wrong whatever page tables hold."""
    return contradicts(event.fault, _kind(event)) if isinstance(event.fault, int) else []


def may_end_so(k: Knowledge, event: Linear) -> bool:
    """Whether some walk that the processor may make ends as it was told. Nothing is learned from it."""
    mine = processor(k, event.vm, event.cpu)
    try:
        return any(_explains(k, event, tables, end) is None for tables, end in _known_ends(k, event, mine))
    except Open:
        return not _wrong_in_any_case(event)


def may_have_walked(k: Knowledge, event: Linear, faulted: bool = False) -> None:
    """The part of an access in one page may have been walked before that in another faulted: flags may be set. ``faulted``: it may
    itself have faulted."""
    mine = processor(k, event.vm, event.cpu)
    try:
        ends = _ends(k, event, mine, _kind(event))
        walked = [tables for tables, end in ends if faulted or isinstance(end, Translation)]
    except Open:
        k.unheld += 1
        anywhere.went_anywhere(k, msgspec.structs.replace(event, fault=UNSET, gp=False, value=UNSET), mine.cpu.levels)
    else:
        _set_flags(k, event, walked, completed=False)


def _kind(event: Linear) -> Access:
    return Access(user=event.user, write=event.kind == "store", fetch=event.kind == "fetch", ac=event.ac)


def _law(event: Linear, ends: list[Translation | Fault], refusals: list[str]) -> tuple[str, str, str]:
    """What an access breaks that ends in none of these ways."""
    reported = event.fault if isinstance(event.fault, int) else None
    if is_only_the_code(reported, [end.code if isinstance(end, PageFault) else None for end in ends]):
        return CODES
    faults = event.fault is not UNSET or event.gp or all("fault" in each for each in refusals)
    law = equivalence.faults_come_when_due if faults else equivalence.data_read_is_data_written
    return law.clause, law.name, law.sentence


def _known_ends(k: Knowledge, event: Linear, mine: Processor) -> list[tuple[Tables, Translation | Fault]]:
    """Every way in which the access may end; ``Open`` if it may end in any."""
    if k.silent_fills:  # the guest's tables may hold anything
        raise Open
    if mine.keys_untold and isinstance(event.fault, int) and event.fault & PK:
        raise Open
    return list(_ends(k, event, mine, _kind(event)))


def _ends(k: Knowledge, event: Linear, mine: Processor, kind: Access) -> Iterator[tuple[Tables, Translation | Fault]]:
    """Every way in which the access may end."""
    if mine.untold or not mine.has_tables:
        raise Open
    remembered = may_remember(k, event.vm, mine, event.gva)
    for memory, end in remembered.ways(lambda: Tables(k, event.vm), mine.tag, mine.cpu, event.gva, kind):
        assert isinstance(memory, Tables)
        yield memory, end


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
        held, known = _held_after(k, tables, guest.reached(k, *key), offset, bits & mask)
        wrong = wrong or (held ^ bits) & known & mask != 0
        shown = held & known & mask
        ahead = 8 * ((key[1] << 12 | offset) - end.physical)
        due |= shown << ahead if ahead >= 0 else shown >> -ahead
    return f"value {due:#x}" if wrong else None


def _held_after(k: Knowledge, tables: Tables, key: Key, offset: int, seen: int) -> tuple[int, int]:
    """What a word is known to hold once a walk has set its flags, and which of its bits are: it may be an entry of the walk, or one
    that the processor has walked of its own accord."""
    page = k.pages.get(key)
    if page is None:
        return 0, 0
    held, known = page.bits(offset)
    for address, flags in tables.marks:
        if address & 0xFF8 == offset and guest.reached(k, tables.vm, address >> 12) == key:
            held, known = held | flags, known & ~flags if k.is_read_only(key) else known | flags
    return held, known & ~A if guest.was_walked(k, key, offset, seen) else known


def _settle_unknown(k: Knowledge, event: Linear, mine: Processor) -> None:
    """The access has ended as it was told, on whichever way."""
    k.unheld += 1
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
    """A flag is set for certain if the access has completed, every way sets it, and it can be written there; otherwise it may be
    set. In tables in read-only memory KVM sets no flags, and the access completes."""
    counted = Counter(mark for tables in ways for mark in dict.fromkeys(tables.marks))
    for (address, flags), times in counted.items():
        key = guest.reached(k, event.vm, address >> 12)
        if completed and times == len(ways) and not k.is_read_only(key):
            guest.write(k, event.vm, (event.vm, address >> 12), address & 0xFF8, flags, flags)
        else:
            k.page(*key).doubt(address & 0xFF8, flags)


def _forget_by_fault(event: Linear, mine: Processor) -> None:
    if event.fault is not UNSET:
        of = All(mine.tag.pcid, event.gva >> 12, globals_too=not mine.pcids)
        mine.forgets(functools.partial(Remembered.page_fault, tag=mine.tag, gva=event.gva), of)


def _complete(k: Knowledge, event: Linear, physical: int) -> None:
    """The access has read or written memory at this guest-physical address."""
    assert isinstance(event.value, int)
    place = event.vm, physical >> 12
    if event.kind == "store":
        reported.within_its_slot(k, place)
    elif event.kind == "fetch":
        reported.fetch(k, event.cpu, place)
    reported.access(k, event.cpu, [place], event.kind == "store")
    for at, offset, bits, mask in guest.pieces(event.vm, physical, event.value, event.size):
        if event.kind == "store":
            guest.write(k, event.vm, at, offset, bits, mask)
        else:
            guest.learn(k, guest.reached(k, *at), offset, bits, mask)
