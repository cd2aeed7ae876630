"""Real MMUs refine the abstract one; what does not is refuted, at the step that is wrong."""

import attrs
import pytest

from proofs.refinement import every_step_is_one_of_the_abstract_mmu
from refmodel.designs import AbstractMemory, Npt
from refmodel.engines.prover import prove_simulated
from refmodel.language import Design, cached, outline, require
from refmodel.machine.names import Cpu, Gfn, Mfn, Vm
from refmodel.mmu.contract import Derived
from refmodel.mmu.replies import Handled
from refmodel.points import ACKNOWLEDGING, AT_ONCE, PROCESSORS


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


def test_those_that_refine_it_flush_in_their_own_time() -> None:
    assert {*ACKNOWLEDGING} <= {*PROCESSORS} and not {*AT_ONCE} & {*PROCESSORS}


@pytest.mark.slow
@pytest.mark.parametrize(
    "mmu",
    ["ept 4K/2M PML acknowledged", "ept 4K/2M/1G acknowledged", "ept 4K/2M/1G", "ept 4K/2M A/D", "ept 4K/2M PML"],
)
def test_others_refine_it_too(mmu: str) -> None:
    every_step_is_one_of_the_abstract_mmu(mmu)


@pytest.mark.slow
@pytest.mark.parametrize("mmu", ["npt", "any acknowledged", "ept tagged"])
def test_real_mmus_refine_it_over_all_mechanisms(mmu: str) -> None:
    every_step_is_one_of_the_abstract_mmu(mmu, "everything")
