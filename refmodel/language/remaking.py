"""What is given to modules that remake pages (``python -m MODULE``) is looked at before anything is computed."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from refmodel.language.unsound import BadDesign


def printed(module: str, what: str, text: Callable[[], str], arguments: Sequence[str] | None = None) -> None:
    """Print what a module makes. It takes no argument."""
    _parser(module, f"Print {what}.").parse_args(arguments)
    print(text(), end="")


def folder(module: str, what: str, usual: str, holds: str, arguments: Sequence[str] | None = None) -> Path:
    """The folder that a module writes to. It is there, may be written to, and holds a file that is always there.

    Otherwise the module ends in status 2 and says what is wrong.
    """
    parser = _parser(module, f"Write {what} into a folder.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=f"such as {usual}")
    found: Path = parser.parse_args(arguments).folder
    if not found.is_dir():
        parser.error(f"{found}: no such folder; expected one such as {usual}")
    if not os.access(found, os.W_OK | os.X_OK):
        parser.error(f"{found}: may not be written to")
    if not (found / holds).is_file():
        parser.error(f"{found}: has no {holds}; expected a folder such as {usual}")
    return found


def file(module: str, what: str, usual: str, begin: str, end: str, arguments: Sequence[str] | None = None) -> Path:
    """The file that a module writes a part of. It is there, and the part has its beginning and its end."""
    parser = _parser(module, f"Write {what} into a file.")
    parser.add_argument("file", type=Path, metavar="FILE", help=f"such as {usual}")
    found: Path = parser.parse_args(arguments).file
    try:
        text = found.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        parser.error(f"{found}: cannot be read: {getattr(why, 'strerror', None) or why}; expected a file such as {usual}")
    if re.search(f"{re.escape(begin)}.*{re.escape(end)}", text, re.DOTALL) is None:
        parser.error(f"{found}: expected {begin} and {end} in it, as in {usual}")
    return found


def refused(why: BadDesign) -> int:
    """Say what is missing; the exit status."""
    print(why, file=sys.stderr)
    return 2


def _parser(module: str, what: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"python -m {module}", description=what)
