"""QEMU's TCG: a processor emulated by translation, driven as a process of its own that shares its memory with us.

The firmware is ours and leads straight to the agent; no operating system is involved. (Debian: qemu-system-x86.)
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
from refmodel.oracle.x86.agent.code import rom
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import MAILBOX, MEMORY, UD2, Image

PROGRAM = "qemu-system-x86_64"
PATIENCE = 60.0
"""Seconds that a script may take."""


def version() -> str | None:
    """The installed QEMU's version, or None if there is none."""
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = re.search(r"version (\S+)", said)
    return found.group(1) if found else "of unknown version"


class Qemu(AgentHost):
    """One QEMU process."""

    def __init__(self, levels: int = 4, model: str = "max", trap: bytes = UD2) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="refmodel-qemu-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        folder = Path(self._folder.name)
        (folder / "rom").write_bytes(rom())
        with (folder / "ram").open("w+b") as ram:
            ram.truncate(MEMORY)
            self._memory = mmap.mmap(ram.fileno(), MEMORY)
        self.image = Image(self._memory, levels, trap)
        self.image.stop_by(0)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-accel", "tcg", "-cpu", model, "-M", "pc,memory-backend=ram,smm=off", "-m", "4M",
                 "-object", f"memory-backend-file,id=ram,size=4M,mem-path={folder / 'ram'},share=on",
                 "-bios", str(folder / "rom"), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)

    def run(self) -> None:
        until = time.monotonic() + PATIENCE
        rounds = 0
        while self.image.read(MAILBOX):
            rounds += 1
            if rounds < 500:
                continue
            time.sleep(0.0002)
            if self._process.poll() is not None:
                raise Lost(f"QEMU ended: {self._said()}")
            if time.monotonic() > until:
                raise Lost(f"QEMU did not come back within {PATIENCE:.0f} s")

    def _said(self) -> str:
        return self._log.read_text(errors="replace").strip() or f"status {self._process.returncode}"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BufferError):
            self._memory.close()
        self._folder.cleanup()
