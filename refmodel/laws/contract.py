"""What any MMU promises: all that it derived leads where the p2m says."""

from typing import Any

from refmodel.bare import Event, Seen
from refmodel.language import NOTHING, implies, law
from refmodel.laws.isolation import guests_own
from refmodel.laws.waiting import waits
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.contract import DerivedTable
from refmodel.mmu.replies import Handled, Result
from refmodel.monitor.frames import Use


@law("ISO-1", "The MMU translates each gfn to the mfn in the p2m, with no more rights than the p2m gives, or not at all.")
def derived_entries_lead_where_the_p2m_says(s: DerivedTable, vm: Vm, gfn: Gfn) -> Any:
    entry, backing = s.derived[vm, gfn], s.p2m[vm, gfn]
    return implies(entry.present, backing.mapped and backing.mfn == entry.mfn and implies(entry.writable, backing.writable))


@law("ISO-2", "The MMU's translations let no guest write to a shared frame.")
def no_derived_entry_writes_to_a_shared_frame(s: DerivedTable, vm: Vm, gfn: Gfn) -> Any:
    entry = s.derived[vm, gfn]
    return implies(entry.present and entry.writable, s.frames[entry.mfn].use != Use.SHARED)


@law("ISO-3", "The MMU translates gfns only to frames that hold guest memory.")
def no_derived_entry_reaches_the_monitor(s: DerivedTable, vm: Vm, gfn: Gfn) -> Any:
    entry = s.derived[vm, gfn]
    return implies(entry.present, guests_own(s, entry.mfn))


@law("EFF-1", "An access exits only for a gfn at which the MMU has no translation that allows the access.")
def a_derived_entry_does_not_exit(s: DerivedTable, outcome: Seen, before: DerivedTable, actor: int) -> Any:
    return implies(
        outcome.shown.event == Event.EXITED, outcome.gfn != NOTHING and not before.gives(actor, outcome.gfn, outcome.write)
    )


@law("EFF-2", "After an exit is served, the MMU has a translation that allows the access.")
def a_served_derivation_makes_progress(s: DerivedTable, outcome: Handled) -> Any:
    return implies(outcome.result == Result.INSTALLED, s.gives(outcome.vm, outcome.gfn, outcome.write))


@law(
    "EFF-2",
    "An exit stays unserved only if the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_derivation_waits_only_if_its_page_waits(s: DerivedTable, before: DerivedTable, outcome: Handled) -> Any:
    return implies(not waits(s, before, outcome.vm, outcome.gfn, outcome.write), outcome.result != Result.FAILED)
