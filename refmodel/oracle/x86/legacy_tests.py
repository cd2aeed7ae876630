"""Tests of 32-bit paging and of PAE paging, drawn as bytes, what may come of each, and what is wrong with what came of it.

As in ``walk_tests``, a byte of zero is the plainest choice everywhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Late, Translation, WalkMemory
from refmodel.machine.x86.guest_walk import FETCH, RSVD, Access, walk
from refmodel.machine.x86.legacy_walk import (
    ABOVE_FRAME,
    BadPdpte,
    Cpu32,
    CpuPae,
    load_pdptes,
    malformed,
    selected,
    walk_32,
    walk_pae,
)
from refmodel.machine.x86.legacy_walk import PDPT as CR3_PDPT
from refmodel.machine.x86.nested_walk import GuestWalk
from refmodel.machine.x86.words import NX, PS, RW, US, A, D, G, P, lacking
from refmodel.oracle.drawing import Draw
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.agent.image import WINDOW
from refmodel.oracle.x86.agent.legacy_image import DIRECTORY, KEPT, PDPT, TABLE
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome, judged, lawful
from refmodel.oracle.x86.walk_campaign import ERROR_CODE, FLAGS, Watched, cause, difference, end_of, words
from refmodel.oracle.x86.walk_tests import access_words, drawn_access, flag_names

SIZE = 16
"""Bytes that a test is made of."""
NO_REGISTERS = "a PDPTE that changed in memory after CR3 was loaded is used, PAE paging"
PDPTE_REGISTERS = 'SDM Vol. 3A 4.4.1, "PDPTE Registers"'
SECTION = 'SDM Vol. 3A 4.3 and 4.4, "32-Bit Paging" and "PAE Paging"'


@attrs.frozen
class LegacyProfile:
    """Which of the two kinds of paging, what an implementation has of it, and which of its switches can be thrown."""

    pae: bool
    physical_bits: int = 40
    pse36: bool = True
    smep_smap: bool = True
    nxe: bool = True
    """Whether EFER.NXE can be set, and with PAE paging be cleared."""
    pdptes_in_registers: bool = True
    """Whether PDPTEs stay as they were loaded. In a guest under nested paging AMD's processors read them when they walk
    (APM Vol. 2 15.25.10)."""


@attrs.frozen
class LegacyTest:
    """A test of 32-bit paging or of PAE paging: the entries by address, 4 bytes each or 8 (all others are zero), the registers."""

    entries: dict[int, int]
    cpu: Cpu32 | CpuPae
    gva: int
    access: Access
    cr3: int = 0
    """With PAE paging, where the PDPTEs were loaded from. ``entries`` says what lies there now."""
    unused_nxe: bool = False
    """With 32-bit paging, EFER.NXE, which means nothing there (SDM Vol. 3A 4.1.1 and 4.7)."""

    @property
    def pae(self) -> bool:
        return isinstance(self.cpu, CpuPae)

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield access_words(self.access, self.gva)
        yield registers_words(self.cpu) + (" EFER.NXE=1" if self.unused_nxe else "")
        for address, entry in sorted(self.entries.items()):
            yield f"entry at {address:#x}: {entry:#x} = {flag_names(entry, _level_at(address))}"


@attrs.frozen
class LoadTest:
    """A test of MOV to CR3 with PAE paging: memory and the value that is loaded."""

    entries: dict[int, int]
    cpu: CpuPae
    cr3: int

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield f"MOV to CR3 of {self.cr3:#x} with PAE paging, MAXPHYADDR={52 - self.cpu.beyond.bit_count()}"
        for address, entry in sorted(self.entries.items()):
            yield f"PDPTE at {address:#x}: {entry:#x}"


def _level_at(address: int) -> int:
    return 1 if address & 0xF000 == TABLE else 2  # tables are moved by multiples of 64 KiB


def registers_words(cpu: Cpu32 | CpuPae) -> str:
    common = f"CR0.WP={cpu.wp:d} CR4.SMEP={cpu.smep:d} CR4.SMAP={cpu.smap:d} MAXPHYADDR={52 - cpu.beyond.bit_count()}"
    if isinstance(cpu, Cpu32):
        return f"32-bit paging, CR3={cpu.cr3:#x} CR4.PSE={cpu.pse:d} PSE-36 {'' if cpu.pse36 else 'not '}supported, {common}"
    registers = " ".join(f"{getattr(cpu, f'pdpte{n}'):#x}" for n in range(4))
    return f"PAE paging, PDPTE registers {registers}, EFER.NXE={cpu.nxe:d}, {common}"


# ---------------------------------------------------------------- drawing


def make(data: bytes, profile: LegacyProfile) -> LegacyTest:
    """The test that these bytes stand for."""
    draw, pae = Draw(data), profile.pae
    large, access, switches = draw.byte() >= 160, drawn_access(draw), draw.byte()
    frame = WINDOW[draw.byte() % len(WINDOW)]
    upper, lower, pdpte = draw.byte() * 73, draw.byte() * 73, draw.byte()
    offset, beyond = draw.byte() * 8, lacking(profile.physical_bits)
    offset = offset or 8 * access.fetch  # Unicorn takes an instruction at address 0 for the end of a run
    flags: dict[str, Any] = {
        "wp": not switches & 1,
        "smep": profile.smep_smap and switches & 6 == 6,
        "smap": profile.smep_smap and switches & 24 == 24,
        "beyond": beyond,
    }
    per_table, pse = 512 if pae else 1024, not switches & 128
    above = 9 if pse and not pae else 8  # bit 21 without CR4.PSE would lead to a table outside those of the test
    index = {2: upper % (per_table if pae else per_table - 256), 1: lower % per_table}
    if large:
        index[1] = frame >> 12 & (per_table - 1)
    entries = {}
    for level in (2,) if large else (2, 1):
        table = DIRECTORY if level == 2 else TABLE
        target = TABLE if level == 2 and not large else 0 if level == 2 else frame
        at = table + index[level] * (8 if pae else 4)
        entries[at] = _drawn_entry(draw, target, level, large, above, profile)
    if not pae:
        gva = index[2] << 22 | index[1] << 12 | offset
        cpu_32 = Cpu32(cr3=DIRECTORY, pse=pse, pse36=profile.pse36, **flags)
        return LegacyTest(entries, cpu_32, gva, access, unused_nxe=profile.nxe and switches & 96 == 96)
    number = pdpte % KEPT
    registers = {n: DIRECTORY | P if n != number or pdpte < 240 else DIRECTORY for n in range(4)}
    gva = number << 30 | index[2] << 21 | index[1] << 12 | offset
    entries |= {PDPT + 8 * n: register for n, register in registers.items()}
    if 224 <= pdpte < 240:  # changed after CR3 was loaded
        entries[PDPT + 8 * number] = 0
    cpu = CpuPae(registers[0], registers[1], registers[2], registers[3], nxe=not (profile.nxe and switches & 128), **flags)
    return LegacyTest(entries, cpu, gva, access, PDPT)


def _drawn_entry(draw: Draw, target: int, level: int, large: bool, above: int, profile: LegacyProfile) -> int:
    """``above``: how many address bits from 13 on an entry of a large page may have set that its page should not."""
    plain, odd, pae = draw.byte(), draw.byte(), profile.pae
    entry = target | (0 if plain % 16 == 15 else P) | (0 if plain & 0x30 == 0x30 else RW) | (0 if plain & 0xC0 == 0xC0 else US)
    entry |= (A if odd & 1 else 0) | (D if odd & 2 else 0) | (G if odd & 4 else 0) | (PS if level == 2 and large else 0)
    if odd >= 224 and pae:
        return entry | NX
    if odd >= 208 and pae:
        return entry | 1 << min(62, profile.physical_bits + odd % 23)
    if odd >= 208:
        return entry | 0xE00  # software's
    if odd >= 192 and level == 2:
        return entry | (1 << 13 + odd % above if large else PS)
    return entry


# ---------------------------------------------------------------- judging


def translate(test: LegacyTest, memory: WalkMemory) -> Translation:
    """The walk of a test. Raises ``PageFault``."""
    if isinstance(test.cpu, Cpu32):
        return walk_32(memory, test.cpu, test.gva, test.access)
    return walk_pae(memory, test.cpu, test.gva, test.access)


def due(test: LegacyTest) -> list[Lawful]:
    """What may come of a test."""

    def access(memory: WalkMemory, guest_walk: GuestWalk) -> Translation:
        late = Late(memory)
        result = translate(test, memory if guest_walk is walk else late)
        late.settle()
        return result

    return lawful(access, test.entries, lambda result: end_of(result, test.gva & 0xFFFFFFFF))


def due_of_load(test: LoadTest) -> list[Lawful]:
    """What may come of MOV to CR3: some processors check PDPTEs that are not present, others do not (SDM Vol. 3A 4.4.1)."""
    ways: list[Lawful] = []
    for check_absent in (False, True):

        def load(memory: WalkMemory, _: GuestWalk, check_absent: bool = check_absent) -> CpuPae:
            return load_pdptes(memory, test.cr3, test.cpu, check_absent)

        ways += [way for way in lawful(load, test.entries, _end_of_load) if way not in ways]
    return ways


def _end_of_load(result: CpuPae | Fault) -> Outcome:
    return Outcome("#GP" if isinstance(result, BadPdpte) else "completed")


def compare(test: LegacyTest, observed: Observed, ways: list[Lawful] | None = None) -> Finding | None:
    """None if the manual (or these ways, if they are given) allows what was observed."""

    def of_flags(way: Lawful, address: int, wrong: int, entry: int) -> Finding:
        after = observed.entries[address]
        flag = "accessed flag" if wrong & A else "dirty flag" if wrong & D else "another bit"
        change = "set" if wrong & after else "not set"
        when = "by an access that completes" if way.outcome.kind == "completed" else "although the access faults"
        return Finding(
            f"{flag} of {_kind_of_entry(test, address, entry)} {change} {when}, {_paging(test)}",
            FLAGS,
            f"entry {entry:#x}",
            f"entry {after:#x}",
        )

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
    if malformed(pdpte, seen.cpu.beyond, False) and got.kind == "#PF" and got.code & RSVD:
        return True
    finding = compare(seen, observed)
    return finding is None or "of a PDPTE" in finding.title  # which is another defect


def _paging(test: LegacyTest) -> str:
    return "PAE paging" if test.pae else "32-bit paging"


def _kind_of_entry(test: LegacyTest, address: int, entry: int) -> str:
    if isinstance(test.cpu, CpuPae) and address in {(test.cr3 & CR3_PDPT) + 8 * n for n in range(4)}:
        return "a PDPTE"
    if _level_at(address) == 1:
        return "a 4 KiB leaf"
    large = entry & PS and (isinstance(test.cpu, CpuPae) or test.cpu.pse)
    return f"a {2 if test.pae else 4} MiB leaf" if large else "a directory entry"


def _title(test: LegacyTest, expected: Outcome, got: Outcome) -> str:
    due, met = (outcome.kind == "#PF" and outcome.code & RSVD != 0 for outcome in (expected, got))
    if due and not met:
        return f"not taken as reserved: {_reserved_words(test)}, {_paging(test)}"
    if met and not due:
        return f"taken as reserved: {_high_words(test)}, {_paging(test)}"
    if got.kind != expected.kind:
        return f"{got.kind} where {cause(expected)} is due, {_paging(test)}"
    if got.code != expected.code:
        nxe = " with EFER.NXE" if test.unused_nxe and (expected.code ^ got.code) & FETCH else ""
        return f"error code of {cause(expected)} {difference(expected.code, got.code)}, {_paging(test)}{nxe}"
    return f"another {'CR2' if expected.kind == '#PF' else 'physical address'} than is due, {_paging(test)}"


def _last_entry(test: LegacyTest) -> tuple[int, int]:
    """The level of the entry that a walk ends at, and the entry."""
    memory = Watched(test.entries)
    with contextlib.suppress(Fault):
        translate(test, memory)
    return _level_at(memory.last), test.entries.get(memory.last, 0)


def _reserved_words(test: LegacyTest) -> str:
    """Which reserved bits a walk comes to grief on."""
    level, entry = _last_entry(test)
    if isinstance(test.cpu, Cpu32):
        return "bit 21 of a 4 MiB leaf" if entry >> 21 & 1 else "address bits 39:32 of a 4 MiB leaf"
    large = level == 2 and entry & PS
    rules = [
        (NX * (not test.cpu.nxe), "bit 63 without EFER.NXE"),
        (ABOVE_FRAME, "bits 62:52"),
        (test.cpu.beyond, "address bits above MAXPHYADDR"),
        (0xFF << 13 if large else 0, "address bits below 2 MiB"),
    ]
    return ", ".join(name for mask, name in rules if entry & mask)


def _high_words(test: LegacyTest) -> str:
    """Which bits may have been taken as reserved that are not."""
    level, entry = _last_entry(test)
    if isinstance(test.cpu, Cpu32) and level == 2 and entry >> 13 & 0xFF:
        return "address bits 39:36 of a 4 MiB leaf" if entry >> 17 & 0xF else "address bits 35:32 of a 4 MiB leaf"
    return "an entry without reserved bits"


@attrs.frozen
class LegacyCampaign:
    """Tests of one of the two kinds of paging for one implementation."""

    implementation: str
    profile: LegacyProfile
    perform: Callable[[Sequence[LegacyTest]], Sequence[Observed]]
    anywhere: bool = False
    """Whether it is seen where an access goes that reaches no memory."""
    size: int = SIZE
    slow: bool = False

    @property
    def subject(self) -> str:
        return "PAE paging" if self.profile.pae else "32-bit paging"

    def make(self, data: bytes) -> LegacyTest:
        return make(data, self.profile)

    def run(self, tests: Sequence[LegacyTest]) -> Sequence[tuple[str, Finding | None]]:
        return [
            (observed.outcome.kind, self.compare(test, observed)) for test, observed in zip(tests, self.perform(tests), strict=True)
        ]

    def compare(self, test: LegacyTest, observed: Observed, ways: list[Lawful] | None = None) -> Finding | None:
        """Compare this implementation with the model, as the function ``compare`` does."""
        finding = compare(test, observed, ways)
        unless = finding is not None and finding.title == NO_REGISTERS and not self.profile.pdptes_in_registers
        return None if unless else finding
