"""How stale RISC-V's translations may be. That each claim can fail is shown in test_riscv_staleness_mutants.py."""

import itertools
from collections.abc import Iterator

import attrs
import pytest

from refmodel.language import Fault
from refmodel.machine.riscv.staleness import Entry, Remembered, Space, Tables, first_address
from refmodel.machine.riscv.two_stages import GuestPageFault, TwoStages
from refmodel.machine.riscv.walk import Access, PageFault, Stage
from refmodel.machine.riscv.words import A, D, G, N, R, Translation, U, V, W, X
from refmodel.machine.words import Marked

FULL = V | R | W | X | A | D
ROOT, SECOND, FIRST, OTHER = 0x1000, 0x2000, 0x3000, 0x5000
SV39 = Stage(ROOT, svnapot=True)
MINE, THEIRS = Space(Tables.HS, 0, 7), Space(Tables.HS, 0, 8)
LOAD, STORE = Access(), Access(write=True)
ADDRESS = 1 << 30 | 2 << 21 | 3 << 12


def pte(address: int, flags: int = V) -> int:
    return address >> 2 | flags


def tables(leaf: int, top: int = pte(SECOND)) -> Marked:
    return Marked({ROOT + 8: top, SECOND + 16: pte(FIRST), FIRST + 24: leaf})


def ends(hart: Remembered, memory: Marked, space: Space = MINE, access: Access = LOAD, stage: Stage = SV39) -> set[object]:
    """The physical addresses of all ways, and the kinds of fault."""
    return {
        end.physical if isinstance(end, Translation) else type(end)
        for _, end in hart.ways(lambda: Marked(memory.words), stage, space, ADDRESS, access)
    }


def reads(memory: Marked, space: Space = MINE, stage: Stage = SV39, **settings: bool) -> Remembered:
    hart = Remembered(**settings)  # type: ignore[arg-type]
    hart.may_read(memory, stage, space, ADDRESS)
    return hart


def test_what_is_not_remembered_is_read() -> None:
    assert ends(Remembered(), tables(pte(0x8000, FULL))) == {0x8000}
    assert ends(Remembered(), tables(0)) == {PageFault}


def test_until_a_fence_the_old_leaf_or_the_new_one_is_used() -> None:
    hart = reads(tables(pte(0x8000, FULL)))
    assert ends(hart, tables(pte(0x9000, FULL))) == {0x8000, 0x9000}
    hart.sfence_vma(SV39, address=ADDRESS, asid=7)
    assert ends(hart, tables(pte(0x9000, FULL))) == {0x9000}


def test_a_leaf_that_is_remembered_needs_nothing_above_it() -> None:
    hart = reads(tables(pte(0x8000, FULL)))
    hart.forget(lambda e: not e.leaf)
    assert ends(hart, Marked({})) == {0x8000, PageFault}


def test_a_fence_of_an_address_leaves_pointers_stale_and_one_of_all_does_not() -> None:
    hart, new = reads(tables(pte(0x8000, FULL))), tables(pte(0x9000, FULL), top=pte(OTHER))
    hart.sfence_vma(SV39, address=ADDRESS)
    assert ends(hart, new) == {0x9000, PageFault}  # by the old table of level 2, or by the new one, which is empty
    hart.sfence_vma(SV39)
    assert ends(hart, new) == {PageFault}


def test_what_is_not_valid_may_be_remembered_until_a_fence_or_with_svvptc_for_a_time() -> None:
    new = tables(pte(0x8000, FULL))
    for svvptc, after in ((False, {0x8000, PageFault}), (True, {0x8000})):
        hart = reads(tables(0), svvptc=svvptc)
        assert ends(hart, new) == {0x8000, PageFault}
        hart.time_passes()
        assert ends(hart, new) == after
        hart.sfence_vma(SV39, address=ADDRESS)
        assert ends(hart, new) == {0x8000}


def test_an_upper_entry_that_was_not_valid_may_outlast_a_fence_of_an_address() -> None:
    hart = reads(tables(pte(0x8000, FULL), top=0))
    hart.sfence_vma(SV39, address=ADDRESS)
    assert ends(hart, tables(pte(0x8000, FULL))) == {0x8000, PageFault}
    hart.sfence_vma(SV39, asid=7)
    assert ends(hart, tables(pte(0x8000, FULL))) == {0x8000}


def test_flags_are_set_in_memory_and_only_in_the_entry_that_was_read() -> None:
    clean = pte(0x8000, V | R | W | A)
    hart = reads(tables(clean))
    assert ends(hart, tables(clean), access=STORE) == {0x8000}
    assert ends(hart, tables(pte(0x9000, FULL)), access=STORE) == {0x9000}  # the old one cannot be marked: the walk begins anew
    assert ends(hart, tables(pte(0x9000, FULL))) == {0x8000, 0x9000}
    marks = {tuple(memory.marks) for memory, _ in hart.ways(lambda: Marked(tables(clean).words), SV39, MINE, ADDRESS, STORE)}
    assert marks == {((FIRST + 24, A | D),)}
    assert ends(hart, tables(pte(0x8000, FULL)), access=STORE, stage=attrs.evolve(SV39, adue=False)) == {0x8000, PageFault}


def test_a_translation_serves_its_asid_and_a_global_one_every_asid() -> None:
    assert ends(reads(tables(pte(0x8000, FULL))), Marked({}), THEIRS) == {PageFault}
    assert ends(reads(tables(pte(0x8000, FULL | G))), Marked({}), THEIRS) == {0x8000, PageFault}
    below_a_global_pointer = reads(tables(pte(0x8000, FULL), top=pte(SECOND, V | G)))
    assert ends(below_a_global_pointer, Marked({}), THEIRS) == {0x8000, PageFault}
    below_a_global_pointer.sfence_vma(SV39, asid=7)
    assert ends(below_a_global_pointer, Marked({}), THEIRS) == {0x8000, PageFault}


def test_a_translation_may_be_used_under_another_mode() -> None:
    assert ends(reads(tables(pte(0x8000, FULL))), Marked({}), stage=Stage(ROOT, levels=4)) == {0x8000, PageFault}


def test_what_may_be_remembered_is_what_a_walk_reads_and_no_more() -> None:
    def kept(memory: Marked, stage: Stage = SV39, address: int = ADDRESS) -> set[tuple[int, int, int]]:
        hart = Remembered()
        hart.may_read(memory, stage, MINE, address)
        return {(e.level, e.slot, e.value) for e in hart.entries}

    leaf = pte(0x8000, FULL)
    assert kept(tables(leaf)) == {(3, ROOT + 8, pte(SECOND)), (2, SECOND + 16, pte(FIRST)), (1, FIRST + 24, leaf)}
    assert kept(tables(leaf, top=pte(SECOND, 0))) == {(3, ROOT + 8, pte(SECOND, 0))}  # not valid: no table is below it
    assert kept(tables(leaf, top=pte(SECOND, V | R))) == {(3, ROOT + 8, pte(SECOND, V | R))}  # a leaf
    assert {level for level, _, _ in kept(tables(pte(0x8000)))} == {3, 2, 1}  # a pointer at the lowest level
    assert kept(tables(leaf), address=ADDRESS | 1 << 40) == set()
    small = Marked({ROOT + 4 * 5: pte(SECOND), SECOND + 4 * 7: leaf})
    assert kept(small, Stage(ROOT, levels=2, sv32=True), 5 << 22 | 7 << 12) == {(2, ROOT + 20, pte(SECOND)), (1, SECOND + 28, leaf)}


def test_what_an_old_pointer_leads_to_may_be_read_and_remembered_too() -> None:
    hart = reads(tables(pte(0x8000, FULL)))
    hart.may_read(tables(pte(0x9000, FULL), top=pte(OTHER)), SV39, MINE, ADDRESS)
    assert {e.value for e in hart.entries if e.slot == FIRST + 24} == {pte(0x8000, FULL), pte(0x9000, FULL)}


def test_an_entry_of_a_table_used_at_two_levels_is_remembered_for_the_level_at_which_it_was_read() -> None:
    sv32, hart, slot = Stage(ROOT, levels=2, sv32=True), Remembered(), ROOT + 4 * 5
    hart.may_read(Marked({slot: pte(ROOT)}), sv32, MINE, 5 << 22 | 7 << 12)
    hart.may_read(Marked({slot: pte(SECOND)}), sv32, MINE, 5 << 22 | 5 << 12)
    assert {(e.level, e.value) for e in hart.entries if e.slot == slot} == {(2, pte(ROOT)), (2, pte(SECOND)), (1, pte(SECOND))}


def test_an_entry_is_remembered_for_its_own_place() -> None:
    hart = reads(tables(pte(0x8000, FULL)))
    hart.may_read(Marked({OTHER + 8: pte(1 << 30, FULL)}), Stage(OTHER), MINE, ADDRESS)
    assert {e.value for e in hart.entries if e.slot == OTHER + 8} == {pte(1 << 30, FULL)}
    assert {e.slot for e in hart.entries if e.level == 3} == {ROOT + 8, OTHER + 8}


def test_pages_of_64_kib_are_remembered_page_by_page() -> None:
    napot = pte(0x8_8000, FULL) | N
    hart = reads(tables(napot))
    assert ends(hart, tables(0)) == {0x8_3000, PageFault}
    hart.sfence_vma(SV39, address=ADDRESS + 0x1000)
    assert ends(hart, tables(0)) == {0x8_3000, PageFault}
    hart.sfence_vma(SV39, address=ADDRESS + 0x123)
    assert ends(hart, tables(0)) == {PageFault}


# ---------------------------------------------------------------- every operand of every fence

VALUES = (pte(0x8000, FULL), pte(SECOND), 0, pte(0x8000, FULL & ~V))
ELSEWHERE = ADDRESS + (1 << 30)


def universe() -> Iterator[Entry]:
    for tables_, vmid, asid, level, value, is_global, address in itertools.product(
        Tables, (0, 5), (0, 7), (1, 2, 3), VALUES, (False, True), (ADDRESS, ELSEWHERE)
    ):
        if (tables_ is Tables.HS and vmid) or (tables_ is Tables.G and (asid or is_global)):
            continue
        yield Entry(Space(tables_, vmid, asid), first_address(address, level, False), level, False, 0x77000, value, is_global)


def is_leaf(entry: Entry) -> bool:
    return entry.level == 1 or entry.value == pte(0x8000, FULL)


def at(entry: Entry, address: int) -> bool:
    return address >> 12 + 9 * (entry.level - 1) == entry.address >> 12 + 9 * (entry.level - 1)


@pytest.mark.parametrize("svinval", [False, True])
@pytest.mark.parametrize(("address", "asid"), list(itertools.product((None, ADDRESS + 0x10), (None, 7, 7 | 1 << 16))))
def test_a_fence_forgets_what_its_operands_say_and_nothing_else(address: int | None, asid: int | None, svinval: bool) -> None:
    """The four bullets of SFENCE.VMA; HFENCE.VVMA and SFENCE.VMA with V=1 under a VMID; HFENCE.GVMA with a VMID for the ASID."""
    every = set(universe())

    def concerns(e: Entry, whose: Tables, vmid: int) -> bool:
        tag = e.space.tables is whose and e.space.vmid == vmid
        named = asid is None or (e.space.asid == 7 and not e.is_global)
        return tag and named and (address is None or (is_leaf(e) and at(e, address)))

    for vmid in (None, 0, 5):
        hart = Remembered(entries=set(every))
        if svinval:
            hart.sfence_w_inval()
            hart.sinval_vma(SV39, vmid, address, asid)
            assert hart.entries == every
            hart.sfence_inval_ir()
        elif vmid is None:
            hart.sfence_vma(SV39, None, address, asid)
        else:
            hart.hfence_vvma(SV39, vmid, address, asid)
        assert every - hart.entries == {e for e in every if concerns(e, Tables.HS if vmid is None else Tables.VS, vmid or 0)}
    for named in (None, 5, 5 | 1 << 14):
        hart, shifted = Remembered(entries=set(every)), None if address is None else address >> 2
        if svinval:
            hart.sfence_w_inval()
            hart.hinval_gvma(shifted, named)
            hart.sfence_inval_ir()
        else:
            hart.hfence_gvma(shifted, named)
        assert every - hart.entries == {
            e
            for e in every
            if e.space.tables is Tables.G
            and (named is None or e.space.vmid == 5)
            and (address is None or (is_leaf(e) and at(e, address)))
        }


def test_a_fence_of_an_address_that_is_none_has_no_effect() -> None:
    hart = Remembered(entries=set(universe()))
    hart.sfence_vma(SV39, address=1 << 40)
    hart.sfence_w_inval()
    hart.sinval_vma(SV39, address=1 << 40 | ADDRESS)
    hart.sfence_inval_ir()
    assert hart.entries == set(universe())
    far, wider = 1 << 40 | ADDRESS, Stage(ROOT, levels=4)  # an address under Sv48, and none under Sv39
    hart = Remembered()
    hart.may_read(Marked({ROOT: pte(1 << 39, FULL), ROOT + 16: pte(1 << 39, FULL)}), wider, MINE, far)
    known = set(hart.entries)
    hart.sfence_vma(SV39, address=far)
    hart.sfence_w_inval()
    hart.sinval_vma(SV39, address=far)
    hart.sfence_inval_ir()
    assert known and hart.entries == known


def test_svinval_forgets_at_its_end_what_was_remembered_at_its_beginning() -> None:
    old, new = tables(pte(0x8000, FULL)), tables(pte(0x9000, FULL))
    hart = reads(old)
    hart.sinval_vma(SV39)
    hart.sfence_inval_ir()  # no SFENCE.W.INVAL: the store need not have come before
    assert ends(hart, new) == {0x8000, 0x9000}
    hart.sfence_w_inval()
    hart.may_read(new, SV39, MINE, ADDRESS)
    hart.sinval_vma(SV39)
    hart.sfence_inval_ir()
    assert {e.value for e in hart.entries if e.level == 1} == {pte(0x9000, FULL)}


# ---------------------------------------------------------------- two stages

G_ROOT = 0x10000
VS, G_STAGE = Stage(ROOT), Stage(G_ROOT, guest=True)
GUEST, PHYSICAL = Space(Tables.VS, 5, 7), Space(Tables.G, 5)
GPA = 4 << 30


def guest_memory(leaf: int, data: int, own: int = 0) -> Marked:
    """The VS-stage's tables at gigabyte ``own`` of memory, and the G-stage's."""
    words = {own << 30 | at: value for at, value in tables(leaf).words.items()}
    return Marked({**words, G_ROOT: pte(own << 30, FULL | U), G_ROOT + 8 * 4: data})


def both_ends(hart: Remembered, memory: Marked) -> set[object]:
    return {
        end.g.physical if isinstance(end, TwoStages) else type(end)
        for _, end in hart.two_stage_ways(lambda: Marked(memory.words), G_STAGE, VS, 5, 7, ADDRESS, LOAD)
    }


def remembered(memory: Marked) -> Remembered:
    """Everything that a walk of both stages reads; guest-physical addresses of the tables are physical ones here."""
    hart = Remembered()
    hart.may_read(memory, VS, GUEST, ADDRESS)
    for gpa in (0, GPA):
        hart.may_read(memory, G_STAGE, PHYSICAL, gpa)
    return hart


def test_each_stage_may_be_stale_by_itself() -> None:
    here, there = pte(1 << 30, FULL | U), pte(2 << 30, FULL | U)
    hart, new = remembered(guest_memory(pte(GPA, FULL), here)), guest_memory(pte(GPA | 0x7000, FULL), there)
    assert both_ends(hart, new) == {1 << 30, 1 << 30 | 0x7000, 2 << 30, 2 << 30 | 0x7000}
    hart.hfence_gvma(GPA >> 2, 5)
    assert both_ends(hart, new) == {2 << 30, 2 << 30 | 0x7000}
    hart.hfence_vvma(VS, 5, ADDRESS)
    assert both_ends(hart, new) == {2 << 30 | 0x7000}


def test_a_fence_of_one_vm_leaves_the_other_s() -> None:
    here, there = pte(1 << 30, FULL | U), pte(2 << 30, FULL | U)
    hart, new = remembered(guest_memory(pte(GPA, FULL), here)), guest_memory(pte(GPA, FULL), there)
    hart.hfence_gvma(None, 6)
    hart.hfence_vvma(VS, 6)
    hart.sfence_vma(VS)
    assert both_ends(hart, new) == {1 << 30, 2 << 30}
    hart.hfence_gvma()
    assert both_ends(hart, new) == {2 << 30}


def test_the_vs_stage_s_entries_may_outlast_a_fence_of_the_page_they_were_read_from() -> None:
    data = pte(1 << 30, FULL | U)
    hart, moved = remembered(guest_memory(pte(GPA, FULL), data)), guest_memory(pte(GPA | 0x7000, FULL), data, own=3)
    hart.hfence_gvma(None, 5)
    assert both_ends(hart, moved) == {1 << 30, 1 << 30 | 0x7000}
    hart.hfence_vvma(VS, 5)
    assert both_ends(hart, moved) == {1 << 30 | 0x7000}


def test_a_page_that_is_gone_from_the_g_stage_may_be_used_until_its_fence() -> None:
    hart, gone = remembered(guest_memory(pte(GPA, FULL), pte(1 << 30, FULL | U))), guest_memory(pte(GPA, FULL), 0)
    assert both_ends(hart, gone) == {1 << 30, GuestPageFault}
    hart.hfence_gvma(GPA >> 2)
    assert both_ends(hart, gone) == {GuestPageFault}


def test_a_guest_s_global_entries_are_of_its_vm() -> None:
    hart = Remembered()
    hart.may_read(tables(pte(0x8000, FULL | G)), VS, GUEST, ADDRESS)
    assert {bool(list(hart.serving(s, ADDRESS))) for s in (GUEST, Space(Tables.VS, 5, 1))} == {True}
    assert not list(hart.serving(Space(Tables.VS, 6, 7), ADDRESS)) and not list(hart.serving(Space(Tables.HS, 5, 7), ADDRESS))


def test_g_has_no_meaning_in_the_g_stage() -> None:
    hart = Remembered()
    hart.may_read(guest_memory(0, pte(1 << 30, FULL | U | G)), G_STAGE, PHYSICAL, GPA)
    assert hart.entries and not any(e.is_global for e in hart.entries)


def test_setting_a_flag_needs_the_right_to_write_in_the_g_stage() -> None:
    memory = guest_memory(pte(GPA, V | R | W | X), pte(1 << 30, FULL | U))
    memory.words = {**memory.words, G_ROOT: pte(0, (FULL | U) & ~W)}
    assert both_ends(Remembered(), memory) == {GuestPageFault}


def test_pseudoinstructions_are_of_the_width_of_the_vs_stage_s_entries() -> None:
    small, address = Stage(ROOT, levels=2, sv32=True), 5 << 22
    words = {ROOT + 4 * 5: pte(0, V | R | W | X), G_ROOT: pte(0, FULL | U)}
    for entry, why in ((0, 0x2000), (pte(0, (FULL | U) & ~W), 0x2020)):
        ends = {
            repr(end)
            for _, end in Remembered().two_stage_ways(
                lambda entry=entry: Marked({**words, G_ROOT: entry}), G_STAGE, small, 5, 7, address, LOAD
            )
        }
        assert ends == {repr(GuestPageFault(ROOT + 20, why))}


def test_a_write_to_an_entry_by_a_stale_g_stage_goes_where_that_says() -> None:
    old = guest_memory(pte(GPA, V | R | W | X), pte(1 << 30, FULL | U))
    hart, new = remembered(old), guest_memory(pte(GPA, V | R | W | X), pte(1 << 30, FULL | U), own=3)
    new.words = {**old.words, **new.words}
    marked = {
        at
        for memory, end in hart.two_stage_ways(lambda: Marked(new.words), G_STAGE, VS, 5, 7, ADDRESS, LOAD)
        for at, _ in memory.marks
        if not isinstance(end, Fault)
    }  # type: ignore[attr-defined]
    assert marked == {FIRST + 24, 3 << 30 | FIRST + 24}
