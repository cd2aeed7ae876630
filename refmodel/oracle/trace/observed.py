"""What is observed of a monitor: the tables of everything that is done with memory, and the laws that a trace is held to.

The implementation says itself what it does; nothing is done on its behalf. So the MMU here does nothing when it is told to
protect or to forget: if the implementation forgot to, the laws will tell.
"""

import enum
from typing import Any, ClassVar

import attrs

from refmodel.designs import Memory
from refmodel.language import NOTHING, Law, Total, implies, law
from refmodel.laws import accounting, contract, equivalence, isolation, memory
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.mmu.contract import Derived
from refmodel.monitor.frames import Use


@attrs.frozen
class Granted:
    """What a VM may reach as a page of its own that is another's."""

    present: bool = False
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING
    writable: bool = False


class MarkTold(enum.Enum):
    """What a trace has told of a page's mark in the dirty log. A monitor may begin with all marks set, or with none."""

    NOTHING = "nothing"
    MARKED = "marked"
    SENT = "sent"
    """The page was sent, and nothing else was told before."""


class Observed(Memory):
    grants: Total[tuple[Vm, Gfn], Granted]
    """By the page as which the borrower reaches it."""
    borrowed: Total[tuple[Vm, Gfn], Derived]
    """The translations of pages that are borrowed."""
    dma: Total[tuple[Vm, Gfn], Derived]
    """What the IOMMU lets devices of the VM's do with a page."""
    private: Total[tuple[Vm, Gfn], bool]
    """Whether a page is its VM's alone: neither the monitor nor devices reach what it holds (guest_memfd)."""
    executable: Total[tuple[Vm, Gfn], bool]
    """Whether the translation of a page lets the guest fetch instructions, where that is reported."""
    tracked: Total[tuple[Vm, Gfn], bool]
    """Whether a page's writes are tracked: no store to it may go unnoticed."""
    marks_told: Total[tuple[Vm, Gfn], MarkTold]
    """What was told of a page's mark, since the page is there and since migration was last cancelled."""

    def mark(self, vm: Vm, gfn: Gfn) -> None:
        super().mark(vm, gfn)
        self.marks_told[vm, gfn] = MarkTold.NOTHING

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """The implementation's business."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """The implementation's business."""


@law("ISO-1", "A translation of a borrowed page maps the frame behind the granted page, with no more rights than were granted.")
def borrowed_entries_lead_where_grants_say(s: Observed, vm: Vm, gfn: Gfn) -> Any:
    entry, grant = s.borrowed[vm, gfn], s.grants[vm, gfn]
    backing = s.p2m[grant.vm, grant.gfn]
    return implies(
        entry.present,
        grant.present
        and backing.mapped
        and backing.mfn == entry.mfn
        and implies(entry.writable, grant.writable and backing.writable),
    )


@law("ISO-5", "A page that is private to one VM has no translation in another VM.")
def private_pages_are_not_borrowed(s: Observed, vm: Vm, gfn: Gfn) -> Any:
    grant = s.grants[vm, gfn]
    return implies(grant.present and grant.vm != vm and s.borrowed[vm, gfn].present, not s.private[grant.vm, grant.gfn])


@law("ISO-5", "The IOMMU maps a page that is private to one VM for no device of another VM.")
def private_pages_are_no_borrowers_devices(s: Observed, vm: Vm, gfn: Gfn) -> Any:
    grant = s.grants[vm, gfn]
    return implies(grant.present and grant.vm != vm and s.dma[vm, gfn].present, not s.private[grant.vm, grant.gfn])


@law("ISO-5", "A page that is private to one VM does not lie in a shared frame.")
def private_pages_are_not_shared(s: Observed, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(s.private[vm, gfn] and entry.resident, s.frames[entry.mfn].use != Use.SHARED)


@law("EQV-5", "While writes to a page are tracked, the page is read-only in the p2m.")
def tracked_pages_are_read_only(s: Observed, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.tracked[vm, gfn], not s.p2m[vm, gfn].writable)


@law("ISO-1", "An access completes only by a translation that was reported, or may still be cached, and that allows the access.")
def accesses_go_by_reported_translations(s: Observed, vm: Vm, gfn: Gfn, write: bool) -> Any:
    entry, borrowed = s.derived[vm, gfn], s.borrowed[vm, gfn]
    return (entry.present and implies(write, entry.writable)) or (borrowed.present and implies(write, borrowed.writable))


@law("ISO-1", "An entry found in a table or TLB was reported with at least its rights; a TLB entry may have been removed since.")
def entries_found_were_reported(s: Observed, vm: Vm, gfn: Gfn, mfn: Mfn, write: bool) -> Any:
    entry, borrowed = s.derived[vm, gfn], s.borrowed[vm, gfn]
    return (entry.present and entry.mfn == mfn and implies(write, entry.writable)) or (
        borrowed.present and borrowed.mfn == mfn and implies(write, borrowed.writable)
    )


TRANSLATIONS: tuple[Law, ...] = (
    contract.no_derived_entry_writes_to_a_shared_frame,
    contract.no_derived_entry_reaches_the_monitor,
    contract.derived_entries_lead_where_the_p2m_says,
)
"""About what is installed, and about what may be cached."""
BORROWED: tuple[Law, ...] = (borrowed_entries_lead_where_grants_say,)
"""About what may be cached of a page that is borrowed."""
STATES: tuple[Law, ...] = (
    isolation.a_backing_frame_is_owned_or_shared,
    isolation.a_shared_frame_is_read_only,
    accounting.frames_are_conserved,
    equivalence.memory_is_the_bare_machines,
    memory.swapped_pages_are_the_bare_machines,
    memory.clean_pages_are_their_copies,
    memory.slots_are_counted,
    memory.slots_are_conserved,
    memory.promises_are_of_zeroes,
    memory.unmarked_pages_are_there,
    memory.unmarked_pages_are_protected,
    tracked_pages_are_read_only,
    borrowed_entries_lead_where_grants_say,
    private_pages_are_not_borrowed,
    private_pages_are_no_borrowers_devices,
    private_pages_are_not_shared,
)
STEPS: tuple[Law, ...] = (
    isolation.a_new_page_holds_nothing,
    isolation.shared_frames_hold_what_they_held,
    isolation.memory_changes_by_its_owner_only,
)
COUNTS: tuple[Law, ...] = (accounting.reference_counts_are_exact, accounting.balloon_sizes_are_exact)
"""Judged where the implementation says what it counted."""


SEEN: tuple[Law, ...] = (accesses_go_by_reported_translations, entries_found_were_reported)
"""Judged where an access completed, or a dump shows an entry."""


class Judged(Observed):
    laws: ClassVar[tuple[Law, ...]] = TRANSLATIONS + STATES + STEPS + COUNTS + SEEN
