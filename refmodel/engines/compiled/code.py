"""LLVM's language, as text: values with Python's operators, blocks with Python's ``with``.

Only what the functions of this package need is here. A variable is a place on the stack, which LLVM's passes turn into registers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

Number = int
"""A constant, wherever a value may stand."""


@attrs.frozen
class Value:
    """A value of a function under way, of one of LLVM's types."""

    function: Function
    type: str
    text: str

    def _with(self, operation: str, other: Value | Number) -> Value:
        return self.function.make(self.type, f"{operation} {self.type} {self.text}, {_text(other)}")

    def __add__(self, other: Value | Number) -> Value:
        return self._with("add", other)

    def __sub__(self, other: Value | Number) -> Value:
        return self._with("sub", other)

    def __mul__(self, other: Value | Number) -> Value:
        return self._with("mul", other)

    def __and__(self, other: Value | Number) -> Value:
        return self._with("and", other)

    def __or__(self, other: Value | Number) -> Value:
        return self._with("or", other)

    def __xor__(self, other: Value | Number) -> Value:
        return self._with("xor", other)

    def __lshift__(self, other: Value | Number) -> Value:
        return self._with("shl", other)

    def __rshift__(self, other: Value | Number) -> Value:
        return self._with("lshr", other)

    def over(self, other: Value | Number) -> Value:
        """Divided by another, without signs."""
        return self._with("udiv", other)

    def compare(self, how: str, other: Value | Number) -> Value:
        """``eq``, ``ne``, ``ult``, ``slt`` and so on."""
        kind = self.type.replace("i64", "i1").replace("i32", "i1").replace("i8", "i1") if "x" in self.type else "i1"
        return self.function.make(kind, f"icmp {how} {self.type} {self.text}, {_text(other)}")

    def to(self, type: str, how: str = "zext") -> Value:
        """This value as another type: ``zext``, ``sext``, ``trunc`` or ``bitcast``."""
        return self if type == self.type else self.function.make(type, f"{how} {self.type} {self.text} to {type}")

    def at(self, index: Value | Number, type: str = "i8") -> Value:
        """The address so many elements of a type further."""
        shown = f"i64 {index}" if isinstance(index, int) else f"{index.type} {index.text}"
        return self.function.make("ptr", f"getelementptr {type}, ptr {self.text}, {shown}")

    def load(self, type: str, align: int = 0) -> Value:
        return self.function.make(type, f"load {type}, ptr {self.text}{f', align {align}' if align else ''}")

    def store(self, value: Value | Number, type: str = "i64", align: int = 0) -> None:
        shown = f"{type} {value}" if isinstance(value, int) else f"{value.type} {value.text}"
        self.function.line(f"store {shown}, ptr {self.text}{f', align {align}' if align else ''}")


def _text(value: Value | Number) -> str:
    return str(value) if isinstance(value, int) else value.text


class Function:
    """A function being written."""

    def __init__(self, head: str) -> None:
        self.head = head
        self.lines: list[str] = []
        self._places: list[str] = []
        self._numbers = itertools.count()

    def text(self) -> str:
        return "\n".join([f"define {self.head} {{", "entry:", *self._places, *self.lines, "}"])

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def make(self, type: str, expression: str) -> Value:
        name = f"%v{next(self._numbers)}"
        self.lines.append(f"  {name} = {expression}")
        return Value(self, type, name)

    def given(self, type: str, name: str) -> Value:
        """A parameter."""
        return Value(self, type, f"%{name}")

    def constant(self, type: str, text: str | int) -> Value:
        return Value(self, type, str(text))

    def variable(self, type: str, first: Value | Number | str) -> Value:
        """The address of a local variable."""
        name = f"%v{next(self._numbers)}"
        self._places.append(f"  {name} = alloca {type}")
        place = Value(self, "ptr", name)
        self.line(f"store {type} {first if isinstance(first, str) else _text(first)}, ptr {name}")
        return place

    def call(self, type: str, name: str, *given: Value) -> Value:
        arguments = ", ".join(f"{value.type} {value.text}" for value in given)
        if type == "void":
            self.line(f"call void @{name}({arguments})")
            return Value(self, "void", "")
        return self.make(type, f"call {type} @{name}({arguments})")

    def copy(self, to: Value, of: Value, size: int) -> None:
        """Copy so many bytes, between places where vectors may begin."""
        self.line(f"call void @llvm.memcpy.p0.p0.i64(ptr align 64 {to.text}, ptr align 64 {of.text}, i64 {size}, i1 false)")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        return self.make(a.type, f"select i1 {condition.text}, {a.type} {a.text}, {b.type} {b.text}")

    def returns(self, value: Value | None = None) -> None:
        """Return from here; what follows in the same block is never reached."""
        self.line("ret void" if value is None else f"ret {value.type} {value.text}")
        self.start(self.label())

    def label(self) -> str:
        return f"L{next(self._numbers)}"

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        self.line(f"br label %{label}")

    def branch(self, condition: Value, yes: str, no: str) -> None:
        self.line(f"br i1 {condition.text}, label %{yes}, label %{no}")

    @contextmanager
    def where(self, condition: Value) -> Iterator[None]:
        """Do this if the condition holds."""
        yes, after = self.label(), self.label()
        self.branch(condition, yes, after)
        self.start(yes)
        yield
        self.jump(after)
        self.start(after)

    @contextmanager
    def each(self, first: Value | Number, end: Value | Number, step: int = 1) -> Iterator[Value]:
        """Do this for every number from one to another, which is left out."""
        place = self.variable("i64", first)
        head, body, after = self.label(), self.label(), self.label()
        self.jump(head)
        self.start(head)
        at = place.load("i64")
        self.branch(at.compare("ult", end), body, after)
        self.start(body)
        yield at
        place.store(at + step)
        self.jump(head)
        self.start(after)

    @contextmanager
    def forever(self) -> Iterator[str]:
        """Do this again and again; a jump to what is handed over ends it."""
        head, after = self.label(), self.label()
        self.jump(head)
        self.start(head)
        yield after
        self.jump(head)
        self.start(after)

    def leave_if(self, condition: Value, loop: str) -> None:
        """End a loop here if the condition holds."""
        on = self.label()
        self.branch(condition, loop, on)
        self.start(on)


__all__ = ["Function", "Value"]
