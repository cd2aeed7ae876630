"""From a stream of lines to a verdict."""

from __future__ import annotations

import functools
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
import msgspec

from refmodel.engines.collecting import rarely_collected
from refmodel.language import BadDesign
from refmodel.language.encoding import is_marked, undecodable
from refmodel.language.unsound import UNDECODABLE
from refmodel.oracle.trace import by_step, guest, linear, steps
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.advice import lawful_instead
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.duplicates import duplicate_in, may_have_duplicates
from refmodel.oracle.trace.forgetting import told_too_early
from refmodel.oracle.trace.interleaving import Interleaving, Item, Order
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.known_states import told_of
from refmodel.oracle.trace.reading import Source
from refmodel.oracle.trace.refusals import expected
from refmodel.oracle.trace.table import ANY, HELD_TO_LAWS, KINDS, effect
from refmodel.oracle.trace.verdicts import UNHELD, Deviation, TraceVerdict, note_of_unheld

MOST_WORDS = 1_500_000
"""Words of guests' memory that are kept in mind at most."""
LOOK_EVERY = 250_000
"""Events after which that is looked at."""

EXAMPLE = '{"e":"load","gpa":4096,"value":0}'

MORE_THAN_JUDGED = (b'"seq"', b'"trace"', b'"gap"', b"\\")
"""What is in the text of events with which more is done than to judge them; an escape may spell any of it."""


@attrs.define
class Postponed:
    """A deviation, or what is no event where it stands, that is told once it is certain that no CPU has lost events which may
    explain it."""

    found: Deviation | BadDesign
    line: int
    """The last line that was judged."""
    item: Item
    """The event that deviates."""
    cpus: set[int]
    """The CPUs of which no event came that is known to have happened after it."""
    others_may_come: bool = False
    """Whether its CPU lost events after it, so that only those of a CPU that has told none yet may explain it."""

    def tell(self) -> Deviation:
        """It is certain now. Raises ``BadDesign`` for what is no event."""
        if isinstance(self.found, BadDesign):
            raise self.found
        return self.found


class Judge:
    """Judges events one after the other; after the first that deviates it has nothing more to say."""

    def __init__(self, name: str, steps_too: bool = True) -> None:
        """``steps_too``: whether events about a page may be judged by what such came to for pages of its shape. It changes the
        time that judging takes, and no verdict."""
        self.name = name
        self.knowledge = k = Knowledge(steps_too)
        k.effect = functools.partial(effect, k)
        k.load = functools.partial(guest.load, k)
        k.store = functools.partial(guest.store, k)
        k.store_to_table = linear.store_to_table
        k.seen_in_table = linear.seen_in_table
        k.table_changed = linear.table_changed
        k.tables_elsewhere = linear.tables_elsewhere
        k.judged = functools.partial(by_step.judge, k)
        k.taken = functools.partial(steps.taken, k)
        self.decoder = msgspec.json.Decoder(ANY)
        self.events = 0
        self.met = Counter[type[e.Event]]()
        """How many of each kind there were."""
        self.gaps = 0
        self.sequence: dict[int, int] = {}
        """By CPU, if only CPUs have an order: the number of the last event; else under -1."""
        self.clocks: dict[int, int] = {}
        """By CPU: the time of the last event that has one."""
        self.interleaving: Interleaving | None = None
        """What judges events of which only each CPU's order is known."""
        self._latest: dict[int, Item] = {}
        """By CPU, if only CPUs have an order: the last event."""
        self._newest = 0
        """The latest time of any of them, where times say which orders there may be."""
        self._postponed: Postponed | None = None
        self._lost: Item | None = None
        """The event that told of a loss, while others that come after it may have happened before what was lost."""
        self.notes: list[str] = []
        self._looked = 0

    # ------------------------------------------------------------ many lines

    def block(self, first: int, block: bytes, last: bool = False) -> Deviation | None:
        """Judge whole lines, of which the first has this number."""
        k, done = self.knowledge, 0
        if self.interleaving is not None:
            return self._one_by_one(first, block, last)
        try:
            events = self.decoder.decode_lines(block)
        except UNDECODABLE:
            return self._one_by_one(first, block, last)
        if may_have_duplicates(block) and any(map(duplicate_in, block.split(b"\n"))):
            return self._one_by_one(first, block, last)
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        if len(events) != lines or any(word in block for word in MORE_THAN_JUDGED):  # a blank line is no event
            return self._one_by_one(first, block, last)
        if b'"time"' in block and not self._clocks_run(events):
            return self._one_by_one(first, block, last)
        try:
            with rarely_collected():
                for event in events:
                    event.judge(k)
                    done += 1
        except Deviates as why:
            self.events += done + 1
            self.met.update(map(type, events[: done + 1]))
            texts = block.split(b"\n")
            return self._deviation(first + done, events[done], texts[done], why, texts[max(0, done - 5) : done])
        except Inconsistent as why:
            raise self.bad(first + done, why.field, str(why)) from None
        self.events += done
        self.met.update(map(type, events))
        self._keep_bounded(first + done)
        return None

    def _one_by_one(self, first: int, block: bytes, last: bool) -> Deviation | None:
        lines = block.split(b"\n")
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            try:
                event = self.decode(first + number, line.rstrip(b"\r"))
            except BadDesign:
                if last and number == len(lines) - 1 and is_cut(line):
                    self.notes.append(f"line {first + number} is cut off; it was not judged")
                    return None
                raise
            found = self.one(first + number, event, line, lines[max(0, number - 5) : number])
            if found is not None:
                return found
        self._keep_bounded(first + len(lines))
        return None

    def _keep_bounded(self, line: int) -> None:
        if self.events - self._looked >= LOOK_EVERY:
            self._looked = self.events
            if self.knowledge.bounded(MOST_WORDS):
                self.notes.append(f"by line {line} more than {MOST_WORDS:,} words of memory were known; the oldest were forgotten")

    # ------------------------------------------------------------ one line

    def decode(self, line: int, text: bytes) -> e.Event:
        """The event on a line; ``BadDesign`` says what is wrong with it, and in which field."""
        try:
            event: e.Event = self.decoder.decode(text)
        except msgspec.ValidationError as why:
            self._refuse_duplicates(line, text)
            message, _, path = str(why).partition(" - at `$.")
            about = re.search("field `([^`]*)`", message)
            field = path.rstrip("`") or (about[1] if about else "e")
            if field == "e" and "missing" in message:
                message = "is missing; expected the kind of the event, as in " + EXAMPLE
            raise self.bad(line, field, expected(text, message, field, KINDS)) from None
        except UNDECODABLE as why:
            example = "" if is_marked(text) else f"; expected a JSON object such as {EXAMPLE}"
            raise self.bad(line, "", f"not an event: {undecodable(text, why)}{example}") from None
        self._refuse_duplicates(line, text)
        return event

    def _refuse_duplicates(self, line: int, text: bytes) -> None:
        if (key := duplicate_in(text)) is not None:
            raise self.bad(line, key, "is given twice in one object; expected one value")

    def one(self, line: int, event: e.Event, text: bytes = b"", before: list[bytes] | None = None) -> Deviation | None:
        """Judge one event."""
        if self._postponed is not None:
            found = self._after_postponed(self._postponed, line, event)
            if found is not None or self._postponed is not None:
                return found
        self._in_order(line, event)
        if event.time is not None and not self._clocks_run([event]):
            raise self.bad(
                line,
                "time",
                f"{event.time} is before {self.clocks[event.cpu]}, when CPU {event.cpu} reported its last "
                "event; expected the clock of each cpu to run forwards",
            )
        if self.interleaving is not None and self.interleaving.order.skew is not None and event.time is not None:
            self._merged(line, event.time, self.interleaving.order.skew)
        if isinstance(event, e.Header) and self.events:
            raise self.bad(line, "e", "a trace header comes first, or not at all")
        self.events += 1
        if self._lost is not None and not isinstance(event, e.Gap) and self._is_unsure(self._lost, line, event):
            return None
        self.met[type(event)] += 1
        if self.interleaving is not None and isinstance(event, e.Header) and (found := self.finish()) is not None:
            return found
        if self.interleaving is not None and isinstance(event, e.Gap):
            self._begin_anew(self.interleaving, line, event)
        if self.interleaving is not None and not isinstance(event, e.Header | e.Gap):
            self._latest[event.cpu] = Item(line, event, b"", [])
            return self._postpone(self.interleaving.add(Item(line, event, text, before or [])), line)
        try:
            event.judge(self.knowledge)
        except Deviates as why:
            return self._deviation(line, event, text, why, before or [])
        except Inconsistent as why:
            raise self.bad(line, why.field, str(why)) from None
        if isinstance(event, e.Header):
            order = Order(event.window or e.WINDOW, event.skew) if event.order == "cpu" else None
            self.interleaving = None if order is None else Interleaving(self.knowledge, order)
        if isinstance(event, e.Gap):
            self.gaps += 1
            self.clocks.clear()
            self._newest = 0
            self.notes.append(f"line {line} tells of a gap: nothing that came before it is relied on after it")
        return None

    def _merged(self, line: int, time: int, skew: int) -> None:
        """``BadDesign`` if an event is told after one that happened later for certain."""
        if time < self._newest - skew:
            why = f"{time} is more than skew ({skew}) before {self._newest}, the time of an earlier line"
            raise self.bad(line, "time", f"{why}; expected the lines of all CPUs merged by their times")
        self._newest = max(self._newest, time)

    def finish(self) -> Deviation | None:
        """There are no more events: judge those that may have happened after others that never came."""
        if self._postponed is not None:
            return self._postponed.tell()
        item = None if self.interleaving is None else self.interleaving.end()
        return None if item is None else self._ended(item)

    def _postpone(self, item: Item | None, line: int) -> Deviation | None:
        """A deviation waits for the next event of every other CPU that is known to have happened after it: that tells whether
        events were lost which may explain it."""
        if item is None:
            return None
        found = self._found(item)
        silent = {cpu for cpu, last in self._latest.items() if not self._is_after(item, last)} - {item.event.cpu}
        waits = Postponed(found, line, item, silent)
        if not silent:
            return waits.tell()
        self._postponed = waits
        return None

    def _found(self, item: Item) -> Deviation | BadDesign:
        """What is wrong with an event that no order makes lawful."""
        try:
            return self._ended(item)
        except BadDesign as why:
            return why

    def _is_after(self, item: Item, other: Item) -> bool:
        """Whether the other is known to have happened after an event of another CPU."""
        assert self.interleaving is not None
        return self.interleaving.order.before(item, other)

    def _after_postponed(self, waits: Postponed, line: int, event: e.Event) -> Deviation | None:
        """Look whether a CPU has lost events that may explain a deviation: then it is none, and judging goes on here."""
        several = self.interleaving
        if several is None or isinstance(event, e.Header):
            return waits.tell()
        last = self.sequence.get(event.cpu)
        lost = isinstance(event, e.Gap) or (event.seq is not None and last is not None and event.seq > last + 1)
        close = not several.order.over(waits.item, Item(line, event, b"", []))
        explained = lost and (event.cpu in waits.cpus or line - waits.item.line <= several.order.window)
        if waits.others_may_come:
            explained = close and event.cpu != waits.item.event.cpu
        if explained:
            self._postponed = None
            several.undecided += 1
            if waits.others_may_come:
                several.forget()
                self.knowledge.lose()
            if line > waits.line + 1:
                self.notes.append(f"nothing from line {waits.line + 1} to {line - 1} was judged: CPU {event.cpu} lost events then")
            return None
        if self._is_after(waits.item, Item(line, event, b"", [])):
            waits.cpus.discard(event.cpu)
        if event.seq is not None:
            self.sequence[event.cpu] = max(event.seq, -1 if last is None else last)
        return None if waits.cpus or (waits.others_may_come and close) else waits.tell()

    def _ended(self, item: Item) -> Deviation:
        """What is wrong with an event that no order makes lawful; raises ``BadDesign`` if it is none where it stands."""
        if isinstance(item.why, Inconsistent):
            raise self.bad(item.line, item.why.field, str(item.why)) from None
        assert item.why is not None
        return self._deviation(item.line, item.event, item.text, item.why, item.before)

    def _in_order(self, line: int, event: e.Event) -> None:
        """Look whether events were lost before this one. ``BadDesign`` if it was told before."""
        if event.seq is None:
            return
        whose = -1 if self.interleaving is None else event.cpu
        due = None if whose not in self.sequence else self.sequence[whose] + 1
        if due is not None and event.seq < due:
            raise self.bad(line, "seq", f"{event.seq} comes after {due - 1}; expected {due}")
        if due is not None and event.seq > due:
            self.notes.append(
                f"between lines {line - 1} and {line} {event.seq - due:,} events are missing: nothing that came "
                "before is relied on after it"
            )
            self.gaps += 1
            if self.interleaving is not None:
                self._begin_anew(self.interleaving, line, event)
            self.knowledge.lose()
        self.sequence[whose] = event.seq

    def _begin_anew(self, several: Interleaving, line: int, event: e.Event) -> None:
        """A CPU has lost events. Those that wait may have come after them; and of those that follow closely it is not known whether
        they came before: they are not judged. If no other CPU has told any event, what waits came before them, and deviates."""
        if self._postponed is None and self._latest.keys() <= {event.cpu} and (item := several.end()) is not None:
            self._postponed = Postponed(self._found(item), line, item, set(), others_may_come=True)
        while several.end() is not None:
            several.undecided += 1
        several.forget()
        self.knowledge.lose()
        self._lost = Item(line, event, b"", [])

    def _is_unsure(self, lost: Item, line: int, event: e.Event) -> bool:
        """Whether an event may have happened before others that a CPU has lost. The first that did not ends that."""
        assert self.interleaving is not None
        if self.interleaving.order.over(lost, Item(line, event, b"", [])):
            self._lost = None
            return False
        item = self._latest[event.cpu] = Item(line, event, b"", [])
        told_too_early(self.knowledge, event)
        self.interleaving.skip(item)
        return True

    def _clocks_run(self, events: list[e.Event]) -> bool:
        """Whether no CPU's clock runs backwards in these events. They are the last then."""
        now = dict(self.clocks)
        for event in events:
            if event.time is not None:
                if event.time < now.get(event.cpu, 0):
                    return False
                now[event.cpu] = event.time
        self.clocks = now
        return True

    def verdict(self, seconds: float, deviation: Deviation | None) -> TraceVerdict:
        """What came of it."""
        met = {str(event.__struct_config__.tag): number for event, number in self.met.items()}
        counted, notes = {"gaps": self.gaps}, list(self.notes)
        if (several := self.interleaving) is not None:
            counted |= {
                "events judged in another order than that of their lines": several.reordered,
                "races undecided": several.undecided,
            }
            notes.append(f"only each CPU's own order is known: of two CPUs, events may be swapped {several.order.words()}")
        judged = sum(number for event, number in self.met.items() if event in HELD_TO_LAWS)
        judged -= min(judged, self.knowledge.believed + self.knowledge.unheld)
        if unheld := self.knowledge.unheld:
            counted[UNHELD] = unheld
            notes.append(note_of_unheld(unheld, met["access"]))
        return TraceVerdict(self.name, self.events, seconds, deviation, tuple(notes), judged, counted, met)

    def bad(self, line: int, field: str, message: str) -> BadDesign:
        return BadDesign(f"{self.name}:{line}: {field + ': ' if field else ''}{message}")

    def _deviation(self, line: int, event: e.Event, text: bytes, why: Deviates, before: list[bytes]) -> Deviation:
        self.knowledge.by_step = False
        expected = why.expected or lawful_instead(self.knowledge, event)
        told = told_of(self.knowledge, event, dict(why.names))
        words = text.decode(errors="replace").strip() or msgspec.json.encode(event).decode()
        return Deviation(
            line,
            words,
            event.at,
            why.clause,
            why.law,
            why.sentence,
            why.why,
            tuple(expected),
            tuple(b.decode(errors="replace") for b in before if b.strip()),
            why.names,
            told,
        )


def judge_trace(name: str) -> TraceVerdict:
    """Judge a file (``-`` is standard input) to its end, or to the first event that deviates. ``BadDesign`` if it is no trace."""
    began = time.perf_counter()
    judge, source = Judge(name), Source(name)
    deviation = None
    for first, block, last in _and_whether_last(source.blocks()):
        deviation = judge.block(first, block, last)
        if deviation is not None:
            break
    deviation = deviation or judge.finish()
    if source.cut:
        judge.notes.append(source.cut)
    if judge.events == 0 and not judge.notes:
        raise BadDesign(f"{name}: no events; expected a JSON object a line (specs/traces.md)")
    return judge.verdict(time.perf_counter() - began, deviation)


def judge_events(events: Iterable[e.Event | Mapping[str, Any] | bytes | str], name: str = "events") -> TraceVerdict:
    """Judge events as they come, to the last or to the first that deviates: as objects, as dictionaries or as lines of JSON.

    ``BadDesign`` says which is no event, and in which field; the first has number 1. Nothing is asked of ``events`` after a
    deviation.
    """
    began, judge, deviation = time.perf_counter(), Judge(name), None
    lines: deque[bytes] = deque(maxlen=5)
    for number, given in enumerate(events, 1):
        text = _line(name, number, given)
        event = given if isinstance(given, e.Event) else judge.decode(number, text)
        deviation = judge.one(number, event, text, list(lines))
        if deviation is not None:
            break
        lines.append(text)
    deviation = deviation or judge.finish()
    if judge.events == 0:
        raise BadDesign(f"{name}: no events")
    return judge.verdict(time.perf_counter() - began, deviation)


def _line(name: str, number: int, given: Any) -> bytes:
    try:
        return given.encode() if isinstance(given, str) else given if isinstance(given, bytes) else msgspec.json.encode(given)
    except (TypeError, ValueError, RecursionError) as why:
        raise BadDesign(f"{name}:{number}: no event: {why}; expected a dictionary, or a line of JSON") from None


def is_cut(line: bytes) -> bool:
    """Whether a line without a newline after it is the beginning of an event, and not something else."""
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(line)
    except UNDECODABLE as why:
        return isinstance(why, msgspec.DecodeError) and "truncated" in str(why)
    return False


def _and_whether_last(blocks: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, bool]]:
    """With each block, whether it ends without a newline: only the last of a file does."""
    for first, block in blocks:
        yield first, block, not block.endswith(b"\n")


__all__ = ["Deviation", "Judge", "TraceVerdict", "judge_events", "judge_trace"]
