"""A law at the top of the file is said to be about a record, which no design is: it would never be judged, and it is broken.

Expected: refused: law ISO-1 (mapped_frames_are_clean) is about Entry, which ALawAboutARecord is not: it would never be judged
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


@attrs.frozen
class Entry:
    mapped: bool = False
    clean: bool = False


class ALawAboutARecord(Design):
    entries: Total[Mfn, Entry]
    geometry = geometry(Mfn=2)

    @operation
    def map(self, mfn: Mfn) -> None:
        self.entries[mfn] = Entry(mapped=True)

    @law("RES-1", "A mapped frame is not clean.")
    def mapped_frames_are_dirty(s: Any, mfn: Mfn) -> bool:
        return implies(s.entries[mfn].mapped, not s.entries[mfn].clean)


@law("ISO-1", "A mapped frame is clean.")
def mapped_frames_are_clean(s: Entry, mfn: Mfn) -> bool:
    design: Any = s
    return implies(design.entries[mfn].mapped, design.entries[mfn].clean)
