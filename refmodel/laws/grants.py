"""What is shared on purpose: with whom it was agreed, as it was agreed, and until it is taken back."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Gfn, Mfn, Ref, Vm
from refmodel.monitor.grants import Accessed, Ended, Grants, State, is_foreign, mappings_of, references_to


@law("ISO-1", "What a VM has mapped of another's is the page that it was offered, with no more rights.")
def foreign_pages_are_granted(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    grant = s.grants[entry.granter, entry.ref]
    page = s.p2m[entry.granter, grant.gfn]
    return implies(is_foreign(entry), grant.offered and grant.to == vm and implies(entry.writable, grant.writable)
                   and page.state == State.OWN and page.mfn == entry.mfn)


@law("ISO-1", "What is cached leads where the p2m says, or said until it was unmapped, with no more rights.")
def cached_pages_lead_where_the_p2m_says(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    entry, cached = s.p2m[vm, gfn], s.tlb[vm, gfn]
    return implies(cached.valid,
                   entry.state != State.NOTHING and entry.mfn == cached.mfn and implies(cached.writable, entry.writable))


@law("ISO-1", "A VM's own page is in a frame that is its own.")
def own_pages_are_owned(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    frame = s.frames[entry.mfn]
    return (implies(entry.state == State.OWN, frame.used and frame.vm == vm and frame.gfn == gfn
                    and entry.granter == NOTHING and entry.ref == NOTHING)
            and implies(entry.state == State.NOTHING, entry.mfn == NOTHING and entry.granter == NOTHING and entry.ref == NOTHING)
            and implies(is_foreign(entry), entry.granter != NOTHING and entry.ref != NOTHING))


@law("ISO-4", "A page that a VM is given is a page of zeroes, unless another VM gave it.")
def a_given_page_holds_nothing(s: Grants, before: Grants, actor: Vm, vm: Vm, gfn: Gfn) -> Any:
    return implies(actor == NOTHING and before.p2m[vm, gfn].state == State.NOTHING and s.p2m[vm, gfn].state == State.OWN,
                   s.memory[s.p2m[vm, gfn].mfn].is_zero())


@law("ISO-5", "What a page holds is changed by its owner, or by a VM that has mapped it for storing.")
def pages_change_as_was_agreed(s: Grants, before: Grants, outcome: Accessed, mfn: Mfn) -> Any:
    through = before.p2m[outcome.vm, outcome.gfn]
    return implies(before.memory[mfn] != s.memory[mfn], through.mfn == mfn and through.writable)


@law("RES-1", "A grant counts its mappings.")
def grant_mappings_are_exact(s: Grants, vm: Vm, ref: Ref) -> Any:
    return s.grants[vm, ref].mappings == mappings_of(s, vm, ref)


@law("RES-1", "A frame counts the entries that lead to it.")
def frame_references_are_exact(s: Grants, mfn: Mfn) -> Any:
    return s.frames[mfn].references == references_to(s, mfn)


@law("RES-2", "A frame that is used is a page of its owner's; no other is referred to.")
def used_frames_are_pages(s: Grants, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    page = s.p2m[frame.vm, frame.gfn]
    return implies(frame.used, page.state == State.OWN and page.mfn == mfn) and implies(not frame.used, frame.references == 0)


@law("RES-3", "What is mapped of another's page the monitor may unmap, and what is unmapped it may flush.")
def foreign_pages_can_be_taken_back(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    return implies(is_foreign(s.p2m[vm, gfn]), s.may_unmap(vm, gfn) or s.may_flush(vm, gfn))


@law("RES-3", "A mapping that the monitor ended gives no access any more, and one that was flushed is gone.")
def foreign_pages_go_in_two_steps(s: Grants, outcome: Ended) -> Any:
    state = s.p2m[outcome.vm, outcome.gfn].state
    return state != State.FOREIGN and implies(outcome.gone, state == State.NOTHING)


@law("EQV-1", "A frame holds what its owner's bare page holds.")
def frames_hold_what_their_owners_believe(s: Grants, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    return implies(frame.used, s.memory[mfn] == s.bare_memory[frame.vm, frame.gfn])


@law("EQV-1", "A load, also of another's page, shows what was stored there.")
def loads_show_what_any_sharer_stored(s: Grants, outcome: Accessed) -> Any:
    return outcome.shown == outcome.due
