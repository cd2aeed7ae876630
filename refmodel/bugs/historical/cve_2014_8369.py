"""CVE-2014-8369 (KVM, commit 3d32e4dbe713): when KVM could not map some pages for a device, it unpinned more pages than it had
pinned.

Pages that an earlier call had mapped were unpinned too, and stayed mapped.
"""

from refmodel.designs import AssignedDevices
from refmodel.language import guest
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.devices import Handed, Hold
from refmodel.monitor.p2m import Supply

ENTRY, CLAUSE = "D03", "ISO-1"


class Bug(AssignedDevices):
    """A device gets the pages of a range one by one. If one page is missing, the pages before it are unpinned while they stay
    mapped."""

    @guest
    def hand_next_to_device(self, vm: Vm, first: Gfn, gfn: Gfn, write: bool) -> Handed:
        done = self.hand_to_device(vm, gfn, write)
        if done.found != Supply.READY and self.holds[vm, first] == Hold.MAPPED:
            self.holds[vm, first] = Hold.FREE
        return done
