"""From a kernel's trace to a verdict."""

from __future__ import annotations

import time
from collections import deque

from refmodel.language import BadDesign
from refmodel.language.plurals import many
from refmodel.oracle.kvmmmu.events import KvmMmu
from refmodel.oracle.kvmmmu.forms import NOT_PARSED, OF_PAGES, Unreadable
from refmodel.oracle.kvmmmu.gaps import Gaps
from refmodel.oracle.kvmmmu.lines import Cpus, Event, Gap, told
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.reading import Source
from refmodel.oracle.trace.verdicts import Deviation, TraceVerdict

SHOWN = 8
"""Lines shown before one that deviates."""


class Reader:
    """Judges the lines of one trace."""

    def __init__(self, name: str) -> None:
        self.name, self.source, self.judge, self.gaps = name, Source(name), KvmMmu(), Gaps()
        self.before: deque[bytes] = deque(maxlen=SHOWN)
        self.clocks: dict[int, Event] = {}
        """By CPU: its last event."""
        self.others = self.first_other = 0
        """Lines that are neither events nor comments, and the first of them."""
        self.unread = self.first_unread = 0
        """Events that were left out since they could not be read, and the line of the first of them."""

    def read(self) -> Deviation | None:
        """Judge to the end, or to the first deviation that is certain. Raises ``BadDesign``."""
        for each in told(self.source):
            if isinstance(each, Event):
                if each.cut:
                    self.source.cut = f"line {each.line} has no end; it was not judged"
                    continue
                self._in_order(each)
                self.gaps.event(each.cpu)
                self._judge(each)
                self.before.append(each.text)
                if (found := self.gaps.found()) is not None:
                    return found
            elif isinstance(each, Gap):
                self.gaps.gap(each.cpu)
                self.judge.forget()
            elif isinstance(each, Cpus):
                self.gaps.declared(each.number)
            else:
                self.first_other = self.first_other or each.line
                self.others += 1
        self.judge.end()
        return self.gaps.found(ended=True)

    def _in_order(self, event: Event) -> None:
        last = self.clocks.get(event.cpu)
        if last is not None and event.time < last.time:
            raise BadDesign(
                f"{self.name}:{event.line}: CPU {event.cpu} reports this at an earlier time than line {last.line}; "
                "expected one trace, with each CPU's events in the order of their times"
            )
        self.clocks[event.cpu] = event

    def _judge(self, event: Event) -> None:
        try:
            self.judge.event(event.line, event.task, event.name, event.rest)
        except Deviates as why:
            self.gaps.suspect(
                Deviation(
                    event.line,
                    _words(event.text),
                    None,
                    why.clause,
                    why.law,
                    why.sentence,
                    why.why,
                    why.expected,
                    tuple(map(_words, self.before)),
                ),
                event.cpu,
            )
            self.judge.forget()
        except Unreadable as why:
            if event.name in OF_PAGES or event.rest.startswith(NOT_PARSED):  # which tools print in more ways than are known
                self.judge.leave_out(event.task, event.name)
                self.first_unread = self.first_unread or event.line
                self.unread += 1
                return
            raise BadDesign(f"{self.name}:{event.line}: {event.name.decode(errors='replace')}: {why}") from None

    def notes(self) -> tuple[str, ...]:
        judge, gaps = self.judge, self.gaps
        said = [
            self.source.cut,
            gaps.number and f"CPUs lost events ({many(gaps.number, 'time')}): nothing that was in flight then is judged",
            gaps.withdrawn and f"{many(gaps.withdrawn, 'event')} would have been deviations, but a CPU was losing events then",
            judge.skipped
            and f"{many(judge.skipped, 'walk')} not judged: not all entries were seen, or the format is another (32-bit, PAE)",
            judge.guessed
            and f"{many(judge.guessed, 'walk')} may be of a guest's own EPT, and not held to the rules of its page tables",
            judge.unnamed
            and f"{many(judge.unnamed, 'event')} named no shadow page, since trace-cmd and perf leave it out: nothing is known "
            "any more of the pages with that role",
            self.unread
            and f"{many(self.unread, 'event')} could not be read: nothing is known any more of what may have changed; the first is "
            f"line {self.first_unread}",
            judge.others and f"{many(judge.others, 'event')} of other kinds not judged",
            self.others
            and f"{many(self.others, 'line')} not judged, since the kernel, trace-cmd or perf prints no such events; the first is "
            f"line {self.first_other}",
        ]
        return tuple(note for note in said if note)


def _words(text: bytes) -> str:
    return text.decode(errors="replace").strip()


def judge_kernel_trace(name: str) -> TraceVerdict:
    """Judge a kernel's trace to its end, or to the first event that deviates. ``BadDesign`` if it is none."""
    began = time.perf_counter()
    reader = Reader(name)
    deviation, judge = reader.read(), reader.judge
    if judge.events == 0 and not reader.source.cut:
        raise BadDesign(f"{name}: no kvmmmu events; expected Linux's trace file, or what trace-cmd report or perf script prints")
    counted = {
        "gaps": reader.gaps.number,
        "walks judged": judge.judged,
        "walks guessed": judge.guessed,
        "walks skipped": judge.skipped,
        "other checks": judge.checks - judge.judged,
    }
    return TraceVerdict(
        name, judge.events, time.perf_counter() - began, deviation, reader.notes(), judge.checks + (deviation is not None), counted
    )
