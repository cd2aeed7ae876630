"""Two-stage address translation: the VS-stage, whose tables lie in guest-physical memory, and the G-stage under it.

The text is one stage's walk, over memory as the G-stage shows it. (Privileged Architecture, Hypervisor, *Two-Stage Address
Translation*, *Guest-Page Faults*, and *Transformed Instruction or Pseudoinstruction for mtinst or htinst*.)
"""

from __future__ import annotations

from typing import NamedTuple

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.walk import Access, PageFault, Stage, walk
from refmodel.machine.riscv.words import PBMT, Translation
from refmodel.machine.words import WalkMemory, Word

READ_32, WRITE_32, READ_64, WRITE_64 = 0x2000, 0x2020, 0x3000, 0x3020
"""Pseudoinstructions: the VS-stage itself read or wrote an entry of so many bits (table *Special pseudoinstruction values*)."""


@attrs.frozen
class GuestPageFault(Fault):
    """A guest-page fault: cause 20, 21 or 23, by the access that was made."""

    gpa: Word
    """The guest-physical address that faulted, in bytes: of the access, or of an entry of the VS-stage's tables."""
    pseudoinstruction: Word
    """What the VS-stage did when it faulted; 0 if the fault is at the address that the VS-stage gave."""


class TwoStages(NamedTuple):
    """Where both walks led."""

    vs: Translation
    g: Translation

    @property
    def memory_type(self) -> Word:
        """Bits 62:61 of the leaf that decides: the VS-stage's type overrides the G-stage's, which overrides the memory's own
        (``norm:Svpbmt_hgatp_stage_override_rule``, ``norm:Svpbmt_vsatp_stage_override_rule``)."""
        return self.vs.entry & PBMT or self.g.entry & PBMT

    @property
    def level(self) -> int:
        """Of the page that a TLB may cache: the smaller of the two."""
        return min(self.vs.level or self.g.level, self.g.level or self.vs.level)


class ThroughGStage:
    """The VS-stage's tables as they are reached through the G-stage (``norm:H_vm_gstagetrans``, ``norm:H_vm_gpapriv``).

    Entries and flags are named by their guest-physical addresses, and found by their physical ones.
    """

    __slots__ = ("g", "memory", "sv32")

    def __init__(self, memory: WalkMemory, g: Stage, sv32: bool) -> None:
        self.memory, self.g, self.sv32 = memory, g, sv32

    def read(self, address: Word) -> Word:
        why = READ_32 if self.sv32 else READ_64
        return self.memory.read(g_walk(self.memory, self.g, address, Access(implicit=True), why).physical)

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        why = WRITE_32 if self.sv32 else WRITE_64
        place = g_walk(self.memory, self.g, address, Access(write=True, implicit=True), why)
        self.memory.mark(place.physical, entry, flags)


def g_walk(memory: WalkMemory, g: Stage, gpa: Word, access: Access, pseudoinstruction: Word) -> Translation:
    """The physical address that a guest-physical address stands for. Raises ``GuestPageFault`` or ``AccessFault``."""
    try:
        return walk(memory, g, gpa, access)
    except PageFault:
        raise GuestPageFault(gpa, pseudoinstruction) from None


def walk_two_stages(memory: WalkMemory, g: Stage, vs: Stage, address: Word, access: Access) -> TwoStages:
    """Both walks of an access with V=1. Raises ``PageFault``, ``GuestPageFault`` or ``AccessFault``."""
    first = walk(ThroughGStage(memory, g, vs.sv32), vs, address, access)
    return TwoStages(first, g_walk(memory, g, first.physical, access, 0))
