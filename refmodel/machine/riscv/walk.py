"""One stage of RISC-V's address translation, bit for bit: Sv32, Sv39, Sv48, Sv57, and the G-stage's Sv32x4 to Sv57x4.

From an address, the registers and memory to an address or a fault, and to the flags that are set on the way. (Privileged
Architecture, Sv32, *Virtual Address Translation Process*, steps 1 to 10; Hypervisor, *Guest Physical Address Translation*;
Svadu, Svnapot, Svpbmt, Svrsw60t59b.) The shadow stacks of Zicfiss (step 7) and pointer masking are left out.
"""

from __future__ import annotations

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.words import PBMT, PPN, RESERVED, SOFTWARE, A, D, N, R, Translation, U, V, W, X
from refmodel.machine.words import WalkMemory, Word


@attrs.frozen
class Stage:
    """The registers and capabilities that one stage depends on."""

    root: Word
    """The address of the root table, in bytes, from satp, vsatp or hgatp."""
    levels: int = 3
    """2 with Sv32, 3 with Sv39, 4 with Sv48, 5 with Sv57."""
    sv32: bool = False
    """Entries are 32 bits wide, and each table has 2^10 of them."""
    guest: bool = False
    """The G-stage: its root table is four times as large, its addresses have no sign, and every access is a user's."""
    sum: bool = False
    """A supervisor's loads and stores may reach a user page."""
    mxr: bool = False
    """What is executable is readable too, in explicit loads."""
    adue: bool = True
    """Svadu is enabled: the hart sets accessed and dirty flags. Else an access that lacks one faults (Svade)."""
    pbmte: bool = False
    """Svpbmt is enabled: bits 62:61 of a leaf are a memory type. Else they are reserved."""
    svnapot: bool = False
    """Bit 63 of a leaf has a meaning. Else it is reserved."""
    svrsw60t59b: bool = False
    """Bits 60:59 are software's. Else they are reserved."""
    beyond: Word = 0
    """The address bits that memory does not have, of the 56 (34) that entries have. 0 for a VS-stage: what it gives is
    translated once more. An access there fails as any access to vacant memory does (Machine-Level ISA, *Physical Memory
    Attributes*); no bit is ignored (Sv32, *Virtual Address Translation Process*, note)."""


@attrs.frozen
class Access:
    """One access to memory, as the walk looks at it. It reads if it neither writes nor fetches."""

    user: bool = False
    """Made with an effective privilege mode of U or VU."""
    write: bool = False
    """A store, a store-conditional or an AMO."""
    fetch: bool = False
    executable: bool = False
    """HLVX: a load that asks for the right to execute in place of that to read (``norm:hlsv_u_op``)."""
    implicit: bool = False
    """Made by the VS-stage itself, to its tables."""


@attrs.frozen
class PageFault(Fault):
    """A page fault: cause 12, 13 or 15, by the access that was made."""


@attrs.frozen
class AccessFault(Fault):
    """An access fault: cause 1, 5 or 7, by the access that was made. There is no memory at an address."""


def walk(memory: WalkMemory, stage: Stage, address: Word, access: Access) -> Translation:
    """The address that an address stands for in a stage, in an access of this kind.

    ``memory`` reads entries of 8 bytes, of 4 under Sv32, zero-extended. Flags are set through ``memory.mark``, in the leaf
    alone, and only if the access is let through. Raises ``PageFault``, ``AccessFault``, or what ``memory`` raises.
    """
    if not translatable(stage, address):
        raise PageFault
    table, every = stage.root, 0
    for level in range(stage.levels, 0, -1):
        shift = first_bit(stage.sv32, level)
        slot = table | (address >> shift & index_mask(stage, level)) << (2 if stage.sv32 else 3)
        if slot & stage.beyond:
            raise AccessFault
        entry = memory.read(slot)
        leaf = entry & (R | X) != 0
        if not valid(stage, entry, level, leaf):
            raise PageFault
        table, every = (entry & PPN) << 2, every | entry
        if leaf:
            break
    if not allowed(stage, access, entry):
        raise PageFault
    due = flags_due(access)
    if due & ~entry:
        if not stage.adue:
            raise PageFault
        memory.mark(slot, entry, due)
    offset = (1 << shift) - 1
    if entry & N:
        offset = (1 << 16) - 1
    physical = table & ~offset | address & offset
    if physical & stage.beyond:
        raise AccessFault
    return Translation(physical, level, entry, every)


def first_bit(sv32: bool, level: int) -> int:
    """The lowest bit of an address that selects an entry of a level; below it are the offsets in a page of that level."""
    return 12 + (10 if sv32 else 9) * (level - 1)


def index_mask(stage: Stage, level: int) -> int:
    """A mask with one bit for each bit that selects an entry of a table: 9, 10 under Sv32, and two more in the G-stage's root
    (``norm:hgatp_mode_x4``)."""
    bits = 10 if stage.sv32 else 9
    return (1 << (bits + 2 if stage.guest and level == stage.levels else bits)) - 1


def translatable(stage: Stage, address: Word) -> bool:
    """Whether the bits of an address above those that are translated are as they must be.

    They repeat the highest one that is (``norm:Sv39_va_signext``). A guest-physical address has zeros there
    (``norm:hgatp_mode_sv39x4``), and addresses of RV32 have no such bits.
    """
    if stage.guest:
        return address >> (first_bit(stage.sv32, stage.levels + 1) + 2) == 0
    if stage.sv32:
        return address >> 32 == 0
    top = address >> (first_bit(False, stage.levels + 1) - 1)
    return top == 0 or top == (1 << (53 - 9 * stage.levels)) - 1


def valid(stage: Stage, entry: Word, level: int, leaf: bool) -> bool:
    """Whether an entry of a level may be used (steps 3 to 5): nothing reserved is set, and a large page is aligned."""
    if entry & V == 0 or entry & (R | W) == W:
        return False
    if entry & (RESERVED & ~SOFTWARE if stage.svrsw60t59b else RESERVED) != 0:
        return False
    if not leaf:
        return level > 1 and entry & (A | D | U | PBMT | N) == 0
    if entry & PBMT != 0 and (not stage.pbmte or entry & PBMT == PBMT):
        return False
    if entry & N != 0 and not (stage.svnapot and level == 1 and entry >> 10 & 0xF == 0b1000):
        return False
    return entry & ((1 << (first_bit(stage.sv32, level) - 2)) - (1 << 10)) == 0


def allowed(stage: Stage, access: Access, entry: Word) -> bool:
    """Whether a leaf lets an access through (steps 6 and 8)."""
    user = access.user or stage.guest
    if entry & U != 0 and not user and (access.fetch or not stage.sum):
        return False
    if entry & U == 0 and user:
        return False
    if access.write:
        return entry & W != 0
    if access.fetch or access.executable:
        return entry & X != 0
    return entry & R != 0 or (stage.mxr and not access.implicit and entry & X != 0)


def flags_due(access: Access) -> Word:
    """The flags that the leaf must have in an access that is let through (step 9)."""
    return A | D if access.write else A
