"""CVE-2021-3656 (KVM, commit c7dfa4009965): L2's VMLOAD and VMSAVE were intercepted only if L1 asked for it.

The instructions take a physical address, and the processor used L2's address as a host address.
"""

from refmodel.designs import Nested
from refmodel.mmu.nested import L0_INTERCEPTS, NestedVcpu

ENTRY, CLAUSE = "B13", "ISO-5"


class Bug(Nested):
    """An instruction of L2 exits only if both L0 and L1 want to intercept the instruction."""

    def intercepted(self, nested: NestedVcpu) -> bool:
        return L0_INTERCEPTS and nested.intercepts
