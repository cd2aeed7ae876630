"""A design has a metaclass of its own, and abstract methods.

Expected: refused: has a metaclass of its own, ABCMeta
"""

from abc import ABC, abstractmethod
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AnAbstractDesign(Design, ABC):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = self.value()

    @abstractmethod
    def value(self) -> bool:
        """What is seen."""

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
