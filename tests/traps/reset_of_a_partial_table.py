"""A partial table is reset: its entries go, in every reading.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import Design, geometry, law, operation, reset
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = True


class ResetOfAPartialTable(Design):
    known: dict[Vm, Entry]
    geometry = geometry(Vm=1)

    @operation
    def learn(self, vm: Vm) -> None:
        self.known[vm] = Entry(True)

    @operation
    def forget(self, vm: Vm) -> None:
        reset(self.known, lambda entry, v: v == vm)

    @law("ISO-1", "What is known once is known for ever.")
    def known_for_ever(s: Any, before: Any, vm: Vm) -> Any:
        return vm not in before.known or vm in s.known
