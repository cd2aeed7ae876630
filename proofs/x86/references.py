"""How often a walk refers to memory: once a level, and in two dimensions for each guest-physical address on the way besides.

Flags are set with the read of their entry, and are no reference of their own (SDM Vol. 3A 4.8). That a walk can take as many as is
said is shown too: a bound that nothing reaches would say less than it seems to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import z3

from proofs.walking import Refuted, Undecided
from proofs.x86.ept_walk import EptWalk
from proofs.x86.guest_walk import GuestWalk
from proofs.x86.nested_walk import WalkThroughEpt, WalkThroughNpt
from refmodel.engines.functions import Path
from refmodel.engines.questions import Solver
from refmodel.machine.words import Translation
from refmodel.machine.x86.nested_walk import most_references


def a_walk_reads_an_entry_of_each_level(levels: int) -> None:
    """The walk reads from the root down: a walk that ends with a page of level k has read levels - k + 1 entries."""
    for walk in (GuestWalk(levels), EptWalk(levels)):
        _at_most(levels, walk.paths, walk.hypotheses, _reads)
        for path in walk.paths:
            if isinstance(path.result.end, Translation) and _reads(path) != levels - path.result.end.level + 1:
                raise Refuted(f"a page of level {path.result.end.level} is found after {_reads(path)} entries of {levels} levels")


def a_walk_in_two_dimensions_takes_so_many_references(levels: int) -> None:
    """With g levels in the guest's tables and n in the second tables, the walk reads g entries of the guest and translates g + 1
    guest-physical addresses, each with n references: g + (g + 1) * n."""
    for walk in (WalkThroughEpt(levels), WalkThroughNpt(levels)):
        _at_most(levels, walk.paths, walk.hypotheses, _reads)
        _at_most(levels + 1, walk.paths, walk.hypotheses, _translated)
        for second in (4, 5):
            _at_most(
                most_references(levels, second),
                walk.paths,
                walk.hypotheses,
                lambda path, second=second: _reads(path) + second * _translated(path),  # type: ignore[misc]
            )


def _reads(path: Path) -> int:
    return len(path.result.memory.reads)


def _translated(path: Path) -> int:
    """How many addresses were translated: an entry that is read, and marked afterwards, has one."""
    found: list[z3.ExprRef] = []
    for address, _ in path.result.made:
        if not any(address.eq(other) for other in found):
            found.append(address)
    return len(found)


def _at_most(bound: int, found: Sequence[Path], hypotheses: Sequence[z3.BoolRef], counted: Callable[[Path], int]) -> None:
    """That no path that can be taken has more, and one has as many."""
    for path in found:
        if counted(path) > bound and _can_be_taken(path, hypotheses):
            raise Refuted(f"{counted(path)} references where {bound} are the most")
    if not any(counted(path) == bound and _can_be_taken(path, hypotheses) for path in found):
        raise Refuted(f"no walk takes {bound} references")


def _can_be_taken(path: Path, hypotheses: Sequence[z3.BoolRef]) -> bool:
    answer = Solver(*hypotheses, *path.conditions, simple=False).check(says="a walk takes this path")
    if answer == z3.unknown:
        raise Undecided("whether a walk takes a path")
    return bool(answer == z3.sat)
