"""A clause is a number, and reports sort clauses.

Expected: refused: expected a clause and a sentence
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AClauseThatIsANumber(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law(1, "What is seen is seen.")  # type: ignore[arg-type]
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
