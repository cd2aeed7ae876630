"""Settings of the running kernel, changed for a while and put back whatever happens."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

KSM = Path("/sys/kernel/mm/ksm")


@contextmanager
def changed(settings: Mapping[Path, str]) -> Iterator[None]:
    """While this holds, these files say this; afterwards what they said before. Raises ``OSError`` if one cannot be written."""
    before = {file: file.read_text().strip() for file in settings}
    with _termination_unwinds():
        try:
            for file, value in settings.items():
                file.write_text(value)
            yield
        finally:
            for file, value in before.items():
                file.write_text(value)


@contextmanager
def swap_file(size: int = 16 << 20) -> Iterator[bool]:
    """While this holds, there is somewhere to swap to, if this kernel lets us; says whether."""
    with tempfile.TemporaryDirectory(prefix="refmodel-swap-", dir="/var/tmp") as folder, _termination_unwinds():
        file = Path(folder) / "swap"
        file.touch(mode=0o600)
        file.write_bytes(bytes(size))
        on = _runs("mkswap", str(file)) and _runs("swapon", str(file))
        try:
            yield on
        finally:
            if on:
                subprocess.run(["swapoff", str(file)], check=True, capture_output=True, timeout=120)


def _runs(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False


@contextmanager
def _termination_unwinds() -> Iterator[None]:
    """SIGTERM ends the process as Ctrl-C does, so that what is to be put back is."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread, which is the one that is told
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
