"""A grant's mapping goes in one step: the entry, what is cached of it, and the references."""

from refmodel.designs import GrantedMemory
from refmodel.language import require
from refmodel.machine.names import Gfn, Vm


class Control(GrantedMemory):
    """Nothing is left to be flushed later, so no entry is ever unmapped and still counted. Putting the flush off is what a design
    may do, not what it has to."""

    geometry = GrantedMemory.geometry.resized(Gfn=1)

    def unmap(self, vm: Vm, gfn: Gfn) -> None:
        require(self.may_unmap(vm, gfn))
        self.invalidate(vm, gfn)
        self.put_grant(vm, gfn)
