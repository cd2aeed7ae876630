"""Pages of the host's: mapped where the record says, held while they are mapped, lent to one party at a time."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.host_pages import DeviceMapped, DevicePlugged, HostPages, Kind, Party


@law("ISO-1", "A gfn maps to a host page that is recorded for the same VM and gfn, with at most the rights of that page's kind.")
def the_physmap_leads_to_the_vms_pages(s: HostPages, vm: Vm, gfn: Gfn) -> Any:
    mapping = s.physmap[vm, gfn]
    page = s.pages[mapping.mfn]
    return implies(
        mapping.mapped,
        page.vm == vm
        and page.at == gfn
        and (page.kind == Kind.GUEST or page.kind == Kind.STATUS or page.kind == Kind.DEVICE)
        and implies(mapping.writable, not page.read_only and page.kind != Kind.STATUS),
    )


@law("RES-1", "If a host page's record names a VM and a gfn, the page is mapped at that gfn of the VM.")
def pages_are_mapped_where_their_record_says(s: HostPages, mfn: Mfn) -> Any:
    page = s.pages[mfn]
    mapping = s.physmap[page.vm, page.at]
    return (
        implies(page.at != NOTHING, mapping.mapped and mapping.mfn == mfn)
        and implies(page.kind == Kind.FREE or page.kind == Kind.INTERNAL, page.at == NOTHING)
        and implies(page.kind == Kind.DEVICE, page.held == (page.at != NOTHING))
    )


@law("EQV-1", "A host page that is given to a guest as memory is mapped for that guest, and writable.")
def guests_pages_are_memory(s: HostPages, mfn: Mfn) -> Any:
    page = s.pages[mfn]
    mapping = s.physmap[page.vm, page.at]
    return implies(page.kind == Kind.GUEST, page.at != NOTHING and mapping.writable)


@law("EFF-2", "Once a fault on a device page is served, the page is mapped with rights that allow the faulting access.")
def a_served_device_fault_makes_progress(s: HostPages, outcome: DeviceMapped) -> Any:
    mapping = s.physmap[outcome.vm, outcome.gfn]
    return mapping.mapped and (mapping.writable or not outcome.write)


@law("ISO-1", "A page that a driver offers is recorded with the rights that the driver gives.")
def offered_pages_have_their_drivers_rights(s: HostPages, outcome: DevicePlugged) -> Any:
    page = s.pages[outcome.mfn]
    return page.kind == Kind.DEVICE and page.read_only == outcome.read_only


@law("RES-1", "The records of lent and borrowed pages agree on which party, if any, borrows a page; the host never borrows.")
def loans_agree(s: HostPages, mfn: Mfn, party: Party) -> Any:
    return s.borrowed[mfn, party] == (s.lent[mfn].shared and s.lent[mfn].to == party) and implies(
        s.lent[mfn].shared, s.lent[mfn].to != Party.HOST
    )


@law("ISO-1", "A device page that its driver holds stays a device page of the same VM.")
def held_pages_stay(s: HostPages, before: HostPages, mfn: Mfn) -> Any:
    was, now = before.pages[mfn], s.pages[mfn]
    return implies(was.held and was.kind == Kind.DEVICE, now.kind == Kind.DEVICE and now.vm == was.vm)


@law("ISO-1", "A page that is lent is neither freed nor handed out before it is taken back.")
def lent_pages_stay(s: HostPages, before: HostPages, mfn: Mfn) -> Any:
    was, now = before.pages[mfn], s.pages[mfn]
    return implies(before.lent[mfn].shared, now.kind == was.kind and now.vm == was.vm)


@law("ISO-4", "A page that a guest has mapped, or may map, holds no secret.")
def mapped_pages_hold_no_secret(s: HostPages, mfn: Mfn) -> Any:
    page = s.pages[mfn]
    return implies(
        page.at != NOTHING or page.kind == Kind.GUEST or page.kind == Kind.STATUS or page.kind == Kind.DEVICE, not page.secret
    )


@law("ISO-4", "A page that the monitor uses internally is marked as holding a secret.")
def what_the_monitor_uses_is_secret(s: HostPages, mfn: Mfn) -> Any:
    page = s.pages[mfn]
    return implies(page.kind == Kind.INTERNAL, page.secret)


@law("ISO-4", "A page that is lent to a guest holds no secret.")
def lent_pages_hold_no_secret(s: HostPages, mfn: Mfn) -> Any:
    lent, page = s.lent[mfn], s.pages[mfn]
    return implies(lent.shared and lent.to == Party.GUEST, not page.secret)


@law("ISO-4", "The next owner of a free frame finds no secret in the frame, which is scrubbed when freed or when handed out.")
def free_frames_show_no_secret(s: HostPages, mfn: Mfn) -> Any:
    return implies(s.pages[mfn].kind == Kind.FREE, not s.found_in(mfn))
