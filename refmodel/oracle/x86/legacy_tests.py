"""Tests of 32-bit paging and of PAE paging, drawn as bytes, what may come of each, and what is wrong with what came of it.

As in ``walk_tests``, a byte of zero is the plainest choice everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Late, Memory, Translation
from refmodel.machine.x86.guest_walk import RSVD, Access, walk
from refmodel.machine.x86.legacy_walk import PDPT as CR3_PDPT
from refmodel.machine.x86.legacy_walk import BadPdpte, Cpu32, CpuPae, load_pdptes, malformed, selected, walk_32, walk_pae
from refmodel.machine.x86.nested_walk import GuestWalk
from refmodel.machine.x86.words import NX, PS, RW, US, A, D, G, P, lacking
from refmodel.oracle.drawing import Draw
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.agent.image import TABLES, WINDOW
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome, judged, lawful
from refmodel.oracle.x86.walk_campaign import ERROR_CODE, FLAGS, cause, difference, end_of, words
from refmodel.oracle.x86.walk_tests import access_words, drawn_access, flag_names

SIZE = 16
"""Bytes that a test is made of."""
DIRECTORY, TABLE, PDPT = TABLES[2], TABLES[1], TABLES[3] + 0x20
"""Where the tables under test are. That of the PDPTEs begins at 32 bytes, not at a page."""
KEPT = 3
"""The PDPTE that machines under judgement keep for themselves, and the last quarter of the linear addresses."""
NO_REGISTERS = "a PDPTE that changed in memory after CR3 was loaded is used, PAE paging"
PDPTE_REGISTERS = 'SDM Vol. 3A 4.4.1, "PDPTE Registers"'
SECTION = 'SDM Vol. 3A 4.3 and 4.4, "32-Bit Paging" and "PAE Paging"'


@attrs.frozen
class LegacyTest:
    """A test of 32-bit paging or of PAE paging: the entries by address, 4 bytes each or 8 (all others are zero), the registers."""

    entries: dict[int, int]
    cpu: Cpu32 | CpuPae
    gva: int
    access: Access
    cr3: int = 0
    """With PAE paging, where the PDPTEs were loaded from. ``entries`` says what lies there now."""

    @property
    def pae(self) -> bool:
        return isinstance(self.cpu, CpuPae)

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield access_words(self.access, self.gva)
        yield registers_words(self.cpu)
        for address, entry in sorted(self.entries.items()):
            yield f"entry at {address:#x}: {entry:#x} = {flag_names(entry, _level_at(address))}"


@attrs.frozen
class LoadTest:
    """A test of MOV to CR3 with PAE paging: memory and the value that is loaded."""

    entries: dict[int, int]
    cpu: CpuPae
    cr3: int


def _level_at(address: int) -> int:
    return 1 if address & ~0xFFF == TABLE else 2


def registers_words(cpu: Cpu32 | CpuPae) -> str:
    common = f"CR0.WP={cpu.wp:d} CR4.SMEP={cpu.smep:d} CR4.SMAP={cpu.smap:d} MAXPHYADDR={52 - cpu.beyond.bit_count()}"
    if isinstance(cpu, Cpu32):
        return f"32-bit paging, CR3={cpu.cr3:#x} CR4.PSE={cpu.pse:d} PSE-36 {'' if cpu.pse36 else 'not '}supported, {common}"
    registers = " ".join(f"{getattr(cpu, f'pdpte{n}'):#x}" for n in range(4))
    return f"PAE paging, PDPTE registers {registers}, EFER.NXE={cpu.nxe:d}, {common}"


# ---------------------------------------------------------------- drawing


def make(data: bytes, pae: bool, physical_bits: int = 40) -> LegacyTest:
    """The test that these bytes stand for."""
    draw = Draw(data)
    large, access, switches = draw.byte() >= 160, drawn_access(draw), draw.byte()
    frame = WINDOW[draw.byte() % len(WINDOW)]
    upper, lower, pdpte = draw.byte() * 73, draw.byte() * 73, draw.byte()
    offset, beyond = draw.byte() * 8, lacking(physical_bits)
    offset = offset or 8 * access.fetch  # Unicorn takes an instruction at address 0 for the end of a run
    flags: dict[str, Any] = {"wp": not switches & 1, "smep": switches & 6 == 6, "smap": switches & 24 == 24, "beyond": beyond}
    per_table = 512 if pae else 1024
    index = {2: upper % (per_table if pae else per_table - 256), 1: lower % per_table}
    if large:
        index[1] = frame >> 12 & (per_table - 1)
    entries = {}
    for level in (2,) if large else (2, 1):
        table = DIRECTORY if level == 2 else TABLE
        target = TABLE if level == 2 and not large else 0 if level == 2 else frame
        at = table + index[level] * (8 if pae else 4)
        entries[at] = _drawn_entry(draw, target, level, large, pae, physical_bits)
    if not pae:
        gva = index[2] << 22 | index[1] << 12 | offset
        return LegacyTest(entries, Cpu32(cr3=DIRECTORY, pse=not switches & 128, **flags), gva, access)
    number = pdpte % KEPT
    registers = {n: DIRECTORY | P if n != number or pdpte < 240 else DIRECTORY for n in range(4)}
    gva = number << 30 | index[2] << 21 | index[1] << 12 | offset
    entries |= {PDPT + 8 * n: register for n, register in registers.items()}
    if 224 <= pdpte < 240:  # changed after CR3 was loaded
        entries[PDPT + 8 * number] = 0
    cpu = CpuPae(registers[0], registers[1], registers[2], registers[3], nxe=not switches & 128, **flags)
    return LegacyTest(entries, cpu, gva, access, PDPT)


def _drawn_entry(draw: Draw, target: int, level: int, large: bool, pae: bool, physical_bits: int) -> int:
    plain, odd = draw.byte(), draw.byte()
    entry = target | (0 if plain % 16 == 15 else P) | (0 if plain & 0x30 == 0x30 else RW) | (0 if plain & 0xC0 == 0xC0 else US)
    entry |= (A if odd & 1 else 0) | (D if odd & 2 else 0) | (G if odd & 4 else 0) | (PS if level == 2 and large else 0)
    if odd >= 224 and pae:
        return entry | NX
    if odd >= 208 and pae:
        return entry | 1 << min(62, physical_bits + odd % 23)
    if odd >= 208:
        return entry | 0xE00  # software's
    if odd >= 192 and level == 2:
        return entry | (1 << 13 + odd % (8 if pae else 9) if large else PS)
    return entry


# ---------------------------------------------------------------- judging


def translate(test: LegacyTest, memory: Memory) -> Translation:
    """The walk of a test. Raises ``PageFault``."""
    if isinstance(test.cpu, Cpu32):
        return walk_32(memory, test.cpu, test.gva, test.access)
    return walk_pae(memory, test.cpu, test.gva, test.access)


def due(test: LegacyTest) -> list[Lawful]:
    """What may come of a test."""
    def access(memory: Memory, guest_walk: GuestWalk) -> Translation:
        late = Late(memory)
        result = translate(test, memory if guest_walk is walk else late)
        late.settle()
        return result

    return lawful(access, test.entries, lambda result: end_of(result, test.gva & 0xFFFFFFFF))


def due_of_load(test: LoadTest) -> list[Lawful]:
    """What may come of MOV to CR3: some processors check PDPTEs that are not present, others do not (SDM Vol. 3A 4.4.1)."""
    ways: list[Lawful] = []
    for check_absent in (False, True):
        def load(memory: Memory, _: GuestWalk, check_absent: bool = check_absent) -> CpuPae:
            return load_pdptes(memory, test.cr3, test.cpu, check_absent)

        ways += [way for way in lawful(load, test.entries, _end_of_load) if way not in ways]
    return ways


def _end_of_load(result: CpuPae | Fault) -> Outcome:
    return Outcome("#GP" if isinstance(result, BadPdpte) else "completed")


def compare(test: LegacyTest, observed: Observed, ways: list[Lawful] | None = None) -> Finding | None:
    """None if the manual (or these ways, if they are given) allows what was observed."""
    def of_flags(way: Lawful, address: int, wrong: int, entry: int) -> Finding:
        flag = "accessed flag" if wrong & A else "dirty flag" if wrong & D else "another bit"
        after = observed.entries[address]
        change = "set" if wrong & after else "not set"
        when = "by an access that completes" if way.outcome.kind == "completed" else "although the access faults"
        return Finding(f"{flag} {change} {when}, {_paging(test)}", FLAGS, f"entry {entry:#x}", f"entry {after:#x}")

    def of_outcome(expected: Outcome, got: Outcome) -> Finding:
        return Finding(_title(test, expected, got), ERROR_CODE if got.kind == "#PF" else SECTION, words(expected), words(got))

    finding = judged(due(test) if ways is None else ways, test.entries, observed, of_outcome, of_flags)
    if finding is not None and _reads_pdptes_when_it_walks(test, observed):
        return Finding(NO_REGISTERS, PDPTE_REGISTERS, finding.expected, finding.got)
    return finding


def with_pdptes_of_memory(test: LegacyTest) -> LegacyTest:
    """The test as a walker sees it that reads PDPTEs from memory whenever it walks."""
    if not isinstance(test.cpu, CpuPae):
        return test
    at = test.cr3 & CR3_PDPT
    now = [test.entries.get(at + 8 * n, 0) for n in range(4)]
    cpu = attrs.evolve(test.cpu, pdpte0=now[0], pdpte1=now[1], pdpte2=now[2], pdpte3=now[3])
    return attrs.evolve(test, cpu=cpu)


def _reads_pdptes_when_it_walks(test: LegacyTest, observed: Observed) -> bool:
    """Whether what came of a test is what a walker gets that reads PDPTEs from memory, and may check them, when it walks."""
    got = observed.outcome
    seen = with_pdptes_of_memory(test)
    if seen == test or not isinstance(seen.cpu, CpuPae):
        return False
    pdpte = selected(seen.cpu, test.gva)
    checked = malformed(pdpte, seen.cpu.beyond, False) and got.kind == "#PF" and got.code & (P | RSVD) == P | RSVD
    return checked or compare(seen, observed) is None


def _paging(test: LegacyTest) -> str:
    return "PAE paging" if test.pae else "32-bit paging"


def _title(test: LegacyTest, expected: Outcome, got: Outcome) -> str:
    if expected.kind == "#PF" and expected.code & RSVD and not (got.kind == "#PF" and got.code & RSVD):
        return f"reserved bit not taken as reserved, {_paging(test)}"
    if got.kind != expected.kind:
        return f"{got.kind} where {cause(expected)} is due, {_paging(test)}"
    if got.code != expected.code:
        return f"error code of {cause(expected)} {difference(expected.code, got.code)}, {_paging(test)}"
    return f"another {'CR2' if expected.kind == '#PF' else 'physical address'} than is due, {_paging(test)}"


@attrs.frozen
class LegacyCampaign:
    """Tests of one of the two kinds of paging for one implementation."""

    implementation: str
    pae: bool
    perform: Callable[[Sequence[LegacyTest]], Sequence[Observed]]
    size: int = SIZE
    slow: bool = False

    @property
    def subject(self) -> str:
        return "PAE paging" if self.pae else "32-bit paging"

    def make(self, data: bytes) -> LegacyTest:
        return make(data, self.pae)

    def run(self, tests: Sequence[LegacyTest]) -> Sequence[tuple[str, Finding | None]]:
        return [(observed.outcome.kind, compare(test, observed)) for test, observed in zip(tests, self.perform(tests), strict=True)]
