"""Unicorn, which is QEMU's softmmu as a library, driven as a machine that does one access at a time.

Code, a GDT and a stack lie in slot 511 of the root table, out of the tests' way. What had to be found out:

- SMAP exists only with a processor model that has it.
- CS and SS written from outside do not change the privilege level: ring 3 is entered by a real IRETQ.
- Exceptions are not delivered to the IDT but hooked; the error code is no register, it is found in the raw context by what
  changes between faults of known kinds. After a fault the saved context is put back, or the next fault is a double fault.
- Each access runs one instruction, without an end address: at an end address Unicorn walks tables of its own accord.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import struct
from typing import Any

from refmodel.machine.guest_walk import RW, US, A, D, P
from refmodel.oracle.judging import Observed
from refmodel.oracle.walk_tests import TABLES, WINDOW, WalkTest

MEMORY = 0x400000
CODE = 0x10000
"""Physical pages: supervisor code, user code, the GDT, the stack."""

LOAD, STORE, IRETQ = 0x00, 0x10, 0x40
"""Where in a code page each instruction is."""

CR0, CR0_WP = 0x80000033, 0x10000
CR4_PAE, CR4_LA57, CR4_SMEP, CR4_SMAP = 0x20, 0x1000, 0x100000, 0x200000
EFER, EFER_LME_LMA, EFER_NXE = 0xC0000080, 0x500, 0x800
STORED = 0xFEEDFACE00000000
SLOT = struct.Struct("<BI3s")


def slot(address: int) -> bytes:
    """What lies in every 8 bytes of data: ``mov eax, address >> 3; hlt``, so that load and fetch tell where they went."""
    return SLOT.pack(0xB8, address >> 3, b"\xf4\x90\x90")


class UnicornMmu:
    """One Unicorn machine with 4 or 5 levels."""

    name = "unicorn"
    physical_bits = 40

    def __init__(self, levels: int = 4) -> None:
        import unicorn
        from unicorn import x86_const

        self.x86, self.error = x86_const, unicorn.UcError
        self.version = importlib.metadata.version("unicorn")
        self.levels = levels
        self.top = TABLES[levels]
        self.base = 0xFFFFFF8000000000 if levels == 4 else 0xFFFF000000000000
        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        self.uc.ctl_set_cpu_model(x86_const.UC_CPU_X86_ICELAKE_SERVER)
        self.uc.mem_map(0, MEMORY, unicorn.UC_PROT_ALL)
        self._fill()
        self.exception: int | None = None
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._boot()

    # ------------------------------------------------------------ setting up

    def _fill(self) -> None:
        self.uc.mem_write(WINDOW.start, b"".join(slot(a) for a in range(WINDOW.start, WINDOW.stop + 0x10000, 8)))
        at = self.top + 511 * 8
        for level in range(self.levels - 1, 0, -1):
            table = 0x20000 + level * 0x1000
            self._word(at, table | P | RW | US | A | D)
            at = table
        for i, rights in enumerate((0, US, 0, 0)):
            self._word(at + 8 * i, (CODE + 0x1000 * i) | P | RW | A | D | rights)
        for page in (CODE, CODE + 0x1000):
            self.uc.mem_write(page + LOAD, b"\x48\x8b\x03\xf4")  # mov rax, [rbx]; hlt
            self.uc.mem_write(page + STORE, b"\x48\x89\x03\xf4")  # mov [rbx], rax; hlt
        self.uc.mem_write(CODE + 0x1000 + IRETQ, b"\x48\xcf")
        descriptors = (0, 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0x00AFFB000000FFFF, 0x00CFF3000000FFFF)
        self.uc.mem_write(CODE + 0x2000, struct.pack("<6Q", *descriptors))

    def _word(self, address: int, value: int) -> None:
        self.uc.mem_write(address, value.to_bytes(8, "little"))

    def _boot(self) -> None:
        uc, x = self.uc, self.x86
        uc.reg_write(x.UC_X86_REG_GDTR, (0, CODE + 0x2000, 47, 0))
        uc.reg_write(x.UC_X86_REG_CS, 0x10)
        uc.reg_write(x.UC_X86_REG_SS, 0x18)
        uc.reg_write(x.UC_X86_REG_CR3, self.top)
        uc.reg_write(x.UC_X86_REG_CR4, CR4_PAE | (CR4_LA57 if self.levels == 5 else 0))
        uc.reg_write(x.UC_X86_REG_GDTR, (0, self.base + 0x2000, 47, 0))
        uc.reg_write(x.UC_X86_REG_CR0, CR0 | CR0_WP)
        self.contexts = {False: uc.context_save()}
        self._enter_ring_3()
        self.contexts[True] = uc.context_save()
        uc.context_restore(self.contexts[False])
        self._find_error_code()

    def _enter_ring_3(self) -> None:
        uc, x = self.uc, self.x86
        uc.mem_write(CODE + 0x3000, struct.pack("<5Q", self.base + 0x1000, 0x23, 2, 0, 0x2B))
        uc.reg_write(x.UC_X86_REG_RSP, self.base + 0x3000)
        uc.emu_start(self.base + 0x1000 + IRETQ, 0, count=1)
        if uc.reg_read(x.UC_X86_REG_CS) != 0x23:
            raise RuntimeError("unicorn: IRETQ did not enter ring 3")

    def _find_error_code(self) -> None:
        """Which 4 bytes of the context are 0, 2, 4 and 6 after the four faults on a page that is not there."""
        self.scratch = self.uc.context_save()
        found: set[int] | None = None
        for user, offset, code in ((False, LOAD, 0), (False, STORE, 2), (True, LOAD, 4), (True, STORE, 6)):
            self.uc.context_restore(self.contexts[user])
            self.uc.reg_write(self.x86.UC_X86_REG_RBX, 0x12345000)
            self._go(self.base + (0x1000 if user else 0) + offset)
            self.uc.context_update(self.scratch)
            raw = ctypes.string_at(self.scratch.context, self.scratch.size)
            here = {o for o in range(0, len(raw) - 3, 4) if struct.unpack_from("<i", raw, o)[0] == code}
            found = here if found is None else found & here
        if not found or len(found) != 1:
            raise RuntimeError("unicorn: cannot tell where this version keeps the error code")
        context = self.scratch.context
        start = context.value if hasattr(context, "value") else context
        self.code = ctypes.cast(start + found.pop(), ctypes.POINTER(ctypes.c_int32))

    # ------------------------------------------------------------ one access

    def _on_exception(self, uc: Any, number: int, data: Any) -> None:
        self.exception = number
        uc.emu_stop()

    def _go(self, address: int) -> int | None:
        """Run one instruction; Unicorn's own error, if it has one."""
        self.exception = None
        try:
            self.uc.emu_start(address, 0, count=1)
        except self.error as error:
            return int(error.errno)
        return None

    def run(self, test: WalkTest) -> Observed:
        """Do what a test says, and put memory back."""
        uc = self.uc
        for address, entry in test.entries.items():
            uc.mem_write(address, entry.to_bytes(8, "little"))
        self._registers(test)
        access = test.access
        code = self.base + (0x1000 if access.user else 0) + (STORE if access.write else LOAD)
        error = self._go(test.gva if access.fetch else code)
        observed = self._observe(test, error)
        for address in test.entries:
            uc.mem_write(address, b"\0" * 8)
        return observed

    def _registers(self, test: WalkTest) -> None:
        uc, x, cpu = self.uc, self.x86, test.cpu
        uc.context_restore(self.contexts[test.access.user])
        uc.reg_write(x.UC_X86_REG_CR0, CR0 | (CR0_WP if cpu.wp else 0))
        uc.reg_write(x.UC_X86_REG_CR4, CR4_PAE | (CR4_LA57 if self.levels == 5 else 0)
                     | (CR4_SMEP if cpu.smep else 0) | (CR4_SMAP if cpu.smap else 0))
        uc.msr_write(EFER, EFER_LME_LMA | (EFER_NXE if cpu.nxe else 0))
        uc.reg_write(x.UC_X86_REG_EFLAGS, 0x40002 if test.access.ac else 2)
        uc.reg_write(x.UC_X86_REG_CR3, self.top)  # forgets every translation
        uc.reg_write(x.UC_X86_REG_RBX, test.gva)
        uc.reg_write(x.UC_X86_REG_RAX, STORED | (test.gva & 0xFFFFFFFF))

    def _observe(self, test: WalkTest, error: int | None) -> Observed:
        uc, x = self.uc, self.x86
        entries = {a: int.from_bytes(uc.mem_read(a, 8), "little") for a in test.entries}
        if self.exception == 14:
            uc.context_update(self.scratch)
            return Observed("#PF", self.code[0], uc.reg_read(x.UC_X86_REG_CR2), entries)
        if self.exception == 13:
            return Observed("#GP", 0, 0, entries)
        if self.exception is not None:
            return Observed(f"exception {self.exception}", 0, 0, entries)
        if error is not None:
            return Observed(f"unicorn error {error}", 0, 0, entries)
        rax = uc.reg_read(x.UC_X86_REG_RAX)
        if test.access.write:
            return Observed("completed", 0, self._stored_at(rax, test), entries)
        word = rax & 0xFFFFFFFF if test.access.fetch else rax >> 8 & 0xFFFFFFFF
        return Observed("completed", 0, word << 3, entries)

    def _stored_at(self, value: int, test: WalkTest) -> int:
        """Where a store went: where it should have gone, if it is there, and else wherever it is."""
        raw = value.to_bytes(8, "little")
        frames = [e & ((1 << 40) - 0x1000) for e in test.entries.values()]
        likely = [f + (test.gva & 0xFFF) for f in frames] + [test.gva & 0x1FFFFF, test.gva & 0x3FFFFFFF]
        for address in likely:
            if WINDOW.start <= address < MEMORY - 8 and self.uc.mem_read(address, 8) == raw:
                self.uc.mem_write(address, slot(address))
                return address
        at: int = bytes(self.uc.mem_read(0, MEMORY)).find(raw)
        if at >= 0:
            self.uc.mem_write(at, slot(at))
        return at
