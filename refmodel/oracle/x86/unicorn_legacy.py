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
from refmodel.machine.x86.words import RW, US, A, D, P
from refmodel.oracle.x86.agent.image import MEMORY, slot
from refmodel.oracle.x86.agent_walks import AC, CR4_PAE, CR4_SMAP, CR4_SMEP
from refmodel.oracle.x86.legacy_tests import DIRECTORY, KEPT, PDPT, LegacyTest
from refmodel.oracle.x86.outcomes import Observed, Outcome
from refmodel.oracle.x86.unicorn_common import carry_out, error_code_in

EFER, EFER_NXE = 0xC0000080, 0x800
CR0_PE, CR0_WP, CR0_PG, CR4_PSE = 1, 1 << 16, 1 << 31, 1 << 4
HLT = b"\xf4"
SUPERVISOR, USER, GDT, STACK, OWN_DIRECTORY, OWN_TABLE = (0x10000 + 0x1000 * n for n in range(6))
"""Physical addresses: two pages of stubs, what entering ring 3 takes, and the tables that map these."""
HOME = 0xF0000000
"""The linear address of the first of them, with either kind of paging."""
LOAD, STORE, IRET = 0x00, 0x10, 0x20
"""Where in a page of stubs an instruction is."""
STORED = 0xFEEDFACE
FLAT_CODE, FLAT_DATA, RING_3 = 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 3 << 45


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
        self.exception: int | None = None
        self.vacant: int | None = None
        """The physical address of an access where there is no memory."""
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._on_vacant)
        self._lay_out()
        self._boot()

    # ------------------------------------------------------------ setting up

    def _lay_out(self) -> None:
        write = self.uc.mem_write
        write(0x100000, b"".join(slot(a, HLT).to_bytes(8, "little") for a in range(0x100000, 0x200000, 8)))
        for page in (SUPERVISOR, USER):
            write(page + LOAD, b"\x8b\x03")  # mov eax, [ebx]
            write(page + STORE, b"\x89\x03")  # mov [ebx], eax
        write(SUPERVISOR + IRET, b"\xcf")
        write(GDT, struct.pack("<6Q", 0, 0, FLAT_CODE, FLAT_DATA, FLAT_CODE | RING_3, FLAT_DATA | RING_3))
        used, width = P | RW | A | D, 8 if self.pae else 4
        for n in range(4):
            self._word(OWN_TABLE + width * n, SUPERVISOR + 0x1000 * n | used | (US if n == 1 else 0))
        if self.pae:
            self._word(OWN_DIRECTORY + 8 * (HOME >> 21 & 0x1FF), OWN_TABLE | used | US)
        self._own_entry()

    def _own_entry(self) -> None:
        """What maps the stubs: an entry of the directory, or a PDPTE."""
        if self.pae:
            self._word(PDPT + 8 * KEPT, OWN_DIRECTORY | P)
        else:
            self._word(DIRECTORY + 4 * (HOME >> 22), OWN_TABLE | P | RW | US | A | D)

    def _boot(self) -> None:
        uc, x = self.uc, self.x86
        uc.reg_write(x.UC_X86_REG_GDTR, (0, GDT, 47, 0))
        uc.reg_write(x.UC_X86_REG_CS, 0x10)
        for register in (x.UC_X86_REG_SS, x.UC_X86_REG_DS, x.UC_X86_REG_ES):
            uc.reg_write(register, 0x18)
        uc.reg_write(x.UC_X86_REG_CR3, PDPT if self.pae else DIRECTORY)
        uc.reg_write(x.UC_X86_REG_CR4, CR4_PAE if self.pae else CR4_PSE)
        uc.reg_write(x.UC_X86_REG_GDTR, (0, HOME + GDT - SUPERVISOR, 47, 0))
        uc.reg_write(x.UC_X86_REG_CR0, CR0_PE | CR0_PG | CR0_WP)
        self.contexts = {False: uc.context_save()}
        uc.mem_write(STACK, struct.pack("<5I", HOME + USER - SUPERVISOR, 0x23, 2, 0, 0x2B))
        uc.reg_write(x.UC_X86_REG_ESP, HOME + STACK - SUPERVISOR)
        self._go(HOME + IRET)
        if uc.reg_read(x.UC_X86_REG_CS) != 0x23:
            raise RuntimeError("unicorn: IRET did not enter ring 3")
        for register in (x.UC_X86_REG_DS, x.UC_X86_REG_ES):  # IRET cleared them
            uc.reg_write(register, 0x2B)
        self.contexts[True] = uc.context_save()
        self.scratch = uc.context_save()
        self.code = error_code_in(uc, self.scratch, self._fault)

    def _fault(self, user: bool, store: bool) -> None:
        """An access to a page that is not there."""
        self.uc.context_restore(self.contexts[user])
        self.uc.reg_write(self.x86.UC_X86_REG_EBX, 0x12345000)
        self._go(HOME + (USER if user else SUPERVISOR) - SUPERVISOR + (STORE if store else LOAD))

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
        self.uc.mem_write(address, value.to_bytes(8 if self.pae else 4, "little"))

    def _read(self, address: int, width: int) -> int:
        return int.from_bytes(self.uc.mem_read(address, width), "little")

    def _set_up(self, test: LegacyTest) -> None:
        uc, x, cpu = self.uc, self.x86, test.cpu
        uc.context_restore(self.contexts[test.access.user])
        cr4 = (CR4_SMEP if cpu.smep else 0) | (CR4_SMAP if cpu.smap else 0)
        cr4 |= CR4_PAE if isinstance(cpu, CpuPae) else CR4_PSE if cpu.pse else 0
        uc.reg_write(x.UC_X86_REG_CR0, CR0_PE | CR0_PG | (CR0_WP if cpu.wp else 0))
        uc.reg_write(x.UC_X86_REG_CR4, cr4)
        uc.msr_write(EFER, EFER_NXE if isinstance(cpu, CpuPae) and cpu.nxe else 0)
        uc.reg_write(x.UC_X86_REG_EFLAGS, 2 | (AC if test.access.ac else 0))
        uc.reg_write(x.UC_X86_REG_CR3, cpu.cr3 if isinstance(cpu, Cpu32) else test.cr3)

    def _access(self, test: LegacyTest) -> Outcome:
        uc, x, access = self.uc, self.x86, test.access
        uc.reg_write(x.UC_X86_REG_EBX, test.gva)
        uc.reg_write(x.UC_X86_REG_EAX, STORED)
        stub = HOME + (USER - SUPERVISOR if access.user else 0) + (STORE if access.write else LOAD)
        error = self._go(test.gva if access.fetch else stub)
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
            eax: int = self.uc.reg_read(self.x86.UC_X86_REG_EAX)
            return (eax if access.fetch else eax >> 8) << 3
        at = bytes(self.uc.mem_read(0, MEMORY)).find(STORED.to_bytes(4, "little"))
        if at >= 0:
            self.uc.mem_write(at, slot(at & ~7, HLT).to_bytes(8, "little"))
        return at

    # ------------------------------------------------------------ tests

    def walks(self, tests: Sequence[LegacyTest]) -> list[Observed]:
        """Perform tests."""
        return [self._walk(test) for test in tests]

    def _walk(self, test: LegacyTest) -> Observed:
        width = 8 if self.pae else 4
        if isinstance(test.cpu, CpuPae):  # what CR3 is loaded with may change in memory afterwards
            for n, pdpte in enumerate((test.cpu.pdpte0, test.cpu.pdpte1, test.cpu.pdpte2)):
                self._word(PDPT + 8 * n, pdpte)
        self._own_entry()
        self._set_up(test)
        for address, entry in test.entries.items():
            self._word(address, entry)
        self._own_entry()
        outcome = self._access(test)
        now = {at: self._read(at, width) for at in test.entries}
        if self.pae and PDPT + 8 * KEPT in now:  # this one is the machine's own
            now[PDPT + 8 * KEPT] = test.entries[PDPT + 8 * KEPT]
        for at in test.entries:
            self._word(at, 0)
        self._own_entry()
        return Observed(outcome, now)
