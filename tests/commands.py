"""The command as users run it, in a process of its own, without starting Python and importing everything for each."""

import multiprocessing
import os
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

from refmodel import cli

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([f"{cli.__name__}.{each.name}" for each in pkgutil.iter_modules(cli.__path__)
                                   if each.name not in ("__main__", "page")])
"""From a process that has imported the commands, and has done nothing else, another is forked for each."""


def refmodel(*arguments: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """Run the command with these arguments, in this folder and environment, without anything to read."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("out", "err")]
        process = _PROCESSES.Process(target=_carry_out, args=(arguments, dict(os.environ), Path.cwd(), files))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, timeout)
        out, err = (file.read_text() for file in files)
    return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def _carry_out(arguments: tuple[str, ...], environment: dict[str, str], folder: Path, files: list[Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = ["refmodel", *arguments]
    for number, place in enumerate([Path(os.devnull), *files]):
        os.dup2(os.open(place, os.O_RDWR | os.O_CREAT), number)
    cli.main()
