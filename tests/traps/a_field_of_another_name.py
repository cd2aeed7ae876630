"""A record's field has one name in the text, and another where the record is made, as attrs has it for a leading underscore.

Expected: refused: is made with there for its field _there
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    _there: bool = False


class AFieldOfAnotherName(Design):
    entries: Total[Vm, Entry]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.entries[vm] = Entry(_there=True)

    @law("ISO-1", "Nothing is there.")
    def nothing(s: Any, vm: Vm) -> bool:
        return s.entries[vm] == Entry()
