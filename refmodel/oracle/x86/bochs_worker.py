"""The Bochs processor in a process of its own: ``python -m refmodel.oracle.x86.bochs_worker MEMORY KIND``.

The library is not made for this C library nor for being unloaded: it is bound lazily, since it asks for two functions that older C
libraries lack and never calls them; its stub for the A20 gate, which stops the process, is overwritten; and the process
ends without unloading it. Each line read lets the agent carry out a script, and is answered by a line.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from refmodel.oracle.x86.agent.image import AGENT, BOOT_TABLES, GDT, IDT, MAILBOX, MEMORY, SUPERVISOR_STUB, TSS, Image
from refmodel.oracle.x86.agent.legacy_image import ENTER, LegacyImage

A20_ENABLED = b"\xb8\x01\x00\x00\x00\xc3"  # mov eax, 1; ret
KINDS: dict[str, Callable[[], Image]] = {
    "4": Image,
    "5": partial(Image, 5),
    "32": partial(LegacyImage, False),
    "pae": partial(LegacyImage, True),
}


def kind_of(image: Image) -> str:
    """What kind of paging the agent's memory is for, which is how a process is told of it."""
    return ("pae" if image.pae else "32") if isinstance(image, LegacyImage) else str(image.levels)


def load() -> Any:
    """The library, made to work here."""
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_LAZY)
    try:
        import bochscpu
        import bochscpu.cpu
        import bochscpu.memory
    finally:
        sys.setdlopenflags(flags)
    library = ctypes.CDLL(bochscpu._bochscpu.__file__, mode=os.RTLD_LAZY)
    stub = ctypes.cast(library._ZN14bx_pc_system_c14get_enable_a20Ev, ctypes.c_void_p).value
    assert stub is not None
    libc = ctypes.CDLL(None)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    page = stub & ~0xFFF
    if libc.mprotect(page, 0x2000, 7):
        raise OSError("cannot change the library's stub for the A20 gate")
    ctypes.memmove(stub, A20_ENABLED, len(A20_ENABLED))
    libc.mprotect(page, 0x2000, 5)
    return bochscpu


class Worker:
    """One processor over memory that is shared with whoever asks."""

    def __init__(self, file: Path, image: Image) -> None:
        self.bochs = load()
        with file.open("r+b") as memory:
            self._memory = mmap.mmap(memory.fileno(), 0)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        for number, piece in enumerate((0, *image.high)):
            for offset in range(0, MEMORY, 0x1000):
                self.bochs.memory.page_insert(piece + offset, start + number * MEMORY + offset)
        self.session = self.bochs.Session()
        self.session.missing_page_handler = self._missing
        self.hook = self.bochs.Hook()
        self.hook.clflush = lambda session, *_: session.stop()
        self.session.cpu.state = self._state(image)

    def _missing(self, address: int) -> None:
        """Memory that nobody has put there reads as zero."""
        self.bochs.memory.page_insert(address & ~0xFFF, self.bochs.memory.allocate_host_page())

    def _segment(self, selector: int, attributes: int, base: int = 0, limit: int = 0xFFFFFFFF, present: bool = True) -> Any:
        segment = self.bochs.Segment()
        segment.present, segment.selector, segment.base, segment.limit, segment.attr = present, selector, base, limit, attributes
        return segment

    def _table(self, base: int, limit: int) -> Any:
        table = self.bochs.GlobalSegment()
        table.base, table.limit = base, limit
        return table

    def _state(self, image: Image) -> Any:
        """As the agent expects it: its mode, the tables to start with, its own pages."""
        at, state = image.at, self.bochs.State()
        state.cr0, state.cr3, state.cr4, state.efer = 0x80010033, BOOT_TABLES, image.cr4, image.efer
        state.cs, data = self._segment(0x10, 0xA09B if image.long else 0xC09B), self._segment(0x18, 0xC093)
        state.ss, state.ds = data, data if image.long else self._segment(0x2B, 0xC0F3)
        state.es = state.fs = state.gs = state.ds
        state.tr = self._segment(0x30, 0x8B, at(TSS), 0x67)
        state.ldtr = self._segment(0, 0x82, 0, 0, present=False)
        state.gdtr, state.idtr = self._table(at(GDT), 63), self._table(at(IDT), 4095)
        state.rip, state.rbp, state.r14 = at(AGENT), at(MAILBOX), image.direct
        state.rsi, state.rsp, state.r12 = image.direct, image.stack_top, image.stack_top
        state.rflags, state.xcr0, state.apic_base = 2, 1, 0xFEE00900
        state.fpcw, state.mxcsr, state.mxcsr_mask, state.pat = 0x37F, 0x1F80, 0xFFFF, 0x0007040600070406
        state.dr6, state.dr7 = 0xFFFF0FF0, 0x400
        if not image.long:  # a state that is written does not load the PDPTE registers; switching paging on does
            state.rax, state.cr0, state.rcx, state.rip = state.cr0, 0x10033, state.rip, SUPERVISOR_STUB + ENTER
        return state

    def serve(self) -> None:
        print("ready", flush=True)
        for _ in sys.stdin:
            self.session.run([self.hook])
            print("done", flush=True)


if __name__ == "__main__":
    Worker(Path(sys.argv[1]), KINDS[sys.argv[2]]()).serve()
    sys.stdout.flush()
    os._exit(0)
