"""Keys of states, written in LLVM's language.

A state's key is the least sum of its facts' words under all renamings (``engines.symmetry``). The sums are kept while a state is
taken further, so that a step costs as much as it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from refmodel.engines.compiled.code import Function, Value
from refmodel.engines.compiled.context import MIXING
from refmodel.engines.compiled.shared import Shared

SHAPE_BITS = 20
"""Shapes that walks have seen are remembered by so many bits of a hash."""


@attrs.frozen
class Keys(Shared):
    """Sums under all renamings, and what changes them."""

    def _slot(self, f: Function, key: Value) -> Value:
        return self._place(key) & self._get(f, "mask")

    @staticmethod
    def _place(key: Value) -> Value:
        """Where tables of keys are first looked at for one, in its lowest bits. (``compiled.seen`` puts them there.)"""
        return (key * MIXING) >> 20

    def _lanes(self, f: Function, address: Value, at: Value) -> Value:
        return address.at(at, "i64").load(f"<{self.vector} x i64>", align=64)

    def _least(self, f: Function, vector: Value) -> Value:
        return f.call("i64", f"llvm.vector.reduce.umin.v{self.vector}i64", vector)

    def _row(self, f: Function, row: Value, code: Value) -> Value:
        """The words of one byte of a state that holds this."""
        offset = self._get(f, "offsets", "ptr").at(row, "i32").load("i32")
        return self._get(f, "words", "ptr").at((offset + code.to("i32", "sext")).to("i64", "sext") * self.lanes, "i64")

    def _word(self, f: Function, row: Value, code: Value) -> Value:
        """What one byte of a state adds to its shape."""
        offset = self._get(f, "offsets", "ptr").at(row, "i32").load("i32")
        return self._get(f, "shape_words", "ptr").at((offset + code.to("i32", "sext")).to("i64", "sext"), "i64").load("i64")

    def _sums_of(self) -> str:
        """The sums of a state under all renamings, from its bytes."""
        f = Function("internal void @sums_of(ptr %c, ptr %s)")
        state, least = f.given("ptr", "s"), f.variable("i64", -1)
        total = f.variable(f"<{self.vector} x i64>", "zeroinitializer")
        with f.each(0, self.lanes, self.vector) as lane:
            total.store(f.constant(f"<{self.vector} x i64>", "zeroinitializer"), align=64)
            with f.each(0, self.places.height) as row:
                words = self._row(f, row, state.at(row).load("i8"))
                total.store(total.load(f"<{self.vector} x i64>", align=64) + self._lanes(f, words, lane), align=64)
            sums = total.load(f"<{self.vector} x i64>", align=64)
            for name in ("sums", "after"):
                self.places.address(f, name).at(lane, "i64").store(sums, align=64)
            mine, before = self._least(f, sums), least.load("i64")
            least.store(f.select(mine.compare("ult", before), mine, before))
        self._set(f, "key", least.load("i64"))
        f.line("ret void")
        return f.text()

    def _size(self) -> str:
        """How many states a class has: the renamings, less those that change nothing. Lanes that fill up repeat the first."""
        f = Function("internal i64 @size(ptr %c)")
        sums, same = self.places.address(f, "after"), f.variable("i64", -(self.lanes - self.renamings))
        kind = f"<{self.vector} x i64>"
        first = f.make(kind, f"insertelement {kind} poison, i64 {sums.load('i64').text}, i32 0")
        spread = f.make(kind, f"shufflevector {kind} {first.text}, {kind} poison, <{self.vector} x i32> zeroinitializer")
        with f.each(0, self.lanes, self.vector) as lane:
            equal = self._lanes(f, sums, lane).compare("eq", spread).to(kind)
            same.store(same.load("i64") + f.call("i64", f"llvm.vector.reduce.add.v{self.vector}i64", equal))
        f.line(f"ret i64 {f.constant('i64', self.renamings).over(same.load('i64')).text}")
        return f.text()

    def _changed(self, f: Function, before: Value, after: Value) -> Value:
        """Note the words of every byte that a step changed, as it was and as it is now; gives how many."""
        count = f.variable("i64", 0)
        with self._differing(f, before, after) as row:
            at = count.load("i64")
            for name, state in (("was", before), ("now", after)):
                self.places.address(f, name).at(at, "ptr").store(self._row(f, row, state.at(row).load("i8")))
            count.store(at + 1)
        return count.load("i64")

    @contextmanager
    def _differing(self, f: Function, before: Value, after: Value) -> Iterator[Value]:
        """Do this for every byte in which two states differ."""
        bits = f.variable("i64", 0)
        with f.each(0, self.places.padded, 64) as start:
            old, new = (state.at(start).load("<64 x i8>", align=64) for state in (before, after))
            bits.store(old.compare("ne", new).to("i64", "bitcast"))
            with f.forever() as done:
                left = bits.load("i64")
                f.leave_if(left.compare("eq", 0), done)
                bits.store(left & left - 1)
                yield start + f.make("i64", f"call i64 @llvm.cttz.i64(i64 {left.text}, i1 true)")

    def _key_after(self, f: Function, count: Value) -> Value:
        """The sums after a step, and their least."""
        kind = f"<{self.vector} x i64>"
        least, total = f.variable("i64", -1), f.variable(kind, "zeroinitializer")
        was, now = self.places.address(f, "was"), self.places.address(f, "now")
        least.store(-1)
        with f.each(0, self.lanes, self.vector) as lane:
            total.store(self._lanes(f, self.places.address(f, "sums"), lane), align=64)
            with f.each(0, count) as at:
                new, old = (self._lanes(f, words.at(at, "ptr").load("ptr"), lane) for words in (now, was))
                total.store(total.load(kind, align=64) + new - old, align=64)
            sums = total.load(kind, align=64)
            self.places.address(f, "after").at(lane, "i64").store(sums, align=64)
            mine, before = self._least(f, sums), least.load("i64")
            least.store(f.select(mine.compare("ult", before), mine, before))
        return least.load("i64")

    def _shape_of(self) -> str:
        """The shape of the state that a walk starts from."""
        f = Function("internal void @shape_of(ptr %c)")
        self._set(f, "shape", 0)
        with f.each(0, self.places.height) as row:
            self._add(f, "shape", self._word(f, row, self.places.address(f, "current").at(row).load("i8")))
        f.line("ret void")
        return f.text()

    def _shape_after(self) -> str:
        """The shape of the state that was picked, and whether it is new."""
        f = Function("internal void @shape_after(ptr %c)")
        before, after = self.places.address(f, "current"), self.places.address(f, "picked")
        with self._differing(f, before, after) as row:
            new, old = (self._word(f, row, state.at(row).load("i8")) for state in (after, before))
            self._add(f, "shape", new - old)
        mixed = self._get(f, "shape") * MIXING >> 64 - SHAPE_BITS
        seen = self._get(f, "shapes_seen", "ptr").at(mixed)
        with f.where(seen.load("i8").compare("eq", 0)):
            seen.store(1, "i8")
            self._set(f, "novel", 1)
        f.line("ret void")
        return f.text()
