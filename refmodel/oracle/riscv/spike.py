"""Spike, RISC-V International's simulator: a fresh process for each script, which it gets in an ELF file and prints as a signature.

A ``spike`` on the path, or the one in PyPI's package ``spike`` (CPython 3.11 on Linux x86-64). It asks ``dtc`` for its device tree
(Debian: device-tree-compiler).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from refmodel.oracle.judging import Lost
from refmodel.oracle.riscv.host import RiscvHost, prepared
from refmodel.oracle.riscv.layout import BASE, MAILBOX, MEMORY, SCRIPTS, memory

ISA = "rv64gch_svnapot_svpbmt_svadu_svinval_zicsr_zifencei"
TO_HOST = MAILBOX + 0x800
"""Where a 1 ends Spike: its symbol ``tohost``."""
PATIENCE = 120.0
"""Seconds that a script may take."""


def program() -> str | None:
    """Where Spike is, or None."""
    found = shutil.which("spike")
    if found is not None:
        with open(found, "rb") as file:
            if file.read(4) == b"\x7fELF":  # and not the package's script
                return found
    package = importlib.util.find_spec("riscv")
    for folder in package.submodule_search_locations or () if package else ():
        inside = Path(folder) / "data" / "bin" / "spike"
        if inside.is_file():
            return str(inside)
    return None


def release() -> str:
    """The package's version, or what is known of a Spike on the path."""
    try:
        return version("spike")
    except PackageNotFoundError:
        said = subprocess.run([program() or "spike", "--help"], capture_output=True, text=True, check=False, timeout=30)
        return (said.stderr + said.stdout).split("\n", 1)[0].rpartition(" ")[2] or "of unknown version"


class Spike(RiscvHost):
    """Spike with the machine that its ISA string names, RAM as the layout has it."""

    def __init__(self, isa: str = ISA) -> None:
        found = program()
        if found is None:
            raise Lost("Spike is not installed")
        self.program, self.isa = found, isa
        self.memory = prepared(memory(), TO_HOST)
        box = MAILBOX - BASE
        self.memory[box:box + 8] = (1).to_bytes(8, "little")

    def run(self, script: bytes) -> tuple[bytes, bytes]:
        at = SCRIPTS - BASE
        image = bytes(self.memory[:at]) + script
        symbols = {"tohost": TO_HOST, "fromhost": TO_HOST + 0x40,
                   "begin_signature": MAILBOX, "end_signature": SCRIPTS + len(script)}
        with tempfile.TemporaryDirectory(prefix="refmodel-spike-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
            elf, signature = Path(folder) / "elf", Path(folder) / "signature"
            elf.write_bytes(executable(image, symbols))
            try:
                done = subprocess.run([self.program, f"-m{BASE:#x}:{MEMORY:#x}", f"--isa={self.isa}", f"+signature={signature}",
                                       "+signature-granularity=8", str(elf)], capture_output=True, text=True, check=False,
                                      timeout=PATIENCE, stdin=subprocess.DEVNULL)
            except subprocess.TimeoutExpired:
                raise Lost(f"Spike did not come back within {PATIENCE:.0f} s") from None
            if not signature.is_file():
                raise Lost(f"Spike ended: {(done.stderr + done.stdout).strip() or f'status {done.returncode}'}")
            words = signature.read_text().split()
        after = b"".join(int(word, 16).to_bytes(8, "little") for word in words)
        return after[SCRIPTS - MAILBOX:], after[:40]

    def close(self) -> None:
        """Nothing stays between scripts."""


def executable(image: bytes, symbols: dict[str, int]) -> bytes:
    """An ELF file of one segment at ``BASE``, and a table of symbols. (System V ABI, *Object Files*.)"""
    names, table = b"\0", bytes(24)
    for name, value in symbols.items():
        table += struct.pack("<IBBHQQ", len(names), 0x10, 0, 0xFFF1, value, 0)
        names += name.encode() + b"\0"
    sections = b"\0.symtab\0.strtab\0.shstrtab\0"
    start = 0x1000
    at_table = start + len(image)
    at_names, at_sections = at_table + len(table), at_table + len(table) + len(names)
    headers = (at_sections + len(sections) + 7) & ~7
    file = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, BASE, 64, headers, 4, 64, 56, 1, 64, 4, 3)
    file += struct.pack("<IIQQQQQQ", 1, 7, start, BASE, BASE, len(image), len(image), start)
    file = (file.ljust(start, b"\0") + image + table + names + sections).ljust(headers, b"\0") + bytes(64)
    for named, kind, at, size, link, info, entry in ((1, 2, at_table, len(table), 2, 1, 24), (9, 3, at_names, len(names), 0, 0, 0),
                                                    (17, 3, at_sections, len(sections), 0, 0, 0)):
        file += struct.pack("<IIQQQQIIQQ", named, kind, 0, 0, at, size, link, info, 8 if entry else 1, entry)
    return file
