"""What takes long to make and several tests look at: the processes of a test run make its parts between them, and each once."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

PATIENCE = 600.0
"""Seconds after which whoever waits says that nothing has come. No verdict depends on them."""


def made_once(factory: pytest.TempPathFactory, name: str, parts: Mapping[str, Callable[[Path], None]]) -> Path:
    """A folder with this name, as the parts filled it. pytest-xdist's processes share it: whoever comes to a part that nobody has
    begun makes it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    folder.mkdir(exist_ok=True)
    for part, make in parts.items():
        try:
            (base / f"{name}.{part}.begun").touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            make(folder)
        finally:
            (base / f"{name}.{part}.made").touch()
    for part in parts:
        _wait_for(base / f"{name}.{part}.made")
    return folder


def _wait_for(made: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not made.exists():
        assert time.monotonic() < end, f"{made.stem} was begun by another process, and is not there"
        time.sleep(0.1)
