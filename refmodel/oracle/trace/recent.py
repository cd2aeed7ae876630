"""The events that were judged lately, by what they look at and change: few of them have to do with another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from refmodel.oracle.trace.naming import Name, Names


class Named(Protocol):
    """An event with its names. Of two, each is another, whatever they say."""

    names: Names


T = TypeVar("T", bound=Named)


class Recent(Generic[T]):
    """Events, from the oldest on."""

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self._read: dict[Name, set[T]] = {}
        self._written: dict[Name, set[T]] = {}
        self._wide: set[T] = set()
        """Those that may have to do with anything."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def append(self, item: T) -> None:
        self.items.append(item)
        for index, names in ((self._read, item.names.reads), (self._written, item.names.writes)):
            for name in names:
                if name[0] != "vm":
                    index.setdefault(name, set()).add(item)
        if _is_wide(item.names):
            self._wide.add(item)

    def popleft(self) -> None:
        item = self.items.popleft()
        for index, names in ((self._read, item.names.reads), (self._written, item.names.writes)):
            for name in names:
                if name[0] != "vm":
                    items = index[name]
                    items.discard(item)
                    if not items:
                        del index[name]
        self._wide.discard(item)

    def clear(self) -> None:
        self.items.clear()
        for index in (self._read, self._written, self._wide):
            index.clear()

    def related(self, names: Names) -> set[T]:
        """Those that may have changed what these names are of, or have looked at what they change."""
        if _is_wide(names):
            return set(self.items)
        found = set(self._wide)
        for name in names.reads:
            found |= self._written.get(name, set())
        for name in names.writes:
            found |= self._written.get(name, set())
            found |= self._read.get(name, set())
        return found


def _is_wide(names: Names) -> bool:
    """Whether names are of more than they say one by one."""
    return bool(names.spans or names.looks) or any(name[0] == "vm" for name in names.writes)
