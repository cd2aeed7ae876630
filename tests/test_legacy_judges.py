"""Judging 32-bit paging and PAE paging: the model keeps to itself, and mistakes of a walk or of the agent are found, on real
machines too."""

from __future__ import annotations

import contextlib
import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import attrs
import pytest

from refmodel.machine.x86 import legacy_walk
from refmodel.machine.x86.guest_walk import FETCH, RSVD, Access
from refmodel.machine.x86.legacy_walk import CpuPae
from refmodel.machine.x86.words import NX, RW, US, A, D, P
from refmodel.oracle import known
from refmodel.oracle.judging import judge
from refmodel.oracle.x86 import bochs, kvm, legacy_loads, legacy_tests, qemu
from refmodel.oracle.x86.agent import code
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import MEMORY, WINDOW
from refmodel.oracle.x86.agent.legacy_image import DIRECTORY, HIGH, PDPT, TABLE, LegacyImage
from refmodel.oracle.x86.legacy_loads import LoadCampaign
from refmodel.oracle.x86.legacy_tests import NO_REGISTERS, LegacyCampaign, LegacyProfile, LegacyTest, LoadTest
from refmodel.oracle.x86.legacy_walks import LegacyWalks, destination, profile_of
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome

# ---------------------------------------------------------------- the model judged by itself

Choose = Callable[[LegacyTest], Lawful]


def first_way(test: LegacyTest) -> Lawful:
    return legacy_tests.due(test)[0]


def model(profile: LegacyProfile, way_of: Choose = first_way) -> LegacyCampaign:
    """A machine that does what the model does, or something else."""

    def perform(tests: Sequence[LegacyTest]) -> list[Observed]:
        ways = [(test, way_of(test)) for test in tests]
        return [Observed(way.outcome, {a: e | way.must.get(a, 0) for a, e in test.entries.items()}) for test, way in ways]

    return LegacyCampaign("model 0", profile, perform)


@pytest.mark.parametrize(
    "profile",
    [
        LegacyProfile(False),
        LegacyProfile(False, 36),
        LegacyProfile(False, pse36=False, nxe=False),
        LegacyProfile(True),
        LegacyProfile(True, 52, smep_smap=False, nxe=False),
    ],
    ids=str,
)
def test_the_model_does_not_deviate_from_itself(profile: LegacyProfile) -> None:
    verdict = judge(model(profile), seconds=60, checks=4000)
    assert verdict.checks >= 4000 and verdict.deviations == () and set(verdict.outcomes) == {"completed", "#PF"}


def spoiled(spoil: Callable[[LegacyTest, Lawful], Lawful]) -> Choose:
    return lambda test: spoil(test, first_way(test))


def code_with(bits: Callable[[LegacyTest, int], int]) -> Choose:
    def spoil(test: LegacyTest, way: Lawful) -> Lawful:
        outcome = way.outcome
        return attrs.evolve(way, outcome=attrs.evolve(outcome, code=bits(test, outcome.code))) if outcome.kind == "#PF" else way

    return spoiled(spoil)


def flags_of_pdptes(test: LegacyTest, way: Lawful) -> Lawful:
    return attrs.evolve(way, must={**way.must, PDPT + 8 * (test.gva >> 30): A})


def seen_as(change: Callable[[LegacyTest], LegacyTest]) -> Choose:
    """What comes of another test."""
    return lambda test: first_way(change(test))


def pse_36_of_36_bits(test: LegacyTest) -> Lawful:
    entry = test.entries.get(DIRECTORY + 4 * (test.gva >> 22), 0)
    refused = not test.pae and entry & 0x81 == 0x81 and getattr(test.cpu, "pse", False) and entry >> 17 & 0xF
    access = test.access
    code = P | RSVD | (RW if access.write else 0) | (US if access.user else 0) | (FETCH if access.fetch and test.cpu.smep else 0)
    return Lawful(Outcome("#PF", code, test.gva), {}, {}) if refused else first_way(test)


@pytest.mark.parametrize(
    ("pae", "way_of", "title"),
    [
        (False, code_with(lambda t, c: c & ~P if c & RSVD else c), "error code of a #PF for reserved bits lacks P, 32-bit paging"),
        (True, code_with(lambda t, c: c & ~P if c & RSVD else c), "error code of a #PF for reserved bits lacks P, PAE paging"),
        (
            False,
            code_with(lambda t, c: c | FETCH if t.unused_nxe and t.access.fetch else c),
            "error code of a #PF for a page not present has I/D, 32-bit paging with EFER.NXE",
        ),
        (True, spoiled(flags_of_pdptes), "accessed flag of a PDPTE set by an access that completes, PAE paging"),
        (False, pse_36_of_36_bits, "taken as reserved: address bits 39:36 of a 4 MiB leaf, 32-bit paging"),
        (
            False,
            spoiled(lambda t, w: attrs.evolve(w, must={a: f & ~D for a, f in w.must.items()})),
            "dirty flag of a 4 MiB leaf not set by an access that completes, 32-bit paging",
        ),
        (
            True,
            spoiled(lambda t, w: attrs.evolve(w, must={a: f & ~A for a, f in w.must.items()})),
            "accessed flag of a directory entry not set by an access that completes, PAE paging",
        ),
        (True, seen_as(legacy_tests.with_pdptes_of_memory), NO_REGISTERS),
        (
            True,
            seen_as(lambda t: attrs.evolve(t, entries={a: e & ~NX for a, e in t.entries.items()})),
            "not taken as reserved: bit 63 without EFER.NXE, PAE paging",
        ),
        (
            True,
            seen_as(lambda t: attrs.evolve(t, entries={a: e & ~(0x7FF << 52) for a, e in t.entries.items()})),
            "not taken as reserved: bits 62:52, PAE paging",
        ),
        (
            False,
            seen_as(lambda t: attrs.evolve(t, entries={a: e & ~(1 << 21) for a, e in t.entries.items()})),
            "not taken as reserved: bit 21 of a 4 MiB leaf, 32-bit paging",
        ),
    ],
)
@pytest.mark.one_in(3)
def test_a_planted_deviation_is_put_into_its_class(pae: bool, way_of: Choose, title: str) -> None:
    found = {d.finding.title: d for d in judge(model(LegacyProfile(pae), way_of), seconds=60, checks=12_000).deviations}
    assert title in found, list(found)
    assert list(found[title].test.lines()) and found[title].finding.expected != found[title].finding.got


def test_pdptes_that_are_read_when_walking_are_lawful_where_the_manual_says_so() -> None:
    """In a guest under AMD's nested paging (APM Vol. 2 15.25.10)."""
    wrong = seen_as(legacy_tests.with_pdptes_of_memory)
    profile = LegacyProfile(True, pdptes_in_registers=False)
    assert judge(model(profile, wrong), seconds=60, checks=4000).deviations == ()
    assert judge(model(profile), seconds=60, checks=4000).deviations == ()


@pytest.mark.parametrize(("written", "nested"), [(None, False), ("Y\n", True), ("1\n", True), ("N\n", False)])
def test_kvm_says_whether_its_guests_are_under_nested_paging_of_amd(
    written: str | None, nested: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kvm, "NPT", tmp_path / "npt")
    if written is not None:
        kvm.NPT.write_text(written)
    assert kvm.nested_paging_of_amd() == nested


# ---------------------------------------------------------------- MOV to CR3


def loads(way_of: Callable[[LoadTest], Lawful]) -> LoadCampaign:
    def perform(tests: Sequence[LoadTest]) -> list[Observed]:
        return [Observed(way_of(test).outcome, test.entries) for test in tests]

    return LoadCampaign("model 0", LegacyProfile(True), perform)


@pytest.mark.parametrize("which", [0, -1])
def test_the_model_loads_pdptes_as_it_says(which: int) -> None:
    """Also where it checks PDPTEs that are not present."""
    verdict = judge(loads(lambda test: legacy_tests.due_of_load(test)[which]), seconds=60, checks=4000)
    assert verdict.deviations == () and set(verdict.outcomes) == {"completed", "#GP"}


@pytest.mark.parametrize(
    ("way", "titles"),
    [
        (
            Lawful(Outcome("completed"), {}, {}),
            {
                f"MOV to CR3 completes where it must give #GP: {bits} of a PDPTE"
                for bits in ("bits 2:1", "bits 8:5", "address bits above MAXPHYADDR", "bits 63:52")
            },
        ),
        (Lawful(Outcome("#GP"), {}, {}), {"MOV to CR3 gives #GP where it must complete: no reserved bit of a PDPTE"}),
        (
            Lawful(Outcome("exception 8"), {}, {}),
            {"MOV to CR3 gives exception 8 where it must complete: no reserved bit of a PDPTE"},
        ),
    ],
)
def test_a_planted_deviation_of_mov_to_cr3_is_put_into_its_class(way: Lawful, titles: set[str]) -> None:
    found = judge(loads(lambda test: way), seconds=60, checks=4000).deviations
    assert titles <= {d.finding.title for d in found}
    assert all(any("PDPTE at 0x3020" in line for line in d.test.lines()) for d in found)


def test_a_pdpte_that_changes_in_memory_by_its_load_is_a_deviation() -> None:
    test = legacy_loads.make(bytes(legacy_loads.SIZE), LegacyProfile(True))
    found = legacy_loads.compare(test, Observed(Outcome("completed"), {a: e | A for a, e in test.entries.items()}))
    assert found is not None and found.title == "MOV to CR3 changes a PDPTE in memory"


# ---------------------------------------------------------------- where data lie


def test_data_tell_where_they_lie_to_loads_and_to_fetches() -> None:
    image = LegacyImage(pae=False)
    image.install(bytearray(MEMORY), *(bytearray(MEMORY) for _ in HIGH))
    for number, base in enumerate((0, *HIGH)):
        memory = image.memory if number == 0 else image.pieces[number - 1]
        for offset in (WINDOW.start, WINDOW.start + 0xFF8, 0x1FFFF8):
            word = int.from_bytes(memory[offset : offset + 4], "little")
            fetched = int.from_bytes(memory[offset + 1 : offset + 5], "little")
            assert memory[offset] == 0xB8 and memory[offset + 5 : offset + 7] == image.trap
            assert image.address_told(word, fetched=False) == image.address_told(fetched, fetched=True) == base + offset
    assert image.address_told(0, fetched=False) is None and image.address_told(0xFFFFFFFF, fetched=True) is None
    assert LegacyImage(pae=True).address_told(1 << 19, fetched=True) is None


def test_memory_is_where_the_processor_has_addresses() -> None:
    image = LegacyImage(pae=False)
    image.limit(39)
    assert image.high == tuple(1 << bit for bit in range(32, 39))
    image.limit(32)
    assert image.high == () and image.address_told(1 << 19, fetched=True) is None


@pytest.mark.parametrize("pae", [False, True])
def test_a_test_leads_to_the_page_that_its_walk_reaches(pae: bool) -> None:
    draw, through = random.Random(7), 0
    for _ in range(3000):
        test = legacy_tests.make(draw.randbytes(legacy_tests.SIZE), LegacyProfile(pae))
        outcome = first_way(test).outcome
        if outcome.kind == "completed":
            through += 1
            assert destination(test) == outcome.address
            low = outcome.address & ~0xFFF in WINDOW
            assert low or (not pae and outcome.address & ~(MEMORY - 1) in HIGH)
        assert all(at & ~0xFFF in (DIRECTORY, TABLE, PDPT & ~0xFFF) for at in test.entries)
    assert through > 1000


# ---------------------------------------------------------------- real machines


def machine(name: str, pae: bool) -> AgentHost:
    if name == "bochs" and bochs.version() is not None:
        return bochs.Bochs(LegacyImage(pae))
    if name == "qemu" and qemu.version() is not None:
        return qemu.Qemu(LegacyImage(pae), qemu.INTEL)
    pytest.skip(f"{name} is not installed")


@contextlib.contextmanager
def on(name: str, pae: bool) -> Iterator[LegacyCampaign]:
    with contextlib.closing(machine(name, pae)) as host:
        version = bochs.version() if name == "bochs" else qemu.version()
        yield LegacyCampaign(f"{name} {version}", profile_of(host), LegacyWalks(host).walks)


MUTANTS_32 = {
    "CR4.PSE does not matter": ("(cpu.pse and entry & PS != 0)", "(entry & PS != 0)"),
    "no page is large": ("(cpu.pse and entry & PS != 0)", "False"),
    "bit 21 is not reserved": ("return 1 << 21 | (", "return 0 | ("),
    "PSE-36 has 36 bits": ("((beyond >> 32 & 0xFF) << 13 if pse36 else", "(0xF0 << 13 if pse36 else"),
    "PSE-36 is not there": ("physical |= (entry >> 13 & 0xFF) << 32", "physical |= 0"),
    "PSE-36 is a bit off": ("physical |= (entry >> 13 & 0xFF) << 32", "physical |= (entry >> 12 & 0xFF) << 32"),
    "the directory gives all rights": (
        "rights, table = rights & entry, entry & FRAME_32",
        "rights, table = rights & (entry if leaf else rights), entry & FRAME_32",
    ),
    "the directory's accessed flag is left": ("        memory.mark(slot, entry, A)\n", ""),
    "a leaf's flags are left": ("    memory.mark(slot, entry, flags_due(access))\n    offset", "    offset"),
    "EFER.NXE matters": ("smap=cpu.smap, nxe=False)", "smap=cpu.smap, nxe=True)"),
    "CR0.WP does not matter": ("Cpu(cr3=cpu.cr3, wp=cpu.wp,", "Cpu(cr3=cpu.cr3, wp=True,"),
    "CR4.SMEP does not matter": ("smep=cpu.smep, smap=cpu.smap, nxe=False", "smep=False, smap=cpu.smap, nxe=False"),
    "CR4.SMAP does not matter": ("smap=cpu.smap, nxe=False", "smap=False, nxe=False"),
    "a table has 512 entries": ("(gva >> shift & 0x3FF) << 2", "(gva >> shift & 0x1FF) << 2"),
}
MUTANTS_PAE = {
    "the first register is used for all": ("    pdpte = selected(cpu, gva)", "    pdpte = cpu.pdpte0"),
    "a PDPTE need not be present": ("if not pdpte & P:", "if False:"),
    "bits 62:52 are software's": ("beyond=cpu.beyond | ABOVE_FRAME", "beyond=cpu.beyond"),
    "address bits above MAXPHYADDR are there": ("beyond=cpu.beyond | ABOVE_FRAME", "beyond=ABOVE_FRAME"),
    "EFER.NXE does not matter": ("nxe=cpu.nxe, beyond=cpu.beyond | ABOVE_FRAME", "nxe=True, beyond=cpu.beyond | ABOVE_FRAME"),
    "CR0.WP does not matter": (
        "wp=cpu.wp, smep=cpu.smep, smap=cpu.smap, nxe=cpu.nxe, beyond=cpu.beyond |",
        "wp=True, smep=cpu.smep, smap=cpu.smap, nxe=cpu.nxe, beyond=cpu.beyond |",
    ),
    "CR4.SMEP does not matter": (
        "smep=cpu.smep, smap=cpu.smap, nxe=cpu.nxe, beyond=cpu.beyond |",
        "smep=False, smap=cpu.smap, nxe=cpu.nxe, beyond=cpu.beyond |",
    ),
    "CR4.SMAP does not matter": ("smap=cpu.smap, nxe=cpu.nxe, beyond=cpu.beyond |", "smap=False, nxe=cpu.nxe, beyond=cpu.beyond |"),
}


def mutated(old: str, new: str) -> ModuleType:
    """The text of the walks, changed in one place."""
    text = inspect.getsource(legacy_walk)
    assert text.count(old) == 1, old
    module = ModuleType(legacy_walk.__name__)
    exec(compile(text.replace(old, new), legacy_walk.__file__, "exec"), module.__dict__)
    return module


Seen = Sequence[tuple[LegacyTest, Observed]]


def seen_by(campaign: LegacyCampaign) -> Seen:
    """Some thousand tests, and what came of them."""
    draw = random.Random(3)
    tests = [campaign.make(draw.randbytes(campaign.size)) for _ in range(4000)]
    return [
        pair
        for at in range(0, len(tests), 200)
        for pair in zip(tests[at : at + 200], campaign.perform(tests[at : at + 200]), strict=True)
    ]


def has_news(campaign: LegacyCampaign, seen: Seen) -> bool:
    """Whether anything came of a test that is neither lawful nor known."""
    findings = (campaign.compare(test, observed) for test, observed in seen)
    return any(known.explanation(campaign.implementation, found.title) is None for found in findings if found is not None)


@pytest.mark.parametrize("name", ["bochs", "qemu"])
@pytest.mark.parametrize("pae", [False, True])
@pytest.mark.one_in(2)
def test_every_mutant_of_the_walk_is_found_out_by_a_real_machine(name: str, pae: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with on(name, pae) as campaign:
        seen = seen_by(campaign)
    assert not has_news(campaign, seen)
    kept, walk = [], "walk_pae" if pae else "walk_32"
    for what, change in (MUTANTS_PAE if pae else MUTANTS_32).items():
        monkeypatch.setattr(legacy_tests, walk, getattr(mutated(*change), walk))
        if not has_news(campaign, seen):
            kept.append(what)
    assert kept == []


MUTANTS_OF_LOADS = {
    "nothing is checked": ("return (check_absent or pdpte & P != 0) and", "return False and"),
    "PDPTEs that are not present are checked": ("return (check_absent or pdpte & P != 0) and", "return"),
    "address bits above MAXPHYADDR are there": ("& (PDPTE_RESERVED | beyond) != 0", "& PDPTE_RESERVED != 0"),
    "bits 63:52 are software's": ("1 << 63 | ABOVE_FRAME | 0b1111 << 5", "0b1111 << 5"),
    "bits 8:5 are ignored": ("ABOVE_FRAME | 0b1111 << 5 |", "ABOVE_FRAME |"),
    "bits 2:1 are rights": ("0b1111 << 5 | 0b11 << 1", "0b1111 << 5"),
    "the second PDPTE is not looked at": ("or malformed(loaded.pdpte1, cpu.beyond, check_absent)\n", "\n"),
}


def test_every_mutant_of_loading_pdptes_is_found_out_by_a_real_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Bochs, since QEMU loads none."""
    with contextlib.closing(machine("bochs", pae=True)) as host:
        draw, profile = random.Random(5), profile_of(host)
        tests = [legacy_loads.make(draw.randbytes(legacy_loads.SIZE), profile) for _ in range(2000)]
        seen = list(zip(tests, legacy_loads.loads_on(host, tests), strict=True))
    assert {observed.outcome.kind for _, observed in seen} == {"completed", "#GP"}
    assert all(legacy_loads.compare(*pair) is None for pair in seen)
    kept = []
    for what, change in MUTANTS_OF_LOADS.items():
        changed = mutated(*change)
        monkeypatch.setattr(legacy_tests, "load_pdptes", changed.load_pdptes)
        monkeypatch.setattr(legacy_tests, "BadPdpte", changed.BadPdpte)
        if all(legacy_loads.compare(*pair) is None for pair in seen):
            kept.append(what)
    assert kept == []


AGENT_MUTANTS = {
    "entries are not written": (86, "89140e", "909090"),
    "CR4 is not set": (109, "0f22e2", "909090"),
    "CR0 is not set": (119, "0f22c1", "909090"),
    "EFER is not set": (137, "0f30", "9090"),
    "CR3 is not loaded": (141, "0f22d9", "909090"),
    "CPL 3 is not entered": (160, "f6c101", "f6c100"),
    "the error code is lost": (227, "8f4728", "8f4730"),
    "what was loaded is lost": (288, "894738", "909090"),
    "CR2 is not read": (230, "0f20d0", "31c090"),
}
"""Where in the agent, what is there, and what is put there."""


@pytest.mark.parametrize("name", ["bochs", "qemu"])
@pytest.mark.parametrize("what", AGENT_MUTANTS)
@pytest.mark.one_in(3)
def test_every_mutant_of_the_agent_is_found_out(name: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at, there, instead = AGENT_MUTANTS[what]
    agent = code.AGENT_32
    assert agent[at : at + len(there) // 2].hex() == there
    monkeypatch.setattr(LegacyImage, "agent", agent[:at] + bytes.fromhex(instead) + agent[at + len(there) // 2 :])
    with on(name, pae=True) as campaign:
        assert has_news(campaign, seen_by(campaign))


def test_above_4_gib_a_store_is_seen_and_put_back() -> None:
    """A page of 4 MiB at each address bit that PSE-36 adds: a store to it, then a load from the same place."""
    with contextlib.closing(machine("bochs" if bochs.version() else "qemu", pae=False)) as host:
        walks = LegacyWalks(host).walks
        for bit, base in enumerate(HIGH):
            entry = 0x87 | 1 << 13 + bit
            store = LegacyTest({DIRECTORY: entry}, legacy_walk.Cpu32(cr3=DIRECTORY), 0x123458, Access(write=True))
            load, fetch = (attrs.evolve(store, access=access) for access in (Access(), Access(fetch=True, user=True)))
            for observed in walks([store, load, store, fetch]):
                assert observed.outcome == Outcome("completed", 0, base + 0x123458)


def test_a_store_that_goes_elsewhere_is_not_taken_for_one_that_is_right() -> None:
    with contextlib.closing(machine("bochs" if bochs.version() else "qemu", pae=True)) as host:
        cpu = CpuPae(*(DIRECTORY | P,) * 4)
        test = LegacyTest({DIRECTORY: TABLE | 7, TABLE: WINDOW[3] | 7}, cpu, 0x10, Access(write=True), PDPT)
        walks = LegacyWalks(host)
        (right,) = walks.walks([test])
        assert right.outcome == Outcome("completed", 0, WINDOW[3] + 0x10)
        elsewhere = attrs.evolve(test, entries={**test.entries, PDPT: 0})  # the registers lead there all the same, if there are any
        if isinstance(host, bochs.Bochs):
            (observed,) = walks.walks([elsewhere])
            assert observed.outcome == right.outcome
