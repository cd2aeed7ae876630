"""The two-dimensional walk: a guest's tables lie in guest-physical memory, which is itself translated.

The text is the guest's walk, over memory as the second tables show it. It refers to memory up to (g + 1) * (n + 1) - 1 times
with g guest levels and n nested ones, 24 for four and four (Bhargava et al., ASPLOS 2008; ``proofs/x86/references.py``).
(SDM Vol. 3C 28.3; APM Vol. 2 15.25.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from refmodel.machine.words import Translation, WalkMemory, Word
from refmodel.machine.x86.ept_walk import (
    EXECUTE_DISABLED_PAGE,
    FINAL,
    LINEAR,
    USER_PAGE,
    WRITABLE_PAGE,
    Ept,
    Use,
    ept_walk,
)
from refmodel.machine.x86.guest_walk import Access, Cpu, walk
from refmodel.machine.x86.npt_walk import FINAL_ADDRESS, TABLE_ADDRESS, npt_walk
from refmodel.machine.x86.words import NX, RW, US


def most_references(levels: int, second: int) -> int:
    """The most references to memory that a walk in two dimensions takes, with so many levels of the guest's and of the second
    translation's: for each of the guest's entries and for the page a walk of the second, and the entries themselves."""
    return (levels + 1) * (second + 1) - 1


GuestWalk = Callable[[WalkMemory, Cpu, Word, Access], Translation]
"""``walk``, or ``walk_marking_late``."""


class Nested(NamedTuple):
    """Where a two-dimensional walk led: the guest's own translation, and the second one, of the address it gave."""

    guest: Translation
    host: Translation

    @property
    def level(self) -> int:
        """Of the page that a TLB may cache: the smaller of the two."""
        return min(self.guest.level, self.host.level)


class ThroughEpt:
    """A guest's tables as they are reached through EPT.

    Reading an entry is a read, and with EPT's own flags enabled a write besides (SDM Vol. 3C 28.3.3.2). Setting a flag in
    an entry is always a write. Entries and flags are named by their physical addresses.
    """

    __slots__ = ("ept", "memory")

    def __init__(self, memory: WalkMemory, ept: Ept) -> None:
        self.memory, self.ept = memory, ept

    def read(self, address: Word) -> Word:
        use = Use(read=True, write=self.ept.accessed_dirty, about=LINEAR)
        return self.memory.read(ept_walk(self.memory, self.ept, address, use).physical)

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        if flags & ~entry:
            use = Use(read=True, write=True, about=LINEAR)
            self.memory.mark(ept_walk(self.memory, self.ept, address, use).physical, entry, flags)


class ThroughNpt:
    """A guest's tables as they are reached through nested page tables: every use of one is a write (APM Vol. 2 15.25.5)."""

    __slots__ = ("host", "memory")

    def __init__(self, memory: WalkMemory, host: Cpu) -> None:
        self.memory, self.host = memory, host

    def locate(self, address: Word) -> Word:
        return npt_walk(self.memory, self.host, address, True, False, TABLE_ADDRESS).physical

    def read(self, address: Word) -> Word:
        return self.memory.read(self.locate(address))

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        if flags & ~entry:
            self.memory.mark(self.locate(address), entry, flags)


def walk_through_ept(memory: WalkMemory, ept: Ept, cpu: Cpu, gva: Word, access: Access, guest_walk: GuestWalk = walk) -> Nested:
    """Both walks of an access under EPT. Raises what they raise."""
    guest = guest_walk(ThroughEpt(memory, ept), cpu, gva, access)
    return Nested(guest, ept_walk(memory, ept, guest.physical, final_use(ept, access, guest)))


def final_use(ept: Ept, access: Access, guest: Translation) -> Use:
    """What the address that the guest's walk gave is used for."""
    user_page = guest.rights & US != 0
    about = final_access(ept.advanced, user_page, guest.rights & RW != 0, guest.denied & NX != 0)
    return Use(not (access.write or access.fetch), access.write, access.fetch, user_page, about)


def final_access(advanced: bool, user_page: bool, writable: bool, no_execute: bool) -> Word:
    """Bits 11:7 of the exit qualification of an access to what a linear address translates to (SDM Vol. 3C table 27-7)."""
    bits = LINEAR | FINAL
    if advanced and user_page:
        bits |= USER_PAGE
    if advanced and writable:
        bits |= WRITABLE_PAGE
    if advanced and no_execute:
        bits |= EXECUTE_DISABLED_PAGE
    return bits


def walk_through_npt(memory: WalkMemory, host: Cpu, cpu: Cpu, gva: Word, access: Access, guest_walk: GuestWalk = walk) -> Nested:
    """Both walks of an access under nested paging. Raises what they raise."""
    guest = guest_walk(ThroughNpt(memory, host), cpu, gva, access)
    return Nested(guest, npt_walk(memory, host, guest.physical, access.write, access.fetch, FINAL_ADDRESS))
