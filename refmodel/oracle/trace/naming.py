"""What an event is about, as far as its order among events of other CPUs matters: pages, frames, words, rings, VMs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import attrs

from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import guest
from refmodel.oracle.trace.knowledge import Knowledge

Name: TypeAlias = tuple[Any, ...]
"""A page (``("page", vm, gfn)``), ``("frame", mfn)``, ``("word", vm, address / 8)``, ``("ring", vm, ring)``; of all of a VM,
``("flush", vm)``, ``("lingers", vm)`` (what a flush forgets) and ``("vm", vm)``; ``("content", vm, gfn)``, what a page holds."""
Span: TypeAlias = tuple[Name, int, int]
"""Names that follow each other: what comes before the number, and the first and last number."""
MANY = 64
"""Of more pages than these, an event names a span."""
READS = (e.Load, e.DmaRead, e.Hole, e.Mmio, e.Exit, e.Entry, e.Backed, e.FrameIs, e.Cell)
"""Events that change nothing, but that what they say is known."""
TRANSLATIONS = (e.Map, e.Unmap, e.Protect, e.Unprotect, e.Track, e.Untrack, e.Split, e.DmaMap, e.DmaUnmap, e.Mark, e.TakeMark,
                e.RingPush, e.RingHarvest, e.RingReset, e.RingFull)
"""Events that leave alone what pages hold."""
OF_VM = (e.Linear, e.Registers, e.Invlpg, e.Invpcid, e.SlotMove, e.SlotDelete, e.VmDestroyed, e.Resume, e.Cancelled, e.Balloon)
"""Events that are taken to be about a whole VM."""


class Names(NamedTuple):
    """What an event looks at, and what it changes."""

    reads: frozenset[Name]
    writes: frozenset[Name]
    spans: tuple[Span, ...] = ()
    """What it changes besides."""

    def race(self, other: Names) -> bool:
        """Whether it matters in which order the two happened."""
        return bool(not self.writes.isdisjoint(other.writes) or not self.writes.isdisjoint(other.reads)
                    or not self.reads.isdisjoint(other.writes) or self.within(other) or other.within(self)
                    or any(one[0] == two[0] and one[1] <= two[2] and two[1] <= one[2] for one in self.spans for two in other.spans))

    def within(self, other: Names) -> set[Name]:
        """What this names that the other names in a span."""
        return {name for before, first, last in other.spans for name in self.reads | self.writes
                if name[:-1] == before and first <= name[-1] <= last}

    def unsure(self, other: Names) -> Raced:
        """What is not known for certain after both, since their order matters for what they leave."""
        within = self.within(other) | other.within(self)
        written = self.writes & other.writes
        looked_at = (self.reads & other.writes) | (self.writes & other.reads)
        unsure = {*self.writes, *other.writes, *within}
        if within or any(name[0] != "ring" for name in written) or any(name[0] in ("vm", "word", "content") for name in looked_at):
            unsure |= {name for name in looked_at if name[0] == "word"}
        elif any(name[0] == "lingers" for name in looked_at):
            unsure = {name for name in unsure if name[0] != "word"}
        else:  # one looked whether it was allowed, and neither leaves anything else
            unsure = set()
        return Raced({name for name in unsure if name[0] not in ("flush", "lingers", "ring")},
                     set(_in_both(self.spans, other.spans)))


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

    def has(self, own: Names) -> bool:
        """Whether any of this is what an event looks at or changes. (What a VM's events read of the VM is whether all of it is.)"""
        return (not self.names.isdisjoint(own.reads) or not self.names.isdisjoint(own.writes)
                or (bool(own.spans) and any(_are_within(own.spans, name) for name in self.names))
                or (bool(self.spans) and (any(True for _ in _in_both(own.spans, self.spans))
                                          or any(_are_within(self.spans, name) for name in own.reads | own.writes))))

    def add(self, other: Raced) -> None:
        self.names |= other.names
        self.spans |= other.spans

    def forget(self, own: Names) -> None:
        """Nothing is relied on any more that is known of these."""
        vms = {name[1] for name in own.writes if name[0] == "vm"}
        looked_at = {name for name in own.reads if name[0] != "vm"}
        self.names = {name for name in self.names - looked_at - own.writes
                      if not (_are_within(own.spans, name) or (name[0] in OF_PAGES and name[1] in vms))}
        self.spans = {(before, first, last) for before, first, last in self.spans
                      if not (before[0] == "page" and before[1] in vms) and not any(
                          before == other and start <= first and last <= end for other, start, end in own.spans)}

    def clear(self) -> None:
        self.names.clear()
        self.spans.clear()

    def __len__(self) -> int:
        return len(self.names) + len(self.spans)


OF_PAGES = ("page", "word", "content")
"""Names of what belongs to a VM's pages."""


def _are_within(spans: Iterable[Span], name: Name) -> bool:
    """Whether spans of pages and frames have this name."""
    return any(name[:-1] == before and first <= name[-1] <= last for before, first, last in spans)


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
        frames.update(k.reached.targets.get(key, ()))
    for mfn in frames:
        pages |= k.pages_of(mfn)
    near = frozenset[Name]({("page", *key) for key in pages} | {("frame", mfn) for mfn in frames})
    vms = frozenset[Name]({(kind, vm) for vm in {event.vm, *(vm for vm, _ in pages)} for kind in ("vm", "flush")})
    if isinstance(event, e.FlushBegin | e.FlushEnd):
        return Names(frozenset({("vm", event.vm)}), frozenset({("flush", event.vm), ("lingers", event.vm)}))
    words = frozenset(name for name in own if name[0] == "word")
    content = frozenset[Name](("content", *key) for key in pages)
    if isinstance(event, e.Store):
        return Names(near | vms | content, words)
    if isinstance(event, READS):
        return Names(near | words | vms | content, frozenset())
    changed = frozenset[Name]() if isinstance(event, TRANSLATIONS) else content
    return Names(vms, near | frozenset(own) | changed, tuple(_spans(event)))


def are_cached(k: Knowledge, names: Names) -> bool:
    """Whether a page that is changed has translations that were taken away and may be cached: a flush does something to it."""
    return any(name[0] == "page" and bool(k.lingering.told(name[1:])) for name in names.writes)


def _named(k: Knowledge, event: e.Event) -> Iterator[Name]:
    """What an event names, but for spans."""
    if isinstance(event, OF_VM):
        yield "vm", event.vm
    elif isinstance(event, e.Pages):
        if _number(event) <= MANY:
            yield from (("page", event.vm, gfn) for first, last in event.runs() for gfn in range(first, last + 1))
    elif isinstance(event, e.Page):
        yield "page", event.vm, event.gfn
    elif isinstance(event, e.Load | e.Store | e.DmaRead | e.DmaWrite | e.Hole | e.Mmio | e.Exit | e.Cell):
        last = event.gpa + getattr(event, "size", 8) - 1
        yield from (("page", event.vm, gfn) for gfn in range(event.gpa >> 12, (last >> 12) + 1))
        if isinstance(event, e.Load | e.Store):
            yield from _words(k, event.vm, event.gpa >> 3, last >> 3)
    for field in ("mfn", "to_mfn"):
        mfn = getattr(event, field, None)
        if mfn is not None and _number(event) <= MANY:
            yield from (("frame", mfn + by) for by in range(_number(event)))
    yield from _also(k, event)


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
    elif isinstance(event, e.RingPush | e.RingHarvest | e.RingReset | e.RingFull):
        yield "ring", event.vm, event.ring
        if isinstance(event, e.RingPush):
            yield "page", event.vm, event.gfn
        elif isinstance(event, e.RingHarvest | e.RingReset) and (ring := k.rings.get((event.vm, event.ring))) is not None:
            yield from (("page", event.vm, gfn) for index, gfn in ring.entries.items() if index < event.end)


def _spans(event: e.Event) -> Iterator[Span]:
    """The many pages and frames that an event is about."""
    number = _number(event)
    if isinstance(event, e.SlotAdd) or (number > MANY and isinstance(event, e.Page)):
        yield ("page", event.vm), event.gfn, event.gfn + number - 1
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
