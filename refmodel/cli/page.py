"""The page about the commands, made of the commands: ``python -m refmodel.cli.page > specs/guide/commands.md``."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from refmodel.cli.common import app
from refmodel.cli.lazily import COMMANDS, LazyGroup
from refmodel.cli.loudness import options
from refmodel.language import remaking

EVERYWHERE = ("quiet", "verbose")
"""Options that are not in the tables of the commands, since all have them."""
HEAD = """# The commands

This page lists every command of refmodel with its options. The page is generated from the code
(`python -m refmodel.cli.page > specs/guide/commands.md`), and a test keeps the page up to date.
`refmodel COMMAND --help` prints a command's section of this page. The page on
[verdicts](verdicts.md) explains the exit statuses.

| goal | command |
|---|---|
| check a design of your own | `refmodel check mine.py` |
| check a few of the shipped designs, in half a minute on two idle cores | `refmodel check --quick` |
| prove every theorem of refmodel | `refmodel prove` |
| see which engine finds a historical bug | `refmodel bench xsa-401` |
| run a design step by step | `refmodel explore ept` |
| judge a trace of a monitor | `refmodel judge trace.jsonl --html trace.html` |
| judge a real MMU | `refmodel judge qemu` |
| send random commands to your monitor, and judge its events | `refmodel drive ./monitor` |
| print the meaning of a clause | `refmodel explain ISO-2` |

Every command except `record` has the options `--quiet` and `--verbose`, which control its output.
These two options do not change the exit status.

| option | meaning |
|---|---|
{loudness}

Four options mean the same in every command that has them. `--html FILE` also writes an HTML page,
on which you can step through runs. `--json` prints one JSON document. `--jobs N` shares the work
among N processes. `--on ADDRESS` shares the work among the workers of a Dask scheduler
(`pip install 'refmodel[dask]'`). The options `--jobs` and `--on` do not change a command's results.
"""


def page() -> str:
    """The page."""
    both = "\n".join(f"| `{p.opts[0]}`, `{p.opts[1]}` | {_meaning(p)} |" for p in options())
    return "\n".join([HEAD.replace("{loudness}", both), *(_command(name) for name in COMMANDS)])


def options_of(name: str) -> list[tuple[str, str]]:
    """The arguments and options of a command, and the help text of each."""
    return [(_spelt(p), getattr(p, "help", None) or "") for p in _found(name).params]


def _found(name: str) -> Any:
    return LazyGroup(name="refmodel").get_command(None, name)


def _command(name: str) -> str:
    command = _found(name)
    info = next(
        each for each in app.registered_commands if each.callback is not None and name in (each.name, each.callback.__name__)
    )
    told = inspect.cleandoc(info.callback.__doc__ or "") if info.callback else ""
    about = "\n\n".join(textwrap.fill(part, 99, break_on_hyphens=False) for part in told.split("\n\n"))
    arguments = [_usage(p) for p in command.params if p.param_type_name == "argument"]
    rows = [f"| {_spelt(p)} | {_meaning(p)} |" for p in command.params if p.name not in EVERYWHERE]
    usage = " ".join(["refmodel", name, "[OPTIONS]", *arguments])
    table = ["| argument or option | meaning |", "|---|---|", *rows]
    return "\n".join([f"## {name}", "", f"    {usage}", "", about, "", *table, ""])


def _usage(parameter: Any) -> str:
    name = parameter.name.upper()
    many = "..." if parameter.nargs == -1 else ""
    return f"{name}{many}" if parameter.required else f"[{name}{many}]"


def _spelt(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    if parameter.is_flag:
        return f"`{(parameter.secondary_opts if parameter.default is True else parameter.opts)[0]}`"
    return f"`{parameter.opts[0]} {parameter.name.upper()}`{_default(parameter)}"


def _default(parameter: Any) -> str:
    plain = parameter.default
    given = plain is not None and not parameter.is_flag and isinstance(plain, int | float | str) and plain != ""
    return f" ({plain})" if given else ""


def _meaning(parameter: Any) -> str:
    text = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"do not {text}" if getattr(parameter, "is_flag", False) and parameter.default is True else text


if __name__ == "__main__":
    remaking.printed("refmodel.cli.page", "the page about the commands", page)
