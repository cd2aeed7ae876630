"""Queues whose entries are handled in order, so that a rank says how many are left; and variants in which that goes wrong."""

import attrs

from refmodel.language import (
    NOTHING,
    Design,
    Total,
    choose,
    count,
    geometry,
    implies,
    law,
    operation,
    pending,
    require,
)
from refmodel.machine.names import Count, Gfn, Slot, Vm


@attrs.frozen
class Ends:
    head: Count = 0
    tail: Count = 0


@attrs.frozen
class Entry:
    gfn: Gfn = NOTHING
    number: Count = 0


class Queues(Design):
    """Each VM has a ring of requests to invalidate a page. They are numbered, and the monitor handles them in order."""

    ends: Total[Vm, Ends]
    ring: Total[tuple[Vm, Slot], Entry]
    geometry = geometry(Vm=2, Gfn=1, Slot=2)

    @operation
    def push(self, vm: Vm, gfn: Gfn) -> None:
        require(self.ends[vm].tail < 3)
        self.put(vm, gfn)

    def put(self, vm: Vm, gfn: Gfn) -> None:
        slot = choose(Slot, lambda slot: self.ring[vm, slot].gfn == NOTHING)
        ends = self.ends[vm]
        self.ring[vm, slot] = Entry(gfn, ends.tail)
        self.ends[vm] = Ends(ends.head, ends.tail + 1)

    @operation
    def handle(self, vm: Vm) -> None:
        slot = choose(Slot, lambda slot: self.is_first(vm, slot))
        ends = self.ends[vm]
        self.ring[vm, slot] = Entry()
        self.ends[vm] = Ends(ends.head + 1, ends.tail)

    @operation
    def start_again(self, vm: Vm) -> None:
        require(self.length(vm) == 0 and self.ends[vm].head > 0)
        self.ends[vm] = Ends()

    def is_first(self, vm: Vm, slot: Slot) -> bool:
        entry = self.ring[vm, slot]
        return entry.gfn != NOTHING and entry.number == self.ends[vm].head

    def length(self, vm: Vm) -> Count:
        return self.ends[vm].tail - self.ends[vm].head

    @law("EFF-2", "A queue that is not empty has a first entry.")
    def has_a_first(self, vm: Vm) -> bool:
        ends = self.ends[vm]
        firsts = count(self.ring, lambda entry, of, slot: of == vm and entry.gfn != NOTHING and entry.number == ends.head)
        return ends.head <= ends.tail and implies(ends.head < ends.tail, firsts == 1)

    @law("EFF-2", "After each entry of a queue comes the next, up to the tail.")
    def has_a_next(self, vm: Vm, slot: Slot) -> bool:
        entry, following = self.ring[vm, slot], self.ring[vm, slot].number + 1
        nexts = count(self.ring, lambda other, of, slot: of == vm and other.gfn != NOTHING and other.number == following)
        return implies(entry.gfn != NOTHING and following < self.ends[vm].tail, nexts == 1)

    @law("EFF-2", "Entries have numbers between head and tail.")
    def numbers_are_between(self, vm: Vm, slot: Slot) -> bool:
        entry, ends = self.ring[vm, slot], self.ends[vm]
        return implies(entry.gfn != NOTHING, ends.head <= entry.number and entry.number < ends.tail)

    @law("EFF-2", "No two entries of a queue have the same number.")
    def numbers_differ(self, vm: Vm, slot: Slot, other: Slot) -> bool:
        one, two = self.ring[vm, slot], self.ring[vm, other]
        return implies(one.gfn != NOTHING and two.gfn != NOTHING and one.number == two.number, slot == other)


class InOrder(Queues):
    @pending("EFF-4", "The requests in a queue are handled.", until="handle", rank="length")
    def queued(self, vm: Vm) -> bool:
        return self.length(vm) > 0


class EntryByEntry(Queues):
    """The condition is about the first entry, whose end makes the next one the first."""

    @operation
    def handle_entry(self, vm: Vm, slot: Slot) -> None:
        require(self.is_first(vm, slot))
        ends = self.ends[vm]
        self.ring[vm, slot] = Entry()
        self.ends[vm] = Ends(ends.head + 1, ends.tail)

    @pending("EFF-4", "The first request in a queue is handled.", until="handle_entry", rank="length")
    def is_next(self, vm: Vm, slot: Slot) -> bool:
        return self.is_first(vm, slot)


class WithoutARank(EntryByEntry):
    @pending("EFF-4", "The first request in a queue is handled: nothing says how many are left.", until="handle_entry")
    def is_first_of_all(self, vm: Vm, slot: Slot) -> bool:
        return self.is_first(vm, slot)


class HandlesNothing(InOrder):
    @operation
    def handle(self, vm: Vm) -> None:
        require(self.length(vm) > 0)


class HandsOver(InOrder):
    """A livelock: what one VM's queue is rid of stands in another's."""

    @operation
    def handle(self, vm: Vm) -> None:
        slot = choose(Slot, lambda slot: self.is_first(vm, slot))
        other = choose(Vm, lambda other: other != vm and self.length(other) == 0)
        gfn = self.ring[vm, slot].gfn
        self.ring[vm, slot] = Entry()
        self.ends[vm] = Ends(0, 0) if self.length(vm) == 1 else Ends(self.ends[vm].head + 1, self.ends[vm].tail)
        self.ring[other, slot] = Entry(gfn, 0)
        self.ends[other] = Ends(0, 1)


class ShorterThanNothing(Queues):
    """The rank goes below zero where a queue is not empty."""

    def backwards(self, vm: Vm) -> Count:
        return self.ends[vm].head - self.ends[vm].tail

    @pending("EFF-4", "The requests in a queue are handled.", until="handle", rank="backwards")
    def queued(self, vm: Vm) -> bool:
        return self.length(vm) > 0
