"""Judging in lockstep: a line in, a line out, so that whoever tests stops at the first deviation.

Every line of a trace is answered by one line of JSON: ``{"ok":true}``, or what deviates, or what is wrong with the line. A trace
header begins anew. Over standard input and output there is one judge; over a Unix socket one for each connection.

Where only each CPU's order is known, ``{"ok":true}`` says that nothing is wrong so far. An event may wait for others that happened
before it. One that deviates is then reported by the answer to a later line, to a header, or by one more line at the end.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from refmodel.language import BadDesign
from refmodel.language.plurals import many
from refmodel.oracle.trace.events import Header
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.reading import LONGEST
from refmodel.oracle.trace.table import HELD_TO_LAWS
from refmodel.oracle.trace.verdicts import WHY_UNHELD, Deviation

JUDGING = threading.Lock()
"""Conversations have a thread each, and whoever answers the questions of a law is one for the process."""
KEPT = 5
"""Lines kept to be shown before one that deviates."""


class Lockstep:
    """One conversation."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.deviated = self.erred = False
        self._begin()
        self.line = 0
        self.judged = 0
        """Events that were judged."""

    def _begin(self) -> None:
        self.judge = Judge(self.name)
        self.before: list[bytes] = []
        self.deviation: Deviation | None = None
        self.undecided = 0
        """Events of which it was said that a race leaves them undecided."""
        self.unheld = 0
        """Accesses by linear address of which it was said that they were not judged."""

    def answer(self, text: bytes) -> dict[str, Any]:
        """What to answer to a line."""
        self.line += 1
        try:
            event = self.judge.decode(self.line, text)
            before: Deviation | None = None
            if isinstance(event, Header):
                before = None if self.deviation else self.judge.finish()
                self._begin()
            if self.deviation is not None:
                return {"ok": False, "line": self.line, "after": self.deviation.line}
            self.deviation = self.judge.one(self.line, event, text, self.before)
            self.judged += type(event) in HELD_TO_LAWS and self.judge.knowledge.unheld == self.unheld
        except BadDesign as why:
            self.erred = True
            return {"error": str(why), "line": self.line}
        self.before = [*self.before, text][-KEPT:]
        notes, self.judge.notes = [*self.judge.notes, *self._undecided()], []
        found = before or self.deviation
        if found is None:
            return {"ok": True, "notes": notes} if notes else {"ok": True}
        self.deviated = True
        return {"ok": False, **attrs.asdict(found)}

    def _undecided(self) -> list[str]:
        """What to say of accesses that were not judged, and of races that were found to be undecided by this answer."""
        unheld, self.unheld = self.judge.knowledge.unheld - self.unheld, self.judge.knowledge.unheld
        notes = [f"{many(unheld, 'access')} by linear address not judged: {WHY_UNHELD}"] if unheld > 0 else []
        several = self.judge.interleaving
        more = 0 if several is None else several.undecided - self.undecided
        self.undecided += more
        if more:
            notes.append(f"{more} undecided, since it has to do with a race: nothing known of it is relied on any more")
        return notes

    def finish(self) -> dict[str, Any] | None:
        """What to say when there are no more lines: what deviates, if events were still waiting for others."""
        try:
            found = None if self.deviation else self.judge.finish()
        except BadDesign as why:
            self.erred = True
            return {"error": str(why), "line": self.line}
        notes = self._undecided()
        if found is None:
            return {"ok": True, "notes": notes} if notes else None
        self.deviated = True
        return {"ok": False, **attrs.asdict(found)}


def converse(name: str, lines: BinaryIO, answers: BinaryIO) -> Lockstep:
    """Answer line by line until there are no more."""
    lockstep = Lockstep(name)
    for text in _bounded(lines):
        if text is None:
            lockstep.erred = True
            _say(answers, {"error": f"{name}: a line is longer than {LONGEST:,} bytes", "line": lockstep.line + 1})
            break
        if text.strip():
            with JUDGING:
                answer = lockstep.answer(text.rstrip(b"\r\n"))
            _say(answers, answer)
    with JUDGING:
        last = lockstep.finish()
    if last is not None:
        _say(answers, last)
    return lockstep


def _bounded(lines: BinaryIO) -> Iterable[bytes | None]:
    """Lines, the last None if it is too long."""
    while text := lines.readline(LONGEST + 1):
        if len(text) > LONGEST:
            yield None
            return
        yield text


def _say(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
    answers.flush()


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            converse("socket", self.rfile, self.wfile)  # type: ignore[arg-type]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def _answers(path: Path) -> bool:
    """Whether anybody listens at a socket; one that is left of a server that was killed has nobody."""
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(str(path))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def listening(path: Path) -> Any:
    """A server at this path, which goes when it is done. Raises ``BadDesign`` if the path is taken or cannot be had."""
    try:
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise BadDesign(f"{path}: is there already, and no socket")
            if _answers(path):
                raise BadDesign(f"{path}: another server listens there already; expected another path")
            path.unlink()
        server = _Server(str(path), _Connection)
    except OSError as why:
        raise BadDesign(f"{path}: cannot be listened at: {why.strerror or why}") from None
    try:
        with server:
            yield server
    finally:
        path.unlink(missing_ok=True)
