"""QEMU's TCG for RISC-V, driven as a process of its own that shares its memory with us; there is no firmware.

(Debian: qemu-system-misc; from trixie on, and in bookworm-backports, qemu-system-riscv.)
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from refmodel.oracle.judging import Lost
from refmodel.oracle.riscv.host import RiscvHost
from refmodel.oracle.riscv.layout import BASE, MAILBOX, MEMORY, SCRIPTS, SLOTS, WINDOW, memory
from refmodel.oracle.riscv.script import Script, Step

PROGRAM = "qemu-system-riscv64"
PROGRAM_32 = "qemu-system-riscv32"
PATIENCE = 60.0
"""Seconds that a script may take."""


def version(name: str = PROGRAM) -> tuple[int, str] | None:
    """The first number and the version of an installed QEMU, or None if there is none."""
    program = shutil.which(name)
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = re.search(r"version ((\d+)\S*)", said)
    return (int(found[2]), found[1]) if found else (0, "of unknown version")


class QemuRiscv(RiscvHost):
    """One QEMU process, of the machine ``virt``."""

    def __init__(self, major: int, xlen: int = 64) -> None:
        self.xlen = xlen
        self._folder = tempfile.TemporaryDirectory(prefix="refmodel-qemu-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        ram = Path(self._folder.name) / "ram"
        ram.write_bytes(memory(xlen))
        with ram.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), MEMORY)
        self._log = Path(self._folder.name) / "log"
        cpu = (
            f"rv{xlen},h=true,svinval=on"
            + (",svnapot=on,svpbmt=on" if xlen == 64 else "")
            + (",svadu=on,svade=off" if major >= 9 else "")
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM if xlen == 64 else PROGRAM_32,
                    "-accel",
                    "tcg",
                    "-M",
                    "virt,memory-backend=ram",
                    "-cpu",
                    cpu,
                    "-m",
                    f"{MEMORY >> 20}M",
                    "-bios",
                    "none",
                    "-object",
                    f"memory-backend-file,id=ram,size={MEMORY >> 20}M,mem-path={ram},share=on",
                    "-nodefaults",
                    "-no-user-config",
                    "-display",
                    "none",
                    "-no-reboot",
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def run(self, script: bytes) -> tuple[bytes, bytes]:
        done = self._carried_out(script)
        changed = self._memory[WINDOW.start - BASE : WINDOW.stop - BASE]
        if changed != SLOTS:
            self._carried_out(repairs(changed, self.xlen))
        return done

    def _carried_out(self, script: bytes) -> tuple[bytes, bytes]:
        box, at = MAILBOX - BASE, SCRIPTS - BASE
        self._memory[at : at + len(script)] = script
        self._memory[box : box + 8] = (1).to_bytes(8, "little")
        until = time.monotonic() + PATIENCE
        rounds = 0
        while any(self._memory[box : box + 8]):
            rounds += 1
            if rounds < 500:
                continue
            time.sleep(0.0002)
            if self._process.poll() is not None:
                raise Lost(f"QEMU ended: {self._said()}")
            if time.monotonic() > until:
                raise Lost(f"QEMU did not come back within {PATIENCE:.0f} s")
        return self._memory[at : at + len(script)], self._memory[box : box + 40]

    def _said(self) -> str:
        return self._log.read_text(errors="replace").strip() or f"status {self._process.returncode}"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BufferError):
            self._memory.close()
        self._folder.cleanup()


def repairs(changed: bytes, xlen: int) -> bytes:
    """A script that stores what belongs in the window, where a store that was wrongly let through has changed it.

    The machine has to do that itself: what we write, it does not see in code that it has translated already.
    """
    script, size = Script(), xlen // 8
    for page in range(0, len(SLOTS), WINDOW.step):
        if changed[page : page + WINDOW.step] == SLOTS[page : page + WINDOW.step]:
            continue
        for at in range(page, page + WINDOW.step, size):
            if changed[at : at + size] != SLOTS[at : at + size]:
                script.add(Step.STORE, WINDOW.start + at, int.from_bytes(SLOTS[at : at + size], "little"))
    return script.packed()
