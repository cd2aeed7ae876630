"""What a processor with EPT remembers of its walks, and what each instruction makes it forget: exactly that and no more."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from refmodel.designs import Ept
from refmodel.engines.machine import Machine
from refmodel.language import NOTHING, geometry, outline
from refmodel.language.asking import answering
from refmodel.machine.cells import Access, Cell, Mode
from refmodel.machine.translation_caches import CombinedMapping, PhysicalMapping, allows

RIGHTS = Cell(present=True, writable=True, executable=True, user=True)


def filled() -> Machine:
    """Two VMs with two vCPUs each, in whose caches everything is, made under the EPTP that is the page's number."""
    design = outline(Ept)
    machine = Machine(design, geometry(Vm=2, Vcpu=2, Index=2, Gfn=2, Mfn=4))
    for table, value in (
        ("physical_tlb", lambda n: PhysicalMapping(True, n, 0, True)),
        ("combined_tlb", lambda n: CombinedMapping(True, n, 0, True, RIGHTS)),
        ("bare_tlb", lambda n: RIGHTS),
    ):
        for key in itertools.product(range(2), repeat=3):
            getattr(machine.state, table)[key] = value(key[2])
    return machine


@pytest.mark.parametrize(
    ("how", "physical", "combined", "bare"),
    [
        (lambda s: s.invept(1), lambda v, c, n: n == 1, lambda v, c, n: n == 1, lambda v, c, n: n == 1),
        (lambda s: s.invept(NOTHING), lambda v, c, n: False, lambda v, c, n: False, lambda v, c, n: False),
        (lambda s: s.invvpid(0, 1), lambda v, c, n: False, lambda v, c, n: (v, c) == (0, 1), lambda v, c, n: False),
        (
            lambda s: s.invvpid_address(1, 0, 1),
            lambda v, c, n: False,
            lambda v, c, n: (v, c, n) == (1, 0, 1),
            lambda v, c, n: False,
        ),
    ],
    ids=["INVEPT", "INVEPT of no EPTP", "INVVPID", "INVVPID of an address"],
)
def test_what_an_instruction_forgets(
    how: Callable[[Any], None], physical: Callable[..., bool], combined: Callable[..., bool], bare: Callable[..., bool]
) -> None:
    machine = filled()
    with answering(machine):
        how(machine.state)
    for name, forgotten in (("physical_tlb", physical), ("combined_tlb", combined), ("bare_tlb", bare)):
        table = getattr(machine.state, name)
        for key in itertools.product(range(2), repeat=3):
            assert (table[key] == table.default) == forgotten(*key), (name, key)


@pytest.mark.parametrize("valid", [False, True])
@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_a_mapping_that_is_cached_lets_through_what_both_entries_give(valid: bool, writable: bool, given: bool) -> None:
    cell = Cell(present=True, writable=given, executable=True, user=True)
    mapping = CombinedMapping(valid, 0, 0, writable, cell)
    for access in Access:
        assert allows(mapping, access, Mode()) == (valid and (access != Access.WRITE or (given and writable)))
    assert allows(mapping, Access.FETCH, Mode(smep=True)) is False


def test_what_nobody_has_cached_is_nothing() -> None:
    assert PhysicalMapping() == PhysicalMapping(False, NOTHING, NOTHING, False)
    assert CombinedMapping() == CombinedMapping(False, NOTHING, NOTHING, False, Cell())
