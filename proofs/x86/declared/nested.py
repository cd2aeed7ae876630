"""The two-dimensional walk, declared over any second translation whatever."""

from __future__ import annotations

from typing import Any

import z3

from proofs.declared.second import AnyTranslation, Use
from proofs.declared.words import every, first, some
from proofs.x86.declared.guest import DeclaredGuestWalk

Term = Any


class DeclaredNestedWalk:
    """The guest's walk over memory as the second translation shows it, and the second translation of what it gives."""

    def __init__(
        self,
        second: AnyTranslation,
        memory: Term,
        levels: int,
        cpu: dict[str, Term],
        gva: Term,
        access: dict[str, Term],
        reading_use: Use,
        marking_use: Use,
    ) -> None:
        self.second, self.levels = second, range(levels, 0, -1)
        self.reading_use, self.marking_use = reading_use, marking_use
        self.gpa: dict[int, Term] = {}

        def shown(level: int, gpa: Term) -> Term:
            self.gpa[level] = gpa
            return z3.Select(memory, second.physical(gpa, reading_use))

        self.guest = DeclaredGuestWalk(
            shown,
            levels,
            cpu,
            gva,
            access,
            lambda level: second.answers(self.gpa[level], reading_use),
            lambda level, entry, flags: z3.Or(flags & ~entry == 0, second.answers(self.gpa[level], marking_use)),
        )

    def finish(self, final_use: Use) -> None:
        """With the use that the guest's walk leads to: the end of it all."""
        guest, second = self.guest, self.second
        self.final_use = final_use
        self.completed = z3.And(guest.completed, second.answers(guest.physical, final_use))
        self.physical = second.physical(guest.physical, final_use)
        steps = [*self._steps(), (guest.completed, guest.physical, final_use)]
        lost = [(z3.And(made, z3.Not(second.answers(gpa, use))), gpa, use) for made, gpa, use in steps]
        self.failed = some(c for c, _, _ in lost)
        self.failed_at = first(*[(c, gpa) for c, gpa, _ in lost[:-1]], otherwise=lost[-1][1])
        self.failure = first(
            *[(c, second.failure(gpa, use)) for c, gpa, use in lost[:-1]], otherwise=second.failure(guest.physical, final_use)
        )
        self.other_failure = first(
            *[(c, second.other_failure(gpa, use)) for c, gpa, use in lost[:-1]],
            otherwise=second.other_failure(guest.physical, final_use),
        )
        self.translations = steps

    def _steps(self) -> list[tuple[Term, Term, Use]]:
        """Every second translation on the way, in order: whether it is made, of what, for what."""
        guest = self.guest
        steps = []
        for level in self.levels:
            steps.append((z3.And(guest.canonical, guest.reached[level]), self.gpa[level], self.reading_use))
            above = every([guest.canonical, guest.used[level], z3.Not(guest.leaf[level])])
            steps.append((z3.And(above, self._to_set(level, z3.BitVecVal(1 << 5, 64))), self.gpa[level], self.marking_use))
        for level in (1, 2, 3):
            last = every([guest.allowed, guest.used[level], guest.leaf[level], self._to_set(level, guest.flags_due)])
            steps.append((last, self.gpa[level], self.marking_use))
        return steps

    def _to_set(self, level: int, flags: Term) -> Term:
        return flags & ~self.guest.entry[level] != 0

    def marked(self, address: Term, flags: Term) -> Term:
        """By the second translations made, and in the guest's own tables, at the places where these are shown."""
        guest, second = self.guest, self.second
        places = [z3.And(made, second.marked(gpa, use, address, flags)) for made, gpa, use in self.translations]
        own = z3.BitVecVal(1 << 5, 64)
        for level in self.levels:
            place = second.physical(self.gpa[level], self.marking_use) == address
            can = second.answers(self.gpa[level], self.marking_use)
            above = every([guest.canonical, guest.used[level], z3.Not(guest.leaf[level]), self._to_set(level, own)])
            last = every([guest.completed, guest.used[level], guest.leaf[level], self._to_set(level, guest.flags_due)])
            places.append(every([above, can, place, own & flags != 0]))
            places.append(every([last, can, place, guest.flags_due & flags != 0]))
        return some(places)
