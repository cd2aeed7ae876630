"""A bare ELF that carries out a script by itself and reports by signature, in the form of the architecture tests.

It loads at 0x80000000 and needs 16 MiB of memory there. It starts in M-mode, writes 1 to ``tohost`` when it is done, and what lies
from ``begin_signature`` to ``end_signature`` is its report: the mailbox, the label, and the script with its results.
"""

from __future__ import annotations

import struct
import zlib

import attrs

from refmodel.oracle.riscv.elf import Segment, Symbol, executable
from refmodel.oracle.riscv.layout import BASE, MAILBOX, MEMORY, SCRIPTS, SLOTS, TABLES, WINDOW, agent

TO_HOST = MAILBOX - 0x1000
"""Where a 1 says that all is done: the symbol ``tohost``, which is no part of the signature."""
_BOX = struct.Struct("<5Q")
_LABEL = struct.Struct("<8s4Q")
_MAGIC = b"refmodel"
_LABEL_AT = 0x40
LARGEST = MEMORY - (SCRIPTS - BASE)
"""Bytes that a script may have."""


@attrs.frozen
class Label:
    """Which vectors a script carries out."""

    stages: int
    """The number of their stages in ``vectors.SETS``."""
    first: int
    """The place of the first in its file, from 0 on."""
    count: int
    checksum: int = 0
    """Of the script, before it has results."""

    def packed(self) -> bytes:
        return _LABEL.pack(_MAGIC, self.stages, self.first, self.count, self.checksum)


@attrs.frozen
class Signature:
    """What a run of an ELF reports."""

    done: bool
    """The script was carried out to its end."""
    pc: int
    cause: int
    """Of a trap that no test was to have; ``pc`` is 0 if there was none."""
    label: Label | None
    script: bytes
    """The script's steps, with their results."""


def elf_of(script: bytes, label: Label | None = None, xlen: int = 64) -> bytes:
    """The ELF that carries out a script on a machine of 32 or 64 bits.

    Raises ``ValueError`` if the script is too long for the memory.
    """
    if len(script) > LARGEST:
        raise ValueError(f"a script of {len(script)} bytes does not fit into {LARGEST}")
    box = _BOX.pack(1, SCRIPTS, TO_HOST, 0, 0).ljust(_LABEL_AT, b"\0")
    if label is not None:
        box += attrs.evolve(label, checksum=zlib.crc32(script)).packed()
    report = box.ljust(SCRIPTS - MAILBOX, b"\0") + script
    segments = (
        Segment(BASE, agent(xlen), TABLES.stop - BASE),
        Segment(WINDOW.start, SLOTS, len(SLOTS)),
        Segment(MAILBOX, report, len(report)),
    )
    symbols = (
        Symbol("tohost", TO_HOST, 8),
        Symbol("fromhost", TO_HOST + 8, 8),
        Symbol("begin_signature", MAILBOX),
        Symbol("end_signature", MAILBOX + len(report)),
    )
    return executable(segments, symbols, xlen)


def signature_of(memory: bytes) -> Signature:
    """What a signature says, given as the bytes of memory. Raises ``ValueError`` if it is too short to be one."""
    if len(memory) < SCRIPTS - MAILBOX:
        raise ValueError(f"{len(memory)} bytes; a signature has at least {SCRIPTS - MAILBOX}")
    asked, _, _, pc, cause = _BOX.unpack_from(memory)
    magic, *numbers = _LABEL.unpack_from(memory, _LABEL_AT)
    return Signature(asked == 0, pc, cause, Label(*numbers) if magic == _MAGIC else None, memory[SCRIPTS - MAILBOX :])


def bytes_of(text: str) -> bytes:
    """A signature as simulators write it: lines of hexadecimal digits, the highest byte first, of 4, 8 or 16 bytes each.

    Raises ``ValueError``, with the number of the line, for anything else.
    """
    found, digits = bytearray(), 0
    for number, line in enumerate(text.split(), 1):
        digits = digits or len(line)
        if digits not in (8, 16, 32) or len(line) != digits:
            raise ValueError(f"line {number}: {len(line)} digits; expected {digits if number > 1 else '8, 16 or 32'}")
        try:
            found += bytes.fromhex(line)[::-1]
        except ValueError:
            raise ValueError(f"line {number}: {line}: not hexadecimal digits") from None
    return bytes(found)
