"""Pages of the documentation, carried out: their files are written, their commands run, their output compared.

A block ``python title="NAME"`` goes to the end of a file of that name. A block ``console`` has commands after ``$``, and lines that
have to be in what the command prints, in this order. In a line, ``...`` stands for anything; a line ``...`` says nothing.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.M | re.S)


@attrs.frozen
class Command:
    """A command of a page, and the lines that it shows."""

    line: str
    shown: tuple[str, ...]


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Each block of a page: its kind, title and text."""
    for found in BLOCK.finditer(page.read_text()):
        yield found["kind"], found["title"] or "", found["text"]


def commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        line, *shown = part.rstrip("\n").split("\n")
        yield Command(line, tuple(each for each in shown if each.strip() not in ("", "...")))


def carry_out(page: Path, folder: Path) -> int:
    """Carry a page out in a folder; how many commands it has. Raises ``AssertionError`` where it says what is not so."""
    number = 0
    for kind, title, text in blocks(page):
        if kind == "python" and title:
            file = folder / title
            before = file.read_text() + "\n\n" if file.exists() else ""
            file.write_text(before + text)
        for command in commands(text) if kind == "console" else ():
            number += 1
            printed = run(command.line, folder)
            missing = first_missing(command.shown, printed)
            assert missing is None, f"{page.name}: $ {command.line}\ndoes not print\n{missing}\nbut\n{printed}"
    return number


def run(line: str, folder: Path) -> str:
    """What a command prints, with this checkout's refmodel."""
    bin_ = folder / ".bin"
    bin_.mkdir(exist_ok=True)
    plugin = "" if plugin_is_installed() else " -p refmodel.pytest_plugin"
    for name, called in (("refmodel", " -m refmodel"), ("pytest", f" -m pytest -p no:xdist{plugin}"), ("python3", "")):
        (bin_ / name).write_text(f'#!/bin/sh\nexec {sys.executable}{called} "$@"\n')
        (bin_ / name).chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
    )
    return done.stdout + done.stderr


def plugin_is_installed() -> bool:
    """Whether pytest loads the plugin by itself: an environment that was made before there was one does not."""
    return any(each.name == "refmodel" for each in metadata.entry_points(group="pytest11"))


def first_missing(shown: tuple[str, ...], printed: str) -> str | None:
    """The first line that is shown and was not printed after the ones before it."""
    lines = iter(printed.splitlines())
    for each in shown:
        pattern = re.compile(r"\s*" + ".*".join(map(re.escape, each.strip().split("..."))) + r"\s*")
        if not any(pattern.fullmatch(line) for line in lines):
            return each
    return None
