"""One long trace judged in pieces: it is cut where nothing that came before is relied on, at its gaps.

The verdict is the one that judging the whole gives: whatever a judge knows is forgotten at a gap.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import msgspec

from refmodel.engines.spread import Where, spread
from refmodel.language import BadDesign
from refmodel.language.unsound import UNDECODABLE
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.judge import Judge, judge_trace
from refmodel.oracle.trace.reading import BLOCK, LONGEST, MAGIC
from refmodel.oracle.trace.table import ANY
from refmodel.oracle.trace.verdicts import UNHELD, Deviation, TraceVerdict, note_of_unheld

PIECES = 4
"""Pieces for each process: some take longer than others."""


@attrs.frozen
class Piece:
    """Bytes of a file, and the number of the first line among them."""

    start: int
    end: int
    line: int


@attrs.frozen
class Judged:
    """What judging one piece came to."""

    events: int
    judged: int
    gaps: int
    unheld: int
    met: dict[str, int]
    notes: tuple[str, ...]
    deviation: Deviation | None


def judge_in_pieces(name: str, where: Where) -> TraceVerdict:
    """Judge a file, in as many pieces as it has gaps and there are processes for. Raises ``BadDesign`` as ``judge_trace`` does."""
    pieces = cut(name, PIECES * max(where.jobs, 2))
    if len(pieces) < 2:
        return judge_trace(name)
    began, events, judged, gaps, unheld = time.perf_counter(), 0, 0, 0, 0
    met, notes, deviation = Counter[str](), list[str](), None
    for done in spread(partial(_judge, name), pieces, where):
        events, judged, gaps = events + done.events, judged + done.judged, gaps + done.gaps
        unheld += done.unheld
        met.update(done.met)
        notes += done.notes
        if done.deviation is not None:
            deviation = done.deviation
            break
    counted = {"gaps": gaps}
    if unheld:
        counted[UNHELD] = unheld
        notes.append(note_of_unheld(unheld, met["access"]))
    return TraceVerdict(name, events, time.perf_counter() - began, deviation, tuple(notes), judged, counted, dict(met))


def cut(name: str, most: int) -> list[Piece]:
    """The pieces of a file; none where it cannot be cut: it is standard input or compressed, its events are numbered, an escape may
    spell any field, only each CPU's order is known, or it has no gaps. It is not cut any more where something is told that no
    gap ends."""
    if name == "-" or not Path(name).is_file():
        return []
    header = _header(name)
    if header is not None and header[1].order != "total":
        return []
    size = Path(name).stat().st_size
    pieces, start, first = [], 0, 1
    try:
        for offset, line in _gaps(name):
            if offset - start >= size // most and offset > 0:
                pieces.append(Piece(start, offset, first))
                start, first = offset, line
    except Whole:
        return []
    return [*pieces, Piece(start, size, first)]


def _header(name: str) -> tuple[bytes, e.Header] | None:
    """The first line that is not blank, if it is a header."""
    with Path(name).open("rb") as stream:
        line = stream.readline(LONGEST)
        while line and not line.strip():
            line = stream.readline(LONGEST)
    try:
        found = msgspec.json.decode(line, type=ANY)
    except UNDECODABLE:
        return None
    return (line, found) if isinstance(found, e.Header) else None


class Whole(Exception):
    """A file is not to be cut."""


LASTING = (
    b'"grant"',
    b'"alias"',
    b'"convert"',
    b'"report"',
    b'"touchable"',
    b'"dma_map"',
    b'"dma_unmap"',
    b'"amd"',
    b'"physical_bits"',
    b'"gigabyte_pages"',
)
"""What no gap ends (``Knowledge.lose``): pages that were lent, or reported as free, VMs that have private pages, a balloon that
they may touch, or devices behind the IOMMU, and what processors are like."""


def _gaps(name: str) -> Iterator[tuple[int, int]]:
    """Where a line is that tells of a gap, and its number. Raises ``Whole``."""
    offset, number, rest, granted = 0, 1, b"", False
    with Path(name).open("rb") as stream:
        while data := stream.read(BLOCK):
            if offset == 0 and any(data.startswith(magic) for magic in MAGIC):
                raise Whole
            whole, newline, after = (rest + data).rpartition(b"\n")
            if len(after) > LONGEST or b'"seq"' in whole or b"\\" in whole:
                raise Whole
            granted = granted or any(word in whole for word in LASTING)
            if b'"gap"' in whole and not granted:
                at = offset
                for by, line in enumerate(whole.split(b"\n")):
                    if b'"gap"' in line and _is_gap(line):
                        yield at, number + by
                    at += len(line) + 1
            offset += len(whole) + len(newline)
            number += whole.count(b"\n") + len(newline)
            rest = after
    if b'"seq"' in rest or b"\\" in rest:
        raise Whole


def _is_gap(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line, type=ANY), e.Gap)
    except UNDECODABLE:
        return False


def _judge(name: str, piece: Piece) -> Judged:
    """Judge a piece, to its end or to the first event that deviates."""
    judge, deviation = Judge(name), None
    header = _header(name) if piece.start else None
    if header is not None:
        judge.one(1, header[1], header[0])
    with Path(name).open("rb") as stream:
        stream.seek(piece.start)
        for first, block in _blocks(name, stream.read, piece):
            deviation = judge.block(first, block, not block.endswith(b"\n"))
            if deviation is not None:
                break
    verdict, again = judge.verdict(0, deviation), int(header is not None)
    met = Counter(verdict.met)
    met["trace"] -= again
    notes, unheld = tuple(judge.notes), judge.knowledge.unheld  # what is not judged of all pieces is told once
    return Judged(verdict.events - again, verdict.judged, judge.gaps, unheld, dict(+met), notes, deviation)


def _blocks(name: str, read: Callable[[int], bytes], piece: Piece) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a piece, about a block at a time, each with the number of its first line."""
    line, rest, left = piece.line, b"", piece.end - piece.start
    while left and (data := read(min(BLOCK, left))):
        left -= len(data)
        whole, newline, after = (rest + data).rpartition(b"\n")
        rest = after
        if newline:
            yield line, whole + newline
            line += whole.count(b"\n") + 1
        if len(rest) > LONGEST:
            raise BadDesign(f"{name}:{line}: longer than {LONGEST:,} bytes; expected one event, a JSON object, a line")
    if rest:
        yield line, rest
