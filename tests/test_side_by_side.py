"""Designs beside the interpreter: none shows a guest anything that the other would not, and one that does is told."""

from typing import Any

import pytest

from refmodel.bare import Event, Seen
from refmodel.bugs import MUTANTS
from refmodel.cli import comparing
from refmodel.designs import REFERENCES, SHIPPED, Direct, Ept, Interpreter, ShadowTraced, VirtualTlb
from refmodel.engines.differential import Comparison, Difference, common, compare
from refmodel.engines.induction import prove
from refmodel.engines.machine import Run, Step
from refmodel.geometries import SMALL
from refmodel.language import BadDesign, Design, Total, geometry, guest, law, operation, outline, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.replies import Attempt, Filled
from refmodel.monitor.ballooning import Ballooning
from tests.commands import refmodel


def reference(design: type[Design]) -> type[Design] | None:
    for candidate in REFERENCES["interpreter"]:
        try:
            common(outline(design), outline(candidate))
        except BadDesign:
            continue
        return candidate
    return None


COMPARED = ["interpreter", "vtlb", "shadow_traced", "shadow_unsync", "shadow_pages", "ept", "nested"]


def test_every_mmu_for_guests_as_they_are_can_be_compared() -> None:
    assert {name for name, cls in SHIPPED.items() if reference(cls)} == set(COMPARED)


class Tells(Design):
    """A guest is told what was stored, and nothing says what machine it believes in."""

    stored: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def put(self, vm: Vm) -> None:
        self.stored[vm] = True

    @guest
    def look(self, vm: Vm) -> Seen:
        require(self.stored[vm])
        return Seen()

    @law("ISO-1", "A VM has something or nothing.")
    def either(s: Any, vm: Vm) -> bool:
        return s.stored[vm] or not s.stored[vm]


@pytest.mark.parametrize("cls", REFERENCES["interpreter"], ids=lambda cls: cls.__name__)
@pytest.mark.one_in(6)
def test_what_others_are_measured_against_is_lawful(cls: type[Design]) -> None:
    judged = prove(outline(cls)).judgements()
    assert judged and {judgement.verdict for judgement in judged} == {"proved"}


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.one_in(5)
def test_no_guest_can_tell_a_design_from_the_interpreter(name: str) -> None:
    done = compare(outline(SHIPPED[name]), outline(reference(SHIPPED[name]) or Design), seconds=2)
    assert done.difference is None
    assert done.compared > 100


@pytest.mark.parametrize(
    "bug",
    [
        "vtlb-wrong-cell-read",
        "vtlb-invlpg-keeps-the-tlb",
        "vtlb-mov-cr3-keeps-the-shadow",
        "traced-emulated-store-unmirrored",
        "merged-uncompared",
        "pages-table-goes-its-shadow-stays",
        "pages-large-page-taken-for-its-first",
        "pages-emulated-store-forgets-dirty",
        "pages-emulated-store-forgets-accessed",
        "pages-flags-set-without-the-guest",
        "pages-nobody-marks-entries",
    ],
)
@pytest.mark.one_in(3)
def test_a_guest_can_tell_a_bug(bug: str) -> None:
    mutant = outline(MUTANTS[bug].design)
    done = compare(mutant, outline(reference(mutant.cls) or Interpreter), seconds=60, seed=3)
    assert done.difference is not None
    assert done.difference.shown != done.difference.expected or done.difference.run.steps


class FetchesSometimes(VirtualTlb):
    """A guest executes only while SMEP is set."""

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        require(self.paging[vm, vcpu].mode.smep)
        return self.execute(vm, vcpu, page, offset, Access.FETCH, Cell())


def test_a_guest_can_tell_that_an_instruction_is_lacking() -> None:
    told = compare(outline(FetchesSometimes), outline(Interpreter), seconds=30).difference
    assert told is not None and told.shown is None
    assert told.lacking is not None and told.lacking.operation == "fetch"


class FaultsElsewhere(VirtualTlb):
    """What came of a fault is said of another access."""

    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        done = super().page_fault(vm, vcpu, page, access)
        return Filled(done.result, vm, vcpu, page, Access.READ, done.reflected, done.due)


def test_a_fault_is_for_the_access_that_was_made() -> None:
    told = compare(outline(FaultsElsewhere), outline(Interpreter), seconds=30).difference
    assert told is not None and told.shown.access == Access.READ and told.expected["access"] != Access.READ


class Waiting(Ept):
    """An exit does not say what it was for."""

    def execute_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        shown = super().execute_unpaged(vm, vcpu, gfn, offset, access, value)
        return Seen(shown.shown, shown.due)


def test_a_guest_whose_exit_is_for_no_page_waits_for_ever() -> None:
    told = compare(outline(Waiting), outline(Interpreter), seconds=30).difference
    assert told is not None and told.expected is None and told.shown.event == Event.EXITED


def test_a_paravirtual_guest_cannot_be_compared() -> None:
    with pytest.raises(BadDesign, match="mmu_update"):
        compare(outline(Direct), outline(Interpreter), seconds=1)


def test_a_design_without_a_bare_machine_cannot_be_compared() -> None:
    """Nothing would say what the reference has to do beside a step of the monitor's."""
    with pytest.raises(BadDesign, match="Tells does not say what machine its guests believe in"):
        compare(outline(Tells), outline(Tells), seconds=1)


def test_a_difference_is_printed_though_nothing_was_compared_before() -> None:
    vtlb, interpreter = outline(VirtualTlb), outline(Interpreter)
    first = Difference(Run((), ()), None, "a load", Step("load", (0, 0, 0, 0)))
    with comparing.out.capture() as printed:
        comparing._show_comparison("vtlb", vtlb, interpreter, Comparison(1, 0, 0, 0.0, first))
    assert "a guest can tell the difference" in printed.get() and "undecided" not in printed.get()


class DropsStores(Ballooning, ContractMmu):
    """A store completes, and changes nothing: neither in memory nor on the bare machine."""

    @guest
    def store_physical(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute(vm, gfn, offset, Access.READ, Cell())

    geometry = SMALL


class Carries(Ballooning, ContractMmu):
    """An MMU of which no access exits: each goes where the p2m says."""

    def execute(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        require(self.p2m[vm, gfn].resident)
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(self.p2m[vm, gfn].mfn, offset, access, value), due, gfn, access == Access.WRITE)

    geometry = SMALL


def test_beside_what_exits_nothing_is_compared() -> None:
    with pytest.raises(BadDesign, match=r"beside Ept, where \w+ exits: expected a design that carries out each access at once"):
        compare(outline(Ept), outline(Ept), seconds=60, limit=50)


def test_where_guests_have_no_tables_no_difference_is_explained() -> None:
    done = compare(outline(DropsStores), outline(Carries), seconds=60, limit=200)
    assert done.difference is not None and not done.explained


def test_the_command_compares() -> None:
    done = refmodel("check", "vtlb", "--against", "interpreter", "--seconds", "1")
    assert done.returncode == 0 and "no difference that a guest could see" in done.stdout
    refused = refmodel("check", "direct", "--against", "interpreter")
    assert refused.returncode == 2 and "mmu_update" in refused.stderr


@pytest.mark.slow
def test_exits_are_counted_by_what_the_guest_does() -> None:
    from refmodel.engines.exits import MMUS, measure

    found: dict[str, Any] = {m.mmu: m for m in measure()}
    assert set(found) == set(MMUS)
    assert all(found[m].exits["pages in the TLB"] == 0 for m in found if m != "interpreter")
    assert {e for e in found["interpreter"].exits.values() if e is not None} == {100}
    assert {e for m in ("ept", "npt") for e in found[m].exits.values() if e is not None} == {0}
    assert found["direct"].exits["table edits"] > 0 == found["nested"].exits["table edits"]
    assert found["nested"].exits["L1 maps a page for L2"] > found["shadow_on_ept"].exits["L1 maps a page for L2"] > 0
    assert found["vtlb"].exits["address space switches"] > found["shadow_traced"].exits["address space switches"] > 0
    assert found["ept"].references == 24 and found["vtlb"].references == 4
    assert [(m.mmu, m.most_exits) for m in found.values()] == [(m.mmu, m.at_most) for m in found.values()]
    assert [(m.mmu, m.references) for m in found.values()] == [(m.mmu, m.at_most_references) for m in found.values()]
    for m in found.values():  # what says so is among the laws that are proved of the design
        assert m.laws and set(m.laws) <= {law.name for law in outline(MMUS[m.mmu].design).laws}
    assert refmodel("explain", "exits").returncode == 0


def test_x86_instructions_are_classed_as_the_literature_has_them() -> None:
    from refmodel.machine.x86.instructions import X86_INSTRUCTIONS, classify

    classes = {x.name: classify(x.does) for x in X86_INSTRUCTIONS}
    failing = {name for name, c in classes.items() if not c.virtualizable}
    assert failing == {
        "SGDT, SIDT, SLDT, STR",
        "SMSW",
        "PUSHF, POPF",
        "LAR, LSL, VERR, VERW",
        "PUSH CS, MOV from CS",
        "POP, MOV to segment",
        "far CALL, JMP, RET, INT n",
    }  # Robin and Irvine's seventeen
    assert classes["MOV to CR3"].privileged and classes["MOV to CR3"].control_sensitive
    assert not classes["load, store, fetch"].sensitive
    assert refmodel("explain", "instructions").returncode == 0
    assert refmodel("explain", "nothing").returncode == 2


@pytest.mark.slow
def test_a_difference_is_explained_only_where_the_guest_did_not_invalidate() -> None:
    for design in (VirtualTlb, ShadowTraced):
        done = compare(outline(design), outline(Interpreter), seconds=3, seed=7)
        assert done.difference is None and done.explained < done.compared / 100
