"""The judge of RISC-V's staleness: what the envelope allows is let pass, and a machine that ignores a fence is found out."""

from __future__ import annotations

import contextlib
import functools
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import attrs
import pytest

from refmodel.machine.riscv.hart import Instruction, g_stage, vs_stage
from refmodel.machine.riscv.staleness import Remembered, Space, Tables
from refmodel.machine.riscv.words import A
from refmodel.machine.words import Marked
from refmodel.oracle import known
from refmodel.oracle.judging import Verdict, judge
from refmodel.oracle.riscv import qemu, stale_tests
from refmodel.oracle.riscv.agent_walks import stale_walks_on
from refmodel.oracle.riscv.host import Profile, RiscvHost, profile_of
from refmodel.oracle.riscv.layout import BASE
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome
from refmodel.oracle.riscv.script import SIZE as STEP
from refmodel.oracle.riscv.script import Step
from refmodel.oracle.riscv.stale_campaign import StaleCampaign
from refmodel.oracle.riscv.stale_tests import ASID, FENCES, SIZE, VMID, Envelope, Fence, StaleTest, make_stale
from refmodel.oracle.riscv.unicorn_mmu import UnicornRiscv
from refmodel.oracle.riscv.walk_tests import Stages

PROFILE = Profile(svadu=True, svpbmt=True, schemes=(3, 4, 5))
ONE, GUEST, G_ALONE, BOTH = Stages(3), Stages(3, 0, True), Stages(0, 3, True), Stages(3, 3, True)
EVERY = (ONE, GUEST, G_ALONE, BOTH)
Choice = Callable[[list[Lawful]], Lawful]


def first(ways: list[Lawful]) -> Lawful:
    return ways[0]


def last(ways: list[Lawful]) -> Lawful:
    return ways[-1]


def machine(
    choice: Choice, ignores: Callable[[Fence], bool] = lambda fence: False, spoil: Callable[[Lawful], Lawful] = lambda way: way
) -> Callable[[Sequence[StaleTest]], list[list[Observed]]]:
    """A machine that remembers all it may, chooses among its ways, and ignores some fences."""

    def one(test: StaleTest) -> list[Observed]:
        envelope, entries, seen = Envelope(test), dict(test.start.entries), []
        for number, access in enumerate(test.tests):
            if number:
                made = test.rounds[number - 1]
                entries[test.place] = made.entry
                if made.fence is None or not ignores(made.fence):
                    envelope.fenced(made.fence)
            envelope.may_read(entries)
            way = spoil(choice(envelope.ways(attrs.evolve(access, entries=dict(entries)))))
            entries = {at: entry | way.must.get(at, 0) for at, entry in entries.items()}
            envelope.may_read(entries)
            seen.append(Observed(way.outcome, dict(entries)))
        return seen

    return lambda tests: [one(test) for test in tests]


def judged(stages: Stages, perform: Callable[[Sequence[StaleTest]], list[list[Observed]]], checks: int = 400) -> Verdict:
    """Where both stages are walked there are so many ways that fewer tests have to do."""
    return judge(StaleCampaign("the text", stages, PROFILE, perform), seconds=1e9, checks=checks // 4 if stages is BOTH else checks)


@pytest.mark.parametrize("stages", EVERY, ids=lambda s: s.name)
@pytest.mark.parametrize("choice", [first, last])
@pytest.mark.one_in(3)
def test_what_may_be_remembered_deviates_nowhere(stages: Stages, choice: Choice) -> None:
    verdict = judged(stages, machine(choice))
    assert verdict.deviations == () and verdict.outcomes["as memory is"] > 0
    assert (verdict.outcomes.get("stale", 0) > 0) == (choice is last)


@pytest.mark.parametrize(
    ("stages", "name", "address"),
    [
        (stages, name, address)
        for stages, name in (
            (ONE, "sfence.vma"),
            (GUEST, "hfence.vvma"),
            (BOTH, "hfence.vvma"),
            (G_ALONE, "hfence.gvma"),
            (BOTH, "hfence.gvma"),
            (ONE, "sinval.vma"),
            (GUEST, "hinval.vvma"),
            (G_ALONE, "hinval.gvma"),
        )
        for address in (False, True)
    ],
)
@pytest.mark.one_in(3)
def test_a_machine_that_ignores_a_fence_is_found_out(stages: Stages, name: str, address: bool) -> None:
    def is_ignored(fence: Fence) -> bool:
        return fence.name == name and (fence.address is not None) == address

    campaign = StaleCampaign("the text", stages, PROFILE, machine(last, is_ignored))
    draw, findings = random.Random(1), set[str]()
    for _ in range(6000):
        test = campaign.make(bytes(b * draw.randrange(2) for b in draw.randbytes(SIZE)))
        if not any(is_ignored(made.fence) for made in test.rounds if made.fence is not None):
            continue
        ((_, finding),) = campaign.run([test])
        findings |= {finding.title} if finding is not None else set()
        if any("outside the envelope" in title and f"after {name}" in title for title in findings):
            return
    raise AssertionError(f"not found out: {findings}")


@pytest.mark.parametrize(
    ("stages", "fence"),
    [
        (ONE, Fence("sfence.vma", None, ASID + 1)),
        (BOTH, Fence("hfence.gvma", None, VMID + 1)),
        (BOTH, Fence("sfence.vma")),
        (GUEST, Fence("hfence.vvma", None, ASID + 1)),
        (ONE, Fence("sinval.vma", None, ASID + 1)),
        (G_ALONE, Fence("hinval.gvma", None, VMID + 1)),
    ],
    ids=str,
)
@pytest.mark.one_in(4)
def test_fences_of_others_may_be_ignored(stages: Stages, fence: Fence) -> None:
    assert judged(stages, machine(last, lambda f: f == fence)).deviations == ()


@pytest.mark.slow
def test_a_machine_that_sets_no_accessed_flag_is_found_out() -> None:
    found = judged(ONE, machine(first, spoil=lambda way: attrs.evolve(way, must={at: f & ~A for at, f in way.must.items()})))
    assert any("outside the envelope" in each.finding.title for each in found.deviations)


@pytest.mark.slow
def test_an_access_that_goes_astray_at_first_is_found_out() -> None:
    found = judged(
        BOTH,
        machine(
            first,
            spoil=lambda way: (
                way if way.outcome.physical is None else attrs.evolve(way, outcome=Outcome(physical=way.outcome.physical ^ 0x1000))
            ),
        ),
    )
    assert [each.finding.title for each in found.deviations] == ["completed at first, outside the envelope of stale translations"]


@pytest.mark.slow
def test_an_edited_entry_that_is_overwritten_is_a_class_of_its_own() -> None:
    """What Spike does: D is set in the entry that is remembered, and that is written."""

    def forgetful(tests: Sequence[StaleTest]) -> list[list[Observed]]:
        return [
            [*seen[:-1], attrs.evolve(seen[-1], entries={**seen[-1].entries, test.place: test.start.entries[test.place]})]
            for test, seen in zip(tests, machine(first)(tests), strict=True)
        ]

    found = judged(ONE, forgetful).deviations
    assert "setting a flag overwrites an entry that was edited since the walk" in {each.finding.title for each in found}


@pytest.mark.parametrize("stages", EVERY, ids=lambda s: s.name)
def test_every_byte_string_is_a_test_that_the_agent_can_carry_out(stages: Stages) -> None:
    for byte in range(256):
        test = make_stale(bytes([byte]) * SIZE, stages, PROFILE)
        assert len(test.tests) == 3 and list(test.lines()) and test.place in test.start.entries
        assert all(0 <= f.kind < 24 for f in (r.fence for r in test.rounds) if f is not None)


def everything(test: StaleTest) -> Envelope:
    """The envelope of a hart that remembers all that it reads, not only what the edit makes a difference to."""
    envelope = Envelope(test)
    envelope.gpas = [*stale_tests._table_gpas(test.start), stale_tests._gpa(test.start)]
    return envelope


def test_what_the_edit_makes_no_difference_to_need_not_be_remembered() -> None:
    draw = random.Random(5)
    compared = 0
    for number in range(60):
        data = bytes([240, draw.choice((200, 240)), *draw.randbytes(SIZE - 2)])  # large pages: few entries
        test = make_stale(data, BOTH if number % 3 else G_ALONE, PROFILE)
        short, whole = Envelope(test), everything(test)
        for number_of_access, access in enumerate(test.tests):
            entries = dict(access.entries)
            for each in (short, whole):
                if number_of_access:
                    each.may_read(entries)
                    each.fenced(test.rounds[number_of_access - 1].fence)
                each.may_read(entries)

            def ends(envelope: Envelope, access: stale_tests.WalkTest = access) -> set[object]:
                return {(way.outcome, tuple(sorted(way.must.items()))) for way in envelope.ways(access)}

            assert ends(short) == ends(whole)
            compared += len(ends(short))
    assert compared > 180


def test_a_guest_s_tables_are_found_where_the_layout_has_them() -> None:
    test = make_stale(bytes(SIZE), BOTH, PROFILE)
    envelope, vs, g = Envelope(test), vs_stage(test.start.hart), g_stage(test.start.hart)
    envelope.may_read(test.start.entries)
    assert vs is not None and g is not None
    levels = {entry.level: entry.value for entry in envelope.hart.entries if entry.space == Space(Tables.VS, VMID, ASID)}
    assert set(levels) == {1, 2, 3} and set(levels.values()) <= set(test.start.entries.values())
    by_g = Remembered()
    by_g.may_read(Marked({**test.start.fixed, **test.start.entries}), g, Space(Tables.G, VMID), stale_tests._gpa(test.start))
    assert {entry.level for entry in by_g.entries} == {1, 2, 3}


def test_fences_of_svinval_are_drawn_for_machines_that_have_it() -> None:
    for svinval in (False, True):
        profile, draw = attrs.evolve(PROFILE, svinval=svinval), random.Random(5)
        drawn = [made.fence for _ in range(400) for made in make_stale(draw.randbytes(SIZE), BOTH, profile).rounds]
        fences = {fence.name for fence in drawn if fence}
        assert ("hinval.gvma" in fences) == ("sinval.vma" in fences) == svinval and "hfence.gvma" in fences


def test_unicorn_remembers_and_forgets_as_it_may() -> None:
    pytest.importorskip("unicorn")
    machine = UnicornRiscv()
    verdict = judge(StaleCampaign("unicorn-riscv64", ONE, machine.profile(), machine.stale_walks), seconds=1e9, checks=600)
    assert verdict.deviations == () and verdict.outcomes["stale"] > 20 and verdict.outcomes["as memory is"] > 20


def test_unicorn_without_a_fence_is_found_out() -> None:
    pytest.importorskip("unicorn")
    machine = UnicornRiscv()
    nothing = dict.fromkeys(range(1, 4), machine.stubs[Instruction.LOAD])  # fences with an operand; that without begins a test
    machine.stubs.update(nothing)
    found = first_of(StaleCampaign("unicorn-riscv64", ONE, machine.profile(), machine.stale_walks))
    assert found is not None and "sfence.vma of " in found


def first_of(campaign: StaleCampaign, batches: int = 40) -> str | None:
    """The first class of deviation in which a fence comes, or None."""
    draw = random.Random(6)
    for _ in range(batches):
        for _, finding in campaign.run([campaign.make(draw.randbytes(SIZE)) for _ in range(60)]):
            if finding is not None and " of stale translations" in finding.title and "no fence" not in finding.title:
                return finding.title
    return None


@pytest.mark.parametrize(
    ("stages", "name"), [(GUEST, "hinval.vvma"), (BOTH, "hinval.vvma"), (G_ALONE, "hinval.gvma"), (BOTH, "hinval.gvma")]
)
def test_fetches_and_hlv_of_a_user_show_a_fence_that_does_nothing_too(stages: Stages, name: str) -> None:
    profile, findings = attrs.evolve(PROFILE, guests_as_users=True), set[str]()
    campaign = StaleCampaign("the text", stages, profile, machine(last, lambda fence: fence.name == name))
    draw, made = random.Random(2), Counter[str]()
    for _ in range(4000):
        test = campaign.make(bytes(b * draw.randrange(2) for b in draw.randbytes(SIZE)))
        made.update(f"{access.made_by}, mpp {access.hart.mpp}" for access in test.tests)
        if any(each.fence and each.fence.name == name for each in test.rounds):
            ((_, finding),) = campaign.run([test])
            findings |= {finding.title} if finding else set()
            if findings:
                break
    assert any(name in title for title in findings)
    assert {each.partition(",")[0] for each in made} <= {"fetch", "hlv", "hsv"}
    assert not any("mpp 1" in each for each in made)


@pytest.fixture(scope="module")
def machine_of_qemu() -> Iterator[tuple[qemu.QemuRiscv, str, Profile]]:
    found = qemu.version()
    if found is None:
        pytest.skip("QEMU for RISC-V is not installed (Debian: apt-get install qemu-system-misc)")
    major, version = found
    with contextlib.closing(qemu.QemuRiscv(major)) as host:
        yield host, f"qemu-riscv64 {version}", profile_of(host, sets_flags=major < 9, guests_as_users=major < 9)


@pytest.mark.parametrize("stages", [GUEST, G_ALONE, BOTH], ids=lambda s: s.name)
def test_qemu_remembers_and_forgets_a_guest_s_translations_as_it_may(
    stages: Stages, machine_of_qemu: tuple[qemu.QemuRiscv, str, Profile]
) -> None:
    host, name, profile = machine_of_qemu
    campaign = StaleCampaign(name, stages, profile, functools.partial(stale_walks_on, host), 120)
    draw = random.Random(4)
    ended = campaign.run([campaign.make(draw.randbytes(SIZE)) for _ in range(360)])
    assert [title for title in {finding.title for _, finding in ended if finding} if known.explanation(name, title) is None] == []
    assert sum(outcome == "stale" for outcome, _ in ended) > 10


@pytest.mark.parametrize(("stages", "fence"), [(GUEST, "hinval.vvma"), (G_ALONE, "hinval.gvma"), (BOTH, "hfence.gvma")])
def test_qemu_without_a_fence_is_found_out(
    stages: Stages, fence: str, machine_of_qemu: tuple[qemu.QemuRiscv, str, Profile]
) -> None:
    host, name, profile = machine_of_qemu
    kinds = range(4 * FENCES.index(fence), 4 * FENCES.index(fence) + 4)

    class Without(RiscvHost):
        def run(self, script: bytes) -> tuple[bytes, bytes]:
            steps = [script[at : at + STEP] for at in range(0, len(script), STEP)]
            is_fence = [struct.unpack_from("<2Q", step) in [(Step.FENCE, kind) for kind in kinds] for step in steps]
            look = struct.pack("<2Q", Step.LOOK, BASE)
            return host.run(b"".join(look + step[16:] if gone else step for step, gone in zip(steps, is_fence, strict=True)))

        def close(self) -> None:
            """It is not ours."""

    found = first_of(StaleCampaign(name, stages, profile, functools.partial(stale_walks_on, Without())))
    assert found is not None and fence in found
