"""The guest's walk, bit for bit: examples to check by hand. What holds of all inputs is proved in proofs/x86/guest_walk.py."""

import pytest

from refmodel.language import Fault
from refmodel.machine.words import PAGE, Late, Marked, Translation
from refmodel.machine.x86 import words
from refmodel.machine.x86.guest_walk import (
    FETCH,
    PK,
    RSVD,
    Access,
    Cpu,
    NotCanonical,
    PageFault,
    canonical,
    walk,
    walk_marking_late,
)
from refmodel.machine.x86.words import NX, PS, RW, US, A, D, G, P

FULL = P | RW | US
CHAIN = {0x1000: 0x2000 | FULL, 0x2000: 0x3000 | FULL, 0x3000: 0x4000 | FULL, 0x4000: 0x5000 | FULL}


def translate(entries: dict[int, int], gva: int, access: Access = Access(), **registers: int) -> Translation:
    return walk(Marked(entries), Cpu(cr3=0x1000, **registers), gva, access)  # type: ignore[arg-type]


def code(entries: dict[int, int], access: Access, **registers: int) -> int:
    with pytest.raises(PageFault) as fault:
        translate(entries, 0, access, **registers)
    return int(fault.value.code)


def test_bits_are_numbered_as_in_the_manuals() -> None:
    assert (P, RW, US, A, D, PS, G, NX) == (1, 2, 4, 0x20, 0x40, 0x80, 0x100, 0x8000_0000_0000_0000)
    assert (PAGE, words.FRAME) == (0x1000, 0xF_FFFF_FFFF_F000)
    assert (RSVD, FETCH, PK) == (8, 0x10, 0x20)
    assert (words.lacking(36), words.lacking(52)) == (0xF_FFF0_0000_0000, 0)


@pytest.mark.parametrize("levels", [4, 5])
def test_an_address_is_canonical_if_its_bits_from_the_highest_on_are_alike(levels: int) -> None:
    half = 1 << (11 + 9 * levels)
    assert canonical(0, levels) and canonical(half - 1, levels)
    assert canonical((1 << 64) - half, levels) and canonical((1 << 64) - 1, levels)
    assert not canonical(half, levels) and not canonical((1 << 64) - half - 1, levels)


def test_memory_that_is_late_sets_nothing_before_it_is_told_to() -> None:
    memory = Marked({0x1000: 7})
    late = Late(memory)
    late.mark(0x1000, 7, A)
    assert (late.read(0x1000), late.read(0x2000), memory.marks) == (7, 0, [])
    late.settle()
    assert memory.marks == [(0x1000, A)]


def test_what_is_left_out_of_a_processor_and_of_an_access() -> None:
    assert Cpu(0x1000) == Cpu(
        cr3=0x1000,
        levels=4,
        wp=True,
        smep=False,
        smap=False,
        nxe=True,
        pke=False,
        pkru=0,
        beyond=0xF_FF00_0000_0000,
        gigabyte_pages=True,
        amd=False,
    )
    assert Access() == Access(user=False, write=False, fetch=False, ac=False, implicit=False)


def test_four_levels_lead_to_a_page() -> None:
    assert translate(CHAIN, 0x123)[:2] == (0x5123, 1)


def test_large_pages_take_the_rest_of_the_address() -> None:
    assert translate({**CHAIN, 0x3000: 0x400000 | FULL | PS}, 0x12345)[:2] == (0x412345, 2)
    assert translate({**CHAIN, 0x2000: 0x40000000 | FULL | PS}, 0x1234567)[:2] == (0x41234567, 3)


@pytest.mark.parametrize(
    ("change", "access", "registers", "expected"),
    [
        ({0x4000: 0}, Access(), {}, 0),
        ({0x4000: 0}, Access(user=True, write=True), {}, 6),
        ({0x4000: 0}, Access(fetch=True), {}, 0x10),
        ({0x4000: 0}, Access(fetch=True), {"nxe": False}, 0),
        ({0x3000: 0x4000 | P | US}, Access(write=True), {}, 3),
        ({0x3000: 0x4000 | P | RW}, Access(user=True), {}, 5),
        ({0x2000: 0x3000 | FULL | NX}, Access(fetch=True), {}, 0x11),
        ({0x2000: 0x3000 | FULL | NX}, Access(), {"nxe": False}, 9),
        ({0x1000: 0x2000 | FULL | PS}, Access(), {}, 9),
        ({0x3000: 0x402000 | FULL | PS}, Access(), {}, 9),
        ({0x4000: 1 << 45 | FULL}, Access(), {}, 9),
        ({0x1000: 0x2000 | FULL | G}, Access(), {"amd": True}, 9),
        ({0x2000: 0x40000000 | FULL | PS}, Access(), {"gigabyte_pages": False}, 9),
        ({}, Access(fetch=True), {"smep": True}, 0x11),
        ({}, Access(), {"smap": True}, 1),
        ({}, Access(ac=True, implicit=True), {"smap": True}, 1),
        ({}, Access(), {"pke": True, "pkru": 1}, 1 | PK),
        ({0x4000: 0x5000 | FULL | 3 << 59}, Access(user=True, write=True), {"pke": True, "pkru": 2 << 6}, 7 | PK),
    ],
)
def test_faults_carry_their_reason(change: dict[int, int], access: Access, registers: dict[str, int], expected: int) -> None:
    assert code({**CHAIN, **change}, access, **registers) == expected


@pytest.mark.parametrize(
    ("change", "access", "registers"),
    [
        ({0x4000: 0x5000 | P | US}, Access(write=True), {"wp": False}),
        ({}, Access(ac=True), {"smap": True}),
        ({}, Access(fetch=True), {"pke": True, "pkru": 3}),
        ({}, Access(write=True), {"pke": True, "pkru": 2, "wp": False}),
        ({0x4000: 0x5000 | P | RW}, Access(write=True), {"pke": True, "pkru": 3}),
        ({0x1000: 0x2000 | FULL | G}, Access(), {}),
    ],
)
def test_accesses_that_are_let_through(change: dict[int, int], access: Access, registers: dict[str, int]) -> None:
    assert translate({**CHAIN, **change}, 0, access, **registers).physical == 0x5000


def test_an_address_that_is_not_canonical_is_no_page_fault() -> None:
    with pytest.raises(NotCanonical):
        translate(CHAIN, 1 << 47)
    with pytest.raises(PageFault):
        translate(CHAIN, 1 << 47, levels=5)


def test_flags_are_set_in_every_entry_used_and_d_in_the_leaf() -> None:
    memory = Marked(CHAIN)
    walk(memory, Cpu(cr3=0x1000), 0, Access(write=True))
    assert memory.marks == [(0x1000, A), (0x2000, A), (0x3000, A), (0x4000, A | D)]


def test_flags_may_be_set_at_the_end_and_then_in_the_same_order() -> None:
    memory = Marked(CHAIN)
    assert walk_marking_late(memory, Cpu(cr3=0x1000), 0x123, Access(write=True)) == translate(CHAIN, 0x123, Access(write=True))
    assert memory.marks == [(0x1000, A), (0x2000, A), (0x3000, A), (0x4000, A | D)]


def test_a_fault_may_mark_what_was_used_above_the_leaf_only() -> None:
    access = Access(user=True)
    entries = {**CHAIN, 0x4000: 0x5000 | P}
    for guest_walk, marks in ((walk, [(0x1000, A), (0x2000, A), (0x3000, A)]), (walk_marking_late, [])):
        memory = Marked(entries)
        with pytest.raises(Fault):
            guest_walk(memory, Cpu(cr3=0x1000), 0, access)
        assert memory.marks == marks
