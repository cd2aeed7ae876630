"""Translations are installed, lose rights, go, and are flushed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tests.lawful.running import Running
from tests.lawful.state import (
    LEAF,
    Backing,
    Entry,
    Key,
    Told,
    Turns,
    Vm,
)


class Translating(Running):
    """Translations are installed, lose rights, go, and are flushed."""

    def names(self, key: Key) -> list[Key]:
        """The addresses at which a page is reached."""
        return [key, *sorted(self.page(key).lent)]

    def map(self, cpu: int, vm: Vm, gfn: int, mfn: int, writable: bool) -> None:
        if self.wrong("another VM's frame that is mapped"):
            mfn = self.another_frame(vm, mfn)
        vm.table[gfn] = Entry(mfn, writable, writable)
        if self.options.maps_told:
            more: Told = {"execute": self.chance(0.5)} if self.chance(0.2) else {"level": 1} if self.chance(0.1) else {}
            vm.not_executable.discard(gfn)
            if more.get("execute") is False:
                vm.not_executable.add(gfn)
            self.tell(cpu, "map", vm.number, gfn=gfn, mfn=mfn, writable=writable, **more)

    def another_frame(self, vm: Vm, mfn: int) -> int:
        """A frame of another VM, if there is one."""
        found = [
            each.mfn for other in self.vms if other is not vm for each in other.pages.values() if each.backing == Backing.MAPPED
        ]
        return self.draw.choice(found) if found else mfn

    def removed(self, vm: Vm, gfn: int) -> None:
        """A translation has gone, or has lost rights."""
        self.removals += 1
        if self.options.flushes_told:
            vm.stale[gfn] = self.removals
        else:
            for tlb in vm.tlbs.values():
                tlb.pop(gfn, None)

    def split_around(self, cpu: int, vm: Vm, gfns: Iterable[int]) -> None:
        for leaf in sorted({gfn // LEAF * LEAF for gfn in gfns} & vm.leaves):
            vm.leaves.discard(leaf)
            self.tell(cpu, "split", vm.number, gfn=leaf, level=2)

    def unmap(self, cpu: int, keys: Collection[Key]) -> None:
        """Remove all translations of pages, where there are any."""
        for vm, gfns in self.by_vm(name for key in keys for name in self.names(key)):
            there = [gfn for gfn in gfns if gfn in vm.table]
            self.split_around(cpu, vm, there)
            for gfn in there:
                del vm.table[gfn]
                self.removed(vm, gfn)
            if there and self.options.maps_told:
                low, high = there[0] - 1, there[-1] + 2
                if low >= 0 and self.chance(0.2) and not any(gfn in vm.table for gfn in range(low, high)):
                    self.tell(cpu, "unmap", vm.number, gfn=low, pages=high - low)
                else:
                    self.tell_of(cpu, "unmap", vm, there)

    def protect(self, cpu: int, keys: Collection[Key]) -> None:
        """Take the right to write from all translations of pages."""
        for vm, gfns in self.by_vm(name for key in keys for name in self.names(key)):
            there = [gfn for gfn in gfns if gfn in vm.table and vm.table[gfn].allowed]
            self.split_around(cpu, vm, there)
            for gfn in there:
                vm.table[gfn] = Entry(vm.table[gfn].mfn, False, False)
                self.removed(vm, gfn)
            if there and self.options.maps_told and self.chance(0.2):
                for gfn in there:
                    self.tell(cpu, "map", vm.number, gfn=gfn, mfn=vm.table[gfn].mfn, writable=False)
            elif there and self.options.maps_told:
                self.tell_of(cpu, "protect", vm, there)

    def by_vm(self, keys: Iterable[Key]) -> list[tuple[Vm, list[int]]]:
        found: dict[int, list[int]] = {}
        for number, gfn in keys:
            found.setdefault(number, []).append(gfn)
        return [(self.vms[number], sorted(set(gfns))) for number, gfns in sorted(found.items())]

    def flush(self, cpu: int, keys: Collection[Key]) -> Turns:
        """See to it that nothing is cached of pages that was removed."""
        for vm, gfns in self.by_vm(name for key in keys for name in self.names(key)):
            stale = [gfn for gfn in gfns if gfn in vm.stale]
            if stale and self.options.flushes_told:
                yield from self.flush_vm(cpu, vm, stale)

    def flush_vm(self, cpu: int, vm: Vm, gfns: list[int]) -> Turns:
        """A flush of a range of pages, or of all."""
        first, last = (0, 1 << 40) if self.chance(0.4) else (gfns[0], gfns[-1])
        at = {} if last == 1 << 40 else {"gfn": first}
        more = {} if not at else {"pages": last - first + 1} if last > first or self.chance(0.3) else {}
        if self.wrong("a flush of other pages"):
            at, more = {"gfn": 200}, {"pages": 2}
        self.tell(cpu, "flush_begin", vm.number, **at, **more)
        began = self.removals
        for each in vm.cpus:
            if self.chance(0.5):
                yield
            if vm.tlbs[each] and self.wrong("a processor that a flush leaves out"):
                continue
            vm.tlbs[each] = {gfn: entry for gfn, entry in vm.tlbs[each].items() if not first <= gfn <= last}
        self.tell(cpu, "flush_end", vm.number, **at)
        vm.stale = {gfn: since for gfn, since in vm.stale.items() if since > began or not first <= gfn <= last}

    def unmap_and_flush(self, cpu: int, keys: Collection[Key]) -> Turns:
        self.unmap(cpu, keys)
        if self.chance(0.3):
            yield
        if self.are_stale(keys) and self.wrong("no flush after a translation is removed"):
            return
        yield from self.flush(cpu, keys)

    def are_mapped(self, keys: Iterable[Key], for_stores: bool = False) -> bool:
        """Whether any of these pages has a translation, or one that may let write to it."""
        entries = [self.vms[number].table.get(gfn) for key in keys for number, gfn in self.names(key)]
        return any(entry is not None and (entry.allowed or not for_stores) for entry in entries)

    def are_stale(self, keys: Iterable[Key]) -> bool:
        return any(gfn in self.vms[number].stale for key in keys for number, gfn in self.names(key))

    def protect_and_flush(self, cpu: int, keys: Collection[Key]) -> Turns:
        if self.are_mapped(keys, for_stores=True) and self.wrong("no write protection"):
            return
        self.protect(cpu, keys)
        if self.chance(0.3):
            yield
        if self.are_stale(keys) and self.wrong("no flush after write protection"):
            return
        yield from self.flush(cpu, keys)
