"""Two different counts over the defaults of one table are two numbers, also before anything has happened.

Expected: found by prove
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, count, geometry, law, operation
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Entry:
    used: bool = False


class EqualAtFirst(Design):
    entries: Total[tuple[Vm, Mfn], Entry]
    geometry = geometry(Vm=1, Mfn=2)

    @operation
    def put_back(self, vm: Vm, mfn: Mfn) -> None:
        self.entries[vm, mfn] = Entry()

    @law("ISO-1", "One VM's entries are all entries.")
    def as_many(s: Any, vm: Vm) -> Any:
        return count(s.entries, lambda e, v, m: not e.used and v == vm) == count(s.entries, lambda e, v, m: not e.used)
