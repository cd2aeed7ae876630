"""A page fault that races with the host taking pages away: KVM's ``mmu_invalidate_retry``.

A vCPU's fault notes the sequence count, then looks its page up in the host's page table without the MMU lock. Meanwhile the host
may take the page away: it counts that as under way, zaps the SPTE, frees the frame, and adds one to the sequence count. Under the
lock the fault installs its SPTE only if nothing is under way and the sequence count is the one that it noted.

Three things are to be seen here. Each ``yield`` is a point where others run. What the fault remembers is in a table, ``faults``, so
that a law can say what it is worth (`what_is_noted_is_so`): after a ``yield`` a proof knows the laws, and nothing else of what was
before. The sequence count grows without bound, so exploration ends at a depth, and the proof has every run.

Linux: ``virt/kvm/kvm_main.c`` (``kvm_mmu_invalidate_begin``, ``kvm_mmu_invalidate_end``) and ``mmu_invalidate_retry`` in
``include/linux/kvm_host.h``.
"""

from collections.abc import Iterator

import attrs

from refmodel import NOTHING, Design, Total, choose, count, geometry, implies, law, operation, require
from refmodel.machine.names import Count, Gfn, Mfn, Vcpu, Vm


@attrs.frozen
class Pte:
    """An entry of the host's page table, or an SPTE."""

    present: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class Noted:
    """What a vCPU's fault has noted: the page, the sequence count, and the frame that it found."""

    waits: bool = False
    gfn: Gfn = NOTHING
    sequence: Count = 0
    mfn: Mfn = NOTHING


class Retry(Design):
    """The right order: note the sequence count, look the page up, and compare under the lock."""

    host: Total[tuple[Vm, Gfn], Pte]
    """The host's page table."""
    used: Total[Mfn, bool]
    spte: Total[tuple[Vm, Gfn], Pte]
    faults: Total[tuple[Vm, Vcpu], Noted]
    sequence: Total[Vm, Count]
    under_way: Total[Vm, Count]
    """How many pages of the VM are being taken away: ``mmu_invalidate_in_progress``."""
    going: Total[tuple[Vm, Gfn], bool]
    """Which pages these are. No step decides by it: laws speak of it."""
    geometry = geometry(Vm=1, Vcpu=1, Gfn=2, Mfn=2)

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        """The host maps a frame."""
        require(not self.host[vm, gfn].present)
        mfn = choose(Mfn, lambda mfn: not self.used[mfn])
        self.used[mfn] = True
        self.host[vm, gfn] = Pte(True, mfn)

    @operation
    def fault(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Iterator[None]:
        """An EPT violation: note the sequence count, look up, take the lock, compare, install."""
        require(not self.faults[vm, vcpu].waits and self.host[vm, gfn].present)
        self.faults[vm, vcpu] = Noted(True, gfn, self.sequence[vm], self.host[vm, gfn].mfn)
        yield
        noted = self.faults[vm, vcpu]
        require(noted.waits)
        self.faults[vm, vcpu] = Noted()
        if self.still_so(vm, noted):
            self.spte[vm, noted.gfn] = Pte(True, noted.mfn)

    def still_so(self, vm: Vm, noted: Noted) -> bool:
        """Whether the fault may install its SPTE: the negation of ``mmu_invalidate_retry``."""
        return self.under_way[vm] == 0 and self.sequence[vm] == noted.sequence

    @operation
    def take_away(self, vm: Vm, gfn: Gfn) -> Iterator[None]:
        """The host takes a page away: begin, zap, free the frame, end."""
        require(self.host[vm, gfn].present and not self.going[vm, gfn])
        self.under_way[vm] += 1
        self.going[vm, gfn] = True
        self.spte[vm, gfn] = Pte()
        yield
        require(self.going[vm, gfn] and self.host[vm, gfn].present)
        self.used[self.host[vm, gfn].mfn] = False
        self.host[vm, gfn] = Pte()
        self.sequence[vm] += 1
        self.under_way[vm] -= 1
        self.going[vm, gfn] = False

    @law("ISO-1", "An SPTE maps the frame that the host's page table names.")
    def sptes_follow_the_host(s: "Retry", vm: Vm, gfn: Gfn) -> bool:
        return implies(s.spte[vm, gfn].present, s.spte[vm, gfn] == s.host[vm, gfn])

    @law("INV-1", "A page that is being taken away has no SPTE, and is in the host's page table until its frame is freed.")
    def what_goes_is_zapped(s: "Retry", vm: Vm, gfn: Gfn) -> bool:
        return implies(s.going[vm, gfn], s.host[vm, gfn].present and not s.spte[vm, gfn].present)

    @law("INV-1", "If a fault's noted sequence count is current, the host's page table still names the frame that the fault found.")
    def what_is_noted_is_so(s: "Retry", vm: Vm, vcpu: Vcpu) -> bool:
        noted = s.faults[vm, vcpu]
        return implies(noted.waits and noted.sequence == s.sequence[vm], s.host[vm, noted.gfn] == Pte(True, noted.mfn))

    @law("INV-1", "The sequence count that a fault noted is at most the current one.")
    def nothing_is_noted_early(s: "Retry", vm: Vm, vcpu: Vcpu) -> bool:
        return implies(s.faults[vm, vcpu].waits, s.faults[vm, vcpu].sequence <= s.sequence[vm])

    @law("INV-1", "The count of invalidations in progress is the number of the VM's pages that are being taken away.")
    def what_is_under_way_is_counted(s: "Retry", vm: Vm) -> bool:
        return s.under_way[vm] == count(s.going, lambda going, who, gfn: who == vm and going)

    @law("RES-2", "A frame that the host's page table names is marked as used.")
    def mapped_is_used(s: "Retry", vm: Vm, gfn: Gfn) -> bool:
        return implies(s.host[vm, gfn].present, s.host[vm, gfn].mfn != NOTHING and s.used[s.host[vm, gfn].mfn])

    @law("ISO-1", "Each frame backs at most one page.")
    def frames_are_apart(s: "Retry", vm: Vm, gfn: Gfn, other: Vm, page: Gfn) -> bool:
        mine, theirs = s.host[vm, gfn], s.host[other, page]
        return implies(mine.present and theirs.present and mine.mfn == theirs.mfn, vm == other and gfn == page)


class SequenceUnlooked(Retry):
    """The fault looks whether anything is under way, and not whether anything was since."""

    def still_so(self, vm: Vm, noted: Noted) -> bool:
        return self.under_way[vm] == 0


class UnderWayUnlooked(Retry):
    """The fault compares the sequence count, which is raised only when the page is gone."""

    def still_so(self, vm: Vm, noted: Noted) -> bool:
        return self.sequence[vm] == noted.sequence


class NotedLate(Retry):
    """The sequence count is noted after the page was looked up: the page may go in between."""

    @operation
    def fault(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Iterator[None]:
        require(not self.faults[vm, vcpu].waits and self.host[vm, gfn].present)
        mfn = self.host[vm, gfn].mfn
        yield
        require(not self.faults[vm, vcpu].waits)
        self.faults[vm, vcpu] = Noted(True, gfn, self.sequence[vm], mfn)
        yield
        noted = self.faults[vm, vcpu]
        require(noted.waits)
        self.faults[vm, vcpu] = Noted()
        if self.still_so(vm, noted):
            self.spte[vm, noted.gfn] = Pte(True, noted.mfn)


class SequenceForgotten(Retry):
    """The end of taking away does not raise the sequence count."""

    @operation
    def take_away(self, vm: Vm, gfn: Gfn) -> Iterator[None]:
        require(self.host[vm, gfn].present and not self.going[vm, gfn])
        self.under_way[vm] += 1
        self.going[vm, gfn] = True
        self.spte[vm, gfn] = Pte()
        yield
        require(self.going[vm, gfn] and self.host[vm, gfn].present)
        self.used[self.host[vm, gfn].mfn] = False
        self.host[vm, gfn] = Pte()
        self.under_way[vm] -= 1
        self.going[vm, gfn] = False
