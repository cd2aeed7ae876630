"""Tests of two-dimensional walks, drawn as bytes: a chain of guest entries, second tables under them, a processor, an access.

The guest's tables are at guest-physical 2 GiB and above, its data at 3 GiB and above, so each has entries of its own in the
second tables; the agent's own pages are mapped where they are at home. Entries are named by their physical addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from refmodel.machine.x86.ept_walk import EPT_A, EPT_D, Ept, R, W, X
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.words import FRAME, PS, RW, US, A, D, P, lacking
from refmodel.oracle.drawing import Draw
from refmodel.oracle.x86.agent.image import TABLES, WINDOW
from refmodel.oracle.x86.walk_tests import (
    Profile,
    access_words,
    cpu_words,
    drawn_access,
    drawn_cpu,
    drawn_entry,
    flag_names,
    leaf_level,
    level_at,
    linear_address,
)

SIZE = 53
"""Bytes that a test is made of."""

GUEST_TABLES, GUEST_DATA = 0x80000000, 0xC0000000
"""Guest-physical addresses."""
ROOT, THIRD, CODE_2, TABLES_2, TABLES_1, DATA_2, DATA_1 = (0x30000 + 0x1000 * n for n in range(7))
"""The second tables: a root, one of level 3, and those of levels 2 and 1 for each of three uses."""
WRITE_BACK = 6 << 3
MOVED_BY, HIGH = 1 << 24, 1 << 39
"""Tables that are moved lie multiples of these higher, in physical and in guest-physical memory."""
LEVEL_OF = {ROOT: 4, THIRD: 3, CODE_2: 2, TABLES_2: 2, DATA_2: 2, TABLES_1: 1, DATA_1: 1}


@attrs.frozen
class NestedTest:
    """One test."""

    entries: dict[int, int]
    """Of the guest's tables and of the second tables, by physical address; those that no test changes are in ``fixed``."""
    cpu: Cpu
    second: Ept | Cpu
    """EPT, or the host's registers for nested paging."""
    gva: int
    access: Access
    place: int
    """The physical address that the entries lead to, whether or not the access is let through."""

    @property
    def fixed(self) -> Mapping[int, int]:
        root = self.second.root if isinstance(self.second, Ept) else self.second.cr3
        by = root & FRAME & ~(MOVED_BY - 1)
        return fixed_entries(isinstance(self.second, Ept), self.cpu.levels, by, self.cpu.cr3 & FRAME & ~(HIGH - 1))

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield access_words(self.access, self.gva)
        yield cpu_words(self.cpu)
        if isinstance(self.second, Ept):
            yield f"EPT, accessed and dirty flags {'en' if self.second.accessed_dirty else 'dis'}abled"
        else:
            yield f"nested paging, the host's CR4.SMEP={self.second.smep:d} EFER.NXE={self.second.nxe:d}"
        for address, entry in sorted(self.entries.items()):
            yield f"{name_of(address)}: {entry:#018x} = {entry_words(self, address, entry)}"


def is_guest_s(address: int) -> bool:
    """Whether an entry is one of the guest's tables."""
    return address & (MOVED_BY - 1) < 0x6000


def level_of(address: int) -> int:
    return level_at(address) if is_guest_s(address) else LEVEL_OF[address & FRAME & (MOVED_BY - 1)]


def name_of(address: int) -> str:
    whose = "guest's" if is_guest_s(address) else "second"
    return f"{whose} level {level_of(address)} entry at {address:#x}"


def entry_words(test: NestedTest, address: int, entry: int) -> str:
    """An entry's flags by name."""
    if is_guest_s(address) or not isinstance(test.second, Ept):
        return flag_names(entry, level_of(address))
    names = [("R", R), ("W", W), ("X", X), ("large", PS if level_of(address) > 1 else 0), ("A", EPT_A), ("D", EPT_D)]
    return " ".join([*(n for n, bit in names if entry & bit), f"type {entry >> 3 & 7}", f"frame {entry & FRAME:#x}"])


def moved(test: NestedTest, by: int, high: bool) -> NestedTest:
    """The test with all tables so many bytes higher in physical memory, a multiple of ``MOVED_BY``; with ``high``, what the guest
    sees of its tables and its data lies ``HIGH`` bytes higher, too."""

    def of_guest(address: int, entry: int) -> int:
        return entry | HIGH if high and entry & FRAME & ~test.cpu.beyond >= GUEST_TABLES else entry

    def of_second(address: int, entry: int) -> int:
        leads = entry & FRAME in (DATA_2, DATA_1) and entry & PS == 0
        return entry + by if leads or address & ~0xFFF == TABLES_1 else entry

    entries = {
        address + by: of_guest(address, entry) if is_guest_s(address) else of_second(address, entry)
        for address, entry in test.entries.items()
    }
    second = test.second
    second = attrs.evolve(second, root=second.root + by) if isinstance(second, Ept) else attrs.evolve(second, cr3=second.cr3 + by)
    return attrs.evolve(test, entries=entries, second=second, cpu=attrs.evolve(test.cpu, cr3=test.cpu.cr3 | HIGH * high))


def fixed_entries(ept: bool, levels: int, by: int = 0, high: int = 0) -> dict[int, int]:
    """The second tables' entries that no test changes: the way to the agent, and to the tables under test. All tables lie ``by``
    bytes higher, and guest-physical memory from ``high`` on is the same as that from zero."""
    table = R | W | X | EPT_A if ept else P | RW | US | A | D
    page = R | W | X | EPT_A | EPT_D | WRITE_BACK if ept else table
    return {
        ROOT + by: THIRD + by | table,
        ROOT + by + 8 * (high >> 39): THIRD + by | table,
        THIRD + by: CODE_2 + by | table,
        CODE_2 + by: page | PS,
        CODE_2 + by + 8: 0x200000 | page | PS,
        THIRD + by + 16: TABLES_2 + by | table,
        TABLES_2 + by: TABLES_1 + by | table,
        TABLES_1 + by + 8 * (TABLES[levels] >> 12): TABLES[levels] + by | page,
    }


def make(data: bytes, profile: Profile, ept: Ept | None) -> NestedTest:
    """The test that these bytes stand for; with nested paging if no EPT is given."""
    draw, levels = Draw(data), profile.levels
    leaf, leaf_2 = leaf_level(draw.byte()), leaf_level(draw.byte())
    access, cpu = drawn_access(draw), drawn_cpu(draw, profile)
    cpu = attrs.evolve(cpu, cr3=GUEST_TABLES + TABLES[levels])
    frame = WINDOW[draw.byte() % len(WINDOW)]
    upper, lower = draw.byte(), (draw.byte() * 73) & 0x1FF
    if leaf_2 > 1:  # a large page maps memory from zero
        lower = frame >> 12 & 0x1FF
        upper = upper if leaf_2 == 2 else frame >> 21
    index = {level: (draw.byte() * 73) & (0xFF if level == levels else 0x1FF) for level in range(levels, 0, -1)}
    if leaf > 1:
        index[1] = lower
    if leaf == 3:
        index[2] = upper
    entries = _guest_entries(draw, leaf, index, upper, lower, profile)
    entries.update(_second_entries(draw, leaf_2, upper, lower, frame, profile, ept))
    gva = linear_address(draw, index, levels)
    if access.fetch:  # a virtual machine cannot be entered at an address that is not canonical
        gva &= (1 << (11 + 9 * levels)) - 1
    return NestedTest(entries, cpu, ept or host_cpu(profile, draw.byte()), gva, access, frame | gva & 0xFFF)


def host_cpu(profile: Profile, byte: int) -> Cpu:
    """The host's registers, with its nested tables; zero is EFER.NXE set and CR4.SMEP clear."""
    return Cpu(
        cr3=ROOT,
        nxe=byte & 3 != 3,
        smep=profile.smep_smap and byte & 12 == 12,
        beyond=lacking(profile.physical_bits),
        gigabyte_pages=profile.gigabyte_pages,
        amd=profile.amd,
    )


def _guest_entries(draw: Draw, leaf: int, index: dict[int, int], upper: int, lower: int, profile: Profile) -> dict[int, int]:
    entries = {}
    for level in range(profile.levels, leaf - 1, -1):
        below = GUEST_TABLES + TABLES[level - 1] if level > 1 else 0
        page = GUEST_DATA + (upper << 21 if leaf < 3 else 0) + (lower << 12 if leaf == 1 else 0)
        target = page if level == leaf else below
        entries[TABLES[level] + 8 * index[level]] = drawn_entry(draw, level, leaf, target, profile, calm=True)
    return entries


def _second_entries(draw: Draw, leaf: int, upper: int, lower: int, frame: int, profile: Profile, ept: Ept | None) -> dict[int, int]:
    def entry(level: int, lowest: int, target: int) -> int:
        if ept is not None:
            return _ept_entry(draw, level, lowest, target, profile)
        return drawn_entry(draw, level, lowest, target, profile, calm=True)

    entries = {TABLES_1 + 8 * (TABLES[level] >> 12): entry(1, 1, TABLES[level]) for level in range(1, profile.levels)}
    entries[THIRD + 24] = entry(3, leaf, 0 if leaf == 3 else DATA_2)
    if leaf < 3:
        entries[DATA_2 + 8 * upper] = entry(2, leaf, 0 if leaf == 2 else DATA_1)
    if leaf < 2:
        entries[DATA_1 + 8 * lower] = entry(1, leaf, frame)
    return entries


def _ept_entry(draw: Draw, level: int, leaf: int, target: int, profile: Profile) -> int:
    plain, odd = draw.byte(), draw.byte()
    rights = R | W | X if plain < 200 else plain & 7
    odd = odd & 3 if plain < 160 else odd
    entry = target | rights | (EPT_A if odd & 1 else 0) | (EPT_D if odd & 2 else 0)
    if level == leaf:
        entry |= (PS if level > 1 else 0) | WRITE_BACK
    if odd >= 248:
        return entry | 1 << min(51, profile.physical_bits + odd % 8)
    if odd >= 240:
        return entry ^ (odd & 7) << 3  # another memory type; in an entry that maps no page, reserved bits
    if odd >= 236 and level == leaf > 1:
        return entry | 1 << (12 + plain % (9 * (leaf - 1)))
    return entry
