"""The bit-level walk, and a real MMU judged by it."""

import pytest

from refmodel.machine.guest_walk import NX, PS, RW, US, A, Access, Cpu, D, NotCanonical, P, PageFault, Walk, flags_due, walk
from refmodel.oracle.judging import Observed, compare, judge
from refmodel.oracle.walk_tests import SIZE, make

FULL = P | RW | US


def translate(entries: dict[int, int], gva: int, access: Access = Access(), **registers: int) -> Walk:
    return walk(lambda a: entries.get(a, 0), Cpu(cr3=0x1000, **registers), gva, access)  # type: ignore[arg-type]


CHAIN = {0x1000: 0x2000 | FULL, 0x2000: 0x3000 | FULL, 0x3000: 0x4000 | FULL, 0x4000: 0x5000 | FULL}


def code(result: Walk) -> int:
    assert isinstance(result.fault, PageFault)
    return int(result.fault.code)


def test_four_levels_lead_to_a_page() -> None:
    assert translate(CHAIN, 0x123).physical == 0x5123


def test_large_pages_take_the_rest_of_the_address() -> None:
    two = {**CHAIN, 0x3000: 0x400000 | FULL | PS}
    assert translate(two, 0x12345).physical == 0x412345
    one = {**CHAIN, 0x2000: 0x40000000 | FULL | PS}
    assert translate(one, 0x1234567).physical == 0x41234567


@pytest.mark.parametrize(("change", "access", "registers", "expected"), [
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
    ({}, Access(fetch=True), {"smep": True}, 0x11),
    ({}, Access(), {"smap": True}, 1),
])
def test_faults_carry_their_reason(change: dict[int, int], access: Access, registers: dict[str, bool], expected: int) -> None:
    assert code(translate({**CHAIN, **change}, 0, access, **registers)) == expected


def test_supervisor_writes_pass_without_wp_and_smap_yields_to_ac() -> None:
    read_only = {**CHAIN, 0x4000: 0x5000 | P | US}
    assert translate(read_only, 0, Access(write=True), wp=False).fault is None
    assert translate(CHAIN, 0, Access(ac=True), smap=True).fault is None


def test_an_address_that_is_not_canonical_is_no_page_fault() -> None:
    assert isinstance(translate(CHAIN, 1 << 47).fault, NotCanonical)
    assert isinstance(translate(CHAIN, 1 << 47, levels=5).fault, PageFault)


def test_amd_reserves_bit_8_of_the_root_s_entries() -> None:
    odd = {**CHAIN, 0x1000: 0x2000 | FULL | 1 << 8}
    assert translate(odd, 0).fault is None
    assert code(translate(odd, 0, amd=True)) == 9


def test_flags_are_due_in_every_entry_used_and_d_in_the_leaf() -> None:
    access = Access(write=True)
    due = flags_due(translate(CHAIN, 0, access), access)
    assert due == {0x1000: (A, 0), 0x2000: (A, 0), 0x3000: (A, 0), 0x4000: (A | D, 0)}


def test_a_fault_may_mark_what_was_used_above_the_leaf_only() -> None:
    access = Access(user=True)
    due = flags_due(translate({**CHAIN, 0x4000: 0x5000 | P}, 0, access), access)
    assert due == {0x1000: (0, A), 0x2000: (0, A), 0x3000: (0, A), 0x4000: (0, 0)}


class Model:
    """An implementation that does what the model says, but for one thing."""

    name, version, levels, physical_bits = "model", "0", 4, 40

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong

    def run(self, test: object) -> Observed:
        from refmodel.oracle.walk_tests import WalkTest

        assert isinstance(test, WalkTest)
        cpu, access = test.cpu, test.access
        result = walk(lambda a: test.entries.get(a, 0), cpu, test.gva, access)
        due = flags_due(result, access)
        entries = {a: e | due.get(a, (0, 0))[0] for a, e in test.entries.items()}
        if self.wrong == "no dirty flag":
            entries = {a: e & ~D | test.entries[a] & D for a, e in entries.items()}
        if isinstance(result.fault, PageFault):
            bits = result.fault.code & ~(8 if self.wrong == "no RSVD" else 0)
            return Observed("#PF", bits, test.gva, entries)
        if isinstance(result.fault, NotCanonical):
            return Observed("#GP", 0, 0, entries)
        return Observed("completed", 0, result.physical, entries)


def test_the_model_does_not_deviate_from_itself() -> None:
    assert judge(Model(), seconds=30, checks=5000).deviations == ()


@pytest.mark.parametrize(("wrong", "said"), [("no dirty flag", "dirty flag"), ("no RSVD", "error code")])
def test_a_planted_deviation_is_found_and_small(wrong: str, said: str) -> None:
    found = judge(Model(wrong), seconds=60, checks=20_000).deviations
    assert found and all(said in d.title for d in found)


def test_every_byte_string_is_a_test() -> None:
    for byte in range(256):
        test = make(bytes([byte]) * SIZE, 4, 40)
        assert compare(test, Model().run(test)) is None
    assert make(b"", 5, 40).cpu.levels == 5


@pytest.mark.parametrize("levels", [4, 5])
def test_unicorn_deviates_in_one_class_only(levels: int) -> None:
    pytest.importorskip("unicorn", reason="pip install unicorn")
    from refmodel.oracle.unicorn_mmu import UnicornMmu

    verdict = judge(UnicornMmu(levels), seconds=120, checks=12_000)
    assert verdict.checks >= 12_000
    assert [d.title for d in verdict.deviations] == ["accessed flag of a 1 GiB leaf set although the access faults"]
    (deviation,) = verdict.deviations
    assert len(deviation.test.entries) == levels - 2
