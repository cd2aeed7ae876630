"""Tests of a guest's page walk, drawn as bytes: one chain of entries, a processor, an access.

A byte of zero is the plainest choice everywhere (present, writable, user, 4 KiB, a supervisor's load), so that what deviates
shrinks to what makes it deviate.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.words import FRAME, NX, PS, RW, US, A, D, G, P, lacking
from refmodel.oracle.drawing import Draw
from refmodel.oracle.x86.agent.image import SLOT, TABLES, WINDOW

SIZE = 28
"""Bytes that a test is made of: as many as ``make`` may ask for, and no more, since drawing them costs most."""


@attrs.frozen
class Profile:
    """What an implementation is, and which of its switches can be thrown."""

    levels: int = 4
    physical_bits: int = 40
    amd: bool = False
    gigabyte_pages: bool = True
    smep_smap: bool = True
    nxe_off: bool = True
    """Whether EFER.NXE can be cleared."""
    pke: bool = False
    pcid: bool = False
    """Whether there is CR4.PCIDE."""
    invpcid: bool = False
    """Whether there is INVPCID."""
    vpid: bool = False
    """Whether tests of staleness are made in a virtual machine with a VPID and EPT, and what its host invalidates is tested."""
    agent_slot: int = SLOT
    """Of the root: where the agent is, and no test."""
    upper_user: bool = True
    """Whether user accesses to the upper half of the address space can be tested."""
    fetch_at_zero: bool = True
    """Whether an instruction at linear address 0 can be. (Unicorn takes it for the place to stop at.)"""


@attrs.frozen
class WalkTest:
    """One test: entries by address (all others are zero), the processor, the linear address, the access."""

    entries: dict[int, int]
    cpu: Cpu
    gva: int
    access: Access

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield access_words(self.access, self.gva)
        yield cpu_words(self.cpu)
        for address, entry in sorted(self.entries.items()):
            level = level_at(address)
            yield f"level {level} entry at {address:#x}: {entry:#018x} = {flag_names(entry, level)}"


def access_words(access: Access, gva: int) -> str:
    what = "fetch" if access.fetch else "store" if access.write else "load"
    return f"{'user' if access.user else 'supervisor'} {what} at {gva:#018x}{', EFLAGS.AC set' if access.ac else ''}"


def cpu_words(cpu: Cpu) -> str:
    keys = f" CR4.PKE=1 PKRU={cpu.pkru:#x}" if cpu.pke else ""
    return (
        f"{cpu.levels}-level paging, CR0.WP={cpu.wp:d} CR4.SMEP={cpu.smep:d} CR4.SMAP={cpu.smap:d} EFER.NXE={cpu.nxe:d}{keys} "
        f"MAXPHYADDR={52 - cpu.beyond.bit_count()}{' AMD' if cpu.amd else ''}"
    )


def level_at(address: int) -> int:
    """The level of the table under test that an entry's address is in, wherever all tables were moved by a multiple of 64 KiB."""
    return 6 - (address & 0xFFFF) // 0x1000


def flag_names(entry: int, level: int) -> str:
    """An entry's flags by name."""
    names = [("P", P), ("R/W", RW), ("U/S", US), ("A", A), ("D", D), ("PS" if level > 1 else "PAT", PS), ("G", G), ("XD", NX)]
    shown = [n for n, bit in names if entry & bit]
    if entry >> 59 & 0xF:
        shown.append(f"key {entry >> 59 & 0xF}")
    frame = entry & FRAME
    return " ".join([*shown, f"frame {frame:#x}"]) if shown or frame else "0"


def make(data: bytes, profile: Profile) -> WalkTest:
    """The test that these bytes stand for."""
    draw, levels = Draw(data), profile.levels
    leaf = leaf_level(draw.byte())
    access, cpu = drawn_access(draw), drawn_cpu(draw, profile)
    frame = WINDOW[draw.byte() % len(WINDOW)]
    index = {level: drawn_index(draw.byte(), level, levels, profile.agent_slot) for level in range(levels, 0, -1)}
    if access.user and not profile.upper_user:
        index[levels] &= 0xFF
    if leaf > 1:  # a large page maps memory from zero: the address chooses the frame
        index[1] = frame >> 12 & 0x1FF
        if leaf == 3:
            index[2] = frame >> 21
    entries = {}
    for level in range(levels, leaf - 1, -1):
        target = TABLES[level - 1] if level > leaf else frame if leaf == 1 else 0
        entries[TABLES[level] + 8 * index[level]] = drawn_entry(draw, level, leaf, target, profile)
    gva = linear_address(draw, index, levels)
    if access.user and not profile.upper_user:
        gva &= (1 << (11 + 9 * levels)) - 1
    return WalkTest(entries, cpu, gva, access)


def leaf_level(byte: int) -> int:
    return 3 if byte >= 240 else 2 if byte >= 205 else 1


def drawn_access(draw: Draw) -> Access:
    kind, who = draw.byte() % 3, draw.byte()
    return Access(user=bool(who & 1), write=kind == 1, fetch=kind == 2, ac=bool(who & 2))


def drawn_cpu(draw: Draw, profile: Profile) -> Cpu:
    switches = draw.byte()
    pke = profile.pke and switches & 3 == 3
    return Cpu(
        cr3=TABLES[profile.levels],
        levels=profile.levels,
        wp=not switches & 4,
        smep=profile.smep_smap and switches & 24 == 24,
        smap=profile.smep_smap and switches & 96 == 96,
        nxe=not (profile.nxe_off and switches & 128),
        pke=pke,
        pkru=draw.byte() * 0x01010101 if pke else 0,
        beyond=lacking(profile.physical_bits),
        gigabyte_pages=profile.gigabyte_pages,
        amd=profile.amd,
    )


def linear_address(draw: Draw, index: dict[int, int], levels: int) -> int:
    """The address that selects these entries; now and then one that is not canonical."""
    gva = draw.byte() * 8 + sum(index[level] << (3 + 9 * level) for level in index)
    top = 12 + 9 * levels
    if gva >> (top - 1):
        gva |= (1 << 64) - (1 << top)
    if draw.one_in(64):
        gva ^= 1 << (top + draw.byte() % (64 - top))
    return gva


def drawn_index(byte: int, level: int, levels: int, agent_slot: int) -> int:
    """Of the root an even slot of the lower half, or an odd one of the upper, but not the last if the agent is there."""
    if level < levels:
        return (byte * 73) & 0x1FF
    index = byte * 2 + (byte >> 7)
    return index if index != agent_slot else index - 2


def drawn_entry(draw: Draw, level: int, leaf: int, target: int, profile: Profile, calm: bool = False) -> int:
    """An entry that leads to ``target``, a bit out of order now and then; seldom, if ``calm``."""
    plain, odd = draw.byte(), draw.byte()
    if calm and plain < 200:
        plain, odd = 0, odd & 7
    entry = target | (0 if plain % 16 == 15 else P) | (0 if plain & 0x30 == 0x30 else RW) | (0 if plain & 0xC0 == 0xC0 else US)
    entry |= (A if odd & 1 else 0) | (D if odd & 2 else 0)
    entry |= G if odd & 4 and (level < 4 or odd >= 200) else 0  # rare where AMD reserves it
    if level == leaf and leaf > 1:
        entry |= PS
    if profile.pke and level == leaf and odd >= 128:
        entry |= (odd >> 3 & 0xF) << 59
    return entry | _oddity(odd, level, leaf, profile)


def _oddity(odd: int, level: int, leaf: int, profile: Profile) -> int:
    if odd >= 224:
        return NX
    if odd >= 216:
        return 1 << min(51, profile.physical_bits + odd % 8)
    if odd >= 212 and level >= 4:
        return PS
    if odd >= 208 and level == leaf > 1:
        return 1 << (13 + odd % (9 * (leaf - 1) - 1))
    return 0
