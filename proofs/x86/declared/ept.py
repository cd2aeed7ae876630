"""The EPT walk, declared (SDM Vol. 3C 28.3)."""

from __future__ import annotations

from typing import Any

import z3

from proofs.declared.words import bit, combined, digit, every, first, some, zero
from proofs.x86.declared.words import slot, within

Term = Any
NO, YES = z3.BoolVal(False), z3.BoolVal(True)
ACCESSED, DIRTY = z3.BitVecVal(1 << 8, 64), z3.BitVecVal(1 << 9, 64)


class DeclaredEptWalk:
    """What the walk of ``gpa`` comes to, for any EPTP, any use and any contents of memory."""

    def __init__(self, memory: Term, levels: int, ept: dict[str, Term], gpa: Term, use: dict[str, Term]) -> None:
        self.levels, self.ept, self.gpa, self.use = range(levels, 0, -1), ept, gpa, use
        self.slot: dict[int, Term] = {}
        self.entry: dict[int, Term] = {}
        base = ept["root"]
        for level in self.levels:
            self.slot[level] = slot(base, gpa, level)
            self.entry[level] = base = z3.Select(memory, self.slot[level])
        self.leaf = {level: YES if level == 1 else bit(self.entry[level], 7) if level < 4 else NO for level in self.levels}
        user_execute = ept["mode_based_execute"]
        self.there = {n: some([bit(e, 0), bit(e, 1), bit(e, 2), z3.And(user_execute, bit(e, 10))]) for n, e in self.entry.items()}
        self.good = {level: self._well_formed(level) for level in self.levels}
        self.inside = z3.Extract(63, 12 + 9 * levels, gpa) == 0
        self.reached = {levels: self.inside}
        for level in self.levels[:-1]:
            self.reached[level - 1] = every([self.reached[level], self.there[level], self.good[level], z3.Not(self.leaf[level])])
        self.used = {level: every([self.reached[level], self.there[level], self.good[level]]) for level in self.levels}
        self._verdict()

    def _well_formed(self, level: int) -> Term:
        """SDM Vol. 3C 28.3.3.1, case by case."""
        e, ept = self.entry[level], self.ept
        executable = z3.Or(bit(e, 2), z3.And(ept["mode_based_execute"], bit(e, 10)))
        rules = [
            z3.Implies(bit(e, 1), bit(e, 0)),
            z3.Implies(z3.And(executable, z3.Not(bit(e, 0))), ept["execute_only"]),
            e & ept["beyond"] == 0,
        ]
        types = every(z3.Extract(5, 3, e) != bad for bad in (2, 3, 7))
        if level >= 4:
            rules += [zero(7, 3, e)]
        elif level == 1:
            rules += [types]
        else:
            page = every([types, zero(2 + 9 * level, 12, e), *([ept["gigabyte_pages"]] if level == 3 else [])])
            rules += [z3.If(bit(e, 7), page, zero(6, 3, e))]
        return every(rules)

    def _verdict(self) -> None:
        ept, use = self.ept, self.use
        given = {
            n: every(z3.Implies(self.reached[level], bit(self.entry[level], n)) for level in self.levels) for n in (0, 1, 2, 10)
        }
        self.absent = z3.Or(
            z3.Not(self.inside), some(z3.And(self.reached[level], z3.Not(self.there[level])) for level in self.levels)
        )
        self.misconfigured = some(
            every([self.reached[level], self.there[level], z3.Not(self.good[level])]) for level in self.levels
        )
        fetch_given = z3.If(z3.And(ept["mode_based_execute"], use["user_page"]), given[10], given[2])
        too_little = some(
            [
                z3.And(use["read"], z3.Not(given[0])),
                z3.And(use["write"], z3.Not(given[1])),
                z3.And(use["fetch"], z3.Not(fetch_given)),
            ]
        )
        self.denied = every([z3.Not(self.absent), z3.Not(self.misconfigured), too_little])
        self.violation = z3.Or(self.absent, self.denied)
        self.completed = z3.Not(z3.Or(self.violation, self.misconfigured))
        told = [z3.And(self.denied, ept["mode_based_execute"], given[10]), *(z3.And(self.denied, given[n]) for n in (2, 1, 0))]
        asked = [use["fetch"], use["write"], use["read"]]
        self.qualification = use["about"] | z3.Concat(z3.BitVecVal(0, 57), *(digit(c) for c in [*told, *asked]))
        self.rights = combined(z3.If(given[n], z3.BitVecVal(1 << n, 64), 0) for n in (0, 1, 2, 10))
        self.denied_somewhere = combined(z3.If(self.reached[level], self.entry[level], 0) for level in self.levels)
        self.leaf_entry = first(*[(self.reached[level], self.entry[level]) for level in (1, 2)], otherwise=self.entry[3])
        self.leaf_level = first(
            *[(self.reached[level], z3.BitVecVal(level, 64)) for level in (1, 2)], otherwise=z3.BitVecVal(3, 64)
        )
        self.physical = first(
            *[(self.reached[level], within(self.entry[level], self.gpa, level)) for level in (1, 2)],
            otherwise=within(self.entry[3], self.gpa, 3),
        )

    def marked(self, address: Term, flags: Term) -> Term:
        """That one of these flags is set in the entry at this address."""
        places = []
        for level in self.levels:
            here = every([self.ept["accessed_dirty"], self.slot[level] == address, self.used[level]])
            at_the_end = z3.And(self.leaf[level], self.completed)
            places.append(every([here, z3.Or(z3.Not(self.leaf[level]), at_the_end), flags & ACCESSED != 0]))
            places.append(every([here, at_the_end, self.use["write"], flags & DIRTY != 0]))
        return some(places)

    def looked_at(self, address: Term) -> Term:
        """That the entry at this address is read."""
        return some(z3.And(self.reached[level], self.slot[level] == address) for level in self.levels)
