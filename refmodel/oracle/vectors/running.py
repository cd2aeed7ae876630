"""Vectors carried out by real MMUs: those that an implementation's machine can be set up for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs

from refmodel.language import BadDesign
from refmodel.machine.x86.ept_walk import Ept
from refmodel.machine.x86.guest_walk import Cpu
from refmodel.machine.x86.legacy_walk import Cpu32, CpuPae, malformed
from refmodel.machine.x86.words import FRAME, P, lacking
from refmodel.oracle.judging import Campaign, Deviation, Finding, Verdict
from refmodel.oracle.riscv import vectors as riscv
from refmodel.oracle.riscv.walk_campaign import RiscvCampaign
from refmodel.oracle.vectors import files, manifest, walks
from refmodel.oracle.x86 import legacy_loads, nested_campaign, walk_campaign
from refmodel.oracle.x86.agent.image import MEMORY, TABLES, WINDOW
from refmodel.oracle.x86.agent.legacy_image import DIRECTORY, HIGH, KEPT, PDPT
from refmodel.oracle.x86.legacy_loads import LoadCampaign
from refmodel.oracle.x86.legacy_tests import LegacyCampaign, LegacyTest, LoadTest
from refmodel.oracle.x86.nested_campaign import NestedCampaign
from refmodel.oracle.x86.nested_tests import GUEST_TABLES, NestedTest
from refmodel.oracle.x86.outcomes import Lawful, Observed
from refmodel.oracle.x86.walk_campaign import WalkCampaign
from refmodel.oracle.x86.walk_tests import Profile, WalkTest

BATCH = 24
RunnableTest = WalkTest | NestedTest | LegacyTest | LoadTest
Runnable = WalkCampaign | NestedCampaign | LegacyCampaign | LoadCampaign


def run(campaign: Campaign, folder: Path) -> Verdict | None:
    """Have an implementation carry out the vectors that are about this subject; None if there are none."""
    if isinstance(campaign, WalkCampaign):
        return _run(campaign, folder / f"guest-{campaign.profile.levels}.jsonl")
    if isinstance(campaign, NestedCampaign):
        return _run(campaign, folder / f"nested-{'npt' if campaign.ept is None else 'ept'}.jsonl")
    if isinstance(campaign, LegacyCampaign | LoadCampaign):
        return _run(campaign, folder / f"guest-{'pae' if campaign.profile.pae else '32'}.jsonl")
    if isinstance(campaign, RiscvCampaign) and not riscv.has_none(folder, campaign.stages):
        return riscv.run(campaign, folder)
    return None


def _run(campaign: Runnable, file: Path) -> Verdict:
    if not file.is_file():
        raise BadDesign(f"{file}: no such file; refmodel vectors --out {file.parent} makes it")
    manifest.check(file.parent)
    seen: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    first: dict[str, Deviation] = {}
    busy, ran = 0.0, 0
    for batch in files.batches(_runnable(campaign, file), BATCH):
        began = time.perf_counter()
        observed = campaign.perform([test for test, _ in batch])
        busy += time.perf_counter() - began
        for (test, ways), one in zip(batch, observed, strict=True):
            ran += 1
            outcomes[one.outcome.kind] += 1
            finding = _finding(campaign, test, one, ways)
            if finding is not None:
                seen[finding.title] += 1
                first.setdefault(finding.title, Deviation(finding, test))
    return Verdict(
        campaign.implementation, f"vectors of {campaign.subject}", ran, busy, tuple(first.values()), dict(seen), dict(outcomes)
    )


def _finding(campaign: Runnable, test: RunnableTest, observed: Observed, ways: list[Lawful]) -> Finding | None:
    if isinstance(test, WalkTest):
        return walk_campaign.compare(test, observed, ways)
    if isinstance(test, LegacyTest):
        assert isinstance(campaign, LegacyCampaign)
        return campaign.compare(test, observed, ways)
    if isinstance(test, LoadTest):
        return legacy_loads.compare(test, observed, ways)
    return nested_campaign.compare(test, observed, ways)


def _runnable(campaign: Runnable, file: Path) -> Iterator[tuple[RunnableTest, list[Lawful]]]:
    for _, test, ways in files.read(file):
        assert isinstance(test, RunnableTest)
        if isinstance(test, LoadTest) != isinstance(campaign, LoadCampaign):
            continue
        here = (
            _set_up_load(test, campaign)
            if isinstance(test, LoadTest)
            else (_set_up_legacy(test, campaign) if isinstance(test, LegacyTest) else _set_up(test, campaign))
        )
        if here is not None and walks.due(here) == ways:
            yield here, ways


def _set_up_legacy(test: LegacyTest, campaign: Runnable) -> LegacyTest | None:
    """The test on a processor like the implementation's; None if its machine cannot be set up for it."""
    assert isinstance(campaign, LegacyCampaign)
    profile, cpu = campaign.profile, test.cpu
    beyond = lacking(profile.physical_bits)
    if isinstance(cpu, Cpu32):
        here = attrs.evolve(test, cpu=attrs.evolve(cpu, beyond=beyond, pse36=profile.pse36))
        root, loadable = cpu.cr3 & ~0xFFF, True
    else:
        here = attrs.evolve(test, cpu=attrs.evolve(cpu, beyond=beyond))
        root = test.cr3 & ~0x1F
        loadable = not any(malformed(pdpte, beyond, True) for pdpte in (cpu.pdpte0, cpu.pdpte1, cpu.pdpte2))
    possible = (
        root == (PDPT if test.pae else DIRECTORY)
        and loadable
        and all(at < WINDOW.start for at in test.entries)
        and (profile.smep_smap or not (cpu.smep or cpu.smap))
        and (profile.nxe or not isinstance(cpu, CpuPae) or cpu.nxe)
        and test.gva >> 30 < KEPT
        and not test.access.implicit
        and (test.gva or not test.access.fetch)
    )
    return here if possible and _reaches(here, campaign) else None


def _set_up_load(test: LoadTest, campaign: Runnable) -> LoadTest | None:
    """The test on a processor like the implementation's; None if a PDPTE leads to the agent's pages. The last is the agent's."""
    assert isinstance(campaign, LoadCampaign)
    entries = {at: pdpte for at, pdpte in test.entries.items() if at != PDPT + 8 * KEPT}
    cpu = attrs.evolve(test.cpu, beyond=lacking(campaign.profile.physical_bits))
    leads = all(pdpte & FRAME & ~cpu.beyond & ~0x3000 == DIRECTORY for pdpte in entries.values())
    return LoadTest(entries, cpu, test.cr3) if test.cr3 == PDPT and leads else None


def _reaches(test: LegacyTest, campaign: LegacyCampaign) -> bool:
    """Whether it is seen where an access goes that completes."""
    ends = [way.outcome.address for way in walks.due(test) if way.outcome.kind == "completed"]
    return all(
        at & ~0xFFF in WINDOW or (campaign.anywhere and at >= MEMORY) or (not test.pae and at & ~(MEMORY - 1) in HIGH)
        for at in ends
    )


def _set_up(test: WalkTest | NestedTest, campaign: Runnable) -> WalkTest | NestedTest | None:
    """The test on a processor like the implementation's; None if its machine cannot be set up for it."""
    assert isinstance(campaign, WalkCampaign | NestedCampaign)
    profile = campaign.profile
    cpu = _like(test.cpu, profile)
    possible = (
        bool(test.entries)
        and not test.access.implicit
        and _in_place(test)
        and (profile.smep_smap or not (cpu.smep or cpu.smap))
        and (profile.nxe_off or cpu.nxe)
        and (profile.pke or not cpu.pke)
        and (profile.upper_user or not (test.access.user and test.gva >> 63))
        and (profile.fetch_at_zero or test.gva or not test.access.fetch)
        and test.gva >> (3 + 9 * cpu.levels) & 0x1FF != profile.agent_slot
    )
    if isinstance(test, NestedTest):
        test = attrs.evolve(test, cpu=cpu, second=_second(test, campaign))
        canonical = test.gva >> 47 in (0, 0x1FFFF)
        return test if possible and canonical and not test.gva >> 47 and not cpu.pke and _stays(test, WINDOW) else None
    test = attrs.evolve(test, cpu=cpu)
    laid_out = all(
        entry & FRAME in TABLES.values() or entry & FRAME in WINDOW or not entry & P or not entry & FRAME or entry & cpu.beyond
        for entry in test.entries.values()
    )
    return test if possible and laid_out and _stays(test, WINDOW) else None


def _like(cpu: Cpu, profile: Profile) -> Cpu:
    return attrs.evolve(cpu, amd=profile.amd, gigabyte_pages=profile.gigabyte_pages, beyond=lacking(profile.physical_bits))


def _second(test: NestedTest, campaign: Runnable) -> Ept | Cpu:
    assert isinstance(campaign, NestedCampaign)
    if isinstance(test.second, Cpu):
        return _like(test.second, campaign.profile)
    assert campaign.ept is not None
    return campaign.ept


def _in_place(test: WalkTest | NestedTest) -> bool:
    """Whether the tables are where the machine has them."""
    root = TABLES[test.cpu.levels] if isinstance(test, WalkTest) else GUEST_TABLES + TABLES[test.cpu.levels]
    return test.cpu.cr3 & FRAME == root and all(at < WINDOW.start for at in test.entries)


def _stays(test: RunnableTest, window: range) -> bool:
    """Whether an access that completes reaches a page that the test may use."""
    return all(way.outcome.address & ~0xFFF in window for way in walks.due(test) if way.outcome.kind == "completed")
