"""Page-modification logging: a store that sets a dirty flag is in a log until it is drained."""

from typing import Any

from refmodel.bare import Seen
from refmodel.language import NOTHING, implies, law
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.ept_pml import Drained, EptPmlMmu
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.page_modification_logging import PageModificationLogging


@law(
    "EFF-1",
    "An access causes a log-full exit only if the page-modification log is full and the access must set a flag that is clear.",
)
def only_full_logs_exit(s: EptPmlMmu, outcome: Seen, before: EptPmlMmu, actor: Vm) -> Any:
    flags = before.flags_of(actor, outcome.gfn)
    return implies(
        outcome.full != NOTHING, before.is_full(actor, outcome.full) and both(flags, Flags(True, outcome.write)) != flags
    )


@law("EQV-4", "A store that sets a dirty flag adds an entry to a page-modification log.")
def stores_that_set_a_flag_are_logged(s: EptPmlMmu, before: EptPmlMmu, actor: Vm, outcome: Seen) -> Any:
    sets = s.flags_of(actor, outcome.gfn).dirty and not before.flags_of(actor, outcome.gfn).dirty
    return implies(sets, s.log_entries_of(actor, outcome.gfn) > before.log_entries_of(actor, outcome.gfn))


@law("EFF-2", "Draining an entry of a page-modification log removes the entry from the log.")
def drained_logs_have_room(s: EptPmlMmu, before: EptPmlMmu, outcome: Drained) -> Any:
    return s.log_entries_of(outcome.vm, outcome.gfn) < before.log_entries_of(outcome.vm, outcome.gfn)


def is_sent(s: PageModificationLogging, vm: Vm, gfn: Gfn) -> Any:
    """Whether a page was sent, or is about to be, and so is watched."""
    return s.sent[vm, gfn] == Sent.PROTECTED or s.sent[vm, gfn] == Sent.THERE


@law("EQV-4", "A page that is watched for stores, and was written to, has an entry in a page-modification log.")
def written_pages_are_logged(s: PageModificationLogging, vm: Vm, gfn: Gfn) -> Any:
    return implies(is_sent(s, vm, gfn) and s.is_written(vm, gfn), s.log_entries_of(vm, gfn) > 0)


@law("EQV-4", "A page that is watched for stores is mapped by an entry of its own, not by a large entry.")
def watched_pages_are_apart(s: PageModificationLogging, vm: Vm, gfn: Gfn) -> Any:
    return implies(is_sent(s, vm, gfn) and s.is_covered(gfn), s.is_apart(vm, gfn))
