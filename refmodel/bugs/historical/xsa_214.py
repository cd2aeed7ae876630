"""XSA-214 (Xen; xen.git eaf537342c90): a transferred frame kept its type and the record that it had been checked for this type.

The old owner may have descriptors that the new owner may not have, and a checked frame is not checked again.
"""

from refmodel.designs import DirectWithGrants
from refmodel.language import require
from refmodel.machine.names import Mfn, Vm
from refmodel.mmu.direct import TypedFrame
from refmodel.mmu.direct_grants import Grant

ENTRY, CLAUSE = "A02", "ISO-3"


class Bug(DirectWithGrants):
    """A frame that is transferred keeps its type, and with the type the check that was made for its former owner."""

    def transfer(self, vm: Vm, mfn: Mfn, other: Vm) -> None:
        require(self.idle(vm, mfn))
        require(vm != other)
        self.forget_frame(mfn)
        self.iommu[vm, mfn] = False
        self.grants[mfn] = Grant()
        self.frames[mfn] = TypedFrame(True, other, self.frames[mfn].type)
