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

from refmodel.oracle.trace.judge import Judge, judge_trace
from refmodel.oracle.trace.reading import Source
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
from refmodel.oracle.trace.judge import Judge, judge_trace
from refmodel.oracle.trace.reading import Source
verdict = judge_trace({str(file)!r})
assert verdict.events == {EVENTS} and verdict.deviation is None
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"\na million events over {pages:,} pages: {int(done.stdout) >> 10:,} MB at most")
    assert int(done.stdout) >> 10 < 300


PARSER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the kind, the VM, the page, the frame and the address of every event, and adds them up. */
static unsigned long number(const char *line, const char *field)
{
    const char *found = strstr(line, field);
    return found ? strtoul(found + strlen(field), NULL, 10) : 0;
}

int main(void)
{
    static char line[1 << 20];
    unsigned long events = 0, sum = 0;
    while (fgets(line, sizeof line, stdin)) {
        events += !strncmp(line, "{\"e\":\"", 6);
        sum += number(line, "\"vm\":") + number(line, "\"gfn\":") + number(line, "\"mfn\":") + number(line, "\"gpa\":");
    }
    printf("%lu\n", events);
    return sum == 0;
}
"""


@pytest.mark.slow
@pytest.mark.benchmark
def test_a_monitors_events(tmp_path: Path) -> None:
    """Monitor events, not accesses, are what a monitor's trace is made of: that is the figure to raise."""
    number = 400_000
    file = tmp_path / "trace.jsonl"
    with file.open("wb") as out:
        out.writelines(lines(Monitor(1), number))
    seconds = {}
    for how in (True, False):
        judge, source = Judge(str(file), steps_too=how), Source(str(file))
        began = time.process_time()
        assert all(judge.block(first, block) is None for first, block in source.blocks()) and judge.events == number
        seconds[how] = time.process_time() - began
    print(
        f"\njudged {number / seconds[True]:,.0f} events of a monitor a CPU second, {seconds[False] / seconds[True]:.1f} times as "
        "many as without steps"
    )
    decoder = msgspec.json.Decoder(ANY)
    data = file.read_bytes()
    parsed = timed(lambda: decoder.decode_lines(data))
    print(f"decoding alone: {number / parsed:,.0f} a second, {seconds[True] / parsed:.1f} times as fast")
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    (tmp_path / "parse.c").write_text(PARSER)
    subprocess.run(["gcc", "-O2", "-o", str(tmp_path / "parse"), str(tmp_path / "parse.c")], check=True)
    with file.open("rb") as given:
        assert int(subprocess.run([str(tmp_path / "parse")], stdin=given, capture_output=True, check=True).stdout) == number

    def parse() -> None:
        with file.open("rb") as given:
            subprocess.run([str(tmp_path / "parse")], stdin=given, capture_output=True, check=True)

    theirs = timed(parse)
    print(f"a C program that reads five fields: {number / theirs:,.0f} a second, {seconds[True] / theirs:.1f} times as fast")
