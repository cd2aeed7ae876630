"""A monitor, its VMs with their guests, and the machine: what all that they do is made of."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Any

from tests.lawful.state import (
    ZEROES,
    Backing,
    Frame,
    Key,
    Options,
    Page,
    Slot,
    Told,
    Turns,
    Vm,
    bitmap,
    stretches,
)


class Running:
    """A monitor, its VMs with their guests, and the machine."""

    def __init__(self, seed: int, options: Options, defect: str = "", after: int = 300) -> None:
        self.draw, self.options, self.defect, self.after = random.Random(seed), options, defect, after
        self.done_wrong_at = -1
        """The number of events before what was done wrong."""
        self.events: list[Told] = []
        self.frames: dict[int, Frame] = {mfn: Frame() for mfn in range(options.frames)}
        self.free = list(range(options.frames))
        self.slots: dict[int, Slot] = {}
        self.free_slots = list(range(options.swap))
        self.locks: set[Key] = set()
        self.removals = self.leaves = 0
        self.is_lost = False
        """Whether a VM was resumed with a page that the other machine has otherwise."""
        self.vms: list[Vm] = []

    # ------------------------------------------------------------ what is told

    def tell(self, cpu: int, kind: str, vm: int, **fields: Any) -> None:
        self.events.append({"e": kind, "vm": vm, "cpu": cpu, **fields})

    def tell_of(self, cpu: int, kind: str, vm: Vm, gfns: Collection[int], mfns: Sequence[int] = (), **fields: Any) -> None:
        """Tell of several pages: one by one, in stretches, or as a bitmap. ``mfns`` are their frames."""
        pairs = list(zip(sorted(gfns), mfns, strict=True)) if mfns else [(gfn, -1) for gfn in sorted(gfns)]
        how = self.draw.choice(("each", "pages", "bits"))
        for stretch in [[pair] for pair in pairs] if how == "each" else stretches(pairs):
            (gfn, mfn), more = stretch[0], dict[str, Any]()
            if len(stretch) > 1 or how == "pages":
                more = {"pages": len(stretch)} if how != "bits" else {"bits": bitmap([page - gfn for page, _ in stretch])}
            self.tell(cpu, kind, vm.number, gfn=gfn, **({"mfn": mfn} if mfn >= 0 else {}), **more, **fields)

    def chance(self, of: float) -> bool:
        return self.draw.random() < of

    def named(self, mfn: int) -> Told:
        """The frame, where it may be left out."""
        return {"mfn": mfn} if self.chance(self.options.frames_told) else {}

    def wrong(self, what: str) -> bool:
        """Whether this is to be done wrong now."""
        if self.defect == what and self.done_wrong_at < 0 and len(self.events) > self.after:
            self.done_wrong_at = len(self.events)
            return True
        return False

    # ------------------------------------------------------------ who acts when

    def run(self, number: int) -> list[Told]:
        """So many events, or a few more."""
        for vm in range(self.options.vms):
            self.vms.append(self.new_vm(vm))
        turns = [self.guest(vm, at) for vm in range(self.options.vms) for at in range(self.options.cpus)]
        turns += [self.thread(100 + at) for at in range(self.options.threads)]
        for _ in range(40 * number):
            if len(self.events) >= number:
                break
            next(self.draw.choice(turns))
        return self.events

    def thread(self, cpu: int) -> Turns:
        """A thread of the monitor: it does one thing after the other."""
        things = [getattr(self, name) for name in sorted(self.options.things)]
        while True:
            if self.options.gaps and self.chance(0.005):
                self.loses_events(cpu)
            yield from self.draw.choice(things)(cpu, self.draw.choice(self.vms))
            yield

    def acquire(self, keys: Collection[Key]) -> bool:
        """Lock pages, if nobody has locked any of them."""
        if self.locks.intersection(keys) or any(self.vms[vm].is_alone for vm, _ in keys):
            return False
        self.locks.update(keys)
        return True

    def locked(self, keys: Collection[Key], turns: Turns) -> Turns:
        """Do something with pages that are locked; nothing, if they are locked already."""
        if self.acquire(keys):
            try:
                yield from turns
            finally:
                self.locks.difference_update(keys)

    def alone(self, vm: Vm, turns: Turns) -> Turns:
        """Do something while nobody else does anything with a VM's pages; nothing, if somebody does now."""
        others = {each.lender[0] for each in vm.loans.values()} | {key[0] for page in vm.pages.values() for key in page.lent}
        vms = [self.vms[number] for number in sorted({vm.number, *others})]
        if any(each.is_alone or any(number == each.number for number, _ in self.locks) for each in vms):
            return
        for each in vms:
            each.is_alone = True
        try:
            yield from turns
        finally:
            for each in vms:
                each.is_alone = False

    # ------------------------------------------------------------ frames, and what pages hold

    def take_frame(self) -> int:
        """A frame that is free, rather one that became so just now; -1 if there is none."""
        if not self.free:
            return -1
        if self.wrong("a frame that is given to two pages"):
            taken = [mfn for mfn, frame in sorted(self.frames.items()) if len(frame.users) == 1 and mfn < self.options.frames]
            if taken:
                return self.draw.choice(taken)
        return self.free.pop(-1 if self.chance(0.7) else self.draw.randrange(len(self.free)))

    def page(self, key: Key) -> Page:
        return self.vms[key[0]].pages[key[1]]

    def holds(self, page: Page) -> bytes:
        """What a page holds."""
        if page.backing == Backing.MAPPED:
            return bytes(self.frames[page.mfn].bytes)
        if page.backing == Backing.SWAPPED:
            return self.slots[page.slot].bytes
        return page.kept if page.backing == Backing.WAITING else ZEROES

    def stand_on(self, key: Key, mfn: int, contents: bytes | None = None) -> None:
        """A page gets a frame, with these contents if the frame is not another's already."""
        page = self.page(key)
        if contents is not None:
            self.frames[mfn] = Frame(bytearray(contents))
        self.frames[mfn].users.add(key)
        page.backing, page.mfn = Backing.MAPPED, mfn

    def leave_frame(self, key: Key) -> None:
        """A page leaves its frame, which is free if nobody else stands on it."""
        page = self.page(key)
        if page.backing == Backing.MAPPED:
            frame = self.frames[page.mfn]
            frame.users.discard(key)
            if not frame.users:
                frame.is_merged = False
                self.free.append(page.mfn)
            page.mfn = -1

    def drop_copy(self, key: Key) -> None:
        """A page's copy on swap is good no more."""
        page = self.page(key)
        if page.slot >= 0:
            slot = self.slots[page.slot]
            slot.users.discard(key)
            if not slot.users:
                del self.slots[page.slot]
                self.free_slots.append(page.slot)
            page.slot = -1

    def vacate(self, key: Key) -> None:
        """Nothing stands behind a page any more."""
        self.leave_frame(key)
        self.drop_copy(key)

    def is_shared(self, page: Page) -> bool:
        return page.backing == Backing.MAPPED and len(self.frames[page.mfn].users) > 1
