"""Xen, commit 77690ea09ab2: an emulated INVEPT flushed only the nested p2m that the vCPU was using.

Other nested p2ms of the same EPT pointer of L1 were not flushed.
"""

from refmodel.designs import Nested
from refmodel.language import require, reset
from refmodel.machine.names import Gfn, Vcpu, Vm

ENTRY, CLAUSE = "B04", "EQV-5"


class Bug(Nested):
    """INVEPT empties only the EPT02 table that was used last."""

    def invept(self, vm: Vm, vcpu: Vcpu, eptp: Gfn) -> None:
        require(not self.nested[vm, vcpu].in_l2)
        current = self.nested[vm, vcpu].eptp
        reset(self.ept02, lambda entry, v, c, pointer, page: v == vm and c == vcpu and pointer == eptp and pointer == current)
        reset(self.tlb02, lambda entry, v, c, pointer, page: v == vm and c == vcpu and pointer == eptp and pointer == current)
        reset(self.bare_tlb12, lambda cell, v, c, pointer, page: v == vm and c == vcpu and pointer == eptp)
