"""Files beside a design: what it imports is what they hold now, and one file is one module however it is reached."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import refmodel
from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.loading import load

RULES = """
from refmodel.machine.names import Vm
from refmodel.language import NOTHING

def may_be_taken(vm: Vm) -> bool:
    return vm == NOTHING
"""
BASE = """
import attrs
from refmodel.language import NOTHING, Design, Total, geometry, guest, implies, law, operation, require
from refmodel.machine.names import Mfn, Vm
from rules_beside import may_be_taken


@attrs.frozen
class Owner:
    vm: Vm = NOTHING


class Frames(Design):
    owner: Total[Mfn, Vm]
    geometry = geometry(Vm=2, Mfn=1)

    @guest
    def take(self, vm: Vm, mfn: Mfn) -> None:
        require(may_be_taken(self.owner[mfn]))
        self.owner[mfn] = vm

    @guest
    def look(self, vm: Vm, mfn: Mfn) -> Owner:
        return Owner(self.owner[mfn])

    @law("ISO-1", "A frame that has an owner keeps it.")
    def owners_are_kept(s, before, mfn: Mfn) -> bool:
        return implies(before.owner[mfn] != NOTHING, s.owner[mfn] == before.owner[mfn])
"""
MINE = """
from base_beside import Frames


class Mine(Frames):
    pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in (("rules_beside", RULES), ("base_beside", BASE), ("mine", MINE)):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("rules_beside", "base_beside"):
        sys.modules.pop(name, None)


def test_a_file_beside_a_design_that_was_edited_is_read_again(folder: Path) -> None:
    def holds() -> bool:
        [report] = check(load(f"{folder}/mine.py:Mine"), ["exhaustive"], Asked(seconds=1))
        return report.failure is None

    assert holds()
    (folder / "rules_beside.py").write_text(RULES.replace("vm == NOTHING", "vm == NOTHING or vm != NOTHING"))
    assert not holds(), "the helper lets a frame change hands now"
    (folder / "rules_beside.py").write_text(RULES)
    assert holds()


def test_what_was_not_edited_is_the_same_design(folder: Path) -> None:
    assert load(f"{folder}/mine.py:Mine").cls is load(f"{folder}/mine.py:Mine").cls


def test_a_file_that_another_imports_is_one_module_by_either_way(folder: Path) -> None:
    mine, base = load(f"{folder}/mine.py:Mine"), load(f"{folder}/base_beside.py:Frames")
    assert issubclass(mine.cls, base.cls)
    assert [op.returns for op in mine.operations] == [op.returns for op in base.operations]


def test_refmodel_itself_is_never_imported_again(folder: Path) -> None:
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "refmodel"}
    load(f"{folder}/mine.py:Mine")
    (folder / "rules_beside.py").write_text(RULES + "\n")
    load(f"{Path(refmodel.__file__).parent}/examples/zap.py:ZapLazily")
    load(f"{folder}/mine.py:Mine")
    assert all(sys.modules.get(name) is module for name, module in before.items())


def test_a_law_that_the_file_of_a_base_imports_is_judged_of_what_is_derived_from_it(folder: Path) -> None:
    (folder / "laws_beside.py").write_text("""
from refmodel.language import Design, NOTHING, law
from refmodel.machine.names import Mfn

@law("RES-1", "No frame has an owner.")
def nobody_owns(s: Design, mfn: Mfn):
    return s.owner[mfn] == NOTHING
""")
    (folder / "base_beside.py").write_text(f"from laws_beside import nobody_owns\n{BASE}")
    try:
        derived, base = load(f"{folder}/mine.py:Mine"), load(f"{folder}/base_beside.py:Frames")
        assert [law.name for law in derived.laws] == [law.name for law in base.laws] == ["nobody_owns", "owners_are_kept"]
        [report] = check(derived, ["exhaustive"], Asked(seconds=1))
        assert report.failed
    finally:
        sys.modules.pop("laws_beside", None)
