"""The memory slots of VMs, found by their number and by the pages that lie in them. Slots of one VM do not overlap."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator


class MemorySlots(dict[tuple[int, int], tuple[int, int, bool]]):
    """By VM and number: a slot's first page, how many it has, and whether guests may only read them."""

    def __init__(self) -> None:
        super().__init__()
        self.by_page: dict[int, list[tuple[int, int]]] = {}
        """By VM: the first page and the number of each slot, in order."""
        self.read_only = 0
        """Slots that guests may only read."""

    def __setitem__(self, key: tuple[int, int], slot: tuple[int, int, bool]) -> None:
        if key in self:
            del self[key]
        super().__setitem__(key, slot)
        insort(self.by_page.setdefault(key[0], []), (slot[0], key[1]))
        self.read_only += slot[2]

    def __delitem__(self, key: tuple[int, int]) -> None:
        first, _, readonly = self[key]
        super().__delitem__(key)
        self.by_page[key[0]].remove((first, key[1]))
        self.read_only -= readonly

    def overlapping(self, vm: int, gfn: int, pages: int) -> Iterator[int]:
        """The numbers of the slots in which some of these pages lie."""
        of_vm = self.by_page.get(vm, [])
        at = max(bisect_right(of_vm, (gfn, 1 << 64)) - 1, 0)
        while at < len(of_vm) and of_vm[at][0] < gfn + pages:
            first, slot = of_vm[at]
            if gfn < first + self[vm, slot][1]:
                yield slot
            at += 1

    def of_vm(self, vm: int) -> list[int]:
        """The numbers of a VM's slots."""
        return [slot for _, slot in self.by_page.get(vm, [])]

    def is_read_only(self, vm: int, gfn: int) -> bool:
        """Whether a page lies in a slot that guests may only read."""
        return self.read_only > 0 and any(self[vm, slot][2] for slot in self.overlapping(vm, gfn, 1))
