"""What the laws say of what is known, after an event: those that look at what has changed, asked for the names concerned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from refmodel.language import Law
from refmodel.language.tables import NOTHING
from refmodel.laws import isolation
from refmodel.mmu.contract import Derived
from refmodel.monitor.frames import Frame, Use
from refmodel.oracle.trace import reaching
from refmodel.oracle.trace.concerned import OUTLINE, changes, looks_at_translations, plan
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.flushes import why_not
from refmodel.oracle.trace.observed import BORROWED, TRANSLATIONS
from refmodel.oracle.trace.tables import Before, Key, Known, Open, Stretch

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

STALE = "it was taken away, but no flush of it that began afterwards has ended"
MAY_STILL_WRITE = "a translation that lets write to it may still be cached"
BY_DEVICES = "the IOMMU lets devices reach it"
"""Which translation of a page breaks a law, where it is not the installed one."""


class About(NamedTuple):
    """What an event concerns: the names for which the laws are asked."""

    pages: frozenset[Key] = frozenset()
    frames: frozenset[int] = frozenset()
    slots: frozenset[int] = frozenset()
    actor: int = NOTHING
    """The VM whose own step it is."""
    counts: bool = False
    """Whether it says what the implementation counted."""


def broken(k: Knowledge, about: About) -> Deviates | None:
    """The first law that is broken now."""
    changed = changes(k.recent())
    if not changed and not about.counts:
        return None
    counted, about = about, wider(k, about)
    asked = plan(changed, about.counts, k.marks_late)
    before: Any = None
    pages = _in_order(about.pages)
    state, answers, actor = k.state, k.answers, about.actor
    for law, sort, call, of_step, counts in asked:
        names: Any
        for names in pages if sort == "page" else _named(counted if counts else about, sort):
            if of_step and before is None:
                before = _before(k)
            if counts:
                answers.among = reaching.pages_of(k, names[0]) if sort == "frame" else None
            try:
                if not (call(state, before, actor, *names) if of_step else call(state, *names)):
                    return deviates(law, names, _cached_writes(k, names) if sort == "page" else "")
            except Open:
                continue
    if looks_at_translations(changed):
        for key in pages:
            found = _translations_broken(k, key)
            if found is not None:
                return found
    return None


def _named(about: About, sort: str) -> list[tuple[int]]:
    found = about.frames if sort == "frame" else about.slots if sort == "slot" else {vm for vm, _ in about.pages}
    return [(name,) for name in _in_order(found)]


def _in_order(names: Iterable[Any]) -> list[Any]:
    found = list(names)
    if len(found) > 1:
        found.sort()
    return found


def wider(k: Knowledge, about: About) -> About:
    """The names that an event concerns though it does not mention them."""
    changed = [(key, was) for table, key, was in k.recent() if table.name == "frames" and type(key) is not Stretch]
    if not changed and not k.borrowers.holders:
        return about
    pages, frames = set(about.pages), [mfn for mfn, _ in changed]
    for mfn, was in changed:
        if not _is_only_counted_otherwise(was, k.state.frames.find(mfn)):
            pages |= reaching.pages_of(k, mfn)
    if k.borrowers.holders:
        owners = {owner for page in pages for owner in k.borrowers.targets.get(page, ())}
        pages = pages.union(owners, *(k.borrowers.of(page) for page in pages))
    return About(frozenset(pages), about.frames.union(frames), about.slots, about.actor, about.counts)


def _is_only_counted_otherwise(was: Any, now: Any) -> bool:
    """Whether nothing but a frame's number of references has changed, at which no law about a page looks: thousands of pages may
    share a frame, and are not all asked about again when one more does."""
    return type(was) is type(now) is Frame and attrs.evolve(was, references=now.references) == now


def _translations_broken(k: Knowledge, key: Key) -> Deviates | None:
    """The laws about translations, for the installed one, for a device's, and for each that may still be cached."""
    table = k.tables["derived"]
    installed, dma, lingering = table.told(key), k.tables["dma"].told(key), k.lingering[key]
    if installed is not None and (law := _wrong(k, key)) is not None:
        return deviates(law, key)
    if (why := _leads_to_anothers(k, key, installed)) is not None:
        return deviates(isolation.a_backing_frame_is_owned_or_shared, key, why)
    for each in lingering:
        if (law := _cached_wrong(k, key, each.derived)) is not None:
            return deviates(law, key, _stale(k, key, STALE, each.since))
    if dma is not None and (law := _device_wrong(k, key, dma)) is not None:
        return deviates(law, key, BY_DEVICES)
    return None


def _leads_to_anothers(k: Knowledge, key: Key, installed: Derived | None) -> str | None:
    """Why it cannot be lawful, wherever a page is of which that is not known: a translation leads to the own frame of another
    page. Nothing if none does."""
    if key in k.lent or k.borrowers.targets.get(key) or k.backing(key) is not None:
        return None
    for derived, how in (
        (installed, ""),
        (k.tables["dma"].told(key), BY_DEVICES),
        *((each.derived, _stale(k, key, STALE, each.since)) for each in k.lingering[key]),
    ):
        if derived is None or not derived.present:
            continue
        frame = k.state.frames.find(derived.mfn)
        if frame is not None and frame.use == Use.PRIVATE and (frame.vm, frame.gfn) != key:
            whose = f"mfn {derived.mfn:#x} is the own frame of vm {frame.vm}, gfn {frame.gfn:#x}"
            return "; ".join(filter(None, [whose, how]))
    return None


def _stale(k: Knowledge, key: Key, what: str, since: int) -> str:
    """Why a translation may be cached."""
    return "; ".join(filter(None, [what, why_not(k.flushes_ended, *key, since)]))


def _cached_writes(k: Knowledge, key: Key) -> str:
    """Whether a page may be written to only because a translation may be cached that was taken away."""
    entry, installed = k.backing(key), k.tables["derived"].told(key)
    cached = [each for each in k.lingering[key] if each.derived.writable]
    if not cached or entry is None or not entry.writable or installed is None or installed.writable:
        return ""
    return _stale(k, key, f"{MAY_STILL_WRITE}: {STALE}", cached[-1].since)


def _device_wrong(k: Knowledge, key: Key, dma: Derived) -> Law | None:
    """What is wrong with what the IOMMU maps. A page that is borrowed leads its borrower's devices where the grant says."""
    table, grant = k.tables["derived"], k.tables["grants"].told(key)
    for_reading = Derived(dma.present, dma.mfn)  # the IOMMU lets devices write to what is logged or tracked
    found: Law | None = with_translation(table, key, dma, lambda: _wrong(k, key, TRANSLATIONS[:2]))
    if grant is None or not grant.present:
        return with_translation(table, key, for_reading, lambda: _wrong(k, key)) or found
    if dma.writable and not grant.writable:
        return BORROWED[0]
    return with_translation(k.tables["borrowed"], key, for_reading, lambda: _wrong(k, key, BORROWED)) or found


def _cached_wrong(k: Knowledge, key: Key, cached: Derived) -> Law | None:
    """What is wrong with a translation that may still be cached. As long as the page is borrowed, it may be the borrower's."""
    law: Law | None = with_translation(k.tables["derived"], key, cached, lambda: _wrong(k, key))
    grant = k.tables["grants"].told(key)
    if law is None or grant is None or not grant.present:
        return law
    borrowed: Law | None = with_translation(k.tables["borrowed"], key, cached, lambda: _wrong(k, key, BORROWED))
    return borrowed


def _wrong(k: Knowledge, key: Key, laws: tuple[Law, ...] = TRANSLATIONS) -> Law | None:
    return next((law for law in laws if not holds(k, law, key)), None)


def with_translation(table: Known, key: Key, derived: Any, ask: Callable[[], Any]) -> Any:
    """An answer, as it would be if this were the translation."""
    stored = table.get(key)
    dict.__setitem__(table, key, derived)
    try:
        return ask()
    finally:
        if stored is None:
            dict.pop(table, key)
        else:
            dict.__setitem__(table, key, stored)


def holds(k: Knowledge, law: Law, names: Sequence[int]) -> bool:
    """Whether a law about a state holds for these names, or may."""
    try:
        return bool(law.function(k.state, *names))
    except Open:
        return True


def _before(k: Knowledge) -> Any:
    """The state before the event."""
    state = OUTLINE.blank()
    state.__dict__.update(k.tables)
    were: dict[str, Before] = {}
    for table, key, old in reversed(k.recent()):
        if type(key) is not Stretch:
            before = were.get(table.name)
            if before is None:
                before = were[table.name] = Before(table)
            before.remember(key, old)
    state.__dict__.update(were)
    return state


def deviates(law: Law, names: Sequence[int] = (), why: str = "") -> Deviates:
    """A law is broken for these names."""
    said = ", ".join(
        f"{name} {value:#x}" if name in ("gfn", "mfn") else f"{name} {value}"
        for (name, _), value in zip(law.names, names, strict=False)
    )
    found = Deviates(law.clause, law.name, law.sentence, why=": ".join(filter(None, [f"for {said}" if said else "", why])))
    found.names = tuple((name, value) for (name, _), value in zip(law.names, names, strict=False))
    return found
