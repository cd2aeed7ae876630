"""A design says what nobody knows at power-on, and one of the classes that it is made of had said so of another table.

Expected: found by prove, exhaustive, random
"""

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Mfn, Slot


class Memory(Design):
    memory: Total[Mfn, bool]
    arbitrary = ("memory",)

    @operation
    def clear(self, mfn: Mfn) -> None:
        require(self.memory[mfn])
        self.memory[mfn] = False


class WhatAPartDoesNotKnow(Memory):
    disk: Total[Slot, bool]
    arbitrary = ("disk",)
    geometry = geometry(Mfn=1, Slot=1)

    @operation
    def trim(self, slot: Slot) -> None:
        require(self.disk[slot])
        self.disk[slot] = False

    @law("ISO-4", "Memory holds nothing at power-on, or ever.")
    def memory_is_clear(self, mfn: Mfn) -> bool:
        return not self.memory[mfn]
