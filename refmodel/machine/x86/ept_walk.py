"""The walk of the extended page tables (EPT) of Intel's VMX: guest-physical to physical, bit for bit.

(SDM Vol. 3C 28.3.2 *EPT translation mechanism*, 28.3.3 *EPT-induced VM exits*, 28.3.5 *accessed and dirty flags for EPT*;
table 27-7 *exit qualification for EPT violations*.)
"""

from __future__ import annotations

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Translation, WalkMemory, Word
from refmodel.machine.x86.words import FRAME, PS, lacking

R, W, X, XU = 1 << 0, 1 << 1, 1 << 2, 1 << 10
"""Rights in an entry: read, write, execute, and, with mode-based execute control, execute at user-mode linear addresses.
The same numbers are the kinds of access, and, three bits up, the rights there were, in an exit qualification."""
EPT_A, EPT_D = 1 << 8, 1 << 9
EXIT_VIOLATION, EXIT_MISCONFIGURATION = 48, 49
"""Basic exit reasons (SDM Vol. 3D appendix C)."""
USER_EXECUTABLE = 1 << 6
LINEAR, FINAL = 1 << 7, 1 << 8
"""Bits of an exit qualification: there is a guest-linear address, and the access was to what it translates to, not to one of
the guest's paging-structure entries on the way."""
USER_PAGE, WRITABLE_PAGE, EXECUTE_DISABLED_PAGE = 1 << 9, 1 << 10, 1 << 11
"""With advanced information and LINEAR and FINAL: what the guest's own walk gave the page."""


@attrs.frozen
class Ept:
    """EPTP, the controls and the capabilities that an EPT walk depends on (SDM Vol. 3C 24.6.11, 24.6.2; appendix A.10)."""

    root: Word
    levels: int = 4
    """EPTP bits 5:3, plus one."""
    accessed_dirty: bool = False
    """EPTP bit 6."""
    mode_based_execute: bool = False
    """The VM-execution control: bit 2 lets fetch at supervisor-mode linear addresses only, bit 10 at user-mode ones."""
    execute_only: bool = True
    """IA32_VMX_EPT_VPID_CAP bit 0."""
    gigabyte_pages: bool = True
    """IA32_VMX_EPT_VPID_CAP bit 17."""
    advanced: bool = False
    """IA32_VMX_EPT_VPID_CAP bit 22: exit qualifications carry bits 9 to 11."""
    beyond: Word = lacking(40)
    """The address bits above MAXPHYADDR: ``lacking(MAXPHYADDR)``."""


@attrs.frozen
class Use:
    """What a guest-physical address is used for."""

    read: bool = False
    write: bool = False
    fetch: bool = False
    user_page: bool = False
    """The linear address is a user-mode one: U/S is set at every level of the guest's tables."""
    about: Word = 0
    """What bits 7 to 11 of the exit qualification would say of it."""


@attrs.frozen
class EptViolation(Fault):
    """A VM exit with basic reason 48, its qualification, and the guest-physical address, in bytes."""

    gpa: Word
    qualification: Word


@attrs.frozen
class EptMisconfiguration(Fault):
    """A VM exit with basic reason 49, whose qualification is undefined, and the guest-physical address, in bytes."""

    gpa: Word


def ept_walk(memory: WalkMemory, ept: Ept, gpa: Word, use: Use) -> Translation:
    """The physical address that a guest-physical address stands for, in a use of this kind.

    Raises ``EptViolation`` or ``EptMisconfiguration``. With accessed and dirty flags enabled they are set through
    ``memory.mark``. An address beyond what the tables' levels reach is treated as one that is not mapped.
    """
    need = demand(use)
    table, rights, unused = ept.root & FRAME, R | W | X | XU, 0
    if gpa >> (12 + 9 * ept.levels):
        raise EptViolation(gpa, need | use.about)
    for level in range(ept.levels, 0, -1):
        shift = 3 + 9 * level
        address = table | (gpa >> shift & 0x1FF) << 3
        entry = memory.read(address)
        if not present(ept, entry):
            raise EptViolation(gpa, need | use.about)
        leaf = level == 1 or (level < 4 and entry & PS != 0)
        if misconfigured(ept, level, leaf, entry):
            raise EptMisconfiguration(gpa)
        rights, unused, table = rights & entry, unused | entry, entry & FRAME
        if leaf:
            break
        if ept.accessed_dirty:
            memory.mark(address, entry, EPT_A)
    if not permitted(ept, use, rights):
        raise EptViolation(gpa, need | use.about | there_were(ept, rights))
    if ept.accessed_dirty:
        memory.mark(address, entry, EPT_A | EPT_D if use.write else EPT_A)
    offset = (1 << shift) - 1
    return Translation(table & ~offset | gpa & offset, level, rights, unused, entry)


def present(ept: Ept, entry: Word) -> bool:
    """Whether an entry is present: it gives any right at all (SDM Vol. 3C 28.3.2)."""
    return entry & (R | W | X) != 0 or (ept.mode_based_execute and entry & XU != 0)


def misconfigured(ept: Ept, level: int, leaf: bool, entry: Word) -> bool:
    """Whether a present entry is one that must not be (SDM Vol. 3C 28.3.3.1). One that gives neither read nor write, and is
    present, gives execution."""
    if not entry & R and (entry & W != 0 or not ept.execute_only):
        return True
    if leaf and forbidden_type(entry):
        return True
    return entry & reserved_in_ept(ept, level, leaf) != 0


def forbidden_type(entry: Word) -> bool:
    """Whether bits 5:3 of a leaf are no memory type; those are 0 UC, 1 WC, 4 WT, 5 WP, 6 WB (SDM Vol. 3C 28.3.7)."""
    memory_type = entry >> 3 & 7
    return memory_type == 2 or memory_type == 3 or memory_type == 7


def reserved_in_ept(ept: Ept, level: int, leaf: bool) -> Word:
    """The bits that must be zero in a present entry of a level (SDM Vol. 3C tables 28-1 to 28-6)."""
    bits = ept.beyond
    if not leaf:
        bits |= 0x78
    if level >= 4 or (level == 3 and not ept.gigabyte_pages):
        bits |= PS
    if leaf and level > 1:
        bits |= (1 << (3 + 9 * level)) - (1 << 12)
    return bits


def demand(use: Use) -> Word:
    """Bits 2:0 of the exit qualification: the kinds of access that the use is."""
    need = 0
    if use.read:
        need |= R
    if use.write:
        need |= W
    if use.fetch:
        need |= X
    return need


def permitted(ept: Ept, use: Use, rights: Word) -> bool:
    """Whether rights that every level gave are enough for a use (SDM Vol. 3C 28.3.3.2)."""
    if use.fetch and rights & (XU if ept.mode_based_execute and use.user_page else X) == 0:
        return False
    return (rights & R != 0 or not use.read) and (rights & W != 0 or not use.write)


def there_were(ept: Ept, rights: Word) -> Word:
    """Bits 6:3 of the exit qualification: the rights that every level gave."""
    told = (rights & (R | W | X)) << 3
    if ept.mode_based_execute and rights & XU != 0:
        told |= USER_EXECUTABLE
    return told
