"""What is known of a monitor at one point of its trace, and what the laws say of it.

An implementation does not say everything. A table entry of which nothing was said is *open*: any value that makes the run lawful
will do. So what is kept is one partly filled state, which stands for the set of all lawful states that agree with it; a law that
looks at an open entry is not broken. That set may be larger than it need be, since connections between open entries are not
kept. So nothing that is lawful is ever rejected, and something unlawful may be accepted where too little was said.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from refmodel.language import Law, outline
from refmodel.language.asking import answering
from refmodel.language.kinds import NOTHING, NameKind
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2mEntry
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Event
from refmodel.oracle.trace.observed import COUNTS, STATES, STEPS, TRANSLATIONS, Judged
from refmodel.oracle.trace.tables import Before, Counting, Key, Known, Open, Pages, Relation

OUTLINE = outline(Judged)
LOOKED_AT = {law: OUTLINE.reads(law) for law in OUTLINE.laws}
"""By law: the tables that it looks at."""
CONTENTS = ("memory", "bare_memory", "swap", "destination")
WATCHED = ("p2m", "sent", "grants", "bare_memory", "derived", "tracked")
"""Tables that say which accesses have to be looked into."""
CALM = (Sent.MARKED, Sent.TAKEN, None)
"""How far on its way a page may be, for a store to it to be of no interest to the dirty log."""


class Lingering(NamedTuple):
    """A translation that was taken away and may still be cached, and when it was."""

    derived: Any
    since: int
    protects: bool = False
    """Whether only the right to write was taken."""


class About(NamedTuple):
    """What an event concerns: the names for which the laws are asked."""

    pages: frozenset[Key] = frozenset()
    frames: frozenset[int] = frozenset()
    slots: frozenset[int] = frozenset()
    actor: int = NOTHING
    """The VM whose own step it is."""
    counts: bool = False
    """Whether it says what the implementation counted."""


class Knowledge:
    """The state as far as it is known."""

    def __init__(self) -> None:
        nobody: Callable[..., None] = lambda *what: None  # noqa: E731
        self.effect = self.load = self.store = self.store_to_table = nobody
        """What events hand themselves to."""
        self.silent: frozenset[str] = frozenset()
        self.silent_fills = False
        """Whether events of the silent kinds change what a guest finds in its memory."""
        self.flushes_told = False
        self.start(closed=False)

    def start(self, closed: bool) -> None:
        """Begin anew: knowing that nothing has happened yet (``closed``), or knowing nothing."""
        self.journal: list[tuple[Known, Any, Any]] = []
        self.state = OUTLINE.blank()
        self.tables: dict[str, Known] = {}
        for kind in OUTLINE.tables:
            cls = Pages if kind.name in CONTENTS else Known
            default = Contents() if cls is Pages else kind.value.default()
            self.tables[kind.name] = cls(kind.name, default, closed, self.journal)
            setattr(self.state, kind.name, self.tables[kind.name])
        self.pages: Known = self.tables["bare_memory"]
        self.lingering = Known("lingering", (), True, self.journal)
        """By page: the translations that may still be cached."""
        self.behind = Relation()
        """By frame: the pages that it stands behind."""
        self.reached = Relation()
        """By frame: the pages whose translations lead there, or may still be cached."""
        self.borrowers = Relation()
        """By page: the pages as which it is borrowed."""
        self.mapping: set[int] = set()
        """The VMs of which translations are reported."""
        self.emulated: dict[tuple[int, int], tuple[int, bool]] = {}
        """By VM and CPU: the page of the last access that exited, and whether it was a store. The monitor may carry it out."""
        self.time = 0
        self.flushed: dict[int, int] = {}
        """By VM: when the flush under way began."""
        self.rams: list[tuple[int, int, int]] = []
        """Memory of zeroes that is there from the start: VM, first page, last page."""
        self.processors: dict[tuple[int, int], Any] = {}
        """By VM and CPU: registers, and what it may remember."""
        self.table_pages: dict[Key, int] = {}
        """The pages that are tables of guests', and the level of each."""

    # ------------------------------------------------------------ pages

    def page(self, vm: int, gfn: int) -> Contents:
        """What is known of a page's contents, kept from now on."""
        page: Contents | None = self.pages.get((vm, gfn))
        if page is None:
            page = Contents(zeroed=any(v == vm and first <= gfn <= last for v, first, last in self.rams))
            dict.__setitem__(self.pages, (vm, gfn), page)
            self.look((vm, gfn))
        return page

    def backing(self, key: Key) -> P2mEntry | None:
        """Where a page is, if that is known."""
        entry: P2mEntry | None = self.state.p2m.find(key)
        return entry

    def look(self, key: Key) -> None:
        """Find out anew which accesses to a page have to be looked into."""
        page = self.pages.get(key)
        if page is not None:
            derived = self.tables["derived"].get(key)
            page.shut = derived is not None and not derived.present and key[0] in self.mapping
            page.plain = not self.watched(key)

    def watched(self, key: Key) -> bool:
        """Whether a store to a page has to be looked into."""
        entry, derived = self.backing(key), self.tables["derived"].get(key)
        if derived is not None and not derived.writable and key[0] in self.mapping:
            return True
        if key in self.state.grants or key in self.borrowers.holders or key in self.table_pages:
            return True
        return entry is not None and not (entry.mapped and entry.writable and self.state.sent.find(key) in CALM)

    def bounded(self, most: int) -> bool:
        """Keep memory bounded: if more than so many words are known, those of the pages seen first are forgotten."""
        total = sum(len(page.words) for page in self.pages.values())
        if total <= most:
            return False
        for page in self.pages.values():
            total -= len(page.words)
            page.words.clear()
            page.zeroed = False
            if total <= most // 2:
                break
        return True

    # ------------------------------------------------------------ one event

    @contextlib.contextmanager
    def judging(self, about: About) -> Iterator[None]:
        """Within this the state is changed, after it the laws are asked. If one is broken, nothing has changed."""
        self.journal.clear()
        self.time += 1
        try:
            with answering(Counting()):
                yield
                self._related()
                broken = self._broken(about)
                if broken is not None and self.silent:
                    self.open(about)
                    broken = self._broken(about)
                if broken is not None:
                    raise broken
        except BaseException:
            self.undo()
            raise

    def try_out(self, event: Event) -> bool:
        """Whether an event would be lawful now. Nothing has changed afterwards."""
        flushed = dict(self.flushed)
        self.journal.clear()
        try:
            self.effect(event)
        except (Deviates, Inconsistent):
            return False
        finally:
            self.undo()
            self.flushed = flushed
        return True

    def undo(self) -> None:
        """The last event has not happened."""
        for table, key, old in reversed(self.journal):
            if old is Open:
                dict.pop(table, key, None)
            else:
                dict.__setitem__(table, key, old)
        self._related()
        self.journal.clear()

    def _related(self) -> None:
        """Keep what is made of the tables in step with them."""
        changed = {(table.name, key) for table, key, _ in self.journal}
        for table, key in changed:
            if table == "p2m":
                entry = self.tables[table].get(key)
                self.behind.put(key, [entry.mfn] if entry is not None and entry.resident else [])
            elif table in ("derived", "borrowed", "lingering"):
                self.reached.put(key, [derived.mfn for derived in self.translations(key)])
            elif table == "grants":
                grant = self.tables[table].get(key)
                self.borrowers.put(key, [(grant.vm, grant.gfn)] if grant is not None and grant.present else [])
        for table, key in changed:
            for each in (key, *self._lender(key)) if table in WATCHED else ():
                self.look(each)

    def _lender(self, key: Key) -> list[Key]:
        grant = self.tables["grants"].get(key)
        return [] if grant is None else [(grant.vm, grant.gfn)]

    def translations(self, key: Key) -> list[Any]:
        """The translations of a page that are installed, or may still be cached."""
        installed = [self.tables[name].get(key) for name in ("derived", "borrowed")]
        return [d for d in [*installed, *(each.derived for each in self.lingering[key])] if d is not None and d.present]

    # ------------------------------------------------------------ what the laws say

    def _broken(self, about: About) -> Deviates | None:
        """The first law that is broken now. A law that held, and looks at nothing that has changed, holds."""
        changed = {table.name for table, _, _ in self.journal}
        about = self._wider(about)
        before = self._before()
        for law in (*(COUNTS if about.counts else ()), *STATES, *STEPS):
            if LOOKED_AT[law] & changed:
                for names in _instances(law, about):
                    if not self.holds(law, names, {"before": before, "actor": about.actor}):
                        return deviates(law, names)
        for key in about.pages:
            found = self._translations_broken(key)
            if found is not None:
                return found
        return None

    def _wider(self, about: About) -> About:
        """The names that an event concerns though it does not mention them."""
        frames = {key for table, key, _ in self.journal if table.name == "frames"}
        pages = set(about.pages).union(*(relation.of(mfn) for mfn in frames for relation in (self.behind, self.reached)))
        pages = pages.union(*(self.borrowers.of(page) for page in pages))
        return about._replace(pages=frozenset(pages), frames=about.frames | frames)

    def _translations_broken(self, key: Key) -> Deviates | None:
        """The laws about translations, for the installed one and for each that may still be cached."""
        table = self.tables["derived"]
        installed = table.get(key)
        for cached, derived in [(False, installed), *((True, each.derived) for each in self.lingering[key])]:
            if derived is None:
                continue
            dict.__setitem__(table, key, derived)
            law = next((law for law in TRANSLATIONS if not self.holds(law, key, {})), None)
            if installed is None:
                dict.pop(table, key)
            else:
                dict.__setitem__(table, key, installed)
            if law is not None:
                return deviates(law, key, "it was taken away, but no flush that began afterwards has ended" if cached else "")
        return None

    def holds(self, law: Law, names: Sequence[int], given: Mapping[str, Any]) -> bool:
        try:
            return bool(law.function(self.state, *law.arguments(dict(given), names)))
        except Open:
            return True

    def _before(self) -> Any:
        """The state before the event."""
        state = OUTLINE.blank()
        were: dict[str, Before] = {}
        for table, key, old in reversed(self.journal):
            were.setdefault(table.name, Before(table)).remember(key, old)
        for name, table in self.tables.items():
            setattr(state, name, were.get(name, table))
        return state

    def open(self, about: About) -> None:
        """Things may have happened to all this that were not told."""
        frames = set(about.frames)
        for key in about.pages:
            entry = self.tables["p2m"].get(key)
            frames |= {entry.mfn} if entry is not None and entry.resident else set()
            for name in ("p2m", "derived", "borrowed", "sent", "tracked"):
                self.tables[name].forget(key)
        for mfn in frames:
            self.tables["frames"].forget(mfn)
            for key in {*self.behind.of(mfn), *self.reached.of(mfn)}:
                self.tables["p2m"].forget(key)
                self.tables["derived"].forget(key)
                self.lingering[key] = ()
        if self.silent_fills:
            for mfn in frames:
                self.tables["memory"].forget(mfn)
            for slot in about.slots:
                self.tables["swap"].forget(slot)
            for key in about.pages:
                self.open_contents(key)
        self._related()

    def open_contents(self, key: Key) -> None:
        """Nothing is known any more of what a page holds, nor of copies of it."""
        entry, new = self.backing(key), Contents()
        for table in ("bare_memory", "destination"):
            self.tables[table].forget(key)
        self.tables["bare_memory"][key] = new
        if entry is not None and entry.slot != NOTHING:
            self.tables["swap"].forget(entry.slot)
        if entry is not None and entry.resident:
            frame = self.tables["frames"].find(entry.mfn)
            self.tables["memory"][entry.mfn] = new if frame is not None and frame.use == Use.PRIVATE else Contents()

    def unless_silent(self, found: Deviates, about: About, contents: bool = False) -> None:
        """Raise this, unless something that was not told may explain it: then what it concerns is open. ``contents``: it is about
        what pages hold."""
        if not (self.silent_fills if contents else self.silent):
            raise found
        self.open(about)


def _instances(law: Law, about: About) -> Iterable[tuple[int, ...]]:
    """The names for which a law is asked."""
    sorts = tuple(kind.sort for _, kind in law.names if isinstance(kind, NameKind))
    if sorts == ("Vm", "Gfn"):
        return sorted(about.pages)
    of = {"Mfn": about.frames, "Slot": about.slots, "Vm": {vm for vm, _ in about.pages}}
    return itertools.product(*(sorted(of[sort]) for sort in sorts))


def deviates(law: Law, names: Sequence[int] = (), why: str = "") -> Deviates:
    """A law is broken for these names."""
    said = ", ".join(f"{name} {value:#x}" if name in ("gfn", "mfn") else f"{name} {value}"
                     for (name, _), value in zip(law.names, names, strict=False))
    found = Deviates(law.clause, law.name, law.sentence, why=": ".join(filter(None, [f"for {said}" if said else "", why])))
    found.names = tuple((name, value) for (name, _), value in zip(law.names, names, strict=False))
    return found
