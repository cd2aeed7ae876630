"""Mutants of grants between guests."""

import attrs

from refmodel.designs import GrantedMemory
from refmodel.language import choose, fails, require
from refmodel.machine.names import Gfn, Mfn, Ref, Vm
from refmodel.monitor.grants import CachedPage, GrantEntry, GuestPage, OwnedFrame, State


class GrantedToAnybody(GrantedMemory):
    """A grant is mapped by a VM that it does not name."""

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.writable or not write


class ReadOnlyInName(GrantedMemory):
    """A page that was offered for reading is mapped for storing."""

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.to == vm


class EndedInUse(GrantedMemory):
    """A grant is ended, or becomes another, while it is mapped."""

    def in_use(self, vm: Vm, ref: Ref) -> bool:
        return False


class UnmappedButCached(GrantedMemory):
    """A mapping's references go before processors have forgotten it."""

    def invalidate(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class GivenUpWhileMapped(GrantedMemory):
    """The owner does away with a page that another has mapped."""

    def may_go(self, mfn: Mfn) -> bool:
        return True


class TransferredButCached(GrantedMemory):
    """A page is given away, and its former owner's processors have it cached."""

    def flush_owner(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class TransferredEmpty(GrantedMemory):
    """A page is given away, and what it held is not."""

    def flush_owner(self, vm: Vm, gfn: Gfn) -> None:
        super().flush_owner(vm, gfn)
        mfn = self.p2m[vm, gfn].mfn
        self.memory[mfn] = self.memory[mfn].scrubbed()


class ReferenceKept(GrantedMemory):
    """A mapping goes, and its reference to the frame stays."""

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        grant = self.grants[entry.granter, entry.ref]
        self.grants[entry.granter, entry.ref] = attrs.evolve(grant, mappings=grant.mappings - 1)
        self.p2m[vm, gfn] = GuestPage()


class FrameLost(GrantedMemory):
    """A page goes, and its frame is used by nobody."""

    def give_up(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(entry.state == State.OWN and self.may_go(entry.mfn))
        self.tlb[vm, gfn] = CachedPage()
        self.p2m[vm, gfn] = GuestPage()
        self.frames[entry.mfn] = attrs.evolve(self.frames[entry.mfn], references=0)


class GrantedUnscrubbed(GrantedMemory):
    """A page is given with what its last owner left."""

    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].state == State.NOTHING)
        if fails("frame"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: not self.frames[mfn].used)
        self.frames[mfn] = OwnedFrame(True, vm, gfn, references=1)
        self.p2m[vm, gfn] = GuestPage(State.OWN, mfn, True)
        self.bare_memory[vm, gfn] = self.memory[mfn]


class StoresGoAstray(GrantedMemory):
    """A store to another's page is one to a page of the granter's own choosing at the same place."""

    def translated(self, vm: Vm, gfn: Gfn, write: bool) -> Mfn:
        mfn = super().translated(vm, gfn, write)
        entry = self.p2m[vm, gfn]
        if write and entry.state == State.FOREIGN and self.p2m[entry.granter, gfn].state == State.OWN:
            return self.p2m[entry.granter, gfn].mfn
        return mfn


class NeverRevoked(GrantedMemory):
    """A grantee that does not let go cannot be made to."""

    def may_unmap(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class FlushedInName(GrantedMemory):
    """Processors forget what was unmapped, and the references are kept: the page is the grantee's for ever."""

    geometry = GrantedMemory.geometry.resized(Gfn=1)

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class RevokedInName(GrantedMemory):
    """The monitor ends a mapping, and the grantee goes on with it."""

    geometry = GrantedMemory.geometry.resized(Gfn=1)

    def unmap(self, vm: Vm, gfn: Gfn) -> None:
        require(self.may_unmap(vm, gfn))
