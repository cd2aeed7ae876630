"""The theorems about RISC-V's walks can fail: each of these changes to the text makes one of them false.

A counterexample to a walk's being as declared has been run on ints before it is shown.
"""

import pytest

from tests.text_mutants import Mutant, a_tenth, outcomes, outcomes_between_processes

SV32, SV39, SV39X4 = (f"riscv.walk.the_walk_is_as_declared({scheme})" for scheme in ("Sv32", "Sv39", "Sv39x4"))
MEMORY, LEAF = "riscv.walk.nothing_leads_beyond_memory(Sv39)", "riscv.walk.the_leaf_lets_it_through(Sv39)"
BOTH, BOTH32 = (f"riscv.two_stages.two_stages_are_the_vs_stage_over_what_the_second_shows({s})" for s in ("Sv39", "Sv32"))
RECORD, ASKED = "riscv.leaf.a_leaf_says_what_the_bits_say()", "riscv.leaf.walking_bits_is_asking_the_leaf(Sv39x4)"


def mutant(function: str, old: str, new: str, theorem: str) -> Mutant:
    """``function`` is its file and its qualified name in refmodel/machine/riscv."""
    file, _, name = function.partition(".")
    return Mutant(f"riscv/{file}.py", old, new, theorem, name)


MUTANTS = [
    mutant(*m)
    for m in (
        ("walk.walk", "if not translatable(stage, address):", "if False:", SV39),
        ("walk.walk", "table, every = stage.root, 0", "table, every = stage.root, 1 << 5", SV39),
        ("walk.walk", "(2 if stage.sv32 else 3)", "3", SV32),
        ("walk.walk", "(2 if stage.sv32 else 3)", "2", SV39),
        ("walk.walk", "if slot & stage.beyond:", "if False:", MEMORY),
        ("walk.walk", "if slot & stage.beyond:", "if False:", SV39),
        ("walk.walk", "leaf = entry & (R | X) != 0", "leaf = entry & R != 0", SV39),
        ("walk.walk", "(entry & PPN) << 2, every | entry", "(entry & PPN) << 2, entry", SV39),
        ("walk.walk", "if not allowed(stage, access, entry):", "if False:", LEAF),
        ("walk.walk", "if due & ~entry:", "if True:", SV39),
        ("walk.walk", "if not stage.adue:", "if False:", SV39),
        ("walk.walk", "memory.mark(slot, entry, due)", "memory.mark(slot, entry, A)", SV39),
        ("walk.walk", "memory.mark(slot, entry, due)", "pass", SV39),
        ("walk.walk", "(1 << 16) - 1", "(1 << 12) - 1", SV39),
        ("walk.walk", "if physical & stage.beyond:", "if False:", MEMORY),
        ("walk.walk", "table & ~offset", "table", SV39),
        (
            "walk.walk",
            "return Translation(physical, level, entry, every)",
            "return Translation(physical, level, every, every)",
            SV39,
        ),
        ("walk.first_bit", "(10 if sv32 else 9)", "9", SV32),
        ("walk.index_mask", "bits + 2 if stage.guest", "bits + 1 if stage.guest", SV39X4),
        ("walk.index_mask", "bits + 2 if stage.guest and level == stage.levels", "bits + 2 if stage.guest", SV39X4),
        ("walk.translatable", "+ 2) == 0", "+ 0) == 0", SV39X4),
        ("walk.translatable", "address >> 32 == 0", "address >> 34 == 0", SV32),
        ("walk.translatable", "top == 0 or top", "top", SV39),
        ("walk.translatable", "- 1)\n    return top", ")\n    return top", SV39),
        ("walk.valid", "entry & V == 0 or ", "", LEAF),
        ("walk.valid", " or entry & (R | W) == W", "", SV39),
        ("walk.valid", "RESERVED & ~SOFTWARE if stage.svrsw60t59b", "0 if stage.svrsw60t59b", SV39),
        ("walk.valid", "if stage.svrsw60t59b else RESERVED", "", SV39),
        ("walk.valid", "(A | D | U | PBMT | N)", "(A | D | PBMT | N)", SV39),
        ("walk.valid", "(A | D | U | PBMT | N)", "(A | D | U | PBMT)", SV39),
        ("walk.valid", " or entry & PBMT == PBMT", "", SV39),
        ("walk.valid", "not stage.pbmte or ", "", SV39),
        ("walk.valid", "stage.svnapot and level == 1", "level == 1", SV39),
        ("walk.valid", "== 0b1000", "!= 0", SV39),
        ("walk.valid", "first_bit(stage.sv32, level) - 2", "first_bit(stage.sv32, level) - 3", SV39),
        ("walk.allowed", "access.user or stage.guest", "access.user", SV39X4),
        ("walk.allowed", "(access.fetch or not stage.sum)", "not stage.sum", SV39),
        ("walk.allowed", "if entry & U == 0 and user:", "if False:", LEAF),
        ("walk.allowed", "return entry & W != 0", "return entry & R != 0", SV39),
        ("walk.allowed", "access.fetch or access.executable", "access.fetch", SV39),
        ("walk.allowed", "not access.implicit and ", "", SV39),
        ("walk.allowed", "(stage.mxr and not access.implicit and entry & X != 0)", "entry & X != 0", LEAF),
        ("walk.flags_due", "A | D if access.write else A", "A | D", SV39),
        ("two_stages.ThroughGStage.read", "Access(implicit=True)", "Access()", BOTH),
        ("two_stages.ThroughGStage.read", "READ_32 if self.sv32 else READ_64", "READ_64", BOTH32),
        ("two_stages.ThroughGStage.mark", "Access(write=True, implicit=True)", "Access(implicit=True)", BOTH),
        ("two_stages.ThroughGStage.mark", "WRITE_32 if self.sv32 else WRITE_64", "WRITE_32", BOTH),
        ("two_stages.ThroughGStage.mark", "self.memory.mark(place.physical, entry", "self.memory.mark(address, entry", BOTH),
        ("two_stages.walk_two_stages", "first.physical, access, 0", "first.physical, access, 0x3000", BOTH),
        ("two_stages.walk_two_stages", "first.physical, access, 0", "address, access, 0", BOTH),
        ("leaf.leaf_of", "entry & R != 0, entry & W != 0", "entry & W != 0, entry & R != 0", RECORD),
        ("leaf.leaf_of", "entry & PPN", "entry & ~PPN", RECORD),
        ("leaf.lets", "leaf.user and ", "", ASKED),
        ("leaf.lets", "not is_reserved(leaf) and ", "", ASKED),
        ("leaf.is_reserved", " and not leaf.readable", "", ASKED),
        ("leaf.has_flags", "leaf.accessed and ", "", ASKED),
        ("leaf.has_flags", " or access != Access.WRITE", "", ASKED),
    )
]
EQUIVALENT = {
    mutant(*m): why
    for m, why in (
        (
            ("walk.walk", "leaf = entry & (R | X) != 0", "leaf = entry & (R | W | X) != 0", SV39),
            "what is writable and not readable is not valid",
        ),
        (
            ("walk.valid", "level > 1 and entry & (A", "entry & (A", SV39),
            "an entry that is no leaf gives no right, so it lets nothing through",
        ),
        (("walk.valid", "level == 1 and entry >> 10", "entry >> 10", SV39), "at other levels, such a page is not aligned"),
    )
}
"""Changes that nothing can notice, and why."""

EVERY = [*MUTANTS, *EQUIVALENT]
FEW, OTHERS = a_tenth(EVERY)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[Mutant, str]:
    return outcomes_between_processes(tmp_path_factory, "riscv_mutants", FEW)


@pytest.mark.parametrize("mutant", FEW, ids=lambda m: f"{m.function}: {m.new[:30]} for {m.old[:30]}")
def test_the_theorem_is_refuted_unless_nothing_can_notice(mutant: Mutant, told: dict[Mutant, str]) -> None:
    assert is_as_due(mutant, told[mutant]), told[mutant]


@pytest.mark.slow
def test_so_are_the_theorems_of_the_others() -> None:
    for mutant, said in zip(OTHERS, outcomes(OTHERS), strict=True):
        assert is_as_due(mutant, said), (mutant, said)


def is_as_due(mutant: Mutant, said: str) -> bool:
    """Whether a theorem holds of what nothing can notice, and else is refuted, by a run of the text where it is about that."""
    if mutant in EQUIVALENT:
        return said == "proved"
    of_the_text = "as_declared" in mutant.theorem or "two_stages" in mutant.theorem
    return said.startswith("Refuted:") and (not of_the_text or "the text gives" in said)
