"""A kind of names is declared as static checkers do it.

Expected: refused: is a NewType
"""

from typing import Any, NewType

from refmodel.language import Design, Total, geometry, law, operation

Guest = NewType("Guest", int)


class ANewType(Design):
    seen: Total[Guest, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Guest) -> None:
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Guest) -> bool:
        return not s.seen[vm]
