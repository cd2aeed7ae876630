"""Unicorn as a RISC-V machine that does one access at a time, in S- or U-mode through satp's tables.

The agent cannot run in it: Unicorn delivers no trap, and its processors have no hypervisor extension. What had to be found out:

- A trap comes to a hook as its cause. The address that goes to stval is in no register; it is found in the raw context.
- An access to where there is no memory comes to no trap, but to an error of Unicorn's own. It stands for the instruction's access
  fault.
- Physical memory protection is there, and denies everything at first.
- An access with MPRV is one instruction in M-mode. A fetch is one instruction in S- or U-mode, which the register PRIV enters.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from refmodel.machine.riscv.hart import INSTRUCTION_FAULT, LOAD_FAULT, MACHINE, STORE_FAULT, Instruction, Trap
from refmodel.oracle.judging import Lost
from refmodel.oracle.riscv.agent_walks import MPP, WRITES, mstatus_of
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.layout import BASE, MEMORY, SLOTS, STORED, TABLES, VS_TABLES, WINDOW, fetched, slot, told
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome, due
from refmodel.oracle.riscv.stale_tests import Fence, StaleTest, places_of
from refmodel.oracle.riscv.walk_tests import WalkTest, mode_of
from refmodel.oracle.unicorn_common import carry_out, pointer_to

STUBS = {Instruction.LOAD: 0x0005_2383, Instruction.STORE: 0x01C5_2023, Instruction.AMO: 0x09C5_23AF}
"""lw t2, 0(a0); sw t3, 0(a0); amoswap.w t2, t3, (a0). Bit 12 makes them 64 bits wide."""
FENCES = (0x1200_0073, 0x1205_8073, 0x12C0_0073, 0x12C5_8073)
"""sfence.vma with rs1 (a1) and rs2 (a2) being x0 or not, in the order in which ``Fence.kind`` counts them."""
OPEN = (0x3B02_9073, 0x3A03_1073)
"""csrw pmpaddr0, t0; csrw pmpcfg0, t1: all of memory may be used by every mode."""
FIRST = BASE + 0x100
"""Where these instructions lie."""
END = 1
"""The end address that Unicorn is given. No instruction lies at an odd one."""
ILLEGAL = 2
ACCESS_FAULTS = {Instruction.FETCH: INSTRUCTION_FAULT, Instruction.LOAD: LOAD_FAULT}
"""Stores and AMOs have ``STORE_FAULT``."""


class UnicornRiscv:
    """One Unicorn machine of 64 or 32 bits. Raises ``ImportError`` if there is no Unicorn."""

    def __init__(self, xlen: int = 64) -> None:
        import unicorn
        from unicorn import riscv_const

        self.xlen, self.x = xlen, riscv_const
        self.version = importlib.metadata.version("unicorn")
        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64 if xlen == 64 else unicorn.UC_MODE_RISCV32)
        self.uc.ctl_set_cpu_model(riscv_const.UC_CPU_RISCV64_SIFIVE_U54 if xlen == 64 else riscv_const.UC_CPU_RISCV32_SIFIVE_U34)
        self.uc.mem_map(BASE, MEMORY, unicorn.UC_PROT_ALL)
        self.vacant = (unicorn.UC_ERR_READ_UNMAPPED, unicorn.UC_ERR_WRITE_UNMAPPED, unicorn.UC_ERR_FETCH_UNMAPPED)
        self.cause: int | None = None
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_trap)
        self.uc.mem_write(WINDOW.start, SLOTS)
        self.stubs = self._with_stubs()
        self._boot()

    def _with_stubs(self) -> dict[object, int]:
        """Where each instruction lies: of accesses, of fences by their kind, and those that open memory."""
        wide = 0x1000 if self.xlen == 64 else 0
        words: dict[object, int] = {kind: word | wide for kind, word in STUBS.items()}
        words.update(enumerate(FENCES))
        words.update((str(word), word) for word in OPEN)
        for number, word in enumerate(words.values()):
            self.uc.mem_write(FIRST + 4 * number, struct.pack("<I", word))
        return {kind: FIRST + 4 * number for number, kind in enumerate(words)}

    def _boot(self) -> None:
        self._set("T0", (1 << self.xlen) - 1 >> (10 if self.xlen == 64 else 0))
        self._set("T1", 0x1F)
        for word in OPEN:
            self._go(self.stubs[str(word)])
        self._set("T3", STORED)
        self.scratch = self.uc.context_save()
        self.tval = pointer_to(
            self.uc, self.scratch, self._faults(), ctypes.c_uint64 if self.xlen == 64 else ctypes.c_int32, "the address of a fault"
        )

    def _faults(self) -> Iterator[int]:
        """Loads through tables that are empty, and their addresses."""
        self._set("SATP", mode_of(2 if self.xlen == 32 else 3) | VS_TABLES[3] >> 12)
        self._set("MSTATUS", 1 << 17 | 1 << 11)  # MPRV, as S-mode
        for address in (0x1234_5678, 0x2468_ACE0, 0x0765_4320):
            self._set("A0", address)
            self._go(self.stubs[Instruction.LOAD])
            self._set("A0", 0)
            yield address

    # ------------------------------------------------------------ one access

    def _on_trap(self, uc: Any, cause: int, data: Any) -> None:
        self.cause = cause
        uc.emu_stop()

    def _set(self, register: str, value: int) -> None:
        self.uc.reg_write(getattr(self.x, f"UC_RISCV_REG_{register}"), value)

    def _get(self, register: str) -> int:
        return int(self.uc.reg_read(getattr(self.x, f"UC_RISCV_REG_{register}")))

    def _go(self, address: int) -> int | None:
        """Run one instruction; Unicorn's own error, if it has one."""
        self.cause = None
        return carry_out(self.uc, address, END)

    def _read(self, address: int, size: int) -> int:
        return int.from_bytes(self.uc.mem_read(address, size), "little")

    def _write(self, entries: Mapping[int, int], size: int) -> None:
        for at, entry in entries.items():
            self.uc.mem_write(at, entry.to_bytes(size, "little"))

    def _enter(self, test: WalkTest) -> None:
        """The tables of a test, and none of its translations remembered."""
        self._set("SATP", test.hart.satp)
        if self._get("SATP") != test.hart.satp:
            raise Lost(f"the machine does not take the registers of {test.stages.name}")
        self._go(self.stubs[0])

    def _access(self, test: WalkTest, places: Sequence[int]) -> Outcome:
        """Make a test's access. A store is looked for in these places, then from the tables to the window's end, and undone."""
        fetch = test.instruction is Instruction.FETCH
        status = mstatus_of(test.hart, test.instruction) & ~(3 << MPP) | test.hart.mpp << MPP
        self._set("MSTATUS", status & (1 << self.xlen) - 1)
        self._set("A0", test.address)
        if fetch:
            self._set("PRIV", test.hart.privilege)
        error = self._go(test.address if fetch else self.stubs[test.instruction])
        self._set("PRIV", MACHINE)
        if error is not None and error not in self.vacant:
            raise Lost(f"Unicorn ended with its error {error}")
        if error is not None:
            return Outcome(trap=Trap(ACCESS_FAULTS.get(test.instruction, STORE_FAULT), 0, 0, 0, False))
        if self.cause is not None:
            self.uc.context_update(self.scratch)
            return Outcome(trap=Trap(self.cause, self.tval[0] & (1 << self.xlen) - 1, 0, 0, False))
        if fetch:
            return Outcome(physical=fetched(self._get("T2")))
        return Outcome(physical=self._stored(places) if test.instruction in WRITES else told(self._get("T2")))

    def _stored(self, places: Sequence[int]) -> int | None:
        """Where a store went. What lay there is put back: a slot in the window, elsewhere nothing."""
        size = self.xlen // 8
        at = next((at for at in places if self._read(at, size) == STORED), None)
        if at is None:
            found = bytes(self.uc.mem_read(TABLES.start, WINDOW.stop - TABLES.start)).find(STORED.to_bytes(size, "little"))
            at = TABLES.start + found if found >= 0 else None
        if at is not None:
            self.uc.mem_write(at, (slot(at) if at in range(WINDOW.start, WINDOW.stop) else 0).to_bytes(8, "little")[:size])
        return at

    # ------------------------------------------------------------ tests

    def profile(self) -> Profile:
        """What the machine has: its satp is asked, and what no version that is known has is not."""
        modes = (2,) if self.xlen == 32 else (3, 4, 5)
        taken = []
        for levels in modes:
            self._set("SATP", mode_of(levels))
            taken += [levels] if self._get("SATP") == mode_of(levels) else []
        return Profile(svadu=False, svpbmt=False, schemes=tuple(taken), svnapot=False, svinval=False, sets_flags=True)

    def walks(self, tests: Sequence[WalkTest]) -> list[tuple[Lawful, Observed]]:
        """Make these accesses: what is due of each, and what came of it."""
        return [self._walk(test) for test in tests]

    def _walk(self, test: WalkTest) -> tuple[Lawful, Observed]:
        size = test.stages.size
        way = due(test.entries, test.hart, test.instruction, test.address)
        self._write(test.entries, size)
        self._enter(test)
        at = way.outcome.physical
        outcome = self._access(test, [at] if at is not None and at & ~0xFFF in WINDOW else [])
        now = {at: self._read(at, size) for at in test.entries}
        self._write(dict.fromkeys(test.entries, 0), size)
        return way, Observed(outcome, now)

    def stale_walks(self, tests: Sequence[StaleTest]) -> list[list[Observed]]:
        """Carry out tests of staleness: what came of each access of each."""
        return [self._stale_walk(test) for test in tests]

    def _stale_walk(self, test: StaleTest) -> list[Observed]:
        start, size, seen = test.start, test.start.stages.size, []
        self._write(start.entries, size)
        self._enter(start)
        places = places_of(test)
        for number, access in enumerate(test.tests):
            if number:
                made = test.rounds[number - 1]
                self._write({test.place: made.entry}, size)
                self._fence(made.fence)
            outcome = self._access(access, places)
            seen.append(Observed(outcome, {at: self._read(at, size) for at in start.entries}))
        self._write(dict.fromkeys(start.entries, 0), size)
        return seen

    def _fence(self, fence: Fence | None) -> None:
        if fence is None:
            return
        self._set("A1", fence.address or 0)
        self._set("A2", fence.identifier or 0)
        self._go(self.stubs[fence.kind])
        if self.cause == ILLEGAL:
            raise Lost(f"Unicorn does not know {fence.name}")
