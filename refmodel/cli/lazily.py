"""Commands that are loaded when they are run, so that ``refmodel --help`` answers at once."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info, get_command_name

from refmodel.cli.loudness import WITHOUT, options
from refmodel.language.nearly import did_you_mean
from refmodel.language.unsound import BadDesign

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("check", "Check designs by proof, by exploration and by random runs."),
    "prove": ("prove", "Prove every theorem in proofs/."),
    "refine": (
        "refine",
        "Show that each step of a design is a step of another design, or changes nothing that the other design has.",
    ),
    "leaks": ("leaks", "Look for two runs that look the same to a VM until one step shows the VM different results."),
    "bench": ("tell", "Run every engine on every bug of the benchmark."),
    "mutate": ("mutate", "Change the code of a design in one place at a time, and report the changes that no check detects."),
    "explore": ("explore", "Step through a design, from power-on or from the end of a run, or through a trace event by event."),
    "replay": ("tell", "Replay a recorded run, step by step."),
    "explain": (
        "tell",
        "Explain a clause, a law, a bug, a design, a theorem, a mechanism, a strategy, an estimator of memory need, or a table.",
    ),
    "record": (
        "record",
        "Record which pages a command touches and changes, as input for refmodel explain policy and refmodel explain mechanisms.",
    ),
    "judge": ("judge", "Compare a real MMU with the model, or check a trace of any monitor against the laws."),
    "serve": ("lockstep", "Judge trace events as they arrive: read a JSON line for each event, and answer with a line."),
    "drive": ("lockstep", "Generate operations, have an implementation carry them out, and judge what it reports."),
    "vectors": ("vectors", "Write conformance vectors for page walks and for a monitor."),
    "clients": ("lockstep", "Copy to a folder the files with which programs in C and Rust report events to refmodel."),
}
"""By the name of a command: the file that it is in, and what it does in one sentence. They are listed in this order."""

MISUSED: Any = typer.BadParameter.__base__
"""What is raised for a command line that is none, which typer does not name."""


class LazyGroup(TyperGroup):
    """The commands of ``COMMANDS``."""

    app: typer.Typer
    """Where the files of the commands enter them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        importlib.import_module(f"refmodel.cli.{COMMANDS[cmd_name][0]}")
        info = next(each for each in self.app.registered_commands if _called(each) == cmd_name)
        command = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
        if cmd_name not in WITHOUT:
            command.params += options()
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [*args[1:], "--help"] if args[:1] == ["help"] else args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # or it would be taken for status 1, which says that a law fails
            from refmodel.cli.common import unread

            unread(sys.stdout)
        except MISUSED as why:
            lacking = self._lacks_a_value(ctx, getattr(why, "option_name", None))
            if lacking is None or "requires an argument" not in str(why):
                raise
            raise BadDesign(lacking) from None

    def _lacks_a_value(self, ctx: Any, name: str | None) -> str | None:
        """What is said of an option that stands without its value; None if the command has no such option."""
        command = self.get_command(ctx, ctx.invoked_subcommand) if name and ctx.invoked_subcommand else None
        option = next((each for each in command.params if name in each.opts), None) if command else None
        if option is None:
            return None
        return f"{name} stands without a value; expected {name} {option.metavar or 'VALUE'}: {option.help}"

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        meant = did_you_mean(name, COMMANDS)
        if name and name not in COMMANDS and not name.startswith("-") and meant:
            raise BadDesign(f"{name}: no such command; {meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in COMMANDS.items()])


def _called(info: Any) -> str:
    return str(info.name or get_command_name(info.callback.__name__))
