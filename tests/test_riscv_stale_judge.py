"""The judge of RISC-V's staleness: what the envelope allows is let pass, and a machine that ignores a fence is found out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import attrs
import pytest

from refmodel.machine.riscv.hart import g_stage, vs_stage
from refmodel.machine.riscv.staleness import Remembered, Space, Tables
from refmodel.machine.riscv.words import A
from refmodel.machine.words import Marked
from refmodel.oracle.judging import Verdict, judge
from refmodel.oracle.riscv import stale_tests
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome
from refmodel.oracle.riscv.stale_campaign import StaleCampaign
from refmodel.oracle.riscv.stale_tests import ASID, SIZE, VMID, Envelope, Fence, StaleTest, make_stale
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


def machine(choice: Choice, ignores: Callable[[Fence], bool] = lambda fence: False,
            spoil: Callable[[Lawful], Lawful] = lambda way: way) -> Callable[[Sequence[StaleTest]], list[list[Observed]]]:
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
def test_what_may_be_remembered_deviates_nowhere(stages: Stages, choice: Choice) -> None:
    verdict = judged(stages, machine(choice))
    assert verdict.deviations == () and verdict.outcomes["as memory is"] > 0
    assert (verdict.outcomes.get("stale", 0) > 0) == (choice is last)


@pytest.mark.parametrize(("stages", "name", "address"), [
    (stages, name, address) for stages, name in ((ONE, "sfence.vma"), (GUEST, "hfence.vvma"), (BOTH, "hfence.vvma"),
                                                 (G_ALONE, "hfence.gvma"), (BOTH, "hfence.gvma"), (ONE, "sinval.vma"),
                                                 (GUEST, "hinval.vvma"), (G_ALONE, "hinval.gvma")) for address in (False, True)])
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


@pytest.mark.parametrize(("stages", "fence"), [
    (ONE, Fence("sfence.vma", None, ASID + 1)), (BOTH, Fence("hfence.gvma", None, VMID + 1)), (BOTH, Fence("sfence.vma")),
    (GUEST, Fence("hfence.vvma", None, ASID + 1)), (ONE, Fence("sinval.vma", None, ASID + 1)),
    (G_ALONE, Fence("hinval.gvma", None, VMID + 1))], ids=str)
def test_fences_of_others_may_be_ignored(stages: Stages, fence: Fence) -> None:
    assert judged(stages, machine(last, lambda f: f == fence)).deviations == ()


def test_a_machine_that_sets_no_accessed_flag_is_found_out() -> None:
    found = judged(ONE, machine(first, spoil=lambda way: attrs.evolve(way, must={at: f & ~A for at, f in way.must.items()})))
    assert any("outside the envelope" in each.finding.title for each in found.deviations)


def test_an_access_that_goes_astray_at_first_is_found_out() -> None:
    found = judged(BOTH, machine(first, spoil=lambda way: way if way.outcome.physical is None else attrs.evolve(
        way, outcome=Outcome(physical=way.outcome.physical ^ 0x1000))))
    assert [each.finding.title for each in found.deviations] == ["completed at first, outside the envelope of stale translations"]


def test_an_edited_entry_that_is_overwritten_is_a_class_of_its_own() -> None:
    """What Spike does: D is set in the entry that is remembered, and that is written."""
    def forgetful(tests: Sequence[StaleTest]) -> list[list[Observed]]:
        return [[*seen[:-1], attrs.evolve(seen[-1], entries={**seen[-1].entries, test.place: test.start.entries[test.place]})]
                for test, seen in zip(tests, machine(first)(tests), strict=True)]

    found = judged(ONE, forgetful).deviations
    assert "an edited entry is overwritten where a flag is to be set in it" in {each.finding.title for each in found}


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
