"""A dirty log in a ring: each mark that is not in the bitmap is in an entry, and a ring with room delays nobody."""

from typing import Any

from refmodel.language import NOTHING, count, implies, law
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.dirty_ring import DirtyRing


@law("EQV-4", "A page that is marked dirty in the ring, not in the bitmap, has a ring entry that is still to be harvested.")
def marked_pages_are_in_the_ring(s: DirtyRing, vm: Vm, gfn: Gfn) -> Any:
    entries = count(s.ring, lambda entry, of, at: of == vm and entry.gfn == gfn and not entry.harvested)
    return implies(s.sent[vm, gfn] == Sent.MARKED and s.in_ring[vm, gfn], entries > 0)


@law("EQV-4", "A page whose dirty mark was harvested from the ring has a harvested ring entry that is still to be reset.")
def taken_pages_are_in_the_ring(s: DirtyRing, vm: Vm, gfn: Gfn) -> Any:
    entries = count(s.ring, lambda entry, of, at: of == vm and entry.gfn == gfn and entry.harvested)
    return implies(s.sent[vm, gfn] == Sent.TAKEN and s.in_ring[vm, gfn], entries > 0)


@law("RES-2", "Every harvested entry of the dirty ring names a page.")
def harvested_entries_name_pages(s: DirtyRing, vm: Vm, at: Index) -> Any:
    return implies(s.ring[vm, at].harvested, s.ring[vm, at].gfn != NOTHING)


@law("EFF-2", "While a VM's dirty ring has a free entry, no store of the VM waits for space in the ring.")
def free_places_are_room(s: DirtyRing, vm: Vm, gfn: Gfn, at: Index) -> Any:
    return implies(s.ring[vm, at].gfn == NOTHING, s.has_log_room(vm, gfn))
