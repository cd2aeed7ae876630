"""The bare machine, instruction by instruction: what a guest is due, and what its processors may still have cached."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from refmodel.bare import BareMachine, Event, Reply
from refmodel.designs import Interpreter, VirtualTlb
from refmodel.engines.machine import Machine
from refmodel.language import Design, outline
from refmodel.language.asking import answering
from refmodel.machine.cells import Access, Cell, Mode, Paging, permits

PAGE_TABLE, DATA, ABSENT = 0, 1, 2
ENTRY = Cell(True, True, True, gfn=DATA)
STORED, OTHER = Cell(True, False, True, gfn=DATA), Cell(False, True, False, gfn=PAGE_TABLE)


VCPU = {(0, 1, 0), (0, 1, 1)}
"""The pages of the second vCPU of the first VM."""


def a_machine(mode: Mode = Mode(), design: type[Design] = Interpreter) -> Any:
    """Two VMs of two vCPUs. Their guest frames 0 and 1 are there: a table whose entry 1 leads to frame 1, which holds a cell."""
    state = Machine(outline(design), design.geometry.resized(Vcpu=2, Gfn=3, Index=2)).state
    for vm, vcpu in itertools.product((0, 1), (0, 1)):
        state.paging[vm, vcpu] = Paging(enabled=True, root=PAGE_TABLE, mode=mode)
    for vm in (0, 1):
        for gfn, page in ((PAGE_TABLE, {1: ENTRY}), (DATA, {0: STORED})):
            BareMachine.plug(state, vm, gfn)
            for index, cell in page.items():
                state.bare_memory[vm, gfn] = state.bare_memory[vm, gfn].put(index, cell)
    return state


def test_memory_that_is_plugged_is_zeroes_and_there_and_memory_that_is_not_is_a_hole() -> None:
    s = a_machine()
    s.bare_memory[0, ABSENT] = s.bare_memory[0, DATA]
    assert s.bare_physical(0, ABSENT, 0, Access.READ, Cell()) == Reply(Event.HOLE)
    assert s.bare_cell(0, ABSENT, 0) == Cell()
    s.plug(0, ABSENT)
    assert s.plugged[0, ABSENT] and not s.plugged[1, ABSENT]
    assert s.bare_physical(0, ABSENT, 0, Access.READ, Cell()) == Reply(Event.COMPLETED, Cell())
    s.bare_memory[0, ABSENT] = s.bare_memory[0, DATA]
    s.unplug(0, ABSENT)
    assert not s.plugged[0, ABSENT] and s.plugged[0, DATA]
    assert s.bare_memory[0, ABSENT].is_zero()
    assert s.bare_physical(0, ABSENT, 0, Access.WRITE, OTHER) == Reply(Event.HOLE)
    assert s.bare_memory[0, ABSENT].is_zero()


def test_an_access_shows_the_cell_as_it_was_and_only_a_store_changes_it() -> None:
    s = a_machine()
    for access in (Access.READ, Access.FETCH):
        assert s.bare_physical(0, DATA, 0, access, OTHER) == Reply(Event.COMPLETED, STORED)
    assert s.bare_physical(0, DATA, 0, Access.WRITE, OTHER) == Reply(Event.COMPLETED, STORED)
    assert s.bare_physical(0, DATA, 0, Access.READ, Cell()) == Reply(Event.COMPLETED, OTHER)
    assert s.bare_cell(0, DATA, 0) == OTHER and s.bare_cell(0, DATA, 1) == Cell()
    assert s.bare_cell(1, DATA, 0) == STORED


def test_an_access_by_linear_address_needs_what_the_entry_gives_in_the_vcpu_s_mode() -> None:
    for user, smep in itertools.product((False, True), (False, True)):
        s = a_machine(Mode(user=user, smep=smep))
        s.paging[0, 1] = Paging(enabled=True, root=PAGE_TABLE)
        for entry, access in itertools.product((Cell(), ENTRY, STORED, Cell(True, False, True, DATA, user=True)), Access):
            shown = s.bare_access(0, 0, entry, 0, access, STORED)
            allowed = permits(entry, access, s.paging[0, 0].mode)
            assert shown == (Reply(Event.COMPLETED, STORED) if allowed else Reply(Event.PAGE_FAULT))


def test_a_walk_reads_the_vcpu_s_own_table() -> None:
    s = a_machine()
    assert s.bare_walk(0, 0, 1) == ENTRY and s.bare_walk(0, 0, 0) == Cell()
    s.paging[0, 1] = Paging(enabled=True, root=DATA)
    assert s.bare_walk(0, 1, 0) == STORED and s.bare_walk(0, 0, 0) == Cell()


def test_a_flush_empties_the_cache_of_one_vcpu_and_no_other() -> None:
    s = a_machine()
    cache(s)
    assert emptied(s, lambda: s.bare_flush(0, 1)) == VCPU


def cache(s: Any) -> None:
    """Every vCPU has cached an entry for every page, and so has what the monitor keeps for it."""
    for key in itertools.product((0, 1), (0, 1), (0, 1)):
        s.bare_tlb[key] = ENTRY
        if hasattr(s, "tlb"):
            s.tlb[key] = attrs.evolve(s.tlb[key], present=True)


def emptied(s: Any, run: Callable[[], None]) -> set[tuple[int, int, int]]:
    """Of which pages an instruction makes the bare machine forget its entries; the monitor forgets at least those."""
    with answering(Machine(outline(type(s)), type(s).geometry)):
        run()
    gone = {key for key, cell in s.bare_tlb.items() if cell == Cell()}
    if hasattr(s, "tlb"):
        assert gone <= {key for key, entry in s.tlb.items() if not entry.present}
    return gone


@pytest.mark.parametrize("design", [Interpreter, VirtualTlb], ids=lambda cls: cls.__name__)
def test_mov_cr3_loads_a_root_turns_paging_on_and_forgets_what_the_vcpu_has_cached(design: type[Design]) -> None:
    s = a_machine(Mode(user=True), design)
    s.paging[0, 1] = Paging(mode=Mode(user=True))
    cache(s)
    assert emptied(s, lambda: s.mov_cr3(0, 1, DATA)) == VCPU
    assert s.paging[0, 1] == Paging(enabled=True, root=DATA, mode=Mode(user=True))
    assert s.paging[0, 0] == Paging(enabled=True, root=PAGE_TABLE, mode=Mode(user=True))


@pytest.mark.parametrize("design", [Interpreter, VirtualTlb], ids=lambda cls: cls.__name__)
def test_invpcid_forgets_what_the_vcpu_has_cached_and_changes_no_register(design: type[Design]) -> None:
    s = a_machine(Mode(), design)
    cache(s)
    before = dict(s.paging)
    assert emptied(s, lambda: s.invpcid(0, 1)) == VCPU
    assert dict(s.paging) == before


@pytest.mark.parametrize(("was", "now"), [*itertools.product((False, True), (False, True))])
def test_a_change_of_mode_forgets_only_where_it_sets_smep(was: bool, now: bool) -> None:
    for design in (Interpreter, VirtualTlb):
        s = a_machine(Mode(smep=was), design)
        cache(s)
        mode = Mode(user=True, smep=now)
        assert emptied(s, lambda: s.write_control(0, 1, mode)) == (VCPU if now and not was else set())  # noqa: B023
        assert s.paging[0, 1] == Paging(enabled=True, root=PAGE_TABLE, mode=mode)
        assert s.paging[0, 0].mode == Mode(smep=was)


def test_a_change_of_mode_is_reported_to_the_mmu_after_it_was_made() -> None:
    told: list[tuple[Any, ...]] = []
    s = a_machine(Mode(user=True))
    s.__class__ = type("Told", (Interpreter,), {"mode_changes": lambda self, *about: told.append((*about, self.paging[0, 1].mode))})
    s.write_control(0, 1, Mode())
    assert told == [(0, 1, Mode(user=True), Mode(), Mode())]
