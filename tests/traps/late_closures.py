"""A condition in a loop speaks of the loop's variable: it means what that is when the table is reset.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation, require, reset
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


class LateClosures(Design):
    cached: Total[Vm, Entry]
    forgotten: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def cache(self, vm: Vm) -> None:
        require(not self.forgotten[vm])
        self.cached[vm] = Entry(True)

    @operation
    def forget_two(self, vm: Vm, other: Vm) -> None:
        for each in (vm, other):
            reset(self.cached, lambda entry, v: v == each)
        require(vm != other)
        self.forgotten[vm] = True

    @law("ISO-1", "What is cached stays cached: broken by forgetting the first of two.")
    def nothing_is_forgotten(s: Any, before: Any, vm: Vm) -> Any:
        return s.cached[vm] == before.cached[vm] or s.cached[vm].there or not s.forgotten[vm]
