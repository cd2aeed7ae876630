"""Recording a command: start it, sample it until it ends, and put the samples together."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

from refmodel.language import BadDesign
from refmodel.management.recorder import calls
from refmodel.management.recorder.areas import PAGE
from refmodel.management.recorder.likeness import compressed_sizes, patch_sizes
from refmodel.management.recorder.sampling import Sample, Sampler, bitmap
from refmodel.management.recording import MOST_LOOKS, Recording
from refmodel.management.recording import PAGE as EXPECTED_PAGE

SNAPSHOTS = 2
LEAST_SAMPLES = 2
KNOWN = """
import mmap, sys, ctypes
memory = mmap.mmap(-1, 64 * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(64): memory[page * 4096] = page + 1
print(ctypes.addressof(ctypes.c_char.from_buffer(memory)) // 4096, flush=True)
sys.stdin.readline()
for page in (3, 4, 10, 63): memory[page * 4096]
memory[20 * 4096] = 99
memory[21 * 4096] = 22
print("done", flush=True)
sys.stdin.readline()
"""
"""A process whose use of memory is known: of 64 pages it reads four, and writes to two; one of them holds what it held."""
READ, CHANGED, WRITTEN = {3, 4, 10, 63}, {20}, {20, 21}


def record(command: Sequence[str], interval: float, seconds: float, key: str = "", granule: int = 1) -> Recording:
    """A recording of a command, until it ends or for some seconds, and no longer than it can be read again.

    ``BadDesign`` if this machine does not let it be recorded, if the command cannot be started, or if it ends too soon.
    """
    stores = tested()
    secret = key.encode() or secrets.token_bytes(32)
    started = _start(command)
    sampler = Sampler(started.pid, hashlib.blake2b(secret, digest_size=32).digest(), granule, stores=stores)
    samples, until = list[Sample](), time.monotonic() + seconds
    try:
        while started.poll() is None and time.monotonic() < until and (len(samples) + 2) * len(sampler.pages) <= MOST_LOOKS:
            samples.append(sampler.sample())
            time.sleep(interval)
    finally:
        sampler.close()
        _end(started)
    while samples and not any(samples[-1].contents):
        samples.pop()
    if len(samples) < LEAST_SAMPLES:
        raise BadDesign(
            f"{shlex.join(command)}: ended after {len(samples)} samples; expected {LEAST_SAMPLES} or more: a shorter "
            f"--interval, or a command that runs longer"
        )
    return _put_together(command, interval, sampler, samples)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """The command, without transparent huge pages, which it inherits (prctl(2)); this process is as before."""
    prctl = ctypes.CDLL(None).prctl
    before = prctl(calls.PR_GET_THP_DISABLE, 0, 0, 0, 0)
    prctl(calls.PR_SET_THP_DISABLE, 1, 0, 0, 0)
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    except OSError as why:
        raise BadDesign(f"{command[0]}: cannot be started: {why.strerror or why}") from None
    finally:
        prctl(calls.PR_SET_THP_DISABLE, before, 0, 0, 0)


def _end(started: subprocess.Popen[bytes]) -> None:
    """The command and what it started, if they have not ended."""
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGTERM)
        try:
            started.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


def _put_together(command: Sequence[str], interval: float, sampler: Sampler, samples: list[Sample]) -> Recording:
    pages = len(sampler.pages)
    at = sorted({round((part + 1) * len(samples) / SNAPSHOTS) - 1 for part in range(SNAPSHOTS)} - {-1})
    contents = np.zeros((len(at), pages), np.uint32)
    for row, sample in zip(contents, at, strict=True):
        row[: len(samples[sample].contents)] = samples[sample].contents
    data = [page.data for page in sampler.pages]
    stores = "stores to protected pages, and by " if sampler.stores else ""
    made = (
        f"sampled every {interval} s while it ran under Linux {platform.release()} on {platform.machine()}: pages touched by "
        f"the referenced bits of single pages, pages changed by {stores}comparing contents of those touched; stopped while "
        f"looked at"
    )
    key = hashlib.blake2b(sampler.key, digest_size=8, person=b"key").hexdigest()
    return Recording(
        shlex.join(command),
        made,
        interval,
        sampler.granule,
        key,
        np.array([page.owner for page in sampler.pages], np.uint16),
        bitmap([each.touched for each in samples], pages),
        bitmap([each.changed for each in samples], pages),
        tuple(at),
        contents,
        compressed_sizes(data),
        patch_sizes(data),
    )


# ---------------------------------------------------------------- the sources are tested before they are believed


def tested() -> bool:
    """Record a process whose use of memory is known; whether stores can be watched, as its own show.

    ``BadDesign`` says what this machine lacks, or sees wrongly.
    """
    if not calls.is_supported() or PAGE != EXPECTED_PAGE:
        raise BadDesign("recording needs Linux on x86-64, with pages of 4 KiB")
    if _of_the_known_process(stores=True) == (READ | WRITTEN, WRITTEN):
        return True
    touched, changed = _of_the_known_process(stores=False)
    if (touched, changed) != (READ | WRITTEN, CHANGED):
        raise BadDesign(
            f"this kernel does not show what a known process did: of 64 pages it touched {sorted(READ | WRITTEN)} and "
            f"changed {sorted(CHANGED)}, and {sorted(touched)} and {sorted(changed)} were seen"
        )
    return False


def _of_the_known_process(stores: bool) -> tuple[set[int], set[int]]:
    """The pages that a known process touched and changed, as they are seen."""
    with subprocess.Popen([sys.executable, "-c", KNOWN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            return _watched(process, int(process.stdout.readline()), stores)
        finally:
            process.kill()


def _watched(process: subprocess.Popen[str], first: int, stores: bool) -> tuple[set[int], set[int]]:
    assert process.stdin is not None and process.stdout is not None
    sampler = Sampler(process.pid, b"test", stores=stores)
    try:
        with calls.stopped(process.pid):
            pass
    except OSError as why:
        raise BadDesign(f"this machine lets no process be traced, so nothing can be recorded: {why}") from None
    for _ in range(2):
        sampler.sample()
    process.stdin.write("go\n")
    process.stdin.flush()
    process.stdout.readline()
    seen = sampler.sample()
    sampler.close()
    span = {
        number: place[1] - first
        for place, number in sampler.numbers.items()
        if isinstance(place[0], int) and 0 <= place[1] - first < 64
    }
    return {span[n] for n in seen.touched if n in span}, {span[n] for n in seen.changed if n in span}
