"""Tables of which only some entries are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from refmodel.language.asking import concrete_assign, concrete_count
from refmodel.language.kinds import Kind
from refmodel.language.tables import NOTHING, Total
from refmodel.oracle.trace.contents import Contents, Reported
from refmodel.oracle.trace.ranges import Mentioned, Ranges, Undo

Key: TypeAlias = tuple[int, int]
"""A VM and a guest frame of its."""


MOST_AT_HAND = 1 << 16
"""Pages of which what pieces say is kept at hand."""
MOST_COUNTED = 1 << 17
"""Pages that are counted one by one. Where more are alike, a count is not held against them."""


class Open(BaseException):
    """Somebody asked for what is not known. (No ``Exception``, so that no text takes it for an outcome of its own.)"""


class Nowhere:
    """No piece says anything of this."""


class Stretch(NamedTuple):
    """In a journal: pieces of a table were changed."""

    whose: int
    first: int
    last: int
    undo: Undo


class Journal(list[tuple["Known", Any, Any]]):
    """What was stored since an event began, each with what it replaced."""

    __slots__ = ("opened",)

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[tuple[int, Known, Any]] = []
        """The entries of which nothing is known any more, and something was; each with its place in the journal."""

    def clear(self) -> None:
        super().clear()
        self.opened.clear()

    def go_on_with(self, other: Journal) -> None:
        """What another journal says was done after this."""
        self.opened += [(at + len(self), table, key) for at, table, key in other.opened]
        self += other

    def take_back(self, since: int) -> None:
        """Undo what was done since then."""
        for table, key, old in reversed(self[since:]):
            table.take_back(key, old)
        while self.opened and self.opened[-1][0] >= since:
            _, table, key = self.opened.pop()
            table.opened.discard(key)
            table.at_hand.pop(key, None)


class Known(Total[Any, Any]):
    """A table of which some entries are known. While it is ``closed``, what nobody stored is the default; otherwise it is open.

    What a store replaces goes to the journal, so that an event can be taken back.
    """

    __slots__ = ("at_hand", "closed", "journal", "mentioned", "name", "opened", "ranges")

    def __init__(self, name: str, default: Any, closed: bool, journal: Journal, mentioned: Mentioned | None = None) -> None:
        super().__init__()
        self.name, self.default, self.closed, self.journal = name, default, closed, journal
        self.opened: set[Any] = set()
        self.mentioned = mentioned
        """Where it is noted of which pages, or frames, something is stored."""
        self.ranges = None if mentioned is None else Ranges()
        """What is known of many pages, or frames, at once."""
        self.at_hand: dict[Any, Any] = {}
        """What pieces said of pages when they were last asked: until pieces change."""

    def __missing__(self, key: Any) -> Any:
        found = self.at_hand.get(key)
        if found is None:
            if key == NOTHING or (type(key) is tuple and NOTHING in key):
                return self.default
            if key in self.opened:
                raise Open
            found = self._in_a_piece(key)
        if found is Open:
            raise Open
        if found is not Nowhere:
            return found
        if self.closed:
            return self.default
        raise Open

    def _in_a_piece(self, key: Any) -> Any:
        """What a piece says of this; ``Nowhere`` if none does."""
        found = Nowhere
        if self.ranges is not None and self.ranges.pieces:
            whose, number = key if type(key) is tuple else (0, key)
            piece = self.ranges.find(whose, number)
            if piece is not None:
                found = piece.at(number)
        if len(self.at_hand) >= MOST_AT_HAND:
            self.at_hand.clear()
        self.at_hand[key] = found
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        self.journal.append((self, key, self.get(key, Open)))
        if self.mentioned is not None and key not in self:
            self.mentioned.add(*(key if type(key) is tuple else (0, key)))
        dict.__setitem__(self, key, value)

    def forget(self, key: Any) -> None:
        """This entry is open from now on."""
        if key not in self.opened:
            self.journal.opened.append((len(self.journal), self, key))
        self.journal.append((self, key, self.get(key, Open)))
        dict.pop(self, key, None)
        self.at_hand.pop(key, None)
        self.opened.add(key)
        if self.mentioned is not None:
            self.mentioned.add(*(key if type(key) is tuple else (0, key)))

    def unsay(self, vm: int, last: int) -> None:
        """It is as if nothing had been told of a VM's pages, up to the last. No event takes that back."""
        for key in [key for key in self if key[0] == vm]:
            dict.pop(self, key)
        self.opened = {key for key in self.opened if key[0] != vm}
        self.at_hand.clear()
        if self.ranges is not None:
            self.ranges.put(vm, 0, last, None)

    def find(self, key: Any) -> Any:
        """What is known of an entry, or None."""
        try:
            return self[key]
        except Open:
            return None

    def told(self, key: Any) -> Any:
        """What somebody said of an entry, or None: the default of a closed table nobody said."""
        value = self.get(key)
        if value is None:
            value = self.at_hand.get(key)
            if value is None:
                value = Nowhere if key in self.opened else self._in_a_piece(key)
        return None if value is Open or value is Nowhere else value

    def in_pieces(self) -> Iterator[tuple[Key, Any]]:
        """What pieces say of pages, one by one, but of those of which something is stored by itself. ``Open`` is raised if nothing
        is known of one."""
        pieces = [] if self.ranges is None else [(vm, piece) for vm, of_vm in self.ranges.pieces.items() for piece in of_vm]
        if sum(piece.last - piece.first for _, piece in pieces) > MOST_COUNTED:
            raise Open
        for vm, piece in pieces:
            for key in [(vm, gfn) for gfn in range(piece.first, piece.last + 1) if (vm, gfn) not in self]:
                if piece.value is Open:
                    raise Open
                yield key, piece.at(key[1])

    def any_is_open(self) -> bool:
        """Whether anything was forgotten, and nothing told of it since."""
        pieces = self.ranges.pieces.values() if self.ranges is not None else ()
        return any(key not in self for key in self.opened) or any(piece.value is Open for of_vm in pieces for piece in of_vm)

    def store_from_piece(self, key: Any) -> bool:
        """Store what a piece says of this, if nothing is stored of it by itself."""
        if key in self or self.ranges is None or not self.ranges.pieces or key in self.opened:
            return False
        value = self.told(key)
        if value is None:
            return False
        dict.__setitem__(self, key, value)
        return True

    def put_range(self, whose: int, first: int, last: int, value: Any) -> None:
        """What is known of all these, but of those of which something is stored by itself."""
        assert self.ranges is not None
        self.at_hand.clear()
        self.journal.append((self, Stretch(whose, first, last, self.ranges.put(whose, first, last, value)), None))

    def take_back(self, key: Any, old: Any) -> None:
        """Undo what the journal says."""
        if type(key) is Stretch:
            assert self.ranges is not None
            self.at_hand.clear()
            self.ranges.undo(key.undo)
        elif old is Open:
            dict.pop(self, key, None)
        else:
            dict.__setitem__(self, key, old)
            if self.mentioned is not None:
                self.mentioned.add(*(key if type(key) is tuple else (0, key)))


class Pages(Known):
    """A table of contents: of a page that nobody mentioned nothing is known, which is an answer too."""

    __slots__ = ()

    def __missing__(self, key: Any) -> Any:
        in_a_piece = self.ranges is not None and self.ranges.pieces and type(key) is tuple and key not in self.opened
        found = self._in_a_piece(key) if in_a_piece else None
        return found.contents() if type(found) is Reported else Contents(zeroed=found is True)


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
        kept = tuple(targets)
        if self.targets.get(holder, ()) == kept:
            return
        for target in self.targets.pop(holder, ()):
            if target in self.holders:
                self.holders[target].discard(holder)
                if not self.holders[target]:
                    del self.holders[target]
        if kept:
            self.targets[holder] = kept
            for target in kept:
                self.holders.setdefault(target, set()).add(holder)

    def of(self, target: Any) -> frozenset[Any]:
        """Those that refer to it."""
        return frozenset(self.holders.get(target, ()))

    def within(self, first: int, last: int) -> Iterator[int]:
        """The targets from the first to the last that somebody refers to."""
        if last - first > len(self.holders):
            yield from (target for target in self.holders if first <= target <= last)
        else:
            yield from (target for target in range(first, last + 1) if target in self.holders)


class Counting:
    """The answerer of laws that count: they can if everything is known. Nothing else is asked of a trace. A page of which only
    its frame was not told has one of its own: it counts nowhere."""

    among: Iterable[Key] | None = None
    """The pages that can count, where that is known: those that a frame stands behind."""
    lost_sight = False
    """Whether pages may be anywhere that nothing is known of: something was not told, or its order was not."""

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        raise Open

    def yes(self, question: str) -> Any:
        raise Open

    def count(self, table: Known, where: Callable[..., Any]) -> int:
        if not table.closed or (self.lost_sight and table.any_is_open()):
            raise Open
        if self.among is not None:
            return sum(bool(where(table[key], *key)) for key in self.among)
        number: int = concrete_count(table, where)
        return number + sum(bool(where(value, *key)) for key, value in table.in_pieces())

    def reset(self, table: Known, where: Callable[..., Any]) -> None:
        concrete_assign(table, where, table.default)

    def assign(self, table: Known, where: Callable[..., Any], value: Any) -> None:
        concrete_assign(table, where, value)
