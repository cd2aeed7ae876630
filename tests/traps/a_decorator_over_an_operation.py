"""A decorator of another kind stands over ``@operation``: its wrapper is no operation, and the one that breaks the law was lost.

Expected: refused: the operation steal would never be taken: no class of this file has it under its name
"""

from collections.abc import Callable
from typing import Any

from refmodel import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Vm


def logged(method: Callable[..., Any]) -> Callable[..., Any]:
    def logging(*given: Any) -> Any:
        return method(*given)

    return logging


class ADecoratorOverAnOperation(Design):
    done: Total[Vm, bool]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @logged
    @operation
    def steal(self, vm: Vm) -> None:
        self.done[vm] = True

    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = not self.seen[vm]

    @law("ISO-1", "What is seen is not done.")
    def nothing(s: "ADecoratorOverAnOperation", vm: Vm) -> bool:
        return implies(s.seen[vm], not s.done[vm])
