"""The Bochs processor: an interpreter of the whole architecture, VMX and EPT included, as a library from PyPI (bochscpu-python).

It runs in a process of its own (``bochs_worker``), which shares its memory with us.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import mmap
import os
import selectors
import subprocess
import sys
import tempfile
from pathlib import Path

from refmodel.oracle.judging import Lost
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import MEMORY, Image
from refmodel.oracle.x86.bochs_worker import kind_of

PACKAGE = "bochscpu-python"
PATIENCE = 60.0
"""Seconds that a script may take."""


def version() -> str | None:
    """The installed package's version, or None if there is none."""
    if importlib.util.find_spec("bochscpu") is None:
        return None
    return importlib.metadata.version(PACKAGE)


class Bochs(AgentHost):
    """One Bochs processor, which runs the agent in this memory."""

    def __init__(self, image: Image) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="refmodel-bochs-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        file = Path(self._folder.name) / "memory"
        with file.open("w+b") as memory:
            size = MEMORY * (1 + len(image.high))
            memory.truncate(size)
            self._memory = mmap.mmap(memory.fileno(), size)
        whole = memoryview(self._memory)
        self.image = image
        image.install(*(whole[at : at + MEMORY] for at in range(0, size, MEMORY)))
        image.stop_by(2)
        self._log = Path(self._folder.name) / "log"  # a pipe that nobody reads would fill
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "refmodel.oracle.x86.bochs_worker", str(file), kind_of(image)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        try:
            self._answer()
        except Lost:
            self.close()
            raise

    def run(self) -> None:
        try:
            self._in.write(b"go\n")
            self._in.flush()
        except BrokenPipeError:
            raise Lost(f"Bochs ended: {self._said()}") from None
        self._answer()

    def _answer(self) -> None:
        if not self._selector.select(PATIENCE):
            raise Lost(f"Bochs did not come back within {PATIENCE:.0f} s")
        if not self._out.readline():
            raise Lost(f"Bochs ended: {self._said()}")

    def _said(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"status {self._process.wait()}"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._selector.close()
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()
        with contextlib.suppress(BufferError):
            self._memory.close()
        self._folder.cleanup()
