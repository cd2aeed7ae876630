"""Two-stage translation, declared over any second translation whatever."""

from __future__ import annotations

from typing import Any

import z3

from proofs.declared.second import AnyTranslation, Use
from proofs.declared.words import every, first, some
from proofs.riscv.declared.walk import NO, YES, DeclaredWalk, Format

Term = Any
USES = ("user", "write", "fetch", "executable", "implicit")
"""What a second translation is told of an access."""
READING: Use = (NO, NO, NO, NO, YES)
WRITING: Use = (NO, YES, NO, NO, YES)


class DeclaredTwoStages:
    """The VS-stage over memory as the second translation shows it, and the second translation of what it gives."""

    def __init__(
        self, second: AnyTranslation, memory: Term, scheme: Format, stage: dict[str, Term], address: Term, access: dict[str, Term]
    ) -> None:
        self.second = second
        self.gpa: dict[int, Term] = {}

        def shown(level: int, gpa: Term) -> Term:
            self.gpa[level] = gpa
            entry = z3.Select(memory, second.physical(gpa, READING))
            return entry & 0xFFFF_FFFF if scheme.sv32 else entry

        self.vs = DeclaredWalk(
            shown,
            scheme,
            stage,
            address,
            access,
            lambda level: second.answers(self.gpa[level], READING),
            lambda level, entry, flags: second.answers(self.gpa[level], WRITING),
        )
        self.final: Use = tuple(access[name] for name in USES)
        self._end(0x2000 if scheme.sv32 else 0x3000)

    def _end(self, read: int) -> None:
        """What fails first, and what is reported of it: a read of an entry, a write of one, or the access itself."""
        vs, second = self.vs, self.second
        self.completed = z3.And(vs.completed, second.answers(vs.physical, self.final))
        self.physical = second.physical(vs.physical, self.final)
        steps = [
            *((vs.asked[level], self.gpa[level], READING, read) for level in vs.levels),
            *((vs.tries[level], self.gpa[level], WRITING, read + 0x20) for level in vs.levels),
            (vs.completed, vs.physical, self.final, 0),
        ]
        lost = [(z3.And(made, z3.Not(second.answers(gpa, use))), gpa, use, why) for made, gpa, use, why in steps]
        self.failed = some(c for c, *_ in lost)
        last = lost.pop()
        self.gpa_failed = first(*((c, gpa) for c, gpa, _, _ in lost), otherwise=last[1])
        self.pseudoinstruction = first(*((c, z3.BitVecVal(why, 64)) for c, _, _, why in lost), otherwise=z3.BitVecVal(0, 64))
        self.no_memory = first(
            *((c, second.other_failure(gpa, use)) for c, gpa, use, _ in lost), otherwise=second.other_failure(last[1], last[2])
        )
        """That what failed is an access fault of the second translation."""
        self.translations = steps

    def marked(self, address: Term, flags: Term) -> Term:
        """By the second translations made, and in the VS-stage's own tables, at the places where these are shown."""
        vs, second = self.vs, self.second
        return z3.Or(
            some(z3.And(made, second.marked(gpa, use, address, flags)) for made, gpa, use, _ in self.translations),
            some(
                every([vs.sets[level], second.physical(self.gpa[level], WRITING) == address, vs.due & flags != 0])
                for level in vs.levels
            ),
        )
