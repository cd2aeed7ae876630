"""What processors have cached of a foreign page goes when it is unmapped already, and not only when it is flushed."""

from refmodel.bugs.grants import OnlyGrants
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.grants import GrantEnded


class Control(OnlyGrants):
    """The flush that follows finds nothing to do but to give the references up."""

    def unmap_foreign(self, vm: Vm, gfn: Gfn) -> GrantEnded:
        done = super().unmap_foreign(vm, gfn)
        self.invalidate_foreign(vm, gfn)
        return done
