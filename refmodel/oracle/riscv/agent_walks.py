"""Walk tests as scripts for the agent on RISC-V, and what its results say."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.machine.riscv.hart import Hart, Instruction, Trap
from refmodel.oracle.judging import Lost
from refmodel.oracle.riscv.host import ADUE, PBMTE, RiscvHost
from refmodel.oracle.riscv.layout import STORED, WINDOW, fetched, slot, told
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome, due
from refmodel.oracle.riscv.script import Results, Script, Step
from refmodel.oracle.riscv.stale_tests import StaleTest, places_of
from refmodel.oracle.riscv.walk_tests import WalkTest

KINDS = (
    Instruction.LOAD,
    Instruction.STORE,
    Instruction.FETCH,
    Instruction.AMO,
    Instruction.HLV,
    Instruction.HSV,
    Instruction.HLVX,
)
"""In the order of the agent's kinds of access."""
WRITES = (Instruction.STORE, Instruction.AMO, Instruction.HSV)
MPRV, MPV, SUM, MXR, MPP = 1 << 17, 1 << 39, 1 << 18, 1 << 19, 11
"""Of mstatus."""
NO_TRAP, NO_TRAP_32 = (1 << 64) - 1, (1 << 32) - 1
ECALLS = range(8, 12)
"""Environment calls from U- or VU-mode, S-mode, VS-mode and M-mode: what a fetched slot ends in."""


@attrs.frozen
class Numbers:
    """The steps of a script in which the results of a test are found."""

    tables: int
    status: int
    access: int
    stored: int | None
    entries: dict[int, int]


def walks_on(host: RiscvHost, tests: Sequence[WalkTest]) -> list[tuple[Lawful, Observed]]:
    """Have the agent make these accesses: what is due of each, and what came of it."""
    ways = [due({**test.fixed, **test.entries}, test.hart, test.instruction, test.address) for test in tests]
    script, noted = scripted(tests, ways)
    results = host.perform(script)
    return [(way, observed(test, way, numbers, results)) for test, way, numbers in zip(tests, ways, noted, strict=True)]


def scripted(tests: Sequence[WalkTest], ways: Sequence[Lawful]) -> tuple[Script, list[Numbers]]:
    """The script that carries out these tests, of which so much is due; and under which numbers their results are."""
    script, noted = Script(), []
    written: dict[int, int] = {}
    for test, way in zip(tests, ways, strict=True):
        for at, entry in test.fixed.items():
            if written.get(at) != entry:
                written[at] = entry
                script.add(Step.STORE, at, entry)
        noted.append(add_test(script, test, way))
    for at in written:
        script.add(Step.STORE, at, 0)
    return script, noted


def add_test(script: Script, test: WalkTest, way: Lawful) -> Numbers:
    """The steps of one test, which leave memory as it was."""
    hart = test.hart
    for place, entry in test.entries.items():
        script.add(Step.STORE, place, entry)
    tables = script.add(Step.TABLES, hart.satp, hart.vsatp, hart.hgatp)
    status = script.add(Step.STATUS, *status_of(hart))
    access = script.add(Step.ACCESS, test.address, KINDS.index(test.instruction), mstatus_of(hart, test.instruction))
    at = way.outcome.physical
    stored = None
    if at is not None and test.instruction in WRITES and at & ~0xFFF in WINDOW:
        stored = script.add(Step.EXCHANGE, at, slot(at))
    entries = {entry: script.add(Step.EXCHANGE, entry, 0) for entry in test.entries}
    return Numbers(tables, status, access, stored, entries)


def status_of(hart: Hart) -> tuple[int, int, int]:
    """vsstatus, menvcfg and henvcfg."""

    def environment(adue: bool, pbmte: bool) -> int:
        return (ADUE if adue else 0) | (PBMTE if pbmte else 0)

    return (
        (SUM if hart.vs_sum else 0) | (MXR if hart.vs_mxr else 0),
        environment(hart.adue, hart.pbmte),
        environment(hart.vs_adue, hart.vs_pbmte),
    )


def mstatus_of(hart: Hart, instruction: Instruction) -> int:
    """The bits of mstatus that the access is made with. A fetch is an mret to the mode in MPP, which leaves U-mode there."""
    privilege = hart.privilege if instruction is Instruction.FETCH else hart.mpp
    virtual = hart.virtual if instruction is Instruction.FETCH else hart.mpv
    return (
        privilege << MPP
        | (MPRV if hart.mprv else 0)
        | (MPV if virtual else 0)
        | (SUM if hart.sum else 0)
        | (MXR if hart.mxr else 0)
    )


def observed(test: WalkTest, way: Lawful, numbers: Numbers, results: Results) -> Observed:
    """What the results say of a test."""
    hart = test.hart
    if results[numbers.tables][:3] != (hart.satp, hart.vsatp, hart.hgatp):
        raise Lost(f"the machine does not take the registers of {test.stages.name}")
    stored = numbers.stored is not None and results[numbers.stored][0] == STORED
    outcome = ended(test.instruction, results[numbers.access], way.outcome.physical if stored else None)
    return Observed(outcome, {at: results[number][0] for at, number in numbers.entries.items()})


def ended(instruction: Instruction, result: tuple[int, int, int, int], stored: int | None) -> Outcome:
    """How the access ended. Where a store went is seen only at the places that are looked at: ``stored``, or None."""
    first, second, tval2, tinst = result
    cause = first & 0xFF
    if first not in (NO_TRAP, NO_TRAP_32) and cause not in ECALLS:
        return Outcome(trap=Trap(cause, second, tval2, tinst, first & 0x100 != 0))
    if instruction is Instruction.FETCH:
        return Outcome(physical=fetched(second))
    if instruction in WRITES:
        return Outcome(physical=stored)
    return Outcome(physical=told(second))


# ---------------------------------------------------------------- staleness


@attrs.frozen
class _Steps:
    """The steps of a script in which the results of one access are found."""

    access: int
    stored: dict[int, int]
    """By the places that a store may go to."""
    entries: dict[int, int]


def stale_walks_on(host: RiscvHost, tests: Sequence[StaleTest]) -> list[list[Observed]]:
    """Have the agent carry out tests of staleness: what came of each access of each."""
    script = Script()
    noted = [_add_stale(script, test) for test in tests]
    results = host.perform(script)
    found = []
    for test, (tables, steps) in zip(tests, noted, strict=True):
        hart = test.start.hart
        if results[tables][:3] != (hart.satp, hart.vsatp, hart.hgatp):
            raise Lost(f"the machine does not take the registers of {test.start.stages.name}")
        found.append([_seen(access, each, results) for access, each in zip(test.tests, steps, strict=True)])
    return found


def _add_stale(script: Script, test: StaleTest) -> tuple[int, list[_Steps]]:
    """The steps of one test, which leave the tables empty. Loading the status registers forgets what was before."""
    start, steps = test.start, []
    for at, entry in {**start.fixed, **start.entries}.items():
        script.add(Step.STORE, at, entry)
    tables = script.add(Step.TABLES, start.hart.satp, start.hart.vsatp, start.hart.hgatp)
    script.add(Step.STATUS, *status_of(start.hart))
    places = places_of(test)
    for number, access in enumerate(test.tests):
        if number:
            made = test.rounds[number - 1]
            script.add(Step.STORE, test.place, made.entry)
            if made.fence is not None:
                script.add(Step.FENCE, made.fence.kind, made.fence.address or 0, made.fence.identifier or 0)
        step = script.add(Step.ACCESS, start.address, KINDS.index(access.instruction), mstatus_of(access.hart, access.instruction))
        stored = {at: script.add(Step.EXCHANGE, at, slot(at)) for at in places if access.instruction in WRITES}
        steps.append(_Steps(step, stored, {at: script.add(Step.LOOK, at) for at in start.entries}))
    for at in (*start.fixed, *start.entries):
        script.add(Step.STORE, at, 0)
    return tables, steps


def _seen(access: WalkTest, steps: _Steps, results: Results) -> Observed:
    stored = next((at for at, number in steps.stored.items() if results[number][0] == STORED), None)
    outcome = ended(access.instruction, results[steps.access], stored)
    return Observed(outcome, {at: results[number][0] for at, number in steps.entries.items()})
