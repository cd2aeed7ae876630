"""The guest's walk, declared: which entries there are, which of them are used, what is wrong, what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

from proofs.declared.words import bit, combined, digit, every, first, some, zero
from proofs.x86.declared.words import slot, within

Term = Any
NO, YES = z3.BoolVal(False), z3.BoolVal(True)
A_FLAG, D_FLAG = z3.BitVecVal(1 << 5, 64), z3.BitVecVal(1 << 6, 64)


class DeclaredGuestWalk:
    """What the walk of ``gva`` comes to, for any registers, any access and any contents of memory.

    ``fetch_entry(level, address)`` gives the entry at an address; ``available(level)`` says whether it can be had at all, and
    ``settable(level, entry, flags)`` whether flags can be set in it. Over plain memory it always can, and they always can.
    The address is a linear one, which has to be canonical, or a guest-physical one, whose bits above those that the tables
    translate have to be clear; ``canonical`` says either.
    """

    def __init__(
        self,
        fetch_entry: Callable[[int, Term], Term],
        levels: int,
        cpu: dict[str, Term],
        gva: Term,
        access: dict[str, Term],
        available: Callable[[int], Term] = lambda level: YES,
        settable: Callable[[int, Term, Term], Term] = lambda level, entry, flags: YES,
        linear: bool = True,
    ) -> None:
        self.levels, self.cpu, self.gva, self.access = range(levels, 0, -1), cpu, gva, access
        self.slot: dict[int, Term] = {}
        self.entry: dict[int, Term] = {}
        base = cpu["cr3"]
        for level in self.levels:
            self.slot[level] = slot(base, gva, level)
            self.entry[level] = base = fetch_entry(level, self.slot[level])
        self.leaf = {level: YES if level == 1 else bit(self.entry[level], 7) if level < 4 else NO for level in self.levels}
        self._available, self._linear = available, linear
        self.flags_due = z3.If(access["write"], A_FLAG | D_FLAG, A_FLAG)
        self._settable = {level: settable(level, self.entry[level], A_FLAG) for level in self.levels}
        self._leaf_settable = {level: settable(level, self.entry[level], self.flags_due) for level in self.levels}
        self._levels_used()
        self._verdict()

    def _levels_used(self) -> None:
        """The walk gets to a level if the one above is there, well formed, and no leaf."""
        e = self.entry
        self.there = {level: bit(e[level], 0) for level in self.levels}
        self.good = {level: self._well_formed(level) for level in self.levels}
        self.reached = {self.levels[0]: YES}
        for level in self.levels[:-1]:
            self.reached[level - 1] = every(
                [
                    self.reached[level],
                    self._available(level),
                    self.there[level],
                    self.good[level],
                    z3.Not(self.leaf[level]),
                    self._settable[level],
                ]
            )
        self.read = {level: z3.And(self.reached[level], self._available(level)) for level in self.levels}
        self.used = {level: every([self.read[level], self.there[level], self.good[level]]) for level in self.levels}

    def _well_formed(self, level: int) -> Term:
        """SDM Vol. 3A tables 4-15 to 4-20, row by row."""
        e, cpu = self.entry[level], self.cpu
        rules = [e & cpu["beyond"] == 0, z3.Or(cpu["nxe"], z3.Not(bit(e, 63)))]
        if level >= 4:
            rules += [z3.Not(bit(e, 7)), z3.Or(z3.Not(cpu["amd"]), z3.Not(bit(e, 8)))]
        if level == 3:
            rules += [z3.Implies(bit(e, 7), z3.And(cpu["gigabyte_pages"], zero(29, 13, e)))]
        if level == 2:
            rules += [z3.Implies(bit(e, 7), zero(20, 13, e))]
        return every(rules)

    def at_leaf(self, values: dict[int, Term]) -> Term:
        """The value for the level of the leaf that the walk comes to."""
        return first(*[(self.reached[level], values[level]) for level in (1, 2)], otherwise=values[3])

    def _verdict(self) -> None:
        cpu, access = self.cpu, self.access
        user, write, fetch = access["user"], access["write"], access["fetch"]
        above = {level: z3.And(self.used[level], z3.Not(self.leaf[level])) for level in self.levels}
        self.failed = some(
            [
                *(z3.And(self.reached[level], z3.Not(self._available(level))) for level in self.levels),
                *(z3.And(above[level], z3.Not(self._settable[level])) for level in self.levels),
            ]
        )
        self.absent = some(z3.And(self.read[level], z3.Not(self.there[level])) for level in self.levels)
        self.malformed = some(every([self.read[level], self.there[level], z3.Not(self.good[level])]) for level in self.levels)
        at_every_level = {
            number: every(z3.Implies(self.read[level], bit(self.entry[level], number)) for level in self.levels)
            for number in (1, 2)
        }
        self.writable, self.user_page = at_every_level[1], at_every_level[2]
        self.no_execute = some(z3.And(self.read[level], bit(self.entry[level], 63)) for level in self.levels)
        self.rights = z3.Concat(z3.BitVecVal(0, 61), digit(self.user_page), digit(self.writable), z3.BitVecVal(0, 1))
        self.denied_somewhere = combined(z3.If(self.read[level], self.entry[level], 0) for level in self.levels)
        self.leaf_entry = self.at_leaf({level: self.entry[level] for level in (1, 2, 3)})
        self.leaf_level = self.at_leaf({level: z3.BitVecVal(level, 64) for level in (1, 2, 3)})
        self.physical = self.at_leaf({level: within(self.entry[level], self.gva, level) for level in (1, 2, 3)})
        self.key_denied = every([cpu["pke"], self.user_page, z3.Not(fetch), self._key_denies()])
        supervisor, user_page = z3.Not(user), self.user_page
        self.denied = some(
            [
                self.key_denied,
                z3.And(fetch, self.no_execute),
                every([user, z3.Not(user_page)]),
                every([user, write, z3.Not(self.writable)]),
                every([supervisor, fetch, user_page, cpu["smep"]]),
                every([supervisor, z3.Not(fetch), user_page, cpu["smap"], z3.Or(access["implicit"], z3.Not(access["ac"]))]),
                every([supervisor, write, cpu["wp"], z3.Not(self.writable), z3.Not(z3.And(user_page, fetch))]),
            ]
        )
        high = z3.Extract(63, 11 + 9 * self.levels[0], self.gva)
        self.canonical = z3.Or(high == 0, ~high == 0) if self._linear else zero(63, 12 + 9 * self.levels[0], self.gva)
        self.fault = z3.And(self.canonical, z3.Not(self.failed), some([self.absent, self.malformed, self.denied]))
        self.allowed = every([self.canonical, z3.Not(self.failed), z3.Not(self.fault)])
        self.completed = z3.And(self.allowed, self.at_leaf(self._leaf_settable))
        present, well = z3.Not(self.absent), z3.Not(some([self.absent, self.malformed]))
        self.code_beyond = z3.Concat(
            z3.BitVecVal(0, 59),
            digit(z3.And(fetch, z3.Or(cpu["nxe"], cpu["smep"]))),
            z3.BitVecVal(0, 1),
            digit(user),
            digit(write),
            z3.BitVecVal(0, 1),
        )
        """Of a guest-physical address beyond what the tables translate: as if no entry were present."""
        self.code = z3.Concat(
            z3.BitVecVal(0, 58),
            digit(z3.And(well, self.key_denied)),
            digit(z3.And(fetch, z3.Or(cpu["nxe"], cpu["smep"]))),
            digit(z3.And(present, self.malformed)),
            digit(user),
            digit(write),
            digit(present),
        )

    def _key_denies(self) -> Term:
        """PKRU, key by key (SDM Vol. 3A 4.6.2)."""
        write_counts = z3.And(self.access["write"], z3.Or(self.access["user"], self.cpu["wp"]))
        key = z3.Extract(62, 59, self.at_leaf({level: self.entry[level] for level in (1, 2, 3)}))
        pkru = self.cpu["pkru"]
        return some(z3.And(key == k, z3.Or(bit(pkru, 2 * k), z3.And(bit(pkru, 2 * k + 1), write_counts))) for k in range(16))

    def marked(self, address: Term, flags: Term) -> Term:
        """That one of these flags is set in the entry at this address."""
        places = []
        for level in self.levels:
            here = z3.And(self.slot[level] == address, self.canonical)
            above = every([self.used[level], z3.Not(self.leaf[level])])
            last = every([self.used[level], self.leaf[level], self.completed])
            places.append(every([here, z3.Or(above, last), flags & A_FLAG != 0]))
            places.append(every([here, last, self.access["write"], flags & D_FLAG != 0]))
        return some(places)

    def looked_at(self, address: Term) -> Term:
        """That the entry at this address is read."""
        return z3.And(self.canonical, some(z3.And(self.read[level], self.slot[level] == address) for level in self.levels))
