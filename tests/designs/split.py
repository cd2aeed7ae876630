"""Designs whose operations let others run, which remember names, decide after they waited, and wait again."""

from typing import Any

import attrs

from refmodel.language import NOTHING, Design, Total, choose, fails, geometry, implies, law, operation, require
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Owner:
    vm: Vm = NOTHING
    busy: bool = False


class Allocator(Design):
    """A frame is chosen, reserved after others have run, and given after they have run again."""

    owners: Total[Mfn, Owner]
    holds: Total[Vm, Mfn]
    geometry = geometry(Vm=2, Mfn=3)

    @operation
    def allocate(self, vm: Vm) -> Any:
        mfn = choose(Mfn, where=lambda m: self.owners[m].vm == NOTHING)
        had = self.holds[vm]
        yield
        require(self.owners[mfn].vm == NOTHING)
        if fails("reservation"):
            return
        self.owners[mfn] = Owner(vm, True)
        yield
        if had == NOTHING:
            require(self.holds[vm] == NOTHING)
            self.holds[vm] = mfn
        self.owners[mfn] = attrs.evolve(self.owners[mfn], busy=False)

    @operation
    def release(self, vm: Vm) -> None:
        mfn = self.holds[vm]
        require(mfn != NOTHING and not self.owners[mfn].busy)
        self.holds[vm] = NOTHING
        self.owners[mfn] = Owner()

    @law("RES-1", "What a VM holds is its own.")
    def what_is_held_is_owned(self: Any, vm: Vm) -> Any:
        return implies(self.holds[vm] != NOTHING, self.owners[self.holds[vm]].vm == vm)


class Careless(Allocator):
    """Does not look again after others have run."""

    @operation
    def allocate(self, vm: Vm) -> Any:
        mfn = choose(Mfn, where=lambda m: self.owners[m].vm == NOTHING)
        yield
        self.owners[mfn] = Owner(vm)
        self.holds[vm] = mfn
