"""RISC-V's second translation: its records, what its faults report, and what a fence is needed for."""

import itertools

import pytest

from refmodel.language import outline
from refmodel.machine.cells import Access
from refmodel.machine.riscv.guest_faults import CAUSES, PSEUDOINSTRUCTIONS, Cause, Implicit, frame_of, lacked
from refmodel.machine.riscv.hart import Hart, Instruction, translate, trap
from refmodel.machine.riscv.leaf import Leaf, flagged, has_flags, is_reserved, lets
from refmodel.machine.riscv.two_stages import GuestPageFault
from refmodel.machine.riscv.words import A, D, R, U, V, W, X
from refmodel.machine.words import Marked
from refmodel.points import over

G_ROOT, G_LEAVES, VS_ROOT, VS_LEAVES, DATA = 0x10000, 0x14000, 0x1000, 0x2000, 0x3000
"""Frames: guest-physical addresses of the last three are the same."""
RIGHTS = {Access.READ: R, Access.WRITE: R | W, Access.FETCH: X}
NEEDED = {
    Instruction.LOAD: R,
    Instruction.HLV: R,
    Instruction.STORE: R | W,
    Instruction.HSV: R | W,
    Instruction.AMO: R | W,
    Instruction.FETCH: X,
}
"""Of the page that is accessed. HLVX is apart."""


def entry(address: int, flags: int) -> int:
    return address >> 2 | flags


def leaves() -> list[Leaf]:
    return [Leaf(present, 0, *flags) for present, *flags in itertools.product((False, True), repeat=7)]


def test_a_leaf_lets_through_what_its_three_rights_say() -> None:
    for leaf in leaves():
        usable = leaf.present and leaf.user and not (leaf.writable and not leaf.readable)
        assert lets(leaf, Access.READ) == (usable and leaf.readable)
        assert lets(leaf, Access.WRITE) == (usable and leaf.writable)
        assert lets(leaf, Access.FETCH) == (usable and leaf.executable)
    assert any(lets(leaf, Access.FETCH) and not lets(leaf, Access.READ) for leaf in leaves())


def test_an_access_sets_the_flags_that_svade_asks_for() -> None:
    for leaf, access in itertools.product(leaves(), Access):
        assert has_flags(flagged(leaf, access), access)
        assert is_reserved(flagged(leaf, access)) == is_reserved(leaf)


def served(instruction: Instruction, sets_flags: bool) -> tuple[dict[int, int], list[tuple[Cause, Implicit]]]:
    """The rights that a monitor gives which serves guest-page faults by what they report, frame by frame, until the access goes
    through; and what was reported. Every page is without rights at first."""
    g = {G_ROOT: entry(0x11000, V), 0x11000: entry(G_LEAVES, V)}
    vs_flags = V | R | W | X | (0 if sets_flags else A | D)
    vs = {VS_ROOT: entry(0x4000, V), 0x4000: entry(VS_LEAVES, V), VS_LEAVES: entry(DATA, vs_flags)}
    user = Hart(virtual=True, privilege=1, vsatp=8 << 60 | VS_ROOT >> 12, hgatp=8 << 60 | G_ROOT >> 12, adue=True, vs_adue=True)
    given, reported = dict[int, int](), []
    for _ in range(12):
        leaves_now = {G_LEAVES + 8 * frame: entry(frame << 12, V | U | A | D | rights) for frame, rights in given.items()}
        try:
            translate(Marked({**g, **vs, **leaves_now}), user, instruction, 0x123)
        except GuestPageFault as fault:
            told = trap(instruction, 0x123, False, fault)
            cause, implicit = CAUSES[told.cause], PSEUDOINSTRUCTIONS[told.tinst]
            frame = frame_of(told.tval2)
            given[frame] = given.get(frame, 0) | RIGHTS[lacked(cause, implicit)]
            reported.append((cause, implicit))
            continue
        return given, reported
    raise AssertionError(f"{instruction} faults for ever: {reported}")


@pytest.mark.parametrize("sets_flags", (False, True), ids=("flags set", "flags clear"))
@pytest.mark.parametrize("instruction", NEEDED, ids=lambda i: i.value)
def test_a_monitor_that_serves_what_is_reported_gives_what_is_needed_and_no_more(
    instruction: Instruction, sets_flags: bool
) -> None:
    given, reported = served(instruction, sets_flags)
    assert given == {1: R, 4: R, 2: R | (W if sets_flags else 0), 3: NEEDED[instruction]}
    assert (Implicit.WRITE in {implicit for _, implicit in reported}) == sets_flags
    assert {cause for cause, _ in reported} == {lacked_as(instruction)}


def test_hlvx_lacks_the_right_to_execute_and_is_reported_as_a_load() -> None:
    with pytest.raises(AssertionError, match="HLVX faults for ever"):
        served(Instruction.HLVX, False)


def lacked_as(instruction: Instruction) -> Cause:
    """The cause that each fault of an instruction has, whatever was being accessed."""
    if instruction is Instruction.FETCH:
        return Cause.FETCH
    return Cause.LOAD if instruction in (Instruction.LOAD, Instruction.HLV) else Cause.STORE


def test_every_law_of_the_table_is_one_of_a_design_over_it() -> None:
    laws = {law.name for law in outline(over("riscv", ("sharing",))).laws}
    flags = {law.name for law in outline(over("riscv A/D", ("dirty-flags",))).laws}
    assert {"no_leaf_is_reserved", "a_guest_page_fault_makes_progress", "tags_are_apart"} <= laws & flags
    assert {"remembered_flags_are_set", "stores_are_said_by_flags"} <= flags - laws
