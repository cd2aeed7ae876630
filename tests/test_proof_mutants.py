"""The proofs can fail: each of these changes to the text makes a theorem false.

Where the theorem is that a walk is as declared, the counterexample has been run on ints.
"""

from pathlib import Path

import pytest

from tests.text_mutants import Mutant, a_tenth, outcomes, outcomes_between_processes

ROOT = Path(__file__).parent.parent
GUEST, EPT = "x86.guest_walk.the_walk_is_as_declared(4)", "x86.ept_walk.the_walk_is_as_declared(4)"
NESTED = "x86.nested_walk.through_"
STRATA = "x86.entries.walking_bits_is_walking_cells(4)"
NPT = "x86.guest_walk.the_nested_page_walk_is_as_declared(4)"
BITS_32, PAE = "x86.legacy_walk.the_walk_is_as_declared(32-bit)", "x86.legacy_walk.the_walk_is_as_declared(PAE)"
PDPTES = "x86.legacy_walk.pdptes_are_loaded_whole_or_not_at_all()"
THROUGH_EPT = f"{NESTED}ept_it_is_the_guest_s_walk_of_what_ept_shows(4)"
THROUGH_NPT = f"{NESTED}npt_it_is_the_guest_s_walk_of_what_the_nested_tables_show(4)"


MUTANTS = [
    Mutant(*m)
    for m in (
        ("x86/guest_walk.py", "PageFault(why | P | RSVD)", "PageFault(why | RSVD)", GUEST),  # Q1
        (
            "x86/guest_walk.py",
            "if leaf:\n            break\n        memory.mark(slot, entry, A)",
            "memory.mark(slot, entry, A)\n        if leaf:\n            break",
            GUEST,
        ),  # Q2, at every level
        ("x86/guest_walk.py", "level >= 4 and cpu.amd", "level > 5 and cpu.amd", GUEST),  # Q3
        ("x86/guest_walk.py", "- (1 << 13)", "- (1 << 14)", GUEST),
        ("x86/guest_walk.py", "rights & entry, denied", "rights & entry | US, denied", GUEST),
        ("x86/guest_walk.py", "denied | entry,", "entry,", GUEST),
        ("x86/guest_walk.py", "return not cpu.smep", "return True", GUEST),
        ("x86/guest_walk.py", "(access.implicit or not access.ac)", "not access.ac", GUEST),
        ("x86/guest_walk.py", "access.write and (access.user or cpu.wp)", "access.write and cpu.wp", GUEST),
        ("x86/guest_walk.py", "entry >> 59 & 0xF", "entry >> 58 & 0xF", GUEST),
        ("x86/guest_walk.py", "(cpu.nxe or cpu.smep)", "cpu.nxe", GUEST),
        ("x86/guest_walk.py", "A | D if access.write else A", "A | D", GUEST),
        ("x86/guest_walk.py", "table & ~offset", "table", GUEST),
        ("x86/guest_walk.py", "address >> shift & 0x1FF", "address >> shift & 0xFF", GUEST),
        ("x86/guest_walk.py", "bits = cpu.beyond", "bits = 0", "x86.guest_walk.nothing_leads_beyond_maxphyaddr(4)"),
        (
            "x86/guest_walk.py",
            "rights, denied, table = rights & entry,",
            "rights, denied, table = entry,",
            "x86.guest_walk.rights_only_shrink(4)",
        ),
        ("x86/guest_walk.py", "level, rights, denied, entry)", "level, rights, denied, table)", GUEST),
        ("x86/guest_walk.py", "level, rights, denied, entry)", "level, entry, denied, entry)", GUEST),
        ("x86/guest_walk.py", "level, rights, denied, entry)", "level, rights, entry, entry)", GUEST),
        ("x86/legacy_walk.py", "smap=cpu.smap, nxe=False)", "smap=cpu.smap)", BITS_32),
        ("x86/legacy_walk.py", "(cpu.pse and entry & PS != 0)", "entry & PS != 0", BITS_32),
        ("x86/legacy_walk.py", "gva >> shift & 0x3FF) << 2", "gva >> shift & 0x3FF) << 3", BITS_32),
        ("x86/legacy_walk.py", "(entry >> 13 & 0xFF) << 32", "(entry >> 13 & 0xF) << 32", BITS_32),
        ("x86/legacy_walk.py", "1 << 21 | ((beyond", "((beyond", BITS_32),
        ("x86/legacy_walk.py", "if pse36 else 0xFF << 13", "if pse36 else 0", BITS_32),
        ("x86/legacy_walk.py", "rights, table = rights & entry", "rights, table = entry", BITS_32),
        ("x86/legacy_walk.py", "(beyond >> 32 & 0xFF) << 13", "0", "x86.legacy_walk.nothing_leads_beyond_maxphyaddr(32-bit)"),
        (
            "x86/legacy_walk.py",
            "rights, table = rights & entry,",
            "rights, table = entry,",
            "x86.legacy_walk.rights_only_shrink(32-bit)",
        ),
        (
            "x86/legacy_walk.py",
            "if leaf:\n            break\n        memory.mark(slot, entry, A)",
            "memory.mark(slot, entry, A)\n        if leaf:\n            break",
            BITS_32,
        ),
        ("x86/legacy_walk.py", "beyond=cpu.beyond | ABOVE_FRAME", "beyond=cpu.beyond", PAE),
        ("x86/legacy_walk.py", "return cpu.pdpte3 if gva >> 30", "return cpu.pdpte3 if gva >> 29", PAE),
        ("x86/legacy_walk.py", "raise PageFault(reason(below, access))", "raise PageFault(reason(below, access) | P)", PAE),
        ("x86/legacy_walk.py", "cpu.smap, nxe=cpu.nxe, beyond=", "cpu.smap, beyond=", PAE),
        ("x86/legacy_walk.py", "(check_absent or pdpte & P != 0) and ", "", PDPTES),
        ("x86/legacy_walk.py", "PDPTE_RESERVED | beyond", "PDPTE_RESERVED", PDPTES),
        ("x86/legacy_walk.py", "0b11 << 1", "0b10 << 1", PDPTES),
        ("x86/legacy_walk.py", "table + 16", "table + 8 + 0", PDPTES),
        ("x86/legacy_walk.py", "LINEAR_BITS & ~0x1F", "LINEAR_BITS & ~0xFFF", PDPTES),
        ("x86/npt_walk.py", "Access(user=True,", "Access(user=False,", NPT),
        ("x86/npt_walk.py", "12 + 9 * host.levels", "11 + 9 * host.levels", NPT),
        ("x86/npt_walk.py", "reason(host, access) | stage", "stage", NPT),
        ("x86/ept_walk.py", "level, rights, unused, entry)", "level, rights, unused, table)", EPT),
        ("x86/ept_walk.py", "level, rights, unused, entry)", "level, entry, unused, entry)", EPT),
        ("x86/ept_walk.py", " | there_were(ept, rights)", "", EPT),
        ("x86/ept_walk.py", "- (1 << 12)", "- (1 << 13)", EPT),  # B3
        ("x86/ept_walk.py", "memory_type == 2 or ", "", EPT),
        ("x86/ept_walk.py", "entry & W != 0 or ", "", EPT),
        ("x86/ept_walk.py", "bits |= 0x78", "bits |= 0x70", EPT),
        ("x86/ept_walk.py", "EPT_A | EPT_D if use.write else EPT_A", "EPT_A | EPT_D", EPT),
        ("x86/ept_walk.py", "ept.mode_based_execute and use.user_page", "ept.mode_based_execute", EPT),
        (
            "x86/ept_walk.py",
            "rights, unused, table = rights & entry",
            "rights, unused, table = entry",
            "x86.ept_walk.rights_only_shrink(4)",
        ),
        ("x86/nested_walk.py", "Use(read=True, write=True, about=LINEAR)", "Use(read=True, about=LINEAR)", THROUGH_EPT),  # B1
        ("x86/nested_walk.py", "read=True, write=self.ept.accessed_dirty,", "write=self.ept.accessed_dirty,", THROUGH_EPT),  # B2
        ("x86/nested_walk.py", "if advanced and writable", "if writable", THROUGH_EPT),
        ("x86/nested_walk.py", "address, True, False, TABLE_ADDRESS", "address, False, False, TABLE_ADDRESS", THROUGH_NPT),
        ("x86/nested_walk.py", "access.fetch, FINAL_ADDRESS", "access.fetch, TABLE_ADDRESS", THROUGH_NPT),
        (
            "x86/guest_walk.py",
            "entry = memory.read(slot)",
            "entry = memory.read(slot) & memory.read(slot)",
            "x86.references.a_walk_reads_an_entry_of_each_level(4)",
        ),
        (
            "x86/nested_walk.py",
            "return self.memory.read(self.locate(address))",
            "return self.memory.read(self.locate(address ^ 8)) & self.memory.read(self.locate(address))",
            "x86.references.a_walk_in_two_dimensions_takes_so_many_references(4)",
        ),
        (
            "x86/nested_walk.py",
            "(levels + 1) * (second + 1) - 1",
            "(levels + 1) * (second + 1) - 2",
            "x86.references.a_walk_in_two_dimensions_takes_so_many_references(4)",
        ),
        ("x86/entries.py", "return bit if flag else 0", "return bit", "x86.entries.encoding_undoes_decoding(guest)"),
        ("x86/entries.py", "key=word >> 59 & 0xF", "key=word >> 59 & 0x7", "x86.entries.encoding_undoes_decoding(guest)"),
        (
            "x86/entries.py",
            "given(entry.dirty, EPT_D)",
            "given(entry.accessed, EPT_D)",
            "x86.entries.decoding_undoes_encoding(EPT)",
        ),
        (
            "x86/entries.py",
            "entry.accessed, entry.dirty)",
            "entry.dirty, entry.accessed)",
            "x86.entries.a_cell_says_what_the_bits_say()",
        ),
        (
            "x86/entries.py",
            "accessed=word & A != 0, dirty=word & D != 0, page",
            "accessed=word & D != 0, dirty=word & A != 0, page",
            "x86.entries.a_record_says_what_the_bits_say(guest)",
        ),
        ("cells.py", "entry.present and (entry.user or not mode.user)", "entry.present", STRATA),
        ("cells.py", "not (mode.user or mode.wp)", "not mode.wp", STRATA),
        ("cells.py", "(entry.writable or not (mode.user or mode.wp))", "entry.writable", STRATA),
        ("cells.py", "not (mode.user or mode.ac)", "not mode.user", STRATA),
        ("cells.py", "(mode.smep and entry.user and not mode.user)", "mode.smep", STRATA),
    )
]

EQUIVALENT = (
    ("x86/guest_walk.py", "cpu.cr3 & FRAME, RW | US, 0", "cpu.cr3 & FRAME, RW | US, 1", "bit 0 is set in every entry that is used"),
    (
        "x86/guest_walk.py",
        "level < 4 and entry & PS",
        "entry & PS",
        "PS is reserved at levels 4 and 5: the entry is malformed as a leaf too",
    ),
    ("x86/guest_walk.py", "rights & 2 != 0", "rights & 3 != 0", "bit 0 has been asked for before"),
    (
        "x86/ept_walk.py",
        "level < 4 and entry & PS",
        "entry & PS",
        "PS is reserved at levels 4 and 5: the entry is malformed as a leaf too",
    ),
    (
        "x86/ept_walk.py",
        "leaf and forbidden_type(entry)",
        "forbidden_type(entry)",
        "bits 5:3 of an entry that is no leaf are reserved",
    ),
    ("x86/ept_walk.py", "if leaf and level > 1:", "if leaf:", "at level 1 there is no bit between bit 12 and the page's size"),
    ("x86/ept_walk.py", "R, W, X, XU = 1 << 0", "R, W, X, XU = 1 >> 0", "the same number"),
    ("x86/words.py", "1 << 0", "1 >> 0", "the same number"),
    ("x86/staleness.py", "if chain not in self.chains:", "if True:", "the same chains are gone over again"),
    (
        "x86/staleness.py",
        "(c.leaf and c.covers(gva) and (c.tag.pcid",
        "(c.covers(gva) and (c.tag.pcid",
        "an upper part of the current PCID is forgotten by the line below, and none is global",
    ),
    (
        "x86/staleness.py",
        "def invept(self, kind: int, eptp: Word = 0)",
        "def invept(self, kind: int, eptp: Word = 1)",
        "bits 11:0 of an EPTP do not count",
    ),
    (
        "x86/staleness.py",
        "vpid: int = 0, gva: Word = 0, levels",
        "vpid: int = 0, gva: Word = 1, levels",
        "an address in the same page",
    ),
    (
        "x86/staleness.py",
        "pcid: int = 0, gva: Word = 0, levels",
        "pcid: int = 0, gva: Word = 1, levels",
        "an address in the same page",
    ),
)
"""Changes to a file of refmodel/machine that nothing can notice, and why. They were met when comparisons, operators, constants,
conditions, arguments and statements were changed one by one."""


@pytest.mark.parametrize(("file", "old", "new", "why"), EQUIVALENT)
def test_the_text_still_says_what_could_be_said_otherwise(file: str, old: str, new: str, why: str) -> None:
    assert old in (ROOT / "refmodel" / "machine" / file).read_text() and old != new and why


LEGACY = [mutant for mutant in MUTANTS if mutant.file == "x86/legacy_walk.py"]
USUAL = [mutant for mutant in MUTANTS if mutant not in LEGACY]
FEW, OTHERS = a_tenth(USUAL)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[Mutant, str]:
    return outcomes_between_processes(tmp_path_factory, "proof_mutants", FEW)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", LEGACY, ids=lambda m: m.old[:30])
def test_a_theorem_of_older_paging_is_refuted(mutant: Mutant) -> None:
    [said] = outcomes([mutant])
    assert said.startswith("Refuted:"), said


@pytest.mark.parametrize("mutant", FEW, ids=lambda m: f"{m.file}: {m.old[:30]}")
def test_the_theorem_is_refuted(mutant: Mutant, told: dict[Mutant, str]) -> None:
    assert is_refuted(mutant, told[mutant]), told[mutant]


@pytest.mark.slow
def test_the_theorems_are_refuted_of_the_others() -> None:
    for mutant, said in zip(OTHERS, outcomes(OTHERS), strict=True):
        assert is_refuted(mutant, said), (mutant, said)


def is_refuted(mutant: Mutant, said: str) -> bool:
    """Whether the theorem is refuted, by a run of the text where it is about what the text gives."""
    of_the_text = "as_declared" in mutant.theorem and "nested_page" not in mutant.theorem
    return said.startswith("Refuted:") and (not of_the_text or "the text gives" in said)
