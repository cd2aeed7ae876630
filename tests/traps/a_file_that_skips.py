"""The file ends as a skipped test does, by what is no ``Exception``: it is no design.

Expected: refused: Skipped
"""

from typing import Any

import pytest

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm

pytest.importorskip("there_is_no_such_module")


class AFileThatSkips(Design):
    seen: Total[Vm, bool]
    shown: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is shown is seen.")
    def shown_is_seen(s: Any, vm: Vm) -> bool:
        return not s.shown[vm] or s.seen[vm]
