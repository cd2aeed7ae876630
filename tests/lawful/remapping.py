"""Translations come and go though nobody needs it."""

from __future__ import annotations

from tests.lawful.running import Running
from tests.lawful.state import (
    FAR,
    LEAF,
    Backing,
    Entry,
    Key,
    Turns,
    Vm,
)


class Remapping(Running):
    """Translations come and go though nobody needs it."""

    def remaps(self, cpu: int, vm: Vm) -> Turns:
        """Some pages are unmapped, and flushed sooner or later."""

        def turns(keys: list[Key]) -> Turns:
            self.unmap(cpu, keys)
            yield
            if self.chance(0.5):
                yield from self.flush(cpu, keys)

        yield from self.on_pages(vm, self.some_pages(vm), turns, pinned_too=True)

    def protects(self, cpu: int, vm: Vm) -> Turns:
        def turns(keys: list[Key]) -> Turns:
            self.protect(cpu, keys)
            yield
            if self.chance(0.5):
                yield from self.flush(cpu, keys)

        yield from self.on_pages(vm, self.some_pages(vm), turns, pinned_too=True)

    def allows(self, cpu: int, vm: Vm) -> Turns:
        """Stores to pages are allowed again, of which some have translations."""

        def turns(keys: list[Key]) -> Turns:
            gfns = [gfn for _, gfn in keys if self.may_write(vm, gfn) and gfn in vm.table]
            self.split_around(cpu, vm, gfns)
            for gfn in gfns:
                vm.table[gfn] = Entry(vm.table[gfn].mfn, vm.table[gfn].writable or self.chance(0.5), True)
            if gfns and self.options.maps_told:
                self.tell_of(cpu, "unprotect", vm, gfns)
            yield

        yield from self.on_pages(vm, self.some_pages(vm), turns)

    def maps_ahead(self, cpu: int, vm: Vm) -> Turns:
        """Pages are mapped before they are touched, several at once."""

        def turns(keys: list[Key]) -> Turns:
            yield
            gfns = [gfn for _, gfn in keys if vm.pages[gfn].backing == Backing.MAPPED and gfn not in vm.table]
            writable = self.chance(0.5)
            gfns = [gfn for gfn in gfns if not writable or self.may_write(vm, gfn)]
            mfns = [vm.pages[gfn].mfn for gfn in gfns]
            for gfn, mfn in zip(gfns, mfns, strict=True):
                vm.table[gfn] = Entry(mfn, writable, writable)
            if gfns and self.options.maps_told:
                self.tell_of(cpu, "map", vm, gfns, mfns, writable=writable)

        yield from self.on_pages(vm, self.some_pages(vm), turns)

    def flushes_all(self, cpu: int, vm: Vm) -> Turns:
        if self.options.flushes_told and not vm.is_alone:
            yield from self.flush_vm(cpu, vm, sorted(vm.stale) or [0])

    def maps_leaf(self, cpu: int, vm: Vm) -> Turns:
        """Smaller leaves are collapsed, or a leaf is mapped at once."""
        if FAR not in vm.pages or FAR in vm.leaves or not self.options.maps_told:
            return
        keys = [(vm.number, FAR + at) for at in range(LEAF)]
        yield from self.locked(keys, self.maps_leaf_locked(cpu, vm))

    def maps_leaf_locked(self, cpu: int, vm: Vm) -> Turns:
        yield
        pages = [vm.pages.get(FAR + at) for at in range(LEAF)]
        first = pages[0].mfn if pages[0] is not None else -1
        in_a_row = all(page is not None and page.mfn == first + at for at, page in enumerate(pages))
        entries = [vm.table[FAR + at] for at in range(LEAF) if FAR + at in vm.table]
        writable = all(self.may_write(vm, FAR + at) for at in range(LEAF)) if in_a_row else False
        if in_a_row and not writable and self.wrong("a collapse that gives rights"):
            writable = True
        if first % LEAF or first < 0 or not in_a_row or (not writable and any(entry.allowed for entry in entries)):
            return
        writable = writable and (self.chance(0.7) or any(entry.allowed for entry in entries))
        self.tell(cpu, "map", vm.number, gfn=FAR, mfn=first, writable=writable, level=2)
        vm.leaves.add(FAR)
        for at in range(LEAF):
            vm.table[FAR + at] = Entry(first + at, writable, writable)

    def splits_leaf(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        if (vm.number, FAR) not in self.locks and not vm.is_alone:
            self.split_around(cpu, vm, [FAR])
