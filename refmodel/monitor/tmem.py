"""Transcendent memory: guests copy pages to pools of the monitor, and copy them back later (Magenheimer, "transcendent memory for
Linux", linux-kernel, June 2009).

The monitor keeps them in pools, in frames that no guest has. A guest *puts* a page under a handle of its own and *gets* it back by
copy; it never maps one. So the monitor knows what every frame of a pool is good for, and gives it away when it likes or must:

- An **ephemeral** pool is a second cache for pages that are on a disk too. A page may vanish at any time. One that is got is gone.
- A **persistent** pool is in the place of a swap device. The monitor may refuse a put. What it took it keeps until the guest puts
  another page under the handle, or flushes it.

In either, a guest never gets what was there before its last put: a put that is refused removes what was kept under its handle.
(Linux had both: Documentation/vm/cleancache.rst and frontswap.rst.)

What a guest is shown of a pool, a miss or a refusal, depends on what others keep there. Noninterference does not hold of that: it
is a flow that is meant.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.language import NOTHING, Total, fails, guest, operation, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Gfn, Mfn, Slot, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import P2m, Supply


@attrs.frozen
class Kept:
    """What a pool keeps under a handle, if anything."""

    stored: bool = False
    persistent: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class Handle:
    """Under which handle a frame's page is kept."""

    vm: Vm = NOTHING
    slot: Slot = NOTHING


class Answer(enum.Enum):
    TAKEN = "taken"
    REFUSED = "refused"
    FOUND = "found"
    MISSED = "missed"
    FLUSHED = "flushed"
    LATER = "not now: the guest's own page is away"


@attrs.frozen
class Answered:
    """What a guest's call came to."""

    answer: Answer
    vm: Vm
    slot: Slot


class Tmem(P2m):
    no_bare_machine = "pools are stated beside guest-physical memory only"

    pool: Total[tuple[Vm, Slot], Kept]
    keeps: Total[Mfn, Handle]
    """For a frame of a pool: the handle of its page."""
    put_last: Total[tuple[Vm, Slot], Cells]
    """What the guest put under a handle last, whether or not it was taken."""
    owed: Total[tuple[Vm, Slot], bool]
    """Whether a persistent pool took that, and the guest has not flushed it."""

    known: ClassVar[tuple[str, ...]] = ("put_last", "owed")
    flows: ClassVar[dict[str, str]] = {"put": "whether a page was taken", "get": "whether a page was kept"}

    @guest
    def put(self, vm: Vm, slot: Slot, gfn: Gfn, persistent: bool) -> Answered:
        """Keep a copy of a page. Whatever was kept under the handle is gone."""
        if self.supply(vm, gfn, write=False) != Supply.READY:
            return Answered(Answer.LATER, vm, slot)
        self.let_go(vm, slot)
        self.put_last[vm, slot] = self.bare_memory[vm, gfn]
        self.owed[vm, slot] = False
        if fails("frame"):
            return Answered(Answer.REFUSED, vm, slot)
        mfn = self.free_frame(NOTHING)
        self.memory[mfn] = self.memory[self.p2m[vm, gfn].mfn]
        self.frames[mfn] = Frame(Use.POOL)
        self.keeps[mfn] = Handle(vm, slot)
        self.pool[vm, slot] = Kept(True, persistent, mfn)
        self.owed[vm, slot] = persistent
        return Answered(Answer.TAKEN, vm, slot)

    @guest
    def get(self, vm: Vm, slot: Slot, gfn: Gfn) -> Answered:
        """Copy a page that is kept to one of the guest's. From an ephemeral pool it is gone then."""
        if self.ready_for_copy(vm, gfn) != Supply.READY:
            return Answered(Answer.LATER, vm, slot)
        kept = self.pool[vm, slot]
        if not kept.stored:
            return Answered(Answer.MISSED, vm, slot)
        self.memory[self.p2m[vm, gfn].mfn] = self.memory[kept.mfn]
        self.bare_memory[vm, gfn] = self.put_last[vm, slot]
        if not kept.persistent:
            self.let_go(vm, slot)
        return Answered(Answer.FOUND, vm, slot)

    def ready_for_copy(self, vm: Vm, gfn: Gfn) -> Supply:
        """Whether the guest's page can be written to."""
        return self.supply(vm, gfn, write=True)

    @guest
    def flush_page(self, vm: Vm, slot: Slot) -> Answered:
        """The guest needs what is kept under a handle no more."""
        self.let_go(vm, slot)
        self.owed[vm, slot] = False
        return Answered(Answer.FLUSHED, vm, slot)

    @operation
    def take_ephemeral(self, vm: Vm, slot: Slot) -> None:
        """The monitor takes the frame of a page that may vanish."""
        require(self.pool[vm, slot].stored)
        require(self.may_vanish(vm, slot))
        self.let_go(vm, slot)

    def may_vanish(self, vm: Vm, slot: Slot) -> bool:
        return not self.pool[vm, slot].persistent

    def let_go(self, vm: Vm, slot: Slot) -> None:
        """What is kept under a handle goes, if anything is."""
        kept = self.pool[vm, slot]
        if kept.stored:
            self.keeps[kept.mfn] = Handle()
            self.release(kept.mfn)
            self.pool[vm, slot] = Kept()
