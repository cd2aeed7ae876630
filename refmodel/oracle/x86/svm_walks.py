"""Two-dimensional walks made by the agent with AMD's SVM: a test as a virtual machine that makes one access and calls out.

(APM Vol. 2 appendix B, *layout of VMCB*; 15.5 *VMRUN instruction*; appendix C, *SVM intercept exit codes*.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from refmodel.machine.x86.guest_walk import Cpu
from refmodel.machine.x86.npt_walk import EXIT_NPF
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import BOOT_TABLES, GDT, IDT, LOAD, STORE, STORED, SUPERVISOR_STUB, TSS, USER_STUB
from refmodel.oracle.x86.agent.script import Results, Script, Step
from refmodel.oracle.x86.agent_walks import AC, EFER_SVME, Places, completed, control_registers, put_back, take_down
from refmodel.oracle.x86.nested_tests import ROOT, NestedTest, fixed_entries
from refmodel.oracle.x86.outcomes import Observed, Outcome
from refmodel.oracle.x86.walk_tests import Profile

VMCB, HOST_SAVE = 0x38000, 0x39000
SAVE = VMCB + 0x400
EXIT_CODE, EXIT_INFO_1, EXIT_INFO_2, RAX = VMCB + 0x70, VMCB + 0x78, VMCB + 0x80, SAVE + 0x1F8
EXIT_VMMCALL, EXIT_EXCEPTION = 0x81, 0x40


def segment(selector: int, attributes: int, limit: int = 0xFFFFFFFF) -> int:
    """The first 8 bytes of a segment register in the save area."""
    return selector | attributes << 16 | limit << 32


class SvmWalks:
    """Performs nested tests on a host that has SVM."""

    def __init__(self, host: AgentHost, profile: Profile) -> None:
        self.host = host
        image = host.image
        image.words(fixed_entries(False, profile.levels).items())
        image.words(self._constant_fields())

    def _constant_fields(self) -> Iterator[tuple[int, int]]:
        image = self.host.image
        yield VMCB + 0x08, 0xFFFFFFFF | 1 << (32 + 24)  # all exceptions; HLT
        yield VMCB + 0x10, 0b11  # VMRUN, VMMCALL
        yield VMCB + 0x90, 1  # nested paging
        yield VMCB + 0xB0, ROOT
        for register, selector, attributes, limit, base in (
            (0x60, 0, 0, 63, image.at(GDT)),
            (0x70, 0, 0x82, 0, 0),
            (0x80, 0, 0, 4095, image.at(IDT)),
            (0x90, 0x30, 0x8B, 0x67, image.at(TSS)),
            (0x40, 0, 0xC93, 0xFFFFFFFF, 0),
            (0x50, 0, 0xC93, 0xFFFFFFFF, 0),
        ):
            yield SAVE + register, segment(selector, attributes, limit)
            yield SAVE + register + 8, base
        yield SAVE + 0x160, 0x400  # DR7
        yield SAVE + 0x168, 0xFFFF0FF0  # DR6
        yield SAVE + 0x268, 0x0007040600070406  # PAT

    def __call__(self, tests: Sequence[NestedTest]) -> list[Observed]:
        script = Script()
        script.add(Step.CONTROL, *self._host_registers(Cpu(cr3=0)))
        script.add(Step.ENABLE_SVM, HOST_SAVE)
        script.add(Step.RELOAD, BOOT_TABLES)
        numbers = [self._steps(script, test) for test in tests]
        results = self.host.perform(script)
        return [self._observed(test, at, results) for test, at in zip(tests, numbers, strict=True)]

    def _steps(self, script: Script, test: NestedTest) -> _Numbers:
        for address, value in [*test.entries.items(), *self._changing_fields(test)]:
            script.add(Step.STORE, address, value)
        assert isinstance(test.second, Cpu)
        script.add(Step.CONTROL, *self._host_registers(test.second))  # VMRUN takes the host's as it finds them
        script.add(Step.RUN_SVM, VMCB, test.gva)
        told_at = tuple(script.add(Step.LOAD, field) for field in (EXIT_CODE, EXIT_INFO_1, EXIT_INFO_2, RAX))
        places = put_back(self.host, script, test.access, [test.place])
        return _Numbers(told_at, places, take_down(script, test.entries))

    def _host_registers(self, cpu: Cpu) -> tuple[int, int, int]:
        """CR0, CR4 and EFER of a host that differs from the agent's own in SMEP and NXE only."""
        cr0, cr4, efer = control_registers(Cpu(cr3=0, levels=self.host.image.levels, smep=cpu.smep, nxe=cpu.nxe))
        return cr0, cr4, efer | EFER_SVME

    def _changing_fields(self, test: NestedTest) -> Iterator[tuple[int, int]]:
        a, image = test.access, self.host.image
        code, data, cpl = ((0x23, 0xAFB), (0x2B, 0xCF3), 3) if a.user else ((0x10, 0xA9B), (0x18, 0xC93), 0)
        yield SAVE + 0x10, segment(*code)
        for register in (0x00, 0x20, 0x30):
            yield SAVE + register, segment(*data)
        cr0, cr4, efer = control_registers(test.cpu)
        stub = image.at(USER_STUB if a.user else SUPERVISOR_STUB)
        yield SAVE + 0xC8, cpl << 24
        yield SAVE + 0xD0, efer | EFER_SVME
        yield SAVE + 0x148, cr4
        yield SAVE + 0x150, test.cpu.cr3
        yield SAVE + 0x158, cr0
        yield SAVE + 0x170, 2 | (AC if a.ac else 0)  # RFLAGS
        yield SAVE + 0x178, test.gva if a.fetch else stub + (STORE if a.write else LOAD)  # RIP
        yield RAX, STORED
        yield SAVE + 0x240, 0  # CR2
        yield VMCB + 0x58, 1 | 1 << 32  # ASID 1, flush all
        yield VMCB + 0x88, 0
        yield VMCB + 0xA8, 0  # no event
        yield VMCB + 0xC0, 0  # nothing is clean

    def _observed(self, test: NestedTest, at: _Numbers, results: Results) -> Observed:
        exit_code, info_1, info_2, rax = (results[n][0] for n in at.told)
        entries = {address: results[n][0] for address, n in at.entries.items()}
        return Observed(self._outcome(test, at, exit_code, info_1, info_2, rax, results), entries)

    def _outcome(
        self, test: NestedTest, at: _Numbers, exit_code: int, info_1: int, info_2: int, rax: int, results: Results
    ) -> Outcome:
        if exit_code == EXIT_NPF:
            return Outcome("#NPF", info_1, info_2)
        if exit_code == EXIT_EXCEPTION + 14:
            return Outcome("#PF", info_1, info_2)
        if exit_code == EXIT_EXCEPTION + 13:
            return Outcome("#GP", info_1)
        if exit_code != EXIT_VMMCALL:
            return Outcome(f"exit {exit_code:#x}", info_1, info_2)
        return completed(test.access, rax, at.places, results)


@attrs.frozen
class _Numbers:
    told: tuple[int, ...]
    places: Places
    entries: dict[int, int]
