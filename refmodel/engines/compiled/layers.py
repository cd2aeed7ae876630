"""A search by layers, written in LLVM's language: the table of states seen, and one layer taken further."""

from __future__ import annotations

import attrs

from refmodel.engines.compiled.code import Function, Value
from refmodel.engines.compiled.context import FINE, LAW_BROKEN, RING
from refmodel.engines.compiled.keys import Keys


@attrs.frozen
class Layers(Keys):
    """States seen, and those that wait to be taken further."""

    @property
    def _onward(self) -> str:
        """The function that is given each state that a step leads to."""
        return "hand_over" if self.in_parts else "push"

    def _push(self) -> str:
        """Let a state wait until the memory has come that says whether it was seen."""
        f = Function("internal void @push(ptr %c, ptr %t, i64 %key, i64 %way)")
        context, key = f.given("ptr", "c"), f.given("i64", "key")
        at = self._place_in_ring(f, key)
        parent, size = self._get(f, "parent"), f.call("i64", "size", context)
        self._fill_place(f, at, f.given("ptr", "t"), (key, f.given("i64", "way"), parent, size))
        f.line("ret void")
        return f.text()

    def _place_in_ring(self, f: Function, key: Value) -> Value:
        slot = self._get(f, "seen", "ptr").at(self._slot(f, key), "i64")
        f.line(f"call void @llvm.prefetch.p0(ptr {slot.text}, i32 0, i32 3, i32 1)")
        return self._add(f, "waiting", 1)

    def _fill_place(self, f: Function, at: Value, state: Value, numbers: tuple[Value, Value, Value, Value]) -> None:
        """``numbers`` are the key, the way, the parent, and how many states the class has."""
        for name, value in zip(("ring_keys", "ring_ways", "ring_parents", "ring_sizes"), numbers, strict=True):
            self.places.address(f, name).at(at, "i64").store(value)
        self._copy(f, self.places.address(f, "ring_states").at(at * self.places.padded), state)
        with f.where(at.compare("eq", RING - 1)):
            f.call("void", "drain", f.given("ptr", "c"))

    def _drain(self) -> str:
        """Of the states that wait, keep those that were not seen before: judge, number and remember them."""
        f = Function("internal void @drain(ptr %c) noinline")
        context, seen = f.given("ptr", "c"), self._get(f, "seen", "ptr")
        with f.each(0, self._get(f, "waiting")) as at:
            key = self.places.address(f, "ring_keys").at(at, "i64").load("i64")
            slot = f.variable("i64", 0)
            slot.store(self._slot(f, key))
            known, fresh = f.label(), f.label()
            with f.forever():
                place = seen.at(slot.load("i64"), "i64")
                there = place.load("i64")
                f.leave_if(there.compare("eq", key), known)
                f.leave_if(there.compare("eq", 0), fresh)
                slot.store(slot.load("i64") + 1 & self._get(f, "mask"))
            f.jump(known)  # never: the loop ends by its two jumps
            f.start(fresh)
            seen.at(slot.load("i64"), "i64").store(key)
            self._admit(f, context, at)
            f.jump(known)
            f.start(known)
        self._set(f, "waiting", 0)
        f.line("ret void")
        return f.text()

    def _admit(self, f: Function, context: Value, at: Value) -> None:
        """A new state: what is known of it, and what the laws about states say."""
        parent, way, size = (
            self.places.address(f, name).at(at, "i64").load("i64") for name in ("ring_parents", "ring_ways", "ring_sizes")
        )
        state = self.places.address(f, "ring_states").at(at * self.places.padded)
        law = f.call("i32", "judge_state", context, state)
        with f.where(law.compare("sge", 0) & self._get(f, "trouble").compare("eq", FINE)):
            self._set(f, "trouble", LAW_BROKEN)
            self._set(f, "trouble_law", law.to("i64"))
            self._set(f, "trouble_way", way)
            self._set(f, "trouble_parent", parent)
        self._copy(f, self._get(f, "next", "ptr").at(self._add(f, "next_count", 1) * self.places.padded), state)
        number = self._add(f, "classes", 1)
        self._get(f, "parents", "ptr").at(number, "i64").store(parent)
        self._get(f, "ways", "ptr").at(number, "i64").store(way)
        self._add(f, "states", size)

    def _root(self) -> str:
        """A state that a run may begin with."""
        f = Function("void @root(ptr %c, ptr %s, i64 %parent)")
        context, state = f.given("ptr", "c"), f.given("ptr", "s")
        self._set(f, "parent", f.given("i64", "parent"))
        f.call("void", "sums_of", context, state)
        f.call("void", self._onward, context, state, self._get(f, "key"), f.constant("i64", 0))
        f.call("void", "drain", context)
        f.line("ret void")
        return f.text()

    def _is_full(self, f: Function) -> Value:
        return self._get(f, "next_count").compare("ugt", self._get(f, "next_limit"))

    def _numbered(self, f: Function, at: Value) -> Value:
        """The number of a class that a parent is known by."""
        return at

    def _expand(self) -> str:
        """Every step from a state."""
        f = Function("internal void @expand(ptr %c, ptr %s)")
        for number, traced in enumerate(self.operations):
            with f.each(0, len(traced.arguments)) as at:
                self._attempt(f, number, at, f.given("ptr", "s"))
        f.line("ret void")
        return f.text()

    def _layer(self) -> str:
        """Every step from some states, until there is trouble or no more room; gives how many states were taken further."""
        f = Function("i64 @layer(ptr %c, ptr %states, i64 %count, i64 %first)")
        context = f.given("ptr", "c")
        with f.each(0, f.given("i64", "count")) as at:
            full = self._is_full(f)
            with f.where(full | self._get(f, "trouble").compare("ne", FINE)):
                f.call("void", "drain", context)
                f.returns(at)
            state = f.given("ptr", "states").at(at * self.places.padded)
            self._set(f, "parent", self._numbered(f, at + f.given("i64", "first")))
            f.call("void", "sums_of", context, state)
            f.call("void", "expand", context, state)
        f.call("void", "drain", context)
        f.line("ret i64 %count")
        return f.text()
