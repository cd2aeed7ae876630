"""The memory of a machine under 32-bit paging or PAE paging, laid out as ``image`` says.

The agent and its direct map are in the last quarter of the linear addresses, which no test uses. Memory above 4 GiB is for pages
of 4 MiB with 32-bit paging, whose addresses have 40 bits (PSE-36).
"""

from __future__ import annotations

import struct

from refmodel.machine.x86.words import PS, RW, US, A, D, P
from refmodel.oracle.x86.agent import code
from refmodel.oracle.x86.agent.image import (
    AGENT,
    BOOT_TABLES,
    CR4_PAE,
    CR4_PSE,
    DATA,
    GDT,
    IDT,
    LOAD,
    MEMORY,
    OWN_TABLES,
    PAGES,
    RING_3,
    STORE,
    SUPERVISOR_STUB,
    TABLES,
    TSS,
    UD2,
    USER_STUB,
    Image,
)

HOME = 0xF0000000
DIRECTORY, TABLE, PDPT = TABLES[2], TABLES[1], TABLES[3] + 0x20
"""Where the tables under test are. That of the PDPTEs begins at 32 bytes, not at a page."""
KEPT = 3
"""The PDPTE that the agent is reached by."""
CODE_32 = 0x00CF9B000000FFFF
ENTER = 0x20
"""Where in the supervisor's stub page paging is switched on, which loads the PDPTE registers, and ECX is jumped to."""
HIGH = tuple(1 << bit for bit in range(32, 40))
"""Where memory above 4 GiB is: each address bit that PSE-36 adds, alone."""


class LegacyImage(Image):
    """The memory of a machine in protected mode with paging of one of the two kinds."""

    long = False
    agent = code.AGENT_32
    stored = 0xFEEDFACE

    def __init__(self, pae: bool, trap: bytes = UD2) -> None:
        self.pae, self.levels, self.slot = pae, 2, 0
        self.high = () if pae else HIGH
        self._write(HOME, 0x400000, CR4_PAE if pae else CR4_PSE, 0, trap)

    @property
    def width(self) -> int:
        """Bytes of an entry."""
        return 8 if self.pae else 4

    def entry(self, address: int, value: int) -> None:
        self.put(address, value.to_bytes(self.width, "little"))

    def address_told(self, eax: int, fetched: bool) -> int | None:
        """The address that a loaded slot's low 4 bytes, or a fetched one's effect, tell; None if it is neither."""
        if not fetched and eax & 0xFF != 0xB8:
            return None
        number = eax if fetched else eax >> 8
        piece, offset = divmod(number << 3, MEMORY)
        if piece > len(self.high):
            return None
        return (self.high[piece - 1] if piece else 0) + offset

    def _stubs(self) -> None:
        for page in (SUPERVISOR_STUB, USER_STUB):
            self.put(page + LOAD, b"\x8b\x03" + self.trap)  # mov eax, [ebx]
            self.put(page + STORE, b"\x89\x03" + self.trap)  # mov [ebx], eax
        self.put(SUPERVISOR_STUB + ENTER, b"\x0f\x22\xc0\xff\xe1")  # mov cr0, eax; jmp ecx

    def _descriptors(self) -> None:
        tss = self.at(TSS)
        low = 0x67 | (tss & 0xFFFFFF) << 16 | 0x89 << 40 | (tss >> 24) << 56
        self.put(GDT, struct.pack("<8Q", 0, 0, CODE_32, DATA, CODE_32 | RING_3, DATA | RING_3, low, 0))
        self.put(TSS + 4, struct.pack("<2I", self.stack_top, 0x18))  # ESP0, SS0
        for vector, offset in ((6, code.INVALID_OPCODE_32), (13, code.PROTECTION_FAULT_32), (14, code.PAGE_FAULT_32)):
            self.gate(vector, self.at(AGENT) + offset)

    def gate(self, vector: int, target: int) -> None:
        self.put(IDT + 8 * vector, struct.pack("<HHBBH", target & 0xFFFF, 0x10, 0, 0x8E, target >> 16))

    def _tables(self) -> None:
        used = P | RW | A | D
        stubs, direct = OWN_TABLES + 0x1000, OWN_TABLES + 0x2000
        for n in range(16):
            page = PAGES + 0x1000 * n
            self.entry(stubs + self.width * n, page | used | (US if page == USER_STUB else 0))
        if self.pae:
            for n in range(4):
                self.entry(PDPT + 8 * n, 0)
            directory = OWN_TABLES
            at = directory + 8 * (HOME >> 21 & 0x1FF)
            for n in range(2):
                self.entry(at + 8 * (n + 2), 0x200000 * n | used | PS)
                self.entry(BOOT_TABLES + 0x1000 + 8 * n, 0x200000 * n | used | PS)
            self.entry(at, stubs | used | US)
            self.entry(PDPT + 8 * KEPT, directory | P)
            self.entry(BOOT_TABLES, BOOT_TABLES + 0x1000 | P)
            self.entry(BOOT_TABLES + 8 * KEPT, directory | P)
            return
        for n in range(1024):
            self.entry(direct + 4 * n, 0x1000 * n | used)
        self.entry(BOOT_TABLES, used | PS)
        for directory in (DIRECTORY, BOOT_TABLES):
            self.entry(directory + 4 * (HOME >> 22), stubs | used | US)
            self.entry(directory + 4 * (HOME >> 22) + 4, direct | used)
