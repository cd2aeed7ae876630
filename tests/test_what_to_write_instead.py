"""What is refused says what is expected in its place."""

from pathlib import Path

import pytest

from refmodel.language import BadDesign
from refmodel.loading import load
from tests.test_command import refmodel

BASE = '''
from refmodel.language import Design, Total, geometry, guest, law, operation
from refmodel.machine.names import Cpu, Vm


class Base(Design):
    flag: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def set(self, vm: Vm) -> None:
        self.mark(vm)

    def mark(self, vm: Vm) -> None:
        self.flag[vm] = True

    @law("RES-1", "It is a flag.")
    def is_a_flag(s: "Base", vm: Vm) -> bool:
        return s.flag[vm] or not s.flag[vm]


class Derived(Base):
'''


def refusal(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(BASE + text)
    with pytest.raises(BadDesign) as why:
        load(f"{file}:Derived")
    return str(why.value)


def test_a_step_of_a_processor_is_no_guest_s(tmp_path: Path) -> None:
    said = refusal(tmp_path, "    @guest\n    def run(self, cpu: Cpu) -> None:\n        pass\n")
    assert "expected vm: Vm among its parameters, or @operation for a step that is no VM's" in said


def test_super_takes_no_arguments(tmp_path: Path) -> None:
    said = refusal(tmp_path, "    def mark(self, vm: Vm) -> None:\n        super(Base, self).mark(vm)\n")
    assert "super() is given arguments; expected super() without arguments, in a method of a design" in said


def test_a_design_is_not_a_theorem() -> None:
    done = refmodel("prove", "mine.py:Mine")
    assert done.returncode == 2 and "A design is proved by refmodel check mine.py:Mine --engine prove" in done.stderr


def test_a_design_whose_vms_know_nothing_is_told_how_to_say_what_they_know(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(BASE + "    pass\n")
    done = refmodel("leaks", f"{file}:Derived")
    assert done.returncode == 2 and 'known = ("TABLE", ...)' in done.stderr
