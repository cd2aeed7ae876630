"""Two-dimensional walks made by the agent with Intel's VMX: a test as a virtual machine that makes one access and calls out.

(SDM Vol. 3D appendix B, *field encoding in VMCS*; appendix C, *VMX basic exit reasons*; Vol. 3C 24 and 26.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from refmodel.machine.x86.ept_walk import EXIT_MISCONFIGURATION, EXIT_VIOLATION, Ept
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.oracle.judging import Lost
from refmodel.oracle.x86.agent.code import VM_EXIT
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import (
    AGENT,
    BOOT_TABLES,
    GDT,
    IDT,
    LOAD,
    STORE,
    STORED,
    SUPERVISOR_STUB,
    TSS,
    USER_STUB,
)
from refmodel.oracle.x86.agent.script import Results, Script, Step
from refmodel.oracle.x86.agent_walks import AC, Places, completed, control_registers, put_back, take_down
from refmodel.oracle.x86.exit_fields import defined
from refmodel.oracle.x86.nested_tests import ROOT, NestedTest, fixed_entries
from refmodel.oracle.x86.outcomes import Observed, Outcome
from refmodel.oracle.x86.stale_tests import EPTP, OTHER_EPTP, Invept, Invvpid, StaleTest, faults, places
from refmodel.oracle.x86.walk_tests import Profile

VMXON_REGION, VMCS, POINTERS, DESCRIPTOR = 0x3A000, 0x3B000, 0x3C000, 0x3C100
REVISION_MSR_DEFAULT = 0x2B
CR4_VMXE = 0x2000
UNUSABLE = 0x10000

EXIT_EXCEPTION, EXIT_VMCALL = 0, 18
REASON, QUALIFICATION, GUEST_PHYSICAL, GUEST_LINEAR, INTERRUPTION, ERROR_CODE = 0x4402, 0x6400, 0x2400, 0x640A, 0x4404, 0x4406
ALL_CONTEXTS = 2
VPID = 1

ES, CS, SS, DS, FS, GS, LDTR, TR = range(8)


class VmxWalks:
    """Performs nested tests on a host that has VMX and EPT."""

    def __init__(self, host: AgentHost, profile: Profile, ept: Ept, revision: int = REVISION_MSR_DEFAULT) -> None:
        self.host, self.ept = host, ept
        image = host.image
        image.words(fixed_entries(True, profile.levels).items())
        image.words(
            [
                (POINTERS, VMXON_REGION),
                (POINTERS + 8, VMCS),
                (VMXON_REGION, revision),
                (VMCS, revision),
                (DESCRIPTOR, 0),
                (DESCRIPTOR + 8, 0),
            ]
        )
        self._enter_vmx_operation()

    def _enter_vmx_operation(self) -> None:
        script = Script()
        script.add(Step.CONTROL, 0x80010033, 0x20 | CR4_VMXE | (0x1000 if self.host.image.levels == 5 else 0), 0xD00)
        script.add(Step.RELOAD, BOOT_TABLES)
        entered = script.add(Step.ENABLE_VMX, POINTERS, POINTERS + 8)
        fields = list(self._constant_fields())
        written = [script.add(Step.VMWRITE, field, value) for field, value in fields]
        results = self.host.perform(script)
        if results[entered][0] != 1:
            raise Lost("VMXON, VMCLEAR or VMPTRLD failed")
        refused = [f"{field:#x}" for (field, _), n in zip(fields, written, strict=True) if not results[n][0]]
        if refused:
            raise Lost(f"no such VMCS fields: {', '.join(refused)}")

    def _constant_fields(self) -> Iterator[tuple[int, int]]:
        yield from ((0x4000, 0x16), (0x4002, 0x0401E172 | 1 << 31 | 1 << 7), (0x401E, 1 << 1))  # EPT on; HLT exits
        yield from ((0x4004, 0xFFFFFFFF), (0x4006, 0), (0x4008, 0))  # every exception exits, page faults with any code
        yield from ((0x400C, 0x36DFF | 1 << 9 | 1 << 20 | 1 << 21), (0x4012, 0x11FF | 1 << 9 | 1 << 15))  # 64 bits, EFER switched
        yield from ((0x400A, 0), (0x400E, 0), (0x4010, 0), (0x4014, 0), (0x4016, 0))
        ad = 1 << 6 if self.ept.accessed_dirty else 0
        yield 0x201A, ROOT | (self.ept.levels - 1) << 3 | 6 | ad
        yield from ((0x6000, 0), (0x6002, 0), (0x6004, 0), (0x6006, 0), (0x2800, (1 << 64) - 1), (0x2802, 0))
        yield from self._guest_fields()
        yield from self._host_fields()

    def _guest_fields(self) -> Iterator[tuple[int, int]]:
        image = self.host.image
        for register, selector, limit, rights, base in (
            (FS, 0, 0, UNUSABLE, 0),
            (GS, 0, 0, UNUSABLE, 0),
            (LDTR, 0, 0, UNUSABLE, 0),
            (TR, 0x30, 0x67, 0x8B, image.at(TSS)),
            (ES, 0x18, 0xFFFFFFFF, 0xC093, 0),
            (CS, 0x10, 0xFFFFFFFF, 0xA09B, 0),
            (SS, 0x18, 0xFFFFFFFF, 0xC093, 0),
            (DS, 0x18, 0xFFFFFFFF, 0xC093, 0),
        ):
            yield from _segment(register, selector, limit, rights, base)
        yield from ((0x4810, 63), (0x4812, 4095), (0x6816, image.at(GDT)), (0x6818, image.at(IDT)))
        yield from ((0x4824, 0), (0x4826, 0), (0x482A, 0), (0x6824, 0), (0x6826, 0), (0x6822, 0), (0x681A, 0x400), (0x681C, 0))

    def _host_fields(self) -> Iterator[tuple[int, int]]:
        image = self.host.image
        for register, selector in ((ES, 0x18), (CS, 0x10), (SS, 0x18), (DS, 0x18), (FS, 0), (GS, 0), (6, 0x30)):
            yield 0xC00 + 2 * register, selector
        cr4 = 0x20 | CR4_VMXE | (0x1000 if image.levels == 5 else 0)
        yield from ((0x6C00, 0x80010033), (0x6C02, BOOT_TABLES), (0x6C04, cr4), (0x2C02, 0xD00), (0x4C00, 0))
        yield from ((0x6C06, 0), (0x6C08, 0), (0x6C0A, image.at(TSS)), (0x6C0C, image.at(GDT)), (0x6C0E, image.at(IDT)))
        yield from ((0x6C10, 0), (0x6C12, 0), (0x6C14, image.stack_top), (0x6C16, image.at(AGENT) + VM_EXIT))

    def __call__(self, tests: Sequence[NestedTest]) -> list[Observed]:
        script = Script()
        numbers = [self._steps(script, test) for test in tests]
        results = self.host.perform(script)
        return [self._observed(at, results) for at in numbers]

    def _steps(self, script: Script, test: NestedTest) -> _Numbers:
        for address, value in test.entries.items():
            script.add(Step.STORE, address, value)
        script.add(Step.INVEPT, ALL_CONTEXTS, DESCRIPTOR)
        made = self._access(script, test.cpu, test.access, test.gva, [test.place])
        return _Numbers(made, take_down(script, test.entries))

    def _access(
        self, script: Script, cpu: Cpu, access: Access, gva: int, places: Iterable[int], global_pages: bool = False
    ) -> _Made:
        """Enter the virtual machine to make an access, and put back what a store may have overwritten."""
        for field, value in self._changing_fields(cpu, access, gva, global_pages):
            script.add(Step.VMWRITE, field, value)
        entered = script.add(Step.RUN_VMX, gva, STORED)
        told_at = tuple(
            script.add(Step.VMREAD, field)
            for field in (REASON, QUALIFICATION, GUEST_PHYSICAL, GUEST_LINEAR, INTERRUPTION, ERROR_CODE)
        )
        return _Made(access, entered, told_at, put_back(self.host, script, access, places))

    def _changing_fields(self, cpu: Cpu, a: Access, gva: int, global_pages: bool) -> Iterator[tuple[int, int]]:
        image = self.host.image
        code, data = ((0x23, 0xA0FB), (0x2B, 0xC0F3)) if a.user else ((0x10, 0xA09B), (0x18, 0xC093))
        for register, (selector, rights) in ((CS, code), (SS, data), (DS, data), (ES, data)):
            yield 0x800 + 2 * register, selector
            yield 0x4814 + 2 * register, rights
        cr0, cr4, efer = control_registers(cpu, global_pages)
        stub = image.at(USER_STUB if a.user else SUPERVISOR_STUB)
        yield from ((0x6800, cr0), (0x6802, cpu.cr3), (0x6804, cr4 | CR4_VMXE), (0x2806, efer))
        yield 0x681E, gva if a.fetch else stub + (STORE if a.write else LOAD)  # RIP
        yield 0x6820, 2 | (AC if a.ac else 0)  # RFLAGS

    def _observed(self, at: _Numbers, results: Results) -> Observed:
        return Observed(self._outcome(at.made, results), {address: results[n][0] for address, n in at.entries.items()})

    def _outcome(self, at: _Made, results: Results) -> Outcome:
        rax, entered, *_ = results[at.entered]
        reason, qualification, gpa, linear, interruption, code = (results[n][0] for n in at.told)
        if not entered or reason >> 31 & 1:
            return Outcome(f"no VM entry (reason {reason & 0xFFFF})")
        if reason == EXIT_VIOLATION:
            return defined(Outcome("EPT violation", qualification, gpa, linear), self.ept)
        if reason == EXIT_MISCONFIGURATION:
            return Outcome("EPT misconfiguration", 0, gpa)
        if reason == EXIT_EXCEPTION:
            vector = interruption & 0xFF
            if vector == 14:
                return Outcome("#PF", code, qualification)
            return Outcome("#GP" if vector == 13 else f"exception {vector}", code)
        if reason != EXIT_VMCALL:
            return Outcome(f"exit {reason}", qualification)
        return completed(at.access, rax, at.places, results)


def _segment(register: int, selector: int, limit: int, rights: int, base: int) -> Iterator[tuple[int, int]]:
    yield 0x800 + 2 * register, selector
    yield 0x4800 + 2 * register, limit
    yield 0x4814 + 2 * register, rights
    yield 0x6806 + 2 * register, base


@attrs.frozen
class _Made:
    """An access in a script: under which numbers its result is found, and what lay wherever it may have stored to."""

    access: Access
    entered: int
    told: tuple[int, ...]
    places: Places


@attrs.frozen
class _Numbers:
    made: _Made
    entries: dict[int, int]


class VmxStaleWalks(VmxWalks):
    """Performs tests of staleness in a virtual machine that has a VPID, on a host that has VMX, EPT and INVVPID.

    The guest's tables lie where EPT maps memory to itself; its host edits them and invalidates between two entries of it.
    """

    def _constant_fields(self) -> Iterator[tuple[int, int]]:
        yield from super()._constant_fields()
        yield from ((0x401E, 1 << 1 | 1 << 5), (0x0000, VPID))  # EPT and VPIDs on

    def stale_walks(self, tests: Sequence[StaleTest]) -> list[Observed]:
        """Perform tests of staleness."""
        image = self.host.image
        image.words(
            [
                (DESCRIPTOR + 16, EPTP | 3 << 3 | 6),
                (DESCRIPTOR + 24, 0),
                (DESCRIPTOR + 32, OTHER_EPTP | 3 << 3 | 6),
                (DESCRIPTOR + 40, 0),
            ]
        )
        script = Script()
        numbers = [self._stale_steps(script, test) for test in tests]
        results = self.host.perform(script)
        return [refused(results, steps) or self._observed(at, results) for at, steps in numbers]

    def _stale_steps(self, script: Script, test: StaleTest) -> tuple[_Numbers, list[tuple[int, bool]]]:
        for address, value in test.before.items():
            script.add(Step.STORE, address, value)
        script.add(Step.INVEPT, ALL_CONTEXTS, DESCRIPTOR)
        self._access(script, test.cpu, test.first, test.gva, places(test), test.global_page)
        for address, value in test.edits:
            script.add(Step.STORE, address, value)
        steps = []
        for operation in test.invalidation:
            if isinstance(operation, Invvpid):
                number = script.add(Step.INVVPID, operation.kind, operation.vpid, operation.gva)
                steps.append((number, faults(operation, test)))
            elif isinstance(operation, Invept):
                script.add(Step.INVEPT, operation.kind, DESCRIPTOR + (16 if operation.same else 32))
        made = self._access(script, test.cpu, test.second, test.gva, places(test), test.global_page)
        return _Numbers(made, take_down(script, test.before)), steps


def refused(results: Results, steps: Iterable[tuple[int, bool]]) -> Observed | None:
    """Something else than an access, if an INVVPID failed that must not, or did not that must."""
    for number, must_fail in steps:
        if results[number][0] != (0 if must_fail else 1):
            return Observed(Outcome("an INVVPID that does not fail" if must_fail else "an INVVPID that fails"))
    return None
