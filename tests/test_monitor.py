"""A correct monitor's trace is lawful, and each thing that it does wrong is found, by the clause that it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from refmodel.oracle.trace.judge import Judge, judge_trace
from tests.benchmarks.monitor import DEFECTS, Monitor, lines


@pytest.mark.parametrize("seed", range(3))
def test_a_monitor_that_restores_logs_and_does_dma_is_lawful(seed: int) -> None:
    monitor = Monitor(seed, pages=1024)
    assert Judge("monitor").block(1, b"".join(lines(monitor, 8000))) is None


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.one_in(3)
def test_what_a_monitor_does_wrong_is_found(defect: str, seed: int) -> None:
    monitor = Monitor(seed, pages=1024, defect=defect, after=1500)
    found = Judge("monitor").block(1, b"".join(lines(monitor, 12_000)))
    assert not monitor.defect, "it was never done"
    assert found is not None and found.clause in DEFECTS[defect], found


@pytest.mark.slow
def test_a_million_events_of_a_correct_monitor_are_lawful(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    with file.open("wb") as out:
        out.writelines(lines(Monitor(1), 1_000_000))
    verdict = judge_trace(str(file))
    assert verdict.deviation is None and verdict.events == 1_000_000
