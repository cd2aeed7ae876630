"""The record of a RISC-V leaf says what the bits say, and the G-stage's walk lets through what the record does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

from proofs.declared.words import bit, every, some, zero
from proofs.riscv.walk import SCHEMES, StageWalk
from proofs.walking import Claim, obligations, on_every_path, plain, show, word
from refmodel.engines.functions import Path, explore
from refmodel.engines.symbolic import Symbolic
from refmodel.language.kinds import FlagKind
from refmodel.language.opaque import term_of
from refmodel.machine import cells
from refmodel.machine.riscv import leaf as text
from refmodel.machine.riscv.words import PPN, Translation

Term = Any
BITS = {"present": 0, "readable": 1, "writable": 2, "executable": 3, "user": 4, "accessed": 6, "dirty": 7}


def a_leaf_says_what_the_bits_say() -> None:
    """Shown for each field and every word."""
    reading = Symbolic(prune=False)
    entry = word(reading, "entry")
    found = list(explore(reading, lambda: text.leaf_of(entry), [text.leaf_of]))

    def same(path: Path) -> Term:
        fields = (term_of(reading, FlagKind(), getattr(path.result, name)) == bit(entry.term, at) for name, at in BITS.items())
        return every([plain(reading, path.result.mfn) == entry.term & z3.BitVecVal(PPN, 64), *fields])

    assert found
    show(Claim((), on_every_path(found, same)))


def walking_bits_is_asking_the_leaf(scheme: str) -> None:
    """Upper entries are valid pointers, reserved bits are clear, and MXR is clear. Then an explicit load, store or fetch completes
    through a 4 KiB leaf if and only if the decoded leaf permits it and has its A and D flags set, unless the hart sets them. The
    access reaches the leaf's frame."""
    walk = StageWalk(SCHEMES[scheme])
    declared, access, stage = walk.declared, walk.access_terms, walk.stage_terms
    upper = [z3.And(declared.good[n], z3.Not(declared.leaf[n])) for n in declared.entry if n > 1]
    entry = word(walk.reading, "entry")
    hypotheses = (
        *walk.hypotheses,
        *upper,
        declared.translatable,
        entry.term == declared.entry[1],
        zero(63, 54, entry.term),
        stage["beyond"] == 0,
        z3.Not(stage["mxr"]),
        z3.Not(access["implicit"]),
        z3.Not(access["executable"]),
    )
    lets = {kind: _as_formula(walk.reading, text.lets, entry, kind) for kind in cells.Access}
    flags = {kind: _as_formula(walk.reading, text.has_flags, entry, kind) for kind in cells.Access}
    due = {kind: z3.And(lets[kind], z3.Or(stage["adue"], flags[kind])) for kind in cells.Access}
    made = z3.If(access["write"], due[cells.Access.WRITE], z3.If(access["fetch"], due[cells.Access.FETCH], due[cells.Access.READ]))

    def agrees(path: Path) -> Term:
        if not isinstance(path.result.end, Translation):
            return z3.Not(made)
        return z3.And(made, z3.LShR(plain(walk.reading, path.result.end.physical), 12) == z3.LShR(entry.term & PPN, 10))

    show(Claim(hypotheses, on_every_path(walk.paths, agrees)))


TEXTS = (text.lets, text.has_flags, text.is_reserved, text.leaf_of, cells.gives)


def _as_formula(reading: Symbolic, asked: Callable[[text.Leaf, cells.Access], bool], entry: Any, kind: cells.Access) -> Term:
    """That a function of an entry's record says yes, as one formula."""
    found = list(explore(reading, lambda: asked(text.leaf_of(entry), kind), TEXTS))
    show(Claim((), obligations(found)))
    return some(z3.And([*path.conditions, term_of(reading, FlagKind(), path.result)]) for path in found)
