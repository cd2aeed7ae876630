"""The bare machine under tables of three levels, beside the walk of five levels, bit for bit. The upper two levels of that have no
pages, and the third maps 1 GiB: rights, reserved flags and error codes are those of the three levels here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from refmodel.bare_roles import Control, Fault, Privilege, Rights, RoleCell, architecture_permits, rights_of_both
from refmodel.designs import ShadowRoles
from refmodel.engines.machine import Machine
from refmodel.language import outline
from refmodel.machine.cells import Access, Flags
from refmodel.machine.words import Marked
from refmodel.machine.x86 import guest_walk
from refmodel.machine.x86.guest_walk import RSVD, Cpu, PageFault, allowed, walk
from refmodel.machine.x86.words import NX, PS, RW, US, P

VM, VCPU = 1, 0
ROOT, SECOND, LEAF, PAGE = 1, 0, 3, 2
TOP, MIDDLE, LAST = 0, 1, 2
SWITCHES = (False, True)
FULL = RoleCell(True, Rights(True, True, True))


def controls() -> Iterator[Control]:
    for wp, smep, nxe, smap in itertools.product(SWITCHES, repeat=4):
        yield Control(ROOT, wp, smep, nxe, smap)


def processor(control: Control) -> Cpu:
    return Cpu(cr3=table(control.root), levels=5, wp=control.wp, smep=control.smep, smap=control.smap, nxe=control.nxe)


def made_by(by: Privilege, access: Access) -> guest_walk.Access:
    return guest_walk.Access(
        user=by == Privilege.USER, write=access == Access.WRITE, fetch=access == Access.FETCH, ac=by == Privilege.SUPERVISOR_WITH_AC
    )


def table(gfn: int) -> int:
    return (gfn + 1) << 12


def word(cell: RoleCell, address: int) -> int:
    rights = cell.rights
    bits = ((P, cell.present), (RW, rights.writable), (US, rights.user), (NX, not rights.executable), (PS, cell.large))
    return address | sum(bit for bit, is_set in bits if is_set)


def one_flag_off(flags: tuple[str, ...]) -> Iterator[RoleCell]:
    """An entry that gives everything, those that differ from it in one flag, and one without a flag."""
    yield FULL
    yield RoleCell()
    for flag in flags:
        if hasattr(FULL, flag):
            yield attrs.evolve(FULL, **{flag: not getattr(FULL, flag)})
        else:
            yield attrs.evolve(FULL, rights=attrs.evolve(FULL.rights, **{flag: False}))


def paths() -> Iterator[tuple[RoleCell, RoleCell, RoleCell]]:
    """The entries of three levels."""
    upper, leaf = ("present", "large", "writable", "user", "executable"), ("present", "writable", "user", "executable")
    for first, second, last in itertools.product(one_flag_off(upper), one_flag_off(upper), one_flag_off(leaf)):
        yield attrs.evolve(first, gfn=SECOND), attrs.evolve(second, gfn=LEAF), attrs.evolve(last, gfn=PAGE)


def a_machine(path: tuple[RoleCell, RoleCell, RoleCell], control: Control) -> Any:
    """Two VMs, of which one has a path for one address, and one vCPU that has the root of it."""
    state = Machine(outline(ShadowRoles), ShadowRoles.geometry.resized(Vm=2, Vcpu=2, Gfn=4, Index=3)).state
    for gfn, index, cell in zip((ROOT, SECOND, LEAF), (TOP, MIDDLE, LAST), path, strict=True):
        state.cells[VM, gfn, index] = cell
    state.control[VM, VCPU] = control
    return state


def memory_of(path: tuple[RoleCell, RoleCell, RoleCell]) -> Marked:
    first, second, last = path
    return Marked(
        {
            table(ROOT) + 8 * TOP: word(first, table(SECOND)),
            table(SECOND) + 8 * MIDDLE: word(second, table(LEAF)),
            table(LEAF) + 8 * LAST: word(last, PAGE << 30 | PS),
        }
    )


def walked(path: tuple[RoleCell, RoleCell, RoleCell], control: Control, by: Privilege, access: Access) -> int | None:
    """The error code of an access that faults on the machine of bits; None if it is let through."""
    try:
        found = walk(memory_of(path), processor(control), TOP << 48 | MIDDLE << 39 | LAST << 30, made_by(by, access))
    except PageFault as fault:
        return int(fault.code)
    assert found.physical == PAGE << 30
    return None


def test_a_right_is_given_if_both_levels_give_it() -> None:
    for a, b in itertools.product(itertools.product(SWITCHES, repeat=3), repeat=2):
        assert rights_of_both(Rights(*a), Rights(*b)) == Rights(*(x and y for x, y in zip(a, b, strict=True)))


def test_an_access_is_let_through_as_the_bits_have_it() -> None:
    for given, control, by, access in itertools.product(itertools.product(SWITCHES, repeat=3), controls(), Privilege, Access):
        rights = Rights(*given)
        reserved = not control.nxe and not rights.executable
        due = not reserved and allowed(processor(control), made_by(by, access), rights.user, rights.writable, not rights.executable)
        assert architecture_permits(rights, control, by, access) == due, (rights, control, by, access)


@pytest.mark.parametrize("nxe", SWITCHES)
def test_a_path_lets_through_what_a_walk_lets_through(nxe: bool) -> None:
    control = Control(ROOT, wp=True, smep=False, nxe=nxe)
    for path in paths():
        state = a_machine(path, control)
        for by, access in itertools.product((Privilege.USER, Privilege.SUPERVISOR), Access):
            due = walked(path, control, by, access) is None
            assert state.bare_permits(VM, VCPU, TOP, MIDDLE, LAST, by, access) == due, (path, by, access)


@pytest.mark.parametrize("nxe", SWITCHES)
def test_a_store_that_faults_has_the_error_code_of_a_walk(nxe: bool) -> None:
    control = Control(ROOT, wp=True, smep=False, nxe=nxe)
    for path, by in itertools.product(paths(), (Privilege.USER, Privilege.SUPERVISOR)):
        code = walked(path, control, by, Access.WRITE)
        if code is not None:
            due = Fault(code & P != 0, code & RSVD != 0, code & RW != 0, code & US != 0)
            assert a_machine(path, control).bare_write_fault(VM, VCPU, TOP, MIDDLE, LAST, by) == due, (path, by)


def test_two_upper_levels_lead_to_the_leaf_table_with_the_rights_of_both() -> None:
    for first, second, last in paths():
        way = a_machine((first, second, last), Control(ROOT)).bare_above(VM, ROOT, TOP, MIDDLE)
        usable = first.present and second.present and not (first.large or second.large)
        assert way == RoleCell(usable, rights_of_both(first.rights, second.rights), LEAF)


def test_the_entry_that_maps_is_marked_and_a_dirty_flag_stays() -> None:
    state = a_machine((attrs.evolve(FULL, gfn=SECOND), attrs.evolve(FULL, gfn=LEAF), attrs.evolve(FULL, gfn=PAGE)), Control(ROOT))
    for write, dirty in ((False, False), (True, True), (False, True)):
        state.bare_mark(VM, VCPU, TOP, MIDDLE, LAST, write)
        marked = {place: flags for place, flags in state.bare_flags.items() if flags != Flags()}
        assert marked == {(VM, LEAF, LAST): Flags(True, dirty)}
