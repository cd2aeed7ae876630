"""One question, one small model, three engines: ours from the natural text, SPIN, and Rumur.

State counts must agree. Whole-process wall time, compiling included. SPIN counts every state; Rumur and ours count classes
of states that differ in names only (Rumur exactly so with exhaustive symmetry reduction, which is slower than its default).
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refmodel.engines.random import campaign
from refmodel.language import outline
from tests.benchmarks.small_monitor import SmallMonitor, rumur_model, spin_model

pytestmark = [pytest.mark.slow, pytest.mark.benchmark]

OURS = """
from refmodel.engines.exhaustive import explore
from refmodel.language import geometry, outline
from tests.benchmarks.small_monitor import SmallMonitor
e = explore(outline(SmallMonitor), geometry(Vm={0}, Gfn={1}, Mfn={2}, Data=2))
assert e.failure is None and e.complete
print(e.states, e.classes)
"""

needs_rumur = pytest.mark.skipif(not (shutil.which("rumur") and shutil.which("gcc")), reason="apt-get install rumur gcc")
needs_spin = pytest.mark.skipif(not (shutil.which("spin") and shutil.which("gcc")), reason="apt-get install spin gcc")


def ours(size: tuple[int, int, int]) -> tuple[float, int, int]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", OURS.format(*size)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    states, classes = map(int, done.stdout.split())
    return time.perf_counter() - began, states, classes


def rumur(size: tuple[int, int, int], folder: Path, *options: str) -> tuple[float, int]:
    began = time.perf_counter()
    (folder / "model.m").write_text(rumur_model(*size, 2))
    subprocess.run(["rumur", *options, "--output", "model.c", "model.m"], cwd=folder, check=True)
    subprocess.run(
        ["gcc", "-std=c11", "-O3", "-march=native", "-mcx16", "-w", "-o", "model", "model.c", "-lpthread", "-latomic"],
        cwd=folder,
        check=True,
    )
    said = subprocess.run(["./model"], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert "No error found" in said
    found = re.search(r"(\d+) states, \d+ rules fired in \d+s\.\s*$", said)
    assert found, said
    return time.perf_counter() - began, int(found[1])


def spin(size: tuple[int, int, int], folder: Path) -> tuple[float, int]:
    began = time.perf_counter()
    (folder / "model.pml").write_text(spin_model(*size, 2))
    subprocess.run(["spin", "-a", "model.pml"], cwd=folder, check=True, capture_output=True)
    subprocess.run(["gcc", "-O2", "-DSAFETY", "-DMEMLIM=16000", "-w", "-o", "pan", "pan.c"], cwd=folder, check=True)
    said = subprocess.run(["./pan", "-m5000000", "-w26"], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert "errors: 0" in said and "too small" not in said, said
    found = re.search(r"(\d+) states, stored", said)
    assert found, said
    return time.perf_counter() - began, int(found[1])


@needs_rumur
@needs_spin
def test_counts_agree_exactly(tmp_path: Path) -> None:
    size = (2, 2, 3)
    _, states, classes = ours(size)
    assert states == spin(size, tmp_path)[1]
    assert classes == rumur(size, tmp_path, "--symmetry-reduction", "exhaustive")[1]


@needs_spin
def test_many_times_as_fast_as_spin(tmp_path: Path) -> None:
    """SPIN's compiler is in its time, and ours in ours; the code that we keep is made beforehand, as a second run finds it."""
    size = (2, 2, 4)
    ours(size)
    mine, states, _ = ours(size)
    theirs, counted = spin(size, tmp_path)
    print(f"\n2x2x4: ours {mine:.1f} s, SPIN {theirs:.1f} s, {states:,} states")
    assert states == counted
    assert mine <= theirs / 80


@needs_rumur
@pytest.mark.parametrize(("size", "share"), [((2, 2, 4), 1 / 5), ((2, 3, 3), 1 / 30)])
def test_many_times_as_fast_as_rumur(size: tuple[int, int, int], share: float, tmp_path: Path) -> None:
    ours(size)
    mine, _, classes = ours(size)
    theirs, counted = rumur(size, tmp_path)
    print(f"\n{size}: ours {mine:.1f} s ({classes:,} classes), Rumur {theirs:.1f} s ({counted:,} states)")
    assert mine <= theirs * share


def test_random_steps_a_second() -> None:
    """Nothing of SPIN's or Rumur's draws like this: the figure is printed, and compared with rule-by-rule Hypothesis."""
    design = outline(SmallMonitor)
    walked = campaign(design, SmallMonitor.geometry, seconds=5)
    assert walked.failure is None
    print(f"\nrandom runs: {walked.steps / walked.seconds:,.0f} steps a second")
    assert walked.steps / walked.seconds > 100 * rules_a_second()


def rules_a_second() -> float:
    from hypothesis import HealthCheck, settings
    from hypothesis.stateful import run_state_machine_as_test

    from refmodel.engines.rule_machine import rule_machine

    machine = rule_machine(outline(SmallMonitor), SmallMonitor.geometry)
    began = time.perf_counter()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20, stateful_step_count=30, database=None, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    return 20 * 30 / (time.perf_counter() - began)
