"""Flushes that take time: a processor forgets a translation when it acknowledges, and may use it until then.

Linux sends an interrupt to each processor that may have a translation (``kvm_flush_remote_tlbs``), and Xen marks them and waits. A
monitor need not wait at once. It may go on, and put many flushes into one, so long as nobody reuses what a processor may reach:

- *a frame* that a page has left is *retired*, and released when all have acknowledged;
- *a page* whose right to write is gone is write-protected when all have acknowledged: whoever compares it, sends it or writes it
  out has to wait until then.

``StalePages`` goes between the mechanisms and an MMU, which says when the processors have acknowledged. What they may still have
of a page is in one table. Mechanisms speak of it in a few words of ``P2m``, and mean the same where flushes are at once.
"""

import attrs

from refmodel.language import NOTHING, Total, assign, count, operation, pending, require
from refmodel.machine.names import Gfn, Mfn, Vcpu, Vm
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2m, Stale


class AcknowledgingMmu(P2m):
    """An MMU whose processors forget some time after they were asked to."""

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether every processor has forgotten what it was asked to forget of a page."""
        raise NotImplementedError


class InterruptedVcpus(AcknowledgingMmu):
    """One that flushes by an interrupt to every vCPU of a VM, which each acknowledges in its own time."""

    asked: Total[tuple[Vm, Vcpu], bool]
    """Whether a vCPU is to forget what it has of its VM: before its next instruction, if it does not run."""

    def flush_tables(self, vm: Vm) -> None:
        """Every vCPU is to forget what was made under its VM's tables."""
        assign(self.asked, lambda asked, of, vcpu: of == vm, True)

    @pending(
        "EFF-4", "A vCPU that was asked to flush can acknowledge, and has no flush request pending afterwards.", until="acknowledge"
    )
    def unacknowledged(self, vm: Vm, vcpu: Vcpu) -> bool:
        return self.asked[vm, vcpu]

    def is_asked(self, vm: Vm, vcpu: Vcpu) -> bool:
        """Whether a vCPU was asked to forget, and has not acknowledged yet."""
        return self.asked[vm, vcpu]

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        return self.have_acknowledged(vm)

    def have_acknowledged(self, vm: Vm) -> bool:
        """Whether every vCPU of a VM has forgotten what it was asked to forget."""
        return count(self.asked, lambda asked, of, vcpu: of == vm and asked) == 0


class StalePages(AcknowledgingMmu):
    """The table of what processors may still have, and when it is over."""

    stale: Total[tuple[Vm, Gfn], Stale]

    def stale_of(self, vm: Vm, gfn: Gfn) -> Stale:
        return self.stale[vm, gfn]

    def retired_references(self, mfn: Mfn) -> int:
        return count(self.stale, lambda stale, vm, gfn: stale.reads and stale.mfn == mfn)

    # ------------------------------------------------------------ what makes a page stale

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        if self.p2m[vm, gfn].writable:
            self.stale[vm, gfn] = attrs.evolve(self.stale[vm, gfn], writes=True)
            super().protect(vm, gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        entry, stale = self.p2m[vm, gfn], self.stale[vm, gfn]
        if entry.mapped:
            self.stale[vm, gfn] = attrs.evolve(stale, reads=True, writes=stale.writes or entry.writable)
            super().forget(vm, gfn)

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """The page keeps its reference to the frame that it left: the last other page there must not take it for its own."""
        if self.is_flushed(vm, gfn):
            super().retire(vm, gfn, mfn)
            return
        self.stale[vm, gfn] = attrs.evolve(self.stale[vm, gfn], reads=True, mfn=mfn)
        if self.frames[mfn].use == Use.PRIVATE:
            self.frames[mfn] = attrs.evolve(self.frames[mfn], use=Use.RETIRED)

    # ------------------------------------------------------------ what ends it

    @operation
    def finish_flush(self, vm: Vm, gfn: Gfn) -> None:
        """Every processor has acknowledged, so nothing of a page is stale any more, and the frame that it left is released."""
        stale = self.stale[vm, gfn]
        require(not self.is_flushed(vm, gfn))
        require(self.acknowledged(vm, gfn))
        self.stale[vm, gfn] = Stale()
        if stale.mfn != NOTHING:
            self.release(stale.mfn)

    # ------------------------------------------------------------ begun early, since it takes time

    @operation
    def withdraw_in_advance(self, vm: Vm, gfn: Gfn) -> None:
        """Whoever wants to take a page away, and has to find it forgotten, has it withdrawn first."""
        require(self.p2m[vm, gfn].mapped)
        require(not self.held(vm, gfn))
        self.make_idle(vm, gfn)

    @operation
    def protect_in_advance(self, vm: Vm, gfn: Gfn) -> None:
        """Whoever wants to merge a page, send it or write it out has it write-protected first."""
        require(self.p2m[vm, gfn].resident)
        require(self.p2m[vm, gfn].writable)
        require(not self.held(vm, gfn))
        self.withdraw_write(vm, gfn)


class Acknowledged(StalePages):
    """``StalePages`` for MMUs whose processors can all acknowledge the flushes that they were asked for."""

    @pending(
        "EFF-4",
        "A page's flush ends once every processor has acknowledged; the frame that the page left is then released.",
        until="finish_flush",
        after=("unacknowledged",),
    )
    def flush_not_finished(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.is_flushed(vm, gfn)
