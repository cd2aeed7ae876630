"""Unicorn, which is QEMU's softmmu as a library, driven as a machine that does one access at a time.

The agent cannot run in it, since Unicorn delivers no exception to the IDT; its pages and stubs serve all the same. What had to be
found out:

- SMAP exists only with a processor model that has it.
- CS and SS written from outside do not change the privilege level: ring 3 is entered by a real IRETQ.
- Exceptions are hooked; the error code is no register, it is found in the raw context by what changes between faults of known
  kinds. After a fault the saved context is put back, or the next fault is a double fault.
- Each access runs one instruction, without an end address: at an end address Unicorn walks tables of its own accord.
"""

from __future__ import annotations

import importlib.metadata
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.oracle.unicorn_common import carry_out, error_code_in
from refmodel.oracle.x86.agent.image import (
    GDT,
    LOAD,
    MEMORY,
    STACK,
    STORE,
    STORED,
    SUPERVISOR_STUB,
    TABLES,
    USER_STUB,
    Image,
    slot,
    told,
)
from refmodel.oracle.x86.agent_walks import AC, control_registers, destination
from refmodel.oracle.x86.outcomes import Observed, Outcome
from refmodel.oracle.x86.stale_tests import Invlpg, LoadCr3, Operation, StaleTest, TogglePge, places
from refmodel.oracle.x86.walk_tests import WalkTest

EFER = 0xC0000080
HLT = b"\xf4"
INVLPG, IRETQ = 0x20, 0x40
"""Where in a stub page these instructions are."""


class UnicornMmu:
    """One Unicorn machine with 4 or 5 levels."""

    def __init__(self, levels: int = 4) -> None:
        import unicorn
        from unicorn import x86_const

        self.x86 = x86_const
        self.version = importlib.metadata.version("unicorn")
        self.levels = levels
        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        self.uc.ctl_set_cpu_model(x86_const.UC_CPU_X86_ICELAKE_SERVER)
        self.uc.mem_map(0, MEMORY, unicorn.UC_PROT_ALL)
        self.image = Image(levels, HLT)
        self.image.put(SUPERVISOR_STUB + INVLPG, b"\x0f\x01\x3b")  # invlpg [rbx]
        self.image.put(SUPERVISOR_STUB + IRETQ, b"\x48\xcf")
        self.uc.mem_write(0, bytes(self.image.memory))
        self.exception: int | None = None
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._boot()

    # ------------------------------------------------------------ setting up

    def _boot(self) -> None:
        uc, x = self.uc, self.x86
        uc.reg_write(x.UC_X86_REG_GDTR, (0, GDT, 63, 0))
        uc.reg_write(x.UC_X86_REG_CS, 0x10)
        uc.reg_write(x.UC_X86_REG_SS, 0x18)
        uc.reg_write(x.UC_X86_REG_CR3, TABLES[self.levels])
        cr0, cr4, _ = control_registers(Cpu(cr3=0, levels=self.levels))
        uc.reg_write(x.UC_X86_REG_CR4, cr4)
        uc.reg_write(x.UC_X86_REG_GDTR, (0, self.image.at(GDT), 63, 0))
        uc.reg_write(x.UC_X86_REG_CR0, cr0)
        self.contexts = {False: uc.context_save()}
        self._enter_ring_3()
        self.contexts[True] = uc.context_save()
        uc.context_restore(self.contexts[False])
        self.scratch = uc.context_save()
        self.code = error_code_in(uc, self.scratch, self._fault)

    def _enter_ring_3(self) -> None:
        uc, x = self.uc, self.x86
        uc.mem_write(STACK, struct.pack("<5Q", self.image.at(USER_STUB), 0x23, 2, 0, 0x2B))
        uc.reg_write(x.UC_X86_REG_RSP, self.image.at(STACK))
        uc.emu_start(self.image.at(SUPERVISOR_STUB) + IRETQ, 0, count=1)
        if uc.reg_read(x.UC_X86_REG_CS) != 0x23:
            raise RuntimeError("unicorn: IRETQ did not enter ring 3")

    def _fault(self, user: bool, store: bool) -> None:
        """An access to a page that is not there."""
        self.uc.context_restore(self.contexts[user])
        self.uc.reg_write(self.x86.UC_X86_REG_RBX, 0x12345000)
        self._go(self.image.at(USER_STUB if user else SUPERVISOR_STUB) + (STORE if store else LOAD))

    # ------------------------------------------------------------ one access

    def _on_exception(self, uc: Any, number: int, data: Any) -> None:
        self.exception = number
        uc.emu_stop()

    def _go(self, address: int) -> int | None:
        """Run one instruction; Unicorn's own error, if it has one."""
        self.exception = None
        return carry_out(self.uc, address)

    def _write(self, entries: Iterable[tuple[int, int]]) -> None:
        for address, entry in entries:
            self.uc.mem_write(address, entry.to_bytes(8, "little"))

    def _read(self, address: int) -> int:
        return int.from_bytes(self.uc.mem_read(address, 8), "little")

    def _access(
        self, cpu: Cpu, access: Access, gva: int, may_store_to: Iterable[int], *, flush: bool, global_pages: bool = False
    ) -> Outcome:
        """Make an access, with every translation forgotten before it or not."""
        uc, x = self.uc, self.x86
        uc.context_restore(self.contexts[access.user])
        cr0, cr4, efer = control_registers(cpu, global_pages)
        uc.reg_write(x.UC_X86_REG_CR0, cr0)
        uc.reg_write(x.UC_X86_REG_CR4, cr4)
        uc.msr_write(EFER, efer)
        uc.reg_write(x.UC_X86_REG_EFLAGS, 2 | (AC if access.ac else 0))
        if flush:
            uc.reg_write(x.UC_X86_REG_CR3, cpu.cr3)
        uc.reg_write(x.UC_X86_REG_RBX, gva)
        uc.reg_write(x.UC_X86_REG_RAX, STORED)
        stub = self.image.at(USER_STUB if access.user else SUPERVISOR_STUB)
        error = self._go(gva if access.fetch else stub + (STORE if access.write else LOAD))
        return self._outcome(access, error, may_store_to)

    def _outcome(self, access: Access, error: int | None, may_store_to: Iterable[int]) -> Outcome:
        uc, x = self.uc, self.x86
        if self.exception == 14:
            uc.context_update(self.scratch)
            return Outcome("#PF", self.code[0], uc.reg_read(x.UC_X86_REG_CR2))
        if self.exception == 13:
            return Outcome("#GP")
        if self.exception is not None:
            return Outcome(f"exception {self.exception}")
        if error is not None:
            return Outcome(f"unicorn error {error}")
        if access.write:
            return Outcome("completed", 0, self._stored_at(may_store_to))
        return Outcome("completed", 0, told(uc.reg_read(x.UC_X86_REG_RAX), access.fetch) or 0)

    def _stored_at(self, may_store_to: Iterable[int]) -> int:
        """Where a store went, which is put back as it was."""
        at = next((p for p in may_store_to if self._read(p) == STORED), None)
        if at is None:
            at = bytes(self.uc.mem_read(0, MEMORY)).find(STORED.to_bytes(8, "little"))
        if at >= 0:
            self._write([(at, slot(at, HLT))])
        return at

    def _entries(self, entries: Mapping[int, int]) -> dict[int, int]:
        """The entries as they are now; then they are cleared."""
        now = {a: self._read(a) for a in entries}
        self._write((a, 0) for a in entries)
        return now

    # ------------------------------------------------------------ tests

    def walks(self, tests: Sequence[WalkTest]) -> list[Observed]:
        """Perform walk tests."""
        return [self._walk(test) for test in tests]

    def _walk(self, test: WalkTest) -> Observed:
        self._write(test.entries.items())
        outcome = self._access(test.cpu, test.access, test.gva, destination(test), flush=True)
        return Observed(outcome, self._entries(test.entries))

    def stale_walks(self, tests: Sequence[StaleTest]) -> list[Observed]:
        """Perform tests of staleness."""
        return [self._stale_walk(test) for test in tests]

    def _stale_walk(self, test: StaleTest) -> Observed:
        self._write(test.before.items())
        self._access(test.cpu, test.first, test.gva, places(test), flush=True, global_pages=test.global_page)
        self._write(test.edits)
        for operation in test.invalidation:
            self._invalidate(operation, test)
        outcome = self._access(test.cpu, test.second, test.gva, places(test), flush=False, global_pages=test.global_page)
        return Observed(outcome, self._entries(test.before))

    def _invalidate(self, operation: Operation, test: StaleTest) -> None:
        if isinstance(operation, LoadCr3):
            self.uc.reg_write(self.x86.UC_X86_REG_CR3, TABLES[test.cpu.levels])
        elif isinstance(operation, Invlpg):
            self.uc.context_restore(self.contexts[False])
            self.uc.reg_write(self.x86.UC_X86_REG_RBX, operation.gva)
            self._go(self.image.at(SUPERVISOR_STUB) + INVLPG)
        else:
            changed = (
                (test.cpu, not test.global_page)
                if isinstance(operation, TogglePge)
                else (attrs.evolve(test.cpu, smep=True), test.global_page)
            )
            for cpu, global_pages in (changed, (test.cpu, test.global_page)):
                self.uc.reg_write(self.x86.UC_X86_REG_CR4, control_registers(cpu, global_pages)[1])
