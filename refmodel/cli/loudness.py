"""``--quiet`` and ``--verbose``, which every command has: what is printed beside its verdict. No exit status depends on them."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer
from typer.main import get_command_from_info
from typer.models import CommandInfo

from refmodel.language.unsound import BadDesign

QUIET = "print only the verdict, and no progress"
VERBOSE = "print to standard error each thing that is done, with the seconds since the start"
WITH_VERDICT = frozenset(("check", "prove", "refine", "leaks", "bench", "mutate", "replay", "judge", "drive", "vectors"))
"""Commands that come to a verdict. What the others print is what they are for."""
WITHOUT = frozenset(("record",))
"""Commands that have neither option: what they run may have options of these names."""


class Loudness:
    """What the command that is run was asked to print."""

    def __init__(self) -> None:
        self.command, self.quiet, self.verbose, self.began = "", False, False, time.monotonic()

    @property
    def verdicts_alone(self) -> bool:
        """Whether nothing but a verdict is printed on standard output."""
        return self.quiet and self.command in WITH_VERDICT

    def say(self, what: str) -> None:
        """Something that is done, in a line on standard error, if that was asked for."""
        if self.verbose:
            print(f"{time.monotonic() - self.began:7.1f} s  {what}", file=sys.stderr, flush=True)


loudness = Loudness()


def _begin(ctx: typer.Context, quiet: bool) -> bool:
    loudness.__init__()  # type: ignore[misc]
    loudness.command, loudness.quiet = str(ctx.info_name), quiet
    return quiet


def _go_on(verbose: bool) -> bool:
    if verbose and loudness.quiet:
        raise BadDesign("--quiet and --verbose: expected one of them")
    loudness.verbose = verbose
    return verbose


def _asked(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=QUIET, callback=_begin, is_eager=True)] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help=VERBOSE, callback=_go_on)] = False,
) -> None:
    """What the options are made of."""


def options() -> list[Any]:
    """The two options. No command is called with them."""
    made = get_command_from_info(CommandInfo(callback=_asked), pretty_exceptions_short=True, rich_markup_mode=None)
    for option in made.params:
        option.expose_value = False
    return [*made.params]
