"""Vectors of 32-bit paging and of PAE paging: which tests there are, and how they are varied."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import attrs

from refmodel.engines.walk_models import models_32, pae_models
from refmodel.machine.words import PAGE
from refmodel.machine.x86.entries import PCD, PWT
from refmodel.machine.x86.guest_walk import Access
from refmodel.machine.x86.legacy_walk import FRAME_32, Cpu32, CpuPae
from refmodel.machine.x86.words import FRAME, PS, RW, US, D, G, P, lacking
from refmodel.oracle.vectors.paths import LAYOUT
from refmodel.oracle.x86.agent.image import WINDOW
from refmodel.oracle.x86.agent.legacy_image import DIRECTORY, PDPT, TABLE
from refmodel.oracle.x86.legacy_tests import SIZE, LegacyProfile, LegacyTest, LoadTest, make

PHYSICAL_BITS = (40, 36, 52)
"""MAXPHYADDR of the processors that vectors are for."""
SOFTWARE = 0b111 << 9
SELF = 0x155
"""The slot of a directory that maps itself."""


def paths(pae: bool) -> Iterator[LegacyTest]:
    """One test for every path of the walk. The PDPTEs in memory are those that were loaded."""
    for bits in PHYSICAL_BITS:
        for model in (pae_models if pae else models_32)(bits, LAYOUT):
            test = LegacyTest(model.entries, model.registers, model.address, model.access, PDPT if pae else 0)
            yield with_pdptes_in_memory(test)


def with_pdptes_in_memory(test: LegacyTest) -> LegacyTest:
    """The test with what the registers hold where CR3 says that they were loaded from."""
    if not isinstance(test.cpu, CpuPae):
        return test
    cpu = test.cpu
    held = (cpu.pdpte0, cpu.pdpte1, cpu.pdpte2, cpu.pdpte3)
    return attrs.evolve(test, entries={**test.entries, **{test.cr3 + 8 * n: word for n, word in enumerate(held)}})


def drawn(pae: bool) -> Iterator[tuple[str, LegacyTest]]:
    """Tests for ever, every other one varied in what a walk must ignore and must not cut short."""
    draw = random.Random(32 + pae)
    while True:
        for change in (False, True):
            data = draw.randbytes(SIZE)
            test = attrs.evolve(make(data, LegacyProfile(pae, draw.choice(PHYSICAL_BITS))), unused_nxe=False)
            what, test = varied(test, draw) if change else ("", test)
            yield f"drawn; {what}" if change else "drawn", test


def ignored(cpu: Cpu32 | CpuPae, level: int, leaf: bool) -> int:
    """The bits of an entry of this level that a walk ignores (SDM Vol. 3A tables 4-4 to 4-6 and 4-9 to 4-11)."""
    bits = SOFTWARE | PWT | PCD | G
    if not leaf:
        return bits | D | (PS if isinstance(cpu, Cpu32) and not cpu.pse else 0)
    return bits | (PS if level == 1 else PAGE)


def varied(test: LegacyTest, draw: random.Random) -> tuple[str, LegacyTest]:
    """The test with ignored bits changed, and now and then others of what a walk must ignore or must not cut short."""
    what, entries = ["ignored bits"], dict(test.entries)
    for at, entry in test.entries.items():
        if at & ~0xFFF in (DIRECTORY, TABLE):
            level = 1 if at & ~0xFFF == TABLE else 2
            leaf = level == 1 or (entry & PS != 0 and (isinstance(test.cpu, CpuPae) or test.cpu.pse))
            entries[at] = entry ^ draw.getrandbits(64) & ignored(test.cpu, level, leaf)
            if leaf and draw.random() < 0.3:
                what.append("a page above 4 GiB" if level == 2 or test.pae else "a page in the upper 2 GiB")
                entries[at] = _with_high_page(entries[at], level, test, draw)
    test = attrs.evolve(test, entries=entries)
    if draw.random() < 0.5:
        what.append("bits of CR3 that are ignored")
        test = _with_flags_of_cr3(test, draw)
    if test.pae and draw.random() < 0.3:
        what.append("PDPTEs changed in memory after they were loaded")
        other = (0, DIRECTORY, DIRECTORY + PAGE | P, DIRECTORY | P | 0x1E0)
        changed = {PDPT + 8 * n: draw.choice(other) for n in range(4)}
        test = attrs.evolve(test, entries={**test.entries, **changed})
    if draw.random() < 0.3:
        what.append("tables above 4 GiB" if test.pae else "tables in the upper 2 GiB")
        test = _with_high_tables(test, draw)
    return ", ".join(dict.fromkeys(what)), test


def _with_high_tables(test: LegacyTest, draw: random.Random) -> LegacyTest:
    """The directory and the page table moved up, but for PDPTEs: they lie where 32 bits of CR3 reach."""
    cpu, tables = test.cpu, (DIRECTORY, TABLE)
    if isinstance(cpu, Cpu32):
        by = draw.randrange(1 << 31, (1 << 32) - (1 << 16)) & ~0xFFFF
    else:
        by = draw.randrange(1 << 32, 1 << 51 - cpu.beyond.bit_count()) & ~0xFFFF

    def up(entry: int) -> int:
        return entry + by if entry & FRAME in tables and not entry & PS else entry

    entries = {at + by if at & ~0xFFF in tables else at: up(entry) for at, entry in test.entries.items()}
    if isinstance(cpu, Cpu32):
        return attrs.evolve(test, entries=entries, cpu=attrs.evolve(cpu, cr3=cpu.cr3 + by))
    cpu = attrs.evolve(cpu, pdpte0=up(cpu.pdpte0), pdpte1=up(cpu.pdpte1), pdpte2=up(cpu.pdpte2), pdpte3=up(cpu.pdpte3))
    return attrs.evolve(test, entries=entries, cpu=cpu)


def _with_high_page(entry: int, level: int, test: LegacyTest, draw: random.Random) -> int:
    bits = 52 - test.cpu.beyond.bit_count()
    if test.pae:
        offset = (1 << (21 if level == 2 else 12)) - 1
        return entry & ~FRAME | entry & offset & FRAME | draw.randrange(1 << 32, 1 << bits) & FRAME & ~offset
    if level == 1:
        return entry & ~FRAME_32 | draw.randrange(1 << 31, 1 << 32) & FRAME_32
    return entry | draw.randrange(1, 1 << min(bits, 40) - 32) << 13


def _with_flags_of_cr3(test: LegacyTest, draw: random.Random) -> LegacyTest:
    """CR3's PWT, PCD and ignored bits (SDM Vol. 3A tables 4-3 and 4-7): 11:0 with 32-bit paging, 4:0 with PAE."""
    if isinstance(test.cpu, Cpu32):
        return attrs.evolve(test, cpu=attrs.evolve(test.cpu, cr3=test.cpu.cr3 | draw.randrange(1 << 12)))
    return attrs.evolve(test, cr3=test.cr3 | draw.randrange(1 << 5))


def self_mapped(pae: bool) -> Iterator[tuple[str, LegacyTest]]:
    """The directory serves as a page table too: the walk ends at a page, at a table, or at the directory itself."""
    width, shift = (8, 21) if pae else (4, 22)
    full = P | RW | US
    for write, user, index in itertools.product((False, True), (False, True), (SELF, SELF + 1, SELF + 2)):
        entries = {
            DIRECTORY + width * SELF: DIRECTORY | full,
            DIRECTORY + width * (SELF + 1): TABLE | full,
            DIRECTORY + width * (SELF + 2): WINDOW[9] | full,
        }
        cpu: Cpu32 | CpuPae = CpuPae(*(DIRECTORY | P,) * 4) if pae else Cpu32(cr3=DIRECTORY)
        test = LegacyTest(entries, cpu, SELF << shift | index << 12 | 0x128, Access(user=user, write=write), PDPT if pae else 0)
        yield "a table that maps itself", with_pdptes_in_memory(test)


def loads() -> Iterator[LoadTest]:
    """MOV to CR3: PDPTEs all present, none, each alone; and every bit of one that is present, and of one that is not."""
    for bits, present in itertools.product(PHYSICAL_BITS, (0b1111, 0, 1, 2, 4, 8)):
        words = {PDPT + 8 * n: DIRECTORY | (present >> n & 1) for n in range(4)}
        yield LoadTest(words, CpuPae(0, 0, 0, 0, beyond=lacking(bits)), PDPT)
    for bit, there in itertools.product(range(1, 64), (True, False)):
        words = {PDPT + 8 * n: DIRECTORY | (P if there or n != bit % 4 else 0) for n in range(4)}
        words[PDPT + 8 * (bit % 4)] ^= 1 << bit
        yield LoadTest(words, CpuPae(0, 0, 0, 0, beyond=lacking(40)), PDPT)
