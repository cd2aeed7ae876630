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
from collections.abc import Iterator
from pathlib import Path

from refmodel.oracle.judging import Lost
from refmodel.oracle.x86.agent.code import rom
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import MAILBOX, MEMORY, Image

PROGRAM = "qemu-system-x86_64"
INTEL = "max,vendor=GenuineIntel"
"""A processor of Intel's with all that TCG has."""
MOST_MEMORY = "520G"
"""How far the addresses of DIMMs reach: 512 GiB, and so little beyond that they and those of devices fit into 40 bits."""
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
    """One QEMU process, which runs the agent in this memory. (A PC's DIMM is the memory at an address above 4 GiB.)"""

    def __init__(self, image: Image, model: str = "max") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="refmodel-qemu-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        folder = Path(self._folder.name)
        (folder / "rom").write_bytes(rom())
        self._memory = [_shared(folder / f"ram{number}") for number in range(1 + len(image.high))]
        self.image = image
        image.install(*self._memory)
        image.stop_by(0)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM,
                    "-accel",
                    "tcg",
                    "-cpu",
                    model,
                    "-M",
                    "pc,memory-backend=ram0,smm=off",
                    *_memory_options(folder, image),
                    "-bios",
                    str(folder / "rom"),
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
        for memory in self._memory:
            with contextlib.suppress(BufferError):
                memory.close()
        self._folder.cleanup()


def _shared(file: Path) -> mmap.mmap:
    with file.open("w+b") as made:
        made.truncate(MEMORY)
        return mmap.mmap(made.fileno(), MEMORY)


def _memory_options(folder: Path, image: Image) -> Iterator[str]:
    yield from ("-m", f"4M,slots={len(image.high)},maxmem={MOST_MEMORY}" if image.high else "4M")
    for number in range(1 + len(image.high)):
        yield from ("-object", f"memory-backend-file,id=ram{number},size=4M,mem-path={folder / f'ram{number}'},share=on")
    for number, address in enumerate(image.high, 1):
        yield from ("-device", f"pc-dimm,memdev=ram{number},addr={address:#x}")
