"""A table of another design that is worked out of a design's own tables, on terms and on ints.

The design's text says by ``@abstraction`` what the table holds under each key. The other design reads it and writes over it like
any table of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refmodel.engines.aborts import in_words
from refmodel.engines.conditions import Lookup
from refmodel.engines.connectives import choice, disj
from refmodel.engines.machine import Machine
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import Term
from refmodel.language.abstraction import Abstraction, abstractions
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.kinds import TableKind
from refmodel.language.opaque import opaque
from refmodel.language.unsound import BadDesign


def computed(design: Outline, other: Outline) -> Mapping[str, Abstraction]:
    """The tables of the other design that this one has not, and says what they hold."""
    own, theirs = {table.name for table in design.tables}, {table.name for table in other.tables}
    return {each.table: each for each in abstractions(design.cls) if each.table in theirs - own}


class Computed(Table):
    """Such a table on terms, in a state of the design, and what has been written over it since."""

    def __init__(self, reading: Symbolic, kind: TableKind, base: str, state: Any, abstraction: Abstraction) -> None:
        super().__init__(reading, kind, base)
        self.state, self.abstraction = state, abstraction

    def frozen(self) -> Computed:
        other = Computed(self.reading, self.kind, self.base, self.state, self.abstraction)
        other.writes = list(self.writes)
        return other

    def first(self, key: tuple[Term, ...]) -> list[Term]:
        """The leaves that the state comes to. That the entry was looked at is noted, and what was looked at for it."""
        self.reading.note(Lookup(f"{self.base} as {self.kind.name}", self.kind.name, key))
        names = [opaque(self.reading, kind, part) for kind, part in zip(self.kind.keys, key, strict=True)]

        def leaf(number: int) -> Any:
            return lambda *parts: self.kind.value.flatten(self.abstraction.method(self.state, *parts))[number]

        with answering(self.reading):
            leaves = [self.reading.fold(leaf(n), *names, kind=kind) for n, kind in enumerate(self.leaves)]
        nobody = disj(self.nobody(key))
        return [choice(nobody, default, leaf) for default, leaf in zip(self.defaults(), leaves, strict=True)]


def fill(machine: Machine, state: Any, tables: Mapping[str, Abstraction], seen: Any) -> None:
    """Such tables on ints: what a state of the machine's design comes to, put into a state of the other's that has them empty."""
    with answering(machine):
        for name, each in tables.items():
            table = getattr(seen, name)
            for key in table:
                try:
                    table[key] = each.method(state, *(key if isinstance(key, tuple) else (key,)))
                except Exception as wrong:  # a key is missing, or a number below zero
                    raise BadDesign(f"{each.place} goes wrong for {key}, in a state that runs get to: {in_words(wrong)}") from None
            table.changed = False


__all__ = ["Computed", "computed", "fill"]
