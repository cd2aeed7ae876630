"""A record that cannot be hashed made every engine but one break down.

Expected: refused: has no __hash__ by its fields
"""

import attrs

from refmodel import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen(unsafe_hash=False)
class Entry:
    on: bool = False


class ARecordThatHasNoHash(Design):
    entries: Total[Vm, Entry]
    geometry = geometry(Vm=2)

    @operation
    def set(self, vm: Vm) -> None:
        self.entries[vm] = Entry(True)

    @law("ISO-1", "None is on.")
    def none_is_on(s: "ARecordThatHasNoHash", vm: Vm) -> bool:
        return not s.entries[vm].on
