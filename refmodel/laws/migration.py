"""What a guest that moves must not notice, and what the old machine may be sure of."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.migration import Migration, Phase, Touched


@law("EQV-1", "A load shows what was stored, on whichever machine.")
def loads_on_either_machine_show_what_was_stored(s: Migration, outcome: Touched) -> Any:
    return implies(not outcome.free, outcome.shown == outcome.due)


@law("EQV-1", "Until a VM has moved its memory is here.")
def memory_is_here_at_first(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.phase[vm] != Phase.THERE and not s.free[vm, gfn], s.here[vm, gfn] == s.bare_memory[vm, gfn])


@law("EQV-1", "When it has moved, each page is there, or still here.")
def memory_is_on_one_of_the_machines(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    page = s.pages[vm, gfn]
    return implies(s.phase[vm] == Phase.THERE and not s.free[vm, gfn],
                   s.there[vm, gfn] == s.bare_memory[vm, gfn] if page.received
                   else not page.discarded and s.here[vm, gfn] == s.bare_memory[vm, gfn])


@law("EQV-4", "A page that is neither logged nor dirty is there as it is here.")
def clean_pages_are_there(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    page = s.pages[vm, gfn]
    return implies(s.phase[vm] != Phase.THERE and page.clean and not page.dirty and not s.free[vm, gfn],
                   s.there[vm, gfn] == s.bare_memory[vm, gfn])


@law("EQV-4", "A store that sets no flag is one to a page that is dirty, or logged and not yet sent.")
def no_store_goes_unnoticed(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    page = s.pages[vm, gfn]
    return (implies(s.phase[vm] != Phase.THERE and s.cached_dirty[vm, gfn], page.dirty or page.unflushed)
            and implies(page.unflushed, not page.clean and not page.hinted))


@law("EQV-4", "A page that is hinted to be free is, or is dirty.")
def hinted_pages_are_free(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    page = s.pages[vm, gfn]
    return implies(s.phase[vm] != Phase.THERE and page.hinted, s.free[vm, gfn] or page.dirty)


@law("RES-3", "Of a VM that has moved, every frame here can be regained: its page is sent, or can be, or can be discarded.")
def what_is_left_behind_can_be_regained(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    page = s.pages[vm, gfn]
    return implies(s.phase[vm] == Phase.THERE and not page.discarded,
                   page.in_flight or s.may_transmit(vm, gfn) or s.may_discard(vm, gfn))


@law("ISO-4", "What the old machine has freed holds nothing.")
def what_is_discarded_holds_nothing(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.pages[vm, gfn].discarded, s.here[vm, gfn].is_zero())


@law("EQV-4", "Nothing is on its way, and nothing freed, before the VM has moved; what is freed has come, and is not on its way.")
def pages_travel_when_the_vm_has_moved(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    page = s.pages[vm, gfn]
    return (implies(s.phase[vm] != Phase.THERE, not page.in_flight and not page.discarded)
            and implies(page.discarded, page.received and not page.in_flight))
