"""Guest walks made by the agent: a test as steps of a script, and what the results say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.words import FRAME, PS
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import (
    CR4_LA57,
    CR4_PAE,
    EFER_LMA,
    EFER_LME,
    EFER_NXE,
    LOAD,
    STORE,
    STORED,
    SUPERVISOR_STUB,
    TABLES,
    USER_STUB,
    WINDOW,
    slot,
    told,
)
from refmodel.oracle.x86.agent.script import Results, Script, Step
from refmodel.oracle.x86.outcomes import Observed, Outcome
from refmodel.oracle.x86.stale_tests import Invlpg, Invpcid, LoadCr3, Operation, StaleTest, TogglePge, faults, places
from refmodel.oracle.x86.walk_tests import Profile, WalkTest

CR0, CR0_WP = 0x80000033, 0x10000
CR4_PGE, CR4_PCIDE, CR4_SMEP, CR4_SMAP, CR4_PKE = 0x80, 0x20000, 0x100000, 0x200000, 0x400000
EFER_SVME = 0x1000
AC = 1 << 18


CR3_KEEP = 1 << 63
"""Of the source of MOV to CR3, with CR4.PCIDE: what is cached is kept (SDM Vol. 3A 4.10.4.1)."""


def control_registers(cpu: Cpu, global_pages: bool = False, pcids: bool = False) -> tuple[int, int, int]:
    """CR0, CR4 and EFER."""
    bits = (
        (cpu.levels == 5, CR4_LA57),
        (cpu.smep, CR4_SMEP),
        (cpu.smap, CR4_SMAP),
        (cpu.pke, CR4_PKE),
        (global_pages, CR4_PGE),
        (pcids, CR4_PCIDE),
    )
    cr4 = CR4_PAE | sum(bit for on, bit in bits if on)
    return CR0 | (CR0_WP if cpu.wp else 0), cr4, EFER_LME | EFER_LMA | (EFER_NXE if cpu.nxe else 0)


Places = tuple[tuple[int, int], ...]
"""Physical addresses that an access may have stored to, each with the number of the step that told what lay there."""


@attrs.frozen
class _Access:
    """An access in a script: under which numbers its result is found, and what lay wherever it may have stored to."""

    number: int
    access: Access
    places: Places

    def outcome(self, results: Results) -> Outcome:
        return ended(results[self.number], lambda rax: completed(self.access, rax, self.places, results))


def ended(result: tuple[int, int, int, int], through: Callable[[int], Outcome]) -> Outcome:
    """How an access ended. ``through``: what came of one that was let through, given RAX."""
    vector, code, cr2, rax = result
    if vector == 14:
        return Outcome("#PF", code, cr2)
    if vector == 13:
        return Outcome("#GP", code)
    return through(rax) if vector == 6 else Outcome(f"exception {vector}", code)


def completed(access: Access, rax: int, places: Places, results: Results) -> Outcome:
    """An access that was let through, and where it went; 0 if nobody knows."""
    if not access.write:
        return Outcome("completed", 0, told(rax, access.fetch) or 0)
    return Outcome("completed", 0, next((p for p, n in places if results[n][0] == STORED), 0))


def put_back(host: AgentHost, script: Script, access: Access, places: Iterable[int]) -> Places:
    """Put back what a store may have overwritten: all the places it may go to are given."""
    return tuple((p, script.add(Step.EXCHANGE, p, slot(p, host.image.trap))) for p in (places if access.write else ()))


def add_access(host: AgentHost, script: Script, access: Access, gva: int, places: Iterable[int]) -> _Access:
    """Make an access, and put back what a store may have overwritten: all the places it may go to are given."""
    stub = host.image.at(USER_STUB if access.user else SUPERVISOR_STUB)
    to = gva if access.fetch else stub + (STORE if access.write else LOAD)
    number = script.add(Step.ACCESS, gva, to, (AC if access.ac else 0) | access.user)
    return _Access(number, access, put_back(host, script, access, places))


def destination(test: WalkTest) -> list[int]:
    """Where the entries of a test lead, whether or not the access is let through, if that is among the data."""
    table = test.cpu.cr3 & FRAME
    for level in range(test.cpu.levels, 0, -1):
        shift = 3 + 9 * level
        entry = test.entries.get(table | (test.gva >> shift & 0x1FF) << 3, 0)
        table = entry & FRAME
        if level == 1 or (level < 4 and entry & PS):
            break
    place = table & ~((1 << shift) - 1) | test.gva & ((1 << shift) - 1)
    return [place] if WINDOW.start <= place < WINDOW.stop + 0x1000 else []


def set_up(script: Script, cpu: Cpu, entries: Mapping[int, int]) -> None:
    """Write the entries and set the registers; every translation that is not global is forgotten."""
    for address, entry in entries.items():
        script.add(Step.STORE, address, entry)
    script.add(Step.CONTROL, *control_registers(cpu))
    if cpu.pke:
        script.add(Step.KEYS, cpu.pkru)
    script.add(Step.RELOAD, cpu.cr3)


def take_down(script: Script, entries: Mapping[int, int]) -> dict[int, int]:
    """Clear the entries: under which number each one's last state is found."""
    return {address: script.add(Step.EXCHANGE, address, 0) for address in entries}


def walks_on(host: AgentHost, tests: Sequence[WalkTest]) -> list[Observed]:
    """Perform walk tests."""
    script = Script()
    numbers = []
    for test in tests:
        set_up(script, test.cpu, test.entries)
        access = add_access(host, script, test.access, test.gva, destination(test))
        numbers.append((access, take_down(script, test.entries)))
    return _observed(host, script, numbers)


def stale_walks_on(host: AgentHost, tests: Sequence[StaleTest]) -> list[Observed]:
    """Perform tests of staleness."""
    script = Script()
    numbers, faulting = [], []
    for test in tests:
        set_up(script, test.cpu, test.before)
        if test.global_page or test.pcids:
            script.add(Step.CONTROL, *control_registers(test.cpu, test.global_page, test.pcids))
            script.add(Step.RELOAD, TABLES[test.cpu.levels] | test.pcid)
        add_access(host, script, test.first, test.gva, places(test))
        for address, entry in test.edits:
            script.add(Step.STORE, address, entry)
        steps = [(step, faults(operation, test)) for operation in test.invalidation for step in _steps(script, operation, test)]
        access = add_access(host, script, test.second, test.gva, places(test))
        script.add(Step.CONTROL, *control_registers(test.cpu))  # global translations go too
        script.add(Step.RELOAD, TABLES[test.cpu.levels])
        numbers.append((access, take_down(script, test.before)))
        faulting.append(steps)
    results = host.perform(script)
    return [_refused(results, steps) or observed for observed, steps in zip(_read(results, numbers), faulting, strict=True)]


def _steps(script: Script, operation: Operation, test: StaleTest) -> Sequence[int]:
    """An operation in a script, and the numbers of the steps that may fault."""
    if isinstance(operation, Invlpg):
        return [script.add(Step.FLUSH, operation.gva)]
    if isinstance(operation, LoadCr3):
        script.add(Step.RELOAD, TABLES[test.cpu.levels] | operation.pcid | (CR3_KEEP if operation.keep else 0))
        return []
    if isinstance(operation, Invpcid):
        return [script.add(Step.INVPCID, operation.kind, operation.pcid, operation.gva)]
    changed = (
        (test.cpu, not test.global_page)
        if isinstance(operation, TogglePge)
        else (attrs.evolve(test.cpu, smep=True), test.global_page)
    )
    for cpu, global_pages in (changed, (test.cpu, test.global_page)):
        script.add(Step.CONTROL, *control_registers(cpu, global_pages, test.pcids))
    return []


def _refused(results: Results, steps: Iterable[tuple[int, bool]]) -> Observed | None:
    """Something else than an access, if an invalidation faulted that must not, or did not that must."""
    for number, must in steps:
        if (results[number][0] == 13) != must or results[number][0] not in (0, 13):
            return Observed(Outcome("an invalidation that does not fault" if must else "an invalidation that faults"))
    return None


def with_pcids(host: AgentHost, profile: Profile) -> Profile:
    """The profile, with what the machine says that it has of PCIDs and INVPCID (SDM Vol. 2A, CPUID, leaves 1 and 7)."""
    script = Script()
    features, extended = script.add(Step.CPUID, 1), script.add(Step.CPUID, 7)
    results = host.perform(script)
    return attrs.evolve(profile, pcid=bool(results[features][2] >> 17 & 1), invpcid=bool(results[extended][1] >> 10 & 1))


def _observed(host: AgentHost, script: Script, numbers: Iterable[tuple[_Access, Mapping[int, int]]]) -> list[Observed]:
    return _read(host.perform(script), numbers)


def _read(results: Results, numbers: Iterable[tuple[_Access, Mapping[int, int]]]) -> list[Observed]:
    return [Observed(access.outcome(results), {a: results[n][0] for a, n in entries.items()}) for access, entries in numbers]
