"""The command as users run it, in a process of its own, without starting Python and importing everything for each."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from refmodel import cli

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.preloaded"])
"""From a process that has imported what commands need, and has done nothing else, another is forked for each."""


def refmodel(*arguments: str, timeout: float = 500, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run the command with these arguments, in this folder and environment; ``given`` is its standard input."""
    return _carried_out(_refmodel, arguments, dict(os.environ), Path.cwd(), timeout, given)


def pytest_in(folder: Path, *arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest with these arguments in a folder; what is to be imported lies in ``path`` too."""
    return _carried_out(_pytest, arguments, {**os.environ, "PYTHONPATH": str(path)}, folder, 300)


def _carried_out(
    main: Callable[[], None],
    arguments: tuple[str, ...],
    environment: dict[str, str],
    folder: Path,
    timeout: float,
    given: bytes = b"",
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as written:
        files = [Path(written) / name for name in ("in", "out", "err")]
        files[0].write_bytes(given)
        process = _PROCESSES.Process(target=_carry_out, args=(main, arguments, environment, folder, files))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, timeout)
        out, err = (file.read_text() for file in files[1:])
    return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def _carry_out(
    main: Callable[[], None], arguments: tuple[str, ...], environment: dict[str, str], folder: Path, files: list[Path]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = [str(folder), *environment.get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = ["refmodel", *arguments]
    for number, place in enumerate(files):
        os.dup2(os.open(place, os.O_RDWR | os.O_CREAT), number)
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  # multiprocessing gave it another
    main()


def _refmodel() -> None:
    cli.main()


def _pytest() -> None:
    import pytest  # here, since whoever runs a command would load it too

    sys.exit(pytest.main(sys.argv[1:]))
