"""A law compares two numbers that are alike with two VMs and not with three.

Expected: found by prove
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, count, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    used: bool = False


class TrueForTwo(Design):
    entries: Total[Vm, Entry]
    geometry = geometry(Vm=2)

    @operation
    def use(self, vm: Vm, other: Vm) -> None:
        self.entries[vm] = Entry(True)

    @law("ISO-1", "There are as many VMs that are this one or that one, as there are VMs.")
    def two_at_most(s: Any, vm: Vm, other: Vm) -> Any:
        both = count(s.entries, lambda entry, v: v == vm or v == other)
        return vm == other or both == count(s.entries, lambda entry, v: True)
