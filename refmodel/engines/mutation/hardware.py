"""Mutants of the text that states what is due: the hardware, the bare machine and its control registers.

The theorems about it and the tests of it judge them, in a checkout.
"""

from __future__ import annotations

import importlib
import resource
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import attrs

from refmodel.engines.mutation.campaign import Campaign, Choice, Notice, run
from refmodel.engines.mutation.judging import BY_PROOF, BY_TESTS, NOT_SHOWN, REFUSED, SURVIVED, UNDECIDED, Verdict
from refmodel.engines.mutation.mutants import Mutant
from refmodel.engines.mutation.reasons import Reason
from refmodel.engines.theorems import theorems_of
from refmodel.language.changing import change
from refmodel.language.sources import code_of
from refmodel.language.unsound import BadDesign

NAME = "machine"
"""What the hardware's text is called among the designs that may be mutated."""
SECONDS = 60
"""Seconds of a processor that the tests of one mutant may take: one that takes longer is noticed by that."""


@attrs.frozen
class Witnesses:
    """What judges a file of the hardware: test files, and theorems by how their names begin."""

    tests: tuple[str, ...]
    theorems: tuple[str, ...] = ()


WALKS = ("test_guest_walk.py", "test_second_translations.py")
RISCV_TWO_STAGES = "riscv.two_stages.two_stages_are_the_vs_stage_over_what_the_second_shows(Sv3"
RISCV_WALKS = ("test_riscv_walks.py",)
JUDGES = {
    "bare": Witnesses(("test_bare.py",)),
    "bare_levels": Witnesses(("test_bare_levels.py",)),
    "bare_roles": Witnesses(("test_bare_roles.py",)),
    "mmu.control_registers": Witnesses(("test_bare.py",)),
    "machine.cells": Witnesses(("test_cells.py",), ("x86.entries.walking_bits_is_walking_cells(4)",)),
    "machine.x86.entries": Witnesses(("test_entries.py",), ("x86.entries.",)),
    "machine.words": Witnesses(WALKS, ("x86.guest_walk.", "x86.ept_walk.")),
    "machine.x86.words": Witnesses((*WALKS, "test_entries.py"), ("x86.entries.", "x86.guest_walk.", "x86.ept_walk.")),
    "machine.x86.guest_walk": Witnesses(WALKS, ("x86.guest_walk.",)),
    "machine.x86.ept_walk": Witnesses(WALKS, ("x86.ept_walk.",)),
    "machine.x86.nested_walk": Witnesses(WALKS, ("x86.nested_walk.",)),
    "machine.x86.legacy_walk": Witnesses(("test_legacy_walk.py",), ("x86.legacy_walk.",)),
    "machine.x86.npt_walk": Witnesses(WALKS, ("x86.guest_walk.the_nested_page_walk", "x86.nested_walk.through_npt")),
    "machine.x86.staleness": Witnesses(("test_staleness.py",)),
    "machine.riscv.walk": Witnesses(RISCV_WALKS, ("riscv.walk.the_walk_is_as_declared(Sv3",)),
    "machine.riscv.two_stages": Witnesses(RISCV_WALKS, (RISCV_TWO_STAGES,)),
    "machine.riscv.hart": Witnesses(RISCV_WALKS),
    "machine.riscv.staleness": Witnesses(("test_riscv_staleness.py",)),
    "machine.translation_caches": Witnesses(("test_translation_caches.py",)),
}
"""By module. Where a theorem is of several levels of tables, the one of four levels judges."""
OTHER_LEVELS = "(5)"


def of_machine(
    folder: Path,
    choice: Choice | None = None,
    jobs: int = 1,
    notice: Notice = lambda done, of: None,
    reasons: tuple[Reason, ...] | None = None,
) -> Campaign:
    """Judge the mutants of the hardware's text by the checkout in this folder; ``BadDesign`` if it is none."""
    theorems = theorems_of(folder)
    if not (folder / "tests").is_dir():
        raise BadDesign(f"{folder}: no tests here; run this in a checkout of the repository")
    try:
        importlib.import_module("pytest")
    except ImportError:
        raise BadDesign("mutants of the hardware are judged by tests: pip install 'refmodel[test]'") from None
    return run(NAME, dict.fromkeys(functions()), partial(_judge, folder, theorems), None, choice or Choice(), jobs, notice, reasons)


def functions() -> list[FunctionType]:
    """Every function whose mutants are judged."""
    return [f for name in JUDGES for f in _functions(importlib.import_module(f"refmodel.{name}"))]


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """The functions and methods that a module's text defines."""
    for value in vars(module).values():
        members = vars(value).values() if isinstance(value, type) and value.__module__ == module.__name__ else (value,)
        for member in members:
            function = getattr(member, "fget", None) or getattr(member, "__func__", None) or getattr(member, "__wrapped__", member)
            if isinstance(function, FunctionType) and code_of(function).co_filename == module.__file__:
                yield function


def _judge(folder: Path, theorems: Any, mutant: Mutant) -> Verdict:
    by = JUDGES[mutant.function.__module__.removeprefix("refmodel.")]
    try:
        change(mutant.function, mutant.text())
    except BadDesign as why:
        return Verdict(REFUSED, str(why))
    failed = _tested(folder, by.tests)
    if failed:
        return Verdict(BY_TESTS, failed)
    undecided = ""
    for theorem in theorems:
        if theorem.name.startswith(by.theorems or ("-",)) and OTHER_LEVELS not in theorem.name:
            try:
                theorem.prove()
            except AssertionError as why:
                if type(why).__name__ == "Undecided":
                    undecided = undecided or f"{theorem.name}: {why}"
                    continue
                return Verdict(BY_PROOF, f"{theorem.name}: {str(why)[:200]}")
            except Exception as why:  # the theorem cannot even be put to the solver
                return Verdict(NOT_SHOWN, f"{theorem.name}: {type(why).__name__}: {str(why)[:200]}")
    return Verdict(UNDECIDED, undecided) if undecided else Verdict(SURVIVED)


class _TooLong(Exception):
    """The tests took more of a processor's time than they may."""


def _tested(folder: Path, files: tuple[str, ...]) -> str:
    """The first of the tests that fails, or nothing."""
    import pytest

    failed: list[str] = []

    class Listener:
        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed:
                failed.append(report.nodeid)

    def too_long(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGXCPU, too_long)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, hard))
    try:
        status = pytest.main(
            [
                "-x",
                "-q",
                "-o",
                "addopts=",
                "-m",
                "not slow",
                "-p",
                "no:cacheprovider",
                "--rootdir",
                str(folder),
                *(str(folder / "tests" / file) for file in files),
            ],
            plugins=[Listener()],
        )
    except _TooLong:
        return "the tests do not end"
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
    return failed[0] if failed else "" if int(status) == 0 else f"the tests end with status {int(status)}"
