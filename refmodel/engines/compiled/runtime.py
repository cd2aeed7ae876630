"""What every compiled design shares: keys of states, the table of those seen, one layer of a search, and random walks.

A state's key is the least sum of its facts' words under all renamings (``engines.symmetry``). The sums are kept while a state is
taken further, so that a step costs as much as it changes. ``finish`` is called at the end of every path of every operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs

from refmodel.engines.compiled.code import Function, Value
from refmodel.engines.compiled.context import FINE, LAW_BROKEN, RING, TOO_LARGE, Places
from refmodel.engines.compiled.trees import Traced

TRIES = 400
"""How many operations a walk tries before it begins again elsewhere."""
LANES = 64
"""Renamings that are summed at once."""
SHAPE_BITS = 20
"""Shapes that walks have seen are remembered by so many bits of a hash."""
EXPLORING, WALKING, COLLECTING = 0, 1, 2
"""What ``mode`` says."""
PICK = 4096
"""Weights of operations in a walk add up to less than this."""


@attrs.frozen
class Runtime:
    """The shape of a design's states, from which the functions are written."""

    places: Places
    renamings: int
    lanes: int
    """Renamings, filled up to whole vectors."""
    operations: Sequence[Traced]
    step_laws: Mapping[int, Sequence[tuple[int, str]]]
    """For each type of outcome, by its number, the laws that judge a step: their numbers and functions."""
    state_laws: Sequence[tuple[int, str]]
    after: Sequence[Sequence[tuple[int, str]]]
    """For each operation the laws about states that look at a table which it writes."""

    @property
    def vector(self) -> int:
        """Renamings in one vector."""
        return min(self.lanes, LANES)

    def text(self) -> str:
        """The functions that do not depend on what the laws say."""
        parts = (self._declared, self._trouble, self._draw, self._sums_of, self._size, self._push, self._drain, self._finish,
                 self._pick, self._collected, self._root, self._expand, self._layer, self._one, self._walk, self._walks,
                 self._shape_of, self._shape_after, self._collect)
        return "\n".join(part() for part in parts)

    def judging(self) -> str:
        """The functions that say which law is broken."""
        return "\n".join([_chain("judge_state", self.state_laws), self._judge_step(), self._judge_after(),
                          *(_chain(f"judge_after{number}", laws) for number, laws in enumerate(self.after))])

    def _declared(self) -> str:
        operations = [line for number, traced in enumerate(self.operations) for line in (
            f"declare void @operation{number}(ptr, ptr, ptr)",
            f"@arguments{number} = external constant [{max(len(traced.arguments) * len(traced.arguments[0]), 1)} x i8]")]
        return "\n".join([*operations, "declare i32 @judge_state(ptr, ptr)", "declare i32 @judge_after(ptr, ptr, i64)",
                          "declare i32 @judge_step(ptr, ptr, ptr, ptr, i32, i64)",
                          "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)", "declare i64 @llvm.cttz.i64(i64, i1)",
                          "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
                          f"declare i64 @llvm.vector.reduce.umin.v{self.vector}i64(<{self.vector} x i64>)",
                          f"declare i64 @llvm.vector.reduce.add.v{self.vector}i64(<{self.vector} x i64>)"])

    def _get(self, f: Function, name: str, type: str = "i64") -> Value:
        return self.places.get(f, name, type)

    def _set(self, f: Function, name: str, value: Value | int, type: str = "i64") -> None:
        self.places.set(f, name, value, type)

    def _add(self, f: Function, name: str, value: Value | int) -> Value:
        """Count a field up, and give what it was."""
        before = self._get(f, name)
        self._set(f, name, before + value)
        return before

    def _copy(self, f: Function, to: Value, of: Value) -> None:
        f.copy(to, of, self.places.padded)

    def _trouble(self) -> str:
        """Note what was found, if it is the first. A number that is too large is no matter in a walk."""
        f = Function("void @trouble(ptr %c, i64 %what, i64 %law, i64 %way) noinline")
        first = self._get(f, "trouble").compare("eq", FINE)
        passes = f.given("i64", "what").compare("eq", TOO_LARGE) & self._get(f, "mode").compare("eq", WALKING)
        with f.where(first & (passes ^ 1)):
            self._set(f, "trouble", f.given("i64", "what"))
            self._set(f, "trouble_law", f.given("i64", "law"))
            self._set(f, "trouble_way", f.given("i64", "way") << 16 | self._get(f, "instance"))
            self._set(f, "trouble_parent", self._get(f, "parent"))
        f.line("ret void")
        return f.text()

    def _draw(self) -> str:
        """A random number below another (xorshift of 64 bits, of which the upper half is used)."""
        f = Function("internal i64 @draw(ptr %c, i64 %below)")
        x = self._get(f, "random")
        for shift, left in ((13, True), (7, False), (17, True)):
            x = x ^ (x << shift if left else x >> shift)
        self._set(f, "random", x)
        f.line(f"ret i64 {((x >> 32) * f.given('i64', 'below') >> 32).text}")
        return f.text()

    # ------------------------------------------------------------ keys

    def _slot(self, f: Function, key: Value) -> Value:
        return (key * -7046029254386353131) >> 20 & self._get(f, "mask")

    def _lanes(self, f: Function, address: Value, at: Value) -> Value:
        return address.at(at, "i64").load(f"<{self.vector} x i64>", align=64)

    def _least(self, f: Function, vector: Value) -> Value:
        return f.call("i64", f"llvm.vector.reduce.umin.v{self.vector}i64", vector)

    def _row(self, f: Function, row: Value, code: Value) -> Value:
        """The words of one byte of a state that holds this."""
        offset = self._get(f, "offsets", "ptr").at(row, "i32").load("i32")
        return self._get(f, "words", "ptr").at((offset + code.to("i32", "sext")).to("i64", "sext") * self.lanes, "i64")

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

    # ------------------------------------------------------------ states seen

    def _push(self) -> str:
        """Let a state wait until the memory has come that says whether it was seen."""
        f = Function("internal void @push(ptr %c, ptr %t, i64 %key, i64 %way)")
        context, key = f.given("ptr", "c"), f.given("i64", "key")
        slot = self._get(f, "seen", "ptr").at(self._slot(f, key), "i64")
        f.line(f"call void @llvm.prefetch.p0(ptr {slot.text}, i32 0, i32 3, i32 1)")
        at = self._add(f, "waiting", 1)
        for name, value in (("ring_keys", key), ("ring_ways", f.given("i64", "way")), ("ring_parents", self._get(f, "parent")),
                            ("ring_sizes", f.call("i64", "size", context))):
            self.places.address(f, name).at(at, "i64").store(value)
        self._copy(f, self.places.address(f, "ring_states").at(at * self.places.padded), f.given("ptr", "t"))
        with f.where(at.compare("eq", RING - 1)):
            f.call("void", "drain", context)
        f.line("ret void")
        return f.text()

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
        parent, way, size = (self.places.address(f, name).at(at, "i64").load("i64")
                             for name in ("ring_parents", "ring_ways", "ring_sizes"))
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

    # ------------------------------------------------------------ the end of a step

    def _finish(self) -> str:
        """A step has been taken: from ``s``, to what is in ``scratch``."""
        f = Function("void @finish(ptr %c, ptr %s, i64 %op, i64 %type, i32 %actor, i64 %way) noinline")
        context, before, type = f.given("ptr", "c"), f.given("ptr", "s"), f.given("i64", "type")
        for mode, instead in ((WALKING, "pick"), (COLLECTING, "collected")):
            with f.where(self._get(f, "mode").compare("eq", mode)):
                f.call("void", instead, context, before, f.given("i64", "op"), type, f.given("i32", "actor"), f.given("i64", "way"))
                f.returns()
        self._add(f, "steps", 1)
        applied = self.places.address(f, "applied").at(f.given("i64", "op"), "i64")
        applied.store(applied.load("i64") + 1)
        scratch, shown = self.places.address(f, "scratch"), self.places.address(f, "outcome")
        law = f.call("i32", "judge_step", context, scratch, before, shown, f.given("i32", "actor"), type)
        with f.where(law.compare("sge", 0)):
            f.call("void", "trouble", context, f.constant("i64", LAW_BROKEN), law.to("i64"), f.given("i64", "way"))
        count = self._changed(f, before, scratch)
        with f.where(count.compare("ne", 0)):
            key = self._key_after(f, count)
            with f.where(key.compare("ne", self._get(f, "key"))):
                f.call("void", "push", context, scratch, key, f.given("i64", "way") << 16 | self._get(f, "instance"))
        f.line("ret void")
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

    def _judge_step(self) -> str:
        """The number of a law about steps that a step breaks, or -1."""
        f = Function("i32 @judge_step(ptr %c, ptr %s, ptr %b, ptr %o, i32 %actor, i64 %type)")
        for type, laws in self.step_laws.items():
            with f.where(f.given("i64", "type").compare("eq", type)):
                _judge(f, laws, "ptr %c, ptr %s, ptr %b, ptr %o, i32 %actor")
                f.returns(f.constant("i32", -1))
        f.line("ret i32 -1")
        return f.text()

    # ------------------------------------------------------------ one step, to be compared

    def _collected(self) -> str:
        """Keep how a step ended, and what the laws say of it: the state, what was returned, and four numbers."""
        f = Function("internal void @collected(ptr %c, ptr %s, i64 %op, i64 %type, i32 %actor, i64 %way)")
        context, scratch, shown = f.given("ptr", "c"), self.places.address(f, "scratch"), self.places.address(f, "outcome")
        at = self._add(f, "collected_count", 1)
        with f.where(at.compare("uge", self._get(f, "collected_limit"))):
            f.returns()
        entry = self._get(f, "collected", "ptr").at(at * self.places.entry)
        self._copy(f, entry, scratch)
        f.copy(entry.at(self.places.padded), shown, self.places.outcome)
        type, way = f.given("i64", "type"), f.given("i64", "way")
        step = f.call("i32", "judge_step", context, scratch, f.given("ptr", "s"), shown, f.given("i32", "actor"), type)
        after = f.call("i32", "judge_state", context, scratch)
        numbers = entry.at(self.places.padded + self.places.outcome)
        for i, number in enumerate((type, way, step.to("i64", "sext"), after.to("i64", "sext"))):
            numbers.at(i, "i64").store(number)
        f.line("ret void")
        return f.text()

    def _collect(self) -> str:
        """All ends of one operation with one row of arguments."""
        f = Function("void @collect(ptr %c, ptr %s, i64 %op, ptr %a)")
        for number in range(len(self.operations)):
            with f.where(f.given("i64", "op").compare("eq", number)):
                f.call("void", f"operation{number}", f.given("ptr", "c"), f.given("ptr", "s"), f.given("ptr", "a"))
                f.returns()
        f.line("ret void")
        return f.text()

    # ------------------------------------------------------------ exploring

    def _expand(self) -> str:
        """Every step from a state."""
        f = Function("internal void @expand(ptr %c, ptr %s)")
        for number, traced in enumerate(self.operations):
            width = len(traced.arguments[0])
            with f.each(0, len(traced.arguments)) as at:
                self._set(f, "instance", at + traced.first)
                arguments = f.constant("ptr", f"@arguments{number}").at(at * width)
                f.call("void", f"operation{number}", f.given("ptr", "c"), f.given("ptr", "s"), arguments)
        f.line("ret void")
        return f.text()

    def _root(self) -> str:
        """A state that a run may begin with."""
        f = Function("void @root(ptr %c, ptr %s, i64 %parent)")
        context, state = f.given("ptr", "c"), f.given("ptr", "s")
        self._set(f, "parent", f.given("i64", "parent"))
        f.call("void", "sums_of", context, state)
        f.call("void", "push", context, state, self._get(f, "key"), f.constant("i64", 0))
        f.call("void", "drain", context)
        f.line("ret void")
        return f.text()

    def _layer(self) -> str:
        """Every step from some states, until there is trouble or no more room; gives how many states were taken further."""
        f = Function("i64 @layer(ptr %c, ptr %states, i64 %count, i64 %first)")
        context = f.given("ptr", "c")
        with f.each(0, f.given("i64", "count")) as at:
            full = self._get(f, "next_count").compare("ugt", self._get(f, "next_limit"))
            with f.where(full | self._get(f, "trouble").compare("ne", FINE)):
                f.call("void", "drain", context)
                f.returns(at)
            state = f.given("ptr", "states").at(at * self.places.padded)
            self._set(f, "parent", at + f.given("i64", "first"))
            f.call("void", "sums_of", context, state)
            f.call("void", "expand", context, state)
        f.call("void", "drain", context)
        f.line("ret i64 %count")
        return f.text()

    # ------------------------------------------------------------ walking

    def _pick(self) -> str:
        """One of the ways in which an operation may end, each with the same chance."""
        f = Function("internal void @pick(ptr %c, ptr %s, i64 %op, i64 %type, i32 %actor, i64 %way)")
        count = self._add(f, "possible", 1) + 1
        with f.where(f.call("i64", "draw", f.given("ptr", "c"), count).compare("eq", 0)):
            self._copy(f, self.places.address(f, "picked"), self.places.address(f, "scratch"))
            f.copy(self.places.address(f, "picked_outcome"), self.places.address(f, "outcome"), self.places.outcome)
            self._set(f, "picked_operation", f.given("i64", "op"))
            self._set(f, "picked_type", f.given("i64", "type"))
            self._set(f, "picked_actor", f.given("i32", "actor").to("i64", "sext"))
            self._set(f, "picked_way", f.given("i64", "way") << 16 | self._get(f, "instance"))
        f.line("ret void")
        return f.text()

    def _one(self) -> str:
        """An operation with arguments drawn, from the state that a walk has come to."""
        f = Function("internal void @one(ptr %c, i64 %number)")
        for number, traced in enumerate(self.operations):
            with f.where(f.given("i64", "number").compare("eq", number)):
                at = f.call("i64", "draw", f.given("ptr", "c"), f.constant("i64", len(traced.arguments)))
                self._set(f, "instance", at + traced.first)
                arguments = f.constant("ptr", f"@arguments{number}").at(at * len(traced.arguments[0]))
                f.call("void", f"operation{number}", f.given("ptr", "c"), self.places.address(f, "current"), arguments)
                f.returns()
        f.line("ret void")
        return f.text()

    def _judge_after(self) -> str:
        """The number of a law about states that an operation has broken, or -1."""
        f = Function("i32 @judge_after(ptr %c, ptr %s, i64 %op)")
        for number in range(len(self.operations)):
            with f.where(f.given("i64", "op").compare("eq", number)):
                f.returns(f.call("i32", f"judge_after{number}", f.given("ptr", "c"), f.given("ptr", "s")))
        f.line("ret i32 -1")
        return f.text()

    def _walk(self) -> str:
        """A run of some steps from ``current``, every law after every step; ``log`` holds what was done. Gives their number."""
        f = Function("internal i64 @walk(ptr %c, i64 %length)")
        context = f.given("ptr", "c")
        with f.each(0, f.given("i64", "length")) as step:
            self._set(f, "parent", step)
            stuck, found = f.label(), f.label()
            with f.each(0, TRIES):
                self._set(f, "possible", 0)
                f.call("void", "one", context, self._weighed(f, context))
                f.leave_if((self._get(f, "possible") | self._get(f, "trouble")).compare("ne", 0), found)
            f.jump(stuck)
            f.start(stuck)
            f.returns(step)
            f.jump(found)
            f.start(found)
            with f.where(self._get(f, "trouble").compare("ne", FINE)):
                self._get(f, "log", "ptr").at(step, "i64").store(self._get(f, "trouble_way"))
                f.returns(step + 1)
            self._take(f, context, step)
        f.line("ret i64 %length")
        return f.text()

    def _walks(self) -> str:
        """Runs from states drawn among those that they may start from, until there is trouble, a step that has seldom been taken,
        or a state of a shape that was not seen before. Gives the number of steps."""
        f = Function("i64 @walks(ptr %c, i64 %runs, i64 %length)")
        context, total = f.given("ptr", "c"), f.variable("i64", 0)
        with f.each(0, f.given("i64", "runs")):
            start = f.call("i64", "draw", context, self._get(f, "starts_count"))
            self._set(f, "start", start)
            self._add(f, "runs", 1)
            self._copy(f, self.places.address(f, "current"), self._get(f, "starts", "ptr").at(start * self.places.padded))
            f.call("void", "shape_of", context)
            taken = f.call("i64", "walk", context, f.given("i64", "length"))
            total.store(total.load("i64") + taken)
            self._set(f, "logged", taken)
            with f.where((self._get(f, "trouble") | self._get(f, "novel")).compare("ne", 0)):
                f.returns(total.load("i64"))
        f.line(f"ret i64 {total.load('i64').text}")
        return f.text()

    def _weighed(self, f: Function, context: Value) -> Value:
        """The number of an operation, by weight: a table says which operation each number below the total means."""
        drawn = f.call("i64", "draw", context, self._get(f, "total_weight"))
        return self._get(f, "weights", "ptr").at(drawn, "i16").load("i16").to("i64")

    def _take(self, f: Function, context: Value, step: Value) -> None:
        """Judge the step that was picked, and go on from where it leads."""
        picked, op = self.places.address(f, "picked"), self._get(f, "picked_operation")
        way = self._get(f, "picked_way")
        self._get(f, "log", "ptr").at(step, "i64").store(way)
        applied = self.places.address(f, "applied").at(op, "i64")
        before = applied.load("i64")
        applied.store(before + 1)
        laws: list[Callable[[], Value]] = [
            lambda: f.call("i32", "judge_step", context, picked, self.places.address(f, "current"),
                           self.places.address(f, "picked_outcome"), self._get(f, "picked_actor").to("i32", "trunc"),
                           self._get(f, "picked_type")),
            lambda: f.call("i32", "judge_after", context, picked, op)]
        for judge in laws:
            law = judge()
            with f.where(law.compare("sge", 0)):
                self._set(f, "trouble", LAW_BROKEN)
                self._set(f, "trouble_law", law.to("i64"))
                f.returns(step + 1)
        f.call("void", "shape_after", context)
        self._copy(f, self.places.address(f, "current"), picked)
        with f.where(before.compare("ult", self._get(f, "seldom"))):
            self._set(f, "novel", 1)
        with f.where(self._get(f, "novel").compare("ne", 0)):
            f.returns(step + 1)

    def _word(self, f: Function, row: Value, code: Value) -> Value:
        """What one byte of a state adds to its shape."""
        offset = self._get(f, "offsets", "ptr").at(row, "i32").load("i32")
        return self._get(f, "shape_words", "ptr").at((offset + code.to("i32", "sext")).to("i64", "sext"), "i64").load("i64")

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
        mixed = self._get(f, "shape") * -7046029254386353131 >> 64 - SHAPE_BITS
        seen = self._get(f, "shapes_seen", "ptr").at(mixed)
        with f.where(seen.load("i8").compare("eq", 0)):
            seen.store(1, "i8")
            self._set(f, "novel", 1)
        f.line("ret void")
        return f.text()


def _judge(f: Function, laws: Sequence[tuple[int, str]], given: str) -> None:
    """Return the number of the first of these laws that is broken."""
    for number, name in laws:
        with f.where(f.make("i1", f"call i1 @{name}({given})")):
            f.returns(f.constant("i32", number))


def _chain(name: str, laws: Sequence[tuple[int, str]]) -> str:
    """The number of a law about states that a state breaks, or -1."""
    f = Function(f"i32 @{name}(ptr %c, ptr %s)")
    _judge(f, laws, "ptr %c, ptr %s, ptr %s, ptr %s, i32 -1")
    f.line("ret i32 -1")
    return f.text()


__all__ = ["COLLECTING", "EXPLORING", "PICK", "SHAPE_BITS", "WALKING", "Runtime"]
