"""The law goes over a tuple of the class that is empty. It says nothing, whatever the operations do.

Expected: found by prove
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Mfn


class ALawOverNoConstants(Design):
    used: Total[Mfn, bool]
    geometry = geometry(Mfn=2)
    FORBIDDEN = ()

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True

    @law("ISO-1", "No frame is in a state that is forbidden.")
    def none_is_forbidden(s: Any, mfn: Mfn) -> bool:
        return all(s.used[mfn] != state for state in s.FORBIDDEN)
