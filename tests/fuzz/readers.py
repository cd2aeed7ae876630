"""What reads what others wrote, as functions of bytes: each comes to an end, with a verdict or a clear error, whatever it gets.

What it comes to must fit the bytes, which is asserted here, so that whoever makes up bytes tests it: a verdict is of so many events
as there are lines, a deviation is at the line that it shows, an error names its file and, if it has one, a line of it.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from refmodel.language import BadDesign
from refmodel.oracle.kvmmmu import judge_kernel_trace
from refmodel.oracle.trace.judge import TraceVerdict, judge_trace
from refmodel.oracle.trace.lockstep import converse
from refmodel.oracle.trace.reading import MAGIC
from refmodel.oracle.vectors import files

CLAUSE = re.compile(r"[A-Z]{3}-\d+")
ERROR = re.compile(r"(?P<file>/\S+?):(?:(?P<line>\d+):)? ")


class Refusal(str):
    """What is said of bytes that are not read to their end."""

    __slots__ = ()

    @property
    def line(self) -> int | None:
        found = ERROR.match(self)
        assert found is not None, self
        return None if found["line"] is None else int(found["line"])


def written(data: bytes) -> list[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    return [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]


def from_file(read: Callable[[str], Any], fits: Callable[[bytes, Any], None]) -> Callable[[bytes], Any]:
    """A reader of files, as one of bytes."""

    def reads(data: bytes) -> Any:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            try:
                found = read(file.name)
            except BadDesign as told:
                refusal = Refusal(told)
                assert refusal.startswith(file.name) and len(refusal) < 4000
                assert packed(data) or refusal.line is None or refusal.line in dict(written(data)), refusal
                return refusal
            if not packed(data):
                fits(data, found)
            return found

    return reads


def packed(data: bytes) -> bool:
    return any(data.startswith(magic) for magic in MAGIC)


def _trace_fits(data: bytes, verdict: TraceVerdict) -> None:
    """Every line was judged, or every one up to the first that deviates; one that is cut off is said to be."""
    lines = written(data)
    cut = sum("is cut off; it was not judged" in note for note in verdict.notes)
    deviation = verdict.deviation
    if deviation is None:
        assert verdict.events == len(lines) - cut and cut <= (not data.endswith(b"\n"))
        return
    number, text = lines[verdict.events - 1]
    assert CLAUSE.fullmatch(deviation.clause) and deviation.sentence and not cut
    assert (deviation.line, deviation.event) == (number, text.decode(errors="replace").strip())


def _kernel_trace_fits(data: bytes, verdict: TraceVerdict) -> None:
    deviation = verdict.deviation
    cut = any("has no end" in note for note in verdict.notes)
    assert verdict.events <= len(written(data)) and (verdict.events > 0 or (cut and not verdict.judged))
    if deviation is not None:
        text = dict(written(data))[deviation.line]
        assert CLAUSE.fullmatch(deviation.clause) and deviation.event == text.decode(errors="replace").strip()


def _vectors_fit(data: bytes, vectors: list[tuple[files.Vector, Any, Any]]) -> None:
    """What is read is what the lines say."""
    assert [{"linear": "0x0", **end} for line in map(json.loads, dict(written(data)).values()) for end in line["allowed"]] == [
        msgspec.to_builtins(end) for vector, _, _ in vectors for end in vector.allowed
    ]
    assert [{**json.loads(line), "allowed": []} for _, line in written(data)] == [
        {**msgspec.to_builtins(vector), "allowed": []} for vector, _, _ in vectors
    ]


def serve(data: bytes) -> list[dict[str, Any]]:
    """The answers: one to each line, that all is well, or what deviates from then on, or what is wrong with the line."""
    said = io.BytesIO()
    converse("fuzz", io.BytesIO(data), said)
    answers: list[dict[str, Any]] = [json.loads(line) for line in said.getvalue().splitlines()]
    lines = written(data)
    assert len(answers) == len(lines)
    for number, (answer, (_, line)) in enumerate(zip(answers, lines, strict=True), 1):
        assert ("error" in answer) != ("ok" in answer)
        assert is_event(line) or "error" in answer, f"{line!r} is no event, and is answered {answer}"
        assert answer.get("ok") is True or answer["line"] == number
        assert answer.get("ok") is not False or "after" in answer or CLAUSE.fullmatch(answer["clause"])
        assert "after" not in answer or 0 < answer["after"] < number
    return answers


def is_event(line: bytes) -> bool:
    """Whether a line could be an event at all: a JSON object that says which."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and isinstance(told.get("e"), str)


def agree(data: bytes) -> None:
    """A trace judged as a file, block by block, and in lockstep, line by line, comes to the same."""
    lines = written(data)
    together = READERS["trace"](data)
    answers = serve(data)
    for number, (answer, (line, text)) in enumerate(zip(answers, lines, strict=True)):
        header = number > 0 and is_event(text) and json.loads(text)["e"] == "trace"
        if answer.get("ok") is True and not header:  # a header begins anew in lockstep, and is refused in a file
            continue
        if header or "error" in answer:
            assert isinstance(together, Refusal) and together.line == line, f"{answer}, but the file: {together}"
            if not header:
                assert together.partition(": ")[2] == answer["error"].partition(": ")[2]
        else:
            assert isinstance(together, TraceVerdict) and together.deviation is not None, f"{answer}, but the file: {together}"
            found = together.deviation
            assert (found.line, found.clause, list(found.expected)) == (line, answer["clause"], answer["expected"])
        return
    assert isinstance(together, TraceVerdict) and together.deviation is None if lines else isinstance(together, Refusal)


READERS: dict[str, Callable[[bytes], Any]] = {
    "trace": from_file(judge_trace, _trace_fits),
    "kvmmmu": from_file(judge_kernel_trace, _kernel_trace_fits),
    "serve": serve,
    "vectors": from_file(lambda name: list(files.read(Path(name))), _vectors_fit),
}
