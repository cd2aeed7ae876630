"""System calls that are made in another process's name, by ptrace (ptrace(2), x86-64).

A process is stopped, its registers are pointed at a ``syscall`` instruction of its own vDSO, and that one instruction is stepped.
Afterwards the registers are what they were; a system call that was interrupted is started again by the kernel.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

GETREGS, SETREGS, STEP, DETACH, SEIZE, INTERRUPT = 12, 13, 9, 17, 0x4206, 0x4207
WALL = 0x40000000
"""``__WALL``: threads that were made by clone too."""
NAMES = ("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip",
         "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs")
MADVISE = 28
PR_SET_THP_DISABLE, PR_GET_THP_DISABLE = 41, 42
DONT_DUMP, DO_DUMP = 16, 17
"""``MADV_DONTDUMP`` and ``MADV_DODUMP`` (madvise(2))."""


class Registers(ctypes.Structure):
    """``struct user_regs_struct`` of x86-64."""

    _fields_ = [(name, ctypes.c_uint64) for name in NAMES]


def is_supported() -> bool:
    """Whether this is the system that the calls are for."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    return libc


def _ptrace(request: int, pid: int, data: object = None) -> None:
    if _libc().ptrace(request, pid, None, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")


@attrs.define
class Stopped:
    """A process that is stopped."""

    pid: int
    before: Registers
    gate: int
    """The address of a ``syscall`` instruction."""
    signals: list[int]
    """Signals that came meanwhile; they are sent again."""

    def call(self, number: int, *arguments: int) -> int:
        """The result of a system call in the process's name; below 0 is an error number."""
        registers = Registers.from_buffer_copy(self.before)
        registers.rax, registers.orig_rax, registers.rip = number, (1 << 64) - 1, self.gate
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments, strict=False):
            setattr(registers, name, value)
        _ptrace(SETREGS, self.pid, ctypes.byref(registers))
        while True:
            _ptrace(STEP, self.pid)
            _, status = os.waitpid(self.pid, WALL)
            if not os.WIFSTOPPED(status):
                raise ProcessLookupError(self.pid)
            if os.WSTOPSIG(status) == signal.SIGTRAP:
                break
            self.signals.append(os.WSTOPSIG(status))
        _ptrace(GETREGS, self.pid, ctypes.byref(registers))
        return int(ctypes.c_int64(registers.rax).value)


@contextmanager
def stopped(pid: int) -> Iterator[Stopped]:
    """A process while it is stopped; it goes on afterwards. ``OSError`` if it may not be traced, or has gone."""
    _ptrace(SEIZE, pid)
    _ptrace(INTERRUPT, pid)
    _, status = os.waitpid(pid, WALL)
    if not os.WIFSTOPPED(status):
        raise ProcessLookupError(pid)
    pending = [] if os.WSTOPSIG(status) == signal.SIGTRAP else [os.WSTOPSIG(status)]
    process = Stopped(pid, Registers(), _gate(pid), pending)
    _ptrace(GETREGS, pid, ctypes.byref(process.before))
    try:
        yield process
    finally:
        try:
            _ptrace(SETREGS, pid, ctypes.byref(process.before))
            _ptrace(DETACH, pid)
            for number in process.signals:
                os.kill(pid, number)
        except OSError:
            pass  # it has gone


def _gate(pid: int) -> int:
    """Where the process's vDSO has a ``syscall`` instruction (0F 05)."""
    with open(f"/proc/{pid}/maps") as maps:
        spans = [line.split()[0] for line in maps if line.rstrip().endswith("[vdso]")]
    if not spans:
        raise OSError("the process has no vDSO")
    start, end = (int(each, 16) for each in spans[0].split("-"))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(start)
        found = memory.read(end - start).find(b"\x0f\x05")
    if found < 0:
        raise OSError("the vDSO has no syscall instruction")
    return start + found
