"""EPT with accessed and dirty flags, whose flush is an interrupt to every vCPU that each acknowledges in its own time.

A flag that was cleared is not set by a processor that has yet to acknowledge: what it says is not relied on until then.
"""

from refmodel.mmu.ept_flags import EptFlagsMmu, EptThreeSizesFlagsMmu
from refmodel.mmu.ept_sizes_acknowledged import EptSizesAcknowledgedMmu, EptThreeSizesAcknowledgedMmu


class EptFlagsAcknowledgedMmu(EptSizesAcknowledgedMmu, EptFlagsMmu):
    """With entries of 4 KiB and 2 MiB."""


class EptThreeSizesFlagsAcknowledgedMmu(EptThreeSizesAcknowledgedMmu, EptThreeSizesFlagsMmu):
    """With entries of 1 GiB too."""
