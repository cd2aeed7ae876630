"""Random walks, written in LLVM's language: every law after every step, weighted to what has seldom been seen."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from refmodel.engines.compiled.code import Function, Value
from refmodel.engines.compiled.context import FINE, LAW_BROKEN
from refmodel.engines.compiled.keys import Keys

TRIES = 400
"""How many operations a walk tries before it begins again elsewhere."""
PICK = 4096
"""Weights of operations in a walk add up to less than this."""


@attrs.frozen
class Walks(Keys):
    """A step that is drawn, and walks of many."""

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
                self._attempt(f, number, at, self.places.address(f, "current"))
                f.returns()
        f.line("ret void")
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
            lambda: f.call(
                "i32",
                "judge_step",
                context,
                picked,
                self.places.address(f, "current"),
                self.places.address(f, "picked_outcome"),
                self._get(f, "picked_actor").to("i32", "trunc"),
                self._get(f, "picked_type"),
            ),
            lambda: f.call("i32", "judge_after", context, picked, op),
        ]
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
