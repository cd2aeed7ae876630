"""What a step, and the law that it breaks, look at: the entries of tables, found out by running both on ints.

Of a counterexample to induction only these matter to the reader. Whatever else the state holds is there to make it lawful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from refmodel.engines.machine import Broken, Machine, recorded
from refmodel.engines.parts import take
from refmodel.engines.scope import Witness
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.kinds import Kind
from refmodel.language.tables import Partial, Total

Place = tuple[str, Any]
"""A table's name and a key."""


def looked_at(design: Outline, witness: Witness) -> frozenset[Place]:
    """The entries that the step reads, and those that the broken law reads for the names for which it is broken."""
    machine = _Noting(design, witness)
    op = design.operation(witness.step.operation)
    if witness.earlier:
        taken = take(machine, op, witness.step.arguments, witness.step.answers, (*witness.earlier, witness.tables))
    else:
        taken = machine.attempt(op, witness.step.arguments, recorded(witness.step.answers))
    if taken is not None:
        machine.judge(witness.broken, op.about(machine.before, taken[1], witness.step.arguments))
    return frozenset(machine.places)


class _Noting(Machine):
    """A machine in the witness' state that notes which entries are looked up."""

    def __init__(self, design: Outline, witness: Witness) -> None:
        super().__init__(design, witness.geometry)
        self.places: set[Place] = set()
        self._listens = True
        for kind in design.tables:
            for state in (self.state, self.before):
                setattr(state, kind.name, _noting(getattr(state, kind.name), witness.tables[kind.name], kind.name, self.note))

    def note(self, table: str, key: Any) -> None:
        """An entry was looked up."""
        if self._listens:
            self.places.add((table, key))

    def judge(self, broken: Broken, about: dict[str, Any]) -> None:
        """Evaluate the broken law for the names for which it is broken."""
        if broken.law is None:
            return
        with answering(self):
            try:
                broken.law.function(self.state, *broken.law.arguments(about, [value for _, value in broken.names]))
            except Exception:
                return

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        before, self._listens = self._listens, False
        try:
            yield
        finally:
            self._listens = before

    # ------------------------------------------------------------ what is asked of many entries at once

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        """Only what was looked at for the value that was chosen counts."""
        with self._unheard():
            value = super().choose(kind, where)
        where(value)
        return value

    def count(self, table: Total[Any, Any], where: Callable[..., Any]) -> int:
        self._covered(table, where)
        return super().count(table, where)

    def reset(self, table: Total[Any, Any], where: Callable[..., Any]) -> None:
        self._covered(table, where)
        super().reset(table, where)

    def assign(self, table: Total[Any, Any], where: Callable[..., Any], value: Any) -> None:
        self._covered(table, where)
        super().assign(table, where, value)

    def _covered(self, table: Any, where: Callable[..., Any]) -> None:
        """The entries that satisfy a condition were looked at."""
        for key, entry in list(table.items()):
            if where(entry, *(key if isinstance(key, tuple) else (key,))):
                self.note(table.name, key)


class _Noted(Total[Any, Any]):
    """A table that says which of its entries are looked up."""

    __slots__ = ("name", "note")
    name: str
    note: Callable[[str, Any], None]

    def __getitem__(self, key: Any) -> Any:
        self.note(self.name, key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.note(self.name, key)
        return super().__contains__(key)


class _NotedPartial(Partial[Any, Any]):
    """Notes the entries that are looked at in a table that may lack a key."""

    __slots__ = ("name", "note")
    name: str
    note: Callable[[str, Any], None]

    def __getitem__(self, key: Any) -> Any:
        self.note(self.name, key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.note(self.name, key)
        return super().__contains__(key)


def _noting(plain: Total[Any, Any], entries: dict[Any, Any], name: str, note: Callable[[str, Any], None]) -> Total[Any, Any]:
    """A table with these entries that notes what is looked up."""
    table: _Noted | _NotedPartial = _NotedPartial(entries) if isinstance(plain, Partial) else _Noted(entries)
    table.default, table.changed, table.name, table.note = plain.default, False, name, note
    return table
