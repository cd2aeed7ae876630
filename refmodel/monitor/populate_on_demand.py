"""Populate on demand: a page has no frame until the guest first accesses it.

A guest boots believing that it has all the memory it may ever get, and its balloon driver gives back what it should not have had;
until then most of it has never been touched, and is zeroes that need no frame. The other way round, a page that has come to hold
zeroes again can be turned into a promise, and its frame is free. (Xen's populate-on-demand p2m type and its zero page sweep.)

A promise may be broken only in time: where no frame can be had the guest waits, and is never told that there is no memory.
"""

from typing import ClassVar

import attrs

from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.p2m import Backing, P2m, P2mEntry, Supply


class PopulateOnDemand(P2m):
    flows: ClassVar[dict[str, str]] = {"promise": "memory is given"}

    @operation
    def promise(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gets a page that it never had, of zeroes, and no frame for it."""
        require(self.p2m[vm, gfn].backing == Backing.ABSENT)
        require(self.may_come(vm, gfn))
        require(self.is_flushed(vm, gfn))
        self.p2m[vm, gfn] = P2mEntry(Backing.PROMISED)
        self.plug(vm, gfn)

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        """The promise is kept."""
        if self.p2m[vm, gfn].backing != Backing.PROMISED:
            return super().bring(vm, gfn)
        if not self.give_frame(vm, gfn):
            return Supply.LATER
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=False)  # whoever watches for stores wants to hear of the first
        return Supply.READY

    @operation
    def reclaim_zeroes(self, vm: Vm, gfn: Gfn) -> None:
        """A page that holds zeroes becomes a promise. It is looked at when nobody can write to it any more."""
        require(self.in_frame(vm, gfn))
        require(not self.held(vm, gfn))
        require(self.may_be_taken(vm))
        self.protect_and_wait(vm, gfn)
        if self.memory[self.p2m[vm, gfn].mfn].is_zero():
            self.vacate(vm, gfn)
            self.p2m[vm, gfn] = P2mEntry(Backing.PROMISED)

    def has_memory(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].backing == Backing.PROMISED or super().has_memory(vm, gfn)
