"""What goes wrong with frames under any MMU, for the mutants of several."""

from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.p2m import P2m


class Unscrubbed(P2m):
    """A page comes to a guest with what its frame held."""

    def give_frame(self, vm: Vm, gfn: Gfn) -> bool:
        mfn = self.free_frame(vm)
        old = self.memory[mfn]
        given = super().give_frame(vm, gfn)
        if self.p2m[vm, gfn].mfn == mfn:
            self.memory[mfn] = old
        return given


class NeverRetired(P2m):
    """A page goes, and its frame is recorded as the page's still."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """Nothing."""
