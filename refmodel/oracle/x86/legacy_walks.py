"""Walks of 32-bit paging and PAE paging made by the agent in protected mode, as ``agent_walks`` has them made in 64-bit mode."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import attrs

from refmodel.machine.x86.legacy_walk import FRAME_32, Cpu32, CpuPae, selected
from refmodel.machine.x86.legacy_walk import PDPT as CR3_PDPT
from refmodel.machine.x86.words import FRAME, PS
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import (
    CR4_PAE,
    CR4_PSE,
    EFER_NXE,
    LOAD,
    MEMORY,
    STORE,
    SUPERVISOR_STUB,
    USER_STUB,
    WINDOW,
    slot,
)
from refmodel.oracle.x86.agent.legacy_image import KEPT, LegacyImage
from refmodel.oracle.x86.agent.script import Results, Script, Step
from refmodel.oracle.x86.agent_walks import AC, CR0, CR0_WP, CR4_SMAP, CR4_SMEP, ended
from refmodel.oracle.x86.legacy_tests import LegacyProfile, LegacyTest
from refmodel.oracle.x86.outcomes import Observed, Outcome


def control_registers(test: LegacyTest) -> tuple[int, int, int]:
    """CR0, CR4 and EFER."""
    cpu = test.cpu
    cr4 = (CR4_SMEP if cpu.smep else 0) | (CR4_SMAP if cpu.smap else 0)
    cr4 |= CR4_PAE if isinstance(cpu, CpuPae) else CR4_PSE if cpu.pse else 0
    nxe = cpu.nxe if isinstance(cpu, CpuPae) else test.unused_nxe
    return CR0 | (CR0_WP if cpu.wp else 0), cr4, EFER_NXE if nxe else 0


def destination(test: LegacyTest) -> int:
    """Where the entries lead, whether or not the access is let through."""
    cpu = test.cpu
    width, bits, frame = (8, 9, FRAME) if test.pae else (4, 10, FRAME_32)
    table = selected(cpu, test.gva) if isinstance(cpu, CpuPae) else cpu.cr3
    for shift in (12 + bits, 12):
        entry = test.entries.get((table & frame) | (test.gva >> shift & (1 << bits) - 1) * width, 0)
        table = entry & frame
        if shift > 12 and entry & PS and (isinstance(cpu, CpuPae) or cpu.pse):
            break
    offset = (1 << shift) - 1
    high = (entry >> 13 & 0xFF) << 32 if shift > 12 and not test.pae else 0
    return high | table & ~offset | test.gva & offset


@attrs.frozen
class _Numbers:
    """Under which numbers of a script the results of a test are found."""

    access: int
    entries: dict[int, list[int]]
    """By the address of an entry: each 4 bytes of it."""
    place: int
    """Where a store may have gone."""
    was_there: int | None
    """What lay there afterwards, if that is in the first 4 MiB."""


class LegacyWalks:
    """Tests carried out on a machine."""

    def __init__(self, host: AgentHost) -> None:
        assert isinstance(host.image, LegacyImage)
        self.host, self.image = host, host.image

    def walks(self, tests: Sequence[LegacyTest]) -> list[Observed]:
        """Perform tests."""
        return [observed for batch in self._batches(tests) for observed in self._perform(batch)]

    def _batches(self, tests: Sequence[LegacyTest]) -> Iterator[list[LegacyTest]]:
        """What is stored above 4 GiB is put back from outside, so with such a store a batch ends."""
        batch = list[LegacyTest]()
        for test in tests:
            batch.append(test)
            if test.access.write and destination(test) >= MEMORY:
                yield batch
                batch = []
        if batch:
            yield batch

    def _perform(self, tests: Sequence[LegacyTest]) -> list[Observed]:
        script = Script()
        numbers = [self._add(script, test) for test in tests]
        results = self.host.perform(script)
        return [self._observed(test, at, results) for test, at in zip(tests, numbers, strict=True)]

    # ------------------------------------------------------------ a test in a script

    def _add(self, script: Script, test: LegacyTest) -> _Numbers:
        pdptes = {(test.cr3 & CR3_PDPT) + 8 * n for n in range(4)} if test.pae else set()
        kept = (test.cr3 & CR3_PDPT) + 8 * KEPT if test.pae else None
        for address, entry in test.entries.items():
            if address not in pdptes:
                self._store(script, address, entry)
        script.add(Step.CONTROL, *control_registers(test))
        if isinstance(test.cpu, Cpu32):
            script.add(Step.RELOAD, test.cpu.cr3)
        else:
            self._load_pdptes(script, test, test.cpu)
        for address in pdptes - {kept}:
            self._store(script, address, test.entries.get(address, 0))
        access = self._access(script, test)
        place = destination(test)
        was_there = (
            script.add(Step.EXCHANGE, place, slot(place, self.image.trap) & 0xFFFFFFFF)
            if (test.access.write and WINDOW.start <= place < MEMORY)
            else None
        )
        cleared = {
            address: [script.add(Step.EXCHANGE, address + at, 0) for at in range(0, self.image.width, 4)]
            for address in test.entries
            if address != kept
        }
        return _Numbers(access, cleared, place, was_there)

    def _load_pdptes(self, script: Script, test: LegacyTest, cpu: CpuPae) -> None:
        for number, pdpte in enumerate((cpu.pdpte0, cpu.pdpte1, cpu.pdpte2)):
            self._store(script, (test.cr3 & CR3_PDPT) + 8 * number, pdpte)
        script.add(Step.RELOAD, test.cr3)

    def _store(self, script: Script, address: int, entry: int) -> None:
        for at in range(0, self.image.width, 4):
            script.add(Step.STORE, address + at, entry >> 8 * at & 0xFFFFFFFF)

    def _access(self, script: Script, test: LegacyTest) -> int:
        access = test.access
        stub = self.image.at(USER_STUB if access.user else SUPERVISOR_STUB)
        to = test.gva if access.fetch else stub + (STORE if access.write else LOAD)
        return script.add(Step.ACCESS, test.gva & 0xFFFFFFFF, to & 0xFFFFFFFF, (AC if access.ac else 0) | access.user)

    # ------------------------------------------------------------ what came of it

    def _observed(self, test: LegacyTest, at: _Numbers, results: Results) -> Observed:
        def through(eax: int) -> Outcome:
            if test.access.write:
                return Outcome("completed", 0, at.place if self._stored(at, results) else 0)
            return Outcome("completed", 0, self.image.address_told(eax, test.access.fetch) or 0)

        entries = {
            address: sum(results[n][0] << 32 * half for half, n in enumerate(numbers)) for address, numbers in at.entries.items()
        }
        return Observed(ended(results[at.access], through), {**test.entries, **entries})

    def _stored(self, at: _Numbers, results: Results) -> bool:
        """Whether a store went where it may have gone. Above 4 GiB it is put back."""
        if at.was_there is not None:
            return results[at.was_there][0] == self.image.stored
        piece, offset = at.place >> 32, at.place & 0xFFFFFFFF
        if 1 << 32 + piece.bit_length() - 1 not in self.image.high or offset >= MEMORY:
            return False
        number = piece.bit_length()
        found: int = struct.unpack_from("<I", self.image.pieces[number - 1], offset)[0]
        struct.pack_into("<I", self.image.pieces[number - 1], offset, slot(number * MEMORY + offset) & 0xFFFFFFFF)
        return found == self.image.stored


def profile_of(host: AgentHost, *, pdptes_in_registers: bool = True) -> LegacyProfile:
    """What the machine says of its paging (SDM Vol. 2A, CPUID, leaves 1, 7, 80000001H and 80000008H)."""
    assert isinstance(host.image, LegacyImage)
    script = Script()
    features, extended, amd, sizes = (script.add(Step.CPUID, leaf) for leaf in (1, 7, 0x80000001, 0x80000008))
    results = host.perform(script)
    return LegacyProfile(
        host.image.pae,
        physical_bits=results[sizes][0] & 0xFF,
        pse36=bool(results[features][3] >> 17 & 1),
        smep_smap=results[extended][1] & (1 << 7 | 1 << 20) == 1 << 7 | 1 << 20,
        nxe=bool(results[amd][3] >> 20 & 1),
        pdptes_in_registers=pdptes_in_registers,
    )
