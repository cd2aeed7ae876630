"""A law at the top of the file is about a protocol that misspells a table, so that no design is of it: it would never be judged.

Expected: refused: is about HasMapped, which ALawAboutAMisspeltProtocol is not, since it has no maped: it would never be judged
"""

from typing import Any, Protocol

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


class HasMapped(Protocol):
    maped: Any
    clean: Any


class ALawAboutAMisspeltProtocol(Design):
    mapped: Total[Mfn, bool]
    clean: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def map(self, mfn: Mfn) -> None:
        self.mapped[mfn] = True

    @law("RES-1", "A mapped frame is not clean.")
    def mapped_frames_are_dirty(s: Any, mfn: Mfn) -> bool:
        return implies(s.mapped[mfn], not s.clean[mfn])


@law("ISO-1", "A mapped frame is clean.")
def mapped_frames_are_clean(s: HasMapped, mfn: Mfn) -> bool:
    design: Any = s
    return implies(design.mapped[mfn], design.clean[mfn])
