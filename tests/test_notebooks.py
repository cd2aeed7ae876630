"""In a notebook a design is checked again and again, with laws, helpers and operations that cells state anew."""

import linecache
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

import refmodel
from refmodel import BadDesign, Status
from tests.designs.lacking import WantsAnOwner

DESIGN = """
from refmodel import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Vm

def both() -> bool:
    return True

class Pairs(Design):
    a: Total[Vm, bool]
    b: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def set(self, vm: Vm) -> None:
        self.a[vm] = True
        self.b[vm] = both()
"""
LAW = """
@law("X-1", "The two are the same.")
def alike(s: Pairs, vm: Vm) -> bool:
    return implies(s.a[vm], s.b[vm]) and implies(s.b[vm], s.a[vm])
"""
NEVER = """
@law("X-2", "No flag is set.")
def never(s: Pairs, vm: Vm) -> bool:
    return not s.a[vm]
"""
NOT_BOTH = """
def both() -> bool:
    return False
"""


class Notebook:
    """Cells that run in one module, and whose text only ``linecache`` has."""

    def __init__(self) -> None:
        self.module = ModuleType("a_notebook")
        sys.modules["a_notebook"] = self.module

    def run(self, text: str, cell: str) -> None:
        name = f"<ipython-input-{cell}>"
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        exec(compile(text, name, "exec"), vars(self.module))

    def found(self) -> tuple[Status, list[str]]:
        report = refmodel.check(self.module.Pairs, ["random", "exhaustive", "prove"], runs=20)
        again = refmodel.check(refmodel.outline(self.module.Pairs), ["exhaustive"])
        assert all(each.failure is not None or not each.why for each in report.engines) and again.status == report.status
        assert all(refmodel.draw(run).startswith("<svg") for run in report.broken_runs)
        return report.status, sorted(report.verdicts)


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    made = Notebook()
    made.run(DESIGN, "1")
    made.run(LAW, "2")
    assert made.found() == (Status.HOLDS, ["alike"])
    yield made
    del sys.modules["a_notebook"]


def test_a_law_of_a_later_cell_is_judged(notebook: Notebook) -> None:
    notebook.run(NEVER, "3")
    assert notebook.found() == (Status.FAILS, ["alike", "never"])


def test_a_law_that_is_stated_anew_takes_the_place_of_the_first(notebook: Notebook) -> None:
    notebook.run(LAW.replace("implies(s.a[vm], s.b[vm]) and", "not s.a[vm] and"), "3")
    assert notebook.found() == (Status.FAILS, ["alike"])


def test_a_helper_that_is_stated_anew_is_read_anew(notebook: Notebook) -> None:
    notebook.run(NOT_BOTH, "3")
    assert notebook.found() == (Status.FAILS, ["alike"])


@pytest.mark.parametrize("cell", ["2", "3"])
def test_a_cell_may_run_twice(notebook: Notebook, cell: str) -> None:
    notebook.run(LAW, cell)
    assert notebook.found() == (Status.HOLDS, ["alike"])


def test_an_operation_that_is_put_into_the_class_is_taken(notebook: Notebook) -> None:
    notebook.run("@operation\ndef clear(self: Pairs, vm: Vm) -> None:\n    self.a[vm] = False\n", "3")
    notebook.run("Pairs.clear = clear", "4")
    assert notebook.found() == (Status.FAILS, ["alike"])


def test_a_law_about_the_class_of_an_earlier_run_is_refused(notebook: Notebook) -> None:
    notebook.run(DESIGN, "3")
    with pytest.raises(BadDesign, match=r"<ipython-input-2>:2: law X-1 .alike. is about an earlier Pairs"):
        notebook.found()


def test_a_class_that_a_cell_extends_under_its_name_is_judged_as_it_is_now(notebook: Notebook) -> None:
    notebook.run("class Pairs(Pairs):\n    @operation\n    def clear(self, vm: Vm) -> None:\n        self.a[vm] = False\n", "3")
    assert notebook.found() == (Status.FAILS, ["alike"])


def test_two_laws_of_one_name_in_one_cell_are_refused(notebook: Notebook) -> None:
    notebook.run(LAW + LAW.replace(" and ", " or "), "2")
    with pytest.raises(BadDesign, match="would never be judged"):
        notebook.found()


def test_a_law_about_another_class_takes_no_law_s_place(notebook: Notebook) -> None:
    notebook.run(DESIGN.replace("Pairs", "Others"), "3")
    notebook.run(LAW.replace("Pairs", "Others"), "4")
    with pytest.raises(BadDesign, match=r"<ipython-input-2>:2: law X-1 .alike. would never be judged"):
        notebook.found()


IN_ITS_BODY = """
    @law("X-3", "The first flag is set only with the second.")
    def with_the_second(s: Any, vm: Vm) -> bool:
        return implies(s.a[vm], s.b[vm])

    @pending("EFF-4", "A flag that is set can be cleared.", until="clear")
    def not_cleared(self, vm: Vm) -> bool:
        return self.a[vm]

    @operation
    def clear(self, vm: Vm) -> None:
        self.a[vm] = False
        self.b[vm] = False
"""


@pytest.mark.parametrize("cell", ["5", pytest.param("4", marks=pytest.mark.slow)])
def test_a_class_with_laws_in_its_body_may_be_stated_again(notebook: Notebook, cell: str) -> None:
    """Also without some of them, or without an operation."""
    whole = f"from typing import Any\nfrom refmodel import pending\n{DESIGN}{IN_ITS_BODY}"
    for which in ("4", cell):
        notebook.run(whole, which)
        notebook.run(LAW, "2")
        assert notebook.found() == (Status.HOLDS, ["alike", "not_cleared", "with_the_second"])
    notebook.run(DESIGN, "6")
    notebook.run(LAW, "2")
    assert notebook.found() == (Status.HOLDS, ["alike"])


def test_a_search_for_missing_laws_leaves_none_behind() -> None:
    """What it writes down is about the design, and stands in no file of the user's."""
    first = refmodel.check(WantsAnOwner, ["prove"], suggest=True)
    again = refmodel.check(WantsAnOwner, ["prove"])
    assert first.engine("prove").suggested and again.status == first.status
