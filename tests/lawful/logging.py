"""Stores are logged, and pages are sent to another machine."""

from __future__ import annotations

from collections.abc import Collection

from tests.lawful.running import Running
from tests.lawful.state import (
    RING,
    ZEROES,
    Backing,
    Entry,
    Key,
    Log,
    Ring,
    Turns,
    Vm,
)


class Logging(Running):
    """Stores are logged, and pages are sent to another machine."""

    def log(self, cpu: int, key: Key) -> None:
        """A page is marked: in a ring, if it has room, or in the bitmap."""
        vm = self.vms[key[0]]
        if not self.options.ring or self.chance(0.1):
            self.tell(cpu, "mark", vm.number, gfn=key[1])
            return
        number = cpu % 3
        ring = vm.rings.setdefault(number, Ring())
        if len(ring.entries) - ring.reset >= RING:
            self.tell(cpu, "ring_full", vm.number, ring=number, size=RING)
            ring.is_full_told = True
            self.tell(cpu, "mark", vm.number, gfn=key[1])
            return
        lost = self.wrong("an entry of a ring that is lost")
        if lost:
            ring.entries.append(key[1])
        self.tell(cpu, "ring_push", vm.number, ring=number, index=len(ring.entries), gfn=key[1])
        ring.entries.append(key[1])

    def marked(self, cpu: int, key: Key) -> None:
        """A page is about to be stored to by somebody else than its guest, or its contents change otherwise."""
        page = self.page(key)
        if page.log == Log.SENT and not (self.options.marks_late and self.chance(0.5)):
            if not self.wrong("a device's store that the dirty log misses"):
                self.log(cpu, key)
            page.log = Log.MARKED

    def new_in_log(self, vm: Vm, gfn: int) -> None:
        """A page that comes or goes counts as marked."""
        vm.late.discard(gfn)
        if gfn in vm.pages:
            vm.pages[gfn].log = Log.MARKED if vm.is_logging else Log.NOTHING

    def marks_late_stores(self, cpu: int, vm: Vm) -> Turns:
        """What has been stored to is marked, as when the buffers of page-modification logging are read."""
        yield from ()
        gfns = [gfn for gfn in vm.late if (vm.number, gfn) not in self.locks]
        if gfns and not vm.is_alone:
            self.mark_late(cpu, vm, gfns)

    def mark_late(self, cpu: int, vm: Vm, gfns: Collection[int]) -> None:
        if self.wrong("a late mark that never comes"):
            gfns = list(gfns)[1:]
            vm.late.clear()
        for gfn in sorted(gfns):
            self.log(cpu, (vm.number, gfn))
            vm.pages[gfn].log = Log.MARKED
        vm.late.difference_update(gfns)

    def sends(self, cpu: int, vm: Vm) -> Turns:
        """One step of a migration."""
        if any(page.is_private for page in vm.pages.values()) or "converts" in self.options.things:
            return
        if not vm.is_logging:
            yield from self.alone(vm, self.starts_logging(cpu, vm))
        elif self.chance(0.75):
            yield from self.sends_some(cpu, vm)
        else:
            yield from self.alone(vm, self.ends_migration(cpu, vm))

    def starts_logging(self, cpu: int, vm: Vm) -> Turns:
        vm.is_logging = True
        for page in vm.pages.values():
            page.log = Log.MARKED if self.options.starts_marked else Log.NOTHING
        yield

    def sends_some(self, cpu: int, vm: Vm) -> Turns:
        """Some pages that have to be sent are write-protected and sent."""
        ringed = {gfn for ring in vm.rings.values() for gfn in ring.entries[ring.reset :]}
        due = [gfn for gfn, page in vm.pages.items() if page.log in (Log.NOTHING, Log.MARKED) and gfn not in ringed]
        gfns = self.some_of(due, 4)
        yield from self.locked([(vm.number, gfn) for gfn in gfns], self.sends_locked(cpu, vm, gfns))

    def some_of(self, gfns: Collection[int], most: int) -> list[int]:
        return sorted(self.draw.sample(sorted(gfns), min(len(gfns), self.draw.randint(1, most))))

    def sends_locked(self, cpu: int, vm: Vm, gfns: list[int]) -> Turns:
        gfns = [gfn for gfn in gfns if gfn in vm.pages and vm.is_logging and vm.pages[gfn].log in (Log.NOTHING, Log.MARKED)]
        keys = [(vm.number, gfn) for gfn in gfns]
        self.take_marks(cpu, vm, gfns)
        yield
        if not self.options.marks_late:
            yield from self.protect_and_flush(cpu, keys)
        yield
        self.send(cpu, vm, gfns)

    def take_marks(self, cpu: int, vm: Vm, gfns: Collection[int]) -> None:
        taken = [gfn for gfn in gfns if vm.pages[gfn].log == Log.MARKED]
        if taken:
            self.tell_of(cpu, "take_mark", vm, taken)
        for gfn in gfns:
            vm.pages[gfn].log = Log.TAKEN

    def send(self, cpu: int, vm: Vm, gfns: Collection[int]) -> None:
        """Copy pages to the other machine."""
        there = [gfn for gfn in gfns if vm.pages[gfn].backing != Backing.BALLOONED]
        due = [gfn for gfn in there if vm.destination.get(gfn, ZEROES) != self.holds(vm.pages[gfn])]
        if due and self.wrong("a page that is not sent"):
            there.remove(due[0])
        for gfn in gfns:
            vm.pages[gfn].log = Log.SENT
        for gfn in there:
            vm.destination[gfn] = self.holds(vm.pages[gfn])
            vm.late.discard(gfn)
        if there:
            self.tell_of(cpu, "send", vm, there)

    def harvests(self, cpu: int, vm: Vm) -> Turns:
        """A dirty ring is harvested, reset, and its pages are sent."""
        if not vm.is_logging or not vm.rings:
            return
        number = self.draw.choice(sorted(vm.rings))
        ring = vm.rings[number]
        gfns = {gfn for gfn in ring.entries[ring.reset :] if gfn in vm.pages}
        if gfns:
            keys = [(vm.number, gfn) for gfn in gfns]
            yield from self.locked(keys, self.harvests_locked(cpu, vm, number))

    def harvests_locked(self, cpu: int, vm: Vm, number: int) -> Turns:
        ring = vm.rings[number]
        first, end = ring.reset, len(ring.entries) if self.chance(0.7) else self.draw.randint(ring.harvested, len(ring.entries))
        gfns = sorted({gfn for gfn in ring.entries[first:end] if gfn in vm.pages})
        if not self.wrong("a ring that is reset before it is harvested"):
            self.tell(cpu, "ring_harvest", vm.number, ring=number, end=end)
        ring.harvested = end
        for gfn in gfns:
            vm.pages[gfn].log = Log.TAKEN
        yield
        self.reset_ring(cpu, vm, number, end)
        yield
        yield from self.flush(cpu, [(vm.number, gfn) for gfn in gfns])
        self.send(cpu, vm, gfns)

    def reset_ring(self, cpu: int, vm: Vm, number: int, end: int) -> None:
        """Entries are free again, and their pages are write-protected."""
        ring = vm.rings[number]
        gfns = sorted({gfn for gfn in ring.entries[ring.reset : end] if gfn in vm.pages})
        ring.reset = end
        self.protect(cpu, [key for gfn in gfns for key in self.names((vm.number, gfn))[1:] if key[1] in self.vms[key[0]].pages])
        for gfn in gfns:
            lent = [name for name in self.names((vm.number, gfn)) if name != (vm.number, gfn)]
            self.protect_names(cpu, lent)
        self.split_around(cpu, vm, gfns)
        for gfn in gfns:
            entry = vm.table.get(gfn)
            if entry is not None and entry.allowed:
                vm.table[gfn] = Entry(entry.mfn, False, False)
                self.removed(vm, gfn)
        self.tell(cpu, "ring_reset", vm.number, ring=number, end=end)

    def protect_names(self, cpu: int, names: Collection[Key]) -> None:
        """Take the right to write from translations of pages that are reached elsewhere."""
        for vm, gfns in self.by_vm(names):
            for gfn in gfns:
                entry = vm.table.get(gfn)
                if entry is not None and entry.allowed:
                    vm.table[gfn] = Entry(entry.mfn, False, False)
                    self.removed(vm, gfn)
                    if self.options.maps_told:
                        self.tell(cpu, "protect", vm.number, gfn=gfn)

    def ends_migration(self, cpu: int, vm: Vm) -> Turns:
        """The VM is stopped, and what is left is sent; or migration is cancelled."""
        how = self.draw.choice(("cancelled", "moved", "moved", "fetched", "paused"))
        if how != "cancelled":
            self.tell(cpu, "pause", vm.number)
            vm.is_paused = True
            yield
        if how in ("moved", "fetched"):
            yield from self.sends_the_rest(cpu, vm, all_of_it=how == "moved")
            held = [gfn for gfn, page in sorted(vm.pages.items()) if page.dma == "rw"]
            if held and self.wrong("a device that writes after the last page was sent"):
                self.device_access(cpu, vm, held[0], True)
            self.is_lost |= any(
                page.log == Log.SENT and vm.destination.get(gfn, ZEROES) != self.holds(page)
                for gfn, page in vm.pages.items()
                if page.backing != Backing.BALLOONED
            )
            self.tell(cpu, "resume", vm.number, **({"fetched": False} if how == "moved" and self.chance(0.5) else {}))
            yield
        if how != "paused":
            yield from self.empties_rings(cpu, vm)
            self.tell(cpu, "cancelled", vm.number)
            vm.is_logging = False
            vm.destination.clear()
            vm.late.clear()
            for page in vm.pages.values():
                page.log = Log.NOTHING
        if how != "cancelled":
            self.tell(cpu, "unpause", vm.number)
            vm.is_paused = False

    def sends_the_rest(self, cpu: int, vm: Vm, all_of_it: bool) -> Turns:
        """What is marked is sent while the VM is stopped, or fetched later. What devices write to is sent again."""
        self.mark_late(cpu, vm, list(vm.late))
        for gfn, page in vm.pages.items():
            if page.log == Log.SENT and page.dma == "rw" and self.options.marks_late:
                self.log(cpu, (vm.number, gfn))
                page.log = Log.MARKED
        yield from self.empties_rings(cpu, vm)
        gfns = sorted(gfn for gfn, page in vm.pages.items() if page.log != Log.SENT or page.dma == "rw")
        if not all_of_it:
            gfns = [gfn for gfn in gfns if vm.pages[gfn].log != Log.MARKED or vm.pages[gfn].dma or self.chance(0.5)]
        self.take_marks(cpu, vm, gfns)
        if self.chance(0.5):
            yield from self.protect_and_flush(cpu, [(vm.number, gfn) for gfn in gfns])
        self.send(cpu, vm, gfns)

    def empties_rings(self, cpu: int, vm: Vm) -> Turns:
        for number in sorted(vm.rings):
            ring, end = vm.rings[number], len(vm.rings[number].entries)
            if ring.reset < end:
                gfns = sorted({gfn for gfn in ring.entries[ring.reset :] if gfn in vm.pages})
                self.tell(cpu, "ring_harvest", vm.number, ring=number, end=end)
                ring.harvested = end
                for gfn in gfns:
                    vm.pages[gfn].log = Log.TAKEN
                self.reset_ring(cpu, vm, number, end)
                yield from self.flush(cpu, [(vm.number, gfn) for gfn in gfns])
