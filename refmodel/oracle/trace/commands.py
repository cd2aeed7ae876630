"""Commands for an implementation that is driven: what it says that it can carry out, commands drawn out of bytes, and commands that
were saved in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import attrs
import msgspec
from msgspec import Meta

from refmodel.language import BadDesign
from refmodel.language.encoding import undecodable
from refmodel.oracle.trace.duplicates import duplicate_in

PARAMETERS = ("vm", "with_vm", "cpu", "gfn", "with_gfn", "gpa", "value", "size", "write", "slot", "count")

Command = dict[str, Any]


Few: TypeAlias = Annotated[int, Meta(ge=1, le=256)]
"""How many there are of what a byte draws."""

MOST_WORDS = 1 << 16
"""Words of guest memory, of all VMs together: each run ends with a load of each."""


class Hello(msgspec.Struct, forbid_unknown_fields=True):
    """What an implementation can be asked, and within which bounds."""

    hello: Literal[1]
    commands: dict[str, list[str]]
    name: str = ""
    vms: Few = 1
    cpus: Few = 1
    gfns: Few = 4
    words: Annotated[int, Meta(ge=1, le=512)] = 2
    """8-byte words of each page that are accessed."""
    slots: Few = 2

    def complaint(self) -> str | None:
        """What is wrong with it that its types do not say."""
        unknown = sorted({p for parameters in self.commands.values() for p in parameters} - set(PARAMETERS))
        if unknown:
            return f"parameters {', '.join(unknown)}; expected {', '.join(PARAMETERS)}"
        twice = [name for name, parameters in self.commands.items() if len(set(parameters)) < len(parameters)]
        if twice:
            return f"commands {', '.join(twice)} take a parameter twice"
        if not self.commands:
            return "no commands"
        if "reset" in self.commands:
            return "commands: reset begins each run; expected another name"
        words = self.vms * self.gfns * self.words
        return f"vms * gfns * words is {words:,}; expected at most {MOST_WORDS:,}" if words > MOST_WORDS else None


class Decoder:
    """Commands out of bytes: few to a command, of which zero is the plainest choice, and a command of zeroes is none."""

    def __init__(self, hello: Hello) -> None:
        self.commands = list(hello.commands.items())
        self.kinds: dict[str, tuple[int, Callable[[int], Any]]] = {
            **dict.fromkeys(("vm", "with_vm"), (hello.vms, lambda drawn: drawn)),
            **dict.fromkeys(("gfn", "with_gfn"), (hello.gfns, lambda drawn: drawn)),
            "cpu": (hello.cpus, lambda drawn: drawn),
            "slot": (hello.slots, lambda drawn: drawn),
            "gpa": (hello.gfns * hello.words, lambda drawn: drawn % hello.gfns << 12 | drawn // hello.gfns << 3),
            "value": (4, lambda drawn: (0, 1, 1, 2)[drawn]),
            "size": (4, lambda drawn: (8, 1, 2, 4)[drawn]),
            "write": (2, bool),
            "count": (hello.gfns + 1, lambda drawn: drawn),
        }
        """For each parameter, of how many numbers one is drawn, and what it then is."""
        self.head = _bytes_for(len(self.commands) + 1)
        """Bytes that a command is drawn by."""
        self.width = 1 + self.head + max(sum(_bytes_for(self.kinds[p][0]) for p in parameters) for _, parameters in self.commands)
        self.sweep: list[Command] = []
        load = hello.commands.get("load", ())
        if {"gpa", "vm"} <= {*load} <= {"cpu", "gpa", "vm"}:
            cpu = {"cpu": 0} if "cpu" in load else {}
            self.sweep = [
                {"do": "load", **cpu, "vm": vm, "gpa": gfn << 12 | word << 3}
                for vm in range(hello.vms)
                for gfn in range(hello.gfns)
                for word in range(hello.words)
            ]
        """Loads of all there is, at the end of a run: whatever went wrong with memory shows."""

    def commands_of(self, data: bytes) -> list[Command]:
        pieces = [data[at : at + self.width] for at in range(0, len(data) - self.width + 1, self.width)]
        return [self._command(piece) for piece in pieces if any(piece[: self.head])] + self.sweep

    def _command(self, piece: bytes) -> Command:
        name, parameters = self.commands[(int.from_bytes(piece[: self.head], "big") - 1) % len(self.commands)]
        command, at = {"do": name}, self.head
        for parameter in parameters:
            number, meaning = self.kinds[parameter]
            size = _bytes_for(number)
            command[parameter] = meaning(int.from_bytes(piece[at : at + size], "big") % number)
            at += size
        return command


def _bytes_for(number: int) -> int:
    """How many bytes are needed to draw one of a given number of choices."""
    return ((number - 1).bit_length() + 7) // 8 or 1


LARGEST = 1 << 24
"""Bytes of a file of commands that are read at most."""


@attrs.frozen
class Saved:
    """Commands that were saved, and where each of them stands."""

    commands: tuple[Command, ...]
    places: tuple[str, ...]
    """``file:line`` of each."""

    def fit(self, hello: Hello) -> None:
        """Raise ``BadDesign`` for the first command that an implementation which says this cannot carry out."""
        for place, command in zip(self.places, self.commands, strict=True):
            _fits(place, command, hello)


def read_commands(file: Path) -> Saved:
    """The commands that were saved in a file, one a line. Raises ``BadDesign`` with the line of what is none."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        text = data.decode()
    except OSError as why:
        raise BadDesign(f"{file}: cannot be read: {why.strerror or why}") from None
    except UnicodeDecodeError as why:
        raise BadDesign(f"{file}: cannot be read: {undecodable(data, why)}") from None
    if len(data) > LARGEST:
        raise BadDesign(f"{file}: longer than {LARGEST:,} bytes; expected a command a line")
    lines = [(f"{file}:{number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise BadDesign(f'{file}: no commands; expected a line such as {{"do":"load","vm":0,"gpa":4096}} for each')
    return Saved(tuple(_read(place, line) for place, line in lines), tuple(place for place, _ in lines))


def _read(place: str, line: str) -> Command:
    try:
        command = json.loads(line)
    except (ValueError, RecursionError) as why:
        raise BadDesign(f"{place}: not a command: {undecodable(line.encode(), why)}") from None
    if (key := duplicate_in(line.encode())) is not None:
        raise BadDesign(f"{place}: {key} is given twice in one object; expected one value")
    if not isinstance(command, dict) or not isinstance(command.get("do"), str):
        raise BadDesign(f'{place}: do: expected the name of a command, as in {{"do":"load","vm":0,"gpa":4096}}')
    for name, value in command.items():
        if name != "do" and (name not in PARAMETERS or type(value) not in (int, bool)):
            raise BadDesign(f"{place}: {name}: expected a number, under a name among {', '.join(PARAMETERS)}")
    return command


def _fits(place: str, command: Command, hello: Hello) -> None:
    name, given = command["do"], set(command) - {"do"}
    if name not in hello.commands:
        raise BadDesign(f"{place}: do: {name} is none of its commands; expected {', '.join(hello.commands)}")
    wanted = set(hello.commands[name])
    if given != wanted:
        wrong = ", ".join(sorted(given ^ wanted))
        raise BadDesign(f"{place}: {wrong}: the command {name} takes {', '.join(hello.commands[name]) or 'nothing'}")
    below = {
        "vm": hello.vms,
        "with_vm": hello.vms,
        "cpu": hello.cpus,
        "gfn": hello.gfns,
        "with_gfn": hello.gfns,
        "gpa": hello.gfns << 12,
        "slot": hello.slots,
        "count": hello.gfns + 1,
    }
    for parameter in sorted(given):
        if not 0 <= command[parameter] < below.get(parameter, 1 << 64):
            raise BadDesign(
                f"{place}: {parameter}: {command[parameter]}; expected a number from 0, below {below.get(parameter, 1 << 64):,}"
            )
