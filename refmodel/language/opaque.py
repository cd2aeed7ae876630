"""Values that stand for many ints at once: all of them (solver terms), or a column of them (arrays).

A text meets them wherever it would meet an int, a flag or an enum member, and behaves as Python's own values do, or
raises ``Unsound``. What a term is, and how two are compared, is the reading's business; what Python may do
with one is decided here, once, for every reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

import attrs

from refmodel.language.kinds import EnumKind, FlagKind, NameKind, NaturalKind, Scalar, WordKind
from refmodel.language.unsound import Unsound


class Reading(Protocol):
    """What the values need to know of the reading that they belong to."""

    def decide(self, term: Any) -> bool: ...
    def required(self, term: Any) -> None: ...
    def must(self, term: Any, why: str) -> None: ...
    def constant(self, kind: Scalar, value: Any) -> Any: ...
    def equal(self, a: Any, b: Any) -> Any: ...
    def both(self, a: Any, b: Any) -> Any: ...
    def either(self, a: Any, b: Any) -> Any: ...
    def negated(self, a: Any) -> Any: ...
    def below(self, kind: Scalar, a: Any, b: Any) -> Any: ...
    def arithmetic(self, operator: str, kind: Scalar, a: Any, b: Any) -> tuple[Any, Any]: ...
    def bitwise(self, operator: str, kind: Scalar, a: Any, b: Any) -> Any: ...
    def premise(self, term: Any) -> None: ...
    def looked_at(self, operand: Callable[[], Any], assuming: Any) -> Any: ...


def _refuse(what: str) -> Any:
    def refusal(self: Any, *_: Any) -> NoReturn:
        raise Unsound(f"{what} of a {self.noun} that stands for many values")

    return refusal


class Opaque:
    """Base: everything is refused that is not allowed below."""

    __slots__ = ("kind", "reading", "term")
    noun = "value"

    def __init__(self, reading: Reading, kind: Scalar, term: Any) -> None:
        self.reading, self.kind, self.term = reading, kind, term

    def __repr__(self) -> str:
        return f"<{self.noun} {self.term}>"

    __hash__ = _refuse("the hash (as a set member or dict key)")
    __bool__ = _refuse("the truth")
    __int__ = _refuse("int()")
    __index__ = _refuse("the use as an index (or in range)")
    __float__ = _refuse("float()")
    __complex__ = _refuse("complex()")
    __str__ = _refuse("str()")
    __format__ = _refuse("formatting")
    __bytes__ = _refuse("bytes()")
    __iter__ = _refuse("iteration")
    __len__ = _refuse("len()")
    __contains__ = _refuse("membership in")
    __getitem__ = _refuse("indexing")
    __reduce_ex__ = _refuse("copying or pickling")
    __call__ = _refuse("calling")
    __neg__ = _refuse("unary minus")
    __pos__ = _refuse("unary plus")
    __abs__ = _refuse("abs()")
    __round__ = _refuse("round()")
    __invert__ = _refuse("~")
    __add__ = __radd__ = _refuse("+")
    __sub__ = __rsub__ = _refuse("-")
    __mul__ = __rmul__ = _refuse("*")
    __truediv__ = __rtruediv__ = _refuse("/")
    __floordiv__ = __rfloordiv__ = _refuse("//")
    __mod__ = __rmod__ = _refuse("%")
    __divmod__ = __rdivmod__ = _refuse("divmod()")
    __pow__ = __rpow__ = _refuse("**")
    __lshift__ = __rlshift__ = _refuse("<<")
    __rshift__ = __rrshift__ = _refuse(">>")
    __and__ = __rand__ = _refuse("&")
    __or__ = __ror__ = _refuse("|")
    __xor__ = __rxor__ = _refuse("^")
    __lt__ = _refuse("<")
    __le__ = _refuse("<=")
    __gt__ = _refuse(">")
    __ge__ = _refuse(">=")

    def _lift(self, other: Any) -> Any:
        """The term of the other operand, which must be of the same kind."""
        if isinstance(other, Opaque):
            if other.kind == self.kind:
                return other.term
            raise Unsound(f"a {self._sort()} meets a {other._sort()}")
        return self.reading.constant(self.kind, other)

    def _sort(self) -> str:
        return self.kind.sort if isinstance(self.kind, NameKind) else self.noun

    def _flag(self, term: Any) -> Flag:
        return Flag(self.reading, FlagKind(), term)

    def __eq__(self, other: object) -> Flag:  # type: ignore[override]
        return self._flag(self.reading.equal(self.term, self._lift(other)))

    def __ne__(self, other: object) -> Flag:  # type: ignore[override]
        return self._flag(self.reading.negated(self.reading.equal(self.term, self._lift(other))))


class Flag(Opaque):
    """A truth value. Testing it forks the run."""

    __slots__ = ()
    noun = "flag"

    def __bool__(self) -> bool:
        return self.reading.decide(self.term)

    def required(self) -> None:
        """Go on only where it holds."""
        self.reading.required(self.term)

    def denied(self) -> Flag:
        """Not this."""
        return self._flag(self.reading.negated(self.term))

    def told(self) -> None:
        """This is a premise of which it is measured whether it is met."""
        self.reading.premise(self.term)

    def implies(self, conclusion: Any) -> Flag:
        """Not this, or else the conclusion."""
        return self._flag(self.reading.either(self.reading.negated(self.term), self._lift(conclusion)))

    def __and__(self, other: Any) -> Flag:
        return self._flag(self.reading.both(self.term, self._lift(other)))

    def __or__(self, other: Any) -> Flag:
        return self._flag(self.reading.either(self.term, self._lift(other)))

    __rand__, __ror__ = __and__, __or__

    def __xor__(self, other: Any) -> Flag:
        return self._flag(self.reading.negated(self.reading.equal(self.term, self._lift(other))))

    __rxor__ = __xor__
    __hash__ = Opaque.__hash__


class OpaqueName(Opaque):
    """A name: equality and nothing else."""

    __slots__ = ()
    noun = "name"
    __hash__ = Opaque.__hash__


class OpaqueEnum(Opaque):
    """An enum member: equality and nothing else."""

    __slots__ = ()
    noun = "enum member"
    __hash__ = Opaque.__hash__


class _Number(Opaque):
    """What words and naturals have in common: order, and arithmetic that must not leave the kind."""

    __slots__ = ()
    said = ""
    """The kind that a result has to be of, in words."""

    def __bool__(self) -> bool:
        return bool(self != 0)

    def required(self) -> None:
        """Go on only where it is not zero."""
        (self != 0).required()

    def __lt__(self, other: Any) -> Flag:
        return self._flag(self.reading.below(self.kind, self.term, self._lift(other)))

    def __gt__(self, other: Any) -> Flag:
        return self._flag(self.reading.below(self.kind, self._lift(other), self.term))

    def __le__(self, other: Any) -> Flag:
        return self._flag(self.reading.negated(self.reading.below(self.kind, self._lift(other), self.term)))

    def __ge__(self, other: Any) -> Flag:
        return self._flag(self.reading.negated(self.reading.below(self.kind, self.term, self._lift(other))))

    def _arithmetic(self, operator: str, a: Any, b: Any) -> Any:
        term, sound = self.reading.arithmetic(operator, self.kind, a, b)
        if sound is not None:
            divides = operator in ("//", "%")
            why = f"what {operator} divides by may be 0" if divides else f"the result of {operator} may be no {self.said}"
            self.reading.must(sound, why)
        return type(self)(self.reading, self.kind, term)

    def __add__(self, other: Any) -> Any:
        return self._arithmetic("+", self.term, self._lift(other))

    def __sub__(self, other: Any) -> Any:
        return self._arithmetic("-", self.term, self._lift(other))

    def __rsub__(self, other: Any) -> Any:
        return self._arithmetic("-", self._lift(other), self.term)

    __radd__ = __add__
    __hash__ = Opaque.__hash__


class OpaqueNatural(_Number):
    __slots__ = ()
    noun = "count"
    said = "natural number, which is at least 0"
    __hash__ = Opaque.__hash__


class OpaqueWord(_Number):
    """An unsigned word. Arithmetic that would overflow, and shifts that would lose bits, are refused."""

    __slots__ = ()
    noun = "word"
    said = "word of this width"

    def __mul__(self, other: Any) -> Any:
        return self._arithmetic("*", self.term, self._lift(other))

    def __floordiv__(self, other: Any) -> Any:
        return self._arithmetic("//", self.term, self._lift(other))

    def __rfloordiv__(self, other: Any) -> Any:
        return self._arithmetic("//", self._lift(other), self.term)

    def __mod__(self, other: Any) -> Any:
        return self._arithmetic("%", self.term, self._lift(other))

    def __rmod__(self, other: Any) -> Any:
        return self._arithmetic("%", self._lift(other), self.term)

    def __lshift__(self, other: Any) -> Any:
        return self._arithmetic("<<", self.term, self._lift(other))

    def __rshift__(self, other: Any) -> Any:
        return self._bits(">>", self._lift(other))

    def __rrshift__(self, other: Any) -> Any:
        return type(self)(self.reading, self.kind, self.reading.bitwise(">>", self.kind, self._lift(other), self.term))

    def __rlshift__(self, other: Any) -> Any:
        return self._arithmetic("<<", self._lift(other), self.term)

    def __and__(self, other: Any) -> Any:
        if isinstance(other, int) and other < 0:  # a mask such as ~0xfff: its upper ones are the word's own bits
            other &= (1 << self.kind.width) - 1  # type: ignore[attr-defined]
        return other & self if isinstance(other, Complement) else self._bits("&", self._lift(other))

    def __or__(self, other: Any) -> Any:
        return self._bits("|", self._lift(other))

    def __xor__(self, other: Any) -> Any:
        return self._bits("^", self._lift(other))

    def __invert__(self) -> Complement:
        return Complement(self)

    def _bits(self, operator: str, other: Any) -> OpaqueWord:
        return type(self)(self.reading, self.kind, self.reading.bitwise(operator, self.kind, self.term, other))

    __rmul__, __rand__, __ror__, __rxor__ = __mul__, __and__, __or__, __xor__
    __hash__ = Opaque.__hash__


class Complement:
    """``~w``: on ints it is negative, so all that may be done with it is to mask a word."""

    __slots__ = ("word",)

    def __init__(self, word: OpaqueWord) -> None:
        self.word = word

    def __and__(self, other: Any) -> OpaqueWord:
        word = self.word
        term = word.reading.bitwise("&~", word.kind, word._lift(other), word.term)
        return OpaqueWord(word.reading, word.kind, term)

    __rand__ = __and__

    def _refused(self, *_: Any) -> NoReturn:
        raise Unsound("~ of a word other than as a mask")

    __bool__ = __index__ = __int__ = __str__ = _refused
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refused
    __add__ = __radd__ = __sub__ = __rsub__ = __or__ = __ror__ = __xor__ = __rxor__ = _refused
    __lshift__ = __rshift__ = __mul__ = __rmul__ = _refused
    __hash__ = _refused


_CLASSES: dict[type[Scalar], type[Opaque]] = {
    FlagKind: Flag,
    NameKind: OpaqueName,
    EnumKind: OpaqueEnum,
    NaturalKind: OpaqueNatural,
    WordKind: OpaqueWord,
}


def opaque(reading: Reading, kind: Scalar, term: Any) -> Opaque:
    """A term as a value of its kind."""
    return _CLASSES[type(kind)](reading, kind, term)


def asking(reading: Reading, value: Any) -> Any:
    """A copy of a value, a scalar or a record, whose questions go to this reading."""
    if isinstance(value, Opaque):
        return opaque(reading, value.kind, value.term)
    if attrs.has(type(value)):
        return attrs.evolve(value, **{a.name: asking(reading, getattr(value, a.name)) for a in attrs.fields(type(value)) if a.init})
    return value


def term_of(reading: Reading, kind: Scalar, value: Any) -> Any:
    """The term of a value that a text computed, opaque or not."""
    if isinstance(value, Opaque):
        if value.kind != kind:
            raise Unsound(f"a {value._sort()} stands where a {kind} is expected")
        return value.term
    return reading.constant(kind, value)


def check_constant(kind: Scalar, value: Any) -> None:
    """Refuse a constant that is no value of its kind."""
    if isinstance(kind, FlagKind):
        good = isinstance(value, bool)
    elif isinstance(kind, EnumKind):
        good = isinstance(value, kind.cls)
    elif isinstance(kind, WordKind):
        good = type(value) is int and 0 <= value < 1 << kind.width
    elif isinstance(kind, NaturalKind):
        good = type(value) is int and value >= 0
    else:
        good = type(value) is int
    if not good:
        raise Unsound(f"{value!r} is no value of {kind}")
