"""The monitor dumps what it has."""

from __future__ import annotations

from typing import Any

from tests.lawful.running import Running
from tests.lawful.state import (
    Backing,
    Turns,
    Vm,
)


class Dumping(Running):
    """The monitor dumps what it has."""

    def dumps_translation(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        if vm.table and self.options.maps_told and self.chance(0.5):
            gfn = self.draw.choice(sorted(vm.table))
            entry = vm.table[gfn]
            self.tell(cpu, "entry", vm.number, gfn=gfn, mfn=entry.mfn, writable=entry.writable)
        cached = [(gfn, entry) for tlb in vm.tlbs.values() for gfn, entry in sorted(tlb.items())]
        if cached and self.options.maps_told:
            gfn, (mfn, writable) = self.draw.choice(cached)
            self.tell(cpu, "entry", vm.number, gfn=gfn, mfn=mfn, writable=writable, where="tlb")

    def dumps_page(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        gfn = self.some_page(vm)
        page = vm.pages[gfn]
        if page.backing == Backing.MAPPED and (vm.number, gfn) not in self.locks:
            frame, more = self.frames[page.mfn], dict[str, Any]()
            if self.options.maps_told and gfn in vm.table and vm.table[gfn].writable and self.chance(0.5):
                more["writable"] = True
            if self.chance(0.5) and (len(frame.users) > 1) == frame.is_merged:
                more["shared"] = len(frame.users) > 1
            self.tell(cpu, "p2m", vm.number, gfn=gfn, mfn=page.mfn, **more)

    def dumps_frame(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        mfn = self.draw.choice(sorted(self.frames))
        frame = self.frames[mfn]
        users = [self.page(key) for key in frame.users]
        if users and not any(page.lent or page.is_private for page in users):
            use = "shared" if len(users) > 1 else "private"
            use = "shared" if frame.is_merged and mfn % 2 else use
            count = len(users) + self.wrong("a wrong count of references")
            self.tell(cpu, "frame", vm.number, mfn=mfn, use=use, references=count)
        elif frame.is_table:
            self.tell(cpu, "frame", vm.number, mfn=mfn, use="table")
        elif mfn in self.free:
            self.tell(cpu, "frame", vm.number, mfn=mfn, use="free", references=0)

    def dumps_word(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        gfn, offset = self.some_page(vm), self.draw.choice((0, 8, 16, 4080))
        page = vm.pages[gfn]
        if page.backing != Backing.BALLOONED and not page.is_private:
            value = int.from_bytes(self.holds(page)[offset : offset + 8], "little")
            self.tell(cpu, "memory", vm.number, gpa=gfn << 12 | offset, value=value)

    def dumps_balloon(self, cpu: int, vm: Vm) -> Turns:
        yield from ()
        if not vm.is_alone and not any(number == vm.number for number, _ in self.locks):
            count = sum(page.backing == Backing.BALLOONED or page.is_touchable for page in vm.pages.values())
            count += self.wrong("a wrong size of the balloon")
            self.tell(cpu, "balloon", vm.number, actual=count)

    def loses_events(self, cpu: int) -> None:
        """Events are lost; what holds from before them is told again."""
        self.tell(cpu, "gap", 0)
        for vm in self.vms:
            for gfn, loan in sorted(vm.loans.items()):
                number, at = loan.lender
                more = {"writable": loan.writable}
                if number == vm.number:
                    self.tell(cpu, "alias", number, gfn=gfn, of_gfn=at, **more)
                else:
                    self.tell(cpu, "grant", number, gfn=at, to_vm=vm.number, to_gfn=gfn, **more)
            for gfn, page in sorted(vm.pages.items()):
                if page.is_private:
                    self.tell(cpu, "convert", vm.number, gfn=gfn, private=True)
                if page.is_reported:
                    self.tell(cpu, "report", vm.number, gfn=gfn)
