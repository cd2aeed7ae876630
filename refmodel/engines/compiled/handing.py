"""A search that several workers share, written in LLVM's language: each class of states belongs to one of them, by its key.

A state that belongs to another worker is put into the box for it. A box is a count, and so many records: key, way, number of the
parent, states of the class, and the state.
"""

from __future__ import annotations

import attrs

from refmodel.engines.compiled.code import Function, Value
from refmodel.engines.compiled.context import BOX, MIXING, PADDING, SENT
from refmodel.engines.compiled.layers import Layers

KEY, WAY, PARENT, SIZE = range(4)
"""The numbers before each state in a box."""


@attrs.frozen
class Handing(Layers):
    """States for other workers, and from them."""

    def _part_of(self, f: Function, key: Value) -> Value:
        """Whose a key is, by its highest bits when it is mixed: the place in a table comes from others."""
        return ((key * MIXING) >> 32) * self._get(f, "parts") >> 32

    def _hand_over(self) -> str:
        """Keep a state that is one's own; put another into a box, unless this key was put there lately."""
        f = Function("internal void @hand_over(ptr %c, ptr %t, i64 %key, i64 %way)")
        context, state, key, way = f.given("ptr", "c"), f.given("ptr", "t"), f.given("i64", "key"), f.given("i64", "way")
        part = self._part_of(f, key)
        with f.where(part.compare("eq", self._get(f, "part"))):
            f.call("void", "push", context, state, key, way)
            f.returns()
        slot = self._place(key) & SENT - 1
        sent = self._get(f, "sent", "ptr").at(slot, "i64")
        with f.where(sent.load("i64").compare("eq", key)):
            f.returns()
        sent.store(key)
        self._add(f, "outgoing", 1)
        box = self._get(f, "boxes", "ptr").at(part, "ptr").load("ptr")
        at = box.load("i64")
        box.store(at + 1)
        record = box.at(at * self.places.record + PADDING)
        for number, value in ((KEY, key), (WAY, way), (PARENT, self._get(f, "parent")), (SIZE, f.call("i64", "size", context))):
            record.at(number, "i64").store(value)
        self._copy(f, record.at(PADDING), state)
        f.line("ret void")
        return f.text()

    def _take_in(self) -> str:
        """Let the states of a box wait, as one's own do."""
        f = Function("void @take_in(ptr %c, ptr %box)")
        box = f.given("ptr", "box")
        with f.each(0, box.load("i64")) as at:
            record = box.at(at * self.places.record + PADDING)
            key, way, parent, size = (record.at(number, "i64").load("i64") for number in (KEY, WAY, PARENT, SIZE))
            self._fill_place(f, self._place_in_ring(f, key), record.at(PADDING), (key, way, parent, size))
        f.call("void", "drain", f.given("ptr", "c"))
        f.line("ret void")
        return f.text()

    def _is_full(self, f: Function) -> Value:
        full = super()._is_full(f)
        return full | self._get(f, "outgoing").compare("ugt", BOX) if self.in_parts else full

    def _numbered(self, f: Function, at: Value) -> Value:
        """Classes are counted by each worker, and numbered so that the number says whose the class is."""
        return at * self._get(f, "parts") + self._get(f, "part") if self.in_parts else at
