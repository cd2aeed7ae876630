"""Pages have several names, or rules of their own."""

from __future__ import annotations

from tests.lawful.running import Running
from tests.lawful.state import (
    LENT,
    Backing,
    Key,
    Loan,
    Turns,
    Vm,
)


class Lending(Running):
    """Pages have several names, or rules of their own."""

    def lends(self, cpu: int, vm: Vm) -> Turns:
        """A page is granted to another VM, or gets another address in its own."""
        other = self.draw.choice(self.vms)
        gfn = LENT + self.draw.randrange(3)
        if gfn not in other.loans and gfn not in other.pages:
            key = vm.number, self.some_page(vm)
            yield from self.locked({key, (other.number, gfn)}, self.lends_locked(cpu, key, other, gfn))

    def lends_locked(self, cpu: int, key: Key, other: Vm, gfn: int) -> Turns:
        page, vm, writable = self.page(key), self.vms[key[0]], self.chance(0.6) and not self.vms[key[0]].is_read_only(key[1])
        is_balloon = page.backing == Backing.BALLOONED or page.is_touchable
        if page.slot >= 0 or is_balloon or page.is_tracked or page.is_reported or gfn in other.loans:
            return
        if page.is_pinned and not (
            page.is_private and not page.lent and not page.dma and self.wrong("a private page that is granted")
        ):
            return
        if not (yield from self.gets_ready(cpu, key, writable)):
            return
        other.loans[gfn] = Loan(key, writable)
        page.lent.add((other.number, gfn))
        if other is vm:
            self.tell(cpu, "alias", vm.number, gfn=gfn, of_gfn=key[1], **({} if writable else {"writable": False}))
        else:
            more = {"writable": True} if writable else {}
            self.tell(cpu, "grant", vm.number, gfn=key[1], to_vm=other.number, to_gfn=gfn, **more)

    def takes_back(self, cpu: int, vm: Vm) -> Turns:
        if vm.loans:
            gfn = self.draw.choice(sorted(vm.loans))
            yield from self.locked({(vm.number, gfn), vm.loans[gfn].lender}, self.takes_back_locked(cpu, vm, gfn))

    def takes_back_locked(self, cpu: int, vm: Vm, gfn: int) -> Turns:
        if not (gfn in vm.table and self.wrong("a grant that ends while it is mapped")):
            yield from self.forgets_names(cpu, [(vm.number, gfn)])
        if gfn in vm.loans:
            lender = vm.loans.pop(gfn).lender
            self.page(lender).lent.discard((vm.number, gfn))
            self.tell(cpu, "revoke", lender[0], gfn=lender[1], to_vm=vm.number, to_gfn=gfn)

    def converts(self, cpu: int, vm: Vm) -> Turns:
        """Pages become private, or shared with the monitor again."""

        def turns(keys: list[Key]) -> Turns:
            key, page = keys[0], self.page(keys[0])
            is_balloon = page.backing == Backing.BALLOONED or page.is_touchable
            if page.dma or page.lent or is_balloon or page.is_tracked or vm.is_logging or vm.is_read_only(key[1]):
                return
            if not (self.are_mapped([key]) and self.wrong("a page that is converted while it is mapped")):
                yield from self.unmap_and_flush(cpu, [key])
            self.vacate(key)
            contents = self.new_page(False)
            page.backing, page.kept, page.is_reported = Backing.WAITING, contents.kept, False
            page.is_private = not page.is_private
            self.tell(cpu, "convert", vm.number, gfn=key[1], private=page.is_private)

        yield from self.on_pages(vm, [self.some_page(vm)], turns, pinned_too=True)

    def tracks(self, cpu: int, vm: Vm) -> Turns:
        """Writes to a page are tracked from now on, or no longer."""

        def turns(keys: list[Key]) -> Turns:
            key, page = keys[0], self.page(keys[0])
            if page.backing == Backing.BALLOONED or page.is_touchable:
                return
            if page.is_tracked:
                page.is_tracked = False
                self.tell(cpu, "untrack", vm.number, gfn=key[1])
                return
            keys = [each for each in keys if self.page(each).backing != Backing.BALLOONED and not self.page(each).is_touchable]
            yield from self.protect_and_flush(cpu, keys)
            for each in keys:
                self.page(each).is_tracked = True
            self.tell_of(cpu, "track", vm, [gfn for _, gfn in keys])

        yield from self.on_pages(vm, self.some_pages(vm), turns)
