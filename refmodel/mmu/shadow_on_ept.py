"""Shadow paging on EPT: the monitor runs a monitor that has no second translation for its own guest.

L1 shadows L2's tables (``shadow_traced`` is a text for that), in its own memory, and enters L2 with a shadow table as the root. To
L0 that is a guest with tables, over EPT: the processor walks L1's shadow table and then EPT01, and nothing is composed.
(Ben-Yehuda et al., *The Turtles Project*, OSDI 2010, call it shadow-on-EPT.) Exits divide by themselves. What L1's table does not
let through is a page fault, which L1 intercepts and which is *reflected* to it; what EPT01 lacks is an EPT violation, which L0
keeps.

What is left is to keep L1's translations and L2's apart. L1 gives L2 a VPID, and expects that neither side forgets anything when
the processor goes from one to the other; so L0 gives L2 a tag of its own (VPID02), and carries L1's INVVPID out on that one. The
tag is what a vCPU's name stands for in this text, as it is what caches are kept under: L2 runs as a vCPU whose CR3 is L1's to
load. When L0 takes a page away, what was made under either tag goes, because INVEPT asks for no tag.
"""

from refmodel.bare_levels import L1Instructions
from refmodel.machine.names import Vcpu, Vm
from refmodel.mmu.ept import EptMmu


class ShadowOnEptMmu(L1Instructions, EptMmu):
    """EPT01, under a guest whose guest has a tag of its own."""

    def invalidate_l2(self, vm: Vm, l2: Vcpu) -> None:
        self.invvpid(vm, l2)
