"""Judging in lockstep: a line in, a line out, so that whoever tests stops at the first deviation.

Every line of a trace is answered by one line of JSON: ``{"ok":true}``, or what deviates, or what is wrong with the line. A trace
header begins anew. Over standard input and output there is one judge; over a Unix socket one for each connection.
"""

from __future__ import annotations

import contextlib
import json
import socketserver
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from refmodel.language import BadDesign
from refmodel.oracle.trace.events import Header
from refmodel.oracle.trace.judge import Judge
from refmodel.oracle.trace.reading import LONGEST
from refmodel.oracle.trace.verdicts import Deviation

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

    def answer(self, text: bytes) -> dict[str, Any]:
        """What to answer to a line."""
        self.line += 1
        try:
            event = self.judge.decode(self.line, text)
            if isinstance(event, Header):
                if event.order != "total":
                    raise BadDesign(f"{self.name}:{self.line}: order: a conversation has one order; expected total")
                self._begin()
            if self.deviation is not None:
                return {"ok": False, "line": self.line, "after": self.deviation.line}
            self.deviation = self.judge.one(self.line, event, text, self.before)
            self.judged += not isinstance(event, Header)
        except BadDesign as why:
            self.erred = True
            return {"error": str(why), "line": self.line}
        self.before = [*self.before, text][-KEPT:]
        notes, self.judge.notes = self.judge.notes, []
        if self.deviation is None:
            return {"ok": True, "notes": notes} if notes else {"ok": True}
        self.deviated = True
        return {"ok": False, **attrs.asdict(self.deviation)}


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


@contextlib.contextmanager
def listening(path: Path) -> Any:
    """A server at this path, which goes when it is done. Raises ``BadDesign`` if the path is taken or cannot be had."""
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise BadDesign(f"{path}: is there already, and no socket")
        path.unlink()
    try:
        server = _Server(str(path), _Connection)
    except OSError as why:
        raise BadDesign(f"{path}: cannot be listened at: {why.strerror or why}") from None
    try:
        with server:
            yield server
    finally:
        path.unlink(missing_ok=True)
