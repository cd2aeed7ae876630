"""What devices reach, and that it can be taken back from them."""

from typing import Any

from refmodel.bare import Event
from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.devices import DeviceAccess, Devices, DmaMapping, Handed, Hold, LetGo
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Supply


def leads_to_a_held_page(s: Devices, vm: Vm, gfn: Gfn, entry: DmaMapping) -> Any:
    backing = s.p2m[vm, gfn]
    return implies(entry.present, backing.resident and backing.mfn == entry.mfn and s.holds[vm, gfn] != Hold.FREE)


@law("ISO-1", "Every IOMMU entry maps its gfn to the mfn in the p2m of the same VM, and the page is pinned.")
def iommu_entries_lead_where_the_p2m_says(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return leads_to_a_held_page(s, vm, gfn, s.iommu[vm, gfn])


@law("ISO-1", "Every IOTLB entry maps its gfn to the mfn in the p2m of the same VM, and the page is pinned.")
def iotlb_entries_lead_where_the_p2m_says(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return leads_to_a_held_page(s, vm, gfn, s.iotlb[vm, gfn])


@law("ISO-1", "After a guest maps a page for its device, the IOMMU entry gives exactly the rights that the guest asked for.")
def a_device_gets_the_rights_that_its_guest_gives(s: Devices, outcome: Handed) -> Any:
    entry = s.iommu[outcome.vm, outcome.gfn]
    return implies(outcome.found == Supply.READY, entry.present and entry.writable == outcome.write)


@law("ISO-1", "Mapping a page for a device changes no other IOMMU entry of the VM, and a failed request changes no entry.")
def no_other_page_is_handed_over(s: Devices, before: Devices, outcome: Handed, gfn: Gfn) -> Any:
    return implies(gfn != outcome.gfn or outcome.found != Supply.READY, s.iommu[outcome.vm, gfn] == before.iommu[outcome.vm, gfn])


@law("ISO-1", "Only a VM's own step creates an IOMMU entry of the VM; an entry never changes except by removal.")
def iommu_entries_are_made_by_their_guests(s: Devices, before: Devices, actor: Vm, vm: Vm, gfn: Gfn) -> Any:
    was, now = before.iommu[vm, gfn], s.iommu[vm, gfn]
    return implies(now.present, now == was or (actor == vm and not was.present))


@law("ISO-1", "While a page has an IOMMU entry, an IOTLB entry of the page equals the IOMMU entry.")
def iotlb_entries_give_what_the_iommu_gives(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.iotlb[vm, gfn].present and s.iommu[vm, gfn].present, s.iotlb[vm, gfn] == s.iommu[vm, gfn])


@law("ISO-1", "A device stores to a page only through a writable IOTLB entry.")
def devices_store_by_writable_entries(s: Devices, outcome: DeviceAccess, actor: Vm) -> Any:
    entry = s.iotlb[actor, outcome.gfn]
    return implies(outcome.write, entry.present and entry.writable)


@law("EQV-1", "A device's access shows the same data as on the bare machine.")
def devices_read_what_was_written(s: Devices, outcome: DeviceAccess) -> Any:
    shown, due = outcome.shown, outcome.due
    return implies(shown.event == Event.COMPLETED and due.event == Event.COMPLETED, shown.cell == due.cell)


@law("EQV-2", "A device's access completes exactly if it completes on the bare machine.")
def device_accesses_complete_when_due(s: Devices, outcome: DeviceAccess) -> Any:
    return outcome.shown.event == outcome.due.event


@law("ISO-2", "A page that is pinned for a device lies in a private frame and is writable in the p2m.")
def held_pages_are_private(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(s.holds[vm, gfn] != Hold.FREE, s.in_frame(vm, gfn) and entry.writable and s.frames[entry.mfn].use == Use.PRIVATE)


@law("RES-1", "A page is recorded as mapped for a device exactly while the IOMMU has an entry for it.")
def holds_are_exact(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return (s.holds[vm, gfn] == Hold.MAPPED) == s.iommu[vm, gfn].present


@law(
    "RES-3",
    "The monitor can unmap any page that is pinned for a device. "
    "If such a page is already unmapped, the monitor can flush the IOTLB.",
)
def held_pages_can_be_taken_back(s: Devices, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.holds[vm, gfn] != Hold.FREE, s.may_unmap(vm, gfn) or s.may_flush(vm, gfn))


@law("RES-3", "After a page is unmapped from the IOMMU, the IOTLB can be flushed; after that flush, the page is no longer pinned.")
def a_device_lets_go_in_two_steps(s: Devices, outcome: LetGo) -> Any:
    return implies(outcome.flushed, s.holds[outcome.vm, outcome.gfn] == Hold.FREE) and implies(
        not outcome.flushed, s.may_flush(outcome.vm, outcome.gfn)
    )


@law("RES-3", "Taking a page back from a device changes no IOMMU entry and no pin of another page of the VM.")
def no_other_page_is_taken_back(s: Devices, before: Devices, outcome: LetGo, gfn: Gfn) -> Any:
    return implies(
        gfn != outcome.gfn,
        s.iommu[outcome.vm, gfn] == before.iommu[outcome.vm, gfn] and s.holds[outcome.vm, gfn] == before.holds[outcome.vm, gfn],
    )


@law("EQV-2", "A request to map a gfn for a device reports missing memory only if the bare machine has no memory at the gfn.")
def a_device_is_refused_holes_only(s: Devices, outcome: Handed) -> Any:
    return implies(outcome.found == Supply.HOLE, not s.plugged[outcome.vm, outcome.gfn])
