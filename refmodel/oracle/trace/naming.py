"""What an event is about, as far as its order among events of other CPUs matters: pages, frames, words, rings, VMs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import attrs

from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import guest, reaching
from refmodel.oracle.trace.contents import FULL, WORD, Contents
from refmodel.oracle.trace.knowledge import Knowledge

Name: TypeAlias = tuple[Any, ...]
"""``("frame", mfn)``; ``("ring", vm, ring, part)``; ``("slot", vm, slot)``: where a memory slot lies, and whether guests may only
read it.
Of a page, ``("page", vm, gfn)``: what it is and where; ``("content", vm, gfn)`` and ``("word", vm, address / 8)``: what it holds;
``("cached", vm, gfn)``: its translations that a flush forgets.
``("touched", vm, gfn)``: what a store changes of it beside what is in it: whether a slot holds a copy, whether it has a frame;
``("marked", vm, gfn)``: whether a mark came since it was written to.
Of a VM, ``("vm", vm)``: all of it; ``("lingers", vm)``: what a flush will forget; ``("flushes", vm)``: flushes under way;
``("paused", vm)``: whether its CPUs are stopped."""
Span: TypeAlias = tuple[Name, int, int]
"""Names that follow each other: what comes before the number, and the first and last number."""
MANY = 64
"""Of more pages than these, an event names a span."""
READS = (e.Load, e.DmaRead, e.Hole, e.Mmio, e.Exit, e.Entry, e.Backed, e.FrameIs, e.Cell)
"""Events that change nothing, but that what they say is known."""
TRANSLATIONS = (
    e.Map,
    e.Unmap,
    e.Protect,
    e.Unprotect,
    e.Track,
    e.Untrack,
    e.Split,
    e.DmaMap,
    e.DmaUnmap,
    e.Mark,
    e.TakeMark,
    e.RingPush,
    e.RingHarvest,
    e.RingReset,
    e.RingFull,
)
"""Events that leave alone what pages hold."""
RINGS: dict[type[e.Event], tuple[tuple[str, ...], tuple[str, ...]]] = {
    e.RingPush: (("reset",), ("pushed",)),
    e.RingHarvest: (("pushed",), ("harvested",)),
    e.RingReset: (("harvested",), ("reset",)),
    e.RingFull: (("pushed", "reset"), ()),
}
"""What an event looks at of a ring, and what it changes."""
PARTS = ("pushed", "harvested", "reset")
"""All that is kept of a ring."""
TOUCHED = (e.WriteBack, e.SwapIn, e.Promise, e.Inflate, e.Report)
"""Events by which a page has a copy on swap, or no frame, until it is stored to."""
OF_VM = (e.Linear, e.Registers, e.Invlpg, e.Invpcid, e.SlotMove, e.SlotDelete, e.VmDestroyed, e.Resume, e.Cancelled)
"""Events that are taken to be about a whole VM."""


class Names(NamedTuple):
    """What an event looks at, and what it changes."""

    reads: frozenset[Name]
    writes: frozenset[Name]
    spans: tuple[Span, ...] = ()
    """What it changes besides."""
    looks: tuple[Span, ...] = ()
    """What it looks at besides."""
    tells: frozenset[Name] = frozenset()
    """What is not known before it, and is after it: it may be so of a later time."""

    def depends_on(self, other: Names) -> bool:
        """Whether what this event finds may be another thing before the other than after it."""
        mine = (*self.spans, *self.looks)
        changed = other.writes | other.tells if other.tells else other.writes
        return bool(
            not self.writes.isdisjoint(changed)
            or not self.reads.isdisjoint(changed)
            or self.within(other)
            or any(name[0] == "word" and ("content", name[1], name[2] >> 9) in self.writes for name in changed)
            or (mine and any(_are_within(mine, name) for name in other.writes))
            or any(True for _ in _in_both(mine, other.spans))
        )

    def of_rings(self) -> Names:
        """What it looks at and changes of dirty rings."""
        reads, writes = (frozenset(name for name in names if name[0] == "ring") for names in (self.reads, self.writes))
        return Names(reads, writes)

    def within(self, other: Names) -> set[Name]:
        """What this names that the other names in a span."""
        return {
            name
            for before, first, last in other.spans
            for name in self.reads | self.writes
            if name[:-1] == before and first <= name[-1] <= last
        }

    @property
    def observes(self) -> bool:
        """Whether it changes nothing but words of memory."""
        return not self.spans and all(name[0] == "word" for name in self.writes)

    def unsure(self, other: Names) -> Raced:
        """What is not known for certain after both, since their order matters for what they leave."""
        if self.observes or other.observes:
            told = self._told_of(other) | other._told_of(self)  # it may be so of the time before
            return Raced(self._left(other) | other._left(self) | told)
        within = self.within(other) | other.within(self)
        looked_at = (self.reads & other.writes) | (self.writes & other.reads)
        both = {span for span in _in_both(self.spans, other.spans) if span[0][0] not in PASSING}
        if within or any(name[0] != "ring" for name in self.writes & other.writes) or any(name[0] == "vm" for name in looked_at):
            unsure = {*self.writes, *other.writes, *within}
        elif any(name[0] == "lingers" for name in looked_at):
            unsure = {*self.writes, *other.writes}
        elif both:
            unsure = set[Name]()
        else:  # one looked whether it was allowed, and neither leaves anything else
            return Raced()
        return Raced(lasting(unsure), both)

    def _told_of(self, other: Names) -> set[Name]:
        """What this has told of what the other changes. Of a page that may have been lost, one word tells of all that it holds."""
        words = self.tells & other.writes
        pages = {("content", name[1], name[2] >> 9) for name in words if name[0] == "word"}
        return {*words, *(self.tells & pages)}

    def _left(self, other: Names) -> set[Name]:
        """What memory holds that this has seen or changed, if the other may have changed it. An event that only looks at what is
        known leaves the same behind wherever it happened."""
        if not self.writes and not self.tells:
            return set()
        held = {name for name in self.reads | self.writes if name[0] in ("word", "content")}
        if any(name[0] == "vm" for name in other.writes):
            return held
        return (held & other.writes) | {name for name in held if _are_within(other.spans, name)} | self._stored_beside(other)

    def _stored_beside(self, other: Names) -> set[Name]:
        """What a store leaves of its page beside what is in it: whether a slot holds a copy, if the other writes one; whether a
        mark is due, if the other ends a flush."""
        pages = {(name[1], name[2] >> 9) for name in self.writes if name[0] == "word"}
        both = {
            sort: {page for page in pages if (sort, *page) in other.writes or _are_within(other.spans, (sort, *page))}
            for sort in ("touched", "cached")
        }
        return {("page", *page) for page in both["touched"]} | {("marked", *page) for page in both["cached"]}


PASSING = ("cached", "flushes", "lingers", "ring")
"""Names of which nothing is kept that may be wrong after a race."""


def lasting(names: Iterable[Name]) -> set[Name]:
    """Those of which something is kept that may be wrong after a race."""
    return {name for name in names if name[0] not in PASSING}


def _in_both(some: Iterable[Span], others: Iterable[Span]) -> Iterator[Span]:
    """What is in spans of the one kind and of the other."""
    for before, first, last in some:
        for other, start, end in others:
            if before == other and first <= end and start <= last:
                yield before, max(first, start), min(last, end)


@attrs.define
class Raced:
    """What there was a race about: names, and spans of them."""

    names: set[Name] = attrs.field(factory=set)
    spans: set[Span] = attrs.field(factory=set)

    @classmethod
    def of(cls, parts: Iterable[Raced]) -> Raced:
        """All that is in any of these."""
        found = cls()
        for each in parts:
            found.add(each)
        return found

    def has(self, own: Names) -> bool:
        """Whether any of this is what an event looks at or changes. (What a VM's events read of the VM is whether all of it is.)"""
        spans = (*own.spans, *own.looks)
        return (
            not self.names.isdisjoint(own.reads)
            or not self.names.isdisjoint(own.writes)
            or (bool(spans) and any(_are_within(spans, name) for name in self.names))
            or (
                bool(self.spans)
                and (
                    any(True for _ in _in_both(spans, self.spans))
                    or any(_are_within(self.spans, name) for name in own.reads | own.writes)
                )
            )
        )

    def made_of(self, own: Names) -> set[Name]:
        """What an event makes of this. Of what a page holds that is not known for certain, it makes only what pages hold."""
        if not own.writes or not self.has(own):
            return set()
        held = Raced({name for name in self.names if name[0] not in ("word", "content")}, self.spans)
        made = lasting(own.writes)
        return made if held.has(own) else {name for name in made if name[0] == "content"}

    def add(self, other: Raced) -> None:
        self.names |= other.names
        self.spans |= other.spans

    def as_names(self) -> Names:
        return Names(frozenset(), frozenset(self.names), tuple(self.spans))

    def __len__(self) -> int:
        return len(self.names) + len(self.spans)


OF_PAGES = ("page", "word", "content", "marked")
"""Names of what belongs to a VM's pages."""


def _are_within(spans: Iterable[Span], name: Name) -> bool:
    """Whether spans of pages and frames have this name."""
    return any(name[:-1] == before and first <= name[-1] <= last for before, first, last in spans)


NOTHING = frozenset[Name]()
NONE = Names(frozenset(), frozenset())


def names_of(k: Knowledge, event: e.Event) -> Names:
    """What an event looks at and changes, as far as is known: what it names, the frames behind, other pages that lead there, and
    the page that is borrowed."""
    own = set(_named(k, event))
    pages = {name[1:] for name in own if name[0] == "page"}
    pages |= {guest.reached(k, *key) for key in pages}
    frames = {name[1] for name in own if name[0] == "frame"}
    for key in pages:
        frames.update(k.behind.targets.get(key, ()))
        frames.update(reaching.frames_reached(k, key))
    for mfn in frames:
        pages |= reaching.pages_of(k, mfn)
    near = frozenset[Name]({("page", *key) for key in pages} | {("frame", mfn) for mfn in frames})
    vms = frozenset[Name]({("vm", vm) for vm in {event.vm, *(vm for vm, _ in pages)}})
    if isinstance(event, e.FlushBegin):
        return Names(vms, frozenset({("flushes", event.vm), ("lingers", event.vm)}))
    if isinstance(event, e.FlushEnd):
        gfns, spans = _cached(k, event)
        return Names(vms, frozenset({("flushes", event.vm), *(("cached", event.vm, gfn) for gfn in gfns)}), spans)
    vms |= {("cached", *key) for key in pages}
    if isinstance(event, e.WriteBack | e.SwapOut) and event.slot is not None:
        vms |= {("page", *key) for key in reaching.users_of(k, event.slot)}
    words = frozenset(name for name in own if name[0] == "word")
    content = frozenset[Name](("content", *key) for key in pages)
    if isinstance(event, e.Store):
        return Names(near | vms | content, words)
    if isinstance(event, e.DmaWrite):
        return Names(near | vms, content)
    if isinstance(event, e.Balloon):
        return Names(vms, frozenset(), looks=((("page", event.vm), 0, e.LAST_GFN),))
    if isinstance(event, READS):
        return Names(near | words | vms | content, frozenset(), tells=_told(k, event, near, content, words))
    changed = frozenset[Name]() if isinstance(event, TRANSLATIONS) else content
    besides = (
        frozenset[Name](("ring", event.vm, event.ring, part) for part in _parts(k, event))
        if isinstance(event, e.RingPush | e.RingHarvest | e.RingReset | e.RingFull)
        else frozenset[Name]({("paused", event.vm)} if isinstance(event, e.Send) else ())
    )
    looks = tuple(((kind, event.vm), 0, 1 << 64) for kind in OF_PAGES) if isinstance(event, OF_VM) else ()
    if isinstance(event, e.Resume):  # what is there is compared, and stays as it is
        return Names(vms | near | frozenset(own), NOTHING, looks=looks)
    spans = tuple(_spans(event))
    if not isinstance(event, TRANSLATIONS):
        spans += tuple((("content", *before[1:]), first, last) for before, first, last in spans if before[0] == "page")
    return Names(vms | besides, near | frozenset(own) | changed, spans, looks)


def _parts(k: Knowledge, event: e.RingPush | e.RingHarvest | e.RingReset | e.RingFull) -> tuple[str, ...]:
    """What an event looks at of its ring. Where the entry that comes next is not known, it comes after those that are harvested."""
    ring = k.rings.get((event.vm, event.ring))
    unknown = isinstance(event, e.RingPush) and ring is not None and ring.next is None
    return (*RINGS[type(event)][0], *(("harvested",) if unknown else ()))


def _told(k: Knowledge, event: e.Event, near: frozenset[Name], content: frozenset[Name], words: frozenset[Name]) -> frozenset[Name]:
    """What an event that changes nothing may tell."""
    if isinstance(event, e.Load):
        lost = frozenset(name for name in content if (page := k.pages.get(name[1:])) is not None and page.is_reported)
        told = frozenset(word for word in words if not _is_known(k, guest.reached(k, event.vm, word[2] >> 9), word[2] & 0x1FF))
        return lost | told
    if isinstance(event, e.Entry | e.Backed | e.FrameIs):
        return near
    return content if isinstance(event, e.DmaRead | e.Cell) else NOTHING


def _is_known(k: Knowledge, key: tuple[int, int], word: int) -> bool:
    page: Contents = k.pages.get(key) or k.pages[key]
    return page.bits(word * WORD)[1] == FULL


def _cached(k: Knowledge, event: e.FlushEnd) -> tuple[list[int], tuple[Span, ...]]:
    """The pages whose cached translations a flush may forget: some by themselves, and spans of them."""
    assert k.lingering.ranges is not None
    alone = list(k.cached.get(event.vm, ()))
    whose = "cached", event.vm
    spans = [(whose, piece.first, piece.last) for piece in k.lingering.ranges.pieces.get(event.vm, ()) if piece.value]
    if len(alone) > MANY:
        return [], ((whose, min(alone), max(alone)), *spans)
    return alone, tuple(spans)


def are_cached(k: Knowledge, names: Names) -> bool:
    """Whether a page that is changed has translations that were taken away and may be cached: a flush does something to it."""
    return any(name[0] == "page" and bool(k.lingering.told(name[1:])) for name in names.writes)


def _named(k: Knowledge, event: e.Event) -> Iterator[Name]:
    """What an event names, but for spans."""
    if isinstance(event, OF_VM):
        yield "vm", event.vm
    elif isinstance(event, e.SlotAdd):
        yield "slot", event.vm, event.slot
    elif isinstance(event, e.Pages):
        yield from (("page", event.vm, gfn) for gfn in _few(event))
    elif isinstance(event, e.Page):
        yield "page", event.vm, event.gfn
    elif isinstance(event, e.Load | e.Store | e.DmaRead | e.DmaWrite | e.Hole | e.Mmio | e.Exit | e.Cell):
        last = event.gpa + getattr(event, "size", 8) - 1
        yield from (("page", event.vm, gfn) for gfn in range(event.gpa >> 12, (last >> 12) + 1))
        if isinstance(event, e.Load | e.Store | e.Cell) or (isinstance(event, e.DmaRead) and event.value is not None):
            yield from _words(k, event.vm, event.gpa >> 3, last >> 3)
    for field in ("mfn", "to_mfn"):
        mfn = getattr(event, field, None)
        if mfn is not None and _number(event) <= MANY:
            yield from (("frame", mfn + by) for by in range(_number(event)))
    yield from _also(k, event)


def _few(event: e.Page) -> Iterable[int]:
    """The pages that an event is about; none if they are many."""
    if not isinstance(event, e.Pages):
        return (event.gfn,)
    return (gfn for first, last in event.runs() for gfn in range(first, last + 1)) if _number(event) <= MANY else ()


def _words(k: Knowledge, vm: int, first: int, last: int) -> Iterator[Name]:
    """Words of memory. One of a page that is borrowed is its owner's too."""
    for word in range(first, last + 1):
        yield "word", vm, word
        owner, gfn = guest.reached(k, vm, word >> 9)
        if (owner, gfn) != (vm, word >> 9):
            yield "word", owner, gfn << 9 | word & 0x1FF


def _also(k: Knowledge, event: e.Event) -> Iterator[Name]:
    """The second page that an event names, or its ring and the pages in that."""
    if isinstance(event, e.Share):
        yield "page", event.with_vm, event.with_gfn
    elif isinstance(event, e.Grant | e.Revoke):
        yield "page", event.to_vm, event.to_gfn
    elif isinstance(event, e.Alias):
        yield "page", event.vm, event.of_gfn
    elif isinstance(event, TOUCHED):
        yield from (("touched", event.vm, gfn) for gfn in _few(event))
    elif isinstance(event, e.Pause | e.Unpause):
        yield "paused", event.vm
    elif isinstance(event, e.VmDestroyed):
        yield from (("ring", *ring, part) for ring in sorted(k.rings) if ring[0] == event.vm for part in PARTS)
    elif isinstance(event, e.RingPush | e.RingHarvest | e.RingReset | e.RingFull):
        yield from (("ring", event.vm, event.ring, part) for part in RINGS[type(event)][1])
        if isinstance(event, e.RingPush):
            yield "page", event.vm, event.gfn
        elif isinstance(event, e.RingHarvest | e.RingReset) and (ring := k.rings.get((event.vm, event.ring))) is not None:
            yield from (("page", event.vm, gfn) for index, gfn in ring.entries.items() if index < event.end)


def _spans(event: e.Event) -> Iterator[Span]:
    """The many pages and frames that an event is about."""
    number = _number(event)
    if isinstance(event, e.SlotAdd) or (number > MANY and isinstance(event, e.Page)):
        yield ("page", event.vm), event.gfn, event.gfn + number - 1
        if isinstance(event, TOUCHED):
            yield ("touched", event.vm), event.gfn, event.gfn + number - 1
    elif isinstance(event, e.Ram):
        yield ("page", event.vm), event.gpa >> 12, event.gpa + event.bytes >> 12
    for field in ("mfn", "to_mfn"):
        mfn = getattr(event, field, None)
        if mfn is not None and number > MANY:
            yield ("frame",), mfn, mfn + number - 1


def _number(event: e.Event) -> int:
    """How many pages, or frames, an event may be about."""
    if isinstance(event, e.Pages) and event.bits is not None:
        return 4 * len(event.bits)
    pages: int = getattr(event, "pages", None) or 1
    level: int = getattr(event, "level", 1)
    return max(pages, 1 << 9 * (level - 1))
