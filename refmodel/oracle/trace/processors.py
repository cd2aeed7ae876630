"""What a guest's processor may remember of its walks, as far as a trace tells: found out page by page, when a page is accessed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import attrs

from refmodel.machine.x86.guest_walk import Cpu
from refmodel.machine.x86.staleness import Chain, Remembered, Tag
from refmodel.machine.x86.words import FRAME, A, P
from refmodel.oracle.trace import anywhere, guest
from refmodel.oracle.trace.contents import Contents, Part
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.tables import Key, Open

MOST = 256
"""Stores to tables that are gone back over for one page. After more of them, its accesses may end in any way."""
LONGEST = 4096
"""Steps of a processor's log that are kept, if it does not forget everything before."""
MOST_PAGES = 65_536
"""Pages of which it is kept that they were invalidated, though none of their accesses was met."""
MOST_CHAINS = 2048
"""What is remembered for one page is kept up to so many chains. After more of them, its accesses may end in any way."""
LARGEST = 30
"""Bits of an address within the largest page, of 1 GiB."""
PCID = 0xFFF
"""Bits 11:0 of CR3, with CR4.PCIDE (SDM Vol. 3A 4.5.2)."""


@attrs.frozen
class Stored:
    """A store to a table: where, and what was there before."""

    key: Key
    offset: int
    before: Part


@attrs.frozen
class Replaced:
    """A change of a table as a whole, and what it held before."""

    key: Key
    before: Contents


@attrs.frozen
class Runs:
    """From here on the processor walks with these registers, under this tag."""

    cpu: Cpu
    tag: Tag


@attrs.frozen
class All:
    """Of what nothing is remembered after something that makes the processor forget, whatever it was."""

    pcid: int | None
    """None for every PCID."""
    page: int | None
    """A linear page; None for all."""
    globals_too: bool = False
    """Whether no global translation is left either, of whatever PCID."""


@attrs.frozen
class Forgets:
    """Something that makes the processor forget."""

    how: Callable[[Remembered], None]
    invlpg: tuple[Tag, int] | None = None
    """If it is INVLPG of a canonical address: under which tag, and of which address."""
    of: All | None = None
    """None if that is not known."""
    runs: Runs | None = None
    """How it walks from then on, if that is another way: MOV to CR3 forgets before anything is read through the new tables."""

    def elsewhere(self, gva: int) -> Tag | None:
        """If of this address it makes only upper parts of translations be forgotten: under which tag."""
        return self.invlpg[0] if self.invlpg is not None and self.invlpg[1] >> LARGEST != gva >> LARGEST else None


@attrs.frozen
class Loses:
    """From here on the processor may remember more than was seen."""


@attrs.define
class Pcids:
    """A set of PCIDs."""

    listed: set[int] = attrs.field(factory=set)
    others: bool = False
    """Whether it is all PCIDs but these."""

    def copy(self) -> Pcids:
        return Pcids(set(self.listed), self.others)

    def has(self, pcid: int) -> bool:
        return (pcid in self.listed) != self.others

    def add(self, pcid: int) -> None:
        (self.listed.discard if self.others else self.listed.add)(pcid)

    def discard(self, pcid: int) -> None:
        (self.listed.add if self.others else self.listed.discard)(pcid)

    def __bool__(self) -> bool:
        return self.others or bool(self.listed)


def every_pcid() -> Pcids:
    return Pcids(others=True)


REGISTERS = frozenset({"levels", "wp", "smep", "smap", "nxe", "pge", "pcide"})
"""What ``registers`` tells of a processor, beside CR3. What nobody tells at the start is as at power-on; after a gap it is not
known."""

Step: TypeAlias = Stored | Replaced | Runs | Forgets | Loses
Word: TypeAlias = tuple[Key, int]
"""A page, and the offset of a word in it."""


@attrs.define
class Page:
    """What may be remembered for a linear page, and the number of the first step that has not been taken into account."""

    remembered: Remembered
    next: int
    walked: Remembered | None = None
    """The same, and what may be remembered if the processor has walked of its own accord, setting accessed flags that were clear
    (SDM Vol. 3A 4.8, 4.10.2.3). None if none was clear."""

    unknown: Pcids = attrs.field(factory=Pcids)
    """The PCIDs under which anything may be remembered."""
    unknown_globals: bool = False
    """Whether any global translation may be remembered, which is used under every PCID (SDM Vol. 3A 4.10.2.4)."""

    def copy(self) -> Page:
        walked = self.walked and _copy(self.walked)
        return Page(_copy(self.remembered), self.next, walked, self.unknown.copy(), self.unknown_globals)

    def is_unknown(self, pcid: int) -> bool:
        """Whether an access under this PCID may use anything."""
        return self.unknown.has(pcid) or (self.remembered.global_pages and self.unknown_globals)

    def lose(self, pcid: int | None = None) -> None:
        """Anything may be remembered, under a PCID or under each; also what is global."""
        if pcid is None:
            self.unknown = every_pcid()
        else:
            self.unknown.add(pcid)
        self.unknown_globals = True

    def keep_bounded(self) -> None:
        """Of too much it is not kept what it is."""
        if max(len(self.remembered.chains), len(self.walked.chains) if self.walked else 0) > MOST_CHAINS:
            for chain in self.remembered.chains | (self.walked.chains if self.walked else set()):
                self.lose(chain.tag.pcid)
            self.remembered, self.walked = Remembered(self.remembered.global_pages), None

    def forgets(self, step: Forgets, gva: int) -> None:
        step.how(self.remembered)
        if self.walked is not None:
            step.how(self.walked)
        if step.of is None or step.of.page not in (None, gva >> 12):
            return
        if step.of.pcid is None:
            self.unknown = Pcids()
        else:
            self.unknown.discard(step.of.pcid)
        self.unknown_globals &= not step.of.globals_too


def _copy(remembered: Remembered) -> Remembered:
    return Remembered(remembered.global_pages, set(remembered.chains))


NOT_TOLD = -1
"""CR3 before anybody told it: 0 is the address of a table like others."""


@attrs.define
class Processor:
    """A CPU of a VM's: its registers, and what has happened since it last had to forget everything.

    It may walk at any time, for any address. What it may remember is found out page by page, when a page is accessed: by going
    over the steps in order.
    """

    cpu: Cpu = Cpu(NOT_TOLD)
    pcids: bool = False
    """CR4.PCIDE."""
    global_pages: bool = False
    """CR4.PGE."""
    keys_untold: bool = False
    """Whether CR4.PKE and PKRU may have been set before the trace, or before a gap."""
    untold: frozenset[str] = frozenset()
    """Those of its registers of which nobody told what they are since a gap."""
    unreported: frozenset[str] = frozenset()
    """Registers whose first report says what they are, and not that they change: nobody has told them since the trace began in the
    middle of a run, or since a gap."""
    lost: bool = True
    """Whether it may have remembered more than was seen before the first step: not at power-on, nor after it had to forget
    everything."""
    start: Runs = Runs(Cpu(NOT_TOLD), Tag())
    """How it ran before the first step."""
    start_global: bool = False
    """CR4.PGE before the first step."""
    steps: list[Step] = attrs.field(factory=list)
    dropped: int = 0
    """Steps that are no longer kept."""
    pages: dict[int, Page] = attrs.field(factory=dict)

    @property
    def tag(self) -> Tag:
        """Without CR4.PCIDE, the PCID is 0 (SDM Vol. 3A 4.10.1)."""
        return Tag(pcid=self.cpu.cr3 & PCID if self.pcids and self.has_tables else 0)

    @property
    def is_told(self) -> bool:
        """Whether it is known which translations are global, and of which PCID."""
        return not self.untold & {"pge", "pcide", "levels"}

    @property
    def no_globals(self) -> bool:
        """Whether it is known that no translation is global."""
        return self.is_told and not self.global_pages

    @property
    def has_tables(self) -> bool:
        """Whether it was told where its page tables are."""
        return self.cpu.cr3 != NOT_TOLD

    def add(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) >= 2 * LONGEST:
            self.start, self.lost = _running(self, self.dropped + LONGEST), True
            del self.steps[:LONGEST]
            self.dropped += LONGEST

    def forgets(self, how: Callable[[Remembered], None], of: All, runs: Runs | None = None) -> None:
        """Some of what it read before is remembered no more: all ``of`` this, and more. ``runs``: how it walks then."""
        self.add(Forgets(how, of=of if self.is_told else None, runs=runs))

    def invlpg(self, gva: int) -> None:
        """Nothing that it read for this page before is remembered under its PCID; under none, if all are 0."""
        how = functools.partial(Remembered.invlpg, tag=self.tag, gva=gva, levels=self.cpu.levels)
        self.add(Forgets(how, (self.tag, gva), All(self.tag.pcid, gva >> 12, globals_too=True)))
        if not self.pcids and (gva >> 12 in self.pages or len(self.pages) < MOST_PAGES):
            self.pages[gva >> 12] = Page(Remembered(self.global_pages), self.dropped + len(self.steps))

    def forgets_everything(self) -> None:
        """Nothing that it read before is remembered."""
        self.steps.clear()
        self.pages.clear()
        self.dropped = 0
        self.lost = False
        self.start, self.start_global = Runs(self.cpu, self.tag), self.global_pages

    def lose(self) -> None:
        """It is not known any more what it may remember. Its registers are: its own events tell them in their order."""
        self.forgets_everything()
        self.lost = True

    def page(self, gva: int) -> Page:
        """A copy of what is known for an address."""
        known = self.pages.get(gva >> 12)
        if known is None or known.next < self.dropped:
            known = Page(Remembered(self.start_global), self.dropped, None, Pcids(others=self.lost), self.lost)
        return known.copy()


class Tables:
    """The guest's memory, as its processor walks it: now, or as it was before some changes of it.

    An entry of which only the flags are not known leads where it leads. A walk takes them to be clear, so that it sets them; what
    may be remembered is found out with the flags set.
    """

    def __init__(
        self,
        k: Knowledge,
        vm: int,
        before: Mapping[Word, Part] = {},
        pages: Mapping[Key, Contents] = {},
        flags: int = 0,
        accessed: int = 0,
    ) -> None:
        self.k, self.vm, self.before, self.pages, self.flags = k, vm, before, pages, flags
        self.accessed = accessed
        """A flag that present entries are taken to have set."""
        self.met_clear = False
        """Whether a present entry was read whose accessed flag is clear."""
        self.marks: list[tuple[int, int]] = []

    def read(self, address: int) -> int:
        key, offset = guest.reached(self.k, self.vm, address >> 12), address & 0xFF8
        if (key, offset) in self.before:
            bits, known = self.before[key, offset]
        else:
            page = self.pages.get(key) or self.k.pages.get(key)
            bits, known = (0, 0) if page is None else page.bits(offset)
        if not anywhere.is_entry(known):
            raise Open
        entry = (bits & known) | (self.flags & ~known)
        if entry & P:
            self.met_clear |= not entry & A
            entry |= self.accessed
        return entry

    def all_accessed(self) -> Tables:
        """Page tables with the accessed flag set in every present entry."""
        return Tables(self.k, self.vm, self.before, self.pages, self.flags, A)

    def mark(self, address: int, entry: int, flags: int) -> None:
        if flags & ~entry:
            self.marks.append((address, flags))


def may_remember(k: Knowledge, vm: int, mine: Processor, gva: int) -> Remembered:
    """What the processor may remember for this address. It may have walked for it at any time: with the tables as they are, and
    as they were before each store since they were last gone over, under the registers of that time. Raises ``Open`` if it may be
    anything."""
    page, end = mine.page(gva), mine.dropped + len(mine.steps)
    steps = list(_concerning(mine.steps[page.next - mine.dropped :], gva))
    stores = [step for step in steps if isinstance(step, Stored | Replaced)]
    if len(stores) > MOST:
        steps, stores = [Loses()], []
    memories = iter(_as_it_was(k, vm, stores))
    memory, runs = next(memories), _running(mine, page.next)
    _read(page, memory, runs, gva)
    for step in steps:
        if isinstance(step, Stored | Replaced):
            memory = next(memories)
        elif isinstance(step, Runs):
            runs = step
        elif isinstance(step, Loses):
            page.lose()
        else:
            page.forgets(step, gva)
            runs = step.runs or runs
        _read(page, memory, runs, gva)
        page.keep_bounded()
    page.next = end
    mine.pages[gva >> 12] = page
    if page.is_unknown(mine.tag.pcid):
        raise Open
    if page.walked is None:
        return page.remembered
    more = {c for c in page.walked.chains - page.remembered.chains if not _is_walked_again(Tables(k, vm), mine.cpu, c)}
    return Remembered(page.remembered.global_pages, page.remembered.chains | more)


def _concerning(steps: list[Step], gva: int) -> Iterator[Step]:
    """The steps that have to do with an address. Of several INVLPGs of other pages one is as good as all: each makes the same upper
    parts be forgotten, and what a walk reads then, it reads again."""
    offsets = {gva >> (3 + 9 * level) << 3 & 0xFF8 for level in range(1, 6)}
    under: Tag | None = None
    for step in steps:
        if isinstance(step, Stored) and step.offset not in offsets:
            continue
        elsewhere = step.elsewhere(gva) if isinstance(step, Forgets) else None
        if elsewhere is None or elsewhere != under:
            yield step
        under = elsewhere


def _is_walked_again(now: Tables, cpu: Cpu, chain: Chain) -> bool:
    """Whether memory still holds these entries, but for accessed flags: a walk finds them too, and sets the flags."""
    table = cpu.cr3 & FRAME
    for number, entry in enumerate(chain.entries):
        try:
            held = now.read(table | (chain.gva >> (3 + 9 * (chain.levels - number)) & 0x1FF) << 3)
        except Open:
            return False
        if (held ^ entry) & ~A:
            return False
        table = entry & FRAME
    return True


def _read(page: Page, memory: Tables, runs: Runs, gva: int) -> None:
    """The processor may walk now, if it is known with what registers."""
    if runs.cpu.cr3 == NOT_TOLD:
        return
    if page.unknown.has(runs.tag.pcid):
        page.unknown_globals = True  # the rest of a walk whose upper part may be anything
    try:
        page.remembered.may_read(memory, runs.tag, runs.cpu, gva)
        if page.walked is None and memory.met_clear:
            page.walked = _copy(page.remembered)
        if page.walked is not None:
            page.walked.may_read(memory.all_accessed(), runs.tag, runs.cpu, gva)
    except Open:
        page.lose(runs.tag.pcid)


def _as_it_was(k: Knowledge, vm: int, stores: list[Stored | Replaced]) -> list[Tables]:
    """The tables before the first of these stores, before the second, and so on, and as they are now."""
    before: dict[Word, Part] = {}
    pages: dict[Key, Contents] = {}
    memories = [Tables(k, vm, flags=anywhere.FLAGS)]
    for store in reversed(stores):
        if isinstance(store, Stored):
            before = {**before, (store.key, store.offset): store.before}
        else:
            before = {word: part for word, part in before.items() if word[0] != store.key}
            pages = {**pages, store.key: store.before}
        memories.append(Tables(k, vm, before, pages, anywhere.FLAGS))
    return memories[::-1]


def _running(mine: Processor, number: int) -> Runs:
    """How the processor ran just before the step of this number."""
    earlier = mine.steps[: number - mine.dropped]
    found = (step if isinstance(step, Runs) else step.runs for step in reversed(earlier) if isinstance(step, Runs | Forgets))
    return next((runs for runs in found if runs is not None), mine.start)
