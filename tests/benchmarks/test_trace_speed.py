"""How fast traces are judged, beside what merely reads them: the parser alone, and awk counting events by kind.

Run with -m slow -s. Figures are ratios of one run; nothing is asserted but that everybody saw the same events.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from refmodel.oracle.trace.judge import judge_trace
from refmodel.oracle.trace.table import ANY
from tests.benchmarks.monitor import Monitor, lines

EVENTS = 1_000_000


def told(pages: int) -> Iterator[bytes]:
    """A guest that loads what it stored, over so many pages."""
    draw, memory = random.Random(1), dict[int, int]()
    yield b'{"e":"trace","start":"power-on"}\n'
    for gfn in range(pages):
        yield b'{"e":"populate","vm":0,"gfn":%d,"mfn":%d}\n' % (gfn, gfn + 100)
    for _ in range(EVENTS - pages - 1):
        gpa = draw.randrange(pages * 512) * 8
        if gpa in memory and draw.random() < 0.5:
            yield b'{"e":"load","vm":0,"cpu":0,"gpa":%d,"value":%d}\n' % (gpa, memory[gpa])
        else:
            memory[gpa] = draw.getrandbits(32)
            yield b'{"e":"store","vm":0,"cpu":0,"gpa":%d,"value":%d}\n' % (gpa, memory[gpa])


def timed(run: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best


@pytest.mark.slow
@pytest.mark.benchmark
def test_a_million_events(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(told(64)))
    ours = timed(lambda: judge_trace(str(file)))
    decoder = msgspec.json.Decoder(ANY)
    data = file.read_bytes()
    parsed = timed(lambda: decoder.decode_lines(data))
    print(f"\njudged {EVENTS / ours:,.0f} events a second; the parser alone {EVENTS / parsed:,.0f}: {parsed / ours:.2f} of it")
    count = 'match($0, /"e":"[a-z_]+"/) { n[substr($0, RSTART + 5, RLENGTH - 6)]++ } END { for (k in n) s += n[k]; print s }'
    for awk in ("mawk", "gawk", "busybox"):
        if shutil.which(awk) is None:
            print(f"{awk} is not installed")
            continue
        command = [awk, *(["awk"] if awk == "busybox" else []), count, str(file)]
        seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert int(float(seen)) == EVENTS
        theirs = timed(lambda command=command: subprocess.run(command, capture_output=True, check=True))  # type: ignore[misc]
        print(f"{awk} counts {EVENTS / theirs:,.0f} a second: judging is {theirs / ours:.2f} times as fast")


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.parametrize("pages", [64, 2048])
def test_the_memory_that_a_million_events_take(pages: int, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(told(pages)))
    code = f"""
from pathlib import Path
from refmodel.oracle.trace.judge import judge_trace
verdict = judge_trace({str(file)!r})
assert verdict.events == {EVENTS} and verdict.deviation is None
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"\na million events over {pages:,} pages: {int(done.stdout) >> 10:,} MB at most")
    assert int(done.stdout) >> 10 < 300


@pytest.mark.slow
@pytest.mark.benchmark
def test_a_monitors_events(tmp_path: Path) -> None:
    """Monitor events, not accesses, are what a monitor's trace is made of: that is the figure to raise."""
    number = 200_000
    file = tmp_path / "trace.jsonl"
    with file.open("wb") as out:
        out.writelines(lines(Monitor(1), number))
    began = time.process_time()
    verdict = judge_trace(str(file))
    ours = time.process_time() - began
    assert verdict.deviation is None and verdict.events == number
    decoder = msgspec.json.Decoder(ANY)
    data = file.read_bytes()
    parsed = timed(lambda: decoder.decode_lines(data))
    print(f"\njudged {number / ours:,.0f} events of a monitor a CPU second; the parser alone {number / parsed:,.0f}")
