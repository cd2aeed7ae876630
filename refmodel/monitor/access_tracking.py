"""Access tracking: the monitor removes a page's translations, so that the next access to the page exits and is noticed.

Where the hardware sets no accessed flags, or the monitor does not want to read them, a page that is suspected to be idle loses its
translations, and keeps its frame. The next access exits, and shows that it is not; the page gets back the rights that it had. What
is still withdrawn the next time is a good victim, and the share of a random sample that is estimates how much of its memory a VM
uses (Waldspurger, OSDI 2002, section 5.3; KVM's access-tracked SPTEs).

The rights that a page will get back are rights all the same: whoever takes the right to write from a page must take it from an idle
one too (Linux 595cd8f256d2). So they lie where everybody looks, in the p2m entry.
"""

import attrs

from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.p2m import P2m


@attrs.frozen
class Withdrawn:
    """The page that was withdrawn."""

    vm: Vm
    gfn: Gfn


class AccessTracking(P2m):
    @operation
    def withdraw(self, vm: Vm, gfn: Gfn) -> Withdrawn:
        require(self.p2m[vm, gfn].mapped)
        self.make_idle(vm, gfn)
        return Withdrawn(vm, gfn)
