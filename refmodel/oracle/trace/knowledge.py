"""What is known of a monitor at one point of its trace, and what the laws say of it.

An implementation does not say everything. A table entry of which nothing was said is *open*: any value that makes the run lawful
will do. So what is kept is one partly filled state, which stands for the set of all lawful states that agree with it; a law that
looks at an open entry is not broken. That set may be larger than it need be, since connections between open entries are not
kept. So nothing that is lawful is ever rejected, and something unlawful may be accepted where too little was said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2mEntry
from refmodel.oracle.trace import ballooned, reaching, shapes
from refmodel.oracle.trace.concerned import OUTLINE
from refmodel.oracle.trace.contents import Contents, Reported, lost_perhaps
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Event
from refmodel.oracle.trace.exits import Exited, LastRanges, Mapped
from refmodel.oracle.trace.flushes import MOST_ENDED, Ended, Flush
from refmodel.oracle.trace.holding import About, deviates, holds
from refmodel.oracle.trace.judging import Judging
from refmodel.oracle.trace.memory_slots import MemorySlots
from refmodel.oracle.trace.ranges import Mentioned
from refmodel.oracle.trace.swap_cache import SwapCache
from refmodel.oracle.trace.tables import Counting, Journal, Key, Known, Open, Pages, Relation, Stretch

CONTENTS = ("memory", "bare_memory", "swap", "destination")
BY_PAGE = (
    "p2m",
    "derived",
    "borrowed",
    "dma",
    "executable",
    "private",
    "tracked",
    "sent",
    "marks_told",
    "plugged",
    "bare_memory",
    "destination",
    "grants",
    "lingering",
)
"""Tables that say something of each page of a VM's."""
INSTALLED = ("derived", "borrowed", "dma")
"""Tables that hold translations that are installed."""
TRANSLATING = frozenset({*INSTALLED, "lingering"})
"""Tables that hold translations."""
WATCHED = frozenset({"p2m", "plugged", "sent", "grants", "bare_memory", "derived", "tracked"})
"""Tables that say which accesses have to be looked into."""
ASKED_OFTEN = ("p2m", "derived", "plugged", "sent")
"""Tables that most events look at."""
RELATED = WATCHED | TRANSLATING | {"slots"}
CALM = (Sent.MARKED, Sent.TAKEN, None)
"""How far on its way a page may be, for a store to it to be of no interest to the dirty log."""


class Lingering(NamedTuple):
    """A translation that was taken away and may still be cached, and when it was. One that is not present stands for any: which
    there was is not known."""

    derived: Any
    since: int
    protects: bool = False
    """Whether only the right to write was taken."""


class Knowledge:
    """The state as far as it is known."""

    def __init__(self, may_step: bool = False) -> None:
        nobody: Callable[..., None] = lambda *what: None  # noqa: E731
        self.effect = self.load = self.store = self.judged = nobody
        """What events hand themselves to."""
        self.store_to_table = self.seen_in_table = self.table_changed = self.tables_elsewhere = nobody
        """What is told of tables of guests'."""
        self.taken: Callable[..., None] = nobody
        """What judges something about one page by what it came to for others of its shape."""
        self.may_step = may_step
        self.by_step = False
        """Whether events about one page may be judged by what they came to for pages of its shape (``steps``), and are."""
        self.judging_class: type[Judging] = Judging
        self.keeps_what_breaks = False
        """Whether an event that breaks a law has happened all the same: for those who want to see the state after it."""
        self.silent: frozenset[str] = frozenset()
        self.silent_fills = False
        """Whether events of the silent kinds change what a guest finds in its memory."""
        self.silent_changes: frozenset[str] = frozenset()
        """The tables that events of the silent kinds change."""
        self.silent_moves_few = False
        """Whether events of the silent kinds move few pages (``silence``)."""
        self.flushes_told = False
        self.marks_late = False
        """Whether the dirty log may note a store after it has happened."""
        self.believed = 0
        """Loads and dumps of words of which nothing was known, and events whose bitmap names no page."""
        self.unheld = 0
        """Accesses by linear address that may have ended in any way, as far as is known."""
        self.looked_at = 0
        """Pages that were looked at since an access may have stored to any of them."""
        self.converting: set[int] = set()
        """VMs of which pages were told to become private or shared, also before what was known was lost."""
        self.capabilities: dict[tuple[int, int], dict[str, Any]] = {}
        """By VM and CPU: what was told that it is like, also before what was known was lost."""
        self.lent: set[Key] = set()
        """Pages that were granted or borrowed before what was known was lost: who else writes to them is not known any more."""
        self.touchable: set[int] = set()
        """VMs that may still touch what they gave to their balloon."""
        self.start(closed=False)

    def lose(self) -> None:
        """Begin anew in the middle of a trace: nothing is known any more, but which pages may have had several names, which were
        reported as free, whose balloon may be touched, and which VMs have pages that the IOMMU maps."""
        for borrower, grant in self.tables["grants"].items():
            if grant.present:
                self.lent |= {borrower, (grant.vm, grant.gfn)}
        reported = [key for key, page in self.pages.items() if page.is_reported]
        assert self.pages.ranges is not None
        pieces = [(vm, each) for vm, of_vm in self.pages.ranges.pieces.items() for each in of_vm if type(each.value) is Reported]
        dma_mapping = self.dma_mapping
        self.start(closed=False)
        self.dma_mapping |= dma_mapping
        self.paused_otherwise = self.after_gap = True
        for key in reported:
            self.pages[key] = lost_perhaps()
        for vm, piece in pieces:
            self.pages.put_range(vm, piece.first, piece.last, Reported.UNKNOWN)
        self.journal.clear()

    def start(self, closed: bool) -> None:
        """Begin anew: knowing that nothing has happened yet (``closed``), or knowing nothing."""
        self.closed = closed
        self.by_step = self.may_step and not self.silent and not self.marks_late
        self.alike: dict[Key, Any] = {}
        """By page: where it belongs among the shapes, until something of it changes."""
        self.journal = Journal()
        self.begun, self.joined = 0, False
        """Where in the journal the event begins that is judged; and whether it is one of many that are one."""
        self.mentioned_pages, self.mentioned_frames = Mentioned(), Mentioned()
        """Of which something is kept by itself."""
        self.state = OUTLINE.blank()
        self.tables: dict[str, Known] = {}
        for kind in OUTLINE.tables:
            cls = Pages if kind.name in CONTENTS else Known
            default = Contents() if cls is Pages else kind.value.default()
            self.tables[kind.name] = cls(kind.name, default, closed, self.journal, self._mentioned(kind.name))
            setattr(self.state, kind.name, self.tables[kind.name])
        self.pages: Known = self.tables["bare_memory"]
        of_pages = [(self.tables[name], names) for name, names in shapes.BY_PAGE]
        self.by_page = [(table, table.get, table.at_hand.get, names) for table, names in of_pages]
        """The tables of pages, where an entry is looked for, and how names are left out of it."""
        self.lingering = Known("lingering", (), True, self.journal, self.mentioned_pages)
        """By page: the translations that may still be cached."""
        self.leading = [
            (table, table.ranges)
            for table in (*(self.tables[name] for name in ("p2m", "derived", "dma")), self.lingering)
            if table.ranges is not None
        ]
        """The tables whose pieces lead to frames."""
        self.behind = Relation()
        """By frame: the pages that it stands behind."""
        self.reached = Relation()
        """By frame: the pages whose translations lead there, or may still be cached, as far as any is kept for the page by
        itself."""
        self.copies = Relation()
        """By page: the slots on swap that are recorded to hold its copy."""
        self.borrowers = Relation()
        """By page: the pages as which it is borrowed."""
        self.balloons: dict[int, ballooned.Balloon] = {}
        """By VM: what was counted of its balloon, while that is kept in step."""
        self.cached: dict[int, set[int]] = {}
        """By VM: its pages that have an entry of their own in ``lingering``."""
        self.mapping: set[int] = set()
        """The VMs of which translations are reported."""
        self.dma_mapping: set[int] = set()
        """The VMs of which the IOMMU's translations are reported."""
        self.emulated: dict[tuple[int, int], Exited] = {}
        """By VM and CPU: the last access that exited. The monitor may carry it out."""
        self.maps = 0
        """How many translations, or leaves of several, were installed."""
        self.mapped_by: dict[int, dict[int, Mapped]] = {}
        """By VM and page: which of these it was that mapped it last."""
        self.ranges_mapped = LastRanges()
        """The last few ranges that were mapped together, by which of the maps, and whether it let write to them."""
        self.allowed: dict[Key, int] = {}
        """By page: how many translations were installed when stores to it were last allowed."""
        self.ranges_allowed = LastRanges()
        """The same of the last few ranges."""
        self.protected_untold: dict[int, int] = {}
        """By VM: how many translations were installed when stores to any of its pages may have been forbidden, it is not known to
        which."""
        self.allowed_forgotten = -1
        """The same of the last range that is not remembered."""
        self.range_forgotten = 0
        """The last of these that mapped a range that is not remembered; 0 if there is none."""
        self.answers = Counting()
        """What laws that count ask."""
        self.time = 0
        self.flushed: dict[tuple[int, int | None], tuple[Flush, ...]] = {}
        """By VM and first page, or None for all: the flushes under way, in the order in which they began."""
        self.flushes_ended: deque[Ended] = deque(maxlen=MOST_ENDED)
        """The last that have ended, of whichever VM."""
        self.rings: dict[tuple[int, int], Any] = {}
        """By VM and number: its dirty rings."""
        self.memory_slots = MemorySlots()
        self.logged: set[int] = set()
        """VMs of which the dirty log was used."""
        self.paused: dict[int, bool] = {}
        """By VM of which that was told: whether its CPUs are stopped."""
        self.paused_otherwise = False
        """Whether those of the others may be: after a gap."""
        self.after_gap = False
        """Whether something was lost, such as changes of registers."""
        self.populating: set[int] = set()
        """VMs of which it is told which frames pages are given."""
        self.obscure: set[int] = set()
        """VMs of which it is not known any more what slots they have."""
        self.swap_cache = SwapCache()
        """Slots that several pages use, and the frames that they are copies of."""
        self.across: frozenset[int] = frozenset()
        """The pages of the access under way, if it goes across several."""
        self.untold_copies: dict[Key, int] = {}
        """By page that was written back when it was not known where it is: the slot."""
        self.may_have_copies: set[Key] = set()
        """Pages of which a dump told where they are, and nobody whether swap has a good copy: they were not written to since."""
        self.untouchable: set[int] = set()
        """VMs of which it was told that what they give to their balloon is taken from them."""
        self.late: set[Key] = set()
        """Pages that were written to and not marked since, where marks may come late."""
        self.processors: dict[tuple[int, int], Any] = {}
        """By VM and CPU: registers, and what it may remember."""
        self.table_pages: dict[Key, int] = {}
        """The pages that are tables of guests', and the level of each."""

    def _mentioned(self, table: str) -> Mentioned | None:
        return self.mentioned_pages if table in BY_PAGE else self.mentioned_frames if table in ("frames", "memory") else None

    # ------------------------------------------------------------ pages

    def page(self, vm: int, gfn: int) -> Contents:
        """What is known of a page's contents, kept from now on."""
        page: Contents | None = self.pages.get((vm, gfn))
        if page is None:
            page = self.pages[vm, gfn]
            dict.__setitem__(self.pages, (vm, gfn), page)
            self.mentioned_pages.add(vm, gfn)
            self.alike.pop((vm, gfn), None)
            self._is_in_its_frame((vm, gfn), page)
            self.look((vm, gfn))
        return page

    def _is_in_its_frame(self, key: Key, page: Contents) -> None:
        """What a page holds is in its frame, if that is its own and nobody said what is in it."""
        entry, memory = self.tables["p2m"].told(key), self.tables["memory"]
        if entry is not None and entry.resident and entry.mfn not in memory:
            frame = self.tables["frames"].told(entry.mfn)
            if frame is not None and frame.use == Use.PRIVATE:
                dict.__setitem__(memory, entry.mfn, page)
                self.mentioned_frames.add(0, entry.mfn)

    def backing(self, key: Key) -> P2mEntry | None:
        """Where a page is, if that is known."""
        entry: P2mEntry | None = self.state.p2m.find(key)
        return entry

    def by_itself(self, key: Key) -> None:
        """What pieces say of a page is stored for the page, since events are about it: it is looked at again and again."""
        stored = [name for name in ASKED_OFTEN if self.tables[name].store_from_piece(key)]
        if not stored:
            return
        self.mentioned_pages.add(*key)
        entry = self.tables["p2m"].get(key)
        if entry is not None and entry.resident:
            self.behind.put(key, (entry.mfn,))
            if self.tables["frames"].store_from_piece(entry.mfn):
                self.mentioned_frames.add(0, entry.mfn)
        self.reached.put(key, reaching.frames_reached(self, key))

    def is_populated(self, vm: int) -> None:
        """From now on a VM's pages have only the frames that they are told to be given."""
        if vm not in self.populating:
            self.populating.add(vm)
            self.alike.clear()

    def may_be_paused(self, vm: int) -> bool:
        """Whether a VM's CPUs may be stopped."""
        return self.paused.get(vm, self.paused_otherwise)

    def runs(self, vm: int, running: bool) -> None:
        """A VM's CPUs may be stopped, or run, from now on."""
        self.paused[vm] = not running
        self.alike.clear()

    def is_read_only(self, key: Key) -> bool:
        """Whether a page lies in a slot that guests may only read."""
        return self.memory_slots.is_read_only(*key)

    def may_be_read_only(self, key: Key) -> bool:
        """Whether a page may lie in such a slot: also where nobody told in which slot it lies."""
        untold = not self.closed or key[0] in self.obscure
        return self.is_read_only(key) or (untold and next(self.memory_slots.overlapping(*key, 1), None) is None)

    def may_be_private(self, key: Key) -> bool:
        """Whether only its VM knows what a page holds: also where it was forgotten whether it is so. Of a page of which nothing was
        told it is taken that it is not, unless its VM is known to convert pages, and what it did before is not known."""
        found = shapes.as_kept(self.tables["private"], key)
        return found is True or found is Open or (found is not False and not self.closed and key[0] in self.converting)

    def look(self, key: Key) -> None:
        """Find out anew which accesses to a page have to be looked into."""
        page = self.pages.get(key)
        if page is None:
            return
        tables = self.tables
        derived = tables["derived"].told(key) if key[0] in self.mapping else None
        if tables["plugged"].find(key) is False or (derived is not None and not derived.present):
            page.shut, page.plain = True, False
            return
        page.shut = False
        entry = tables["p2m"].find(key)
        page.plain = not (
            page.is_reported  # a store decides that it is not lost
            or (derived is not None and not derived.writable)
            or key in self.table_pages
            or key in self.borrowers.holders
            or key in self.lent
            or key in self.untold_copies
            or key in self.may_have_copies
            or ((grant := tables["grants"].get(key)) is not None and grant.present)
            or (bool(self.memory_slots) and self.is_read_only(key))
            or tables["sent"].find(key) not in CALM
            or (entry is not None and not (entry.mapped and entry.writable and tables["memory"].get(entry.mfn, page) is page))
        )

    def is_kept_now(self, key: Key, was_reported: bool) -> bool:
        """Whether a page that its guest had reported as free cannot be lost any more: it was stored to, or is seen to hold zeroes.
        Then it is another page than before for all that look at it."""
        if not was_reported or self.page(*key).is_reported:
            return False
        self.look(key)
        self.alike.pop(key, None)
        return True

    def bounded(self, most: int) -> bool:
        """Keep memory bounded: if more than so many words are known, those of the pages seen first are forgotten."""
        total = sum(len(page.words) for page in self.pages.values())
        if total <= most:
            return False
        for page in self.pages.values():
            total -= len(page.words)
            if page.words:
                page.either = None
            page.words.clear()
            page.zeroed = False
            if total <= most // 2:
                break
        return True

    # ------------------------------------------------------------ one event

    def judging(self, about: About) -> Judging:
        """Within this the state is changed, after it the laws are asked. If one is broken, nothing has changed."""
        return self.judging_class(self, about)

    def recent(self) -> list[tuple[Known, Any, Any]]:
        """What the event under judgement has changed."""
        return self.journal[self.begun :] if self.begun else self.journal

    def beside_the_journal(self) -> tuple[dict[tuple[int, int | None], tuple[Flush, ...]], dict[int, bool]]:
        """What events change that the journal does not take back, as it is now: the flushes under way, and who is paused."""
        return dict(self.flushed), dict(self.paused)

    def try_out(self, event: Event) -> bool:
        """Whether an event would be lawful now. Nothing has changed afterwards."""
        beside, by_step, counted = self.beside_the_journal(), self.by_step, (self.believed, self.unheld)
        self.by_step = False
        self.journal.clear()
        try:
            self.effect(event)
        except (Deviates, Inconsistent):
            return False
        finally:
            self.undo()
            self.flushed, self.paused = beside
            self.by_step = by_step
            self.believed, self.unheld = counted
        return True

    def undo(self, since: int = 0) -> None:
        """The last event has not happened; or what was done since then."""
        self.journal.take_back(since)
        self.begun = since
        self.related()
        del self.journal[since:]

    def related(self) -> None:
        """Keep what is made of the tables in step with them."""
        looked: set[Key] = set()
        for table, key, old in self.recent():
            name = table.name
            if self.alike:
                self._changed(name, key)
            if name == "bare_memory" and self.table_pages and type(key) is not Stretch and key in self.table_pages:
                # Pieces leave out a table: what it holds is kept by itself, or nothing is known of it.
                self.table_changed(self, key, table.__missing__(key) if old is Open else old)
            if self.balloons and name in ballooned.LOOKED_AT:
                if type(key) is Stretch:
                    self.balloons.pop(key.whose, None)
                else:
                    ballooned.become_other(self, [key])
            if name not in RELATED or type(key) is Stretch:
                continue
            if name == "p2m":
                entry = table.get(key)
                self._leads(self.behind, key, (entry.mfn,) if entry is not None and entry.resident else ())
            elif name in TRANSLATING:
                self._leads(self.reached, key, self._reached_alone(key))
                if name == "lingering":
                    of_vm = self.cached.setdefault(key[0], set())
                    (of_vm.add if table.get(key) else of_vm.discard)(key[1])
            elif name == "slots":
                use = table.get(key)
                self.copies.put(key, [(use.vm, use.gfn)] if use is not None and use.used else [])
            elif name == "grants":
                grant = table.get(key)
                self.borrowers.put(key, [(grant.vm, grant.gfn)] if grant is not None and grant.present else [])
                if self.table_pages and any(_is_table(self, key, each) for each in (old, grant)):
                    self.tables_elsewhere(self, key[0])
            if name in WATCHED:
                looked.add(key)
        grants = self.tables["grants"]
        for key in looked:
            self.look(key)
            if grants and (grant := grants.get(key)) is not None:
                self.look((grant.vm, grant.gfn))
                self.alike.pop((grant.vm, grant.gfn), None)

    def _reached_alone(self, key: Key) -> list[int]:
        """The frames that a page's translations lead to, if one of them is kept for the page by itself; of those of many pages
        their pieces tell where they lead."""
        return (
            reaching.frames_reached(self, key)
            if any(key in self.tables[name] for name in INSTALLED) or key in self.lingering
            else []
        )

    def _changed(self, table: str, key: Any) -> None:
        """What is said of pages may be another thing now: their shapes are found out anew."""
        if type(key) is Stretch:
            self.alike.clear()
        elif type(key) is tuple:
            self.alike.pop(key, None)
        elif table in ("frames", "memory"):
            self._stand_apart(key)

    def _leads(self, relation: Relation, key: Key, frames: Sequence[int]) -> None:
        """A page leads to these frames, and other pages that do are not alone there any more."""
        for mfn in frames:
            self._stand_apart(mfn)
        relation.put(key, frames)

    def _stand_apart(self, mfn: int) -> None:
        """The shapes of the pages that lead to a frame are found out anew: of whichever there are fewer, of these or of shapes.
        Pages of which very many lead to one frame have none."""
        for relation in (self.behind, self.reached) if self.alike else ():
            pages = relation.holders.get(mfn, ())
            if len(pages) > 2 * shapes.MOST_PAGES:
                continue
            for page in pages if len(pages) <= len(self.alike) else [each for each in self.alike if each in pages]:
                self.alike.pop(page, None)


def _is_table(k: Knowledge, key: Key, grant: Any) -> bool:
    """Whether a page is, or is borrowed from, a table of a guest's."""
    owner = (grant.vm, grant.gfn) if getattr(grant, "present", False) else key
    return owner in k.table_pages


__all__ = ["CALM", "About", "Knowledge", "Lingering", "Open", "deviates", "holds"]
