"""A record that is given to an operation may hold NOTHING for a name.

Expected: found by prove, exhaustive, random
"""

import attrs

from refmodel.language import NOTHING, Design, Total, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Entry:
    valid: bool = False
    owner: Mfn = NOTHING


class NothingInARecord(Design):
    t: Total[Vm, Entry]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def put(self, vm: Vm, e: Entry) -> None:
        self.t[vm] = e

    @law("ISO-1", "Valid has owner.")
    def nothing(s, vm: Vm) -> bool:
        return not s.t[vm].valid or s.t[vm].owner != NOTHING
