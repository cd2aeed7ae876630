"""What the commands share: where they print, and what their exit status says."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn

import attrs
import msgspec
import typer
from rich.console import Console
from rich.text import Text

from refmodel.cli.lazily import LazyGroup
from refmodel.cli.loudness import loudness
from refmodel.engines.verdicts import BAD_INPUT, FAILS, HOLDS, UNDECIDED, status_of
from refmodel.language.unsound import BadDesign

if TYPE_CHECKING:
    from refmodel.oracle.trace.expected import Entry
    from refmodel.report.pages import Page

__all__ = [
    "BAD_INPUT",
    "FAILS",
    "HOLDS",
    "INTERRUPTED",
    "UNDECIDED",
    "Coverage",
    "Ended",
    "Html",
    "Jobs",
    "Junit",
    "KnownFile",
    "On",
    "Output",
    "ReportFiles",
    "Sarif",
    "app",
    "err",
    "files_of",
    "needs_a_terminal",
    "needs_textual",
    "out",
    "print_document",
    "said_where",
    "severity",
    "status_of",
    "to_be_written",
    "to_nowhere",
    "unread",
    "write_page",
]

INTERRUPTED = 130
"""The exit status after Ctrl-C, or when a command is told to end."""


class Ended(BaseException):
    """Ctrl-C, or a signal to end. Its text says in one line what was kept. No library catches it, since it is no ``Exception``."""

    asked = False
    """Whether the command was told to end. A library that was interrupted may make an error of its own of it."""
    asked_at = 0.0
    """When it was told so last."""


_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
"""What a terminal obeys and does not show, and a trace or a program's name may hold."""


def tell_unmet(entries: Iterable[Entry], where: str = "") -> None:
    """Say which known deviations were not met: what was wrong may have been mended."""
    for entry in entries:
        err.print(f"known, and not met{where}: {entry.said()} ({entry.reason})", style="yellow", soft_wrap=True, markup=False)


def print_document(document: Any) -> None:
    """Print what ``--json`` asks for: one document, whose schema is in specs/documents.schema.json."""
    try:
        text = msgspec.json.encode(document, enc_hook=_number)
    except UnicodeEncodeError:  # the name of a file that is no text
        text = msgspec.json.encode(_as_text(msgspec.to_builtins(document, enc_hook=_number)))
    sys.stdout.write(msgspec.json.format(text, indent=2).decode() + "\n")
    sys.stdout.flush()


def _as_text(value: Any) -> Any:
    """What a document is made of, with a question mark for each byte of a file's name that is no text."""
    if isinstance(value, dict):
        return {_as_text(key): _as_text(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(each) for each in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _number(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    if not hasattr(value, "item"):
        raise NotImplementedError
    return value.item()


class Output(Console):
    """Where commands print. If what reads it has gone, the command ends, and that is no verdict."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, without the control characters of what others wrote; on standard output, unless the verdict alone is wanted."""
        if self.stderr or not loudness.verdicts_alone:
            self._print(*objects, **options)

    def verdict(self, words: str, **options: Any) -> None:
        """Print what a command comes to: ``--quiet`` leaves it."""
        self._print(words.rstrip("\n") if loudness.verdicts_alone else words, **{"soft_wrap": True, **options})

    def _print(self, *objects: Any, **options: Any) -> None:
        super().print(*(_shown(each) for each in objects), **options)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        unread(self.file)


def _shown(what: Any) -> Any:
    """Text without control characters, each of which becomes one other, so that styles stay where they are."""
    if isinstance(what, Text):
        what = what.copy()
        what.plain = what.plain.translate(_CONTROL)
        return what
    return what.translate(_CONTROL) if isinstance(what, str) else what


def unread(stream: IO[str]) -> NoReturn:
    """End the command (``Ended``), since what read this stream has gone: ``refmodel check | head`` is neither right nor wrong."""
    to_nowhere(stream)
    raise Ended("ended before it was done: the program that reads the output has ended")


def to_nowhere(stream: IO[str]) -> None:
    """What is still to be written to this stream is lost; or Python would complain when it flushes the stream at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_what_is_closed() -> None:
    """A standard stream that whoever started the command has closed: nothing is read from it, and what is written is lost."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


open_what_is_closed()
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The reference model of memory virtualization: check designs, judge implementations.",
)
LazyGroup.app = app
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE.html", help="also write an HTML report to this file")]
Junit = Annotated[Path | None, typer.Option("--junit", help="also write JUnit XML to this file")]
Sarif = Annotated[Path | None, typer.Option("--sarif", help="also write a SARIF log to this file")]
KnownFile = Annotated[
    Path | None,
    typer.Option(
        "--known", help="a TOML file of known deviations, each with a reason; a known deviation does not fail the command"
    ),
]
Coverage = Annotated[
    bool, typer.Option("--exercised", help="also print which events were reported, and which clauses no reported event can break")
]
MOST = (1 << 63) - 1
Seed = Annotated[int, typer.Option(help="the seed of the random runs", min=0, max=MOST)]
Jobs = Annotated[int | None, typer.Option("--jobs", help="the number of processes that share the work", min=1)]


def _address(given: str | None) -> str | None:
    """The address of a scheduler as it was given; ``BadDesign`` if it is none."""
    if given is None or re.fullmatch(r"(?:[a-z]+://)?(?:[\w.-]+|\[[\da-fA-F:]+\]):\d{1,5}", given):
        return given
    raise BadDesign(f"--on {given}: not the address of a Dask scheduler; expected one such as tcp://10.0.0.1:8786")


On = Annotated[
    str | None, typer.Option("--on", help="the address of a Dask scheduler whose workers share the work", callback=_address)
]
out = Output(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 150)
err = Output(stderr=True, highlight=False, emoji=False)


@attrs.frozen
class ReportFiles:
    """Where reports are written beside the one that is printed."""

    html: Path | None
    junit: Path | None
    sarif: Path | None


def needs_a_terminal() -> None:
    """``BadDesign`` unless somebody sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadDesign("explore needs a terminal; expected one, or --html FILE for a page")


def needs_textual(why: ImportError) -> BadDesign:
    """That Textual is not installed, and what to do."""
    return BadDesign(
        f"explore needs Textual ({why.name} is not installed): pip install 'refmodel[explorer]'; or --html FILE for a page"
    )


def severity(status: int) -> int:
    """How bad an exit status is beside the others."""
    return (HOLDS, UNDECIDED, FAILS, BAD_INPUT).index(status)


def files_of(*designs: str | None) -> list[str]:
    """The files that designs are in, as far as their names say: what is before a colon and the numbers of names."""
    return [
        place
        for each in designs
        if each is not None
        for place in [each.partition("@")[0].partition(":")[0]]
        if place.endswith(".py")
    ]


def write_page(page: Page, html: Path) -> None:
    """Write a page, and say on standard error where it is."""
    from refmodel.report import pages

    pages.write(page, html)
    said_where(html)


def said_where(html: Path) -> None:
    """That a page has been written, and where."""
    if not loudness.quiet:
        err.print(f"{html}: written; open it in a browser", soft_wrap=True, markup=False)


def _place(file: Path | str) -> Path:
    """Where a file is, behind all links; a link of a circle of links stays one."""
    return Path(os.path.realpath(file))


def to_be_written(outputs: Sequence[Path | None], inputs: Sequence[Path | str | None] = ()) -> None:
    """Refuse files that cannot be written, that are given twice, or that are read too, before anything is run."""
    taken = {_place(each): f"{each} is read" for each in inputs if each is not None and str(each) != "-"}
    for file in outputs:
        if file is None:
            continue
        place = _place(file)
        if place in taken:
            raise BadDesign(f"{file}: cannot be written, since {taken[place]} by this command too")
        taken[place] = f"{file} is written"
        is_circle, there = place.is_symlink(), file if file.exists() else place.parent
        if file.is_dir() or is_circle or not place.parent.is_dir() or not os.access(there, os.W_OK):
            raise BadDesign(f"{file}: cannot be written")
