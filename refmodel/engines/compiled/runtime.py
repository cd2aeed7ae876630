"""What every compiled design shares, as one text: keys of states, one layer of a search, random walks, and the end of each step.

``finish`` is called at the end of every path of every operation.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.engines.compiled.code import Function
from refmodel.engines.compiled.context import FINE, LAW_BROKEN, TOO_LARGE
from refmodel.engines.compiled.handing import Handing
from refmodel.engines.compiled.shared import COLLECTING, WALKING
from refmodel.engines.compiled.walks import Walks


@attrs.frozen
class Runtime(Handing, Walks):
    """The functions of one design."""

    def text(self) -> str:
        """The functions that do not depend on what the laws say."""
        parts = (
            self._declared,
            self._trouble,
            self._draw,
            self._sums_of,
            self._size,
            self._push,
            self._drain,
            self._finish,
            self._pick,
            self._collected,
            self._root,
            self._expand,
            self._layer,
            self._one,
            self._walk,
            self._walks,
            self._shape_of,
            self._shape_after,
            self._collect,
        )
        shared = (self._hand_over, self._take_in) if self.in_parts else ()
        return "\n".join(part() for part in (*parts, *shared))

    def judging(self) -> str:
        """The functions that say which law is broken."""
        return "\n".join(
            [
                _chain("judge_state", self.state_laws),
                self._judge_step(),
                self._judge_after(),
                *(_chain(f"judge_after{number}", laws) for number, laws in enumerate(self.after)),
            ]
        )

    def _declared(self) -> str:
        operations = [
            line
            for number, traced in enumerate(self.operations)
            for line in (
                f"declare void @operation{number}(ptr, ptr, ptr)",
                f"@arguments{number} = external constant [{max(len(traced.arguments) * len(traced.arguments[0]), 1)} x i8]",
            )
        ]
        return "\n".join(
            [
                *operations,
                "declare i32 @judge_state(ptr, ptr)",
                "declare i32 @judge_after(ptr, ptr, i64)",
                "declare i32 @judge_step(ptr, ptr, ptr, ptr, i32, i64)",
                "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
                "declare i64 @llvm.cttz.i64(i64, i1)",
                "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
                f"declare i64 @llvm.vector.reduce.umin.v{self.vector}i64(<{self.vector} x i64>)",
                f"declare i64 @llvm.vector.reduce.add.v{self.vector}i64(<{self.vector} x i64>)",
            ]
        )

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
                f.call("void", self._onward, context, scratch, key, f.given("i64", "way") << 16 | self._get(f, "instance"))
        f.line("ret void")
        return f.text()

    def _judge_step(self) -> str:
        """The number of a law about steps that a step breaks, or -1."""
        f = Function("i32 @judge_step(ptr %c, ptr %s, ptr %b, ptr %o, i32 %actor, i64 %type)")
        for type, laws in self.step_laws.items():
            with f.where(f.given("i64", "type").compare("eq", type)):
                _judge(f, laws, "ptr %c, ptr %s, ptr %b, ptr %o, i32 %actor")
                f.returns(f.constant("i32", -1))
        f.line("ret i32 -1")
        return f.text()

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

    def _judge_after(self) -> str:
        """The number of a law about states that an operation has broken, or -1."""
        f = Function("i32 @judge_after(ptr %c, ptr %s, i64 %op)")
        for number in range(len(self.operations)):
            with f.where(f.given("i64", "op").compare("eq", number)):
                f.returns(f.call("i32", f"judge_after{number}", f.given("ptr", "c"), f.given("ptr", "s")))
        f.line("ret i32 -1")
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
