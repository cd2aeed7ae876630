"""KVM, commit 844a5fe219cf: with CR0.WP clear and SMEP set, KVM set NX although the guest's EFER.NX was clear.

NX was a reserved bit then, so that every access faulted, was served, and faulted again.
"""

from refmodel.designs import ShadowRoles
from refmodel.machine.names import Vcpu, Vm

ENTRY, CLAUSE = "A11", "EFF-2"


class Bug(ShadowRoles):
    """The processor runs with the guest's EFER.NXE, and the monitor sets NX in shadow entries although NXE may be clear."""

    def hardware_nxe(self, vm: Vm, vcpu: Vcpu) -> bool:
        return self.control[vm, vcpu].nxe
