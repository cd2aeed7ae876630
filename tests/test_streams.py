"""Standard streams that are closed, and traces compressed in every way in which they are met."""

import bz2
import lzma
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from refmodel.language import BadDesign
from refmodel.oracle.trace.judge import judge_trace

FIRST = b'{"e":"trace","start":"power-on"}\n{"e":"populate","gfn":0,"mfn":0}\n'
SECOND = b'{"e":"load","gpa":0,"value":1}\n'
SKIPPED = b"\x5a\x2a\x4d\x18\x04\x00\x00\x00size"


@pytest.mark.parametrize(
    "closed, status, said",
    [("<&-", 2, "refmodel: -: no events"), (">&-", 1, ""), ("2>&-", 1, "breaks EQV-1"), ("<&- >&- 2>&-", 2, "")],
)
@pytest.mark.one_in(2)
def test_a_standard_stream_may_be_closed(closed: str, status: int, said: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_bytes(FIRST + SECOND)
    what = "-" if closed.startswith("<") else str(trace)
    done = subprocess.run(
        f'"{sys.executable}" -m refmodel.cli judge "{what}" {closed}',
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status and said in done.stdout + done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["judge trace.jsonl", "judge trace.jsonl --json", "judge trace.jsonl 2>&1", "judge missing 2>&1"]
)
@pytest.mark.one_in(2)
def test_what_nobody_reads_is_no_verdict(command: str, tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_bytes(FIRST)
    script = f'set -o pipefail; "{sys.executable}" -m refmodel.cli {command} | true; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.stdout.strip() == ("2" if "missing" in command else "130") and "Traceback" not in done.stderr


@pytest.mark.parametrize("parts", [(SKIPPED, FIRST, SECOND), (FIRST, SKIPPED, SECOND, SKIPPED), (SKIPPED, SKIPPED, FIRST + SECOND)])
def test_frames_that_zstd_skips_are_skipped(parts: tuple[bytes, ...], tmp_path: Path) -> None:
    trace = tmp_path / "trace.zst"
    trace.write_bytes(b"".join(part if part is SKIPPED else zstandard.compress(part) for part in parts))
    verdict = judge_trace(str(trace))
    assert verdict.deviation is not None and verdict.deviation.line == 3


@pytest.mark.parametrize("how, data", [("xz", lzma.compress(FIRST)), ("bzip2", bz2.compress(FIRST))])
def test_a_compression_that_is_not_read_is_named(how: str, data: bytes, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_bytes(data)
    with pytest.raises(BadDesign, match=f"is compressed by {how}; expected gzip, zstd or plain text"):
        judge_trace(str(trace))
