"""Guests read and write, and their accesses exit."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.lawful.running import Running
from tests.lawful.state import (
    FAR,
    HOT,
    LENT,
    OFFSETS,
    PAGE,
    ROM,
    SIZES,
    VALUES,
    ZEROES,
    Answers,
    Backing,
    Entry,
    Key,
    Log,
    Page,
    Told,
    Turns,
    Vm,
    sized,
)


class Guests(Running):
    """Guests read and write, and their accesses exit."""

    # ------------------------------------------------------------ a guest

    def guest(self, number: int, at: int) -> Turns:
        """A virtual processor."""
        while True:
            vm = self.vms[number]
            yield
            if not vm.is_paused and vm is self.vms[number]:
                self.speculate(vm, vm.cpus[at])
                yield from self.access(vm, vm.cpus[at])

    def speculate(self, vm: Vm, cpu: int) -> None:
        """A processor caches translations when it likes."""
        if vm.table and self.chance(0.5):
            gfn = self.draw.choice(sorted(vm.table))
            if self.chance(0.3):
                vm.tlbs[cpu].pop(gfn, None)
            else:
                vm.tlbs[cpu].setdefault(gfn, (vm.table[gfn].mfn, vm.table[gfn].writable))

    def some_address(self, vm: Vm) -> tuple[int, int]:
        """Where memory may be accessed, and how many bytes."""
        size, offset = self.draw.choice(SIZES), self.draw.choice(OFFSETS)
        if offset + size > PAGE and self.chance(0.7):
            offset = PAGE - size
        gfns = [*vm.pages, *vm.loans] if self.chance(0.9) else [*range(self.options.pages + 2), HOT, HOT + 1, ROM, LENT]
        return self.draw.choice(sorted(gfn for gfn in gfns if gfn < FAR + 3)) << 12 | offset, size

    def access(self, vm: Vm, cpu: int) -> Turns:
        """A load or a store, which is tried again after each exit."""
        (gpa, size), write = self.some_address(vm), self.chance(0.5)
        if gpa >> 12 in vm.table and gpa >> 12 in vm.not_executable and self.chance(0.2):
            self.tell(cpu, "exit", vm.number, gpa=gpa, fetch=True)
            vm.tlbs[cpu].pop(gpa >> 12, None)
            return
        gfns = sorted({gpa >> 12, (gpa + size - 1) >> 12})
        if len(gfns) > 1 and not all(gfn in vm.pages or gfn in vm.loans for gfn in gfns):
            return
        for _ in range(8):
            if vm.is_paused or vm is not self.vms[vm.number]:
                return
            found = [self.translate(vm, cpu, gfn, write) for gfn in gfns]
            if None not in found:
                self.carry_out(vm, cpu, gpa, size, write, [mfn for mfn in found if mfn is not None])
                return
            gfn = next(gfn for gfn, mfn in zip(gfns, found, strict=True) if mfn is None)
            at = gpa if gfn == gfns[0] else gfn << 12
            fetch = {"fetch": True} if not write and gfn not in vm.table and self.chance(0.1) else {}
            self.tell(cpu, "exit", vm.number, gpa=at, write=write, **fetch)
            vm.busy.add(cpu)
            how = yield from self.handle(vm, cpu, gfn, write, (gpa, size) if len(gfns) == 1 else None)
            vm.busy.discard(cpu)
            if how == "done" or (how == "full" and self.chance(0.8)):
                return
            yield

    def translate(self, vm: Vm, cpu: int, gfn: int, write: bool) -> int | None:
        """The frame, by what is cached or by a walk; None if the access exits, which removes what is cached of the page."""
        tlb = vm.tlbs[cpu]
        cached, entry = tlb.get(gfn), vm.table.get(gfn)
        if cached is not None and (cached[1] or not write):
            return cached[0]
        is_late = cached is not None and self.chance(0.5)
        if entry is not None and (entry.writable or not write) and not is_late:
            tlb[gfn] = entry.mfn, entry.writable
            return entry.mfn
        tlb.pop(gfn, None)
        return None

    def carry_out(self, vm: Vm, cpu: int, gpa: int, size: int, write: bool, mfns: list[int], **by: Any) -> None:
        """An access reaches memory."""
        if write:
            value = self.draw.choice(VALUES) & ((1 << 8 * size) - 1)
            self.put(vm, gpa, value.to_bytes(size, "little"), mfns)
            if self.wrong("a store that is lost"):
                self.put(vm, gpa, bytes(size), mfns)
            self.tell(cpu, "store", vm.number, gpa=gpa, value=value, **sized(size), **by)
        else:
            value = int.from_bytes(self.get(gpa, size, mfns), "little")
            self.tell(cpu, "load", vm.number, gpa=gpa, value=value, **sized(size), **by)

    def get(self, gpa: int, size: int, mfns: list[int]) -> bytes:
        offset = gpa % PAGE
        there = b"".join(bytes(self.frames[mfn].bytes) for mfn in mfns)
        return there[offset : offset + size]

    def put(self, vm: Vm, gpa: int, data: bytes, mfns: list[int]) -> None:
        offset = gpa % PAGE
        for at, mfn in enumerate(mfns):
            low, high = max(offset, at * PAGE), min(offset + len(data), (at + 1) * PAGE)
            self.frames[mfn].bytes[low - at * PAGE : high - at * PAGE] = data[low - offset : high - offset]
            self.stored_to(self.owner((vm.number, (gpa >> 12) + at)))

    def owner(self, key: Key) -> Key:
        """The page that is reached at an address."""
        loan = self.vms[key[0]].loans.get(key[1])
        return key if loan is None else loan.lender

    def stored_to(self, key: Key) -> None:
        page = self.page(key)
        page.is_reported, page.was_touched = False, True
        if page.log == Log.SENT and self.options.marks_late and page.dma != "rw":
            self.vms[key[0]].late.add(key[1])

    # ------------------------------------------------------------ exits

    def handle(self, vm: Vm, cpu: int, gfn: int, write: bool, access: tuple[int, int] | None) -> Answers:
        """An access has exited. ``access``: what the monitor may carry out itself."""
        key = vm.number, gfn
        owner = self.owner(key)
        keys = {key, owner}
        if owner[1] in self.vms[owner[0]].pages:
            keys.update(self.names(owner))
        for _ in range(60):
            if self.acquire(keys):
                break
            yield
            if vm is not self.vms[vm.number]:
                return "done"
        else:
            return "done"
        try:
            if owner != self.owner(key):
                return "again"
            return (yield from self.handle_locked(vm, cpu, gfn, write, access))
        finally:
            self.locks.difference_update(keys)

    def handle_locked(self, vm: Vm, cpu: int, gfn: int, write: bool, access: tuple[int, int] | None) -> Answers:
        owner, loan = self.owner((vm.number, gfn)), vm.loans.get(gfn)
        page = self.vms[owner[0]].pages.get(owner[1])
        if page is None or page.backing == Backing.BALLOONED:
            self.answer(vm, cpu, access[0] if access else gfn << 12, write)
            return "done"
        is_for_reading = loan is not None and not loan.writable and page.backing == Backing.MAPPED
        if write and is_for_reading and self.wrong("a grant for reading that is mapped writable"):
            self.map(cpu, vm, gfn, page.mfn, True)
            return "again"
        if write and (vm.is_read_only(gfn) or (loan is not None and not loan.writable)):
            if self.wrong("a store to a read-only slot") and access and page.backing == Backing.MAPPED:
                self.carry_out(vm, cpu, *access, True, [page.mfn])
            else:
                self.tell(cpu, "mmio", vm.number, gpa=access[0] if access else gfn << 12, write=True)
            return "done"
        if not (yield from self.bring(cpu, owner)):
            return "full"
        entry = vm.table.get(gfn)
        if not write and self.wrong("memory that is told to be none"):
            self.tell(cpu, "hole", vm.number, gpa=gfn << 12)
            return "done"
        if entry is not None and (entry.writable or not write):
            return "again"  # another processor was faster
        if write and page.is_tracked and self.wrong("a tracked page that is mapped writable"):
            self.map(cpu, vm, gfn, page.mfn, True)
            return "again"
        if write and page.is_tracked and (access is None or page.is_private):
            return "done"
        if write and not (yield from self.before_stores(cpu, owner)):
            return "full"
        emulates = (write and page.is_tracked) or self.chance(0.15)
        if access and not page.is_private and emulates:
            by: Told = {"by": "monitor"} if self.chance(0.3) and (loan is None or loan.lender[0] == vm.number) else {}
            self.carry_out(vm, cpu, *access, write, [page.mfn], **by)
            return "done"
        self.let(cpu, vm, gfn, page, write)
        return "again"

    def answer(self, vm: Vm, cpu: int, gpa: int, write: bool) -> None:
        """There is no memory: a device model answers, or nobody."""
        if self.chance(0.5):
            self.tell(cpu, "hole", vm.number, gpa=gpa, write=write)
        else:
            self.tell(cpu, "mmio", vm.number, gpa=gpa, write=write, size=self.draw.choice((1, 2, 4, 8)))

    def let(self, cpu: int, vm: Vm, gfn: int, page: Page, write: bool) -> None:
        """Map a page, or give back the right to write."""
        entry = vm.table.get(gfn)
        if write and entry is not None and self.options.maps_told and self.chance(0.3):
            self.split_around(cpu, vm, [gfn])
            vm.table[gfn] = Entry(page.mfn, self.chance(0.7), True)
            self.tell(cpu, "unprotect", vm.number, gfn=gfn)
            return
        if entry is not None:
            self.split_around(cpu, vm, [gfn])
        self.map(cpu, vm, gfn, page.mfn, write or (self.may_write(vm, gfn) and self.chance(0.6)))

    def may_write(self, vm: Vm, gfn: int) -> bool:
        """Whether a page may be writable as it is."""
        owner, loan = self.owner((vm.number, gfn)), vm.loans.get(gfn)
        page = self.page(owner)
        if vm.is_read_only(gfn) or page.is_tracked or (loan is not None and not loan.writable):
            return False
        is_watched = page.log == Log.SENT and not self.options.marks_late
        return page.backing == Backing.MAPPED and page.slot < 0 and not self.frames[page.mfn].is_merged and not is_watched

    def bring(self, cpu: int, key: Key) -> Generator[None, None, bool]:
        """See to it that a page is in a frame."""
        page, vm = self.page(key), self.vms[key[0]]
        if page.backing == Backing.MAPPED:
            return True
        if page.backing == Backing.SWAPPED:
            return self.swap_in(cpu, key)
        mfn = self.take_frame()
        if mfn < 0:
            return False
        yield
        page.is_reported = False
        if page.backing == Backing.WAITING:
            self.stand_on(key, mfn, page.kept)
            source = self.draw.choice(("restore", "userfaultfd", "image", "other"))
            if page.log == Log.SENT:
                self.log(cpu, key)
                page.log = Log.MARKED
            if page.kept == ZEROES and self.chance(0.3):
                self.tell(cpu, "fill", vm.number, gfn=key[1], zero=True, source=source, **self.named_if_populating(mfn))
            else:
                self.tell(cpu, "fill", vm.number, gfn=key[1], source=source, **self.named_if_populating(mfn))
            return True
        left = bytes(self.frames[mfn].bytes)
        is_scrubbed = not (any(left) and self.wrong("a frame that is not scrubbed"))
        self.stand_on(key, mfn, ZEROES if is_scrubbed else left)
        if self.options.populates:
            self.tell(cpu, "populate", vm.number, gfn=key[1], mfn=mfn)
        return True

    def named_if_populating(self, mfn: int) -> Told:
        return {"mfn": mfn} if self.options.populates else {}

    def before_stores(self, cpu: int, key: Key) -> Generator[None, None, bool]:
        """What has to be done before a page that is in a frame may be written to."""
        page = self.page(key)
        if self.is_shared(page) and not self.wrong("a shared page that is written to"):
            yield from self.unmap_and_flush(cpu, [key])
        if self.is_shared(page):
            mfn = self.take_frame()
            if mfn < 0:
                return False
            contents = bytes(self.frames[page.mfn].bytes)
            self.vacate(key)
            if self.wrong("a copy of a shared page that is not one"):
                contents = bytes(8) + contents[8:-8] + b"\1" * 8
            self.stand_on(key, mfn, contents)
            self.tell(cpu, "break", key[0], gfn=key[1], **self.named(mfn))
        elif self.frames[page.mfn].is_merged:
            self.frames[page.mfn].is_merged = False
            if self.chance(0.5):
                self.tell(cpu, "break", key[0], gfn=key[1], **self.named(page.mfn))
        if page.log == Log.SENT and not self.options.marks_late:
            if not self.wrong("a store that the dirty log misses"):
                self.log(cpu, key)
            page.log = Log.MARKED
        if page.slot >= 0 and not self.wrong("a copy on swap that stays good"):
            self.drop_copy(key)
            if not self.options.maps_told and not page.is_tracked:
                self.tell(cpu, "unprotect", key[0], gfn=key[1])
        return True
