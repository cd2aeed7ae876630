"""One long trace is cut at its gaps, and judged in pieces to the same verdict."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import attrs
import pytest

from refmodel.engines.spread import Where
from refmodel.language import BadDesign
from refmodel.oracle.trace.cutting import cut, judge_in_pieces
from refmodel.oracle.trace.judge import judge_trace
from refmodel.oracle.trace.verdicts import TraceVerdict
from tests.benchmarks.monitor import Monitor

LASTING = {"report", "dma_map", "dma_write", "dma_read"}
"""Kinds of events that no gap ends, or that are about what those say."""


def written(file: Path, defect: str = "", bad: bool = False) -> str:
    """A trace with gaps in it."""
    draw = random.Random(1)
    monitor = Monitor(1, vms=2, pages=512, defect=defect, after=3000)
    told: list[dict[str, Any]] = [event for event in monitor.events(6200) if event["e"] not in LASTING]
    for at in sorted((draw.randrange(500, 5900) for _ in range(12)), reverse=True):
        told[at:at] = [{"e": "gap"}]
    if bad:
        told[4000] = {"e": "load"}
    file.write_bytes(b"".join(json.dumps(event).encode() + b"\n" for event in told))
    return str(file)


def timeless(verdict: TraceVerdict) -> TraceVerdict:
    return attrs.evolve(verdict, seconds=0)


@pytest.mark.parametrize("defect", ["", "a frame given to two pages", "data that nobody wrote"])
def test_the_verdict_is_the_same_in_pieces(defect: str, tmp_path: Path) -> None:
    name = written(tmp_path / "trace.jsonl", defect)
    assert len(cut(name, 8)) > 4
    assert timeless(judge_in_pieces(name, Where())) == timeless(judge_trace(name))


def test_so_it_is_with_processes(tmp_path: Path) -> None:
    name = written(tmp_path / "trace.jsonl", "data that nobody wrote")
    assert timeless(judge_in_pieces(name, Where(2))) == timeless(judge_trace(name))


def test_pieces_are_the_whole_file_and_begin_at_gaps(tmp_path: Path) -> None:
    name = written(tmp_path / "trace.jsonl")
    pieces, data = cut(name, 8), (tmp_path / "trace.jsonl").read_bytes()
    assert b"".join(data[piece.start : piece.end] for piece in pieces) == data
    for piece in pieces[1:]:
        assert json.loads(data[piece.start :].partition(b"\n")[0]) == {"e": "gap"}
        assert data[: piece.start].count(b"\n") == piece.line - 1


def test_what_is_no_event_is_said_with_its_line(tmp_path: Path) -> None:
    name = written(tmp_path / "trace.jsonl", bad=True)
    told = []
    for judge in (judge_trace, lambda name: judge_in_pieces(name, Where())):
        with pytest.raises(BadDesign) as why:
            judge(name)
        told.append(str(why.value))
    assert told[0] == told[1]


@pytest.mark.parametrize("first", [b'{"e":"load","gpa":0,"value":1,"seq":1}', b'{"e":"trace","order":"cpu"}', b"\x1f\x8b"])
def test_some_traces_are_not_cut(first: bytes, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(first + b'\n{"e":"gap"}\n{"e":"load","gpa":0,"value":1}\n')
    assert cut(str(tmp_path / "t"), 8) == [] and cut("-", 8) == []


@pytest.mark.parametrize(
    "told",
    [
        '{"e":"grant","gfn":0,"to_vm":1,"to_gfn":5,"writable":true}',
        '{"e":"alias","gfn":0,"of_gfn":5}',
        '{"e":"convert","gfn":0,"private":true}',
        '{"e":"report","gfn":0}',
        '{"e":"inflate","gfn":0,"touchable":true}',
        '{"e":"dma_map","gfn":0,"mfn":1}',
    ],
)
def test_a_trace_is_not_cut_after_what_no_gap_ends(told: str, tmp_path: Path) -> None:
    lines = ['{"e":"populate","gfn":0,"mfn":1}', '{"e":"gap"}', '{"e":"load","gpa":0,"value":0}', '{"e":"gap"}']
    (tmp_path / "plain").write_text("\n".join(lines) + "\n")
    (tmp_path / "lent").write_text("\n".join([told, *lines]) + "\n")
    assert len(cut(str(tmp_path / "plain"), 16)) > 1
    assert len(cut(str(tmp_path / "lent"), 16)) == 1


HOLES = [{"e": "hole", "gpa": 0}] * 20
BLANK = [
    (
        {"e": "trace", "start": "power-on", "silent": ["store"]},
        [{"e": "ram", "gpa": 0, "bytes": 4096}, {"e": "load", "gpa": 0, "value": 5}],
    ),
    (
        {"e": "trace", "start": "power-on", "flushes": "told"},
        [
            {"e": "populate", "gfn": 1, "mfn": 5},
            {"e": "map", "gfn": 1, "mfn": 5, "writable": True},
            {"e": "unmap", "gfn": 1},
            {"e": "inflate", "gfn": 1},
        ],
    ),
]


@pytest.mark.parametrize("header, after", BLANK)
@pytest.mark.parametrize("blank", ["", "\n", " \r\n\n"])
def test_every_piece_goes_by_the_header(
    header: dict[str, object], after: list[dict[str, object]], blank: str, tmp_path: Path
) -> None:
    """Also where blank lines come before it."""
    file = tmp_path / "trace.jsonl"
    file.write_text(blank + "".join(json.dumps(each) + "\n" for each in [header, *HOLES, {"e": "gap"}, *after]))
    whole, pieces = judge_trace(str(file)), judge_in_pieces(str(file), Where(2))
    found = [done.deviation and (done.deviation.line, done.deviation.clause) for done in (whole, pieces)]
    assert len(cut(str(file), 8)) > 1 and found[0] == found[1]
    assert (found[0] is None) == ("silent" in header)


@pytest.mark.parametrize("late", [b'{"e":"hole","gpa":0,"seq":5}', b'{"e":"gr\\u0061nt","gfn":0,"to_vm":1,"to_gfn":0}'])
def test_what_comes_late_keeps_a_trace_whole(late: bytes, tmp_path: Path) -> None:
    """Numbers of events, and escapes that may spell anything, are looked for in the whole file."""
    file, hole = tmp_path / "trace.jsonl", b'{"e":"hole","gpa":0}\n'
    file.write_bytes(hole * 40_000 + b'{"e":"gap"}\n' + hole * 10_000 + late + b"\n")
    assert cut(str(file), 8) == []
