"""The operation is a guest's, and is not marked so: whoever acts is nobody, and the law asks for nothing.

Expected: noted by prove: only_free_frames_are_taken: no operation is a guest's, so its actor is always NOTHING
"""

from typing import Any

from refmodel.language import NOTHING, Design, Total, geometry, law, operation
from refmodel.machine.names import Mfn, Vm


class AnActorThatIsNoGuest(Design):
    owner: Total[Mfn, Vm]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def take(self, vm: Vm, mfn: Mfn) -> None:
        self.owner[mfn] = vm

    @law("ISO-1", "A VM takes a frame only if nobody has it.")
    def only_free_frames_are_taken(s: Any, before: Any, actor: Vm, mfn: Mfn) -> bool:
        return actor == NOTHING or before.owner[mfn] in (NOTHING, actor) or s.owner[mfn] == before.owner[mfn]
