"""Four mebibytes of memory for a machine under judgement: the agent, its tables, and room for the tables under test.

| physical address | what lies there |
|---|---|
| 0x1000 to 0x5fff | the tables under test, level 5 down to level 1 |
| 0x10000 to 0x17fff | stubs that make an access (at CPL 0, at CPL 3), GDT, TSS, stack, IDT, mailbox, agent |
| 0x20000 to 0x27fff | tables that map the agent, in one slot of every root; below it a direct map of all this memory |
| 0x28000 to 0x2bfff | tables to start with |
| 0x30000 to 0x3ffff | a second translation's tables and control blocks, for two-dimensional walks |
| 0x100000 to 0x1fffff | data: each 8 bytes are an instruction that says where they lie, so loads and fetches tell where they went |
| 0x200000 to 0x3fffff | scripts |
"""

from __future__ import annotations

import itertools
import struct
from array import array
from collections.abc import Iterable
from typing import Any

from refmodel.machine.x86.words import PS, RW, US, A, D, P
from refmodel.oracle.x86.agent import code

MEMORY = 0x400000
TABLES = {level: 0x1000 * (6 - level) for level in range(1, 6)}
"""Where the table under test of each level is."""
PAGES = 0x10000
SUPERVISOR_STUB, USER_STUB, GDT, TSS, STACK, IDT, MAILBOX, AGENT = (PAGES + 0x1000 * n for n in range(8))
OWN_TABLES, BOOT_TABLES = 0x20000, 0x28000
SLOT = 384
"""Of every root, if the machine does not ask for another: so tests have the first and the last page of either half."""
WINDOW = range(0x100000, 0x1F0000, 0x1000)
"""Frames for data. One access may reach 4 KiB beyond."""
SCRIPTS = 0x200000
LOAD, STORE = 0x00, 0x10
"""Where in a stub page the instruction is."""

STORED = 0xFEEDFACE00000000
"""What a store under test stores."""
UD2, VMMCALL, VMCALL = b"\x0f\x0b", b"\x0f\x01\xd9", b"\x0f\x01\xc1"
"""Instructions that end an access which was let through: to the agent, or out of a virtual machine of AMD's or Intel's kind."""

CODE_64, DATA = 0x00AF9B000000FFFF, 0x00CF93000000FFFF
RING_3 = 3 << 45

CR4_PSE, CR4_PAE, CR4_LA57 = 0x10, 0x20, 0x1000
EFER_LME, EFER_LMA, EFER_NXE = 0x100, 0x400, 0x800


def slot(address: int, trap: bytes = UD2) -> int:
    """What lies in the 8 bytes at a data address: ``mov eax, address >> 3`` and a trap."""
    return int.from_bytes((b"\xb8" + struct.pack("<I", address >> 3) + trap).ljust(8, b"\x90"), "little")


def data(piece: int, start: int, stop: int, trap: bytes) -> bytes:
    """What lies at the data addresses from ``start`` to ``stop`` in a piece of memory: the first 4 MiB are piece 0."""
    first = slot(piece * MEMORY + start, trap)
    return array("Q", range(first, first + (stop - start << 5), 1 << 8)).tobytes()


def told(rax: int, fetched: bool) -> int | None:
    """The address that a loaded slot, or a fetched one's effect, tells; None if it is neither."""
    if fetched:
        return rax << 3 if rax < 1 << 32 else None
    return (rax >> 8 & 0xFFFFFFFF) << 3 if rax & 0xFF == 0xB8 else None


def home(levels: int, slot: int = SLOT) -> int:
    """The linear address of the agent's first page: in the slot of the root that no test uses, one of the upper half."""
    return slot << (3 + 9 * levels) | (1 << 64) - (1 << (12 + 9 * levels))


class Image:
    """The memory of a machine with so many levels of paging, and the registers that the agent begins with."""

    long = True
    """Whether the agent runs in 64-bit mode."""
    agent = code.AGENT
    stored = STORED
    """What a store under test stores."""
    high: tuple[int, ...] = ()
    """Physical addresses of further memory, ``MEMORY`` bytes at each."""

    def __init__(self, levels: int = 4, trap: bytes = UD2, slot: int = SLOT) -> None:
        self.levels, self.slot = levels, slot
        cr4 = CR4_PAE | (CR4_LA57 if levels == 5 else 0)
        self._write(home(levels, slot), 0x200000, cr4, EFER_LMA | EFER_LME | EFER_NXE, trap)

    def _write(self, home: int, direct: int, cr4: int, efer: int, trap: bytes) -> None:
        """Write everything. ``direct``: how far from the agent's first page the direct map is."""
        self.memory: Any = bytearray(MEMORY)
        self.pieces: tuple[Any, ...] = ()
        """The memory at each of the addresses in ``high``."""
        self.home, self.direct, self.cr4, self.efer, self.trap = home, home + direct, cr4, efer, trap
        self.stack_top = self.at(STACK) + 0x1000
        self.put(WINDOW.start, data(0, WINDOW.start, 0x200000, trap))
        self._stubs()
        self._descriptors()
        self._tables()
        self._mailbox()
        self.put(AGENT, self.agent)

    def limit(self, physical_bits: int) -> None:
        """Leave out further memory whose addresses the processor does not have."""
        self.high = tuple(address for address in self.high if address >> physical_bits == 0)

    def install(self, memory: Any, *pieces: Any) -> None:
        """Move into memory that may be shared with the machine: the first 4 MiB, and what is at the addresses in ``high``."""
        memory[:MEMORY] = self.memory
        self.memory, self.pieces = memory, pieces
        for number, piece in enumerate(pieces, 1):
            piece[:MEMORY] = data(number, 0, MEMORY, self.trap)

    def at(self, page: int) -> int:
        """The linear address of one of the agent's pages."""
        return self.home + page - PAGES

    def put(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data

    def word(self, address: int, value: int) -> None:
        self.put(address, value.to_bytes(8, "little"))

    def read(self, address: int) -> int:
        return int.from_bytes(self.memory[address : address + 8], "little")

    def _stubs(self) -> None:
        for page in (SUPERVISOR_STUB, USER_STUB):
            self.put(page + LOAD, b"\x48\x8b\x03" + self.trap)  # mov rax, [rbx]
            self.put(page + STORE, b"\x48\x89\x03" + self.trap)  # mov [rbx], rax

    def _descriptors(self) -> None:
        tss = self.at(TSS)
        low = 0x67 | (tss & 0xFFFFFF) << 16 | 0x89 << 40 | (tss >> 24 & 0xFF) << 56
        self.put(GDT, struct.pack("<8Q", 0, 0, CODE_64, DATA, CODE_64 | RING_3, DATA | RING_3, low, tss >> 32))
        self.word(TSS + 4, self.stack_top)  # RSP0
        for vector, offset in ((6, code.INVALID_OPCODE), (13, code.PROTECTION_FAULT), (14, code.PAGE_FAULT)):
            self.gate(vector, self.at(AGENT) + offset)

    def gate(self, vector: int, target: int) -> None:
        """An interrupt gate."""
        self.put(IDT + 16 * vector, struct.pack("<HHBBHII", target & 0xFFFF, 0x10, 0, 0x8E, target >> 16 & 0xFFFF, target >> 32, 0))

    def _tables(self) -> None:
        used = P | RW | A | D
        link = TABLES[self.levels] + self.slot * 8
        for level in range(self.levels - 1, 0, -1):
            table = OWN_TABLES + level * 0x1000
            self.word(link, table | used | US)
            link = table
        for n in range(16):
            page = PAGES + 0x1000 * n
            self.word(link + 8 * n, page | used | (US if page == USER_STUB else 0))
        for n in range(2):
            self.word(OWN_TABLES + 0x2000 + 8 * (n + 1), 0x200000 * n | used | PS)
        self._boot_tables(used)

    def _boot_tables(self, used: int) -> None:
        chain = [BOOT_TABLES + 0x1000 * n for n in range(self.levels - 1)]
        for table, below in itertools.pairwise(chain):
            self.word(table, below | used)
        for n in range(2):
            self.word(chain[-1] + 8 * n, 0x200000 * n | used | PS)
        self.word(BOOT_TABLES + self.slot * 8, self.read(TABLES[self.levels] + self.slot * 8))

    def _mailbox(self) -> None:
        self.word(MAILBOX + 16, self.direct + SCRIPTS)
        self.word(MAILBOX + 24, self.stored)
        for n, value in enumerate((self.at(AGENT), self.stack_top, self.at(MAILBOX))):
            self.word(MAILBOX + 64 + 8 * n, value)
        self.word(MAILBOX + 88, self.cr4)
        self.word(MAILBOX + 96, BOOT_TABLES)
        self.word(MAILBOX + 104, self.direct)
        self.put(MAILBOX + 112, struct.pack("<HQ", 63, self.at(GDT)))
        self.put(MAILBOX + 128, struct.pack("<HQ", 4095, self.at(IDT)))
        self.word(MAILBOX + 144, self.efer & ~EFER_LMA)

    def stop_by(self, how: int) -> None:
        """How the agent ends a script: 0 it waits for the next, 1 it halts, 2 it executes CLFLUSH."""
        self.word(MAILBOX + 8, how)

    def words(self, entries: Iterable[tuple[int, int]]) -> None:
        for address, value in entries:
            self.word(address, value)
