"""Laws that a function makes stand in a list of the module, where no design finds them: they would never be judged.

Expected: refused: law ISO-1 (mapped_frames_are_clean) would never be judged: it stands in no class, and under no name
"""

from typing import Any

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


def clean(clause: str) -> Any:
    @law(clause, "A mapped frame is clean.")
    def mapped_frames_are_clean(s: Any, mfn: Mfn) -> bool:
        return implies(s.mapped[mfn], s.clean[mfn])

    return mapped_frames_are_clean


class LawsInAList(Design):
    mapped: Total[Mfn, bool]
    clean: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def map(self, mfn: Mfn) -> None:
        self.mapped[mfn] = True

    @law("RES-1", "A mapped frame is not clean.")
    def mapped_frames_are_dirty(s: Any, mfn: Mfn) -> bool:
        return implies(s.mapped[mfn], not s.clean[mfn])


LAWS = [clean("ISO-1")]
