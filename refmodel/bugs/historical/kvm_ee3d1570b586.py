"""KVM, commit ee3d1570b586: the result of a memory-slot lookup was recorded with a slot generation that was newer than the lookup.

A slot was added after the lookup and before the generation was read. KVM then treated the guest's new memory as MMIO.
"""

from refmodel.designs import SlottedMemory
from refmodel.machine.names import Generation, Vm
from refmodel.monitor.memory_slots import SlotLookUp

ENTRY, CLAUSE = "C01", "EQV-2"


class Bug(SlottedMemory):
    """The result of a memory-slot lookup is recorded with the slot generation at the lookup's end, instead of that at its start."""

    def generation_of(self, vm: Vm, found: SlotLookUp) -> Generation:
        return self.generation[vm]
