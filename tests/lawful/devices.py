"""Devices read and write, by the IOMMU or by backends; contents arrive."""

from __future__ import annotations

from collections.abc import Collection, Generator

from tests.lawful.running import Running
from tests.lawful.state import (
    OFFSETS,
    PAGE,
    Backing,
    Key,
    Log,
    Turns,
    Vm,
)


class Devices(Running):
    """Devices read and write, by the IOMMU or by backends; contents arrive."""

    def iommu_maps(self, cpu: int, vm: Vm) -> Turns:
        yield from self.on_pages(vm, [self.some_page(vm)], lambda keys: self.iommu_maps_page(cpu, vm, keys[0]))

    def iommu_maps_page(self, cpu: int, vm: Vm, key: Key) -> Turns:
        page, writable = self.page(key), self.chance(0.7) and not vm.is_read_only(key[1])
        is_balloon = page.backing == Backing.BALLOONED or page.is_touchable
        if is_balloon or page.is_tracked or page.is_reported or sum(bool(each.dma) for each in vm.pages.values()) >= 2:
            return
        if not (yield from self.gets_ready(cpu, key, writable)):
            return
        page.dma = "rw" if writable else "r"
        vm.ever_dma.add(key[1])
        self.tell(cpu, "dma_map", vm.number, gfn=key[1], mfn=page.mfn, **({} if writable else {"writable": False}))

    def gets_ready(self, cpu: int, key: Key, writable: bool) -> Generator[None, None, bool]:
        """See to it that a page has a frame of its own, at which others may read or write."""
        if not (yield from self.bring(cpu, key)):
            return False
        page = self.page(key)
        if not writable:
            return page.slot < 0 and not self.frames[page.mfn].is_merged
        if page.log == Log.SENT:
            self.log(cpu, key)
            page.log = Log.MARKED
            self.vms[key[0]].late.discard(key[1])
        if not (yield from self.before_stores(cpu, key)):
            return False
        self.drop_copy(key)
        return True

    def iommu_unmaps(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        gfns = sorted(gfn for gfn, page in vm.pages.items() if page.dma and (vm.number, gfn) not in self.locks)
        if gfns and not vm.is_alone:
            page = vm.pages[gfns[0]]
            if page.dma == "rw" and page.log == Log.SENT:
                self.log(cpu, (vm.number, gfns[0]))
                page.log = Log.MARKED
            page.dma = ""
            self.tell(cpu, "dma_unmap", vm.number, gfn=gfns[0])

    def device_acts(self, cpu: int, vm: Vm) -> Turns:
        """A device reads or writes what the IOMMU maps."""
        yield from ()
        gfns = sorted(gfn for gfn, page in vm.pages.items() if page.dma and (vm.number, gfn) not in self.locks)
        if gfns and not vm.is_alone and not vm.is_paused:
            gfn = self.draw.choice(gfns)
            self.device_access(cpu, vm, gfn, vm.pages[gfn].dma == "rw" and self.chance(0.6))

    def device_access(self, cpu: int, vm: Vm, gfn: int, write: bool) -> None:
        page, size = vm.pages[gfn], self.draw.choice((1, 8, 12, 16, 512, PAGE))
        gpa = gfn << 12 | self.draw.choice([at for at in OFFSETS if at + size <= PAGE] or [0])
        known = size <= 16 and self.chance(0.7)
        if write:
            data = bytes(self.draw.choice((0, 9)) for _ in range(min(size, 16))).ljust(size, b"\0")
            self.put(vm, gpa, data, [page.mfn])
        data = self.get(gpa, size, [page.mfn])
        value = {"value": int.from_bytes(data, "little")} if known else {}
        self.tell(cpu, "dma_write" if write else "dma_read", vm.number, gpa=gpa, size=size, device=1, **value)

    def backend_writes(self, cpu: int, vm: Vm) -> Turns:
        """A backend, or the monitor, writes to a page by itself."""

        def turns(keys: list[Key]) -> Turns:
            key, page = keys[0], self.page(keys[0])
            if page.is_private and not self.wrong("a private page that the monitor writes to"):
                return
            if page.backing == Backing.BALLOONED or not (yield from self.bring(cpu, key)):
                return
            has_copy = page.slot >= 0
            if not (yield from self.before_stores(cpu, key)):
                return
            self.marked(cpu, key)
            if has_copy or key[1] in self.ever_dma_of(vm) or vm.is_read_only(key[1]):
                offset = self.draw.choice((0, 8, 16))
                self.carry_out(vm, cpu, key[1] << 12 | offset, 8, True, [page.mfn], by="monitor")
            else:
                self.device_access(cpu, vm, key[1], True)

        yield from self.on_pages(vm, [self.some_page(vm)], turns, pinned_too=True)

    def monitor_reads(self, cpu: int, vm: Vm) -> Turns:
        def turns(keys: list[Key]) -> Turns:
            key, page = keys[0], self.page(keys[0])
            if page.is_private or page.backing == Backing.BALLOONED or not (yield from self.bring(cpu, key)):
                return
            if key[1] in self.ever_dma_of(vm):
                self.carry_out(vm, cpu, key[1] << 12 | 8, 8, False, [page.mfn], by="monitor")
            else:
                self.device_access(cpu, vm, key[1], False)

        yield from self.on_pages(vm, [self.some_page(vm)], turns, pinned_too=True)

    def ever_dma_of(self, vm: Vm) -> Collection[int]:
        """Pages that no backend may reach: those of which an IOMMU's mapping was told."""
        return vm.ever_dma

    def fills(self, cpu: int, vm: Vm) -> Turns:
        """Contents are put in a page, as when a snapshot is loaded into it."""

        def turns(keys: list[Key]) -> Turns:
            key, page = keys[0], self.page(keys[0])
            if page.backing != Backing.MAPPED or page.is_touchable or not (yield from self.before_stores(cpu, key)):
                return
            self.marked(cpu, key)
            zero = self.chance(0.5)
            self.frames[page.mfn].bytes[:] = self.new_page(zero).kept
            self.stored_to(key)
            self.tell(cpu, "fill", vm.number, gfn=key[1], source="copy", **({"zero": True} if zero else {}), **self.named(page.mfn))

        yield from self.on_pages(vm, [self.some_page(vm)], turns)
