"""Tests of staleness, drawn as bytes: a page is mapped and used, its tables are edited, something is invalidated, it is used again.

Between the edit and the second access the processor may or may not have read the tables, so the first state of each entry,
the second, and mixtures of both may be met, unless what was invalidated covers them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.guest_walk import Access, Cpu
from refmodel.machine.staleness import Remembered, Tag
from refmodel.machine.words import FRAME, NX, RW, US, A, D, G, Marked, P
from refmodel.oracle.agent.image import TABLES, WINDOW
from refmodel.oracle.judging import Finding
from refmodel.oracle.outcomes import Lawful, Observed, Outcome, flags_of, judged
from refmodel.oracle.walk_campaign import cause, end_of, flags_finding, words
from refmodel.oracle.walk_tests import Draw, Profile, access_words, cpu_words, flag_names, level_at

SIZE = 15
STALENESS = 'SDM Vol. 3A 4.10, "Caching Translation Information"'
INVALIDATIONS = ("none", "INVLPG", "MOV CR3", "INVLPG of another page", "MOV CR4 twice, which changes PGE and changes it back")
OTHER_PAGE = 1 << 40
"""What is added to an address to invalidate another page."""
FULL = P | RW | US


@attrs.frozen
class StaleTest:
    """One test."""

    before: dict[int, int]
    cpu: Cpu
    gva: int
    first: Access
    edits: tuple[tuple[int, int], ...]
    """Addresses of entries and what is stored there."""
    invalidation: str
    """One of ``INVALIDATIONS``."""
    second: Access
    global_page: bool = False
    """CR4.PGE is set, and so is G in the leaf."""

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield cpu_words(self.cpu) + (" CR4.PGE=1" if self.global_page else "")
        for address, entry in sorted(self.before.items()):
            yield f"level {level_at(address)} entry at {address:#x}: {flag_names(entry, level_at(address))}"
        yield access_words(self.first, self.gva)
        for address, entry in self.edits:
            yield f"then level {level_at(address)} entry at {address:#x}: {flag_names(entry, level_at(address))}"
        yield f"then {self.invalidation if self.invalidation != 'none' else 'no invalidation'}"
        yield f"then {access_words(self.second, self.gva)}"

    @property
    def after(self) -> dict[int, int]:
        """The entries as edited; what the first access may have set in them is not counted."""
        return {**self.before, **dict(self.edits)}


def make(data: bytes, profile: Profile) -> StaleTest:
    """The test that these bytes stand for."""
    draw, levels = Draw(data), profile.levels
    index = {level: (draw.byte() * 73) & (0xFF if level == levels else 0x1FF) for level in range(levels, 0, -1)}
    frame, other = (WINDOW[draw.byte() % len(WINDOW)] for _ in range(2))
    user, kinds = draw.byte(), draw.byte()
    accesses = [Access(user=bool(user & 1), write=kind == 1, fetch=kind == 2) for kind in (kinds % 3, kinds // 3 % 3)]
    invalidation = INVALIDATIONS[draw.byte() % len(INVALIDATIONS)]
    entries = {TABLES[level] + 8 * index[level]: (TABLES[level - 1] if level > 1 else frame) | FULL | A | D
               for level in range(levels, 0, -1)}
    global_page = draw.byte() % 4 == 3
    if global_page:
        entries[TABLES[1] + 8 * index[1]] |= G
    edited = draw.byte() % 8
    level = edited + 1 if edited < 2 else 1
    address = TABLES[level] + 8 * index[level]
    new = _edited(draw.byte(), entries[address], other if level == 1 else entries[address] & FRAME)
    gva = sum(index[n] << (3 + 9 * n) for n in index)
    cpu = Cpu(cr3=TABLES[levels], levels=levels, beyond=(1 << 52) - (1 << profile.physical_bits), amd=profile.amd,
              gigabyte_pages=profile.gigabyte_pages)
    return StaleTest(entries, cpu, gva, accesses[0], ((address, new),), invalidation, accesses[1], global_page)


def _edited(byte: int, entry: int, frame: int) -> int:
    """An entry changed: another frame, or a right taken, or a flag cleared, or all of it gone."""
    changes: tuple[Callable[[int], int], ...] = (
        lambda e: e & ~FRAME | frame, lambda e: e & ~RW, lambda e: e & ~US, lambda e: e | NX, lambda e: 0,
        lambda e: e & ~D, lambda e: e & ~A)
    return changes[byte % len(changes)](entry)


def due(test: StaleTest) -> list[Lawful]:
    """What may come of the second access."""
    tag, remembered = Tag(), Remembered(global_pages=test.global_page)
    remembered.may_read(Marked(test.before), tag, test.cpu, test.gva)
    after = test.after
    _invalidate(test, remembered, tag)
    remembered.may_read(Marked(after), tag, test.cpu, test.gva)
    ways = []
    for memory, result in remembered.ways(lambda: Marked(after), tag, test.cpu, test.gva, test.second):
        assert isinstance(memory, Marked)
        flags = flags_of(memory.marks)
        ended = end_of(result, test.gva)
        ways.append(Lawful(ended, {}, flags) if isinstance(result, Fault) else Lawful(ended, flags, {}))
    return ways


def _invalidate(test: StaleTest, remembered: Remembered, tag: Tag) -> None:
    if test.invalidation == "MOV CR3":
        remembered.mov_cr3(tag)
    elif test.invalidation.startswith("MOV CR4"):
        remembered.mov_cr4(tag, test.global_page)
    elif test.invalidation != "none":
        remembered.invlpg(tag, invalidated(test))


def invalidated(test: StaleTest) -> int:
    """The address that is given to INVLPG."""
    return test.gva ^ (OTHER_PAGE if test.invalidation == "INVLPG of another page" else 0)


def compare(test: StaleTest, observed: Observed) -> Finding | None:
    """None if what was observed lies within the envelope."""
    def outcome_finding(expected: Outcome, got: Outcome) -> Finding:
        lawful_ones = sorted({words(way.outcome) for way in due(test)})
        after = "with no invalidation" if test.invalidation == "none" else f"after {test.invalidation}"
        title = f"{cause(got) if got.kind == '#PF' else got.kind} {after}, outside the envelope of stale translations"
        return Finding(title, STALENESS, " or ".join(lawful_ones), words(got))

    return judged(due(test), test.after, observed, outcome_finding,
                  lambda way, address, wrong, entry: flags_finding(way, address, wrong, entry, observed))


@attrs.frozen
class StaleCampaign:
    """Tests of staleness for one implementation."""

    implementation: str
    profile: Profile
    perform: Callable[[Sequence[StaleTest]], Sequence[Observed]]
    size: int = SIZE
    slow: bool = False

    @property
    def subject(self) -> str:
        return f"stale translations, {self.profile.levels}-level paging"

    def make(self, data: bytes) -> StaleTest:
        return make(data, self.profile)

    def run(self, tests: Sequence[StaleTest]) -> Sequence[tuple[str, Finding | None]]:
        return [(observed.outcome.kind, compare(test, observed))
                for test, observed in zip(tests, self.perform(tests), strict=True)]


def places(test: StaleTest) -> Mapping[int, None]:
    """The physical addresses that the accesses may store to."""
    offset = test.gva & 0xFFF
    leaves = [entry & FRAME | offset for address, entry in [*test.before.items(), *test.edits] if level_at(address) == 1]
    return dict.fromkeys(p for p in leaves if WINDOW.start <= p < WINDOW.stop)
