"""Work that is shared: the same answers whoever works, and whoever dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from refmodel.cli.common import _address
from refmodel.engines import induction
from refmodel.engines import spread as spreading
from refmodel.engines.judgements import INITIAL
from refmodel.engines.spread import Where, spread
from refmodel.language import BadDesign
from refmodel.language.design import Outline, outline
from refmodel.oracle.trace.telling import lines
from tests.commands import refmodel as command
from tests.designs import small

ROOT = Path(__file__).parent.parent
OWN = f"{ROOT}/refmodel/examples/zap.py:ZapLazily"


def square(number: int) -> int:
    return number * number


def dies_once(folder: str, number: int) -> int:
    """The first worker that is given 5 dies of it."""
    there = Path(folder) / "died"
    if number == 5 and not there.exists():
        there.write_text("")
        os._exit(1)
    return number


def dies(number: int) -> int:
    if number == 2:
        os._exit(1)
    return number


def fails(number: int) -> int:
    raise BadDesign(f"no good: {number}")


@contextmanager
def dask(workers: int = 2) -> Iterator[str]:
    """A scheduler and workers, as processes of their own."""
    pytest.importorskip("distributed", reason="Dask is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, environment = f"tcp://127.0.0.1:{port}", {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet: dict[str, Any] = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "env": environment,
        "start_new_session": True,
    }
    scheduler = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-dashboard",
    ]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    running = [subprocess.Popen(scheduler, **quiet), *(subprocess.Popen(worker, **quiet) for _ in range(workers))]
    try:
        yield _answering(address, workers)
    finally:
        for process in reversed(running):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def _answering(address: str, workers: int) -> str:
    from distributed import Client

    until = time.monotonic() + 60
    while True:
        try:
            with Client(address, timeout=5, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=60)
                return address
        except (OSError, TimeoutError):
            if time.monotonic() > until:
                raise


def groups(number: int) -> list[int]:
    """The process group of this process, and of those that work for it."""
    return [os.getpgid(0), *spread(group, range(number), Where(2))]


def group(number: int) -> int:
    return os.getpgid(0)


def test_who_works_for_a_worker_ends_with_it() -> None:
    for own, *others in spread(groups, [2, 2], Where(2)):
        assert own != os.getpgid(0) and others == [own, own]


def test_answers_come_in_order_whoever_works() -> None:
    due = [n * n for n in range(20)]
    for jobs in (1, 2, 3):
        assert list(spread(square, range(20), Where(jobs))) == due


def test_a_worker_that_dies_loses_nothing_but_time(tmp_path: Path) -> None:
    assert list(spread(partial(dies_once, str(tmp_path)), range(9), Where(2))) == list(range(9))
    assert (tmp_path / "died").exists()


def test_work_that_kills_whoever_tries_is_given_up() -> None:
    with pytest.raises(BadDesign, match="died of the same work"):
        list(spread(dies, range(4), Where(2)))


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(BadDesign, match="no good: 0"):
        list(spread(fails, range(4), Where(2)))


def test_nobody_at_an_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "CONNECTING", 1.0)
    pytest.importorskip("distributed", reason="Dask is not installed")
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(BadDesign, match=address):
            list(spread(square, range(4), Where(on=address)))


def refmodel(*arguments: str) -> tuple[int, Any]:
    """The command's status, and its document without what differs each time."""
    done = subprocess.run(
        [sys.executable, "-m", "refmodel.cli", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, _timeless(json.loads(done.stdout))


def _timeless(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _timeless(value) for key, value in document.items() if key not in ("seconds", "covered")}
    return [_timeless(each) for each in document] if isinstance(document, list) else document


@pytest.mark.slow
def test_shared_commands_answer_as_those_that_are_not(tmp_path: Path) -> None:
    traces = []
    for number in range(4):
        told = [{"e": "store", "gpa": 8 * n, "value": n} for n in range(300)]
        told.append({"e": "load", "gpa": 8, "value": 1 + (number == 2)})
        (tmp_path / f"{number}.jsonl").write_bytes(lines(told))
        traces.append(str(tmp_path / f"{number}.jsonl"))
    judged = refmodel("judge", *traces)
    drawn = refmodel("check", OWN, "--engine", "random", "--runs", "400")
    lawful = refmodel("check", "interpreter", "--engine", "random", "--runs", "800")
    explored = refmodel("check", "interpreter", "--engine", "exhaustive", "--fresh")
    assert judged[0] == drawn[0] == 1 and lawful[0] == explored[0] == 0
    with dask() as address:
        for sharing in (["--jobs", "2"], ["--on", address]):
            assert refmodel("judge", *traces, *sharing) == judged
            assert refmodel("check", OWN, "--engine", "random", "--runs", "400", *sharing) == drawn
            assert refmodel("check", "interpreter", "--engine", "random", "--runs", "800", *sharing) == lawful
            assert refmodel("check", "interpreter", "--engine", "exhaustive", "--fresh", *sharing) == explored


@pytest.mark.slow
def test_a_dask_worker_that_dies_loses_nothing_but_time(tmp_path: Path) -> None:
    with dask() as address:
        assert list(spread(partial(dies_once, str(tmp_path)), range(9), Where(on=address))) == list(range(9))
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("deaths", [1, 9])
def test_a_proof_whose_process_dies_is_made_again_and_given_up_if_that_dies_too(
    deaths: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """multiprocessing.Pool waits for ever for what a worker was at that the kernel killed for want of memory."""
    proves = induction.prove_operation

    def killed(design: Outline, name: str, *rest: Any, **more: Any) -> Any:
        if name == "fill" and len(list(tmp_path.iterdir())) < deaths:
            (tmp_path / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return proves(design, name, *rest, **more)

    monkeypatch.setattr(induction, "prove_operation", killed)
    design = outline(small.Pot)
    if deaths == 1:
        done = induction.prove(design, processes=2)
        assert {proof.operation for proof in done.proofs} == {INITIAL, *(op.name for op in design.operations)}
        assert {each.verdict for each in done.judgements()} == {"proved"}
    else:
        with pytest.raises(BadDesign, match="Pot: a process was ended from outside before it had proved fill"):
            induction.prove(design, processes=2)


@pytest.mark.parametrize("address", ["foo", "tcp://", "10.0.0.1", "tcp://host:port", "tcp://host:1 --jobs"])
def test_what_is_no_address_is_refused_before_the_work(address: str) -> None:
    done = command("check", "ept", "--on", address)
    assert done.returncode == 2 and "not the address of a Dask scheduler" in done.stderr and not done.stdout


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "scheduler:8786", "tls://[::1]:8786"])
def test_an_address_is_one(address: str) -> None:
    assert _address(address) == address
