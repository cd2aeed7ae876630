"""Tests of MOV to CR3 with PAE paging, drawn as bytes: whether it loads the PDPTE registers or gives #GP.

As in ``walk_tests``, a byte of zero is the plainest choice everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from refmodel.machine.x86.legacy_walk import PDPTE_RESERVED, CpuPae
from refmodel.machine.x86.words import FRAME, P, lacking
from refmodel.oracle.drawing import Draw
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import CR4_PAE
from refmodel.oracle.x86.agent.legacy_image import DIRECTORY, KEPT, PDPT
from refmodel.oracle.x86.agent.script import Script, Step
from refmodel.oracle.x86.agent_walks import CR0, CR0_WP
from refmodel.oracle.x86.legacy_tests import PDPTE_REGISTERS, LegacyProfile, LoadTest, due_of_load
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome, judged

SIZE = 2 * KEPT
"""Bytes that a test is made of."""
RULES = (
    (0b11 << 1, "bits 2:1"),
    (0b1111 << 5, "bits 8:5"),
    (FRAME, "address bits above MAXPHYADDR"),
    (PDPTE_RESERVED, "bits 63:52"),
)
"""The reserved bits of a PDPTE (SDM Vol. 3A table 4-8)."""


def make(data: bytes, profile: LegacyProfile) -> LoadTest:
    """The test that these bytes stand for: PDPTEs, of which one bit may be changed.

    All lead to pages that the agent does not use, since a monitor may shadow what they lead to.
    """
    draw, entries = Draw(data), dict[int, int]()
    bits = [*range(1, 14), *range(profile.physical_bits, 64)]
    for number in range(KEPT):
        plain, odd = draw.byte(), draw.byte()
        pdpte = DIRECTORY | (0 if plain % 4 == 3 else P)
        entries[PDPT + 8 * number] = pdpte if odd < 128 else pdpte ^ 1 << bits[odd % len(bits)]
    return LoadTest(entries, CpuPae(0, 0, 0, 0, beyond=lacking(profile.physical_bits)), PDPT)


def loads_on(host: AgentHost, tests: Sequence[LoadTest]) -> list[Observed]:
    """Perform tests. The last PDPTE stays the agent's own."""
    script, numbers = Script(), []
    script.add(Step.CONTROL, CR0 | CR0_WP, CR4_PAE, 0)
    for test in tests:
        for address, entry in test.entries.items():
            for half in (0, 4):
                script.add(Step.STORE, address + half, entry >> 8 * half & 0xFFFFFFFF)
        load = script.add(Step.RELOAD, test.cr3, may_fault=True)
        numbers.append(
            (load, {address: [script.add(Step.EXCHANGE, address + half, 0) for half in (0, 4)] for address in test.entries})
        )
    script.add(Step.RELOAD, PDPT)
    results = host.perform(script)
    return [
        Observed(
            Outcome("#GP", results[load][1])
            if results[load][0] == 13
            else Outcome("completed")
            if not results[load][0]
            else Outcome(f"exception {results[load][0]}"),
            {a: results[low][0] | results[high][0] << 32 for a, (low, high) in entries.items()},
        )
        for load, entries in numbers
    ]


def compare(test: LoadTest, observed: Observed, ways: list[Lawful] | None = None) -> Finding | None:
    """None if the manual (or these ways, if they are given) allows what was observed."""

    def of_outcome(expected: Outcome, got: Outcome) -> Finding:
        code = f", error code {got.code:#x}" if got.kind == expected.kind else ""
        title = f"MOV to CR3 {_ends(got)}{code} where it {_is_due(expected)}: {_reserved(test)} of a PDPTE"
        return Finding(title, PDPTE_REGISTERS, _ends(expected), _ends(got))

    def of_flags(way: Lawful, address: int, wrong: int, entry: int) -> Finding:
        return Finding("MOV to CR3 changes a PDPTE in memory", PDPTE_REGISTERS, f"{entry:#x}", f"{observed.entries[address]:#x}")

    return judged(due_of_load(test) if ways is None else ways, test.entries, observed, of_outcome, of_flags)


def _ends(outcome: Outcome) -> str:
    return "gives #GP" if outcome.kind == "#GP" else "completes" if outcome.kind == "completed" else f"gives {outcome.kind}"


def _is_due(outcome: Outcome) -> str:
    return "must give #GP" if outcome.kind == "#GP" else "must complete"


def _reserved(test: LoadTest) -> str:
    """Which reserved bits are set in PDPTEs that are present, the lowest of them."""
    bits = 0
    for pdpte in test.entries.values():
        bits |= pdpte & (PDPTE_RESERVED | test.cpu.beyond) if pdpte & P else 0
    return next((name for mask, name in RULES if bits & mask), "no reserved bit")


@attrs.frozen
class LoadCampaign:
    """Tests of MOV to CR3 with PAE paging for one implementation."""

    implementation: str
    profile: LegacyProfile
    perform: Callable[[Sequence[LoadTest]], Sequence[Observed]]
    subject: str = "MOV to CR3 with PAE paging"
    size: int = SIZE
    slow: bool = False

    def make(self, data: bytes) -> LoadTest:
        return make(data, self.profile)

    def run(self, tests: Sequence[LoadTest]) -> Sequence[tuple[str, Finding | None]]:
        return [(observed.outcome.kind, compare(test, observed)) for test, observed in zip(tests, self.perform(tests), strict=True)]
