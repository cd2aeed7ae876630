"""Whoever acts is of a sort that the design made up.

Expected: found by prove, exhaustive, random
"""

from typing import Annotated, Any

from refmodel.language import Design, Name, Total, geometry, guest, law

Machine = Annotated[int, Name("Machine")]


class AnotherSortOfActor(Design):
    seen: Total[Machine, bool]
    geometry = geometry(Machine=2)

    @guest
    def see(self, vm: Machine, other: Machine) -> None:
        self.seen[other] = True

    @law("ISO-1", "A machine changes only what is its own.")
    def its_own(s: Any, before: Any, actor: Machine, vm: Machine) -> Any:
        return actor == vm or s.seen[vm] == before.seen[vm]
