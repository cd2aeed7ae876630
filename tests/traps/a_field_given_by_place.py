"""A record takes its fields by name only, and is given them by place.

Expected: refused: Entry is given 1 fields by place, and takes 0; there is given by name
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen(kw_only=True)
class Entry:
    there: bool = False


class AFieldGivenByPlace(Design):
    entries: Total[Vm, Entry]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.entries[vm] = Entry(True)

    @law("ISO-1", "Nothing is there.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.entries[vm].there
