"""The condition of a reset looks up a key that a partial table may not have.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation, reset
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


class ResetThatLooksAKeyUp(Design):
    cached: Total[Vm, Entry]
    known: dict[Vm, Entry]
    geometry = geometry(Vm=1)

    @operation
    def learn(self, vm: Vm) -> None:
        self.known[vm] = Entry(True)

    @operation
    def flush(self, vm: Vm) -> None:
        reset(self.cached, lambda entry, v: self.known[v].there)

    @law("ISO-1", "Nothing is cached.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.cached[vm].there
