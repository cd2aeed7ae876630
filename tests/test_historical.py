"""The catalogue's defects: each is on the bench with its reference, and each is found by the clause that it is said to break."""

import re
from pathlib import Path

import pytest

from refmodel.bugs import MUTANTS
from refmodel.bugs.historical import DEFECTS

ENTRIES = (
    {f"A{n:02}" for n in range(1, 29)}
    | {f"B{n:02}" for n in range(1, 15)}
    | {f"C{n:02}" for n in range(1, 14)}
    | {f"D{n:02}" for n in range(1, 11)}
)
"""C and D are those that were found on record later."""


def test_every_entry_of_the_catalogue_is_on_the_bench() -> None:
    assert {m.ENTRY for m in DEFECTS.values()} == ENTRIES
    assert len({m.ENTRY for m in DEFECTS.values()}) == len(DEFECTS)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_says_where_it_is_on_record(name: str) -> None:
    mutant = MUTANTS[name]
    assert mutant.entry == DEFECTS[name].ENTRY
    assert re.match(r"(XSA-\d+|CVE-\d+-\d+|KVM|KVM/arm64|KVM on POWER|pKVM|QEMU|Linux|Xen|propolis)", mutant.reference)
    assert "commit" in mutant.reference or "xen.git" in mutant.reference or "CVE" in mutant.reference or "issue" in mutant.reference
    assert mutant.title.endswith(".")


def test_there_is_one_file_for_each() -> None:
    folder = Path(__file__).parent.parent / "refmodel" / "bugs" / "historical"
    assert {f.stem.replace("_", "-") for f in folder.glob("*.py")} - {"--init--"} == set(DEFECTS)
