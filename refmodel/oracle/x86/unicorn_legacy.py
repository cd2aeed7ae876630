"""Unicorn under 32-bit paging and PAE paging: one access at a time, as ``unicorn_mmu`` does it in 64-bit mode.

An access is one instruction of a page of stubs, which the last quarter of the linear addresses has, or is the fetch itself.
"""

from __future__ import annotations

import importlib.metadata
import struct
from collections.abc import Sequence
from typing import Any

from refmodel.machine.x86.guest_walk import Access
from refmodel.machine.x86.legacy_walk import Cpu32, CpuPae
from refmodel.oracle.unicorn_common import carry_out, error_code_in
from refmodel.oracle.x86.agent.image import (
    BOOT_TABLES,
    CR4_PAE,
    CR4_PSE,
    GDT,
    LOAD,
    MEMORY,
    STACK,
    STORE,
    SUPERVISOR_STUB,
    USER_STUB,
    slot,
)
from refmodel.oracle.x86.agent.legacy_image import KEPT, PDPT, LegacyImage
from refmodel.oracle.x86.agent_walks import AC, CR0
from refmodel.oracle.x86.legacy_tests import LegacyTest
from refmodel.oracle.x86.legacy_walks import control_registers, destination
from refmodel.oracle.x86.outcomes import Observed, Outcome

EFER = 0xC0000080
HLT = b"\xf4"
IRET = 0x30
"""Where in the supervisor's stub page the instruction is that enters ring 3."""


class UnicornLegacy:
    """One Unicorn machine in protected mode."""

    def __init__(self, pae: bool) -> None:
        import unicorn
        from unicorn import x86_const

        self.pae, self.x86 = pae, x86_const
        self.version = importlib.metadata.version("unicorn")
        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
        self.uc.ctl_set_cpu_model(x86_const.UC_CPU_X86_ICELAKE_SERVER)
        self.uc.mem_map(0, MEMORY, unicorn.UC_PROT_ALL)
        self.image = LegacyImage(pae, HLT)
        self.image.put(SUPERVISOR_STUB + IRET, b"\xcf")
        self.uc.mem_write(0, bytes(self.image.memory))
        self.exception: int | None = None
        self.vacant: int | None = None
        """The physical address of an access where there is no memory."""
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._on_vacant)
        self._boot()

    # ------------------------------------------------------------ setting up

    def _boot(self) -> None:
        uc, x, at = self.uc, self.x86, self.image.at
        uc.reg_write(x.UC_X86_REG_GDTR, (0, GDT, 47, 0))
        uc.reg_write(x.UC_X86_REG_CS, 0x10)
        for register in (x.UC_X86_REG_SS, x.UC_X86_REG_DS, x.UC_X86_REG_ES):
            uc.reg_write(register, 0x18)
        uc.reg_write(x.UC_X86_REG_CR3, BOOT_TABLES)
        uc.reg_write(x.UC_X86_REG_CR4, CR4_PAE if self.pae else CR4_PSE)
        uc.reg_write(x.UC_X86_REG_GDTR, (0, at(GDT), 47, 0))
        uc.reg_write(x.UC_X86_REG_CR0, CR0)
        self.contexts = {False: uc.context_save()}
        uc.mem_write(STACK, struct.pack("<5I", at(USER_STUB), 0x23, 2, 0, 0x2B))
        uc.reg_write(x.UC_X86_REG_ESP, at(STACK))
        self._go(at(SUPERVISOR_STUB) + IRET)
        if uc.reg_read(x.UC_X86_REG_CS) != 0x23:
            raise RuntimeError("unicorn: IRET did not enter ring 3")
        for register in (x.UC_X86_REG_DS, x.UC_X86_REG_ES):  # IRET cleared them
            uc.reg_write(register, 0x2B)
        self.contexts[True] = uc.context_save()
        self.scratch = uc.context_save()
        self.code = error_code_in(uc, self.scratch, self._fault)

    def _stub(self, user: bool, write: bool) -> int:
        return self.image.at(USER_STUB if user else SUPERVISOR_STUB) + (STORE if write else LOAD)

    def _fault(self, user: bool, store: bool) -> None:
        """An access to a page that is not there."""
        self.uc.context_restore(self.contexts[user])
        self.uc.reg_write(self.x86.UC_X86_REG_EBX, 0x12345000)
        self._go(self._stub(user, store))

    # ------------------------------------------------------------ one access

    def _on_exception(self, uc: Any, number: int, data: Any) -> None:
        self.exception = number
        uc.emu_stop()

    def _on_vacant(self, uc: Any, access: int, address: int, size: int, value: int, data: Any) -> bool:
        self.vacant = address
        return False

    def _go(self, address: int) -> int | None:
        """Run one instruction; Unicorn's own error, if it has one."""
        self.exception = self.vacant = None
        return carry_out(self.uc, address)

    def _word(self, address: int, value: int) -> None:
        self.uc.mem_write(address, value.to_bytes(self.image.width, "little"))

    def _read(self, address: int, width: int) -> int:
        return int.from_bytes(self.uc.mem_read(address, width), "little")

    def _set_up(self, test: LegacyTest) -> None:
        uc, x, cpu = self.uc, self.x86, test.cpu
        uc.context_restore(self.contexts[test.access.user])
        cr0, cr4, efer = control_registers(test)
        uc.reg_write(x.UC_X86_REG_CR0, cr0)
        uc.reg_write(x.UC_X86_REG_CR4, cr4)
        uc.msr_write(EFER, efer)
        uc.reg_write(x.UC_X86_REG_EFLAGS, 2 | (AC if test.access.ac else 0))
        uc.reg_write(x.UC_X86_REG_CR3, cpu.cr3 if isinstance(cpu, Cpu32) else test.cr3)

    def _access(self, test: LegacyTest) -> Outcome:
        uc, x, access = self.uc, self.x86, test.access
        uc.reg_write(x.UC_X86_REG_EBX, test.gva)
        uc.reg_write(x.UC_X86_REG_EAX, self.image.stored)
        error = self._go(test.gva if access.fetch else self._stub(access.user, access.write))
        if self.exception == 14:
            uc.context_update(self.scratch)
            return Outcome("#PF", self.code[0], uc.reg_read(x.UC_X86_REG_CR2))
        if self.exception is not None:
            return Outcome(f"exception {self.exception}")
        if self.vacant is not None:  # let through, to where there is no memory
            return Outcome("completed", 0, self.vacant)
        if error is not None:
            return Outcome(f"unicorn error {error}")
        return Outcome("completed", 0, self._reached(test, access))

    def _reached(self, test: LegacyTest, access: Access) -> int:
        """The physical address that an access went to: the data say where they lie. What was stored is put back."""
        if not access.write:
            return self.image.address_told(self.uc.reg_read(self.x86.UC_X86_REG_EAX), access.fetch) or 0
        stored, at = self.image.stored, destination(test)
        if at >= MEMORY or self._read(at, 4) != stored:
            at = bytes(self.uc.mem_read(0, MEMORY)).find(stored.to_bytes(4, "little"))
        if at >= 0:
            self.uc.mem_write(at, slot(at & ~7, HLT).to_bytes(8, "little"))
        return at

    # ------------------------------------------------------------ tests

    def walks(self, tests: Sequence[LegacyTest]) -> list[Observed]:
        """Perform tests."""
        return [self._walk(test) for test in tests]

    def _walk(self, test: LegacyTest) -> Observed:
        pdptes = (
            {}
            if not isinstance(test.cpu, CpuPae)
            else {PDPT: test.cpu.pdpte0, PDPT + 8: test.cpu.pdpte1, PDPT + 16: test.cpu.pdpte2}
        )
        for at, pdpte in pdptes.items():  # what CR3 is loaded with may change in memory afterwards
            self._word(at, pdpte)
        self._set_up(test)
        entries = {at: entry for at, entry in test.entries.items() if not (self.pae and at == PDPT + 8 * KEPT)}
        for at, entry in entries.items():
            self._word(at, entry)
        outcome = self._access(test)
        now = {at: self._read(at, self.image.width) for at in entries}
        for at in entries:
            self._word(at, 0)
        return Observed(outcome, {**test.entries, **now})
