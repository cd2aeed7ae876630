"""What the monitor keeps of a page that a guest registered."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Vm
from refmodel.monitor.frames import Use
from refmodel.monitor.registered_pages import PageRegistered, RegisteredPages


@law("EQV-1", "After a guest registers a page, the monitor's record names that page.")
def the_registered_page_is_the_one_named(s: RegisteredPages, outcome: PageRegistered) -> Any:
    return s.registered[outcome.vm].gfn == outcome.gfn


@law("ISO-5", "Only a VM's own steps change which page the VM has registered.")
def registered_pages_are_their_guests(s: RegisteredPages, before: RegisteredPages, actor: Vm, vm: Vm) -> Any:
    return implies(vm != actor, s.registered[vm] == before.registered[vm])


@law("ISO-1", "The frame that the monitor has cached for a registered page backs that page, which is mapped and writable.")
def kept_frames_are_the_pages(s: RegisteredPages, vm: Vm) -> Any:
    kept, entry = s.kept_frames[vm].mfn, s.p2m[vm, s.registered[vm].gfn]
    return implies(kept != NOTHING, entry.mapped and entry.mfn == kept and entry.writable)


@law("EQV-4", "The monitor caches no frame for a registered page that is watched for stores.")
def watched_pages_are_asked_for(s: RegisteredPages, vm: Vm) -> Any:
    return implies(s.kept_frames[vm].mfn != NOTHING, not s.is_watched_for_stores(vm, s.registered[vm].gfn))


@law("ISO-2", "The frame that the monitor has cached for a page that a guest registered is private, not shared.")
def no_shared_frame_is_kept(s: RegisteredPages, vm: Vm) -> Any:
    kept = s.kept_frames[vm].mfn
    return implies(kept != NOTHING, s.frames[kept].use == Use.PRIVATE)
