"""A cell of a page is stored under the name of nobody.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Page, Total, geometry, law, operation
from refmodel.machine.names import Index, Vm


class ACellOfNobody(Design):
    memory: Total[Vm, Page[Index, bool]]
    at: Total[Vm, Index]
    geometry = geometry(Vm=1, Index=1)

    @operation
    def move(self, vm: Vm, index: Index) -> None:
        self.at[vm] = index

    @operation
    def store(self, vm: Vm) -> None:
        self.memory[vm] = self.memory[vm].put(self.at[vm], True)

    @law("ISO-1", "There is memory.")
    def memory_is_there(s: Any, vm: Vm) -> Any:
        return s.memory[vm] == s.memory[vm]
