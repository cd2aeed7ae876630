"""Driving an implementation: operations are drawn by Hypothesis, the implementation carries them out and tells its trace, the trace
is judged, and what deviates is shrunk to a few operations.

The implementation is a process that talks over its standard input and output. Its first line says what can be asked of it:

    {"hello":1,"commands":{"load":["vm","gpa"],"share":["vm","gfn","with_vm","with_gfn"]},"vms":2,"gfns":4}

Commands have any names; what is drawn for a parameter follows from its name (``PARAMETERS``). One called ``load``, of a ``vm`` and
a ``gpa``, is also asked of every word at the end of a run.

Then it is given one command a line, such as ``{"do":"load","vm":0,"gpa":4096}``, and answers with the events that came of it and
``{"done":1}``. ``{"do":"reset"}`` asks for its initial state; the events of that begin with a trace header.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from refmodel.language import BadDesign
from refmodel.oracle.trace.expected import NONE_KNOWN, Entry, Expected
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.reading import LONGEST
from refmodel.oracle.trace.verdicts import Deviation

PATIENCE = 10.0
"""Seconds that an implementation may take for a command."""
MOST_EVENTS = 10_000
"""Events that may come of one command."""
LENGTH = 30
"""Commands in a run, at most."""
PARAMETERS = ("vm", "with_vm", "cpu", "gfn", "with_gfn", "gpa", "value", "size", "write", "slot", "count")

Command = dict[str, Any]


class Hello(msgspec.Struct, forbid_unknown_fields=True):
    """What an implementation can be asked, and within which bounds."""

    hello: int
    commands: dict[str, list[str]]
    name: str = ""
    vms: int = 1
    cpus: int = 1
    gfns: int = 4
    words: int = 2
    """8-byte words of each page that are accessed."""
    slots: int = 2


class Died(Exception):
    """The implementation has ended, or does not answer."""


@attrs.frozen
class Driven:
    """What driving came to."""

    name: str
    runs: int
    commands: int
    events: int
    seconds: float
    deviation: Deviation | None
    failing: tuple[Command, ...]
    """The commands that lead to it."""
    trace: tuple[str, ...]
    """The trace of that run."""
    met: dict[str, int]
    """How many events of each kind were reported, by the kinds' names in the format."""
    known: dict[str, int]
    """How many runs ended at a deviation that is known, by its reason."""


class Implementation:
    """A process that carries out commands."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self._start()

    def _start(self) -> None:
        try:
            self.process = subprocess.Popen(list(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                            start_new_session=True)
        except OSError as why:
            raise BadDesign(f"{self.command[0]}: cannot be run: {why.strerror or why}") from None
        self._rest = b""
        try:
            line = self._line()
        except Died as why:
            raise BadDesign(f"{self.command[0]}: {why} before it said hello") from None
        try:
            self.hello = msgspec.json.decode(line, type=Hello)
        except msgspec.DecodeError as why:
            raise BadDesign(f"{self.command[0]}: its first line is no hello: {why}") from None
        unknown = sorted({p for parameters in self.hello.commands.values() for p in parameters} - set(PARAMETERS))
        if unknown:
            raise BadDesign(f"{self.command[0]}: hello: parameters {', '.join(unknown)}; expected {', '.join(PARAMETERS)}")
        if not self.hello.commands:
            raise BadDesign(f"{self.command[0]}: hello: no commands")

    def carry_out(self, command: Command) -> Iterator[bytes]:
        """The events that come of a command, as they come. Raises ``Died``."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(command, separators=(",", ":")).encode() + b"\n")
        except OSError:
            raise Died(self._how_it_ended()) from None
        number = 0
        while (line := self._line()).replace(b" ", b"") != b'{"done":1}':
            number += 1
            if number > MOST_EVENTS:
                raise Died(f"told more than {MOST_EVENTS:,} events of one command")
            yield line

    def _line(self) -> bytes:
        assert self.process.stdout is not None
        until = time.monotonic() + PATIENCE
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Died(f"did not answer within {PATIENCE:.0f} s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise Died(self._how_it_ended())
            self._rest += data
            if len(self._rest) > LONGEST and b"\n" not in self._rest:
                raise Died(f"told a line of more than {LONGEST:,} bytes")
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _how_it_ended(self) -> str:
        status = self.process.wait(timeout=PATIENCE)
        return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def restart(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Driver:
    """Runs of one implementation."""

    def __init__(self, implementation: Implementation, expected: Expected = NONE_KNOWN) -> None:
        self.implementation, self.expected = implementation, expected
        self.runs = self.commands = self.events = 0
        self.met, self.known = Counter[str](), dict[Entry, int]()

    def new(self, commands: Sequence[Command]) -> bool:
        """Whether a run deviates in a way that is not known."""
        deviation, _ = self.run(commands)
        entry = None if deviation is None else self.expected.entry(deviation)
        if entry is not None:
            self.known[entry] = self.known.get(entry, 0) + 1
        return deviation is not None and entry is None

    def run(self, commands: Sequence[Command]) -> tuple[Deviation | None, list[bytes]]:
        """The first deviation of a run, and its trace so far."""
        judge, trace = Judge(self.implementation.hello.name or self.implementation.command[0]), list[bytes]()
        try:
            return self._run(judge, commands, trace), trace
        finally:
            self.met.update(judge.verdict(0.0, None).met)

    def _run(self, judge: Judge, commands: Sequence[Command], trace: list[bytes]) -> Deviation | None:
        self.runs += 1
        for command in ({"do": "reset"}, *commands):
            self.commands += 1
            deviation: Deviation | None = None
            try:
                for text in self.implementation.carry_out(command):
                    if deviation is None:  # what comes after is read, and no longer judged
                        self.events += 1
                        trace.append(text)
                        deviation = judge.one(len(trace), judge.decode(len(trace), text), text, trace[-6:-1])
            except Died as why:
                self.implementation.restart()
                deviation = deviation or self._died(str(why), command, trace)
            if deviation is not None:
                return deviation
        return None

    def _died(self, why: str, command: Command, trace: list[bytes]) -> Deviation:
        trace.append(json.dumps({"e": "abort", "why": why}).encode())
        return Deviation(len(trace), json.dumps(command), None, "EFF-3", "the_monitor_never_aborts", "The monitor never aborts.",
                         f"the implementation {why}", ())


class Decoder:
    """Commands out of bytes: few to a command, of which zero is the plainest choice, and a command of zeroes is none."""

    def __init__(self, hello: Hello) -> None:
        self.commands = list(hello.commands.items())
        self.width = 2 + max(len(parameters) for _, parameters in self.commands)
        self.kinds: dict[str, Callable[[int], Any]] = {
            **dict.fromkeys(("vm", "with_vm"), lambda byte: byte % hello.vms),
            **dict.fromkeys(("gfn", "with_gfn"), lambda byte: byte % hello.gfns),
            "cpu": lambda byte: byte % hello.cpus, "slot": lambda byte: byte % hello.slots,
            "gpa": lambda byte: byte % hello.gfns << 12 | byte // hello.gfns % hello.words << 3,
            "value": lambda byte: (0, 1, 1, 2)[byte % 4], "size": lambda byte: 8, "write": lambda byte: bool(byte & 1),
            "count": lambda byte: byte % (hello.gfns + 1)}

        self.sweep: list[Command] = []
        if sorted(hello.commands.get("load", ())) == ["gpa", "vm"]:
            self.sweep = [{"do": "load", "vm": vm, "gpa": gfn << 12 | word << 3}
                          for vm in range(hello.vms) for gfn in range(hello.gfns) for word in range(hello.words)]
        """Loads of all there is, at the end of a run: whatever went wrong with memory shows."""

    def commands_of(self, data: bytes) -> list[Command]:
        pieces = [data[at:at + self.width] for at in range(0, len(data) - self.width + 1, self.width)]
        return [self._command(piece) for piece in pieces if piece[0]] + self.sweep

    def _command(self, piece: bytes) -> Command:
        name, parameters = self.commands[(piece[0] - 1) % len(self.commands)]
        return {"do": name, **{p: self.kinds[p](byte) for p, byte in zip(parameters, piece[1:], strict=False)}}


def drive(command: Sequence[str], *, seconds: float = 10.0, runs: int | None = None, start: int = 0,
          expected: Expected = NONE_KNOWN, progress: Callable[[int], None] = lambda runs: None) -> Driven:
    """Draw runs until one deviates in a way that is not known, and shrink that one; or until the time is up, or so many ``runs``
    were made, however long they take: the same ones for the same ``start``. Raises ``BadDesign`` if there is nobody to drive."""
    implementation = Implementation(command)
    driver, decoder, began = Driver(implementation, expected), Decoder(implementation.hello), time.perf_counter()

    def goes_on() -> bool:
        return driver.runs < runs if runs is not None else time.perf_counter() - began < seconds

    found: list[list[Command]] = []
    bad: list[BadDesign] = []

    def go(data: bytes) -> None:
        if found or bad or not goes_on():
            return
        commands = decoder.commands_of(data)
        try:
            if driver.new(commands):
                found.append(commands)
        except BadDesign as why:  # Hypothesis is not to look for the smallest way to it
            bad.append(why)
        progress(driver.runs)

    size = decoder.width * LENGTH
    number = 0
    try:
        while not found and not bad and goes_on():
            number += 1
            settings(max_examples=200, database=None, deadline=None, verbosity=Verbosity.quiet, phases=(Phase.generate,),
                     suppress_health_check=list(HealthCheck))(
                seed(start * 1_000_003 + number)(given(st.binary(min_size=size, max_size=size))(go)))()
        if bad:
            raise bad[0]
        failing = _smallest(driver, found[0]) if found else []
        deviation, trace = driver.run(failing) if found else (None, [])
    finally:
        implementation.close()
    return _driven(driver, began, deviation, failing, trace)


def repeat(command: Sequence[str], commands: Sequence[Command]) -> Driven:
    """Have an implementation carry out these commands once. Raises ``BadDesign`` if there is nobody to drive."""
    implementation = Implementation(command)
    driver, began = Driver(implementation), time.perf_counter()
    try:
        deviation, trace = driver.run(commands)
    finally:
        implementation.close()
    return _driven(driver, began, deviation, commands if deviation is not None else (), trace)


def _driven(driver: Driver, began: float, deviation: Deviation | None, failing: Sequence[Command], trace: Sequence[bytes]
            ) -> Driven:
    known = {entry.reason: number for entry, number in driver.known.items()}
    return Driven(driver.implementation.hello.name or driver.implementation.command[0], driver.runs, driver.commands, driver.events,
                  time.perf_counter() - began, deviation, tuple(failing), tuple(text.decode(errors="replace") for text in trace),
                  dict(driver.met), known)


def read_commands(file: Path) -> list[Command]:
    """The commands that were saved in a file, one a line. Raises ``BadDesign`` with the line of what is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as why:
        raise BadDesign(f"{file}: cannot be read: {getattr(why, 'strerror', None) or why}") from None
    found = [_command(f"{file}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise BadDesign(f'{file}: no commands; expected a line such as {{"do":"load","vm":0,"gpa":4096}} for each')
    return found


def _command(place: str, line: str) -> Command:
    try:
        command = json.loads(line)
    except (ValueError, RecursionError) as why:
        raise BadDesign(f"{place}: not a command: {why}") from None
    if not isinstance(command, dict) or not isinstance(command.get("do"), str):
        raise BadDesign(f'{place}: do: expected the name of a command, as in {{"do":"load","vm":0,"gpa":4096}}')
    others = [name for name, value in command.items()
              if name != "do" and (name not in PARAMETERS or type(value) not in (int, bool))]
    if others:
        raise BadDesign(f"{place}: {others[0]}: expected a number, under a name among {', '.join(PARAMETERS)}")
    return command


def _smallest(driver: Driver, commands: list[Command]) -> list[Command]:
    """Commands that still deviate, of which none can be left out and no number be smaller."""
    best, improved = commands, True
    while improved:
        improved = False
        for candidate in _smaller(best):
            if driver.new(candidate):
                best, improved = candidate, True
                break
    return best


def _smaller(commands: list[Command]) -> Iterator[list[Command]]:
    size = len(commands)
    for length in dict.fromkeys((size // 2, size // 4, size // 8, 2, 1)):
        for at in range(0, size - length + 1, length) if length else ():
            yield commands[:at] + commands[at + length:]
    for at, command in enumerate(commands):
        for name, value in command.items():
            if type(value) is int and value:
                for less in dict.fromkeys((0, value & 0xFFF, value & ~0xFFF, value - 1)):
                    if less < value and (name != "gpa" or less % 8 == 0):
                        yield [*commands[:at], {**command, name: less}, *commands[at + 1:]]
