"""KVM, commit ee3d1570b586: what a look-up of memory slots had found was remembered in the generation that came after it.

A slot was added between the look-up and the note of the generation. The guest's new memory stayed a device's place to it.
"""

from refmodel.designs import SlottedMemory
from refmodel.machine.names import Generation, Vm
from refmodel.monitor.memory_slots import SlotLookUp

ENTRY, CLAUSE = "C01", "EQV-2"


class Bug(SlottedMemory):
    """The result of a memory-slot lookup is recorded with the slot generation at the lookup's end, instead of that at its start."""

    def generation_of(self, vm: Vm, found: SlotLookUp) -> Generation:
        return self.generation[vm]
