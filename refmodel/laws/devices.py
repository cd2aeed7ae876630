"""What devices reach, and that it can be taken back from them."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.devices import Devices, DmaMapping, Handed, Hold, LetGo
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Supply


def leads_to_a_held_page(s: Devices, vm: Vm, gfn: Gfn, entry: DmaMapping) -> Any:
    backing = s.p2m[vm, gfn]
    return implies(entry.present, backing.resident and backing.mfn == entry.mfn and s.holds[vm, gfn] != Hold.FREE)


@law("ISO-1", "The IOMMU leads a device to its guest's own page, which is held.")
def iommu_entries_lead_where_the_p2m_says(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return leads_to_a_held_page(s, vm, gfn, s.iommu[vm, gfn])


@law("ISO-1", "What the IOTLB has cached leads to the guest's own page, which is held.")
def iotlb_entries_lead_where_the_p2m_says(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return leads_to_a_held_page(s, vm, gfn, s.iotlb[vm, gfn])


@law("ISO-2", "A page that a device may reach is in a frame of its own, and may be stored to.")
def held_pages_are_private(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(s.holds[vm, gfn] != Hold.FREE,
                   s.in_frame(vm, gfn) and entry.writable and s.frames[entry.mfn].use == Use.PRIVATE)


@law("RES-1", "A page is mapped for a device while the IOMMU has an entry for it.")
def holds_are_exact(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return (s.holds[vm, gfn] == Hold.MAPPED) == s.iommu[vm, gfn].present


@law("RES-3", "What a device holds the monitor may take back, and may go on when it has begun.")
def held_pages_can_be_taken_back(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.holds[vm, gfn] != Hold.FREE, s.may_unmap(vm, gfn) or s.may_flush(vm, gfn))


@law("RES-3", "It takes two steps.")
def a_device_lets_go_in_two_steps(s: Devices, outcome: LetGo) -> Any:
    return (implies(outcome.flushed, s.holds[outcome.vm, outcome.gfn] == Hold.FREE)
            and implies(not outcome.flushed, s.may_flush(outcome.vm, outcome.gfn)))


@law("EQV-2", "A guest that hands a page to its device learns that there is no memory only where the bare machine has none.")
def a_device_is_refused_holes_only(s: Devices, outcome: Handed) -> Any:
    return implies(outcome.found == Supply.HOLE, not s.plugged[outcome.vm, outcome.gfn])
