"""Driving an implementation: operations are drawn by Hypothesis, the implementation carries them out and tells its trace, the trace
is judged, and what deviates is shrunk to a few operations.

The implementation is a process that talks over its standard input and output. Its first line says what can be asked of it:

    {"hello":1,"commands":{"load":["vm","gpa"],"share":["vm","gfn","with_vm","with_gfn"]},"vms":2,"gfns":4}

Commands have any names; what is drawn for a parameter follows from its name (``PARAMETERS``). One called ``load``, of a ``vm`` and
a ``gpa``, and perhaps a ``cpu``, is also asked of every word at the end of a run.

Then it is given one command a line, such as ``{"do":"load","vm":0,"gpa":4096}``, and answers with the events that came of it and
``{"done":1}``. ``{"do":"reset"}`` asks for its initial state; the events of that begin with a trace header.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import msgspec
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from refmodel.language import BadDesign
from refmodel.language.unsound import UNDECODABLE
from refmodel.oracle.trace.commands import Command, Decoder, Hello, Saved
from refmodel.oracle.trace.expected import NONE_KNOWN, Expected
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.reading import LONGEST
from refmodel.oracle.trace.verdicts import Deviation

PATIENCE = 10.0
"""Seconds that an implementation may take for a command, from its first byte to the last of the answer."""
LOOKS = 0.1
"""Seconds of silence after which it is looked whether the implementation lives: what it started may hold its output open."""
MOST_EVENTS = 1_000_000
"""Events that may come of one command."""
MOST_TRIED = 2000
"""Shorter runs that are tried."""
HANGS = 3
"""How often a command is waited for in vain, or answered with what is no event, before a run is shortened no further."""
SHORTENING = 60.0
"""Seconds that a run is shortened for at most, where the time is what ends the runs too."""
LENGTH = 30
"""Commands in a run, at most."""
SHOWN = 160
"""Letters of a line that a complaint about it shows."""
DONE = b'{"done":1}'
"""The end of an answer, whatever white space there is in it."""


class Died(Exception):
    """The implementation has ended, or does not answer."""


class Hung(Died):
    """The implementation does not answer."""


class Stopped(BaseException):
    """Driving was ended, as by Ctrl-C, after it had made runs. No library catches it, since it is no ``Exception``."""

    def __init__(self, driven: Driven) -> None:
        super().__init__()
        self.driven = driven
        """What it had come to. The run that deviates may not be the shortest."""


@attrs.frozen
class Met:
    """A deviating run: its commands, the deviation, and its trace."""

    commands: tuple[Command, ...]
    deviation: Deviation
    trace: tuple[str, ...]


@attrs.frozen
class KnownRuns:
    """The runs that ended at one known deviation."""

    reason: str
    runs: int
    first: Met


@attrs.frozen
class Driven:
    """What driving came to: the runs that were drawn, without those that a deviation was shrunk by."""

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
    judged: int
    """Events that something was held against. A verdict on none is undecided."""
    met: dict[str, int]
    """How many events of each kind were reported, by the kinds' names in the format."""
    known: tuple[KnownRuns, ...]
    """Runs that ended at a deviation that is known."""
    unheld: int = 0
    """Accesses by linear address that may have ended in any way, for all that is known."""
    repeated: bool = True
    """Whether the deviation came again when the commands were carried out once more, by a process that had just begun."""

    @property
    def deviations(self) -> list[Deviation]:
        """Every deviation that was met, known or new."""
        return [*(each.first.deviation for each in self.known), *([] if self.deviation is None else [self.deviation])]


class Implementation:
    """A process that carries out commands."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self._start()

    def _start(self) -> None:
        try:
            self.process = subprocess.Popen(
                list(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
            )
        except OSError as why:
            raise BadDesign(f"{self.command[0]}: cannot be run: {why.strerror or why}") from None
        assert self.process.stdin is not None
        os.set_blocking(self.process.stdin.fileno(), False)
        self._rest, self._left = b"", PATIENCE
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    def _greet(self) -> None:
        """Read its hello; ``BadDesign`` if it says none."""
        try:
            line = self._line()
        except Died as why:
            raise BadDesign(f"{self.command[0]}: {why} before it said hello") from None
        try:
            self.hello = msgspec.json.decode(line, type=Hello)
        except UNDECODABLE as why:
            raise BadDesign(f"{self.command[0]}: its first line is no hello: {why}") from None
        if complaint := self.hello.complaint():
            raise BadDesign(f"{self.command[0]}: hello: {complaint}")

    def carry_out(self, command: Command) -> Iterator[bytes]:
        """The events that come of a command, as they come. Raises ``Died``, and ``BadDesign`` for what nobody asked for."""
        self._refuse_unasked(command)
        self._left = PATIENCE
        self._ask(json.dumps(command, separators=(",", ":")).encode() + b"\n")
        number = 0
        while not _is_done(line := self._line()):
            number += 1
            if number > MOST_EVENTS:
                raise BadDesign(f"{self.command[0]}: told more than {MOST_EVENTS:,} lines of one command; expected {DONE.decode()}")
            if line.strip():
                yield line

    def _refuse_unasked(self, command: Command) -> None:
        """Events may come late, before the next reset. Another end of an answer would be taken for that of the next command."""
        assert self.process.stdout is not None
        while select.select([self.process.stdout], [], [], 0)[0] and len(self._rest) <= LONGEST:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                break
            self._rest += data
        first = self._rest.lstrip().split(b"\n")[0]
        if first and (command["do"] == "reset" or any(map(_is_done, self._rest.split(b"\n")))):  # whether or not the line has ended
            raise BadDesign(
                f"{self.command[0]}: told {_excerpt(first)} before it was asked to {command['do']}; expected nothing "
                f"more after {DONE.decode()}, until the next command comes"
            )

    def _ask(self, line: bytes) -> None:
        assert self.process.stdin is not None
        while line:
            if not self._ready([], [self.process.stdin]):
                raise Hung(f"did not read its commands within {PATIENCE:.0f} s")
            try:
                line = line[os.write(self.process.stdin.fileno(), line) :]
            except BlockingIOError:  # there is room, and not for all of it
                continue
            except OSError:
                raise self._ended("standard input") from None

    def _line(self) -> bytes:
        assert self.process.stdout is not None
        while b"\n" not in self._rest:
            if not self._ready([self.process.stdout], []):
                raise Hung(f"did not answer within {PATIENCE:.0f} s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise self._ended()
            self._rest += data
            if len(self._rest) > LONGEST and b"\n" not in self._rest:
                raise BadDesign(f"{self.command[0]}: told a line of more than {LONGEST:,} bytes; expected an event")
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _ready(self, reads: Sequence[Any], writes: Sequence[Any]) -> bool:
        """Whether there is something to read, or room to write, in the time that is left for the command. Raises ``Died`` if the
        implementation has ended, and nothing that it said is left."""
        while self._left > 0:
            began = time.monotonic()
            found = any(select.select(reads, writes, [], min(LOOKS, self._left)))
            self._left -= time.monotonic() - began
            if found:
                return True
            if self.process.poll() is not None and not any(select.select(reads, writes, [], 0)):
                raise self._ended()
        return any(select.select(reads, writes, [], 0))

    def _ended(self, closed: str = "standard output") -> Died:
        try:
            status = self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return Hung(f"closed its {closed} and did not end within {PATIENCE:.0f} s")
        return Died(f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}")

    def restart(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # what it started may be left when it has ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def _is_done(line: bytes) -> bool:
    return line.translate(None, b" \t\r") == DONE


def _excerpt(text: bytes) -> str:
    """What an implementation told, as far as a complaint about it shows it."""
    words = text.decode(errors="replace").strip()
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}..."


class Driver:
    """Runs of one implementation."""

    def __init__(self, implementation: Implementation, expected: Expected = NONE_KNOWN) -> None:
        self.implementation, self.expected = implementation, expected
        self.carried_out = 0
        """Commands of the last run that were carried out."""
        self.runs = self.commands = self.events = self.judged = self.unheld = self.hangs = 0
        self.met, self.known = Counter[str](), dict[int, KnownRuns]()
        self.best: Met | None = None
        """The shortest run so far that deviates in a way that is not known."""
        self.gone: BadDesign | None = None
        """Why the implementation could not be started again."""

    def new(self, commands: Sequence[Command]) -> Met | None:
        """What a run deviates in that is not known."""
        if self.gone is not None:
            raise self.gone
        deviation, trace = self.run(commands)
        if deviation is None:
            return None
        met = Met(tuple(commands), deviation, tuple(text.decode(errors="replace") for text in trace))
        entry = self.expected.entry(deviation)
        if entry is None:
            return met
        before = self.known.get(id(entry), KnownRuns(entry.reason, 0, met))
        self.known[id(entry)] = attrs.evolve(before, runs=before.runs + 1)
        return None

    def driven(self, began: float, met: Met | None) -> Driven:
        """What all runs so far came to."""
        name = self.implementation.hello.name or self.implementation.command[0]
        spent = time.perf_counter() - began
        done = Driven(
            name,
            self.runs,
            self.commands,
            self.events,
            spent,
            None,
            (),
            (),
            self.judged,
            dict(self.met),
            tuple(self.known.values()),
            self.unheld,
        )
        return done if met is None else attrs.evolve(done, deviation=met.deviation, failing=met.commands, trace=met.trace)

    def run(self, commands: Sequence[Command]) -> tuple[Deviation | None, list[bytes]]:
        """The first deviation of a run, and its trace so far."""
        judge, trace = Judge(self.implementation.hello.name or self.implementation.command[0]), list[bytes]()
        try:
            return self._run(judge, commands, trace), trace
        finally:
            verdict = judge.verdict(0.0, None)
            self.met.update(verdict.met)
            self.judged += verdict.judged
            self.unheld += judge.knowledge.unheld

    def _run(self, judge: Judge, commands: Sequence[Command], trace: list[bytes]) -> Deviation | None:
        self.runs += 1
        for number, command in enumerate(({"do": "reset"}, *commands)):
            self.carried_out = number
            self.commands += 1
            deviation: Deviation | None = None
            try:
                for text in self.implementation.carry_out(command):
                    if deviation is None:  # what comes after is read, and no longer judged
                        deviation = self._judged(judge, command, text, trace)
            except Died as why:
                self.hangs += isinstance(why, Hung)
                deviation = deviation or self._died(str(why), command, trace)
                self.restart()
            if deviation is not None:
                return deviation
        return judge.finish()

    def restart(self) -> None:
        """Start the implementation anew. Where that cannot be done, what was found is kept, and nothing more is run."""
        try:
            self.implementation.restart()
        except BadDesign as why:
            self.gone = why

    def _judged(self, judge: Judge, command: Command, text: bytes, trace: list[bytes]) -> Deviation | None:
        self.events += 1
        trace.append(text)
        try:
            return judge.one(len(trace), judge.decode(len(trace), text), text, trace[-6:-1])
        except BadDesign as why:
            raise BadDesign(f"{why}; it told {_excerpt(text)} in answer to {json.dumps(command)}") from None

    def _died(self, why: str, command: Command, trace: list[bytes]) -> Deviation:
        trace.append(json.dumps({"e": "abort", "why": why}).encode())
        return Deviation(
            len(trace),
            json.dumps(command),
            None,
            "EFF-3",
            "the_monitor_never_aborts",
            "The monitor never aborts.",
            f"the implementation {why}",
            (),
        )


def drive(
    command: Sequence[str],
    *,
    seconds: float = 10.0,
    runs: int | None = None,
    start: int = 0,
    expected: Expected = NONE_KNOWN,
    progress: Callable[[int], None] = lambda runs: None,
) -> Driven:
    """Draw runs until one deviates in a way that is not known, and shrink that one; or until the time is up, or so many ``runs``
    were made, however long they take: the same ones for the same ``start``. Raises ``BadDesign`` if there is nobody to drive."""
    implementation = Implementation(command)
    driver, decoder, began = Driver(implementation, expected), Decoder(implementation.hello), time.perf_counter()

    def goes_on() -> bool:
        return driver.runs < runs if runs is not None else time.perf_counter() - began < seconds

    found: list[Met] = []
    bad: list[BadDesign] = []

    def go(data: bytes) -> None:
        if found or bad or not goes_on():
            return
        try:
            met = driver.new(decoder.commands_of(data))
        except BadDesign as why:  # Hypothesis is not to look for the smallest way to it
            bad.append(why)
        else:
            found.extend([met] if met is not None else [])
        progress(driver.runs)

    size = decoder.width * LENGTH
    number = 0
    try:
        while not found and not bad and goes_on():
            number += 1
            settings(
                max_examples=200,
                database=None,
                deadline=None,
                verbosity=Verbosity.quiet,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )(seed(start * 1_000_003 + number)(given(st.binary(min_size=size, max_size=size))(go)))()
        if bad:
            raise bad[0]
        drawn = driver.driven(began, None)
        if not found:
            return drawn
        until = None if runs is not None else time.perf_counter() + SHORTENING
        met, repeated = _smallest_that_repeats(driver, found[0], until)
    except BaseException as why:
        if isinstance(why, Exception):
            raise
        raise Stopped(driver.driven(began, driver.best or next(iter(found), None))) from None
    finally:
        implementation.close()
    return attrs.evolve(
        drawn,
        deviation=met.deviation,
        failing=met.commands,
        trace=met.trace,
        repeated=repeated,
        seconds=time.perf_counter() - began,
    )


def repeat(command: Sequence[str], saved: Saved, expected: Expected = NONE_KNOWN) -> Driven:
    """Have an implementation carry out saved commands once. Raises ``BadDesign`` if there is nobody to drive, or if it has no such
    command."""
    implementation = Implementation(command)
    driver, began = Driver(implementation, expected), time.perf_counter()
    try:
        saved.fit(implementation.hello)
        met = driver.new(saved.commands)
    finally:
        implementation.close()
    return driver.driven(began, met)


def _smallest_that_repeats(driver: Driver, met: Met, until: float | None) -> tuple[Met, bool]:
    """Few commands that deviate in a process that has just begun, and whether they do. An implementation that keeps something
    across resets may deviate by what earlier runs did."""

    def lenient(commands: Sequence[Command]) -> Met | None:
        """As ``new``; a run in which the implementation tells what is no event is none that deviates."""
        try:
            return driver.new(commands)
        except BadDesign:
            driver.hangs += 1
            driver.restart()
            return None

    def anew(commands: Sequence[Command]) -> Met | None:
        driver.restart()
        met = lenient(commands)  # what was to come after those that were carried out does not matter
        return None if met is None else attrs.evolve(met, commands=met.commands[: driver.carried_out])

    best = _smallest(driver, met, lenient, until)
    if again := anew(best.commands):
        return again, True
    if again := anew(met.commands):
        return _smallest(driver, again, anew, until), True
    return best, False


def _smallest(driver: Driver, met: Met, new: Callable[[Sequence[Command]], Met | None], until: float | None) -> Met:
    """Commands that still break the same clause, of which none can be left out and no number be smaller; or few, if many were
    tried, or the time is up."""
    best, improved, tried = met, True, 0
    while improved:
        improved = False
        for candidate in _smaller(best.commands):
            late = until is not None and time.perf_counter() > until
            if driver.hangs >= HANGS or tried >= MOST_TRIED or late or driver.gone:
                return best
            tried += 1
            smaller = new(candidate)
            if smaller is not None and smaller.deviation.clause == met.deviation.clause:
                best, improved = smaller, True
                driver.best = best
                break
    return best


def _smaller(commands: Sequence[Command]) -> Iterator[list[Command]]:
    size = len(commands)
    for length in dict.fromkeys((size // 2, size // 4, size // 8, 2, 1)):
        for at in range(0, size - length + 1, length) if length else ():
            yield [*commands[:at], *commands[at + length :]]
    for at, command in enumerate(commands):
        for name, value in command.items():
            if type(value) is int and value:
                for less in dict.fromkeys((0, value & 0xFFF, value & ~0xFFF, value - 1)):
                    if less < value and (name != "gpa" or less % 8 == 0):
                        yield [*commands[:at], {**command, name: less}, *commands[at + 1 :]]
