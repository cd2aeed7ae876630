"""What may come of an access on RISC-V, and whether what was observed is among it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.hart import Hart, Instruction, Trap, access_of, effective, translate, trap
from refmodel.machine.riscv.two_stages import TwoStages
from refmodel.machine.riscv.words import A, D, R, W, X
from refmodel.machine.words import Marked, flags_of
from refmodel.oracle.riscv.layout import TABLES_1, is_vs

TRANSFORMED = {
    Instruction.LOAD: 0x0000_3383,
    Instruction.STORE: 0x01C0_3023,
    Instruction.AMO: 0x09C0_33AF,
    Instruction.HLV: 0x6C00_43F3,
    Instruction.HLVX: 0x6830_43F3,
    Instruction.HSV: 0x6FC0_4073,
}
TRANSFORMED_32 = {
    Instruction.LOAD: 0x0000_2383,
    Instruction.STORE: 0x01C0_2023,
    Instruction.AMO: 0x09C0_23AF,
    Instruction.HLV: 0x6800_43F3,
    Instruction.HLVX: 0x6830_43F3,
    Instruction.HSV: 0x6BC0_4073,
}
"""The agent's instructions on machines of 64 and 32 bits, transformed: rs1 is replaced by the address offset, 0, and an immediate
by 0 (``norm:H_tinst_addr_offset``)."""


@attrs.frozen
class Outcome:
    """How an access ended, as far as it can be seen: at a physical address, or with a trap. Neither: in some other way."""

    physical: int | None = None
    trap: Trap | None = None

    @property
    def kind(self) -> str:
        return "completed" if self.physical is not None else f"cause {self.trap.cause}" if self.trap else "neither"


@attrs.frozen
class Lawful:
    """How an access must end, and what it does to the tables."""

    outcome: Outcome
    must: Mapping[int, int]
    """Flags that must be set afterwards, by the address of the entry."""
    may: Mapping[int, int]
    """Flags that may be set besides."""


@attrs.frozen
class Observed:
    """What an implementation did, and the entries afterwards."""

    outcome: Outcome
    entries: Mapping[int, int]


def due(entries: Mapping[int, int], hart: Hart, instruction: Instruction, address: int) -> Lawful:
    """What must come of an access over memory that holds these entries.

    An accessed flag may be set by speculation, in a leaf that lets some access of the same mode through; but not in the
    VS-stage's by HLV, HSV and HLVX. A dirty flag is exact, but for those of the G-stage's leaves that map the VS-stage's
    tables and give the right to write. An access that traps may have set its flags already (Sv32, *Addressing and Memory
    Protection*, on PTE updates).
    """
    memory = Marked(entries)
    end: TwoStages | Fault
    try:
        end = translate(memory, hart, instruction, address)
    except Fault as fault:
        end = fault
    may = {at: bits & A for at, bits in speculated(entries, hart, address).items()}
    if instruction in (Instruction.HLV, Instruction.HSV, Instruction.HLVX):  # norm:vs_stage_speculative_a_bit
        may = {at: bits for at, bits in may.items() if not is_vs(at)}
    for at, entry in entries.items():
        if at & ~0xFFF == TABLES_1 and entry & W and at in may:
            may[at] |= D
    if isinstance(end, Fault):
        done = {at: bits | may.get(at, 0) for at, bits in flags_of(memory.marks).items()}
        return Lawful(Outcome(trap=trap(instruction, address, effective(hart, instruction).virtual, end)), {}, {**may, **done})
    must = flags_of(memory.marks)
    return Lawful(Outcome(physical=end.g.physical), must, {at: bits & ~must.get(at, 0) for at, bits in may.items()})


def speculated(entries: Mapping[int, int], hart: Hart, address: int) -> dict[int, int]:
    """The flags that accesses of any kind to this address would set, made in the same mode as fetches or as data accesses."""
    flags: dict[int, int] = {}
    if all(entry & (A | D) == A | D for entry in entries.values() if entry & (R | X)):
        return flags  # no leaf lacks one
    made = {(mode := effective(hart, each), access_of(each, mode.user)): each for each in Instruction}
    for instruction in made.values():  # one of those that are alike
        memory = Marked(entries)
        with contextlib.suppress(Fault):
            translate(memory, hart, instruction, address)
        for at, bits in flags_of(memory.marks).items():
            flags[at] = flags.get(at, 0) | bits
    return flags


def allows(due: Trap, got: Trap, instruction: Instruction, rv32: bool = False) -> str | None:
    """The register whose value is not lawful, or None."""
    if got.cause != due.cause:
        return "cause"
    if got.tval not in (due.tval, 0):
        return "tval"
    if got.tval2 not in (due.tval2, 0):
        return "tval2"
    needs = due.tinst if got.tval2 else 0
    if got.tinst != needs and (needs or got.tinst != (TRANSFORMED_32 if rv32 else TRANSFORMED).get(instruction)):
        return "tinst"
    if due.gva and due.tval == 0:
        return None  # whether zero is the address or stands for none cannot be seen
    return "GVA" if got.gva != (due.gva and got.tval != 0) else None


def wrong_flags(way: Lawful, before: Mapping[int, int], after: Mapping[int, int]) -> tuple[int, int, int] | None:
    """The first entry that is not as it must be: its address, the wrong bits, and what it should be; None if there is none."""
    for at, entry in before.items():
        right = entry | way.must.get(at, 0)
        wrong = (after[at] ^ right) & ~way.may.get(at, 0)
        if wrong:
            return at, wrong, right
    return None
