"""Spike, RISC-V International's simulator: a fresh process for each script, which it gets in an ELF file and prints as a signature.

A ``spike`` on the path, or the one in PyPI's package ``spike`` (CPython 3.11 on Linux x86-64). It asks ``dtc`` for its device tree
(Debian: device-tree-compiler).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from refmodel.oracle.judging import Lost
from refmodel.oracle.riscv.consumer import bytes_of, elf_of
from refmodel.oracle.riscv.host import RiscvHost
from refmodel.oracle.riscv.layout import BASE, MAILBOX, MEMORY, SCRIPTS

ISA = "rv64gch_svnapot_svpbmt_svadu_svinval_zicsr_zifencei"
ISA_32 = "rv32gch_svadu_svinval_zicsr_zifencei"
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
        self.xlen = 32 if isa.startswith("rv32") else 64

    def run(self, script: bytes) -> tuple[bytes, bytes]:
        with tempfile.TemporaryDirectory(prefix="refmodel-spike-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
            elf, signature = Path(folder) / "elf", Path(folder) / "signature"
            elf.write_bytes(elf_of(script, xlen=self.xlen))
            try:
                done = subprocess.run(
                    [
                        self.program,
                        f"-m{BASE:#x}:{MEMORY:#x}",
                        f"--isa={self.isa}",
                        f"+signature={signature}",
                        "+signature-granularity=8",
                        str(elf),
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=PATIENCE,
                    stdin=subprocess.DEVNULL,
                )
            except subprocess.TimeoutExpired:
                raise Lost(f"Spike did not come back within {PATIENCE:.0f} s") from None
            if not signature.is_file():
                raise Lost(f"Spike ended: {(done.stderr + done.stdout).strip() or f'status {done.returncode}'}")
            after = bytes_of(signature.read_text())
        return after[SCRIPTS - MAILBOX :], after[:40]

    def close(self) -> None:
        """Nothing stays between scripts."""
