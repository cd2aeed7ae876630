"""Real MMUs refine the abstract one; what does not is refuted, at the step that is wrong."""

import attrs
import pytest

from proofs.refinement import every_step_is_one_of_the_abstract_mmu
from refmodel.bare import Reply
from refmodel.designs import AbstractMemory, Ept, Interpreter, Nested, Npt, VirtualTlb
from refmodel.engines.prover import does_nothing, prove_simulated
from refmodel.engines.simulation_runs import simulated_runs
from refmodel.language import NOTHING, Design, cached, operation, outline, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Vcpu, Vm
from refmodel.machine.translation_caches import PhysicalMapping
from refmodel.mmu.contract import Derived
from refmodel.mmu.replies import Attempt, Handled, TableGone
from refmodel.points import MMUS, PROCESSORS, REFINED_OVER, REFINING, abstract_of, over
from tests.commands import refmodel


class ReleasedAtOnce(Npt):
    """A frame that a page has left is free before processors have acknowledged."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        self.release(mfn)


class RightsForgotten(Npt):
    """A store goes by a cached translation that may be for reading only."""

    def translate(self, vm: Vm, cpu: Cpu, gfn: Gfn, write: bool) -> Derived:
        require(self.running[cpu].active and self.running[cpu].vm == vm)
        found = self.asid_tlb[cpu, self.running[cpu].asid, gfn]
        if found.present and cached("nested translation"):
            return found
        return super().translate(vm, cpu, gfn, write)


class WritableUnasked(Npt):
    """An exit for a store makes the p2m writable, whatever the mechanisms wanted the page protected for."""

    def derive(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        handled = super().derive(vm, gfn, write)
        if write and self.p2m[vm, gfn].mapped:
            self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)
        return handled


class TlbRightsForgotten(Ept):
    """The same under EPT: a store goes by a cached guest-physical mapping that may be for reading only."""

    def translate(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> PhysicalMapping:
        found = self.physical_tlb[vm, vcpu, gfn]
        if found.valid and cached("guest-physical mapping"):
            return found
        return super().translate(vm, vcpu, gfn, write)


class TakenBackInSilence(Ept):
    """A table is taken back, and the outcome does not say which: the frame that the step writes to is found all the same."""

    @operation
    def reclaim_table(self, vm: Vm) -> TableGone:
        super().reclaim_table(vm)
        return TableGone(NOTHING)


class StoredUnasked(Interpreter):
    """The interpreter makes a guest's store to a page that the mechanisms have given for reading only."""

    def emulate(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Reply:
        if self.p2m[vm, gfn].mapped:
            return self.access_for_guest(vm, gfn, offset, access, value)
        return super().emulate(vm, gfn, offset, access, value)


class ShadowRightsForgotten(VirtualTlb):
    """A store goes by a cached shadow entry that may be for reading only."""

    def execute(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Attempt:
        require(self.paging[vm, vcpu].enabled)
        entry = self.tlb[vm, vcpu, page]
        require(entry.present)
        due = self.bare_access(vm, vcpu, self.bare_tlb[vm, vcpu, page], offset, access, value)
        return Attempt(self.touch(entry.mfn, offset, access, value), due, vcpu, page, access, gfn=entry.gfn)


class SuppliedForL2Only(Nested):
    """L0 makes writable what L2 stores to, whatever the mechanisms wanted the page protected for."""

    def install01(self, vm: Vm, gfn: Gfn) -> None:
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)
        super().install01(vm, gfn)


@pytest.mark.parametrize(
    ("design", "wrong"),
    [(StoredUnasked, "store"), (ShadowRightsForgotten, "store"), (SuppliedForL2Only, "nested_ept_violation")],
)
def test_a_step_that_the_abstract_mmu_that_emulates_has_not_is_refuted(design: type[Design], wrong: str) -> None:
    done = prove_simulated(outline(design), outline(over("abstract emulating", REFINED_OVER)), wrong)
    assert done.failing and "it may be no step" in done.failing[0]


def test_a_step_that_the_abstract_mmu_that_flushes_at_once_has_not_is_refuted() -> None:
    abstract = outline(over("abstract at once", ("sharing", "ballooning")))
    done = prove_simulated(outline(TlbRightsForgotten), abstract, "store_unpaged")
    assert done.failing and not done.failing[0].endswith(": the solver gave up")
    done = prove_simulated(outline(TakenBackInSilence), abstract, "reclaim_table")
    assert done.explained and not done.failing


@pytest.mark.parametrize(
    ("design", "wrong"), [(ReleasedAtOnce, "derive"), (RightsForgotten, "store_physical"), (WritableUnasked, "derive")]
)
def test_a_step_that_the_abstract_mmu_has_not_is_refuted(design: type[Design], wrong: str) -> None:
    done = prove_simulated(outline(design), outline(AbstractMemory), wrong)
    assert done.failing and "it may be no step" in done.failing[0]


def test_a_step_that_it_has_is_explained() -> None:
    for name in ("inflate", "store_physical", "derive"):
        done = prove_simulated(outline(Npt), outline(AbstractMemory), name)
        assert done.explained and not done.failing


@pytest.mark.parametrize("mmu", REFINING)
def test_runs_agree_that_each_step_is_one_of_the_abstract_mmu(mmu: str) -> None:
    design, abstract = outline(over(mmu, REFINED_OVER)), outline(over(abstract_of(mmu), REFINED_OVER))
    done = simulated_runs(design, abstract, design.cls.geometry, runs=50, seconds=60)
    assert done.failure is None and done.explained.total() > 100


def test_an_mmu_refines_an_abstract_one_that_flushes_as_it_does() -> None:
    assert all((mmu in PROCESSORS) == (abstract in PROCESSORS) for mmu, abstract in REFINING.items())


@pytest.mark.slow
@pytest.mark.parametrize("mmu", [mmu for mmu in MMUS if mmu not in {*REFINING, *REFINING.values()}])
def test_all_others_refine_one_too(mmu: str) -> None:
    every_step_is_one_of_the_abstract_mmu(mmu)


@pytest.mark.slow
@pytest.mark.parametrize("mmu", ["npt", "any acknowledged", "ept tagged", "riscv", "interpreter", "nested"])
def test_real_mmus_refine_it_over_all_mechanisms(mmu: str) -> None:
    every_step_is_one_of_the_abstract_mmu(mmu, "everything")


def test_an_instruction_that_does_nothing_in_the_other_design_may_be_left_out() -> None:
    """INVPCID does nothing under an abstract MMU, which caches nothing by linear address."""
    found = refmodel("refine", "interpreter over ballooning", "--to", "abstract emulating over ballooning", "--seconds", "0.2")
    assert found.returncode == 0 and "proved for any number of names" in found.stdout


def test_what_does_nothing_writes_nothing_and_shows_nothing() -> None:
    abstract = outline(over("abstract emulating", REFINED_OVER))
    assert [op.name for op in abstract.operations if does_nothing(abstract, op.name)] == ["invpcid"]
