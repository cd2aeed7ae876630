"""A record has a ``__new__``, which Python makes a static method of, and which may keep what was made before.

Expected: refused: has a __new__ of its own
"""

from typing import Any

import attrs

from refmodel import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    on: bool = False

    def __new__(cls, *given: Any, **named: Any) -> Any:
        return object.__new__(cls)


class ARecordMadeByItsOwnMethod(Design):
    entries: Total[Vm, Entry]
    geometry = geometry(Vm=2)

    @operation
    def set(self, vm: Vm) -> None:
        self.entries[vm] = Entry(True)

    @law("ISO-1", "None is on.")
    def none_is_on(s: "ARecordMadeByItsOwnMethod", vm: Vm) -> bool:
        return not s.entries[vm].on
