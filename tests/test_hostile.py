"""Hostile input: whatever readers are given, they come to an end with a verdict or a clear error, within bounded memory."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refmodel.oracle.trace.events import KINDS
from refmodel.oracle.trace.telling import lines
from tests.fuzz.readers import READERS
from tests.test_traces import LAWFUL, UNLAWFUL

ROOT = Path(__file__).parent.parent
TRACES = [*LAWFUL.values(), *(told for _, told in UNLAWFUL.values())]
KERNEL = (ROOT / "tests" / "data" / "kvmmmu.txt").read_bytes()
VECTOR = json.dumps({
    "id": "x", "kind": "guest", "clauses": ["EQV-2"], "because": "a path", "cpu": {"cr3": "0x2000", "levels": 4}, "second": {},
    "address": "0x0", "access": {"write": 1}, "memory": {"0x2000": "0x3"},
    "allowed": [{"end": "#PF", "code": "0x2", "address": "0x0", "flags": {}, "may": {}}]}).encode() + b"\n"
QUIET = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))

VALUES = st.one_of(st.integers(), st.integers(0, 1 << 70), st.none(), st.booleans(), st.text(max_size=5), st.floats(),
                   st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))
FIELDS = sorted({field for cls in KINDS.values() for field in cls.__struct_fields__})
EVENTS = st.builds(lambda kind, fields: {"e": kind, **fields}, st.sampled_from(sorted(KINDS)),
                   st.dictionaries(st.sampled_from(FIELDS), st.one_of(st.integers(0, 5), VALUES), max_size=8))
"""Events with fields of any event's, of any type."""


REQUIRED = {"gpa", "value", "gfn", "mfn", "writable", "with_vm", "with_gfn", "slot", "to_vm", "to_gfn", "actual", "gva", "bytes"}
OPTIONAL = {"vm", "mfn", "keep", "fault", "cr3", "references"}


def good(kind: str) -> st.SearchStrategy[dict[str, object]]:
    """An event that is well formed, in any order with others: what is wrong with it is what it says."""
    small = st.integers(0, 3)
    values: dict[str, st.SearchStrategy[object]] = {
        "gpa": st.builds(lambda gfn, word: gfn << 12 | word << 3, small, small), "gva": st.integers(0, 1 << 48),
        "writable": st.booleans(), "keep": st.booleans(), "bytes": st.integers(0, 1 << 20)}
    fields = {field: values.get(field, small) for field in KINDS[kind].__struct_fields__}
    return st.builds(lambda required, optional: {"e": kind, **optional, **required},
                     st.fixed_dictionaries({f: v for f, v in fields.items() if f in REQUIRED}),
                     st.fixed_dictionaries({}, optional={f: v for f, v in fields.items() if f in OPTIONAL}))


GOOD = st.lists(st.one_of([good(kind) for kind in sorted(KINDS) if kind not in ("trace", "gap", "abort")]), max_size=30)


@QUIET
@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300))
def test_any_bytes(reader: str, data: bytes) -> None:
    READERS[reader](data)


@QUIET
@given(st.lists(EVENTS, max_size=6))
def test_events_with_fields_of_any_type(events: list[dict[str, object]]) -> None:
    data = b"\n".join(json.dumps(event).encode() for event in events)
    READERS["trace"](data)
    READERS["serve"](data)


@settings(QUIET, max_examples=400)
@given(st.sampled_from([{}, {"start": "power-on"}, {"flushes": "told"},
                        {"start": "power-on", "flushes": "told", "silent": ["break"]}]), GOOD)
def test_well_formed_events_in_any_order(header: dict[str, object], events: list[dict[str, object]]) -> None:
    READERS["serve"](lines([{"e": "trace", **header}, *events]))
    READERS["trace"](lines([{"e": "trace", **header}, *events]))


@QUIET
@given(st.sampled_from(TRACES), st.randoms(use_true_random=False))
def test_traces_cut_shuffled_doubled_and_spliced(trace: tuple[dict[str, object], ...], draw: random.Random) -> None:
    told = [*trace, *draw.choice(TRACES)]
    kind = draw.randrange(5)
    if kind == 0:
        draw.shuffle(told)
    elif kind == 1:
        told += told
    data = lines([{**event, "seq": number} for number, event in enumerate(told)] if draw.random() < 0.3 else list(told))
    if kind == 2:
        data = data[:draw.randrange(len(data))]
    elif kind == 3:
        at = draw.randrange(len(data))
        data = data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at:]
    for packed in (data, gzip.compress(data)[:draw.randrange(20, 2000)], zstandard.compress(data)[:draw.randrange(20, 2000)]):
        READERS["trace"](packed)
    READERS["serve"](data)


@QUIET
@given(st.sampled_from([("kvmmmu", KERNEL[:6000]), ("vectors", VECTOR * 2)]), st.randoms(use_true_random=False))
def test_other_files_with_bytes_changed(what: tuple[str, bytes], draw: random.Random) -> None:
    reader, data = what
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 6)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    READERS[reader](bytes(changed[:draw.randrange(1, len(changed) + 1)]))


def measured(code: str, limit_mb: int = 700) -> subprocess.CompletedProcess[str]:
    """A process that may not take more memory than this."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit_mb} << 20,) * 2)\n{code}"
    return subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, timeout=200, check=False, cwd=ROOT)


@pytest.mark.parametrize("packed", [False, True])
def test_a_gigabyte_without_a_line_is_refused_in_little_memory(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "t"
    if packed:
        file.write_bytes(zstandard.compress(b'{"e":"load","gpa":' + b"1" * (1 << 30)))
    else:
        with file.open("wb") as out:
            out.truncate(1 << 30)
    done = measured(f"""
from refmodel.oracle.trace.judge import judge_trace
try:
    judge_trace({str(file)!r})
except Exception as why:
    print(type(why).__name__, why)
""")
    assert done.stdout.startswith("BadDesign") and "t:1: longer than" in done.stdout, done.stdout + done.stderr


def test_memory_is_bounded_however_much_of_it_is_told(tmp_path: Path) -> None:
    """A trace of two million words: the first are forgotten, which is said."""
    file = tmp_path / "t.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        for first in range(0, 2_000_000, 10_000):
            out.write(b"".join(b'{"e":"store","gpa":%d,"value":1}\n' % (8 * n) for n in range(first, first + 10_000)))
    done = measured(f"""
from refmodel.oracle.trace.judge import judge_trace
verdict = judge_trace({str(file)!r})
print(verdict.events, verdict.deviation, verdict.notes)
""")
    assert done.stdout.startswith("2000000 None") and "forgotten" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="Atheris is not installed")
@pytest.mark.parametrize("reader", sorted(READERS))
def test_atheris_finds_no_crash(reader: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    seeds = {"kvmmmu": [KERNEL[:1500]], "vectors": [VECTOR]}.get(reader, [lines(list(trace)) for trace in TRACES])
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    flags = ["-max_total_time=8", "-timeout=20", "-rss_limit_mb=8000", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run([sys.executable, "-m", "tests.fuzz.atheris_readers", reader, str(corpus), *flags], cwd=ROOT,
                          capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
