"""Designs whose laws hold and are not inductive: each lacks one law, of another form. And two for which no template helps."""

from typing import Any

import attrs

from refmodel.language import NOTHING, Design, Total, count, geometry, implies, law, operation, require
from refmodel.machine.names import Count, Gfn, Mfn, Vm


@attrs.frozen
class Frame:
    used: bool = False
    owner: Vm = NOTHING
    dirty: bool = False


class WantsAnOwner(Design):
    """Lacks: a used frame has an owner."""

    frames: Total[Mfn, Frame]
    lost: Total[Mfn, bool]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def take(self, vm: Vm, mfn: Mfn) -> None:
        require(not self.frames[mfn].used)
        self.frames[mfn] = Frame(used=True, owner=vm)

    @operation
    def soil(self, mfn: Mfn) -> None:
        require(self.frames[mfn].used)
        self.frames[mfn] = attrs.evolve(self.frames[mfn], dirty=True)

    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True

    @operation
    def give(self, mfn: Mfn) -> None:
        require(self.frames[mfn].used)
        if self.frames[mfn].owner == NOTHING:
            self.lost[mfn] = True
        self.frames[mfn] = Frame()

    @law("RES-1", "No frame is lost.")
    def none_is_lost(s: "WantsAnOwner", mfn: Mfn) -> Any:
        return not s.lost[mfn]


@attrs.frozen
class Page:
    mfn: Mfn = NOTHING


class WantsUniqueness(Design):
    """Lacks: no two pages have the same frame."""

    pages: Total[Vm, Page]
    used: Total[Mfn, bool]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def map(self, vm: Vm, mfn: Mfn) -> None:
        require(not self.used[mfn] and self.pages[vm].mfn == NOTHING)
        self.used[mfn] = True
        self.pages[vm] = Page(mfn)

    @operation
    def unmap(self, vm: Vm) -> None:
        mfn = self.pages[vm].mfn
        require(mfn != NOTHING)
        self.used[mfn] = False
        self.pages[vm] = Page()

    @law("RES-2", "The frame of a page is used.")
    def frames_of_pages_are_used(s: "WantsUniqueness", vm: Vm) -> Any:
        return implies(s.pages[vm].mfn != NOTHING, s.used[s.pages[vm].mfn])


@attrs.frozen
class Shared:
    references: Count = 0


class WantsACount(Design):
    """Lacks: a frame's references are the pages that have it."""

    pages: Total[Vm, Page]
    frames: Total[Mfn, Shared]
    geometry = geometry(Vm=2, Mfn=2, naturals=2)

    @operation
    def map(self, vm: Vm, mfn: Mfn) -> None:
        require(self.pages[vm].mfn == NOTHING)
        self.frames[mfn] = Shared(self.frames[mfn].references + 1)
        self.pages[vm] = Page(mfn)

    @operation
    def unmap(self, vm: Vm) -> None:
        mfn = self.pages[vm].mfn
        require(mfn != NOTHING)
        require(self.frames[mfn].references != 0)
        self.frames[mfn] = Shared(self.frames[mfn].references - 1)
        self.pages[vm] = Page()

    @law("RES-2", "The frame of a page has references.")
    def frames_of_pages_have_references(s: "WantsACount", vm: Vm) -> Any:
        return implies(s.pages[vm].mfn != NOTHING, s.frames[s.pages[vm].mfn].references != 0)


class IsFalse(WantsUniqueness):
    """Its law does not hold: a frame may be mapped twice."""

    @operation
    def map(self, vm: Vm, mfn: Mfn) -> None:
        require(self.pages[vm].mfn == NOTHING)
        self.used[mfn] = True
        self.pages[vm] = Page(mfn)


@attrs.frozen
class Three:
    x: bool = False
    y: bool = False
    z: bool = False


class WantsThree(Design):
    """Lacks: of a flag and another, the third follows. No template relates three."""

    flags: Total[Vm, Three]
    bad: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def first(self, vm: Vm, x: bool) -> None:
        f = self.flags[vm]
        self.flags[vm] = Three(x, f.y, f.z or (x and f.y))

    @operation
    def second(self, vm: Vm, y: bool) -> None:
        f = self.flags[vm]
        self.flags[vm] = Three(f.x, y, f.z or (y and f.x))

    @operation
    def third(self, vm: Vm, z: bool) -> None:
        f = self.flags[vm]
        require(z or not f.x or not f.y)
        self.flags[vm] = Three(f.x, f.y, z)

    @operation
    def spoil(self, vm: Vm) -> None:
        f = self.flags[vm]
        require(f.x and f.y and not f.z)
        self.bad[vm] = True

    @law("RES-3", "Nothing is spoiled.")
    def nothing_is_spoiled(s: "WantsThree", vm: Vm) -> Any:
        return not s.bad[vm]


class WantsUniquenessOfMore(Design):
    """Lacks: no two pages have the same frame. Its own geometry has one page only."""

    pte: Total[Gfn, Mfn]
    gone: Total[Mfn, bool]
    geometry = geometry(Gfn=1, Mfn=1)

    @operation
    def map_page(self, gfn: Gfn, mfn: Mfn) -> None:
        require(self.pte[gfn] == NOTHING and not self.gone[mfn] and count(self.pte, lambda m, g: m == mfn) == 0)
        self.pte[gfn] = mfn

    @operation
    def unmap(self, gfn: Gfn) -> None:
        require(self.pte[gfn] != NOTHING)
        self.gone[self.pte[gfn]] = True
        self.pte[gfn] = NOTHING

    @law("INV-4", "A frame that is gone is not mapped.")
    def gone_is_not_mapped(s: "WantsUniquenessOfMore", gfn: Gfn) -> Any:
        return implies(s.pte[gfn] != NOTHING, not s.gone[s.pte[gfn]])
