"""XSA-224 (Xen; xen.git 8fdfcb2b6b): unmapping a grant without naming its device part dropped the device part's references.

Repeated calls brought the reference count to zero while the frame was still mapped.
"""

from refmodel.designs import DirectWithGrants
from refmodel.machine.names import Mfn, Vm

ENTRY, CLAUSE = "A04", "RES-1"


class Bug(DirectWithGrants):
    """Unmapping one part of a grant also releases the references of the device part, even if that part stays mapped."""

    def grant_unmap(self, vm: Vm, mfn: Mfn, host: bool, device: bool) -> None:
        stays = self.maptrack[vm, mfn].device and not device
        super().grant_unmap(vm, mfn, host, device)
        if stays:
            self.put_type(mfn)
            self.put_page(mfn)
