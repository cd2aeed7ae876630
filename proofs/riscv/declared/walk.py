"""RISC-V's walk of one stage, declared: the entries there are, those that are read, what is wrong with them, what comes of it.

(Privileged Architecture, Sv32, *Virtual Address Translation Process*, and what the other formats and extensions change of it.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import z3

from proofs.declared.words import bit, combined, every, first, some, zero

Term = Any
YES, NO = z3.BoolVal(True), z3.BoolVal(False)
A_FLAG, D_FLAG = z3.BitVecVal(1 << 6, 64), z3.BitVecVal(1 << 7, 64)


@attrs.frozen
class Format:
    """A scheme of page tables: Sv32, Sv39, Sv48 or Sv57; with ``guest``, the G-stage's variant of it."""

    levels: int
    guest: bool = False

    @property
    def sv32(self) -> bool:
        return self.levels == 2

    def vpn(self, level: int) -> tuple[int, int]:
        """The highest and the lowest bit of the page number that selects the entry of a level."""
        width = 10 if self.sv32 else 9
        low = 12 + width * (level - 1)
        return low + width - 1 + (2 if self.guest and level == self.levels else 0), low


class DeclaredWalk:
    """What the walk of an address comes to. ``available`` and ``settable`` are of whatever lies beneath."""

    def __init__(
        self,
        fetch_entry: Callable[[int, Term], Term],
        scheme: Format,
        stage: dict[str, Term],
        address: Term,
        access: dict[str, Term],
        available: Callable[[int], Term] = lambda level: YES,
        settable: Callable[[int, Term, Term], Term] = lambda level, entry, flags: YES,
    ) -> None:
        self.format, self.levels = scheme, range(scheme.levels, 0, -1)
        self.stage, self.address, self.access = stage, address, access
        self.slot: dict[int, Term] = {}
        self.entry: dict[int, Term] = {}
        base = stage["root"]
        for level in self.levels:
            self.slot[level] = base | self._index(level)
            self.entry[level] = fetch_entry(level, self.slot[level])
            base = self._page(level)
        self.due = z3.If(access["write"], A_FLAG | D_FLAG, A_FLAG)
        self.leaf = {level: z3.Or(bit(e, 1), bit(e, 3)) for level, e in self.entry.items()}
        self._reached(available)
        self._end(settable)

    def _index(self, level: int) -> Term:
        high, low = self.format.vpn(level)
        index = z3.Extract(high, low, self.address)
        return z3.ZeroExt(64 - index.size(), index) << (2 if self.format.sv32 else 3)

    def _page(self, level: int) -> Term:
        """Where the table or the page lies that an entry names: bits 53:10 are bits 55:12 of its address."""
        return z3.Concat(z3.BitVecVal(0, 8), z3.Extract(53, 10, self.entry[level]), z3.BitVecVal(0, 12))

    def _reached(self, available: Callable[[int], Term]) -> None:
        """The walk gets to a level if the entry above is there, well formed, and no leaf."""
        there = {level: self.slot[level] & self.stage["beyond"] == 0 for level in self.levels}
        self.good = {level: self._well_formed(level) for level in self.levels}
        self.translatable = self._translatable()
        self.reached = {self.levels[0]: self.translatable}
        self.asked: dict[int, Term] = {}
        for level in self.levels:
            self.asked[level] = z3.And(self.reached[level], there[level])
            if level > 1:
                self.reached[level - 1] = every([self.asked[level], available(level), self.good[level], z3.Not(self.leaf[level])])
        self.read = {level: z3.And(self.asked[level], available(level)) for level in self.levels}
        self.lost = some(z3.And(self.asked[level], z3.Not(available(level))) for level in self.levels)
        self.no_table = some(z3.And(self.reached[level], z3.Not(there[level])) for level in self.levels)

    def _translatable(self) -> Term:
        top = self.format.vpn(self.format.levels)[0]
        if self.format.guest or self.format.sv32:
            return zero(63, top + 1, self.address)
        high = z3.Extract(63, top, self.address)
        return z3.Or(high == 0, ~high == 0)

    def _well_formed(self, level: int) -> Term:
        """Steps 3 to 5, and what is reserved; table *Page table entry encodings when pte.N=1*; table *Encodings for PBMT*."""
        e = self.entry[level]
        return every(
            [
                bit(e, 0),
                z3.Or(bit(e, 1), z3.Not(bit(e, 2))),
                zero(58, 54, e),
                z3.Or(self.stage["svrsw60t59b"], zero(60, 59, e)),
                z3.If(self.leaf[level], self._leaf_well_formed(level), self._pointer_well_formed(level)),
            ]
        )

    def _leaf_well_formed(self, level: int) -> Term:
        e = self.entry[level]
        napot = z3.And(self.stage["svnapot"], z3.Extract(13, 10, e) == 8) if level == 1 else NO
        low = self.format.vpn(level)[1]
        return every(
            [
                z3.Or(zero(62, 61, e), z3.And(self.stage["pbmte"], z3.Extract(62, 61, e) != 3)),
                z3.Implies(bit(e, 63), napot),
                zero(low - 3, 10, e) if level > 1 else YES,
            ]
        )

    def _pointer_well_formed(self, level: int) -> Term:
        e = self.entry[level]
        return every([z3.BoolVal(level > 1), zero(63, 61, e), zero(7, 6, e), zero(4, 4, e)])

    def _end(self, settable: Callable[[int, Term, Term], Term]) -> None:
        stage = self.stage
        self.ends = {level: every([self.read[level], self.good[level], self.leaf[level]]) for level in self.levels}
        lets = {level: self._lets(level) for level in self.levels}
        lacks = {level: self.due & ~self.entry[level] != 0 for level in self.levels}
        self.tries = {level: every([self.ends[level], lets[level], lacks[level], stage["adue"]]) for level in self.levels}
        self.sets = {level: z3.And(self.tries[level], settable(level, self.entry[level], self.due)) for level in self.levels}
        self.stuck = some(z3.And(self.tries[level], z3.Not(self.sets[level])) for level in self.levels)
        self.fault = z3.Or(
            z3.Not(self.translatable),
            some(z3.And(self.read[level], z3.Not(self.good[level])) for level in self.levels),
            some(z3.And(self.ends[level], z3.Not(lets[level])) for level in self.levels),
            some(every([self.ends[level], lacks[level], z3.Not(stage["adue"])]) for level in self.levels),
        )
        self.physical = self._at_leaf({level: self._within(level) for level in self.levels})
        self.leaf_entry = self._at_leaf(self.entry)
        self.leaf_level = self._at_leaf({level: z3.BitVecVal(level, 64) for level in self.levels})
        self.every_entry = combined(z3.If(self.read[level], self.entry[level], 0) for level in self.levels)
        self.translated = every([some(self.ends.values()), z3.Not(self.fault), z3.Not(self.stuck)])
        self.completed = z3.And(self.translated, self.physical & stage["beyond"] == 0)
        self.no_memory = z3.Or(self.no_table, z3.And(self.translated, self.physical & stage["beyond"] != 0))

    def _at_leaf(self, values: dict[int, Term]) -> Term:
        return first(*[(self.ends[level], values[level]) for level in self.levels if level > 1], otherwise=values[1])

    def _lets(self, level: int) -> Term:
        """Steps 6 and 8, by the table of the encodings of R, W and X and the rules of U, SUM and MXR."""
        e, stage, access = self.entry[level], self.stage, self.access
        if self.format.guest:
            by_mode = bit(e, 4)
        else:
            by_mode = z3.If(bit(e, 4), z3.Or(access["user"], z3.And(z3.Not(access["fetch"]), stage["sum"])), z3.Not(access["user"]))
        readable = z3.Or(bit(e, 1), every([stage["mxr"], z3.Not(access["implicit"]), bit(e, 3)]))
        return z3.And(
            by_mode, z3.If(access["write"], bit(e, 2), z3.If(z3.Or(access["fetch"], access["executable"]), bit(e, 3), readable))
        )

    def _within(self, level: int) -> Term:
        """Step 10: the page's address above, the address below; of a NAPOT page of 64 KiB, 16 bits of it."""
        page, low = self._page(level), self.format.vpn(level)[1]

        def joined(bits: int) -> Term:
            return z3.Concat(z3.Extract(63, bits, page), z3.Extract(bits - 1, 0, self.address))

        return z3.If(bit(self.entry[1], 63), joined(16), joined(12)) if level == 1 else joined(low)

    def marked(self, address: Term, flags: Term) -> Term:
        """That one of these flags is set in the entry at this address."""
        return some(every([self.sets[level], self.slot[level] == address, self.due & flags != 0]) for level in self.levels)

    def looked_at(self, address: Term) -> Term:
        """That the entry at this address is read."""
        return some(z3.And(self.read[level], self.slot[level] == address) for level in self.levels)
