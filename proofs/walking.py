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

from refmodel.engines.arbitrary import (
    EPT_HELPERS,
    FLAG,
    GUEST_HELPERS,
    LEGACY_HELPERS,
    PHYSICAL_BITS,
    WORD,
    AnyMemory,
    NarrowMemory,
    Values,
    arbitrary,
    flag,
    plain,
    some_processor,
    terms,
    word,
)
from refmodel.engines.functions import Path, explore
from refmodel.engines.questions import Solver
from refmodel.engines.symbolic import Symbolic

Term = Any
TIMEOUT = 60_000
"""Milliseconds for one question."""

AT, FLAGS = z3.BitVecs("at flags", 64)
"""An arbitrary address and arbitrary flags: what is shown of them is shown of all."""


@attrs.frozen
class Outcome:
    """A walk's end, the memory it was made in, and the second translations made of an address for a use."""

    end: Any
    memory: AnyMemory
    made: tuple[tuple[Term, tuple[Term, ...]], ...] = ()


def must_differ(value: Values, same_end: bool, memory: Any, declared: Any) -> None:
    """On ints too the text must end otherwise, set other flags or read other entries than is declared."""
    at, flags = value(AT), value(FLAGS)
    marked = any(address == at and bits & flags for address, bits in memory.marks)
    same_marks = marked == value(declared.marked(AT, FLAGS))
    same_reads = (at in memory.words.read) == value(declared.looked_at(AT))
    assert not (same_end and same_marks and same_reads), "the solver's counterexample is none on ints"


def same_translation(reading: Symbolic, end: Any, declared: Any) -> Term:
    """That a translation is the declared one, field by field."""
    return z3.And(
        plain(reading, end.physical) == declared.physical,
        declared.leaf_level == end.level,
        plain(reading, end.rights) == declared.rights,
        plain(reading, end.denied) == declared.denied_somewhere,
        plain(reading, end.entry) == declared.leaf_entry,
    )


def same_translation_on_ints(value: Values, end: Any, declared: Any) -> bool:
    """Whether a translation on ints is the declared one, with the values that a model gives the declared one."""
    return tuple(end) == tuple(
        map(value, (declared.physical, declared.leaf_level, declared.rights, declared.denied_somewhere, declared.leaf_entry))
    )


def paths(
    reading: Symbolic,
    run: Callable[[], Any],
    texts: Sequence[Callable[..., Any]],
    summarised: Sequence[Callable[..., Any]],
    **options: Any,
) -> list[Path]:
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
    return z3.And(
        [
            z3.BoolVal(True),
            *(z3.Implies(z3.And([z3.BoolVal(True), *o.conditions]), o.holds) for path in found for o in path.obligations),
        ]
    )


def on_every_path(found: Sequence[Path], says: Callable[[Path], Term]) -> Term:
    """That on each path, wherever it is taken, what is said of it holds; that some path is always taken; and that none parts."""
    taken = [z3.And([z3.BoolVal(True), *path.conditions]) for path in found]
    return z3.And(z3.Or(taken), obligations(found), *(z3.Implies(c, says(p)) for c, p in zip(taken, found, strict=True)))


def show(claim: Claim) -> None:
    """Prove a claim, after showing that its hypotheses can be met at all."""
    met = Solver(*claim.hypotheses, simple=False).check(says="the hypotheses contradict each other")
    assert met != z3.unsat, f"{_caller()}: the hypotheses contradict each other"
    solver = Solver(*claim.hypotheses, z3.Not(claim.goal), simple=False, timeout=TIMEOUT)
    answer = solver.check(says=_caller())
    if answer == z3.unknown:
        raise Undecided(f"{_caller()}: {solver.reason_unknown()}")
    if answer == z3.sat:
        model = solver.model()
        raise Refuted(claim.replay(model) if claim.replay else f"{_caller()} (the solver's model, not run on ints): {model}")


def reachable(found: Sequence[Path], hypotheses: Sequence[Term], kinds: Sequence[type]) -> None:
    """Assert that every kind of outcome can come about: a proof about outcomes that never come says nothing."""
    for kind in kinds:
        assert any(isinstance(p.result.end, kind) for p in found), f"no path ends in {kind.__name__}"
        solver = Solver(*hypotheses, simple=False)
        solver.add(z3.Or([z3.And([z3.BoolVal(True), *p.conditions]) for p in found if isinstance(p.result.end, kind)]))
        assert solver.check(says=f"no path ends in {kind.__name__}") == z3.sat, f"no path ends in {kind.__name__}"


def _caller() -> str:
    return inspect.stack()[2].function


__all__ = [
    "AT",
    "EPT_HELPERS",
    "FLAG",
    "FLAGS",
    "GUEST_HELPERS",
    "LEGACY_HELPERS",
    "PHYSICAL_BITS",
    "WORD",
    "AnyMemory",
    "Claim",
    "NarrowMemory",
    "Outcome",
    "Refuted",
    "Undecided",
    "Values",
    "arbitrary",
    "flag",
    "must_differ",
    "obligations",
    "on_every_path",
    "paths",
    "plain",
    "reachable",
    "same_translation",
    "same_translation_on_ints",
    "show",
    "some_processor",
    "terms",
    "word",
]
