"""What a guest that moves must not notice, and what the old machine may be sure of."""

from typing import Any

import attrs

from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.free_page_hinting import CalledFree, FreePageHinting
from refmodel.monitor.migration import Migration
from refmodel.monitor.p2m import Backing


@law("EQV-1", "The source keeps each page that the destination still awaits, with the contents of the bare machine's page.")
def awaited_pages_are_the_bare_machines(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.p2m[vm, gfn].backing == Backing.AWAITED, s.kept[vm, gfn].kept and s.origin[vm, gfn] == s.bare_memory[vm, gfn])


@law("EQV-4", "The source still keeps a page that is in flight to the destination.")
def what_is_under_way_is_kept(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.kept[vm, gfn].under_way, s.kept[vm, gfn].kept)


@law("EFF-2", "A page that arrives while the destination awaits it is mapped there, and not dropped.")
def a_page_that_arrives_is_mapped(s: Migration, before: Migration, vm: Vm, gfn: Gfn) -> Any:
    arrived = before.kept[vm, gfn].under_way and not s.kept[vm, gfn].under_way
    return implies(arrived and before.p2m[vm, gfn].backing == Backing.AWAITED, s.p2m[vm, gfn].mapped)


@law("RES-3", "The source can free its copy of a page, unless the page is in flight or the destination still awaits it.")
def what_is_kept_can_be_freed(s: Migration, vm: Vm, gfn: Gfn) -> Any:
    kept = s.kept[vm, gfn]
    return implies(kept.kept, kept.under_way or s.p2m[vm, gfn].backing == Backing.AWAITED or s.may_free_kept(vm, gfn))


@law("ISO-4", "When the source frees its copy of a page, the copy is scrubbed to zeroes.")
def what_is_freed_holds_nothing(s: Migration, before: Migration, vm: Vm, gfn: Gfn) -> Any:
    return implies(before.kept[vm, gfn].kept and not s.kept[vm, gfn].kept, s.origin[vm, gfn].is_zero())


@law("EQV-4", "A page is no longer hinted as free once its guest stores to it, or once the page is added or removed.")
def pages_in_use_are_not_called_free(s: FreePageHinting, before: FreePageHinting, vm: Vm, gfn: Gfn, index: Index) -> Any:
    was, now = before.bare_memory[vm, gfn][index], s.bare_memory[vm, gfn][index]
    is_stored_to = attrs.evolve(now, accessed=was.accessed, dirty=was.dirty) != was  # a processor's marks are no stores
    return implies(is_stored_to or s.plugged[vm, gfn] != before.plugged[vm, gfn], not s.called_free[vm, gfn])


@law("EQV-4", "Only a VM's own steps hint that a page of the VM is free.")
def pages_are_called_free_by_their_guests(s: FreePageHinting, before: FreePageHinting, actor: Vm, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.called_free[vm, gfn] and not before.called_free[vm, gfn], actor == vm)


@law("EQV-4", "A guest that hints one page as free changes the hint of no other page.")
def the_page_called_free_is_the_one_named(s: FreePageHinting, before: FreePageHinting, outcome: CalledFree, gfn: Gfn) -> Any:
    return implies(gfn != outcome.gfn, s.called_free[outcome.vm, gfn] == before.called_free[outcome.vm, gfn])


@law("EQV-4", "A page that migration skipped has memory, and either its guest hints it as free or a dirty flag records a store.")
def skipped_pages_are_free(s: FreePageHinting, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.sent[vm, gfn] == Sent.SKIPPED, s.plugged[vm, gfn] and (s.is_written(vm, gfn) or s.called_free[vm, gfn]))
