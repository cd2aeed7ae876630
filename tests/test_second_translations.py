"""EPT, nested paging and walks in two dimensions: examples. What holds of all inputs is proved in proofs/."""

import itertools

import pytest

from refmodel.machine.words import Marked
from refmodel.machine.x86 import ept_walk as ept_text
from refmodel.machine.x86 import npt_walk as npt_text
from refmodel.machine.x86.ept_walk import FINAL, LINEAR, XU, Ept, EptMisconfiguration, EptViolation, R, Use, W, X, ept_walk
from refmodel.machine.x86.guest_walk import Access, Cpu, PageFault
from refmodel.machine.x86.nested_walk import ThroughEpt, walk_through_ept, walk_through_npt
from refmodel.machine.x86.npt_walk import FINAL_ADDRESS, TABLE_ADDRESS, NestedPageFault, npt_walk
from refmodel.machine.x86.words import NX, PS, RW, US, A, D, P

RWX, WB, FULL = R | W | X, 6 << 3, P | RW | US | A | D
CHAIN = {0x1000: 0x2000 | RWX, 0x2000: 0x3000 | RWX, 0x3000: 0x4000 | RWX, 0x4000: 0x5000 | RWX | WB}


def test_bits_and_exit_reasons_are_numbered_as_in_the_manuals() -> None:
    assert (R, W, X, XU, ept_text.EPT_A, ept_text.EPT_D) == (1, 2, 4, 0x400, 0x100, 0x200)
    assert (ept_text.EXIT_VIOLATION, ept_text.EXIT_MISCONFIGURATION, npt_text.EXIT_NPF) == (48, 49, 0x400)
    assert (ept_text.USER_EXECUTABLE, ept_text.LINEAR, ept_text.FINAL) == (0x40, 0x80, 0x100)
    assert (ept_text.USER_PAGE, ept_text.WRITABLE_PAGE, ept_text.EXECUTE_DISABLED_PAGE) == (0x200, 0x400, 0x800)
    assert (npt_text.FINAL_ADDRESS, npt_text.TABLE_ADDRESS) == (0x1_0000_0000, 0x2_0000_0000)


def test_what_is_left_out_of_a_walk_of_ept_and_of_a_use() -> None:
    assert Ept(0x1000) == Ept(
        root=0x1000,
        levels=4,
        accessed_dirty=False,
        mode_based_execute=False,
        execute_only=True,
        gigabyte_pages=True,
        advanced=False,
        beyond=0xF_FF00_0000_0000,
    )
    assert Use() == Use(read=False, write=False, fetch=False, user_page=False, about=0)


def test_a_flag_is_set_where_the_entry_lies_and_in_what_was_read_of_it() -> None:
    noted = []

    class Noted(Marked):
        def mark(self, address: int, entry: int, flags: int) -> None:  # type: ignore[override]
            noted.append((address, entry, flags))

    ThroughEpt(Noted(CHAIN), Ept(0x1000)).mark(0x10, P | RW, A)  # type: ignore[arg-type]
    assert noted == [(0x5010, P | RW, A)]


def ends(change: dict[int, int], use: Use, **controls: bool) -> object:
    try:
        return ept_walk(Marked({**CHAIN, **change}), Ept(0x1000, **controls), 0, use).physical  # type: ignore[arg-type]
    except EptViolation as fault:
        return fault.qualification
    except EptMisconfiguration:
        return "misconfiguration"


@pytest.mark.parametrize(
    ("change", "use", "controls", "end"),
    [
        ({}, Use(read=True), {}, 0x5000),
        ({0x4000: 0}, Use(write=True, about=LINEAR | FINAL), {}, W | LINEAR | FINAL),
        ({0x4000: 0x5000 | R | WB}, Use(write=True), {}, W | R << 3),
        ({0x3000: 0x4000 | R}, Use(fetch=True), {}, X | R << 3),
        ({0x4000: 0x5000 | W | WB}, Use(read=True), {}, "misconfiguration"),
        ({0x4000: 0x5000 | X | WB}, Use(fetch=True), {}, 0x5000),
        ({0x4000: 0x5000 | X | WB}, Use(fetch=True), {"execute_only": False}, "misconfiguration"),
        ({0x4000: 0x5000 | RWX | 2 << 3}, Use(read=True), {}, "misconfiguration"),
        ({0x4000: 0x5000 | RWX | WB | 1 << 45}, Use(read=True), {}, "misconfiguration"),
        ({0x3000: 0x4000 | RWX | 1 << 3}, Use(read=True), {}, "misconfiguration"),
        ({0x3000: 0x1000 | RWX | WB | PS}, Use(read=True), {}, "misconfiguration"),
        ({0x3000: 0x200000 | RWX | WB | PS}, Use(read=True), {}, 0x200000),
        ({0x2000: RWX | WB | PS}, Use(read=True), {"gigabyte_pages": False}, "misconfiguration"),
        ({0x4000: 0x5000 | R | XU | WB}, Use(fetch=True, user_page=True), {"mode_based_execute": True}, X | R << 3),
    ],
)
def test_the_ept_walk(change: dict[int, int], use: Use, controls: dict[str, bool], end: object) -> None:
    assert ends(change, use, **controls) == end


def test_execution_by_mode_needs_the_right_at_every_level() -> None:
    by_mode = {a: e | XU for a, e in CHAIN.items()}
    controls = {"mode_based_execute": True}
    assert ends({**by_mode, 0x4000: 0x5000 | R | XU | WB}, Use(fetch=True, user_page=True), **controls) == 0x5000
    assert ends({**by_mode, 0x4000: 0x5000 | R | XU | WB}, Use(fetch=True), **controls) == X | R << 3 | 1 << 6


# ---------------------------------------------------------------- two dimensions

GUEST_ROOT, HOST_ROOT = 0x100000, 0x200000


class Counted(Marked):
    """Memory that counts how often it is read."""

    __slots__ = ("reads",)

    def __init__(self, words: dict[int, int]) -> None:
        super().__init__(words)
        self.reads = 0

    def read(self, address: int) -> int:
        self.reads += 1
        return super().read(address)


def tables(root: int, rights: int, page: int, leaf: int, target: int, levels: int = 4) -> dict[int, int]:
    """A chain for address 0, with a leaf at a level."""
    entries = {root + 0x1000 * (levels - level): root + 0x1000 * (levels - level + 1) | rights for level in range(levels, leaf, -1)}
    return {**entries, root + 0x1000 * (levels - leaf): target | page | (PS if leaf > 1 else 0)}


def identity(levels: int = 4, leaf: int = 1, ept: bool = True) -> dict[int, int]:
    """Second tables that map the first 4 MiB to itself with pages of a size."""
    table, page = (RWX, RWX | WB) if ept else (FULL, FULL)
    entries = tables(HOST_ROOT, table, page, leaf, 0, levels)
    if leaf == 3:
        return entries
    second = HOST_ROOT + 0x1000 * (levels - 2)
    for n in range(2):
        if leaf == 2:
            entries[second + 8 * n] = 0x200000 * n | page | PS
        else:
            entries[second + 8 * n] = HOST_ROOT + 0x10000 + 0x1000 * n | table
            entries.update({HOST_ROOT + 0x10000 + 0x1000 * n + 8 * i: 0x200000 * n + 0x1000 * i | page for i in range(512)})
    return entries


@pytest.mark.parametrize(("guest_leaf", "host_leaf"), list(itertools.product((1, 2, 3), repeat=2)))
def test_any_mix_of_page_sizes_leads_to_the_same_place(guest_leaf: int, host_leaf: int) -> None:
    guest = tables(GUEST_ROOT, FULL, FULL, guest_leaf, 0)
    for ept in (True, False):
        memory = Counted({**guest, **identity(leaf=host_leaf, ept=ept)})
        cpu = Cpu(cr3=GUEST_ROOT)
        if ept:
            nested = walk_through_ept(memory, Ept(HOST_ROOT), cpu, 0x777, Access(user=True))
        else:
            nested = walk_through_npt(memory, Cpu(cr3=HOST_ROOT), cpu, 0x777, Access(user=True))
        assert nested.host.physical == 0x777
        assert nested.level == min(guest_leaf, host_leaf)
        assert memory.reads == (5 - guest_leaf + 1) * (5 - host_leaf + 1) - 1


def test_four_levels_under_four_take_24_references_and_five_under_five_35() -> None:
    memory = Counted({**tables(GUEST_ROOT, FULL, FULL, 1, 0), **identity()})
    walk_through_ept(memory, Ept(HOST_ROOT), Cpu(cr3=GUEST_ROOT), 0, Access())
    assert memory.reads == 24
    memory = Counted({**tables(GUEST_ROOT, FULL, FULL, 1, 0, 5), **identity(5)})
    walk_through_ept(memory, Ept(HOST_ROOT, levels=5), Cpu(cr3=GUEST_ROOT, levels=5), 0, Access())
    assert memory.reads == 35


def through_ept(change: dict[int, int], access: Access, **controls: bool) -> object:
    memory = Marked({**tables(GUEST_ROOT, P | RW | US, P | RW | US, 1, 0), **identity(), **change})
    try:
        return walk_through_ept(memory, Ept(HOST_ROOT, **controls), Cpu(cr3=GUEST_ROOT), 0, access)  # type: ignore[arg-type]
    except (EptViolation, PageFault) as fault:
        return repr(fault)


def page_entry(frame: int) -> int:
    """Where the second tables' entry for a low frame is."""
    return HOST_ROOT + 0x10000 + 8 * (frame >> 12)


def test_a_guest_s_tables_are_written_when_their_flags_are_set() -> None:
    read_only = {page_entry(GUEST_ROOT): GUEST_ROOT | R | WB}
    assert through_ept(read_only, Access()) == repr(EptViolation(GUEST_ROOT, R | W | R << 3 | LINEAR))
    marked = {**read_only, GUEST_ROOT: GUEST_ROOT + 0x1000 | FULL}
    assert not isinstance(through_ept(marked, Access()), str)
    assert through_ept(marked, Access(), accessed_dirty=True) == repr(EptViolation(GUEST_ROOT, R | W | R << 3 | LINEAR))


def test_advanced_information_tells_the_guest_s_rights() -> None:
    fault = through_ept({page_entry(0): R | WB}, Access(write=True), advanced=True)
    assert fault == repr(EptViolation(0, W | R << 3 | LINEAR | FINAL | 1 << 9 | 1 << 10))


def test_a_nested_fault_tells_its_stage_and_the_guest_s_own_comes_first() -> None:
    guest = tables(GUEST_ROOT, FULL, FULL, 1, 0)
    second = identity(ept=False)

    def fault(change: dict[int, int], access: Access = Access()) -> object:
        with pytest.raises((NestedPageFault, PageFault)) as raised:
            walk_through_npt(Marked({**guest, **second, **change}), Cpu(cr3=HOST_ROOT), Cpu(cr3=GUEST_ROOT), 0, access)
        return repr(raised.value)

    assert fault({page_entry(GUEST_ROOT): GUEST_ROOT | P | US}) == repr(NestedPageFault(GUEST_ROOT, 7 | TABLE_ADDRESS))
    assert fault({page_entry(0): P | RW | US | NX}, Access(fetch=True)) == repr(NestedPageFault(0, 0x15 | FINAL_ADDRESS))
    assert fault({page_entry(0): 0, GUEST_ROOT + 0x3000: 0}) == repr(PageFault(0))


# ---------------------------------------------------------------- how wide a guest-physical address is


def nested_chain(gpa: int, levels: int) -> dict[int, int]:
    """Nested tables that map the page of an address to 0x7000: a table each at 0x1000, 0x2000, and so on."""
    return {
        0x1000 * (levels - level + 1) + 8 * (gpa >> (3 + 9 * level) & 0x1FF): (
            0x7000 if level == 1 else 0x1000 * (levels - level + 2)
        )
        | FULL
        for level in range(levels, 0, -1)
    }


@pytest.mark.parametrize(("levels", "bits"), [(4, 48), (5, 57)])
def test_nested_tables_translate_every_bit_of_a_guest_physical_address_that_selects_an_entry(levels: int, bits: int) -> None:
    host = Cpu(cr3=0x1000, levels=levels)
    for gpa in (0, 1 << (bits - 2), (1 << (bits - 1)) - 0x1000, 1 << (bits - 1), (1 << bits) - 0x1000, 0xFFFFFFFFF000):
        memory = Marked(nested_chain(gpa, levels))
        assert npt_walk(memory, host, gpa | 0x123, False, False, FINAL_ADDRESS).physical == 0x7123
        assert len(memory.marks) == levels


@pytest.mark.parametrize(("levels", "bits"), [(4, 48), (5, 57)])
@pytest.mark.parametrize(("write", "fetch", "code"), [(False, False, 4), (True, False, 6), (False, True, 0x14)])
def test_beyond_them_it_is_as_if_no_entry_were_present(levels: int, bits: int, write: bool, fetch: bool, code: int) -> None:
    host = Cpu(cr3=0x1000, levels=levels)
    for gpa in (1 << bits, (1 << 64) - (1 << (bits - 1)), (1 << 64) - 0x1000, 1 << 63):  # the middle two are canonical
        memory = Marked(nested_chain(gpa, levels))
        with pytest.raises(NestedPageFault) as fault:
            npt_walk(memory, host, gpa, write, fetch, TABLE_ADDRESS)
        assert (fault.value.gpa, fault.value.code, memory.marks) == (gpa, code | TABLE_ADDRESS, [])
