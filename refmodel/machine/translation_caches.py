"""What a processor with EPT may remember of its walks, and the instructions that make it forget.

Two of the three kinds of SDM Vol. 3C 28.4.1 (*information that may be cached*) matter here. A *guest-physical mapping* caches
an EPT walk; a *combined mapping* caches the guest's walk and the EPT walks under it. Both are tagged with the EPTP they
were made under and are used under no other. INVLPG and MOV CR3 drop combined mappings only; INVEPT drops both.
"""

import attrs

from refmodel.language import NOTHING, Design, Total, reset
from refmodel.machine.cells import Access, Cell, Mode, permits
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm


@attrs.frozen
class PhysicalMapping:
    """gfn to mfn, as the EPT gave it."""

    valid: bool = False
    eptp: Mfn = NOTHING
    mfn: Mfn = NOTHING
    writable: bool = False


@attrs.frozen
class CombinedMapping:
    """Linear page to mfn, with the rights that guest entry and EPT entry gave."""

    valid: bool = False
    eptp: Mfn = NOTHING
    mfn: Mfn = NOTHING
    writable: bool = False
    """By the EPT entry, which asks for no mode."""
    guest: Cell = Cell()
    """The guest's entry, whose rights are asked for anew in each access."""


def allows(mapping: CombinedMapping, access: Access, mode: Mode) -> bool:
    """Whether a cached mapping is enough for an access. If not, the processor walks."""
    return mapping.valid and permits(mapping.guest, access, mode) and (mapping.writable or access != Access.WRITE)


class TranslationCaches(Design):
    """One pair of caches for each vCPU."""

    physical_tlb: Total[tuple[Vm, Vcpu, Gfn], PhysicalMapping]
    combined_tlb: Total[tuple[Vm, Vcpu, Index], CombinedMapping]
    bare_tlb: Total[tuple[Vm, Vcpu, Index], Cell]

    def invept(self, eptp: Mfn) -> None:
        """INVEPT, single-context, on every processor: forget all that was made under this EPTP.

        The bare machine may forget at any time; it does so here, where its cached entry is of no more use.
        """
        reset(self.bare_tlb, lambda cell, vm, vcpu, page: self.combined_tlb[vm, vcpu, page].eptp == eptp)
        reset(self.physical_tlb, lambda mapping, vm, vcpu, gfn: mapping.eptp == eptp)
        reset(self.combined_tlb, lambda mapping, vm, vcpu, page: mapping.eptp == eptp)

    def invvpid(self, vm: Vm, vcpu: Vcpu) -> None:
        """INVVPID, single-context: forget the combined mappings of one vCPU. MOV CR3 does as much."""
        reset(self.combined_tlb, lambda mapping, v, c, page: v == vm and c == vcpu)

    def invvpid_address(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """INVVPID, individual-address: forget the combined mapping of one linear page. INVLPG does as much."""
        self.combined_tlb[vm, vcpu, page] = CombinedMapping()
