"""One counting condition is used on two tables, by way of a helper that takes the table.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Plain:
    odd: bool = False
    even: bool = False


@attrs.frozen
class Turned:
    even: bool = False
    odd: bool = False


class OneConditionTwoTables(Design):
    plain: Total[Mfn, Plain]
    turned: Total[Mfn, Turned]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def set_plain(self, mfn: Mfn) -> None:
        self.plain[mfn] = Plain(odd=True)

    @operation
    def set_turned(self, mfn: Mfn) -> None:
        self.turned[mfn] = Turned(even=True)

    @operation
    def look(self, vm: Vm, mfn: Mfn) -> None:
        require(odd_ones(self.plain) == 0)
        require(odd_ones(self.turned) == 0)
        require(self.turned[mfn].even)
        self.seen[vm] = True

    @law("RES-1", "A VM never sees one.")
    def never_seen(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]


def odd_ones(table: Any) -> int:
    return count(table, lambda entry, mfn: entry.odd)
