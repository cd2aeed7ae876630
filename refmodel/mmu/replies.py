"""What comes of a guest's instruction, and of an exit, under any MMU."""

import enum

import attrs

from refmodel.bare import Event, Reply
from refmodel.language import NOTHING
from refmodel.machine.cells import Access
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm


class Result(enum.Enum):
    INSTALLED = "installed"
    HOLE = "no memory there"
    FAILED = "allocation failed"
    REFLECTED = "the guest's own fault"


def told(result: Result) -> Reply:
    """What the guest is shown after an exit: a fault of its own, or that there is no memory; else nothing, and it tries again."""
    if result == Result.REFLECTED:
        return Reply(Event.PAGE_FAULT)
    return Reply(Event.HOLE) if result == Result.HOLE else Reply()


@attrs.frozen
class Handled:
    """What came of an exit for a guest-physical address."""

    result: Result
    vm: Vm
    gfn: Gfn
    write: bool

    @property
    def shown(self) -> Reply:
        return told(self.result)


@attrs.frozen
class TableGone:
    """A table of the monitor's that it took back."""

    table: Mfn


@attrs.frozen
class Attempt:
    """One instruction by linear address on both machines, where an exit is for that address."""

    shown: Reply
    due: Reply
    vcpu: Vcpu
    page: Index
    access: Access
    sensitive: bool = False
    """Whether it is a sensitive instruction of a guest's guest, which the guest may intercept."""
    gfn: Gfn = NOTHING
    """The guest-physical page that it is for, where the tables led to one."""


@attrs.frozen
class Filled:
    """What came of an exit for a linear address."""

    result: Result
    vm: Vm
    vcpu: Vcpu
    page: Index
    access: Access
    reflected: Reply = Reply()
    due: Reply = Reply()
    """Where the fault was the guest's own and is given back to it: what it is shown, and what the bare machine shows."""
    gfn: Gfn = NOTHING
    """The guest-physical page that was asked for: where the tables lead, or a table that is away."""

    @property
    def shown(self) -> Reply:
        return told(self.result)
