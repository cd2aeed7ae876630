"""Tables and contents that note what is looked at, while an event is judged that is to be found out about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.holding import About
from refmodel.oracle.trace.judging import Judging
from refmodel.oracle.trace.tables import Known, Pages

Compared: TypeAlias = tuple[int, ...]
"""The places of contents that were compared; of one, whether it is zeroes."""


class Watch:
    """What was looked at since it began."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, Any]] = set()
        """Tables, and the keys of entries."""
        self.answers: dict[Compared, bool] = {}
        """What comparisons of contents were answered."""
        self.given: dict[Compared, bool] | None = None
        """The answers to give, where they are not to be true; None while each is what it is."""
        self.compare: list[Contents] = []
        """The contents that were compared."""
        self.copies: dict[int, tuple[Contents, Contents]] = {}
        """By identity: a copy, and what it is a copy of."""
        self.read = False
        """Whether contents decided anything before the laws were asked."""
        self.about: About | None = None
        """What the laws were asked for."""

    def compared(self, real: Callable[[], bool], *what: Contents) -> bool:
        """The answer to a comparison of two contents, or of one with zeroes."""
        if self.given is None:
            read = self.read
            answer = real()
            self.read = read
        which = tuple(sorted(map(self._number, what)))
        if self.given is not None:
            answer = self.given.get(which, True)
        self.answers[which] = answer
        return answer

    def _number(self, contents: Contents) -> int:
        """The place of contents among those compared; of a copy, that of what it is a copy of."""
        source = self.source(contents)
        if source is not None and self.is_copy(contents, source):
            contents = source
        at = next((at for at, each in enumerate(self.compare) if each is contents), None)
        if at is None:
            at = len(self.compare)
            self.compare.append(contents)
        return at

    def source(self, copy: Contents) -> Contents | None:
        """What this is a copy of."""
        return self.copies.get(id(copy), (None, None))[1]

    def is_copy(self, one: Contents, other: Contents) -> bool:
        """Whether one of these is a copy of the other, and as it was made."""
        return (self.source(one) is other or self.source(other) is one) and one.words == other.words and one.zeroed == other.zeroed


_watch = Watch()


def begin(watch: Watch) -> Watch:
    """From now on things are noted here."""
    global _watch  # noqa: PLW0603
    _watch = watch
    return watch


class WatchedTable(Known):
    """A table that notes what is looked up."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        _watch.seen.add((self.name, key))
        return dict.__getitem__(self, key)

    def get(self, key: Any, default: Any = None) -> Any:
        _watch.seen.add((self.name, key))
        return dict.get(self, key, default)

    def __contains__(self, key: object) -> bool:
        _watch.seen.add((self.name, key))
        return dict.__contains__(self, key)

    def __iter__(self) -> Any:
        _watch.seen.add((self.name, "all"))
        return dict.__iter__(self)

    def items(self) -> Any:
        _watch.seen.add((self.name, "all"))
        return dict.items(self)

    def keys(self) -> Any:
        _watch.seen.add((self.name, "all"))
        return dict.keys(self)

    def values(self) -> Any:
        _watch.seen.add((self.name, "all"))
        return dict.values(self)


class WatchedPages(WatchedTable, Pages):
    """A table of the contents of pages that notes which of its entries are looked at."""

    __slots__ = ()


class WatchedContents(Contents):
    """Contents that note how they are compared."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other: object) -> bool:
        if self is other or (isinstance(other, Contents) and _watch.is_copy(self, other)):
            return True
        if not isinstance(other, Contents):
            return NotImplemented
        knows_more = type(other) is not Contents or other.words or other.either is not None or _watch.source(other) is not None
        if not knows_more:
            return self.is_zero() if other.zeroed else True
        return _watch.compared(lambda: bool(Contents.__eq__(self, other)), self, other)

    def is_zero(self) -> bool:
        return _watch.compared(lambda: Contents.is_zero(self), self)

    def copy(self) -> Contents:
        made = Contents.copy(self)
        _watch.copies[id(made)] = made, self
        return made

    def bits(self, offset: int) -> Any:
        _watch.read = True
        return Contents.bits(self, offset)

    def is_unknown(self) -> bool:
        _watch.read = True
        return Contents.is_unknown(self)

    def unify(self, other: Contents) -> None:
        _watch.read = True
        Contents.unify(self, other)


class WatchedJudging(Judging):
    """An event that is judged while it is watched."""

    __slots__ = ()

    def __enter__(self) -> None:
        _watch.about = self.about
        super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: object) -> bool:
        _watch.read = _watch.read or bool(_watch.answers)  # what was compared before the laws are asked decides something
        return super().__exit__(kind, why, trace)
