"""Events of several CPUs of which only each CPU's own order is known.

Events are judged in the order of their lines while that is lawful. One that is not waits for events of other CPUs that may have
happened before it. What two CPUs did to one page, frame, ring or VM at about the same time is a *race*: in which order it happened
is not known, so what is known of these may be wrong. An event about them that no order found makes lawful is no deviation: it is
counted as undecided, and nothing is relied on any more that is known of them.
"""

from __future__ import annotations

from collections import deque

import attrs

from refmodel.oracle.trace import apart, exits
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.forgetting import forget
from refmodel.oracle.trace.guest import may_complete
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.naming import NONE, Names, Raced, are_cached, names_of
from refmodel.oracle.trace.recent import Recent

JOINING = (e.Grant, e.Revoke, e.Alias)
"""Events by which a page comes to have the memory of another, or to have it no more."""
MOST_RACED = 1 << 16
"""Names of which it is kept in mind that there was a race. After more of them nothing is relied on that came before."""


@attrs.define(eq=False)
class Item:
    """An event, and where it stands."""

    line: int
    event: e.Event
    text: bytes
    before: list[bytes]
    why: Deviates | Inconsistent | None = None
    """What was wrong with it when it was last tried."""
    names: Names = NONE


@attrs.frozen
class Order:
    """What is known of the order of two CPUs' events."""

    window: int
    """Events whose lines are further apart than this happened in the order of their lines."""
    skew: int | None
    """Events whose times are further apart than this happened in the order of their times; None if times do not say."""

    def before(self, first: Item, second: Item) -> bool:
        """Whether the first is known to have happened before the second."""
        if first.event.cpu == second.event.cpu:
            return first.line < second.line
        one, other = first.event.time, second.event.time
        if self.skew is not None and one is not None and other is not None:
            return other - one > self.skew
        return second.line - first.line > self.window

    def over(self, first: Item, last: Item) -> bool:
        """Whether it happened before all that other CPUs tell after the line ``last``. Their events may have times that
        are earlier than its own, by ``skew`` at most."""
        one, other = first.event.time, last.event.time
        if self.skew is not None and one is not None and other is not None:
            return other - one > 2 * self.skew
        return last.line - first.line > self.window

    def words(self) -> str:
        """Which events may be swapped."""
        lines = f"if their lines are at most {self.window} apart"
        return lines if self.skew is None else f"if their times are at most {self.skew} apart; without times, {lines}"


class Interleaving:
    """Judges events one after the other, in an order that is lawful, as far as one is found."""

    def __init__(self, k: Knowledge, order: Order) -> None:
        self.k, self.order = k, order
        self.waiting: list[Item] = []
        """Events that were not lawful yet, and those of their CPUs after them."""
        self.recent = Recent[Item]()
        """Events that were judged, and may have happened after some that are still to come."""
        self.races: deque[tuple[Item, Raced]] = deque()
        """What there is a race about, or was made of that, each with its later event."""
        self.distrusted = Raced()
        """What there was a race about that cannot be forgotten by itself."""
        self.raced = Raced()
        """All of these."""
        self.reordered = self.undecided = 0

    def add(self, item: Item) -> Item | None:
        """Judge one more event. The item that deviates for certain, if there is one: it says why."""
        while self.waiting and self.order.over(self.waiting[0], item) and self.waiting[0].event.cpu != item.event.cpu:
            if (found := self._decide()) is not None:
                return found
        self._forget_old(item)
        if any(self.order.before(each, item) for each in self.waiting) or not self._try(item):
            self.waiting.append(item)
            return None if len(self.waiting) <= self.order.window else self._decide()
        self._try_waiting()
        return None

    def skip(self, item: Item) -> None:
        """An event is not judged, since it may have come before others that were lost. It has happened all the same, perhaps after
        events of other CPUs that are still to come."""
        self._forget_old(item)
        item.names = names_of(self.k, item.event)
        self.recent.append(item)

    def end(self) -> Item | None:
        """There are no more events."""
        while self.waiting:
            if (found := self._decide()) is not None:
                return found
        return None

    # ------------------------------------------------------------ one event

    def _try(self, item: Item) -> bool:
        """Judge an event now; False if it is not lawful now."""
        item.names = names_of(self.k, item.event)
        cached = are_cached(self.k, item.names)
        try:
            if isinstance(item.event, e.Load | e.Store):  # one that waits is tried again, so nothing may come of it before
                may_complete(self.k, item.event)
            item.event.judge(self.k)
        except (Deviates, Inconsistent) as why:
            item.why = why
            return False
        if cached or are_cached(self.k, item.names):
            lingers = {("lingers", name[1]) for name in item.names.writes if name[0] == "page"}
            item.names = item.names._replace(reads=item.names.reads | lingers)
        self._note(item)
        return True

    def _note(self, item: Item) -> None:
        """An event has happened: what it and another write is not known for certain if they race, nor what is made of that."""
        others = [other for other in self.recent.related(item.names) if not self.order.before(other, item)]
        if isinstance(item.event, e.Exit) and any(isinstance(other.event, e.Map) for other in others):
            exits.may_have_come_before(self.k, item.event)
        about = Raced.of(self._about(item, other.names).unsure(self._about(other, item.names)) for other in others)
        if about:
            self.raced.add(about)
        about.add(Raced(self.raced.made_of(self._about(item, self.raced))))
        if about:
            self.races.append((item, about))
            self.raced.add(about)
        self.recent.append(item)
        if len(self.raced) > MOST_RACED:
            self._lose()

    def _about(self, item: Item, other: Names | Raced) -> Names:
        """What an event looks at and changes, as far as it has to do with the other."""
        return apart.about(self.k, item.event, item.names, other)

    def _forget_old(self, item: Item) -> None:
        """What happened before all that is still to come races with nothing more."""
        oldest = self.waiting[0] if self.waiting else item

        def is_over(judged: Item) -> bool:
            return self.order.over(judged, item) and self.order.before(judged, oldest)

        while self.recent.items and is_over(self.recent.items[0]):
            self.recent.popleft()
        over = list[Raced]()
        while self.races and is_over(self.races[0][0]):
            over.append(self.races.popleft()[1])
        if over:
            self._are_over(over)

    def _are_over(self, over: list[Raced]) -> None:
        """These races have ended. What came of them is not known, so it is forgotten."""
        ended = Raced.of(over)
        if not forget(self.k, ended.as_names()):
            self.distrusted.add(ended)
        self.raced = Raced.of([self.distrusted, *(about for _, about in self.races)])

    def forget(self) -> None:
        """Nothing is known any more, so nothing is wrong of what is known."""
        self.recent.clear()
        self._trust()

    def _trust(self) -> None:
        self.races.clear()
        self.distrusted, self.raced = Raced(), Raced()

    def _lose(self) -> None:
        """Nothing is known any more. What waits may still have happened before events that were judged already."""
        self.k.lose()
        self._trust()

    def _try_waiting(self) -> None:
        """Something has happened: perhaps what waits is lawful now."""
        again = True
        while again:
            again = False
            for number, item in enumerate(self.waiting):
                if not any(self.order.before(each, item) for each in self.waiting[:number]) and self._try(item):
                    del self.waiting[number]
                    self.reordered += 1
                    again = True
                    break

    def _decide(self) -> Item | None:
        """The first that waits can wait no longer: it deviates, or an order that was not tried may explain it."""
        item = self.waiting.pop(0)
        if self._try(item):
            self.reordered += 1
            return None
        for other in self.waiting:
            other.names = names_of(self.k, other.event)
        if not self._may_be_of_another_order(item):
            return item
        self.undecided += 1
        concerned = self._concerned(item)
        self._rely_on_nothing(self._with_other_names(attrs.evolve(item, names=concerned)))
        if concerned != item.names and not self._try(item):  # what there is no race about is wrong, too
            concerned = item.names
            self._rely_on_nothing(self._with_other_names(item))
        if concerned == item.names and not self._try(item) and isinstance(item.why, Inconsistent):
            self._lose()
            if not self._try(item):
                return item  # it is no event, whatever came before
        self._rely_on_nothing(concerned)  # what it says may be of a time before events that were judged already
        self._try_waiting()
        return None

    def _concerned(self, item: Item) -> Names:
        """What an event looks at and changes, as far as there is a race about it, or events of other CPUs have to do with it."""
        others = [other.names for other in self._others(item)]
        names = {name for other in others for name in other.reads | other.writes | other.tells}
        spans = {span for other in others for span in (*other.spans, *other.looks)}
        return self._about(item, Raced.of([self.raced, Raced(names, spans)]))

    def _others(self, item: Item) -> list[Item]:
        """The events that may have happened in another order with one that is decided: those judged that are not known to have come
        before it, and those waiting that are not known to have come after it."""
        judged = (other for other in self.recent if not self.order.before(other, item))
        return [*judged, *(other for other in self.waiting if not self.order.before(item, other))]

    def _with_other_names(self, item: Item) -> Names:
        """What an event is about, and what it changes of a page's memory if the page had another owner then."""
        if not item.names.writes:
            return item.names
        names = {
            ("content", *name[1:])
            for other in self.recent
            if isinstance(other.event, JOINING) and not self.order.before(other, item) and item.names.depends_on(other.names)
            for name in other.names.reads | other.names.writes
            if name[0] == "page"
        }
        return item.names._replace(writes=item.names.writes | names)

    def _may_be_of_another_order(self, item: Item) -> bool:
        """Whether an event that is not lawful may have been so before others of other CPUs, or after some that wait."""
        about_ring = isinstance(item.why, Deviates) and any(sort == "ring" for sort, _ in item.why.names)
        names = item.names.of_rings() if about_ring else item.names
        others = self._others(item)
        return self.raced.has(names) or any(names.depends_on(other.names) for other in others)

    def _rely_on_nothing(self, names: Names) -> None:
        """Nothing is relied on any more that is known of these."""
        if not forget(self.k, names):
            self._lose()
