"""The lines of a kernel's trace: events, the places where a CPU lost events, and what is neither."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from refmodel.language import BadDesign
from refmodel.oracle.trace.reading import Source

LINE = re.compile(
    rb"^\s*(\S.*?-\d+)\s+(?:\([^)]*\)\s+)?\[(\d+)\]\s+(?:\S+\s+)?(\d+(?:\.\d+)?):\s+(?:\(\+\d+\)\s+)?(?:\w+:)?(\w+):\s*(.*)$"
)
"""Task and pid, the CPU, flags if they are printed, the time (clocks that count have no dot), the time since the last event if
trace-cmd was asked for it, the event, perhaps with its group, and its fields."""
LATENCY = re.compile(
    rb"^\s*(\S.{0,40}?-\d{1,10})\s+(\d+)[^\s\d]\S{3,8}\s+(\d+(?:\.\d+)?)(?:us.)?:\s+(?:\(\+\d+\)\s+)?(?:\w+:)?(\w+):\s*(.*)$"
)
"""The same in the latency format of the kernel and of trace-cmd: the flags follow the CPU at once, and a time in microseconds may
have a mark."""
PERF = re.compile(
    rb"^\s*(\S.{0,40}?\s{1,40}\d{1,10}(?:/\d{1,10})?)\s+\[(\d+)\]\s+(?:\S+\s+)?(\d+\.\d+):\s+(?:\d+\s+)?(?:\w+:)?(\w+):\s*(.*)$"
)
"""The same as perf script prints it: a space between task and pid, and after the time a number if that was asked for."""
LOST_BY_PERF = re.compile(rb"^.{0,100}?\[(\d+)\]\s.*\bPERF_RECORD_LOST(?:_SAMPLES)?\b")
"""Printed by perf script --show-lost-events, before the first event that the CPU reports after the loss."""
LOST = re.compile(rb"^\s*CPU:(\d+) \[(?:LOST (?:\d+ )?EVENTS|(?:\d+ )?EVENTS DROPPED)\]\s*$")
"""As the kernel says it, and as trace-cmd does. The line comes before the first event that the CPU reports after the loss."""
STARTED = re.compile(rb"^##### CPU (\d+) buffer started ####\s*$")
"""Printed only where a buffer was overrun: what the CPU reported earlier was overwritten."""
CPUS = re.compile(rb"^(?:cpus=|#.*#P:)(\d+)\)?\s*$")
"""How many CPUs there are: the first line of trace-cmd's report, or a comment in the trace file."""


class Event(NamedTuple):
    """An event that a task reported on a CPU."""

    line: int
    text: bytes
    cpu: int
    task: bytes
    name: bytes
    rest: bytes
    time: tuple[int, bytes]
    """By the trace's clock: seconds and decimals, or a count and no decimals. Later times are larger."""
    cut: bool
    """Whether no end of the line was read: the kernel ends each, so the rest of it was lost."""


class Gap(NamedTuple):
    """Events were lost on this CPU, at some time since its last event."""

    line: int
    cpu: int


class Cpus(NamedTuple):
    """The trace has events of this many CPUs."""

    number: int


class Other(NamedTuple):
    """A line that is no event and no comment."""

    line: int


def told(source: Source) -> Iterator[Event | Gap | Cpus | Other]:
    """What the lines of a trace say, blank lines and comments left out."""
    for first, block in source.blocks():
        if first == 1 and block.startswith(codecs.BOM_UTF8):
            raise BadDesign(f"{source.name}:1: begins with a byte-order mark; expected text as the kernel prints it")
        texts = block.split(b"\n")
        for number, text in enumerate(texts, first):
            found = None if b"PERF_RECORD_LOST" in text else LINE.match(text) or LATENCY.match(text) or PERF.match(text)
            if found is not None:
                whole, _, decimals = found[3].partition(b".")
                cut = number == first + len(texts) - 1
                yield Event(number, text, int(found[2]), found[1], found[4], found[5], (int(whole), decimals), cut)
            elif text.strip():
                yield from _no_event(number, text)


def _no_event(number: int, text: bytes) -> Iterator[Gap | Cpus | Other]:
    if gap := LOST.match(text) or STARTED.match(text) or LOST_BY_PERF.match(text):
        yield Gap(number, int(gap[1]))
    elif cpus := CPUS.match(text):
        yield Cpus(int(cpus[1]))
    elif not text.lstrip().startswith(b"#"):
        yield Other(number)
