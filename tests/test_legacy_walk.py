"""32-bit paging and PAE paging, bit for bit: examples to check by hand. What holds of all inputs is proved in
proofs/x86/legacy_walk.py."""

from __future__ import annotations

import attrs
import pytest

from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, Translation
from refmodel.machine.x86.guest_walk import FETCH, RSVD, Access, PageFault
from refmodel.machine.x86.legacy_walk import (
    BadPdpte,
    Cpu32,
    CpuPae,
    load_pdptes,
    malformed,
    reserved_of_4_mib,
    selected,
    walk_32,
    walk_pae,
)
from refmodel.machine.x86.words import NX, PS, RW, US, A, D, G, P, lacking

FULL = P | RW | US
SMALL_32 = {0x1000 + 4 * 0x345: 0x2000 | FULL, 0x2000 + 4 * 0x123: 0xFEDCB000 | FULL}
"""0xD1523xxx under 32-bit paging."""
GVA_32 = 0x345 << 22 | 0x123 << 12 | 0x678
SMALL_PAE = {0x1000 + 8 * 0x1AB: 0x2000 | FULL, 0x2000 + 8 * 0x0CD: 0xF_EDCB_A000 | FULL}
GVA_PAE = 2 << 30 | 0x1AB << 21 | 0x0CD << 12 | 0x678
PAE = CpuPae(0, 0, 0x1000 | P, 0)


def code_32(entries: dict[int, int], access: Access = Access(), gva: int = GVA_32, **registers: int) -> int:
    with pytest.raises(PageFault) as fault:
        walk_32(Marked(entries), Cpu32(cr3=0x1000, **registers), gva, access)  # type: ignore[arg-type]
    return int(fault.value.code)


def code_pae(entries: dict[int, int], access: Access = Access(), cpu: CpuPae = PAE, gva: int = GVA_PAE) -> int:
    with pytest.raises(PageFault) as fault:
        walk_pae(Marked(entries), cpu, gva, access)
    return int(fault.value.code)


# ---------------------------------------------------------------- 32-bit paging


def test_a_page_of_4_kib_is_ten_bits_and_ten_bits_and_twelve() -> None:
    memory = Marked(SMALL_32)
    found = walk_32(memory, Cpu32(cr3=0x1FFF), GVA_32, Access(user=True, write=True))
    assert found == Translation(0xFEDCB678, 1, RW | US, 0, 0xFEDCB000 | FULL)
    assert memory.marks == [(0x1D14, A), (0x248C, A | D)]
    assert walk_32(Marked(SMALL_32), Cpu32(cr3=0x1000), GVA_32 | 0xABC << 32, Access()).physical == 0xFEDCB678


def test_a_page_of_4_mib_takes_address_bits_39_to_32_from_bits_20_to_13() -> None:
    entry = 0xABC00000 | 0x5A << 13 | 1 << 12 | G | PS | FULL  # bit 12 is PAT
    memory = Marked({0x1D14: entry})
    found = walk_32(memory, Cpu32(cr3=0x1000, beyond=lacking(40)), GVA_32, Access(write=True))
    assert (found.physical, found.level) == (0x5A << 32 | 0xABC00000 | GVA_32 & 0x3FFFFF, 2)
    assert memory.marks == [(0x1D14, A | D)]


@pytest.mark.parametrize(
    ("physical_bits", "pse36", "reserved"),
    [(40, True, 1 << 21), (52, True, 1 << 21), (36, True, 0x1F << 17), (32, True, 0x1FF << 13), (40, False, 0x1FF << 13)],
)
def test_bits_of_a_4_mib_entry_are_reserved_from_maxphyaddr_on(physical_bits: int, pse36: bool, reserved: int) -> None:
    """Bits 21:(M - 19), M at most 40; without PSE-36 bits 21:13."""
    assert reserved_of_4_mib(pse36, lacking(physical_bits)) == reserved
    for bit in range(12, 22):
        entries = {0x1D14: 0x400000 | 1 << bit | PS | FULL}
        if reserved >> bit & 1:
            assert code_32(entries, pse36=pse36, beyond=lacking(physical_bits)) == P | RSVD
        else:
            walk_32(Marked(entries), Cpu32(0x1000, pse36=pse36, beyond=lacking(physical_bits)), GVA_32, Access())


def test_without_cr4_pse_bit_7_of_the_directory_is_ignored_and_nothing_is_reserved() -> None:
    entries = {0x1D14: 0x2000 | PS | FULL, 0x248C: 0xFEDCB000 | PS | FULL}
    assert walk_32(Marked(entries), Cpu32(cr3=0x1000, pse=False), GVA_32, Access()).physical == 0xFEDCB678


def test_fetches_are_told_in_error_codes_by_smep_alone_and_nothing_forbids_them() -> None:
    """EFER.NXE means nothing without CR4.PAE (SDM Vol. 3A 4.7)."""
    assert code_32({}, Access(fetch=True)) == 0
    assert code_32({}, Access(fetch=True, user=True), smep=True) == US | FETCH
    assert code_32(SMALL_32, Access(fetch=True), smep=True) == P | FETCH
    assert walk_32(Marked(SMALL_32), Cpu32(cr3=0x1000), GVA_32, Access(fetch=True)).level == 1


def test_rights_are_asked_for_at_both_levels() -> None:
    for at, entry in SMALL_32.items():
        less = {**SMALL_32, at: entry & ~US}
        assert code_32(less, Access(user=True)) == P | US
        less = {**SMALL_32, at: entry & ~RW}
        assert code_32(less, Access(write=True)) == P | RW
        assert walk_32(Marked(less), Cpu32(cr3=0x1000, wp=False), GVA_32, Access(write=True)).rights == US
        assert code_32({**SMALL_32, at: entry & ~P}) == 0
    assert code_32(SMALL_32, smap=True) == P
    assert walk_32(Marked(SMALL_32), Cpu32(cr3=0x1000, smap=True), GVA_32, Access(ac=True)).level == 1


# ---------------------------------------------------------------- PAE paging


def test_pae_paging_selects_a_register_and_walks_two_levels() -> None:
    memory = Marked(SMALL_PAE)
    found = walk_pae(memory, PAE, GVA_PAE, Access(user=True, write=True))
    assert found == Translation(0xF_EDCB_A678, 1, RW | US, SMALL_PAE[0x1D58] | SMALL_PAE[0x2668], SMALL_PAE[0x2668])
    assert memory.marks == [(0x1D58, A), (0x2668, A | D)]  # a PDPTE has no accessed flag
    large = {0x1D58: 0xF_EDC0_0000 | PS | FULL}
    assert walk_pae(Marked(large), PAE, GVA_PAE, Access()).physical == 0xF_EDC0_0000 | GVA_PAE & 0x1FFFFF


def test_bits_31_and_30_select_one_of_the_four() -> None:
    cpu = CpuPae(1, 2, 3, 4)
    assert [selected(cpu, n << 30 | 0x3FFFFFFF) for n in range(4)] == [1, 2, 3, 4]
    assert selected(cpu, 7 << 32) == 1


def test_a_pdpte_that_is_not_present_is_a_fault_and_its_other_bits_are_ignored() -> None:
    cpu = attrs.evolve(PAE, pdpte2=0x1000 | RW | NX)
    assert code_pae(SMALL_PAE, Access(user=True, fetch=True), cpu) == US | FETCH
    assert code_pae(SMALL_PAE, Access(fetch=True), attrs.evolve(cpu, nxe=False)) == 0


@pytest.mark.parametrize("bit", [40, 51, 52, 58, 62])
def test_pae_entries_have_no_ignored_bits_above_maxphyaddr(bit: int) -> None:
    """Bits 62:MAXPHYADDR are reserved; in IA-32e mode bits 62:52 are software's (SDM Vol. 3A 4.4.2)."""
    for at, entry in SMALL_PAE.items():
        assert code_pae({**SMALL_PAE, at: entry | 1 << bit}) == P | RSVD


def test_no_execute_needs_nxe() -> None:
    for at, entry in SMALL_PAE.items():
        barred = {**SMALL_PAE, at: entry | NX}
        assert code_pae(barred, Access(fetch=True)) == P | FETCH
        assert walk_pae(Marked(barred), PAE, GVA_PAE, Access()).denied & NX
        assert code_pae(barred, Access(), attrs.evolve(PAE, nxe=False)) == P | RSVD
    for bit in range(13, 21):
        assert code_pae({0x1D58: 0x200000 | 1 << bit | PS | FULL}) == P | RSVD


def test_registers_that_are_loaded_do_not_follow_memory() -> None:
    """A walker that reads PDPTEs from memory when it uses them goes wrong."""
    words = {0x3000 + 8 * n: (0x1000 | P) * (n == 2) for n in range(4)}
    loaded = load_pdptes(Marked(words), 0x3000, PAE)
    assert walk_pae(Marked({**SMALL_PAE, 0x3010: 0}), loaded, GVA_PAE, Access()).physical == 0xF_EDCB_A678


def test_mov_to_cr3_loads_the_four_registers_from_32_bytes() -> None:
    words = {0x1FE0: 0x2000 | P, 0x1FE8: 0x3000, 0x1FF0: 0x4000 | 0xE19, 0x1FF8: 0x5000 | P}
    loaded = load_pdptes(Marked(words), 0xABC_0000_1FFF, CpuPae(0, 0, 0, 0, wp=False, nxe=False))
    assert loaded == CpuPae(0x2001, 0x3000, 0x4E19, 0x5001, wp=False, nxe=False)


@pytest.mark.parametrize("bit", [1, 2, 5, 6, 7, 8, 40, 51, 52, 62, 63])
def test_a_reserved_bit_of_a_present_pdpte_is_a_protection_fault(bit: int) -> None:
    for number in range(4):
        words = {0x1FE0 + 8 * n: 0x2000 | P for n in range(4)}
        words[0x1FE0 + 8 * number] |= 1 << bit
        with pytest.raises(BadPdpte):
            load_pdptes(Marked(words), 0x1FE0, PAE)
        words[0x1FE0 + 8 * number] ^= P
        load_pdptes(Marked(words), 0x1FE0, PAE)
        with pytest.raises(BadPdpte):
            load_pdptes(Marked(words), 0x1FE0, PAE, check_absent=True)
    assert not malformed(0x2000 | P | 0xE18, lacking(40), True)


def test_faults_are_faults() -> None:
    assert issubclass(BadPdpte, Fault)
    assert attrs.asdict(Cpu32(0)) == {
        "cr3": 0,
        "wp": True,
        "smep": False,
        "smap": False,
        "pse": True,
        "pse36": True,
        "beyond": lacking(40),
    }
    assert attrs.asdict(CpuPae(1, 2, 3, 4)) == {
        "pdpte0": 1,
        "pdpte1": 2,
        "pdpte2": 3,
        "pdpte3": 4,
        "wp": True,
        "smep": False,
        "smap": False,
        "nxe": True,
        "beyond": lacking(40),
    }
