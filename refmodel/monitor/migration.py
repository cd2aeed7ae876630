"""Live migration: a VM moves to another machine while it runs (Clark et al., NSDI 2005; Hines and Gopalan, VEE 2009).

*Pre-copy* is what a dirty log is for: pages are sent while the guest stores to them, and what it stores to is sent again. Then
the guest goes on at the other machine, and what that lacks follows it: *post-copy*.

Here a page goes at a time. When it is *handed over* nobody reaches it any more without an exit, its frame is given back, and it is
*awaited*: what was sent of it, where that is still good, or else what it held last, is kept for the other machine. A guest that
touches an awaited page waits while it is fetched; others are pushed by turns. So a page may be under way twice, and the second
copy must not overwrite what the guest has stored since the first came (userfaultfd's ``UFFDIO_COPY`` fails with ``EEXIST``).
What is kept is freed, scrubbed, when the page has come and nothing of it is under way.

Machine memory stands for that of both machines: the frame that a page leaves is the old one's, and the frame that it comes to is
the new one's. When all pages of a VM have been handed over, it has moved.
"""

from typing import ClassVar

import attrs

from refmodel.language import Total, operation, pending, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2m, P2mEntry, Reclaim, Reclaimed, Supply


@attrs.frozen
class LeftBehind:
    """What the old machine has of a page that was handed over."""

    kept: bool = False
    """Whether it has the page's contents still."""
    under_way: bool = False
    """Whether it has sent them, and they have not come yet."""


class Migration(P2m):
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"hand_over": ("discard_page",)}
    """Where the guest called the page free."""

    origin: Total[tuple[Vm, Gfn], Cells]
    """The contents that are kept for the new machine."""
    kept: Total[tuple[Vm, Gfn], LeftBehind]

    # ------------------------------------------------------------ the page goes

    @operation
    def hand_over(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        """A page leaves its frame, and from now on is fetched when it is wanted."""
        require(self.may_hand_over(vm, gfn))
        require(self.may_be_taken(vm))
        require(not self.kept[vm, gfn].kept)
        self.forget_and_wait(vm, gfn)
        self.origin[vm, gfn] = self.move_contents(vm, gfn)
        self.vacate(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.AWAITED)
        self.kept[vm, gfn] = LeftBehind(kept=True)
        return Reclaimed(Reclaim.TAKEN, vm, gfn)

    def may_hand_over(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and not self.held(vm, gfn)

    # ------------------------------------------------------------ and comes

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        """Have a page fetched that is awaited, unless it is under way."""
        if self.p2m[vm, gfn].backing != Backing.AWAITED:
            return super().bring(vm, gfn)
        self.kept[vm, gfn] = attrs.evolve(self.kept[vm, gfn], under_way=True)
        return Supply.LATER

    @pending("EFF-4", "A page that the destination still awaits can be sent.", until="push")
    def page_not_pushed(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].backing == Backing.AWAITED and not self.kept[vm, gfn].under_way

    @operation
    def push(self, vm: Vm, gfn: Gfn) -> None:
        """The old machine sends what it has of a page, which may have come by now."""
        require(self.kept[vm, gfn].kept)
        require(not self.kept[vm, gfn].under_way)
        self.kept[vm, gfn] = attrs.evolve(self.kept[vm, gfn], under_way=True)

    @pending("EFF-4", "A page in flight that the destination no longer awaits can be dropped.", until="place")
    def page_not_dropped(self, vm: Vm, gfn: Gfn) -> bool:
        return self.kept[vm, gfn].under_way and not self.is_wanted(vm, gfn)

    @operation
    def place(self, vm: Vm, gfn: Gfn) -> None:
        """A page arrives, and waits for a frame where none can be had. If it is awaited no more, it is dropped."""
        require(self.kept[vm, gfn].under_way)
        if self.is_wanted(vm, gfn):
            if not self.is_flushed(vm, gfn) or self.lacks_frame(vm):
                return
            self.put_in_frame(vm, gfn)
        self.kept[vm, gfn] = attrs.evolve(self.kept[vm, gfn], under_way=False)

    def is_wanted(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].backing == Backing.AWAITED

    def put_in_frame(self, vm: Vm, gfn: Gfn) -> None:
        """The page is as it was when it was sent. Whoever watches for stores wants to hear of the first."""
        mfn = self.free_frame(vm)
        self.memory[mfn] = self.origin[vm, gfn]
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn)

    # ------------------------------------------------------------ what is left behind goes

    @pending("EFF-4", "The source can free its copy of a page that has arrived at the destination.", until="free_kept")
    def kept_not_freed(self, vm: Vm, gfn: Gfn) -> bool:
        return self.may_free_kept(vm, gfn)

    @operation
    def free_kept(self, vm: Vm, gfn: Gfn) -> None:
        """The old machine frees what it kept of a page that is not awaited any more."""
        require(self.may_free_kept(vm, gfn))
        self.scrub_kept(vm, gfn)
        self.kept[vm, gfn] = LeftBehind()

    def may_free_kept(self, vm: Vm, gfn: Gfn) -> bool:
        kept = self.kept[vm, gfn]
        return kept.kept and not kept.under_way and self.p2m[vm, gfn].backing != Backing.AWAITED

    def scrub_kept(self, vm: Vm, gfn: Gfn) -> None:
        self.origin[vm, gfn] = self.origin[vm, gfn].scrubbed()

    # ------------------------------------------------------------ what others see of it

    def has_memory(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].backing == Backing.AWAITED or super().has_memory(vm, gfn)
