"""A path goes wrong, and is then found impossible: what went wrong before has gone wrong.

Expected: found by prove
"""

from refmodel.language import NOTHING, Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


class ObligationsOfAPathThatIsCutOff(Design):
    owner: Total[Vm, Mfn]
    seen: Total[Mfn, bool]
    on: Total[Vm, bool]
    bad: Total[Vm, bool]
    geometry = geometry(Vm=2, Mfn=1)

    @operation
    def see(self, vm: Vm, easy: bool) -> None:
        if easy:
            require(self.owner[vm] != NOTHING)
            self.seen[self.owner[vm]] = True
        else:
            require(count(self.on, lambda on, v: on) >= 3)
            self.seen[self.owner[vm]] = True
            require(self.bad[vm])

    @operation
    def turn_on(self, vm: Vm) -> None:
        self.on[vm] = True

    @operation
    def own(self, vm: Vm, mfn: Mfn) -> None:
        self.owner[vm] = mfn

    @law("ISO-1", "Nothing is bad.")
    def nothing(s, vm: Vm) -> bool:
        return not s.bad[vm]
