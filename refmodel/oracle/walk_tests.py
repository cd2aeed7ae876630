"""Tests of a page walk, drawn by Hypothesis as bytes: one chain of entries, a processor, an access.

A byte of zero is the plainest choice everywhere (present, writable, user, 4 KiB, a supervisor's read), so that what deviates
shrinks to what makes it deviate.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from refmodel.machine.guest_walk import NX, PS, RW, US, A, Access, Cpu, D, G, P

SIZE = 24
"""Bytes that a test is made of: as many as ``make`` may ask for, and no more, since drawing them costs most."""

TABLES = {level: 0x1000 * (6 - level) for level in range(1, 6)}
"""Where the table of each level is, in bytes of physical memory: one table a level."""

WINDOW = range(0x100000, 0x1F0000, 0x1000)
"""The frames that leaves lead to, all inside a small memory."""


@attrs.frozen
class WalkTest:
    """One test: entries by address (all others are zero), the processor, the linear address, the access."""

    entries: dict[int, int]
    cpu: Cpu
    gva: int
    access: Access

    def lines(self) -> Iterator[str]:
        """The test in words."""
        a = self.access
        what = "fetch" if a.fetch else "store" if a.write else "load"
        yield f"{'user' if a.user else 'supervisor'} {what} at {self.gva:#018x}{', EFLAGS.AC set' if a.ac else ''}"
        c = self.cpu
        yield (f"{c.levels}-level paging, CR0.WP={c.wp:d} CR4.SMEP={c.smep:d} CR4.SMAP={c.smap:d} EFER.NXE={c.nxe:d} "
               f"MAXPHYADDR={c.physical_bits}")
        for address, entry in sorted(self.entries.items()):
            level = 6 - address // 0x1000
            yield f"level {level} entry at {address:#x}: {entry:#018x} = {flag_names(entry, level)}"


def flag_names(entry: int, level: int) -> str:
    """An entry's flags by name."""
    names = [("P", P), ("R/W", RW), ("U/S", US), ("A", A), ("D", D), ("PS" if level > 1 else "PAT", PS), ("G", G), ("XD", NX)]
    shown = [n for n, bit in names if entry & bit]
    frame = entry & ((1 << 52) - 0x1000)
    return " ".join([*shown, f"frame {frame:#x}"]) if shown or frame else "0"


class _Draw:
    """Small choices out of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def byte(self) -> int:
        return next(self._data, 0)

    def one_in(self, chances: int) -> bool:
        """True for few bytes, and not for zero."""
        return self.byte() >= 256 - 256 // chances


def make(data: bytes, levels: int, physical_bits: int) -> WalkTest:
    """The test that these bytes stand for."""
    draw = _Draw(data)
    size = draw.byte()
    leaf = 3 if size >= 240 else 2 if size >= 205 else 1
    kind = draw.byte() % 3
    switches = draw.byte()
    access = Access(user=bool(switches & 1), write=kind == 1, fetch=kind == 2, ac=bool(switches & 2))
    cpu = Cpu(cr3=TABLES[levels], levels=levels, wp=not switches & 4, smep=switches & 24 == 24, smap=switches & 96 == 96,
              nxe=not switches & 128, physical_bits=physical_bits)
    frame = WINDOW[draw.byte() % len(WINDOW)]
    index = {level: _index(draw.byte(), level, levels) for level in range(levels, 0, -1)}
    if leaf > 1:  # a large page maps memory from zero: the address chooses the frame
        index[1] = frame >> 12 & 0x1FF
        if leaf == 3:
            index[2] = frame >> 21
    entries = {}
    for level in range(levels, leaf - 1, -1):
        target = TABLES[level - 1] if level > leaf else frame if leaf == 1 else 0
        entries[TABLES[level] + 8 * index[level]] = _entry(draw, level, leaf, target, physical_bits)
    gva = draw.byte() * 8 + sum(index[level] << (3 + 9 * level) for level in index)
    top = 12 + 9 * levels
    if gva >> (top - 1):
        gva |= (1 << 64) - (1 << top)
    if draw.one_in(64):
        gva ^= 1 << (top + draw.byte() % (64 - top))
    return WalkTest(entries, cpu, gva, access)


def _index(byte: int, level: int, levels: int) -> int:
    """Slot 511 of the root is kept for the machine's own code."""
    return (byte * 2 if byte < 128 else 510 - byte) & 0x1FF if level == levels else (byte * 73) & 0x1FF


def _entry(draw: _Draw, level: int, leaf: int, target: int, physical_bits: int) -> int:
    entry = target
    plain, odd = draw.byte(), draw.byte()
    entry |= 0 if plain % 16 == 15 else P
    entry |= 0 if plain & 0x30 == 0x30 else RW
    entry |= 0 if plain & 0xC0 == 0xC0 else US
    entry |= (A if odd & 1 else 0) | (D if odd & 2 else 0) | (G if odd & 4 else 0)
    if level == leaf and leaf > 1:
        entry |= PS
    if odd >= 224:
        entry |= NX
    elif odd >= 216:
        entry |= 1 << (physical_bits + odd % 8)
    elif odd >= 212 and level >= 4:
        entry |= PS
    elif odd >= 208 and level == leaf > 1:
        entry |= 1 << (13 + odd % (9 * (leaf - 1) - 1))
    return entry
