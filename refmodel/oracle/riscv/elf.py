"""ELF executables for bare RISC-V machines, with the symbols that simulators and the architecture tests look for.

(System V ABI, *Object Files*; RISC-V ELF psABI, *ELF Object Files*: machine 243.)
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import attrs

from refmodel.oracle.riscv.layout import BASE

ALIGNED = 0x1000
"""Segments lie at such boundaries, in the file as in memory."""
_RISCV, _EXECUTABLE, _ABSOLUTE, _GLOBAL = 243, 2, 0xFFF1, 0x10
_SYMBOLS, _STRINGS = 2, 3
"""Kinds of sections."""


@attrs.frozen
class Segment:
    """Bytes at an address, and zeroes after them as far as ``size``."""

    address: int
    image: bytes
    size: int


@attrs.frozen
class Symbol:
    """A name of a place, and how many bytes lie there. QEMU refuses a ``tohost`` or ``fromhost`` that has not 8."""

    name: str
    address: int
    size: int = 0


@attrs.frozen
class _Format:
    """Where ELF32 and ELF64 differ."""

    number: int
    header: struct.Struct
    program: struct.Struct
    section: struct.Struct
    symbol: struct.Struct
    aligned: int

    def named(self, name: int, symbol: Symbol) -> bytes:
        if self.number == 1:
            return self.symbol.pack(name, symbol.address, symbol.size, _GLOBAL, 0, _ABSOLUTE)
        return self.symbol.pack(name, _GLOBAL, 0, _ABSOLUTE, symbol.address, symbol.size)

    def loaded(self, segment: Segment, at: int) -> bytes:
        """A program header: what lies in the file from ``at`` is loaded, and may be read, written and executed."""
        where, sizes = (at, segment.address, segment.address), (len(segment.image), segment.size)
        if self.number == 1:
            return self.program.pack(1, *where, *sizes, 7, ALIGNED)
        return self.program.pack(1, 7, *where, *sizes, ALIGNED)


_FORMATS = {
    32: _Format(1, struct.Struct("<HHIIIIIHHHHHH"), struct.Struct("<8I"), struct.Struct("<10I"), struct.Struct("<IIIBBH"), 4),
    64: _Format(
        2, struct.Struct("<HHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ"), 8
    ),
}


def executable(segments: Sequence[Segment], symbols: Sequence[Symbol], xlen: int = 64) -> bytes:
    """An ELF file for a machine of this XLEN that begins at ``BASE``."""
    form = _FORMATS[xlen]
    names, table = b"\0", bytes(form.symbol.size)
    for symbol in symbols:
        table += form.named(len(names), symbol)
        names += symbol.name.encode() + b"\0"
    body, programs = b"", b""
    for segment in segments:
        body = body.ljust(-(-len(body) // ALIGNED) * ALIGNED, b"\0")
        programs += form.loaded(segment, ALIGNED + len(body))
        body += segment.image
    sections = b"\0.symtab\0.strtab\0.shstrtab\0"
    start = len(ident := b"\x7fELF" + bytes([form.number, 1, 1]) + bytes(9)) + form.header.size
    at_table = -(-(ALIGNED + len(body)) // form.aligned) * form.aligned
    at_names = at_table + len(table)
    at_sections = at_names + len(names)
    headers = -(-(at_sections + len(sections)) // form.aligned) * form.aligned
    head = ident + form.header.pack(
        _EXECUTABLE, _RISCV, 1, BASE, start, headers, 0, start, form.program.size, len(segments), form.section.size, 4, 3
    )
    file = (head + programs).ljust(ALIGNED, b"\0") + body
    file = (file.ljust(at_table, b"\0") + table + names + sections).ljust(headers, b"\0") + bytes(form.section.size)
    for named, kind, at, size, link, info, entry in (
        (1, _SYMBOLS, at_table, len(table), 2, 1, form.symbol.size),
        (9, _STRINGS, at_names, len(names), 0, 0, 0),
        (17, _STRINGS, at_sections, len(sections), 0, 0, 0),
    ):
        file += form.section.pack(named, kind, 0, 0, at, size, link, info, form.aligned if entry else 1, entry)
    return file
