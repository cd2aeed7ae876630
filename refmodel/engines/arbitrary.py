"""Walks on arbitrary inputs: registers, accesses and memory of which nothing is said, and what a solver's model makes of them.

Memory is one array, so that tables may lie anywhere and map themselves. Helpers of a walk are summarised (``functions``).
"""

from __future__ import annotations

from typing import Any

import attrs
import z3

from refmodel.engines.symbolic import Symbolic
from refmodel.language.kinds import FlagKind, WordKind
from refmodel.language.opaque import Opaque, opaque, term_of
from refmodel.machine.x86 import ept_walk, guest_walk, legacy_walk
from refmodel.machine.x86.words import lacking

Term = Any
WORD, FLAG = WordKind(64), FlagKind()
GUEST_HELPERS = (
    guest_walk.canonical,
    guest_walk.reserved,
    guest_walk.allowed,
    guest_walk.key_denies,
    guest_walk.reason,
    guest_walk.flags_due,
)
LEGACY_HELPERS = (
    guest_walk.reserved,
    guest_walk.allowed,
    guest_walk.reason,
    guest_walk.flags_due,
    legacy_walk.reserved_of_4_mib,
    legacy_walk.selected,
)
EPT_HELPERS = (ept_walk.present, ept_walk.misconfigured, ept_walk.demand, ept_walk.permitted, ept_walk.there_were)
PHYSICAL_BITS = range(32, 53)
"""What MAXPHYADDR may be."""


def word(reading: Symbolic, name: str) -> Any:
    return opaque(reading, WORD, z3.BitVec(name, 64))


def flag(reading: Symbolic, name: str) -> Any:
    return opaque(reading, FLAG, z3.Bool(name))


def terms(record: Any) -> dict[str, Term]:
    """The fields of a record that are terms, by name."""
    return {name: value.term for name, value in attrs.asdict(record, recurse=False).items() if isinstance(value, Opaque)}


def arbitrary(reading: Symbolic, cls: type, prefix: str, **given: Any) -> Any:
    """A record whose fields are arbitrary words and flags, but for those given."""
    fields = {
        a.name: given[a.name] if a.name in given else (flag if a.type in (bool, "bool") else word)(reading, f"{prefix}.{a.name}")
        for a in attrs.fields(cls)
    }
    return cls(**fields)


def some_processor(beyond: Term) -> Term:
    """That a mask is that of the bits which a processor of some MAXPHYADDR lacks."""
    return z3.Or([beyond == lacking(bits) for bits in PHYSICAL_BITS])


class AnyMemory:
    """Arbitrary memory: one array, so tables may lie anywhere and map themselves. Keeps what was read and what was marked."""

    def __init__(self, reading: Symbolic, array: Term) -> None:
        self.reading, self.array = reading, array
        self.reads: list[Term] = []
        self.marks: list[tuple[Term, Term]] = []

    def read(self, address: Any) -> Any:
        at = term_of(self.reading, WORD, address)
        self.reads.append(at)
        return opaque(self.reading, WORD, z3.Select(self.array, at))

    def mark(self, address: Any, entry: Any, flags: Any) -> None:
        self.marks.append((term_of(self.reading, WORD, address), term_of(self.reading, WORD, flags)))

    def marked(self, address: Term, flags: Term) -> Term:
        """That one of these flags was set at this address."""
        return z3.Or([z3.BoolVal(False), *(z3.And(a == address, f & flags != 0) for a, f in self.marks)])

    def was_read(self, address: Term) -> Term:
        return z3.Or([z3.BoolVal(False), *(a == address for a in self.reads)])


class NarrowMemory(AnyMemory):
    """Arbitrary memory, of which entries of 4 bytes are read."""

    def read(self, address: Any) -> Any:
        return super().read(address) & 0xFFFFFFFF


class Values:
    """A model's values as ints and bools."""

    def __init__(self, model: z3.ModelRef) -> None:
        self.model = model

    def __call__(self, term: Any) -> Any:
        if not isinstance(term, z3.ExprRef):
            return term
        value = self.model.eval(term, model_completion=True)
        return z3.is_true(value) if z3.is_bool(value) else value.as_long()

    def record(self, record: Any) -> Any:
        """A record of terms as one of ints."""
        given = {a.name: getattr(record, a.name) for a in attrs.fields(type(record))}
        return type(record)(**{n: self(v.term) if isinstance(v, Opaque) else v for n, v in given.items()})

    def words(self, array: Term) -> Any:
        """An array as memory for the text on ints."""
        return _Words(self, array)


@attrs.frozen
class _Words:
    values: Values
    array: Term
    read: set[int] = attrs.field(factory=set)
    """The addresses that were asked for."""

    def get(self, address: int, default: int = 0) -> int:
        self.read.add(address)
        return int(self.values(z3.Select(self.array, z3.BitVecVal(address, 64))))


def plain(reading: Symbolic, value: Any) -> Term:
    """The term of a word."""
    return term_of(reading, WORD, value)
