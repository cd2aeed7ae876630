"""The bare machine under tables of two levels: what they give together, which entries are marked, what may still be cached, and
what the instructions are."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import pytest

from refmodel.bare import Event, Reply
from refmodel.bare_levels import L1Instructions, LinearInstructions, NestedInstructions, combined, path
from refmodel.designs import LargePageInterpreter, ShadowOnEpt, TwoLevelInterpreter
from refmodel.engines.machine import Machine
from refmodel.language import Design, outline
from refmodel.language.asking import Refused, answering
from refmodel.machine.cells import Access, Cell, Mode, Paging

ROOT, LEAF, DATA, OTHER = 0, 1, 2, 3
ABOVE = Cell(True, True, True, gfn=LEAF, user=True)
ENTRY = Cell(True, True, True, gfn=DATA, user=True)
LARGE = Cell(True, True, True, gfn=DATA, user=True, large=True)
VCPU = {(0, 1, upper, page) for upper in (0, 1) for page in (0, 1)}
"""What the second vCPU of the first VM has cached."""


def a_machine(design: type[Design], above: Cell = ABOVE, mode: Mode = Mode()) -> Any:
    """Two VMs of two vCPUs. Entry 1 of their roots leads on, to a leaf table whose entry 0 leads to a page, or to a large page
    whose page 0 lies in another frame than it begins with."""
    state = Machine(outline(design), design.geometry.resized(Vm=2, Vcpu=2, Gfn=4, Index=2)).state
    for vm, vcpu in itertools.product((0, 1), (0, 1)):
        state.paging[vm, vcpu] = Paging(enabled=True, root=ROOT, mode=mode)
    for vm in (0, 1):
        for gfn, index, cell in ((ROOT, 1, above), (LEAF, 0, ENTRY), (DATA, 0, Cell(gfn=DATA)), (OTHER, 0, Cell(gfn=OTHER))):
            state.plug(vm, gfn)
            state.bare_memory[vm, gfn] = state.bare_memory[vm, gfn].put(index, cell)
    if hasattr(state, "within"):
        state.within[DATA, 0], state.within[DATA, 1] = OTHER, DATA
    return state


@pytest.mark.parametrize("two", [combined, path])
@pytest.mark.parametrize("right", ["present", "writable", "executable", "user"])
def test_a_right_is_given_if_both_levels_give_it(two: Any, right: str) -> None:
    for upper, leaf in itertools.product((False, True), (False, True)):
        given = two(attrs.evolve(ABOVE, **{right: upper}), attrs.evolve(ENTRY, **{right: leaf}))
        assert given == attrs.evolve(ENTRY, **{right: upper and leaf})


def test_a_path_is_accessed_if_both_levels_are_and_dirty_if_the_one_that_maps_is() -> None:
    for upper, leaf, dirty in itertools.product((False, True), (False, True), (False, True)):
        given = path(attrs.evolve(ABOVE, accessed=upper, dirty=not dirty), attrs.evolve(ENTRY, accessed=leaf, dirty=dirty))
        assert (given.accessed, given.dirty) == (upper and leaf, dirty)


@pytest.mark.parametrize("design", [TwoLevelInterpreter, LargePageInterpreter], ids=lambda cls: cls.__name__)
def test_a_walk_reads_the_vcpu_s_own_root_and_the_leaf_table_that_it_leads_to(design: type[Design]) -> None:
    s = a_machine(design)
    s.paging[0, 1] = Paging(enabled=True, root=LEAF)
    assert s.bare_walk(0, 0, 1, 0) == ENTRY
    assert not s.bare_walk(0, 0, 1, 1).present and not s.bare_walk(0, 0, 0, 0).present
    assert s.bare_walk(0, 1, 0, 0).gfn == DATA and not s.bare_walk(0, 1, 1, 0).present
    s.bare_memory[1, LEAF] = s.bare_memory[1, LEAF].put(0, Cell())
    assert s.bare_walk(0, 0, 1, 0) == ENTRY and not s.bare_walk(1, 0, 1, 0).present


def test_a_page_of_a_large_one_lies_where_its_place_says_with_the_rights_and_flags_of_the_one_entry() -> None:
    for writable, dirty, accessed, user in itertools.product((False, True), repeat=4):
        above = attrs.evolve(LARGE, writable=writable, dirty=dirty, accessed=accessed, user=user)
        s = a_machine(LargePageInterpreter, above)
        assert s.small(above, 0) == Cell(True, True, True, OTHER, True, True, dirty)
        assert s.bare_walk(0, 0, 1, 0) == Cell(True, writable, True, OTHER, user, accessed, dirty)
        assert s.bare_walk(0, 0, 1, 1).gfn == DATA


def test_what_leaf_tables_said_before_is_read_under_the_upper_entry_as_it_is() -> None:
    s = a_machine(TwoLevelInterpreter, attrs.evolve(ABOVE, writable=False))
    s.bare_old[0, 0, 1, 0] = Cell(True, True, True, gfn=OTHER, user=True)
    s.bare_old[0, 0, 0, 1] = s.bare_old[1, 0, 1, 0] = s.bare_old[0, 1, 1, 0] = ENTRY
    assert s.bare_upper(0, 0, 1) == attrs.evolve(ABOVE, writable=False) and s.bare_upper(0, 0, 0) == Cell()
    assert s.bare_before(0, 0, 1, 0) == Cell(True, False, True, gfn=OTHER, user=True)


@pytest.mark.parametrize("design", [TwoLevelInterpreter, LargePageInterpreter], ids=lambda cls: cls.__name__)
def test_a_flush_empties_what_one_vcpu_has_cached_and_nothing_else(design: type[Design]) -> None:
    s = a_machine(design)
    caches = [getattr(s, name) for name in ("bare_tlb", "bare_old") if hasattr(s, name)]
    for cache, key in itertools.product(caches, itertools.product((0, 1), repeat=4)):
        cache[key] = ENTRY
    with answering(Machine(outline(design), design.geometry)):
        s.bare_flush(0, 1)
    assert all({key for key, cell in cache.items() if cell == Cell()} == VCPU for cache in caches)


@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("large", [False, True])
def test_an_access_marks_each_entry_that_it_uses_and_a_store_the_one_that_maps(large: bool, access: Access) -> None:
    s = a_machine(LargePageInterpreter, LARGE if large else ABOVE)
    s.bare_mark_path(0, 0, 1, 0, access)
    write = access == Access.WRITE
    upper = attrs.evolve(LARGE if large else ABOVE, accessed=True, dirty=write and large)
    assert s.bare_memory[0, ROOT][1] == upper and s.bare_memory[0, ROOT][0] == Cell()
    assert s.bare_memory[0, LEAF][0] == (ENTRY if large else attrs.evolve(ENTRY, accessed=True, dirty=write))
    assert s.bare_memory[0, DATA][0] == Cell(gfn=DATA) and s.bare_memory[1, ROOT][1] == (LARGE if large else ABOVE)


def test_an_entry_that_is_marked_stays_marked_and_where_there_is_no_memory_there_is_none_to_mark() -> None:
    for accessed, dirty, write in itertools.product((False, True), repeat=3):
        s = a_machine(LargePageInterpreter, attrs.evolve(ABOVE, accessed=accessed, dirty=dirty))
        s.bare_mark(0, ROOT, 1, write)
        assert s.bare_memory[0, ROOT][1] == attrs.evolve(ABOVE, accessed=True, dirty=dirty or write)
    s = a_machine(LargePageInterpreter)
    s.unplug(0, LEAF)
    s.bare_mark(0, LEAF, 0, True)
    assert s.bare_memory[0, LEAF].is_zero()


def test_what_is_cached_was_marked_first() -> None:
    for access in Access:
        s = a_machine(LargePageInterpreter)
        s.bare_fill(0, 1, 1, 0, access)
        marked = attrs.evolve(ENTRY, accessed=True, dirty=access == Access.WRITE)
        assert dict(s.bare_tlb.items()) == {**dict.fromkeys(dict(s.bare_tlb.items()), Cell()), (0, 1, 1, 0): marked}
        assert s.bare_memory[0, LEAF][0] == marked


def test_an_access_that_faults_marks_nothing() -> None:
    s = a_machine(LargePageInterpreter, attrs.evolve(ABOVE, user=False), Mode(user=True))
    assert s.bare_linear(0, 0, 1, 0, 0, Access.WRITE, ENTRY) == Reply(Event.PAGE_FAULT)
    assert s.bare_memory[0, ROOT][1] == attrs.evolve(ABOVE, user=False) and s.bare_memory[0, LEAF][0] == ENTRY


def test_an_access_by_a_walk_shows_the_cell_and_marks_the_path() -> None:
    for access in Access:
        s = a_machine(LargePageInterpreter)
        assert s.bare_linear(0, 0, 1, 0, 0, access, Cell(gfn=ROOT)) == Reply(Event.COMPLETED, Cell(gfn=DATA))
        write = access == Access.WRITE
        assert s.bare_memory[0, DATA][0] == Cell(gfn=ROOT if write else DATA) and s.bare_memory[0, DATA][1] == Cell()
        assert s.bare_memory[0, LEAF][0] == attrs.evolve(ENTRY, accessed=True, dirty=write)
    s = a_machine(LargePageInterpreter)
    s.bare_linear(0, 0, 1, 0, 1, Access.WRITE, ENTRY)
    assert (s.bare_memory[0, DATA][0], s.bare_memory[0, DATA][1]) == (Cell(gfn=DATA), ENTRY)
    assert s.bare_memory[0, LEAF][0] == attrs.evolve(ENTRY, accessed=True, dirty=True) and s.bare_memory[0, LEAF][1] == Cell()


class Told:
    """It notes what an instruction comes to."""

    def execute(self, *about: Any) -> Any:
        return about

    execute_l2 = execute


@pytest.mark.parametrize(("cls", "suffix", "address"), [(LinearInstructions, "", (3, 4)), (NestedInstructions, "_l2", (3,))])
def test_an_instruction_is_the_access_that_its_name_says_where_its_operands_say(cls: Any, suffix: str, address: Any) -> None:
    where = (1, 2, *address, 5)
    assert getattr(cls, f"load{suffix}")(Told(), *where) == (*where, Access.READ, Cell())
    assert getattr(cls, f"fetch{suffix}")(Told(), *where) == (*where, Access.FETCH, Cell())
    assert getattr(cls, f"store{suffix}")(Told(), *where, ENTRY) == (*where, Access.WRITE, ENTRY)
    if suffix:
        assert cls.save_l2(Told(), *where) == (*where, Access.WRITE, Cell())
    with pytest.raises(NotImplementedError):  # an MMU says what an access comes to
        getattr(cls, f"execute{suffix}")(Told(), *where, Access.READ, Cell())


def with_l2() -> Any:
    """Two VMs of three vCPUs, all of which have something cached. The last is L2, which is to be entered for the first time."""
    state = Machine(outline(ShadowOnEpt), ShadowOnEpt.geometry.resized(Vm=2, Vcpu=3, Gfn=4, Index=2)).state
    for vm, vcpu, page in itertools.product((0, 1), (0, 1, 2), (0, 1)):
        state.paging[vm, vcpu] = Paging(enabled=vcpu < 2, root=ROOT, mode=Mode(user=vcpu == 2))
        state.bare_tlb[vm, vcpu, page] = ENTRY
    return state


def test_l1_enters_l2_with_a_root_and_nothing_that_is_cached_goes() -> None:
    s = with_l2()
    was = dict(s.paging.items())
    s.vmresume(0, 1, 2, LEAF)
    assert dict(s.paging.items()) == {**was, (0, 2): Paging(enabled=True, root=LEAF, mode=Mode(user=True))}
    assert set(dict(s.bare_tlb.items()).values()) == {ENTRY}


def test_l1_s_invvpid_empties_what_is_cached_for_l2_on_both_machines() -> None:
    s, told = with_l2(), []
    s.__class__ = type("Told", (type(s),), {"invalidate_l2": lambda self, vm, l2: told.append((vm, l2))})
    with answering(Machine(outline(ShadowOnEpt), ShadowOnEpt.geometry)):
        s.l1_invvpid(0, 1, 2)
    assert {place for place, cell in s.bare_tlb.items() if cell == Cell()} == {(0, 2, 0), (0, 2, 1)}
    assert told == [(0, 2)]


def test_no_vcpu_is_its_own_guest() -> None:
    s = with_l2()
    for instruction in (lambda: s.vmresume(0, 2, 2, LEAF), lambda: s.l1_invvpid(0, 2, 2)):
        with pytest.raises(Refused):
            instruction()
    assert L1Instructions.invalidate_l2(s, 0, 2) is None  # the bare machine has no other cache
