"""The judge of RISC-V's walks: a machine made of the text shows nothing, and each defect of one is found and named."""

import contextlib
import itertools
import random
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest

from refmodel.language import BadDesign, Fault
from refmodel.machine.riscv.hart import Hart, Instruction, Trap, effective, translate, trap
from refmodel.machine.riscv.words import PPN, A, R, W
from refmodel.machine.words import Marked, flags_of
from refmodel.oracle.judging import Finding, Verdict, judge
from refmodel.oracle.riscv import agent
from refmodel.oracle.riscv.agent.code import AGENT, AGENT_32
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.layout import G_ROOT, SLOTS, STORED, WINDOW, is_vs, slot
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome, allows, due, speculated
from refmodel.oracle.riscv.qemu import repairs
from refmodel.oracle.riscv.script import Script, Step
from refmodel.oracle.riscv.vectors import SETS_32, chosen, write
from refmodel.oracle.riscv.walk_campaign import RiscvCampaign
from refmodel.oracle.riscv.walk_tests import TOP, Stages, WalkTest, make
from refmodel.oracle.vectors.running import run as run_vectors

PROFILE = Profile(svadu=True, svpbmt=True, schemes=(3, 4, 5))
PROFILE_32 = Profile(svadu=True, svpbmt=False, schemes=(2,))
BOTH, ALONE = Stages(3, 3, True), Stages(3, 0, True)
SV32 = [Stages(2), Stages(2, 2, True), Stages(2, 2, True, high=True), Stages(0, 2, True), Stages(2, 0, True)]
Change = Callable[[Observed, WalkTest], Observed]


def machine(
    hart: Callable[[Hart], Hart] = lambda h: h, change: Change = lambda seen, test: seen
) -> Callable[[Sequence[WalkTest]], list[tuple[Lawful, Observed]]]:
    """A machine made of the text, with a defect in how it reads its registers or in what it does at last."""

    def one(test: WalkTest) -> tuple[Lawful, Observed]:
        words = {**test.fixed, **test.entries}
        memory, wired = Marked(words), hart(test.hart)
        try:
            outcome = Outcome(physical=translate(memory, wired, test.instruction, test.address).g.physical)
        except Fault as fault:
            outcome = Outcome(trap=trap(test.instruction, test.address, effective(wired, test.instruction).virtual, fault))
        marks = flags_of(memory.marks)
        seen = Observed(outcome, {at: entry | marks.get(at, 0) for at, entry in test.entries.items()})
        return due(words, test.hart, test.instruction, test.address), change(seen, test)

    return lambda tests: [one(test) for test in tests]


def judged(
    perform: Callable[[Sequence[WalkTest]], list[tuple[Lawful, Observed]]], stages: Stages = BOTH, checks: int = 2400
) -> Verdict:
    return judge(RiscvCampaign("the text", stages, PROFILE_32 if stages.sv32 else PROFILE, perform), seconds=1e9, checks=checks)


@pytest.mark.parametrize(
    "stages",
    [Stages(3), Stages(4), Stages(5), BOTH, Stages(4, 4, True), Stages(5, 5, True), Stages(0, 3, True), Stages(3, 0, True), *SV32],
    ids=lambda s: s.name,
)
@pytest.mark.one_in(2)
def test_a_machine_made_of_the_text_deviates_nowhere_and_every_end_is_met(stages: Stages) -> None:
    found = judged(machine(), stages)
    assert found.deviations == ()
    guest = {"cause 20", "cause 21", "cause 23"} if stages.second else set()
    own = {"cause 12", "cause 13", "cause 15"} if stages.first else set()
    assert set(found.outcomes) >= {"completed", "cause 7", *guest, *own}


def with_trap(**fields: object) -> Change:
    def change(seen: Observed, test: WalkTest) -> Observed:
        was = seen.outcome.trap
        return seen if was is None else attrs.evolve(seen, outcome=Outcome(trap=attrs.evolve(was, **fields)))  # type: ignore[arg-type]

    return change


def no_flag(seen: Observed, test: WalkTest) -> Observed:
    return attrs.evolve(seen, entries={at: entry & ~A if not test.entries[at] & A else entry for at, entry in seen.entries.items()})


@pytest.mark.parametrize(
    ("perform", "title"),
    [
        (machine(lambda h: attrs.evolve(h, vs_adue=h.adue)), "access succeeds instead of a page fault: a flag is not set"),
        (machine(lambda h: attrs.evolve(h, vs_sum=True)), "access succeeds instead of a page fault: wrong U for the mode"),
        (machine(lambda h: attrs.evolve(h, vs_mxr=True)), "access succeeds instead of a page fault: a permission is missing"),
        (machine(lambda h: attrs.evolve(h, beyond=0)), "access succeeds instead of an access fault: an address beyond memory"),
        (machine(lambda h: attrs.evolve(h, svnapot=False)), "a page fault for an access that must succeed"),
        (machine(change=with_trap(gva=False)), "wrong GVA of a page fault"),
        (machine(change=with_trap(tinst=0)), "wrong tinst of a guest-page fault at a VS-stage entry"),
        (machine(change=with_trap(tval2=77)), "wrong tval2 of a page fault"),
        (machine(change=no_flag), "accessed flag of a VS-stage entry not set by an access that completes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.one_in(3)
def test_a_defect_is_found_and_named(perform: Callable[[Sequence[WalkTest]], list[tuple[Lawful, Observed]]], title: str) -> None:
    found = judged(perform, ALONE if "VS-stage entry not set" in title or "a permission" in title else BOTH)
    assert title in {d.finding.title for d in found.deviations}
    assert all(list(d.test.lines()) and d.finding.expected != d.finding.got for d in found.deviations)


@pytest.mark.parametrize("stages", SV32, ids=lambda s: s.name)
def test_a_test_of_32_bits_has_words_and_addresses_of_32_bits(stages: Stages) -> None:
    draw, gpas = random.Random(3), set[int]()
    for _ in range(400):
        test = make(draw.randbytes(48), stages, PROFILE_32)
        registers = (test.address, test.hart.satp, test.hart.vsatp, test.hart.hgatp)
        assert all(0 <= word < 1 << 32 for word in (*registers, *test.entries.values(), *test.fixed.values()))
        assert all(at % 4 == 0 for at in test.entries) and test.hart.rv32 and test.hart.vs_rv32
        if stages.first and stages.second:
            gpas |= {(entry & PPN) << 2 for at, entry in test.entries.items() if is_vs(at) and entry & R} - {0}
    if gpas:
        assert (sum(gpa >> 32 != 0 for gpa in gpas) > len(gpas) / 2) == stages.high


def test_a_folder_may_have_vectors_of_one_width_alone(tmp_path: Path) -> None:
    wide = RiscvCampaign("the text", Stages(3), PROFILE, machine())
    narrow = RiscvCampaign("the text", Stages(2), PROFILE_32, machine())
    for campaign, architecture in ((wide, "riscv"), (narrow, "riscv32")):
        with pytest.raises(BadDesign, match=rf"no such file; refmodel vectors --architecture {architecture} "):
            run_vectors(campaign, tmp_path)
    write(tmp_path, 50, sets=SETS_32)
    assert run_vectors(wide, tmp_path) is None
    found = run_vectors(narrow, tmp_path)
    assert found is not None and found.checks == 10 and found.deviations == ()
    (tmp_path / "riscv-sv32.jsonl").unlink()
    with pytest.raises(BadDesign, match=r"riscv-sv32\.jsonl: no such file"):
        run_vectors(narrow, tmp_path)


@pytest.mark.parametrize("xlen", [32, 64])
def test_what_a_stray_store_changed_is_stored_again_by_the_machine(xlen: int) -> None:
    changed = bytearray(SLOTS)
    changed[0x48:0x4C] = STORED.to_bytes(4, "little")
    steps = struct.unpack("<16Q", repairs(bytes(changed), xlen))
    at, value = WINDOW.start + 0x48, slot(WINDOW.start + 0x48)
    assert steps[:3] == (Step.STORE, at, value & 0xFFFF_FFFF if xlen == 32 else value) and steps[8] == Step.STOP
    assert repairs(SLOTS, xlen) == Script().packed()


def test_vectors_are_drawn_from_what_stages_print_which_stays_as_it_is() -> None:
    """Vectors are always the same, from one version to the next."""
    assert f"{Stages(3, 3, True)}" == "Stages(first=3, second=3, virtual=True)"


def cut(seen: Observed, test: WalkTest) -> Observed:
    """What QEMU 7.2 does for 32 bits: an address beyond 4 GiB is taken for the one below."""
    words = {at: entry & ~(3 << 30) for at, entry in {**test.fixed, **test.entries}.items()}
    try:
        end = Outcome(physical=translate(Marked(words), test.hart, test.instruction, test.address).g.physical)
    except Fault:
        return seen
    return Observed(end, seen.entries)


@pytest.mark.slow
def test_addresses_of_34_bits_are_told_apart() -> None:
    """In one stage an address beyond memory is let through, and in two a guest-physical one from 4 GiB on."""
    alone = {d.finding.title for d in judged(machine(change=cut), Stages(2), 4000).deviations}
    assert "access succeeds instead of an access fault: an address beyond memory" in alone
    both = {d.finding.title for d in judged(machine(change=cut), Stages(2, 2, True), 8000).deviations}
    assert any("V is clear, of an address from 4 GiB on" in title for title in both)
    high = {d.finding.title for d in judged(machine(change=with_trap(gva=False)), Stages(2, 2, True, high=True)).deviations}
    assert high and all(title.endswith(", guest-physical addresses from 4 GiB on") for title in high)


def beyond_the_first_quarter(test: WalkTest) -> bool:
    return any(G_ROOT + 0x1000 <= at < G_ROOT + 0x4000 for at in test.entries)


def narrow(seen: Observed, test: WalkTest) -> Observed:
    """What a G-stage does that takes no more bits than the VS-stage: its root has entries in the first quarter only."""
    if seen.outcome.physical is None or not beyond_the_first_quarter(test):
        return seen
    return Observed(Outcome(trap=Trap(21, test.address, 0, 0, True)), seen.entries)


@pytest.mark.parametrize("stages", [BOTH, Stages(4, 4, True), Stages(0, 3, True)], ids=lambda s: s.name)
def test_a_g_stage_that_does_not_take_two_bits_more_is_found_out(stages: Stages) -> None:
    found = judged(machine(change=narrow), stages, 600)
    assert [d.finding.title for d in found.deviations] == ["a guest-page fault for an access that must succeed"]
    vectors = [test for _, test, way in itertools.islice(chosen(stages), 400) if way.outcome.physical is not None]
    assert {test.top for test in vectors if beyond_the_first_quarter(test)} == {False, True}


def test_where_the_highest_bit_of_a_guest_physical_address_is_set_qemu_7_has_a_defect_of_its_own() -> None:
    campaign = RiscvCampaign("qemu-riscv64 7.2.22", BOTH, PROFILE, machine())
    finding, draw = Finding("a page fault for an access that must succeed", "", "", ""), random.Random(1)
    tests = [make(draw.randbytes(48), BOTH, PROFILE) for _ in range(200)]
    for test in tests:
        told = campaign.told_apart(test, finding)
        assert told is not None and told.title.endswith(TOP) == test.top
    assert {test.top for test in tests} == {False, True}


def test_an_accessed_flag_is_speculated_but_not_in_the_vs_stage_by_hlv() -> None:
    """A store to a page that may only be read: its A may be set by a load that was speculated (``vs_stage_speculative_a_bit``)."""
    plain = make(bytes(48), Stages(3, 0, True), PROFILE)
    (leaf,) = [at for at, entry in plain.entries.items() if entry & R]
    entries = {**plain.entries, leaf: plain.entries[leaf] & ~(A | W)}
    for instruction, flags in ((Instruction.STORE, A), (Instruction.HSV, 0)):
        way = due(entries, plain.hart, instruction, plain.address)
        assert way.outcome.trap and way.outcome.trap.cause == 15 and way.may.get(leaf, 0) == flags


@pytest.mark.parametrize("stages", [Stages(3), BOTH], ids=lambda s: s.name)
def test_flags_are_speculated_where_an_access_of_some_kind_would_set_them(stages: Stages) -> None:
    draw, met = random.Random(8), Counter[bool]()
    for _ in range(600):
        test = make(draw.randbytes(48), stages, PROFILE)
        words, flags = {**test.fixed, **test.entries}, dict[int, int]()
        for instruction in Instruction:
            memory = Marked(words)
            with contextlib.suppress(Fault):
                translate(memory, test.hart, instruction, test.address)
            for at, bits in flags_of(memory.marks).items():
                flags[at] = flags.get(at, 0) | bits
        assert speculated(words, test.hart, test.address) == flags
        met[bool(flags)] += 1
    assert min(met[False], met[True]) > 20


def test_what_the_manual_leaves_open_is_lawful() -> None:
    load, at_entry = Trap(21, 8, 5, 0, True), Trap(21, 8, 5, 0x3000, True)
    for got in (load, attrs.evolve(load, tval2=0), attrs.evolve(load, tinst=0x3383), attrs.evolve(load, tval=0, gva=False)):
        assert allows(load, got, Instruction.LOAD) is None
    assert allows(load, attrs.evolve(load, tinst=0x3000), Instruction.LOAD) == "tinst"
    assert allows(at_entry, at_entry, Instruction.LOAD) is None
    assert allows(at_entry, attrs.evolve(at_entry, tinst=0), Instruction.LOAD) == "tinst"
    assert allows(at_entry, attrs.evolve(at_entry, tval2=0, tinst=0), Instruction.LOAD) is None


@pytest.mark.parametrize(
    ("options", "link", "embedded"),
    [
        (["-march=rv64ima_zicsr"], [], AGENT),
        (["-march=rv32ima_zicsr", "-mabi=ilp32", "--defsym", "RV32=1"], ["-m", "elf32lriscv"], AGENT_32),
    ],
    ids=["64", "32"],
)
def test_the_embedded_bytes_are_what_the_assembler_makes(
    options: list[str], link: list[str], embedded: bytes, tmp_path: Path
) -> None:
    source = Path(agent.__file__).parent / "agent.S"
    tool = "riscv64-linux-gnu-"
    try:
        for command in (
            [f"{tool}as", *options, "-o", "o", source],
            [f"{tool}ld", *link, "-Ttext=0x80000000", "-o", "elf", "o"],
            [f"{tool}objcopy", "-O", "binary", "-j", ".text", "elf", "bytes"],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=tmp_path)
    except OSError:
        pytest.skip("no assembler for RISC-V (Debian: apt-get install binutils-riscv64-linux-gnu)")
    assert (tmp_path / "bytes").read_bytes() == embedded and len(embedded) <= 0x800
