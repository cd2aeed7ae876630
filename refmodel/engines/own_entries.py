"""Whether an operation of a guest's reads and changes entries of its own VM only, for any number of names.

The text decides nothing but by what it reads, by its arguments, and by answers to what it asks. So two states in which the entries
are the same that it reads lead to the same outcome and the same changes, if the answers are the same. (Rushby's *output
consistency*, *step consistency* and *local respect* at once: SRI 1992.)
"""

from __future__ import annotations

import attrs
import z3

from refmodel.engines.collecting import rarely_collected
from refmodel.engines.paths import Path, Segment
from refmodel.engines.prover import TIMEOUT, Induction
from refmodel.engines.questions import Solver, about
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import ANY, Term
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.joining import joined


@attrs.frozen
class OwnEntries:
    """What came of one operation."""

    operation: str
    paths: int
    read: frozenset[str]
    """The tables of which it reads entries."""
    changed: frozenset[str]
    failing: tuple[str, ...]
    """What is not proved."""


def prove_own_entries(design: Outline, name: str) -> OwnEntries:
    """That an operation of a guest's touches nothing of others'. Tables that never change are nobody's."""
    with joined(design), about(name), rarely_collected():
        op = design.operation(name)
        induction = Induction(design, op)
        number, read, changed, failing = 0, set[str](), set[str](), dict[str, None]()
        for path in induction.paths():
            for segment in path.segments:
                number += 1
                vm = op.actor(induction.arguments).term
                read |= {x.table for x in path.lookups.values()} - design.constant
                changed |= segment.written
                failing |= dict.fromkeys(_wrong(design, path, segment, vm))
        return OwnEntries(name, number, frozenset(read), frozenset(changed), tuple(failing))


def _wrong(design: Outline, path: Path, segment: Segment, vm: Term) -> list[str]:
    solver = Solver(*segment.conditions, timeout=TIMEOUT)
    found = []
    for lookup in path.lookups.values():
        if lookup.table in design.constant or lookup.key[0].eq(vm):
            continue
        if lookup.key[0].sort() != vm.sort() or solver.check(lookup.key[0] != vm, says="it reads its own entries") != z3.unsat:
            found.append(f"{lookup.table} may be read under another VM's name")
    reading = Symbolic(design, prune=False)
    for name in segment.written:
        before, after = getattr(segment.before, name), getattr(segment.after, name)
        if solver.check(*_changes_others(reading, before, after, vm), says="it changes its own entries") != z3.unsat:
            found.append(f"{name} may change under another VM's name")
    return found


def _changes_others(reading: Symbolic, before: Table, after: Table, vm: Term) -> list[Term]:
    """That an entry of another VM's is not what it was."""
    kind = before.kind
    key = tuple(reading.arbitrary(k, f"{ANY}{kind.name}.{i}").term for i, k in enumerate(kind.keys))
    leaves = []
    for table in (before, after):
        table.reading = reading
        with answering(reading):
            leaves.append(table.peek(key))
    return [key[0] != vm, z3.Or([a != b for a, b in zip(*leaves, strict=True)])]
