"""System calls that are made in another process's name, by ptrace (ptrace(2), x86-64).

A process is stopped with all its threads. The registers of one are pointed at a ``syscall`` instruction of the process's own vDSO,
and that one instruction is stepped. Afterwards the registers are what they were; a system call that was interrupted is started
again by the kernel.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import attrs

CONT, STEP, GETREGS, SETREGS, DETACH, SEIZE, INTERRUPT = 7, 9, 12, 13, 17, 0x4206, 0x4207
EVENT_STOP = 128
"""``PTRACE_EVENT_STOP``: a thread has stopped because it was asked to, and not for a signal."""
WALL = 0x40000000
"""``__WALL``: threads that were made by clone too."""
NAMES = (
    "r15",
    "r14",
    "r13",
    "r12",
    "rbp",
    "rbx",
    "r11",
    "r10",
    "r9",
    "r8",
    "rax",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
    "orig_rax",
    "rip",
    "cs",
    "eflags",
    "rsp",
    "ss",
    "fs_base",
    "gs_base",
    "ds",
    "es",
    "fs",
    "gs",
)
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
    """A process that is stopped, and the thread that makes calls for it."""

    pid: int
    before: Registers
    gate: int
    """The address of a ``syscall`` instruction."""
    signals: list[int]
    """Signals that came meanwhile; they are sent again."""
    thread: int = attrs.field(default=attrs.Factory(lambda self: self.pid, takes_self=True))

    def call(self, number: int, *arguments: int) -> int:
        """The result of a system call in the process's name; below 0 is an error number."""
        registers = Registers.from_buffer_copy(self.before)
        registers.rax, registers.orig_rax, registers.rip = number, (1 << 64) - 1, self.gate
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments, strict=False):
            setattr(registers, name, value)
        _ptrace(SETREGS, self.thread, ctypes.byref(registers))
        while True:
            _ptrace(STEP, self.thread)
            _, status = os.waitpid(self.thread, WALL)
            if not os.WIFSTOPPED(status):
                raise ProcessLookupError(self.pid)
            if os.WSTOPSIG(status) == signal.SIGTRAP:
                break
            self.signals.append(os.WSTOPSIG(status))
        _ptrace(GETREGS, self.thread, ctypes.byref(registers))
        return int(ctypes.c_int64(registers.rax).value)


@contextmanager
def stopped(pid: int) -> Iterator[Stopped]:
    """A process while all its threads are stopped; it goes on afterwards. ``OSError`` if it may not be traced, or has gone."""
    with ExitStack() as threads:
        signals = list[int]()
        thread = _all_stopped(pid, threads, signals)
        process = Stopped(pid, Registers(), _gate(pid), signals, thread)
        _ptrace(GETREGS, thread, ctypes.byref(process.before))
        try:
            yield process
        finally:
            with suppress(OSError):  # it has gone
                _ptrace(SETREGS, thread, ctypes.byref(process.before))
    with suppress(OSError):
        for number in signals:
            os.kill(pid, number)


def _all_stopped(pid: int, threads: ExitStack, signals: list[int]) -> int:
    """Stop one thread after the other until there are no others, for those that still run may start more. The first of them."""
    found, gone = list[int](), set[int]()
    why: OSError = ProcessLookupError(pid)
    while waiting := [int(each) for each in os.listdir(f"/proc/{pid}/task") if int(each) not in {*found, *gone}]:
        for thread in sorted(waiting):
            try:
                threads.enter_context(_one_stopped(thread, signals))
                found.append(thread)
            except OSError as error:  # it ends just now, or none may be traced
                why = error
                gone.add(thread)
    if not found:
        raise why
    return found[0]


@contextmanager
def _one_stopped(thread: int, signals: list[int]) -> Iterator[None]:
    """A thread while it is stopped, and the signals that came before it was."""
    _ptrace(SEIZE, thread)
    _ptrace(INTERRUPT, thread)
    while True:
        _, status = os.waitpid(thread, WALL)
        if not os.WIFSTOPPED(status):
            raise ProcessLookupError(thread)
        asked = status >> 16 == EVENT_STOP
        if os.WSTOPSIG(status) != signal.SIGTRAP or not asked:
            signals.append(os.WSTOPSIG(status))
        if asked:
            break
        _ptrace(CONT, thread)
    try:
        yield
    finally:
        with suppress(OSError):
            _ptrace(DETACH, thread)


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
