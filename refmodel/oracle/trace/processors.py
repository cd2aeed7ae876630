"""What a guest's processor may remember of its walks, as far as a trace tells: found out page by page, when a page is accessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from refmodel.machine.x86.guest_walk import Cpu
from refmodel.machine.x86.staleness import Chain, Remembered, Tag
from refmodel.machine.x86.words import FRAME, A, P
from refmodel.oracle.trace import anywhere, guest
from refmodel.oracle.trace.contents import Part
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.tables import Open

MOST = 256
"""Stores to tables that are gone back over for one page. After more of them, its accesses may end in any way."""
LONGEST = 4096
"""Steps of a processor's log that are kept, if it does not forget everything before."""
MOST_PAGES = 65_536
"""Pages of which it is kept that they were invalidated, though none of their accesses was met."""
PCID = 0xFFF
"""Bits 11:0 of CR3, with CR4.PCIDE (SDM Vol. 3A 4.5.2)."""


@attrs.frozen
class Stored:
    """A store to a table: where, and what was there before."""

    address: int
    before: Part


@attrs.frozen
class Runs:
    """From here on the processor walks with these registers, under this tag."""

    cpu: Cpu
    tag: Tag


@attrs.frozen
class Forgets:
    """Something that makes the processor forget."""

    how: Callable[[Remembered], None]


REGISTERS = frozenset({"levels", "wp", "smep", "smap", "nxe", "pge", "pcide"})
"""What ``registers`` tells of a processor, beside CR3. What nobody tells at the start is as at power-on; after a gap it is not
known."""

Step: TypeAlias = Stored | Runs | Forgets


@attrs.define
class Page:
    """What may be remembered for a linear page, and the number of the first step that has not been taken into account."""

    remembered: Remembered
    next: int
    walked: Remembered | None = None
    """The same, and what may be remembered if the processor has walked of its own accord, setting accessed flags that were clear
    (SDM Vol. 3A 4.8, 4.10.2.3). None if none was clear."""

    def copy(self) -> Page:
        return Page(_copy(self.remembered), self.next, self.walked and _copy(self.walked))

    def forgets(self, how: Callable[[Remembered], None]) -> None:
        how(self.remembered)
        if self.walked is not None:
            how(self.walked)


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
    lost: bool = True
    """Whether it may remember more than was seen: until it first has to forget everything, unless it is seen from power-on."""
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
    def has_tables(self) -> bool:
        """Whether it was told where its page tables are."""
        return self.cpu.cr3 != NOT_TOLD

    def add(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) >= 2 * LONGEST:
            del self.steps[:LONGEST]
            self.dropped += LONGEST

    def forgets(self, how: Callable[[Remembered], None]) -> None:
        """Some of what it read before is remembered no more."""
        self.add(Forgets(how))

    def begins_anew(self, gva: int) -> None:
        """Nothing that it read for this page before is remembered, as after INVLPG where all PCIDs are 0."""
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
        """A copy of what is known for an address. Raises ``Open`` if the steps since then are no longer kept."""
        known = self.pages.get(gva >> 12) or Page(Remembered(self.start_global), 0)
        if known.next < self.dropped:
            raise Open
        return known.copy()


class Tables:
    """The guest's memory, as its processor walks it: now, or as it was before some changes of it.

    An entry of which only the flags are not known leads where it leads. A walk takes them to be clear, so that it sets them; what
    may be remembered is found out with the flags set.
    """

    def __init__(self, k: Knowledge, vm: int, before: Mapping[int, Part] | None = None, flags: int = 0, accessed: int = 0) -> None:
        self.k, self.vm, self.before, self.flags = k, vm, before or {}, flags
        self.accessed = accessed
        """A flag that present entries are taken to have set."""
        self.met_clear = False
        """Whether a present entry was read whose accessed flag is clear."""
        self.marks: list[tuple[int, int]] = []

    def read(self, address: int) -> int:
        if address in self.before:
            bits, known = self.before[address]
        else:
            page = self.k.pages.get(guest.reached(self.k, self.vm, address >> 12))
            bits, known = (0, 0) if page is None else page.bits(address & 0xFF8)
        if not anywhere.is_entry(known):
            raise Open
        entry = (bits & known) | (self.flags & ~known)
        if entry & P:
            self.met_clear |= not entry & A
            entry |= self.accessed
        return entry

    def all_accessed(self) -> Tables:
        """Page tables with the accessed flag set in every present entry."""
        return Tables(self.k, self.vm, self.before, self.flags, A)

    def mark(self, address: int, entry: int, flags: int) -> None:
        if flags & ~entry:
            self.marks.append((address, flags))


def may_remember(k: Knowledge, vm: int, mine: Processor, gva: int) -> Remembered:
    """What the processor may remember for this address. It may have walked for it at any time: with the tables as they are, and
    as they were before each store since they were last gone over, under the registers of that time."""
    page, end = mine.page(gva), mine.dropped + len(mine.steps)
    steps = mine.steps[page.next - mine.dropped :]
    stores = [step for step in steps if isinstance(step, Stored)]
    if len(stores) > MOST:
        raise Open
    memories = iter(_as_it_was(k, vm, stores))
    memory, runs = next(memories), _running(mine, page.next)
    _read(page, memory, runs, gva)
    for step in steps:
        if isinstance(step, Stored):
            memory = next(memories)
        elif isinstance(step, Runs):
            runs = step
        else:
            page.forgets(step.how)
        _read(page, memory, runs, gva)
    page.next = end
    mine.pages[gva >> 12] = page
    if page.walked is None:
        return page.remembered
    more = {c for c in page.walked.chains - page.remembered.chains if not _is_walked_again(Tables(k, vm), mine.cpu, c)}
    return Remembered(page.remembered.global_pages, page.remembered.chains | more)


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
    page.remembered.may_read(memory, runs.tag, runs.cpu, gva)
    if page.walked is None and memory.met_clear:
        page.walked = _copy(page.remembered)
    if page.walked is not None:
        page.walked.may_read(memory.all_accessed(), runs.tag, runs.cpu, gva)


def _as_it_was(k: Knowledge, vm: int, stores: list[Stored]) -> list[Tables]:
    """The tables before the first of these stores, before the second, and so on, and as they are now."""
    before: dict[int, Part] = {}
    memories = [Tables(k, vm, flags=anywhere.FLAGS)]
    for store in reversed(stores):
        before = {**before, store.address: store.before}
        memories.append(Tables(k, vm, before, anywhere.FLAGS))
    return memories[::-1]


def _running(mine: Processor, number: int) -> Runs:
    """How the processor ran just before the step of this number."""
    earlier = mine.steps[: number - mine.dropped]
    return next((step for step in reversed(earlier) if isinstance(step, Runs)), mine.start)
