"""Designs whose operations let others run, which remember names, decide after they waited, and wait again."""

from typing import Any

import attrs

from refmodel.language import NOTHING, Design, Total, choose, fails, geometry, guest, implies, law, operation, require
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


class ClearsFirst(Design):
    """Two ways lead to one wait, and go on from there in the same way."""

    flag: Total[Vm, bool]
    busy: Total[Vm, bool]
    geometry = geometry(Vm=2, under_way=2)

    @operation
    def put(self, vm: Vm) -> None:
        require(not self.busy[vm])
        self.flag[vm] = True

    @operation
    def punch(self, vm: Vm) -> Any:
        require(not self.busy[vm])
        self.busy[vm] = True
        if self.flag[vm]:
            self.flag[vm] = False
        yield
        self.busy[vm] = False
        yield
        require(not self.busy[vm])
        self.flag[vm] = True

    @law("X", "A busy VM has no flag.")
    def busy_has_none(self: Any, vm: Vm) -> Any:
        return not (self.flag[vm] and self.busy[vm])


class Careless(Allocator):
    """Does not look again after others have run."""

    @operation
    def allocate(self, vm: Vm) -> Any:
        mfn = choose(Mfn, where=lambda m: self.owners[m].vm == NOTHING)
        yield
        self.owners[mfn] = Owner(vm)
        self.holds[vm] = mfn


class EndsAtARequire(Design):
    """Takes a lock, lets others run, and ends without a release where it is told to stop meanwhile."""

    locked: Total[Vm, bool]
    stopped: Total[tuple[()], bool]
    geometry = geometry(Vm=3)

    @operation
    def work(self, vm: Vm) -> Any:
        require(not self.locked[vm] and not self.stopped[()])
        self.locked[vm] = True
        yield
        self.locked[vm] = False
        require(not self.stopped[()])

    @operation
    def stop(self) -> None:
        self.stopped[()] = not self.stopped[()]

    @law("RES-1", "Not every VM holds its lock.")
    def some_lock_is_free(self: Any, vm: Vm, other: Vm, third: Vm) -> Any:
        apart = vm != other and vm != third and other != third
        return not (apart and self.locked[vm] and self.locked[other] and self.locked[third])


class EndsWithoutAChoice(EndsAtARequire):
    """Takes a lock, lets others run, and ends without a release where there is no frame left that it may choose."""

    used: Total[Mfn, bool]
    geometry = geometry(Vm=3, Mfn=2)

    @operation
    def work(self, vm: Vm) -> Any:
        require(not self.locked[vm])
        self.locked[vm] = True
        yield
        mfn = choose(Mfn, lambda m: not self.used[m])
        if fails("mapping"):
            require(not self.stopped[()])
        self.used[mfn] = True
        self.locked[vm] = False

    @operation
    def free(self, mfn: Mfn) -> None:
        require(self.used[mfn])
        self.used[mfn] = False


class GoesWrongInAChoice(EndsWithoutAChoice):
    """The condition of a choice looks up a frame that may not be there."""

    of: dict[Mfn, Vm]

    @operation
    def free(self, mfn: Mfn) -> None:
        self.of[mfn] = NOTHING

    @operation
    def work(self, vm: Vm) -> Any:
        require(any(mfn in self.of for mfn in (self.last[()],)))
        yield
        mfn = choose(Mfn, lambda m: self.of[m] == NOTHING and not self.used[m])
        self.used[mfn] = True

    last: Total[tuple[()], Mfn]

    @operation
    def look(self, mfn: Mfn) -> None:
        self.last[()] = mfn


class EndsWhateverIsSo(Design):
    """A guest's operation that always ends after others have run: all that is remembered of it is whose it is."""

    on: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def turn_on(self, vm: Vm) -> None:
        self.on[vm] = True

    @guest
    def wait(self, vm: Vm) -> Any:
        yield
        require(self.on[vm] and not self.on[vm])

    @law("ISO-5", "A VM is turned on by others only.")
    def by_others(self: Any, before: Any, actor: Vm, vm: Vm) -> Any:
        return implies(actor == vm, self.on[vm] == before.on[vm])
