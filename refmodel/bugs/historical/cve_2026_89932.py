"""CVE-2026-89932 (KVM, nested VMX): a reused VPID was not flushed on its first use.

KVM's record of the VPID's last use looked unchanged, so that old translations could be used.
"""

from refmodel.designs import EptCpus
from refmodel.machine.names import Tag

ENTRY, CLAUSE = "A25", "ISO-1"


class Bug(EptCpus):
    """The monitor assumes that a reused tag has no cached translations."""

    geometry = EptCpus.geometry.resized(Vm=2, Cpu=1)

    def mark_stale(self, tag: Tag) -> None:
        """Nothing."""
