"""What the proofs about walks share: arbitrary registers and memory, and asking the solver whether text and statement agree.

A counterexample to a walk's being as declared is not shown before it has been run: the solver's registers and memory are put
through the text on ints, and the outcome must be one that the statement does not allow. One to another claim is said to be the
solver's only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.functions import Path, explore
from refmodel.engines.symbolic import Symbolic
from refmodel.language.kinds import FlagKind, WordKind
from refmodel.language.opaque import Opaque, opaque, term_of
from refmodel.machine import ept_walk, guest_walk
from refmodel.machine.words import lacking

Term = Any
WORD, FLAG = WordKind(64), FlagKind()
TIMEOUT = 60_000
"""Milliseconds for one question."""

GUEST_HELPERS = (guest_walk.canonical, guest_walk.reserved, guest_walk.allowed, guest_walk.key_denies, guest_walk.reason,
                 guest_walk.flags_due)
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
    fields = {a.name: given[a.name] if a.name in given
              else (flag if a.type in (bool, "bool") else word)(reading, f"{prefix}.{a.name}") for a in attrs.fields(cls)}
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


AT, FLAGS = z3.BitVecs("at flags", 64)
"""An arbitrary address and arbitrary flags: what is shown of them is shown of all."""


@attrs.frozen
class Outcome:
    """A walk's end, the memory it was made in, and the second translations made of an address for a use."""

    end: Any
    memory: AnyMemory
    made: tuple[tuple[Term, tuple[Term, ...]], ...] = ()


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


def must_differ(value: Values, same_end: bool, memory: Any, declared: Any) -> None:
    """On ints too the text must end otherwise, set other flags or read other entries than is declared."""
    at, flags = value(AT), value(FLAGS)
    marked = any(address == at and bits & flags for address, bits in memory.marks)
    same_marks = marked == value(declared.marked(AT, FLAGS))
    same_reads = (at in memory.words.read) == value(declared.looked_at(AT))
    assert not (same_end and same_marks and same_reads), "the solver's counterexample is none on ints"


def plain(reading: Symbolic, value: Any) -> Term:
    """The term of a word."""
    return term_of(reading, WORD, value)


def paths(reading: Symbolic, run: Callable[[], Any], texts: Sequence[Callable[..., Any]], summarised: Sequence[Callable[..., Any]],
          **options: Any) -> list[Path]:
    """Every path of a walk, with what it must not do proved impossible."""
    found = list(explore(reading, run, texts, summarised=summarised, **options))
    assert len(found) > 1, "a walk that has one way to go is none"
    return found


@attrs.frozen
class Claim:
    """What is to be shown, under which hypotheses."""

    hypotheses: tuple[Term, ...]
    goal: Term
    replay: Callable[[z3.ModelRef], str] | None = None
    """Puts a counterexample through the text on ints and tells what came of it; raises AssertionError if that is not what the
    solver says."""


class Refuted(AssertionError):
    """A theorem is false: here is a counterexample, and whether it has been run."""


class Undecided(AssertionError):
    """The solver could not tell."""


def obligations(found: Sequence[Path]) -> Term:
    """That on no path ints and terms part."""
    return z3.And([z3.BoolVal(True), *(z3.Implies(z3.And([z3.BoolVal(True), *o.conditions]), o.holds)
                                       for path in found for o in path.obligations)])


def on_every_path(found: Sequence[Path], says: Callable[[Path], Term]) -> Term:
    """That on each path, wherever it is taken, what is said of it holds; that some path is always taken; and that none parts."""
    taken = [z3.And([z3.BoolVal(True), *path.conditions]) for path in found]
    return z3.And(z3.Or(taken), obligations(found), *(z3.Implies(c, says(p)) for c, p in zip(taken, found, strict=True)))


def show(claim: Claim) -> None:
    """Prove a claim, after showing that its hypotheses can be met at all."""
    assert z3.Solver().check(*claim.hypotheses) != z3.unsat, f"{_caller()}: the hypotheses contradict each other"
    solver = z3.Solver()
    solver.set("timeout", TIMEOUT)
    solver.add(*claim.hypotheses, z3.Not(claim.goal))
    answer = solver.check()
    if answer == z3.unknown:
        raise Undecided(f"{_caller()}: {solver.reason_unknown()}")
    if answer == z3.sat:
        model = solver.model()
        raise Refuted(claim.replay(model) if claim.replay else f"{_caller()} (the solver's model, not run on ints): {model}")


def reachable(found: Sequence[Path], hypotheses: Sequence[Term], kinds: Sequence[type]) -> None:
    """Assert that every kind of outcome can come about: a proof about outcomes that never come says nothing."""
    for kind in kinds:
        assert any(isinstance(p.result.end, kind) for p in found), f"no path ends in {kind.__name__}"
        solver = z3.Solver()
        solver.add(*hypotheses, z3.Or([z3.And([z3.BoolVal(True), *p.conditions]) for p in found if isinstance(p.result.end, kind)]))
        assert solver.check() == z3.sat, f"no path ends in {kind.__name__}"


def _caller() -> str:
    return inspect.stack()[2].function
