"""The bare machine, instruction by instruction: what a guest is due, and what its processors may still have cached."""

from __future__ import annotations

import itertools
from typing import Any

from refmodel.bare import BareMachine, Event, Reply
from refmodel.designs import Interpreter
from refmodel.engines.machine import Machine
from refmodel.language import outline
from refmodel.machine.cells import Access, Cell, Mode, Paging, permits

PAGE_TABLE, DATA, ABSENT = 0, 1, 2
ENTRY = Cell(True, True, True, gfn=DATA)
STORED, OTHER = Cell(True, False, True, gfn=DATA), Cell(False, True, False, gfn=PAGE_TABLE)


def a_machine(mode: Mode = Mode()) -> Any:
    """Two VMs of two vCPUs. Their guest frames 0 and 1 are there: a table whose entry 1 leads to frame 1, which holds a cell."""
    state = Machine(outline(Interpreter), Interpreter.geometry.resized(Vcpu=2, Gfn=3, Index=2)).state
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
    for key in itertools.product((0, 1), (0, 1), (0, 1)):
        s.bare_tlb[key] = ENTRY
    machine = Machine(outline(Interpreter), Interpreter.geometry.resized(Vcpu=2, Gfn=3, Index=2))
    from refmodel.language.asking import answering
    with answering(machine):
        s.bare_flush(0, 1)
    assert {key for key, cell in s.bare_tlb.items() if cell == Cell()} == {(0, 1, 0), (0, 1, 1)}
