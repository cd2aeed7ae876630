"""Page-modification logging that splits a large entry when one of its pages is to be watched."""

from refmodel.designs import EptPml
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.dirty_flags import WatchedByFlags


class Control(EptPml):
    """Right, because the parts have the flag of the large entry, which was clear, and no processor has the large one any more."""

    def may_watch(self, vm: Vm, gfn: Gfn) -> bool:
        return WatchedByFlags.may_watch(self, vm, gfn)

    def watch(self, vm: Vm, gfn: Gfn) -> None:
        self.set_apart(vm, gfn)
        self.flush_tables(vm)
        EptPml.watch(self, vm, gfn)
