"""Guest walks made by the agent: a test as steps of a script, and what the results say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from refmodel.machine.guest_walk import Access, Cpu
from refmodel.machine.words import FRAME
from refmodel.oracle.agent.host import AgentHost
from refmodel.oracle.agent.image import LOAD, STORE, STORED, SUPERVISOR_STUB, TABLES, USER_STUB, WINDOW, slot, told
from refmodel.oracle.agent.script import Results, Script, Step
from refmodel.oracle.outcomes import Observed, Outcome
from refmodel.oracle.stale_tests import StaleTest, invalidated, places
from refmodel.oracle.walk_tests import WalkTest, level_at

CR0, CR0_WP = 0x80000033, 0x10000
CR4_PAE, CR4_PGE, CR4_LA57, CR4_SMEP, CR4_SMAP, CR4_PKE = 0x20, 0x80, 0x1000, 0x100000, 0x200000, 0x400000
EFER_LME_LMA, EFER_NXE, EFER_SVME = 0x500, 0x800, 0x1000
AC = 1 << 18


def control_registers(cpu: Cpu, global_pages: bool = False) -> tuple[int, int, int]:
    """CR0, CR4 and EFER."""
    bits = ((cpu.levels == 5, CR4_LA57), (cpu.smep, CR4_SMEP), (cpu.smap, CR4_SMAP), (cpu.pke, CR4_PKE), (global_pages, CR4_PGE))
    cr4 = CR4_PAE | sum(bit for on, bit in bits if on)
    return CR0 | (CR0_WP if cpu.wp else 0), cr4, EFER_LME_LMA | (EFER_NXE if cpu.nxe else 0)


Places = tuple[tuple[int, int], ...]
"""Physical addresses that an access may have stored to, each with the number of the step that told what lay there."""


@attrs.frozen
class _Access:
    """An access in a script: under which numbers its result is found, and what lay wherever it may have stored to."""

    number: int
    access: Access
    places: Places

    def outcome(self, results: Results) -> Outcome:
        vector, code, cr2, rax = results[self.number]
        if vector == 14:
            return Outcome("#PF", code, cr2)
        if vector == 13:
            return Outcome("#GP", code)
        if vector != 6:
            return Outcome(f"exception {vector}", code)
        return completed(self.access, rax, self.places, results)


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
    lowest = max(test.entries)
    size = 1 << (3 + 9 * level_at(lowest))
    place = test.entries[lowest] & FRAME & ~(size - 1) | test.gva & (size - 1)
    return [place] if WINDOW.start <= place < WINDOW.stop + 0x1000 else []


def set_up(script: Script, cpu: Cpu, entries: Mapping[int, int], global_pages: bool = False) -> None:
    """Write the entries and set the registers; every translation that is not global is forgotten."""
    for address, entry in entries.items():
        script.add(Step.STORE, address, entry)
    script.add(Step.CONTROL, *control_registers(cpu, global_pages))
    if cpu.pke:
        script.add(Step.KEYS, cpu.pkru)
    script.add(Step.RELOAD, TABLES[cpu.levels])


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
    numbers = []
    for test in tests:
        set_up(script, test.cpu, test.before, test.global_page)
        add_access(host, script, test.first, test.gva, places(test))
        for address, entry in test.edits:
            script.add(Step.STORE, address, entry)
        if test.invalidation == "MOV CR3":
            script.add(Step.RELOAD, TABLES[test.cpu.levels])
        elif test.invalidation.startswith("MOV CR4"):
            script.add(Step.CONTROL, *control_registers(test.cpu, not test.global_page))
            script.add(Step.CONTROL, *control_registers(test.cpu, test.global_page))
        elif test.invalidation != "none":
            script.add(Step.FLUSH, invalidated(test))
        access = add_access(host, script, test.second, test.gva, places(test))
        script.add(Step.CONTROL, *control_registers(test.cpu))  # global translations go too
        numbers.append((access, take_down(script, test.before)))
    return _observed(host, script, numbers)


def _observed(host: AgentHost, script: Script, numbers: Iterable[tuple[_Access, Mapping[int, int]]]) -> list[Observed]:
    results = host.perform(script)
    return [Observed(access.outcome(results), {a: results[n][0] for a, n in entries.items()}) for access, entries in numbers]
