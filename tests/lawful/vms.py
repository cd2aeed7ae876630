"""VMs, their memory slots and their memory come and go."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tests.lawful.running import Running
from tests.lawful.state import (
    FAR,
    HOT,
    LEAF,
    PAGE,
    ROM,
    ZEROES,
    Backing,
    Frame,
    Key,
    Page,
    Turns,
    Vm,
)


class Vms(Running):
    """VMs, their memory slots and their memory come and go."""

    def new_vm(self, number: int, cpu: int = 100) -> Vm:
        """A VM begins."""
        cpus = tuple(number * self.options.cpus + at for at in range(self.options.cpus))
        vm = Vm(number, cpus, tlbs={cpu: {} for cpu in cpus})
        pages = self.options.pages
        if self.chance(0.3):
            self.tell(cpu, "ram", number, gpa=0, bytes=pages << 12)
            vm.pages = {gfn: Page(Backing.PROMISED) for gfn in range(pages)}
        else:
            zero = self.chance(0.5)
            self.tell(cpu, "slot_add", number, slot=0, gfn=0, pages=pages, **({"zero": True} if zero else {}))
            vm.slots[0] = 0, pages, False
            vm.pages = {gfn: self.new_page(zero) for gfn in range(pages)}
        self.tell(cpu, "slot_add", number, slot=2, gfn=ROM, pages=2)
        vm.slots[2] = ROM, 2, False
        vm.pages.update({ROM + at: self.new_page(False) for at in range(2)})
        if self.options.leaves:
            self.new_leaves(vm, cpu)
        return vm

    def new_page(self, zero: bool) -> Page:
        if zero:
            return Page(Backing.PROMISED)
        words = [self.draw.choice((0, 0, 5)).to_bytes(8, "little") for _ in range(3)]
        return Page(Backing.WAITING, kept=(b"".join(words) + ZEROES)[:PAGE])

    def new_leaves(self, vm: Vm, cpu: int) -> None:
        """Memory in frames of its own, in a row."""
        self.leaves += 1
        base = self.leaves * LEAF
        self.tell(cpu, "slot_add", vm.number, slot=3, gfn=FAR, pages=LEAF)
        self.tell(cpu, "fill", vm.number, gfn=FAR, pages=LEAF, mfn=base, source="restore", zero=True)
        vm.slots[3] = FAR, LEAF, False
        for at in range(LEAF):
            vm.pages[FAR + at] = Page(Backing.PROMISED)
        for at in range(LEAF):
            mfn = base + at
            self.frames[mfn] = Frame(users={(vm.number, FAR + at)})
            vm.pages[FAR + at].backing, vm.pages[FAR + at].mfn = Backing.MAPPED, mfn

    def some_page(self, vm: Vm) -> int:
        return self.draw.choice(sorted(gfn for gfn in vm.pages if gfn < FAR + 3))

    def some_pages(self, vm: Vm, most: int = 3) -> list[int]:
        return self.some_of([gfn for gfn in vm.pages if gfn < FAR + 3], most)

    def on_pages(
        self, vm: Vm, gfns: list[int], turns: Callable[[list[Key]], Turns], pinned_too: bool = False, lent_too: bool = False
    ) -> Turns:
        """Do something with those pages that may be locked, and may move."""

        def locked() -> Turns:
            pages = {gfn: vm.pages[gfn] for gfn in gfns if gfn in vm.pages}
            keys = [
                (vm.number, gfn) for gfn, page in pages.items() if pinned_too or not (page.stays if lent_too else page.is_pinned)
            ]
            held = [gfn for gfn in gfns if gfn in vm.pages and vm.pages[gfn].dma and not vm.pages[gfn].lent]
            if held and not keys and self.wrong("a page that leaves while the IOMMU maps it"):
                keys = [(vm.number, gfn) for gfn in held]
            if keys and vm is self.vms[vm.number]:
                yield from turns(keys)

        names = {name for gfn in gfns if gfn in vm.pages for name in self.names((vm.number, gfn))}
        yield from self.locked(names, locked())

    def destroys(self, cpu: int, vm: Vm) -> Turns:
        if self.chance(0.1):
            yield from self.alone(vm, self.destroys_locked(cpu, vm))

    def destroys_locked(self, cpu: int, vm: Vm) -> Turns:
        names = [name for page in vm.pages.values() for name in page.lent if name[0] != vm.number]
        mapped = any(gfn in self.vms[number].table for number, gfn in names)
        if not mapped or not self.wrong("a VM that is destroyed while another maps its page"):
            yield from self.forgets_names(cpu, names)
        self.tell(cpu, "vm_destroyed", vm.number)
        for gfn, loan in list(vm.loans.items()):
            self.page(loan.lender).lent.discard((vm.number, gfn))
        for other, gfn in names:
            del self.vms[other].loans[gfn]
        for gfn in vm.pages:
            self.vacate((vm.number, gfn))
        self.vms[vm.number] = self.new_vm(vm.number, cpu)
        self.vms[vm.number].ever_dma = vm.ever_dma

    def forgets_names(self, cpu: int, names: Collection[Key]) -> Turns:
        """Remove the translations of pages that are reached elsewhere, and flush them."""
        for vm, gfns in self.by_vm(names):
            there = [gfn for gfn in gfns if gfn in vm.table]
            for gfn in there:
                del vm.table[gfn]
                self.removed(vm, gfn)
            if there and self.options.maps_told:
                self.tell_of(cpu, "unmap", vm, there)
            stale = [gfn for gfn in gfns if gfn in vm.stale]
            if stale and self.options.flushes_told:
                yield from self.flush_vm(cpu, vm, stale)

    def slot_comes_or_goes(self, cpu: int, vm: Vm) -> Turns:
        """A memory slot is added while the VM runs, or deleted."""
        if 1 not in vm.slots:
            zero, pages = self.chance(0.5), self.draw.randint(1, 3)
            self.tell(cpu, "slot_add", vm.number, slot=1, gfn=HOT, pages=pages, **({"zero": True} if zero else {}))
            vm.slots[1] = HOT, pages, False
            for gfn in range(HOT, HOT + pages):
                vm.pages[gfn] = self.new_page(zero)
                self.new_in_log(vm, gfn)
            return
        first, pages, _ = vm.slots[1]
        gfns = [gfn for gfn in range(first, first + pages) if gfn in vm.pages]
        if not any(vm.pages[gfn].is_pinned for gfn in gfns):
            yield from self.locked([(vm.number, gfn) for gfn in range(first, first + pages)], self.slot_goes(cpu, vm, gfns))

    def slot_goes(self, cpu: int, vm: Vm, gfns: list[int]) -> Turns:
        keys = [(vm.number, gfn) for gfn in gfns]
        if any(self.page(key).is_pinned or self.page(key).is_tracked for key in keys):
            return
        if not (self.are_mapped(keys) and self.wrong("a slot that is deleted while it is mapped")):
            yield from self.unmap_and_flush(cpu, keys)
        self.tell(cpu, "slot_delete", vm.number, slot=1)
        del vm.slots[1]
        for key in keys:
            self.vacate(key)
            del vm.pages[key[1]]
            vm.late.discard(key[1])

    def slot_moves(self, cpu: int, vm: Vm) -> Turns:
        if 1 in vm.slots:
            first, pages, _ = vm.slots[1]
            to = HOT + 4 if first == HOT else HOT
            keys = [(vm.number, gfn) for at in (first, to) for gfn in range(at, at + pages)]
            yield from self.locked(keys, self.slot_moves_locked(cpu, vm, first, to, pages))

    def slot_moves_locked(self, cpu: int, vm: Vm, first: int, to: int, pages: int) -> Turns:
        gfns = [gfn for gfn in range(first, first + pages) if gfn in vm.pages]
        if any(page.is_pinned or page.is_tracked or page.backing == Backing.BALLOONED for page in map(vm.pages.__getitem__, gfns)):
            return
        if not (self.are_mapped([(vm.number, gfn) for gfn in gfns]) and self.wrong("a slot that moves while it is mapped")):
            yield from self.unmap_and_flush(cpu, [(vm.number, gfn) for gfn in gfns])
        self.tell(cpu, "slot_move", vm.number, slot=1, gfn=to)
        vm.slots[1] = to, pages, False
        for gfn in gfns:
            page, old, new = vm.pages.pop(gfn), (vm.number, gfn), (vm.number, gfn - first + to)
            vm.pages[new[1]] = page
            for users in [frame.users for frame in self.frames.values()] + [slot.users for slot in self.slots.values()]:
                if old in users:
                    users.discard(old)
                    users.add(new)
            vm.late.discard(gfn)
            self.new_in_log(vm, new[1])

    def turns_read_only(self, cpu: int, vm: Vm) -> Turns:
        """A slot becomes read-only for the guest, or writable again."""

        def turns(keys: list[Key]) -> Turns:
            _, pages, readonly = vm.slots[2]
            if not readonly and any(self.page(key).dma == "rw" for key in keys):
                return
            if not readonly and not (
                self.are_mapped(keys, for_stores=True) and self.wrong("a slot that becomes read-only while it is mapped writable")
            ):
                yield from self.protect_and_flush(cpu, keys)
            vm.slots[2] = ROM, pages, not readonly
            self.tell(cpu, "slot_add", vm.number, slot=2, gfn=ROM, pages=pages, **({} if readonly else {"readonly": True}))

        yield from self.on_pages(vm, [ROM, ROM + 1], turns, pinned_too=True)

    def plugs(self, cpu: int, vm: Vm) -> Turns:
        """Memory comes and goes by page, as by virtio-mem."""
        gfn = self.options.pages - 1
        if gfn in vm.pages:
            yield from self.on_pages(vm, [gfn], lambda keys: self.unplugs(cpu, vm, keys))
        elif self.acquire([(vm.number, gfn)]):
            zero = self.chance(0.7)
            self.tell(cpu, "plug", vm.number, gfn=gfn, **({} if zero else {"zero": False}))
            vm.pages[gfn] = self.new_page(zero)
            self.new_in_log(vm, gfn)
            self.locks.discard((vm.number, gfn))

    def unplugs(self, cpu: int, vm: Vm, keys: list[Key]) -> Turns:
        if any(page.backing == Backing.BALLOONED or page.is_touchable or page.is_tracked for page in map(self.page, keys)):
            return
        yield from self.unmap_and_flush(cpu, keys)
        for key in keys:
            self.vacate(key)
            del vm.pages[key[1]]
            vm.late.discard(key[1])
        self.tell_of(cpu, "unplug", vm, [gfn for _, gfn in keys])
