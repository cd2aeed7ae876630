"""What takes long to make and several tests look at: one process of a test run makes it, and the others wait for it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PATIENCE = 600.0
"""Seconds after which whoever waits says that nothing has come. No verdict depends on them."""


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder with this name, as ``make`` filled it. pytest-xdist's processes share it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, made = base / name, base / f"{name}.made"
    try:
        folder.mkdir()
    except FileExistsError:
        _wait_for(made)
    else:
        try:
            make(folder)
        finally:
            made.touch()
    return folder


def _wait_for(made: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not made.exists():
        assert time.monotonic() < end, f"{made.stem} was begun by another process, and is not there"
        time.sleep(0.1)
