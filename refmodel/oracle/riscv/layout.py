"""Where things are in the memory of a RISC-V machine under judgement, and what lies there before a test."""

from __future__ import annotations

import struct

from refmodel.machine.riscv.words import V
from refmodel.oracle.riscv.agent.code import AGENT, AGENT_32

BASE, MEMORY = 0x8000_0000, 0x100_0000
"""Where RAM begins, and how many bytes there are."""
SCRIPTS = BASE + 0x40_0000
MAILBOX = SCRIPTS - 0x1000
"""Next to the scripts, so that what is read of both lies together."""
VS_TABLES = {level: BASE + 0x10000 + 0x1000 * (5 - level) for level in range(1, 6)}
"""The table under test of each level, of satp or of vsatp."""
G_ROOT = BASE + 0x20000
"""16 KiB, whatever its level."""
G_UPPER = {4: BASE + 0x24000, 3: BASE + 0x25000}
"""Tables of the G-stage on the way to level 2, where they are not the root."""
TABLES_2, TABLES_1, DATA_2, DATA_1 = (BASE + 0x26000 + 0x1000 * n for n in range(4))
"""The G-stage's tables of levels 2 and 1 for the VS-stage's tables, and for data."""
TABLES = range(BASE + 0x10000, DATA_1 + 0x1000)
"""All of the tables. What no test put there is zero."""
GPA_TABLES, GPA_DATA = 1 << 32, 2 << 32
"""Guest-physical addresses: RAM, of which the VS-stage's tables are used; and 1 GiB for data. Both have 34 bits."""
GPA_TABLES_32, GPA_DATA_32 = 3 << 30, 1 << 30
"""The like of them for machines of 32 bits, unless guest-physical addresses are to have 34."""
WINDOW = range(BASE + 0x10_0000, BASE + 0x20_0000, 0x1000)
"""Frames for data."""
STORED = 0x5A5A_FEED
"""What the agent stores."""


def slot(address: int) -> int:
    """What lies in the 8 bytes at a data address: ``lui t2`` with the number of the 8 bytes, and ``ecall``."""
    return 0x37 | 7 << 7 | (address - BASE >> 3) << 12 | 0x73 << 32


def told(value: int) -> int | None:
    """The address that a loaded slot, or its lower half, tells; None if it is none."""
    if value & 0xFFF != 0x3B7 or value >> 32 not in (0, 0x73):
        return None
    return fetched(value & 0xFFFF_F000)


def fetched(t2: int) -> int:
    """The address that a fetched slot tells, by what it leaves in t2."""
    return BASE + (t2 >> 12 & 0xF_FFFF) * 8


SLOTS = b"".join(struct.pack("<Q", slot(at)) for at in range(WINDOW.start, WINDOW.stop, 8))
"""What lies in the window."""


def agent(xlen: int) -> bytes:
    """The agent for machines of 32 or 64 bits."""
    return AGENT_32 if xlen == 32 else AGENT


def memory(xlen: int = 64) -> bytearray:
    """All of RAM before the first script, with an agent that waits for one."""
    whole = bytearray(MEMORY)
    whole[: len(agent(xlen))] = agent(xlen)
    whole[WINDOW.start - BASE : WINDOW.stop - BASE] = SLOTS
    whole[MAILBOX - BASE + 8 : MAILBOX - BASE + 16] = SCRIPTS.to_bytes(8, "little")
    return whole


def pointer(address: int, flags: int = V) -> int:
    """An entry with the page number of an address."""
    return address >> 2 | flags


def first_of_data(low: bool) -> int:
    """The first guest-physical address for data."""
    return GPA_DATA_32 if low else GPA_DATA


def first_of_tables(low: bool) -> int:
    """The guest-physical address of RAM, where the VS-stage's tables are."""
    return GPA_TABLES_32 if low else GPA_TABLES


def level_3(g_levels: int) -> int:
    """The G-stage's table of level 3."""
    return G_ROOT if g_levels == 3 else G_UPPER[3]


def fixed_entries(g_levels: int, low: bool = False) -> dict[int, int]:
    """The G-stage's entries that no test changes: the way to the tables of level 1 that map the VS-stage's tables."""
    if g_levels == 2:
        return {G_ROOT + 4 * (first_of_tables(low) >> 22): pointer(TABLES_1)}
    chain = {3: [], 4: [G_UPPER[3]], 5: [G_UPPER[4], G_UPPER[3]]}[g_levels]
    places = [G_ROOT, *chain]
    fixed = {at: pointer(to) for at, to in zip(places, chain, strict=False)}
    fixed[level_3(g_levels) + 8 * (GPA_TABLES >> 30)] = pointer(TABLES_2)
    fixed[TABLES_2] = pointer(TABLES_1)
    return fixed


def is_vs(address: int) -> bool:
    """Whether an entry is one of the VS-stage's tables, or of satp's."""
    return address < G_ROOT


def level_of(address: int, g_levels: int) -> int:
    """The level of the table that an entry's address is in."""
    if is_vs(address):
        return 5 - (address - VS_TABLES[5] >> 12)
    if address < G_ROOT + 0x4000:
        return g_levels
    return {G_UPPER[4]: 4, G_UPPER[3]: 3, TABLES_2: 2, TABLES_1: 1, DATA_2: 2, DATA_1: 1}[address & ~0xFFF]
