"""An owner that ends an offer only clears that it is one, and leaves the rest of the entry as it was."""

import attrs

from refmodel.bugs.grants import OnlyGrants
from refmodel.language import guest, require
from refmodel.machine.names import Ref, Vm
from refmodel.monitor.grants import OfferEnded


class Control(OnlyGrants):
    """Nobody maps by an entry that offers nothing, whatever else stands in it."""

    @guest
    def end_access(self, vm: Vm, ref: Ref) -> OfferEnded:
        require(self.grants[vm, ref].offered)
        require(not self.in_use(vm, ref))
        self.grants[vm, ref] = attrs.evolve(self.grants[vm, ref], offered=False)
        return OfferEnded(vm, ref)
