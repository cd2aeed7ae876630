"""An object that says that it equals everything was taken for ``min``. What it does when it is called was never read.

Expected: refused: is a Often: a design's code may only use functions with readable source
"""

from refmodel import Design, Total, geometry, law, operation
from refmodel.machine.names import Count, Vm


class Often:
    calls = 0
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __call__(self, one: int, other: int) -> int:
        Often.calls += 1
        return 9 if Often.calls > 100_000 else 0


least = Often()


class AnObjectThatEqualsEverything(Design):
    number: Total[Vm, Count]
    geometry = geometry(Vm=1)

    @operation
    def take(self, vm: Vm) -> None:
        self.number[vm] = least(3, 3)

    @law("RES-1", "No number is large.")
    def none_is_large(s: "AnObjectThatEqualsEverything", vm: Vm) -> bool:
        return s.number[vm] < 5
