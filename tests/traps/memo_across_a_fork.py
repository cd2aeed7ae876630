"""The condition of a reset branches on a flag that is tested again in an operand of ``and``: each test is one of its own.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation, reset
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


class MemoAcrossAFork(Design):
    cached: Total[Vm, Entry]
    lazy: Total[Vm, bool]
    wrong: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def cache(self, vm: Vm) -> None:
        self.cached[vm] = Entry(True)

    @operation
    def be_lazy(self, vm: Vm) -> None:
        self.lazy[vm] = True

    @operation
    def flush(self, vm: Vm) -> None:
        reset(self.cached, lambda entry, v: self.goes(vm, v))
        if (self.lazy[vm] or self.cached[vm].there) and self.cached[vm].there:
            self.wrong[vm] = True

    def goes(self, vm: Vm, other: Vm) -> bool:
        if self.lazy[vm]:
            return False
        return vm == other

    @law("ISO-1", "Nothing is left after a flush.")
    def nothing_left(s: Any, vm: Vm) -> bool:
        return not s.wrong[vm]
