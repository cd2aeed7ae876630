"""Pages are merged, go to the balloon, and are reported as free."""

from __future__ import annotations

from typing import Any

from tests.lawful.running import Running
from tests.lawful.state import (
    FAR,
    ZEROES,
    Backing,
    Key,
    Turns,
    Vm,
)


class Sharing(Running):
    """Pages are merged, go to the balloon, and are reported as free."""

    # ------------------------------------------------------------ sharing

    def shares(self, cpu: int, vm: Vm) -> Turns:
        """Two pages that hold the same are merged."""
        there = [gfn for gfn in sorted(vm.pages) if gfn < FAR + 3 and vm.pages[gfn].backing == Backing.MAPPED]
        if not there:
            return
        one = vm.number, self.draw.choice(there)
        others = [
            (each.number, gfn) for each in self.vms for gfn in sorted(each.pages) if gfn < FAR + 3 and (each.number, gfn) != one
        ]
        alike = [key for key in others if self.page(key).mfn >= 0 and self.holds(self.page(key)) == self.holds(self.page(one))]
        if alike:
            other = self.draw.choice(alike)
            yield from self.locked({*self.names(one), *self.names(other)}, self.shares_locked(cpu, one, other))

    def shares_locked(self, cpu: int, one: Key, other: Key) -> Turns:
        pages = self.page(one), self.page(other)
        if any(page.stays or page.backing != Backing.MAPPED or page.is_reported or page.is_tracked for page in pages):
            return
        if pages[0].mfn == pages[1].mfn:
            return
        if self.are_mapped([one], for_stores=True) and self.wrong("a page that is merged while it is writable"):
            yield from self.unmap_and_flush(cpu, [other])
        else:
            yield from self.protect_and_flush(cpu, [one])
            yield from self.unmap_and_flush(cpu, [one, other] if self.chance(0.3) else [other])
        if self.holds(pages[0]) != self.holds(pages[1]) and not self.wrong("different pages that are merged"):
            return  # one was written to meanwhile
        self.merge(cpu, one, other)

    def merge(self, cpu: int, one: Key, other: Key) -> None:
        if self.page(other).slot >= 0:
            self.drop_copy(other)
        self.leave_frame(other)
        mfn = self.page(one).mfn
        self.stand_on(other, mfn)
        self.frames[mfn].is_merged = True
        first, second = (one, other) if self.chance(0.5) else (other, one)
        self.tell(cpu, "share", first[0], gfn=first[1], with_vm=second[0], with_gfn=second[1], **self.named(mfn))

    # ------------------------------------------------------------ the balloon, and what guests do not need

    def balloons(self, cpu: int, vm: Vm) -> Turns:
        yield from self.on_pages(vm, self.some_pages(vm, 2), lambda keys: self.inflates(cpu, vm, keys))

    def inflates(self, cpu: int, vm: Vm, keys: list[Key]) -> Turns:
        keys = [key for key in keys if self.page(key).backing != Backing.BALLOONED and not self.page(key).is_touchable]
        keys = [key for key in keys if not self.page(key).is_tracked]
        if not keys:
            return
        if not (self.are_mapped(keys) and self.wrong("ballooned while it is mapped")):
            yield from self.unmap_and_flush(cpu, keys)
        for key in keys:
            page = self.page(key)
            self.vacate(key)
            page.backing = Backing.PROMISED if self.options.touchable else Backing.BALLOONED
            page.is_touchable, page.was_touched, page.is_reported = self.options.touchable, False, False
            self.new_in_log(vm, key[1])
        self.tell_of(cpu, "inflate", vm, [gfn for _, gfn in keys], **self.touchable())

    def touchable(self) -> dict[str, Any]:
        return {"touchable": True} if self.options.touchable else {}

    def deflates(self, cpu: int, vm: Vm) -> Turns:
        gfns = [gfn for gfn, page in vm.pages.items() if page.backing == Backing.BALLOONED or page.is_touchable]
        if gfns:
            yield from self.on_pages(vm, [self.draw.choice(sorted(gfns))], lambda keys: self.deflates_page(cpu, vm, keys[0]))

    def deflates_page(self, cpu: int, vm: Vm, key: Key) -> Turns:
        yield
        page = self.page(key)
        if page.is_touchable:
            page.is_touchable = False
            self.tell(cpu, "deflate", vm.number, gfn=key[1], **({"kept": True} if page.was_touched else {}))
            return
        if page.backing != Backing.BALLOONED:
            return
        kept, mfn = self.chance(0.2), self.take_frame() if self.options.populates and self.chance(0.6) else -1
        page.backing = Backing.PROMISED
        if mfn >= 0:
            left = bytes(self.frames[mfn].bytes)
            is_left = any(left) and not kept and self.wrong("a page from the balloon that is not scrubbed")
            self.stand_on(key, mfn, left if is_left else ZEROES if not kept else left[:8] + ZEROES[8:])
        elif kept:
            kept = False
        self.new_in_log(vm, key[1])
        more = {"kept": True} if kept else {}
        self.tell(cpu, "deflate", vm.number, gfn=key[1], **({"mfn": mfn} if mfn >= 0 else {}), **more)

    def reports(self, cpu: int, vm: Vm) -> Turns:
        """A guest reports pages as free."""

        def turns(keys: list[Key]) -> Turns:
            keys = [key for key in keys if self.page(key).backing != Backing.BALLOONED and not self.page(key).is_touchable]
            for key in keys:
                self.page(key).is_reported = True
                self.drop_copy_of_reported(key)
            if keys:
                self.tell_of(vm.cpus[0], "report", vm, [gfn for _, gfn in keys])
            yield

        yield from self.on_pages(vm, self.some_pages(vm), turns)

    def drop_copy_of_reported(self, key: Key) -> None:
        """What a guest does not need has no copy on swap: that is the next that is lost."""
        if self.page(key).backing == Backing.MAPPED and self.chance(0.5):
            self.drop_copy(key)

    def loses(self, cpu: int, vm: Vm) -> Turns:
        """The monitor takes the frames of pages that were reported as free."""
        gfns = [gfn for gfn, page in vm.pages.items() if page.is_reported]
        if gfns:
            yield from self.on_pages(vm, [self.draw.choice(sorted(gfns))], lambda keys: self.loses_page(cpu, vm, keys[0]))

    def loses_page(self, cpu: int, vm: Vm, key: Key) -> Turns:
        page = self.page(key)
        if not (self.are_mapped([key]) and self.wrong("a reported page that is reused while it is mapped")):
            yield from self.unmap_and_flush(cpu, [key])
        if not page.is_reported:
            return
        self.marked(cpu, key)
        vm.late.discard(key[1])
        mfn, is_alone = page.mfn, page.backing == Backing.MAPPED and not self.is_shared(page)
        self.vacate(key)
        page.backing, page.is_reported = Backing.PROMISED, False
        how = self.draw.choice(("promise", "free", "nothing"))
        if how == "promise":
            self.tell(cpu, "promise", vm.number, gfn=key[1])
        elif how == "free" and is_alone:
            self.tell(cpu, "free", vm.number, mfn=mfn)

    def discards(self, cpu: int, vm: Vm) -> Turns:
        """A page that holds zeroes loses its frame."""

        def turns(keys: list[Key]) -> Turns:
            keys = [key for key in keys if self.page(key).backing == Backing.MAPPED and self.holds(self.page(key)) == ZEROES]
            yield from self.unmap_and_flush(cpu, keys)
            keys = [key for key in keys if self.holds(self.page(key)) == ZEROES]
            for key in keys:
                self.vacate(key)
                self.page(key).backing = Backing.PROMISED
            if keys:
                self.tell_of(cpu, "promise", vm, [gfn for _, gfn in keys])

        yield from self.on_pages(vm, self.some_pages(vm), turns)
