"""32-bit paging and PAE paging, declared: which entries there are, which are used, what is wrong, what comes of it.

SDM Vol. 3A 4.3, 4.4 and tables 4-4 to 4-11, row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

from proofs.declared.words import bit, digit, every, first, some, zero

Term = Any
NO, YES = z3.BoolVal(False), z3.BoolVal(True)
A_FLAG, D_FLAG = z3.BitVecVal(1 << 5, 64), z3.BitVecVal(1 << 6, 64)
BITS = z3.BitVecVal


class DeclaredTwoLevels:
    """What a walk of a page directory and a page table comes to.

    A kind of paging says where the entries are (``slot``), which entry of the directory maps a page (``large``), what is well
    formed (``well_formed``), where a page begins (``page``), and whether there is a directory at all (``directory``).
    """

    def __init__(self, entry_at: Callable[[Term], Term], cpu: dict[str, Term], gva: Term, access: dict[str, Term]) -> None:
        self.cpu, self.gva, self.access = cpu, gva, access
        self.slot: dict[int, Term] = {2: self.directory_slot()}
        self.entry = {2: entry_at(self.slot[2])}
        self.slot[1] = self.table_slot()
        self.entry[1] = entry_at(self.slot[1])
        self._verdict()

    # what differs

    def directory(self) -> Term:
        raise NotImplementedError

    def directory_slot(self) -> Term:
        raise NotImplementedError

    def table_slot(self) -> Term:
        raise NotImplementedError

    def large(self) -> Term:
        raise NotImplementedError

    def well_formed(self, level: int) -> Term:
        raise NotImplementedError

    def no_execute(self, level: int) -> Term:
        raise NotImplementedError

    def fetches_told(self) -> Term:
        raise NotImplementedError

    def page(self) -> Term:
        raise NotImplementedError

    # what does not

    def _verdict(self) -> None:
        cpu, access = self.cpu, self.access
        user, write, fetch = access["user"], access["write"], access["fetch"]
        there = {level: bit(self.entry[level], 0) for level in (2, 1)}
        good = {level: self.well_formed(level) for level in (2, 1)}
        usable = {level: z3.And(there[level], good[level]) for level in (2, 1)}
        self.read = {2: self.directory(), 1: every([self.directory(), usable[2], z3.Not(self.large())])}
        self.absent = z3.Or(z3.Not(self.directory()), some(z3.And(self.read[level], z3.Not(there[level])) for level in (2, 1)))
        self.malformed = some(every([self.read[level], there[level], z3.Not(good[level])]) for level in (2, 1))
        used = {level: z3.And(self.read[level], usable[level]) for level in (2, 1)}
        self.above, self.last = z3.And(used[2], z3.Not(self.large())), z3.If(self.large(), used[2], used[1])
        at_each = {
            number: every(z3.Implies(self.read[level], bit(self.entry[level], number)) for level in (2, 1)) for number in (1, 2)
        }
        writable, user_page, supervisor = at_each[1], at_each[2], z3.Not(user)
        no_execute = some(z3.And(self.read[level], self.no_execute(level)) for level in (2, 1))
        self.denied = some(
            [
                z3.And(fetch, no_execute),
                every([user, z3.Not(user_page)]),
                every([user, write, z3.Not(writable)]),
                every([supervisor, fetch, user_page, cpu["smep"]]),
                every([supervisor, z3.Not(fetch), user_page, cpu["smap"], z3.Or(access["implicit"], z3.Not(access["ac"]))]),
                every([supervisor, write, cpu["wp"], z3.Not(writable), z3.Not(z3.And(user_page, fetch))]),
            ]
        )
        self.fault = some([self.absent, self.malformed, self.denied])
        self.completed = z3.Not(self.fault)
        self.rights = z3.Concat(BITS(0, 61), digit(user_page), digit(writable), BITS(0, 1))
        self.leaf_level = z3.If(self.large(), BITS(2, 64), BITS(1, 64))
        self.leaf_entry = z3.If(self.large(), self.entry[2], self.entry[1])
        self.physical = self.page()
        present = z3.Not(self.absent)
        self.code = z3.Concat(
            BITS(0, 59),
            digit(z3.And(fetch, self.fetches_told())),
            digit(z3.And(present, self.malformed)),
            digit(user),
            digit(write),
            digit(present),
        )

    def marked(self, address: Term, flags: Term) -> Term:
        """That one of these flags is set in the entry at this address."""
        leaf_slot = z3.If(self.large(), self.slot[2], self.slot[1])
        leaf = every([address == leaf_slot, self.last, self.completed])
        return some(
            [
                every([address == self.slot[2], self.above, flags & A_FLAG != 0]),
                z3.And(leaf, flags & A_FLAG != 0),
                every([leaf, self.access["write"], flags & D_FLAG != 0]),
            ]
        )

    def looked_at(self, address: Term) -> Term:
        """That the entry at this address is read."""
        return some(z3.And(self.read[level], self.slot[level] == address) for level in (2, 1))


class Declared32(DeclaredTwoLevels):
    """32-bit paging: entries of 32 bits, 1,024 to a table."""

    def directory(self) -> Term:
        return YES

    def directory_slot(self) -> Term:
        return z3.Concat(BITS(0, 32), z3.Extract(31, 12, self.cpu["cr3"]), z3.Extract(31, 22, self.gva), BITS(0, 2))

    def table_slot(self) -> Term:
        return z3.Concat(BITS(0, 32), z3.Extract(31, 12, self.entry[2]), z3.Extract(21, 12, self.gva), BITS(0, 2))

    def large(self) -> Term:
        return z3.And(self.cpu["pse"], bit(self.entry[2], 7))

    def well_formed(self, level: int) -> Term:
        """Bit 21, and each of bits 20:13 that stands for an address bit which there is not, in an entry that maps 4 MiB."""
        if level == 1:
            return YES
        entry, cpu = self.entry[2], self.cpu
        high = [z3.Implies(bit(entry, n - 19), z3.And(cpu["pse36"], z3.Not(bit(cpu["beyond"], n)))) for n in range(32, 40)]
        return z3.Implies(self.large(), every([z3.Not(bit(entry, 21)), *high]))

    def no_execute(self, level: int) -> Term:
        return NO

    def fetches_told(self) -> Term:
        return self.cpu["smep"]

    def page(self) -> Term:
        small = z3.Concat(BITS(0, 32), z3.Extract(31, 12, self.entry[1]), z3.Extract(11, 0, self.gva))
        large = z3.Concat(
            BITS(0, 24), z3.Extract(20, 13, self.entry[2]), z3.Extract(31, 22, self.entry[2]), z3.Extract(21, 0, self.gva)
        )
        return z3.If(self.large(), large, small)

    @property
    def denied_somewhere(self) -> Term:
        return BITS(0, 64)


class DeclaredPae(DeclaredTwoLevels):
    """PAE paging: a PDPTE register, and entries of 64 bits, 512 to a table."""

    def pdpte(self) -> Term:
        """By bits 31:30 of the address."""
        which = z3.Extract(31, 30, self.gva)
        return first(*[(which == n, self.cpu[f"pdpte{n}"]) for n in range(3)], otherwise=self.cpu["pdpte3"])

    def directory(self) -> Term:
        return bit(self.pdpte(), 0)

    def directory_slot(self) -> Term:
        return z3.Concat(BITS(0, 12), z3.Extract(51, 12, self.pdpte()), z3.Extract(29, 21, self.gva), BITS(0, 3))

    def table_slot(self) -> Term:
        return z3.Concat(BITS(0, 12), z3.Extract(51, 12, self.entry[2]), z3.Extract(20, 12, self.gva), BITS(0, 3))

    def large(self) -> Term:
        return bit(self.entry[2], 7)

    def well_formed(self, level: int) -> Term:
        entry = self.entry[level]
        rules = [entry & self.cpu["beyond"] == 0, zero(62, 52, entry), z3.Or(self.cpu["nxe"], z3.Not(bit(entry, 63)))]
        return every([*rules, z3.Implies(self.large(), zero(20, 13, entry))] if level == 2 else rules)

    def no_execute(self, level: int) -> Term:
        return bit(self.entry[level], 63)

    def fetches_told(self) -> Term:
        return z3.Or(self.cpu["nxe"], self.cpu["smep"])

    def page(self) -> Term:
        small = z3.Concat(BITS(0, 12), z3.Extract(51, 12, self.entry[1]), z3.Extract(11, 0, self.gva))
        large = z3.Concat(BITS(0, 12), z3.Extract(51, 21, self.entry[2]), z3.Extract(20, 0, self.gva))
        return z3.If(self.large(), large, small)

    @property
    def denied_somewhere(self) -> Term:
        return self.entry[2] | z3.If(self.read[1], self.entry[1], BITS(0, 64))
