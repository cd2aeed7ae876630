"""Tables of which only some entries are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from refmodel.language.asking import concrete_assign, concrete_count
from refmodel.language.kinds import NOTHING, Kind, Total
from refmodel.oracle.trace.contents import Contents

Key: TypeAlias = tuple[int, int]
"""A VM and a guest frame of its."""


class Open(BaseException):
    """Somebody asked for what is not known. (No ``Exception``, so that no text takes it for an outcome of its own.)"""


class Known(Total[Any, Any]):
    """A table of which some entries are known. While it is ``closed``, what nobody stored is the default; otherwise it is open.

    What a store replaces goes to the journal, so that an event can be taken back.
    """

    __slots__ = ("closed", "journal", "name", "opened")

    def __init__(self, name: str, default: Any, closed: bool, journal: list[tuple[Known, Any, Any]]) -> None:
        super().__init__()
        self.name, self.default, self.closed, self.journal = name, default, closed, journal
        self.opened: set[Any] = set()

    def __missing__(self, key: Any) -> Any:
        if key == NOTHING or (type(key) is tuple and NOTHING in key) or (self.closed and key not in self.opened):
            return self.default
        raise Open

    def __setitem__(self, key: Any, value: Any) -> None:
        self.journal.append((self, key, self.get(key, Open)))
        super().__setitem__(key, value)

    def forget(self, key: Any) -> None:
        """This entry is open from now on."""
        if key in self:
            self.journal.append((self, key, self[key]))
            dict.__delitem__(self, key)
        self.opened.add(key)

    def find(self, key: Any) -> Any:
        """What is known of an entry, or None."""
        try:
            return self[key]
        except Open:
            return None


class Pages(Known):
    """A table of contents: of a page that nobody mentioned nothing is known, which is an answer too."""

    __slots__ = ()

    def __missing__(self, key: Any) -> Any:
        return Contents()


class Before(Total[Any, Any]):
    """A table as it was before an event."""

    __slots__ = ("now",)

    def __init__(self, now: Known) -> None:
        super().__init__()
        self.now, self.default = now, now.default

    def remember(self, key: Any, old: Any) -> None:
        dict.__setitem__(self, key, old)

    def __getitem__(self, key: Any) -> Any:
        if key not in self:
            return self.now[key]
        old = dict.__getitem__(self, key)
        return self.now.__missing__(key) if old is Open else old


class Relation:
    """Who refers to what, the other way round."""

    def __init__(self) -> None:
        self.targets: dict[Any, tuple[Any, ...]] = {}
        self.holders: dict[Any, set[Any]] = {}

    def put(self, holder: Any, targets: Iterable[Any]) -> None:
        """From now on the holder refers to these, and to nothing else."""
        for target in self.targets.pop(holder, ()):
            if target in self.holders:
                self.holders[target].discard(holder)
                if not self.holders[target]:
                    del self.holders[target]
        if kept := tuple(targets):
            self.targets[holder] = kept
            for target in kept:
                self.holders.setdefault(target, set()).add(holder)

    def of(self, target: Any) -> frozenset[Any]:
        """Those that refer to it."""
        return frozenset(self.holders.get(target, ()))


class Counting:
    """The answerer of laws that count: they can if everything is known. Nothing else is asked of a trace."""

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        raise Open

    def yes(self, question: str) -> Any:
        raise Open

    def count(self, table: Known, where: Callable[..., Any]) -> int:
        if not table.closed or table.opened:
            raise Open
        return concrete_count(table, where)

    def reset(self, table: Known, where: Callable[..., Any]) -> None:
        concrete_assign(table, where, table.default)

    def assign(self, table: Known, where: Callable[..., Any], value: Any) -> None:
        concrete_assign(table, where, value)
