"""A monitor that does everything right, as a trace; and the same with one thing done wrong.

VMs are restored from a snapshot, with 2 MiB leaves. They have virtual CPUs that read and write, devices that write, a dirty ring
that is harvested and reset, and pages that go to the balloon and come back, are shared, split from their leaves, moved and
reported. Flushes are reported. It is what a production monitor's trace is made of, and so what judging is measured on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import attrs

Told = dict[str, Any]
LEAF = 512
HEADER: Told = {"e": "trace", "name": "monitor", "start": "power-on", "flushes": "told"}

DEFECTS: dict[str, tuple[str, ...]] = {
    "no flush after rights are taken from one page of a split leaf": ("EQV-4", "ISO-2"),
    "a lost ring entry": ("EQV-4",),
    "a ring reset before it is harvested": ("EQV-4",),
    "a store that the log misses": ("EQV-4",),
    "a device's store that the log misses": ("EQV-4",),
    "a frame given to two pages": ("RES-2",),
    "ballooned while it is mapped": ("ISO-3",),
    "a frame that is not scrubbed": ("ISO-4",),
    "shared while it is writable": ("ISO-2",),
    "a shared page that is written to": ("ISO-2",),
    "another VM's frame": ("ISO-1",),
    "a stale entry in a TLB": ("ISO-1", "ISO-3"),
    "data that nobody wrote": ("EQV-1",),
    "an exit for nothing": ("EFF-1",),
    "a wrong count of references": ("RES-1",),
}
"""What can be done wrong, and the clauses by which it may be found."""


@attrs.define
class Vm:
    """A VM, as its monitor knows it."""

    number: int
    frames: list[int]
    """By page: the frame, or -1."""
    mapped: list[int] = attrs.field(factory=list)
    """By page: 0 not, 1 for reading, 2 for writing."""
    words: dict[int, int] = attrs.field(factory=dict)
    """By address: what was stored."""
    clean: set[int] = attrs.field(factory=set)
    """Pages that were sent."""
    split: set[int] = attrs.field(factory=set)
    """Leaves that were split."""
    devices: set[int] = attrs.field(factory=set)
    """Pages that devices write to: they stay."""
    ballooned: list[int] = attrs.field(factory=list)
    pushed: int = 0
    harvested: int = 0
    ring: list[int] = attrs.field(factory=list)
    shared: dict[int, tuple[int, int]] = attrs.field(factory=dict)
    """By page: with which it stands on one frame."""


class Monitor:
    """It does one thing after the other, and reports it."""

    def __init__(self, seed: int, vms: int = 4, pages: int = 4096, defect: str = "", after: int = 2000) -> None:
        self.draw, self.defect, self.after = random.Random(seed), defect, after
        self.pages = pages
        self.vms = [Vm(n, [(n * pages + gfn) for gfn in range(pages)], [0] * pages) for n in range(vms)]
        self.free = list(range(vms * pages, vms * pages + 512))
        self.left: dict[int, int] = {}
        """By frame: a word that was in it when it became free."""
        self.told = 0

    def wrong(self, what: str) -> bool:
        """Whether this is to be done wrong now."""
        if self.defect == what and self.told > self.after:
            self.defect = ""
            return True
        return False

    def events(self, number: int) -> Iterator[Told]:
        for event in self._events():
            yield event
            self.told += 1
            if self.told >= number:
                return

    def _events(self) -> Iterator[Told]:
        yield HEADER
        for vm in self.vms:
            yield {"e": "slot_add", "vm": vm.number, "slot": 0, "gfn": 0, "pages": self.pages}
            yield {"e": "fill", "vm": vm.number, "gfn": 0, "pages": self.pages, "mfn": vm.frames[0], "source": "restore"}
            for leaf in range(0, self.pages, LEAF):
                yield {"e": "map", "vm": vm.number, "gfn": leaf, "mfn": vm.frames[leaf], "level": 2, "writable": True}
                vm.mapped[leaf : leaf + LEAF] = [2] * LEAF
            vm.devices.update(range(8))
            yield {"e": "dma_map", "vm": vm.number, "gfn": 0, "pages": 8, "mfn": vm.frames[0]}
        steps = [
            *[self.reads_and_writes] * 6,
            self.device,
            self.log,
            self.harvest,
            self.balloon,
            self.share,
            self.move,
            self.report,
            self.remap,
        ]
        while True:
            vm = self.draw.choice(self.vms)
            yield from self.draw.choice(steps)(vm)

    # ------------------------------------------------------------ what the guest does

    def some(self, vm: Vm) -> int:
        return self.draw.randrange(8, self.pages)

    def reads_and_writes(self, vm: Vm) -> Iterator[Told]:
        cpu = self.draw.randrange(2)
        gfn = self.some(vm)
        if vm.frames[gfn] < 0:
            return
        gpa = gfn << 12 | self.draw.randrange(4) << 3
        if gpa in vm.words and self.draw.random() < 0.5:
            yield from self.fault(vm, gfn, cpu, write=False)
            value = vm.words[gpa] ^ self.wrong("data that nobody wrote")
            yield {"e": "load", "vm": vm.number, "cpu": cpu, "gpa": gpa, "value": value}
            return
        yield from self.fault(vm, gfn, cpu, write=True)
        vm.words[gpa] = self.draw.getrandbits(32)
        yield {"e": "store", "vm": vm.number, "cpu": cpu, "gpa": gpa, "value": vm.words[gpa]}
        if vm.mapped[gfn] == 2 and self.wrong("an exit for nothing"):
            for _ in range(2):  # one may have come before another CPU's map
                yield {"e": "exit", "vm": vm.number, "cpu": cpu, "gpa": gpa, "write": True}

    def fault(self, vm: Vm, gfn: int, cpu: int, write: bool) -> Iterator[Told]:
        """See to it that an access gets through."""
        if vm.mapped[gfn] >= 1 + write:
            return
        at = {"vm": vm.number, "gfn": gfn}
        yield {"e": "exit", "vm": vm.number, "cpu": cpu, "gpa": gfn << 12, "write": write}
        if write and gfn in vm.shared:
            if self.wrong("a shared page that is written to"):
                yield {"e": "map", **at, "mfn": vm.frames[gfn], "writable": True}
                return
            yield from self.unshare(vm, gfn)
        if write and gfn in vm.clean and not self.wrong("a store that the log misses"):
            yield from self.push(vm, gfn)
        writable = gfn not in vm.shared and gfn not in vm.clean
        mfn = vm.frames[gfn]
        if self.wrong("another VM's frame"):
            mfn = next(other.frames[9] for other in self.vms if other is not vm)
        yield {"e": "map", **at, "mfn": mfn, "writable": writable or write}
        vm.mapped[gfn] = 2 if writable or write else 1

    def device(self, vm: Vm) -> Iterator[Told]:
        gfn = self.draw.choice((self.draw.randrange(8), self.some(vm)))  # by the IOMMU, or as a backend does
        if vm.frames[gfn] < 0 or gfn in vm.shared:
            return
        if gfn in vm.clean and not self.wrong("a device's store that the log misses"):
            yield from self.push(vm, gfn)
        for word in range(4):
            vm.words.pop(gfn << 12 | word << 3, None)
        yield {"e": "dma_write", "vm": vm.number, "gpa": gfn << 12, "size": 512, "device": 1}
        if self.draw.random() < 0.3:
            yield {"e": "dma_read", "vm": vm.number, "gpa": gfn << 12, "size": 64, "device": 1}

    # ------------------------------------------------------------ the dirty log

    def split_leaf(self, vm: Vm, gfn: int) -> Iterator[Told]:
        leaf = gfn // LEAF
        if leaf not in vm.split:
            vm.split.add(leaf)
            yield {"e": "split", "vm": vm.number, "gfn": leaf * LEAF, "level": 2}

    def take_rights(self, vm: Vm, gfns: list[int], how: str) -> Iterator[Told]:
        for gfn in gfns:
            yield from self.split_leaf(vm, gfn)
            yield {"e": how, "vm": vm.number, "gfn": gfn}
            vm.mapped[gfn] = min(vm.mapped[gfn], 1) if how == "protect" else 0
        if not (how == "protect" and self.wrong("no flush after rights are taken from one page of a split leaf")):
            yield {"e": "flush_begin", "vm": vm.number}
            yield {"e": "flush_end", "vm": vm.number}

    def log(self, vm: Vm) -> Iterator[Told]:
        """Some pages are taken from the log, and sent."""
        gfns = [
            gfn
            for gfn in sorted({self.some(vm) for _ in range(4)})
            if vm.frames[gfn] >= 0 and gfn not in vm.clean and gfn not in vm.shared and gfn not in vm.ring
        ]
        for gfn in gfns:
            yield {"e": "take_mark", "vm": vm.number, "gfn": gfn}
        if gfns:
            yield from self.take_rights(vm, gfns, "protect")
        for gfn in gfns:
            yield {"e": "send", "vm": vm.number, "gfn": gfn}
            vm.clean.add(gfn)

    def push(self, vm: Vm, gfn: int) -> Iterator[Told]:
        vm.clean.discard(gfn)
        if self.wrong("a lost ring entry"):
            vm.pushed += 1
        yield {"e": "ring_push", "vm": vm.number, "ring": 0, "index": vm.pushed, "gfn": gfn}
        vm.pushed += 1
        vm.ring.append(gfn)

    def harvest(self, vm: Vm) -> Iterator[Told]:
        """The ring is taken, its pages are protected, and sent."""
        if not vm.ring:
            return
        if not self.wrong("a ring reset before it is harvested"):
            yield {"e": "ring_harvest", "vm": vm.number, "ring": 0, "end": vm.pushed}
        yield {"e": "ring_reset", "vm": vm.number, "ring": 0, "end": vm.pushed}
        yield {"e": "flush_begin", "vm": vm.number}
        yield {"e": "flush_end", "vm": vm.number}
        for gfn in dict.fromkeys(vm.ring):
            if vm.mapped[gfn] == 2:
                vm.mapped[gfn] = 1
            yield {"e": "send", "vm": vm.number, "gfn": gfn}
            vm.clean.add(gfn)
        vm.ring.clear()

    # ------------------------------------------------------------ what the monitor does with pages

    def alone(self, vm: Vm, gfn: int) -> bool:
        return vm.frames[gfn] >= 0 and gfn not in vm.shared and gfn not in vm.ring and gfn not in vm.clean

    def take_frame(self) -> int:
        """A free one, rather one in which something was left."""
        mfn = next((mfn for mfn in self.free[-40:] if self.left.get(mfn)), self.free[0])
        self.free.remove(mfn)
        return mfn

    def give_back(self, vm: Vm, gfn: int) -> None:
        mfn = vm.frames[gfn]
        self.left[mfn] = vm.words.get(gfn << 12, 0)
        self.free.append(mfn)
        vm.frames[gfn] = -1
        for word in range(4):
            vm.words.pop(gfn << 12 | word << 3, None)

    def balloon(self, vm: Vm) -> Iterator[Told]:
        """A page goes to the balloon; another comes back."""
        back = vm.ballooned and self.draw.random() < 0.5
        gfn = vm.ballooned.pop(self.draw.randrange(len(vm.ballooned))) if back else self.some(vm)
        at = {"vm": vm.number, "gfn": gfn}
        if not back and self.alone(vm, gfn):
            if not self.wrong("ballooned while it is mapped"):
                yield from self.take_rights(vm, [gfn], "unmap")
            yield {"e": "inflate", **at}
            vm.ballooned.append(gfn)
            vm.mapped[gfn] = 0
            self.give_back(vm, gfn)
        elif back:
            mfn = vm.frames[gfn] = self.take_frame()
            if self.wrong("a frame given to two pages"):
                mfn = vm.frames[8] if vm.frames[8] >= 0 else vm.frames[0]
            yield {"e": "deflate", **at, "mfn": mfn}
            yield {"e": "map", **at, "mfn": mfn, "writable": True}
            vm.mapped[gfn] = 2
            if self.left.get(mfn) and self.wrong("a frame that is not scrubbed"):
                yield {"e": "load", "vm": vm.number, "gpa": gfn << 12, "value": self.left[mfn]}
            vm.words[gfn << 12] = 0

    def share(self, vm: Vm) -> Iterator[Told]:
        """Two pages that were filled with the same stand on one frame."""
        other = self.draw.choice(self.vms)
        one, two = self.some(vm), self.some(other)
        if other is vm or not self.alone(vm, one) or not self.alone(other, two):
            return
        for each, gfn in ((vm, one), (other, two)):
            yield {"e": "fill", "vm": each.number, "gfn": gfn, "zero": True, "source": "copy"}
            for word in range(4):
                each.words[gfn << 12 | word << 3] = 0
        if not self.wrong("shared while it is writable"):
            yield from self.take_rights(vm, [one], "protect")
        yield from self.take_rights(other, [two], "unmap")
        yield {"e": "share", "vm": vm.number, "gfn": one, "with_vm": other.number, "with_gfn": two, "mfn": vm.frames[one]}
        self.left[other.frames[two]] = 0
        self.free.append(other.frames[two])
        other.frames[two] = vm.frames[one]
        vm.shared[one], other.shared[two] = (other.number, two), (vm.number, one)
        references = 2 + self.wrong("a wrong count of references")
        yield {"e": "frame", "mfn": vm.frames[one], "use": "shared", "references": references}

    def unshare(self, vm: Vm, gfn: int) -> Iterator[Told]:
        number, page = vm.shared.pop(gfn)
        if vm.mapped[gfn]:
            yield from self.take_rights(vm, [gfn], "unmap")
        mfn = vm.frames[gfn] = self.take_frame()
        yield {"e": "break", "vm": vm.number, "gfn": gfn, "mfn": mfn}
        del self.vms[number].shared[page]

    def move(self, vm: Vm) -> Iterator[Told]:
        """Compaction: what is in one frame goes to another."""
        gfn = self.some(vm)
        if not self.alone(vm, gfn) or not self.free:
            return
        old, new = vm.frames[gfn], self.take_frame()
        yield from self.take_rights(vm, [gfn], "unmap")
        yield {"e": "move", "mfn": old, "to_mfn": new}
        self.left[old] = 0
        self.free.append(old)
        vm.frames[gfn] = new
        if self.wrong("a stale entry in a TLB"):
            yield {"e": "entry", "vm": vm.number, "gfn": gfn, "mfn": old, "writable": True, "where": "tlb"}

    def report(self, vm: Vm) -> Iterator[Told]:
        """The guest reports a page as free; the monitor discards it, or not yet."""
        gfn = self.some(vm)
        if not self.alone(vm, gfn):
            return
        yield {"e": "report", "vm": vm.number, "gfn": gfn}
        for word in range(4):
            vm.words.pop(gfn << 12 | word << 3, None)

    def remap(self, vm: Vm) -> Iterator[Told]:
        """A page is unmapped, as by the host's memory management, and mapped again when it is touched."""
        gfn = self.some(vm)
        if vm.frames[gfn] >= 0 and vm.mapped[gfn]:
            yield from self.take_rights(vm, [gfn], "unmap")


def lines(monitor: Monitor, number: int) -> Iterator[bytes]:
    return (json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in monitor.events(number))
