"""Pages are written back, leave their frames and come back; frames are given and moved."""

from __future__ import annotations

from tests.lawful.running import Running
from tests.lawful.state import (
    ZEROES,
    Backing,
    Frame,
    Key,
    Page,
    Slot,
    Turns,
    Vm,
)


class Swapping(Running):
    """Pages are written back, leave their frames and come back; frames are given and moved."""

    # ------------------------------------------------------------ swap

    def writes_back(self, cpu: int, vm: Vm) -> Turns:
        yield from self.on_pages(vm, [self.some_page(vm)], lambda keys: self.writes_back_page(cpu, keys[0]), lent_too=True)

    def writes_back_page(self, cpu: int, key: Key) -> Turns:
        page = self.page(key)
        if page.backing != Backing.MAPPED or page.slot >= 0 or page.is_reported:
            return
        yield from self.protect_and_flush(cpu, [key])
        slot = self.slot_for(page)
        if slot < 0:
            return
        if slot not in self.slots:
            contents = self.holds(page)
            if any(contents) and self.wrong("a page that is written back before its last store"):
                contents = ZEROES
            self.slots[slot] = Slot(contents, set())
        self.slots[slot].users.add(key)
        page.slot = slot
        self.tell(cpu, "write_back", key[0], gfn=key[1], slot=slot)

    def slot_for(self, page: Page) -> int:
        """The slot to which another page on the same frame was written, or one that is free; -1 if there is none."""
        for user in sorted(self.frames[page.mfn].users):
            if self.page(user).slot >= 0:
                return self.page(user).slot
        return self.free_slots.pop(-1 if self.chance(0.7) else 0) if self.free_slots else -1

    def swaps_out(self, cpu: int, vm: Vm) -> Turns:
        def turns(keys: list[Key]) -> Turns:
            key, page = keys[0], self.page(keys[0])
            if page.backing != Backing.MAPPED or page.slot < 0 or page.is_reported:
                return
            yield from self.unmap_and_flush(cpu, [key])
            self.leave_frame(key)
            page.backing = Backing.SWAPPED
            self.tell(cpu, "swap_out", key[0], gfn=key[1], **({"slot": page.slot} if self.chance(0.6) else {}))
            if self.wrong("a slot that is freed while it is used"):
                self.free_slots.append(page.slot)

        yield from self.on_pages(vm, [self.some_page(vm)], turns, lent_too=True)

    def swaps_in(self, cpu: int, vm: Vm) -> Turns:
        def turns(keys: list[Key]) -> Turns:
            yield
            if self.page(keys[0]).backing == Backing.SWAPPED:
                self.swap_in(cpu, keys[0])

        yield from self.on_pages(vm, [self.some_page(vm)], turns, lent_too=True)

    def swap_in(self, cpu: int, key: Key) -> bool:
        """A page comes back, to a frame that still holds the same if there is one."""
        page = self.page(key)
        slot, keep = page.slot, self.chance(0.5)
        there = [self.page(user).mfn for user in sorted(self.slots[slot].users) if self.page(user).backing == Backing.MAPPED]
        if there and self.chance(0.6):
            self.stand_on(key, there[0])
            mfn = there[0]
        else:
            mfn = self.take_frame()
            if mfn < 0:
                return False
            other = next((each.bytes for each in self.slots.values() if each.bytes != self.slots[slot].bytes), None)
            is_wrong = other is not None and self.wrong("another slot's contents")
            self.stand_on(key, mfn, other if is_wrong and other is not None else self.slots[slot].bytes)
        if not keep:
            self.drop_copy(key)
        self.tell(cpu, "swap_in", key[0], gfn=key[1], **self.named(mfn), **({"keep": True} if keep else {}))
        return True

    # ------------------------------------------------------------ frames

    def moves(self, cpu: int, vm: Vm) -> Turns:
        """What is in one frame goes to another."""
        page = vm.pages[self.some_page(vm)]
        if page.backing == Backing.MAPPED:
            names = {name for key in self.frames[page.mfn].users for name in self.names(key)}
            yield from self.locked(names, self.moves_locked(cpu, page.mfn))

    def moves_locked(self, cpu: int, mfn: int) -> Turns:
        keys = sorted(self.frames[mfn].users)
        if not keys or any(self.page(key).is_private for key in keys):
            return
        if any(self.page(key).dma for key in keys) and not self.wrong("a frame that is moved while the IOMMU maps it"):
            return
        if self.are_mapped(keys[:1]) and self.wrong("a frame that is moved while it is mapped"):
            self.unmap(cpu, keys[1:])
        else:
            yield from self.unmap_and_flush(cpu, keys)
        to = self.take_frame()
        if to < 0 or sorted(self.frames[mfn].users) != keys:
            if to >= 0:
                self.free.append(to)
            return
        self.frames[to] = Frame(bytearray(self.frames[mfn].bytes), self.frames[mfn].users, self.frames[mfn].is_merged)
        self.frames[mfn] = Frame(self.frames[mfn].bytes)
        self.free.append(mfn)
        for key in keys:
            self.page(key).mfn = to
        self.tell(cpu, "move", keys[0][0], mfn=mfn, to_mfn=to)

    def frees(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        if self.free:
            self.tell(cpu, "free", vm.number, mfn=self.draw.choice(self.free))

    def makes_table(self, cpu: int, vm: Vm) -> Turns:
        """A frame becomes a page table for a while."""
        mfn = self.take_frame()
        if mfn >= 0:
            self.frames[mfn] = Frame(is_table=True)
            self.tell(cpu, "table", vm.number, mfn=mfn)
            for _ in range(4):
                yield
            self.frames[mfn] = Frame()
            self.tell(cpu, "free", vm.number, mfn=mfn)
            self.free.append(mfn)
