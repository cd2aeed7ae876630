"""RISC-V's walks, bit for bit: examples to check by hand. What holds of all inputs is proved in proofs/riscv/."""

import itertools

import attrs
import pytest

from refmodel.language import Fault
from refmodel.machine.riscv.hart import (
    LEVELS,
    MACHINE,
    SUPERVISOR,
    USER,
    Hart,
    Instruction,
    Mode,
    Trap,
    access_of,
    effective,
    g_stage,
    hs_stage,
    translate,
    trap,
    vs_stage,
)
from refmodel.machine.riscv.two_stages import GuestPageFault, TwoStages
from refmodel.machine.riscv.walk import Access, AccessFault, PageFault, Stage, walk
from refmodel.machine.riscv.words import IO, NC, PBMT, RESERVED, SOFTWARE, A, D, G, N, R, Translation, U, V, W, X
from refmodel.machine.words import Marked

FULL = V | R | W | X | A | D
ROOT, SECOND, FIRST, PAGE = 0x1000, 0x2000, 0x3000, 0x4000


def pte(address: int, flags: int = V) -> int:
    return address >> 2 | flags


def sv39(leaf: int = pte(PAGE, FULL), **settings: object) -> tuple[Marked, Stage]:
    """Three tables, each with one entry in its slot 1, 2, 3; and the stage."""
    return (
        Marked({ROOT + 8: pte(SECOND), SECOND + 16: pte(FIRST), FIRST + 24: leaf}),
        attrs.evolve(Stage(ROOT, svnapot=True), **settings),
    )  # type: ignore[arg-type]


ADDRESS = 1 << 30 | 2 << 21 | 3 << 12 | 0x123


def test_sv39_selects_by_9_bits_a_level_and_keeps_the_offset() -> None:
    memory, stage = sv39()
    every = pte(PAGE, FULL) | pte(SECOND) | pte(FIRST)
    assert walk(memory, stage, ADDRESS, Access()) == Translation(PAGE | 0x123, 1, pte(PAGE, FULL), every)
    assert memory.marks == []


def test_sv32_has_entries_of_4_bytes_and_10_bits_a_level() -> None:
    memory = Marked({ROOT + 4 * 5: pte(SECOND), SECOND + 4 * 7: pte(PAGE, FULL)})
    assert walk(memory, Stage(ROOT, levels=2, sv32=True), 5 << 22 | 7 << 12 | 4, Access()).physical == PAGE | 4
    high = Marked({ROOT + 4 * 5: pte(0x3_FFC0_0000, FULL)})
    assert walk(high, Stage(ROOT, levels=2, sv32=True), 5 << 22 | 9, Access()).physical == 0x3_FFC0_0009


def test_the_g_stage_has_a_root_of_16_kib_and_no_sign() -> None:
    memory = Marked({G_ROOT + 8 * 0x7FF: pte(0x4000_0000, FULL | U)})
    stage = Stage(G_ROOT, guest=True)
    assert walk(memory, stage, 0x7FF << 30 | 5, Access()).physical == 0x4000_0005
    with pytest.raises(PageFault):
        walk(memory, stage, 1 << 41, Access())
    with pytest.raises(PageFault):
        walk(Marked({ROOT + 8 * 0x100: pte(0x4000_0000, FULL)}), Stage(ROOT), 1 << 38, Access())  # bits 63:39 differ from bit 38
    assert walk(Marked({ROOT + 8 * 0x100: pte(0x4000_0000, FULL)}), Stage(ROOT), (1 << 64) - (1 << 38), Access()).level == 3


@pytest.mark.parametrize(
    "wrong",
    [
        pte(PAGE, FULL & ~V),
        pte(PAGE, V | W | A | D),
        pte(PAGE, V | W | X | A | D),
        pte(PAGE),
        pte(PAGE, FULL) | 1 << 54,
        pte(PAGE, FULL) | 1 << 60,
        pte(PAGE, FULL) | NC,
        pte(PAGE, FULL) | N,
    ],
)
def test_a_leaf_that_is_not_valid_faults_and_is_not_marked(wrong: int) -> None:
    memory, stage = sv39(wrong)
    with pytest.raises(PageFault):
        walk(memory, stage, ADDRESS, Access())
    assert memory.marks == []


def test_what_extensions_give_a_meaning_to_is_valid_with_them() -> None:
    for leaf, settings in (
        (pte(PAGE, FULL) | NC, {"pbmte": True}),
        (pte(PAGE, FULL) | IO, {"pbmte": True}),
        (pte(PAGE, FULL) | SOFTWARE, {"svrsw60t59b": True}),
    ):
        memory, stage = sv39(leaf, **settings)
        assert walk(memory, stage, ADDRESS, Access()).entry == leaf
    for leaf, settings in (
        (pte(PAGE, FULL) | PBMT, {"pbmte": True}),
        (pte(PAGE, FULL) | RESERVED & ~SOFTWARE, {"svrsw60t59b": True}),
    ):
        memory, stage = sv39(leaf, **settings)
        with pytest.raises(PageFault):
            walk(memory, stage, ADDRESS, Access())


def test_a_napot_page_maps_64_kib() -> None:
    memory, stage = sv39(pte(0x8_8000, FULL) | N)
    assert walk(memory, stage, ADDRESS, Access()).physical == 0x8_3123
    with pytest.raises(PageFault):
        walk(memory, attrs.evolve(stage, svnapot=False), ADDRESS, Access())


def test_any_level_may_map_a_page_that_is_aligned() -> None:
    stage = Stage(ROOT)
    assert walk(Marked({ROOT + 8: pte(1 << 30, FULL)}), stage, ADDRESS, Access()).physical == ADDRESS
    with pytest.raises(PageFault):
        walk(Marked({ROOT + 8: pte(1 << 29, FULL)}), stage, ADDRESS, Access())


def test_with_svadu_flags_are_set_and_with_svade_what_lacks_one_faults() -> None:
    for access, flags, due in ((Access(), 0, A), (Access(write=True), A, A | D), (Access(fetch=True), D, A)):
        memory, stage = sv39(pte(PAGE, V | R | W | X | flags))
        walk(memory, stage, ADDRESS, access)
        assert memory.marks == [(FIRST + 24, due)]
        with pytest.raises(PageFault):
            walk(memory, attrs.evolve(stage, adue=False), ADDRESS, access)


LOAD, STORE, FETCH, HLVX = Access(), Access(write=True), Access(fetch=True), Access(executable=True)


@pytest.mark.parametrize(
    ("flags", "settings", "lets"),
    [
        (R, {}, {LOAD}),
        (R | W, {}, {LOAD, STORE}),
        (X, {}, {FETCH, HLVX}),
        (R | X, {}, {LOAD, FETCH, HLVX}),
        (X, {"mxr": True}, {LOAD, FETCH, HLVX}),
        (R | W | X | U, {}, set()),
        (R | W | X | U, {"sum": True}, {LOAD, STORE, HLVX}),
    ],
)
def test_what_a_leaf_lets_a_supervisor_do(flags: int, settings: dict[str, bool], lets: set[Access]) -> None:
    memory, stage = sv39(pte(PAGE, V | A | D | flags), **settings)
    for access in (LOAD, STORE, FETCH, HLVX):
        if access in lets:
            assert walk(memory, stage, ADDRESS, access).physical == PAGE | 0x123
        else:
            with pytest.raises(PageFault):
                walk(memory, stage, ADDRESS, access)


def test_where_there_is_no_memory_an_access_fails() -> None:
    memory, stage = sv39(pte(1 << 40, FULL), beyond=(1 << 56) - (1 << 40))
    with pytest.raises(AccessFault):
        walk(memory, stage, ADDRESS, Access())
    with pytest.raises(AccessFault):
        walk(memory, attrs.evolve(stage, root=1 << 40), ADDRESS, Access())


# ---------------------------------------------------------------- two stages

G_ROOT = 0x10000
BOTH = Hart(virtual=True, vsatp=8 << 60 | 1, hgatp=8 << 60 | G_ROOT >> 12, adue=True, vs_adue=True)
IDENTITY = {G_ROOT: pte(0, FULL | U), G_ROOT + 8 * 4: pte(1 << 30, FULL | U)}
"""Guest-physical addresses below 1 GiB are physical ones; those from 4 GiB on are those from 1 GiB on."""
TABLES = {ROOT + 8: pte(SECOND), SECOND + 16: pte(FIRST), FIRST + 24: pte(4 << 30, FULL)}


def both(
    change: dict[int, int], hart: Hart = BOTH, instruction: Instruction = Instruction.LOAD, address: int = ADDRESS
) -> TwoStages | Trap:
    memory = Marked({**IDENTITY, **TABLES, **change})
    try:
        return translate(memory, hart, instruction, address)
    except Fault as fault:
        return trap(instruction, address, effective(hart, instruction).virtual, fault)


def test_both_stages_lead_to_a_physical_address() -> None:
    made = both({})
    assert isinstance(made, TwoStages)
    assert (made.vs.physical, made.g.physical, made.level) == ((4 << 30) + 0x123, (1 << 30) + 0x123, 1)


def test_the_type_of_a_page_is_the_vs_stage_s_before_the_g_stage_s() -> None:
    hart = attrs.evolve(BOTH, pbmte=True, vs_pbmte=True)
    for vs, g, is_of in ((0, 0, 0), (0, IO, IO), (NC, IO, NC)):
        made = both({FIRST + 24: pte(4 << 30, FULL) | vs, G_ROOT + 8 * 4: pte(1 << 30, FULL | U) | g}, hart)
        assert isinstance(made, TwoStages) and made.memory_type == is_of


def test_a_guest_page_fault_says_which_address_and_at_an_entry_why() -> None:
    gone = {G_ROOT + 8 * 4: 0}
    for instruction, cause in (
        (Instruction.LOAD, 21),
        (Instruction.STORE, 23),
        (Instruction.FETCH, 20),
        (Instruction.AMO, 23),
        (Instruction.HLVX, 21),
    ):
        assert both(gone, instruction=instruction) == Trap(cause, ADDRESS, (4 << 30) + 0x123 >> 2, 0, True)
    assert both({G_ROOT: 0}, instruction=Instruction.STORE) == Trap(23, ADDRESS, ROOT + 8 >> 2, 0x3000, True)


def test_setting_a_flag_in_an_entry_is_a_store_of_the_vs_stage_s() -> None:
    change = {FIRST + 24: pte(4 << 30, V | R | W | X), G_ROOT: pte(0, (FULL | U) & ~W)}
    assert both(change) == Trap(21, ADDRESS, FIRST + 24 >> 2, 0x3020, True)
    assert both(change, attrs.evolve(BOTH, vs_adue=False)) == Trap(13, ADDRESS, 0, 0, True)
    assert both(change, attrs.evolve(BOTH, adue=False)) == Trap(13, ADDRESS, 0, 0, True)  # henvcfg.ADUE is then zero


def test_pseudoinstructions_are_of_the_width_of_the_vs_stage_s_entries() -> None:
    hart = attrs.evolve(BOTH, vs_rv32=True, vsatp=1 << 31 | 1)
    assert both({G_ROOT: 0}, hart, address=1 << 22) == Trap(21, 1 << 22, ROOT + 4 >> 2, 0x2000, True)


def test_nothing_is_said_of_guest_physical_address_zero() -> None:
    """Its value in htval is zero, so no pseudoinstruction is due."""
    assert trap(Instruction.LOAD, 5, True, GuestPageFault(0, 0x3000)) == Trap(21, 5, 0, 0, True)


def test_hs_level_mxr_holds_for_both_stages_and_not_for_the_vs_stage_s_own_loads() -> None:
    x_only, hart = {FIRST + 24: pte(4 << 30, V | X | A | D)}, attrs.evolve(BOTH, vs_mxr=True)
    assert isinstance(both(x_only, hart), TwoStages)
    data = {G_ROOT + 8 * 4: pte(1 << 30, V | X | U | A | D)}
    assert both(data, hart) == Trap(21, ADDRESS, (4 << 30) + 0x123 >> 2, 0, True)
    assert isinstance(both({**x_only, **data}, attrs.evolve(BOTH, mxr=True)), TwoStages)
    assert both({G_ROOT: pte(0, V | X | U | A | D)}, attrs.evolve(BOTH, mxr=True)) == Trap(21, ADDRESS, ROOT + 8 >> 2, 0x3000, True)


def test_a_stage_that_is_bare_gives_what_it_is_given() -> None:
    bare = both({}, attrs.evolve(BOTH, vsatp=0), address=(4 << 30) + 8)
    assert isinstance(bare, TwoStages) and bare.vs == Translation((4 << 30) + 8, 0, 0, 0)
    assert (bare.vs.level, bare.g.physical, bare.level) == (0, (1 << 30) + 8, 3)
    one = both({}, attrs.evolve(BOTH, hgatp=0))
    assert isinstance(one, TwoStages) and (one.g.physical, one.g.level, one.level) == ((4 << 30) + 0x123, 0, 1)
    assert both({}, attrs.evolve(BOTH, hgatp=0, beyond=1 << 32)) == Trap(5, ADDRESS, 0, 0, True)
    none = both({}, attrs.evolve(BOTH, hgatp=0, vsatp=0), address=77)
    assert isinstance(none, TwoStages) and none.g.physical == 77 and none.level == 0
    assert both({}, attrs.evolve(BOTH, hgatp=0, vsatp=0, beyond=1 << 55), address=1 << 55) == Trap(5, 1 << 55, 0, 0, True)


# ---------------------------------------------------------------- registers


def test_the_effective_privilege_mode_is_as_the_table_has_it() -> None:
    """Hypervisor, table *Effect of MPRV on the translation and protection of explicit memory accesses*, row by row."""
    for mprv, mpv, mpp, privilege, virtual, spvp in itertools.product(
        (False, True), (False, True), (USER, SUPERVISOR, MACHINE), (USER, SUPERVISOR, MACHINE), (False, True), (False, True)
    ):
        hart = Hart(privilege=privilege, virtual=virtual, mprv=mprv, mpv=mpv, mpp=mpp, spvp=spvp)
        current = Mode(False, False, False) if privilege == MACHINE else Mode(True, virtual, privilege == USER)
        rows = {
            (False,): current,
            (True, MACHINE): Mode(False, False, False),
            (True, USER): Mode(True, mpv, True),
            (True, SUPERVISOR): Mode(True, mpv, False),
        }
        explicit = rows[(True, mpp) if mprv else (False,)]
        for instruction in Instruction:
            hypervisor = instruction in (Instruction.HLV, Instruction.HLVX, Instruction.HSV)
            due = Mode(True, True, not spvp) if hypervisor else current if instruction is Instruction.FETCH else explicit
            assert effective(hart, instruction) == due


def test_registers_select_stages() -> None:
    for mode, levels in LEVELS.items():
        hart = Hart(
            satp=mode << 60 | 0xABC << 44 | 5,
            vsatp=mode << 60 | 6,
            hgatp=mode << 60 | 0x3FFF << 44 | 7,
            vs_sum=True,
            mxr=True,
            svnapot=True,
            beyond=1 << 55,
        )
        hs, vs, g = hs_stage(hart), vs_stage(hart), g_stage(hart)
        assert hs and vs and g and (hs.root, vs.root, g.root) == (5 << 12, 6 << 12, 4 << 12)  # hgatp's lowest bits read as zeros
        assert {s.levels for s in (hs, vs, g)} == {levels} and (hs.guest, vs.guest, g.guest) == (False, False, True)
        assert (hs.sum, vs.sum, g.sum) == (False, True, False) and hs.mxr and vs.mxr and g.mxr
        assert (hs.beyond, vs.beyond, g.beyond) == (1 << 55, 0, 1 << 55)
    small = hs_stage(Hart(satp=1 << 31 | 0x1FF << 22 | 9, rv32=True, svnapot=True))
    assert small and (small.root, small.levels, small.sv32, small.svnapot) == (9 << 12, 2, True, False)
    with pytest.raises(ValueError, match="MODE 7 is reserved: 0"):
        hs_stage(Hart(satp=7 << 60))


SWITCHES = ("sum", "mxr", "vs_sum", "vs_mxr", "adue", "vs_adue", "pbmte", "vs_pbmte")


@pytest.mark.parametrize("flags", list(itertools.product((False, True), repeat=len(SWITCHES))))
def test_each_stage_has_the_bits_that_are_meant_for_it(flags: tuple[bool, ...]) -> None:
    """sstatus, vsstatus, menvcfg, henvcfg: the table in specs/riscv.md, row by row."""
    s = dict(zip(SWITCHES, flags, strict=True))
    hart = Hart(satp=8 << 60 | 1, vsatp=9 << 60 | 2, hgatp=10 << 60 | 4, svrsw60t59b=True, beyond=1 << 55, **s)  # type: ignore[arg-type]
    own = {"adue": s["adue"], "pbmte": s["pbmte"], "svrsw60t59b": True, "beyond": 1 << 55}
    assert hs_stage(hart) == Stage(1 << 12, 3, sum=s["sum"], mxr=s["mxr"], **own)  # type: ignore[arg-type]
    assert g_stage(hart) == Stage(4 << 12, 5, guest=True, mxr=s["mxr"], **own)  # type: ignore[arg-type]
    assert vs_stage(hart) == Stage(
        2 << 12,
        4,
        sum=s["vs_sum"],
        mxr=s["mxr"] or s["vs_mxr"],
        adue=s["adue"] and s["vs_adue"],
        pbmte=s["pbmte"] and s["vs_pbmte"],
        svrsw60t59b=True,
    )


def test_which_rights_an_instruction_asks_for() -> None:
    assert access_of(Instruction.HLVX, True) == Access(user=True, executable=True)
    assert {i for i in Instruction if access_of(i, False).write} == {Instruction.STORE, Instruction.AMO, Instruction.HSV}
    assert {i for i in Instruction if access_of(i, False).fetch} == {Instruction.FETCH}


def test_a_mapping_is_global_if_any_entry_says_so() -> None:
    memory, stage = sv39()
    assert not walk(memory, stage, ADDRESS, Access()).every & G
    memory = Marked({**memory.words, ROOT + 8: pte(SECOND, V | G)})
    assert walk(memory, stage, ADDRESS, Access()).every & G
