"""Why an access on RISC-V faults, in a few words: what classes of deviation are told apart by."""

from __future__ import annotations

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.hart import access_of, effective, g_stage, hs_stage, translate, vs_stage
from refmodel.machine.riscv.two_stages import GuestPageFault
from refmodel.machine.riscv.walk import AccessFault, PageFault, allowed, valid
from refmodel.machine.riscv.words import PBMT, RESERVED, A, D, N, R, U, V, W, X
from refmodel.machine.words import Marked
from refmodel.oracle.riscv.layout import is_vs, level_of
from refmodel.oracle.riscv.walk_tests import WalkTest


class _Watched(Marked):
    """Memory that knows which entry was read last."""

    __slots__ = ("last",)

    def __init__(self, words: dict[int, int]) -> None:
        super().__init__(words)
        self.last: int | None = None

    def read(self, address: int) -> int:
        self.last = address
        return super().read(address)


def reason(test: WalkTest) -> str:
    """What is wrong with the entry that the access comes to grief on."""
    memory = _Watched({**test.fixed, **test.entries})
    try:
        translate(memory, test.hart, test.instruction, test.address)
    except AccessFault:
        return "an address beyond memory"
    except Fault as fault:
        if memory.last is None:
            return "address bits that are not translated"
        entry = memory.words.get(memory.last, 0)
        high = test.stages.low and isinstance(fault, GuestPageFault) and fault.gpa >> 32
        return _why(test, memory.last, entry, _level(memory.last, test)) + (", of an address from 4 GiB on" if high else "")
    return "nothing"


def failing_stage(test: WalkTest) -> str:
    """Whether an access that faults does so in the ``first`` stage or in the ``second``."""
    try:
        translate(Marked({**test.fixed, **test.entries}), test.hart, test.instruction, test.address)
    except PageFault:
        return "first"
    except Fault:
        return "second" if test.stages.second else "first"
    raise ValueError("the access is let through")


def _level(address: int, test: WalkTest) -> int:
    try:
        return level_of(address, test.stages.second)
    except KeyError:  # a table that an odd page number led to
        return 0


def _why(test: WalkTest, address: int, entry: int, level: int) -> str:
    """What is wrong with an entry, or what a leaf does not have that is well formed."""
    hart, instruction = test.hart, test.instruction
    vs = is_vs(address)
    stage = (vs_stage(hart) if test.stages.virtual else hs_stage(hart)) if vs else g_stage(hart)
    access = access_of(instruction, effective(hart, instruction).user)
    if stage is None or not valid(stage, entry, level, entry & (R | X) != 0):
        return wrong_with(entry, level, test.stages.bits)
    if allowed(stage, access, entry):
        return "a flag is not set"
    return "wrong U for the mode" if allowed(attrs.evolve(stage, sum=True), access, entry) else "a permission is missing"


def wrong_with(entry: int, level: int, bits: int = 9) -> str:
    """The first thing that can be wrong with an entry of a level that is not valid."""
    if not entry & V:
        return "V is clear"
    if entry & (R | W) == W:
        return "W without R"
    if entry & RESERVED:
        return "a reserved bit is set"
    if not entry & (R | X):
        odd = "A, D or U" if entry & (A | D | U) else "PBMT" if entry & PBMT else "N" if entry & N else ""
        return f"{odd} is set in a pointer" if odd else "a pointer at the lowest level"
    if entry & N and (level != 1 or entry >> 10 & 0xF != 8):
        return "a reserved encoding of N"
    if entry & PBMT:
        return "PBMT is 3" if entry & PBMT == PBMT else "PBMT is set"
    if entry >> 10 & ((1 << bits * max(level - 1, 0)) - 1):
        return "a large page is not aligned"
    return "N is set" if entry & N else "it is not valid"
