"""Tests varied in what a walk must ignore and in what it must not cut short.

Ignored bits of entries, PAT and memory types among them; CR3's flags and PCID; pages and tables above 4 GiB; tables that map
themselves.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from refmodel.machine.words import PAGE
from refmodel.machine.x86.entries import EPT_IGNORED, IGNORED, PCD, PWT
from refmodel.machine.x86.ept_walk import EPT_A, EPT_D, XU, Ept
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.words import FRAME, NX, PS, RW, US, D, G, P, lacking
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.x86.agent.image import TABLES, WINDOW
from refmodel.oracle.x86.nested_tests import DATA_1, MOVED_BY, NestedTest, is_guest_s, level_of, moved
from refmodel.oracle.x86.walk_tests import WalkTest, level_at

KEY = 0xF << 59
TYPE, IGNORE_PAT = 7 << 3, 1 << 6
MEMORY_TYPES = (0, 1, 4, 5, 6)
"""Of an EPT leaf: the others are misconfigured (SDM Vol. 3C 28.3.3.1)."""
FOUR_GIB = 1 << 32
SELF = 0x1ED
"""The slot of a root that maps itself: not one that the machines under judgement keep for themselves."""

Change = Callable[[Any, random.Random], Any]


def ignored(cpu: Cpu, level: int, leaf: bool) -> int:
    """The bits of a guest's entry of this level that a walk ignores (SDM Vol. 3A tables 4-15 to 4-20). The PAT bit is one: it
    chooses a memory type."""
    bits = IGNORED | PWT | PCD
    if leaf:
        bits |= G | (PS if level == 1 else PAGE)
    else:
        bits |= D | (0 if level >= 4 and cpu.amd else G)
    return bits if cpu.pke and leaf else bits | KEY


def ignored_of_ept(ept: Ept, level: int, leaf: bool) -> int:
    """The bits of an EPT entry of this level that a walk ignores, but for its memory type (SDM Vol. 3C tables 28-1 to 28-6)."""
    bits = EPT_IGNORED | (IGNORE_PAT if leaf else 0)
    if not ept.mode_based_execute:
        bits |= XU
    if not leaf or not ept.accessed_dirty:
        bits |= EPT_D
    return bits if ept.accessed_dirty else bits | EPT_A


def with_ignored_bits(test: Any, draw: random.Random) -> Any:
    """Some of the ignored bits of every entry changed, and the memory types of EPT's leaves."""
    return attrs.evolve(test, entries={at: _ornate(test, at, entry, draw) for at, entry in test.entries.items()})


def with_every_ignored_bit(test: WalkTest) -> WalkTest:
    """Every ignored bit of every entry set, PAT too: whoever takes one for reserved, or for a flag, is found out."""

    def full(at: int, entry: int) -> int:
        level = level_at(at)
        return entry | ignored(test.cpu, level, level == 1 or (level < 4 and entry & PS != 0))

    return attrs.evolve(test, entries={at: full(at, entry) for at, entry in test.entries.items()})


def _ornate(test: Any, at: int, entry: int, draw: random.Random) -> int:
    ept: Any = test.ept if isinstance(test, EptTest) else None
    level, cpu = level_at(at) if not isinstance(test, NestedTest) else level_of(at), getattr(test, "cpu", None)
    if isinstance(test, NestedTest) and not is_guest_s(at):
        ept, cpu = (test.second, None) if isinstance(test.second, Ept) else (None, test.second)
    leaf = level == 1 or (level < 4 and entry & PS != 0)
    if ept is None:
        assert cpu is not None
        return entry ^ draw.getrandbits(64) & ignored(cpu, level, leaf)
    entry ^= draw.getrandbits(64) & ignored_of_ept(ept, level, leaf)
    if leaf and entry >> 3 & 7 in MEMORY_TYPES:
        entry = entry & ~TYPE | draw.choice(MEMORY_TYPES) << 3
    return entry


def with_flags_of_cr3(test: Any, draw: random.Random) -> Any:
    """CR3 with bits 11:0 set at random: PWT, PCD and ignored bits, or a PCID (SDM Vol. 3A 4.5.2, table 4-12). EPTP with its own:
    memory type, levels, flags (SDM Vol. 3C 24.6.11)."""
    if isinstance(test, EptTest):
        low = 6 | test.ept.levels - 1 << 3 | test.ept.accessed_dirty << 6
        return attrs.evolve(test, ept=attrs.evolve(test.ept, root=test.ept.root & FRAME | low))
    return attrs.evolve(test, cpu=attrs.evolve(test.cpu, cr3=test.cpu.cr3 & FRAME | draw.randrange(1 << 12)))


def with_a_high_page(test: Any, draw: random.Random) -> Any:
    """The page that the walk leads to, anywhere from 4 GiB to the end of what the processor can address."""
    at = _entry_of_the_page(test)
    if at is None:
        return test
    bits = 52 - (test.ept if isinstance(test, EptTest) else test.cpu).beyond.bit_count()
    frame = _high(draw, bits) & ~((1 << 30) - 1 if test.entries[at] & PS else 0)
    entries = {**test.entries, at: test.entries[at] & ~FRAME | frame}
    if isinstance(test, NestedTest):
        return attrs.evolve(test, entries=entries, place=frame | test.gva & 0xFFF)
    return attrs.evolve(test, entries=entries)


def _entry_of_the_page(test: Any) -> int | None:
    if isinstance(test, NestedTest):
        return next((at for at in test.entries if at & FRAME & (MOVED_BY - 1) == DATA_1), None)
    return max(test.entries, default=None)


def with_high_tables(test: Any, draw: random.Random) -> Any:
    """All tables moved above 4 GiB. Of a two-dimensional walk those of the guest, too, in guest-physical memory."""
    if isinstance(test, NestedTest):
        by = _high(draw, 52 - test.second.beyond.bit_count() - 1) & ~(MOVED_BY - 1)
        return moved(test, by, draw.random() < 0.5)
    registers = test.ept if isinstance(test, EptTest) else test.cpu
    by = _high(draw, 52 - registers.beyond.bit_count() - 1) & ~0xFFFF
    tables = set(TABLES.values())
    entries = {
        at + by: entry + by if entry & FRAME in tables and not (entry & PS and level_at(at) < 4) else entry
        for at, entry in test.entries.items()
    }
    if isinstance(test, EptTest):
        return attrs.evolve(test, entries=entries, ept=attrs.evolve(test.ept, root=test.ept.root + by))
    return attrs.evolve(test, entries=entries, cpu=attrs.evolve(test.cpu, cr3=test.cpu.cr3 + by))


def with_the_highest_bit(test: Any, draw: random.Random) -> Any:
    """The guest-physical address with its highest bit set that tables of 4 levels translate: it is no sign."""
    root = test.ept.root & FRAME
    at = root | test.gpa >> 36 & 0x7F8
    if test.ept.levels != 4 or (test.gpa | test.ept.beyond) >> 47 & 1 or at not in test.entries or at + 0x800 in test.entries:
        return test
    entries = {place + (0x800 if place == at else 0): entry for place, entry in test.entries.items()}
    return attrs.evolve(test, entries=entries, gpa=test.gpa | 1 << 47)


def _high(draw: random.Random, bits: int) -> int:
    return draw.randrange(FOUR_GIB, 1 << bits) & FRAME


CHANGES: dict[str, Change] = {
    "ignored bits": with_ignored_bits,
    "bits 11:0 of CR3": with_flags_of_cr3,
    "a page above 4 GiB": with_a_high_page,
    "tables above 4 GiB": with_high_tables,
    "the highest bit of the address": with_the_highest_bit,
}
"""In the order in which they can be made. A linear address has a sign."""


def varied(test: Any, draw: random.Random) -> tuple[str, Any]:
    """The test with one or more of these changes, and which."""
    possible = [name for name, change in CHANGES.items() if isinstance(test, EptTest) or change is not with_the_highest_bit]
    chosen = [name for name in possible if draw.random() < 0.5] or [draw.choice(possible)]
    for name in chosen:
        test = CHANGES[name](test, draw)
    return ", ".join(chosen), test


def self_mapped(levels: int) -> Iterator[tuple[str, WalkTest]]:
    """Walks in which the root serves as the table of several levels, because one of its entries leads to itself.

    They end at a page, or at the root itself, as the entries that an operating system reads through such a slot.
    """
    kinds = (Access(), Access(write=True), Access(fetch=True))
    for times, kind, user, own, page in itertools.product(
        range(2, levels + 1), kinds, (False, True), (P | RW | US, P | US, P | RW), (True, False)
    ):
        if page or times == levels:
            access = attrs.evolve(kind, user=user)
            yield "a table that maps itself", _self_mapped(levels, times, access, own | (NX if page else 0) * kind.write, page)


def _self_mapped(levels: int, times: int, access: Access, own: int, page: bool) -> WalkTest:
    """The root serves at so many levels. ``own`` are the flags of the entry that leads to it."""
    root, lower, full = TABLES[levels], levels - times, P | RW | US
    index = {level: SELF if level > lower + 1 or not page else 0x123 + level for level in range(levels, 0, -1)}
    entries = {root + 8 * SELF: root | own}
    table = root
    for level in range(lower + 1, 0, -1) if page else ():
        below = TABLES[level - 1] if level > 1 else WINDOW[7]
        entries[table + 8 * index[level]] = below | full
        table = below
    gva = sum(index[level] << (3 + 9 * level) for level in index) | 0x128
    return WalkTest(entries, Cpu(cr3=root, levels=levels, beyond=lacking(40)), _sign_extended(gva, levels), access)


def _sign_extended(gva: int, levels: int) -> int:
    top = 12 + 9 * levels
    return gva | (1 << 64) - (1 << top) if gva >> (top - 1) else gva
