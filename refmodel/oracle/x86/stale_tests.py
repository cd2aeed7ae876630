"""Tests of staleness, drawn as bytes: a page is mapped and used, its tables are edited, something is invalidated, it is used again.

Between the edit and the second access the processor may or may not have read the tables, so the first state of each entry,
the second, and mixtures of both may be met, unless what was invalidated covers them. Addresses lie anywhere in both halves of
the address space, pages are of any size, and an edit may change their size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, flags_of
from refmodel.machine.x86.guest_walk import Access, Cpu, NotCanonical, canonical
from refmodel.machine.x86.staleness import Remembered, Tag, maps_a_page
from refmodel.machine.x86.words import FRAME, NX, PS, RW, US, A, D, G, P, lacking
from refmodel.oracle.drawing import Draw
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.agent.image import TABLES, WINDOW
from refmodel.oracle.x86.nested_tests import ROOT
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome, judged
from refmodel.oracle.x86.walk_campaign import cause, end_of, flags_finding, words
from refmodel.oracle.x86.walk_tests import Profile, access_words, cpu_words, drawn_index, flag_names, leaf_level, level_at

SIZE = 16
STALENESS = 'SDM Vol. 3A 4.10, "Caching Translation Information"'
OTHER_PAGE = 1 << 40
"""What is added to an address to invalidate another page, which shares no entry but one of level 5."""
NOT_CANONICAL = 1 << 60
EPTP, OTHER_EPTP = ROOT, ROOT + 0x1000
"""Bits 51:12 of the virtual machine's EPTP, and of one that no machine has."""
FULL = P | RW | US


@attrs.frozen
class Invlpg:
    """INVLPG of an address."""

    gva: int


@attrs.frozen
class LoadCr3:
    """MOV to CR3 of the same tables under a PCID, which is 0 without CR4.PCIDE; with bit 63 set if ``keep``."""

    pcid: int = 0
    keep: bool = False


@attrs.frozen
class TogglePge:
    """MOV to CR4 twice, which changes PGE and changes it back."""


@attrs.frozen
class ToggleSmep:
    """MOV to CR4 twice, which sets SMEP and clears it."""


@attrs.frozen
class Invpcid:
    """INVPCID of a kind."""

    kind: int
    pcid: int
    gva: int


@attrs.frozen
class Invvpid:
    """INVVPID of a kind, by the host."""

    kind: int
    vpid: int
    gva: int = 0


@attrs.frozen
class Invept:
    """INVEPT of a kind, by the host: of the virtual machine's EPTP, or of another."""

    kind: int
    same: bool = True


Operation: TypeAlias = Invlpg | LoadCr3 | TogglePge | ToggleSmep | Invpcid | Invvpid | Invept


@attrs.frozen
class StaleTest:
    """One test."""

    before: dict[int, int]
    cpu: Cpu
    gva: int
    first: Access
    edits: tuple[tuple[int, int], ...]
    """Addresses of entries and what is stored there."""
    invalidation: tuple[Operation, ...]
    second: Access
    global_page: bool = False
    """CR4.PGE is set, and so is G in the leaf."""
    pcids: bool = False
    """CR4.PCIDE is set, and the first access is made under PCID 1."""
    vpid: bool = False
    """Both accesses are made in a virtual machine with VPID 1 and EPT; its host edits and invalidates in between."""

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield (
            cpu_words(self.cpu)
            + (" CR4.PGE=1" if self.global_page else "")
            + (" CR4.PCIDE=1, PCID 1" if self.pcids else "")
            + (", in a virtual machine with VPID 1" if self.vpid else "")
        )
        for address, entry in sorted(self.before.items()):
            yield f"level {level_at(address)} entry at {address:#x}: {flag_names(entry, level_at(address))}"
        yield access_words(self.first, self.gva)
        for address, entry in self.edits:
            yield f"then level {level_at(address)} entry at {address:#x}: {flag_names(entry, level_at(address))}"
        yield f"then {invalidation_words(self)}"
        yield f"then {access_words(self.second, self.gva)}"

    @property
    def after(self) -> dict[int, int]:
        """The entries as edited; what the first access may have set in them is not counted."""
        return {**self.before, **dict(self.edits)}

    @property
    def pcid(self) -> int:
        """Of the first access."""
        return int(self.pcids)

    @property
    def tag(self) -> Tag:
        """Of the first access."""
        return Tag(vpid=1, eptp=EPTP) if self.vpid else Tag(pcid=self.pcid)


def invalidation_words(test: StaleTest) -> str:
    """What is invalidated, in words: the same for all tests of a class."""
    return ", ".join(operation_words(operation, test) for operation in test.invalidation) or "no invalidation"


def operation_words(operation: Operation, test: StaleTest) -> str:
    if isinstance(operation, Invlpg):
        return f"INVLPG{_of(operation.gva, test)}"
    if isinstance(operation, LoadCr3):
        which = "" if not test.pcids else " of the same PCID" if operation.pcid == test.pcid else " of another PCID"
        return f"MOV CR3{which}{' with bit 63 set' if operation.keep else ''}"
    if isinstance(operation, Invpcid):
        of = (" of the same PCID" if operation.pcid == test.pcid else " of another PCID") if operation.kind < 2 else ""
        return f"INVPCID {operation.kind}{of}{_of(operation.gva, test) if operation.kind == 0 else ''}"
    if isinstance(operation, Invvpid):
        of = "" if operation.kind == 2 else " of the same VPID" if operation.vpid == 1 else f" of VPID {operation.vpid}"
        return f"INVVPID {operation.kind}{of}{_of(operation.gva, test) if operation.kind == 0 else ''}"
    if isinstance(operation, Invept):
        of = "" if operation.kind == 2 else " of the same EPTP" if operation.same else " of another EPTP"
        return f"INVEPT {operation.kind}{of}"
    what = "changes PGE and changes it back" if isinstance(operation, TogglePge) else "sets SMEP and clears it"
    return f"MOV CR4 twice, which {what}"


def _of(gva: int, test: StaleTest) -> str:
    return (
        "" if gva == test.gva else " of another page" if canonical(gva, test.cpu.levels) else " of an address that is not canonical"
    )


# ---------------------------------------------------------------- drawing


def make(data: bytes, profile: Profile) -> StaleTest:
    """The test that these bytes stand for."""
    draw, levels = Draw(data), profile.levels
    leaf = leaf_level(draw.byte())
    leaf = 2 if leaf == 3 and not profile.gigabyte_pages else leaf
    index = {level: drawn_index(draw.byte(), level, levels, profile.agent_slot) for level in range(levels, 0, -1)}
    frame, other = (WINDOW[draw.byte() % len(WINDOW)] for _ in range(2))
    user, kinds = draw.byte(), draw.byte()
    accesses = [Access(user=bool(user & 1), write=kind == 1, fetch=kind == 2) for kind in (kinds % 3, kinds // 3 % 3)]
    _to_an_end(draw.byte(), index, levels, profile.agent_slot)
    if user & 1 and not profile.upper_user:
        index[levels] &= 0xFF
    if leaf > 1:  # a large page maps memory from zero: the address chooses the frame
        index[1] = frame >> 12
    if leaf == 3:
        index[2] = 0
    gva = linear_address(index, levels)
    if not (profile.fetch_at_zero or gva):
        accesses = [attrs.evolve(access, fetch=False) for access in accesses]
    way, global_page, pcids = draw.byte(), draw.byte() % 4 == 3, draw.byte() % 2 == 1 and profile.pcid
    entries = {
        TABLES[level] + 8 * index[level]: _entry(level, leaf, frame if leaf == 1 else other, global_page)
        for level in range(levels, 0, -1)
    }
    edited, change = draw.byte() % 8, draw.byte()
    level = edited + 1 if leaf <= edited + 1 <= levels else leaf
    edit = TABLES[level] + 8 * index[level], _edited(change, entries[TABLES[level] + 8 * index[level]], level, leaf, index, other)
    cpu = Cpu(
        cr3=TABLES[levels],
        levels=levels,
        beyond=lacking(profile.physical_bits),
        amd=profile.amd,
        gigabyte_pages=profile.gigabyte_pages,
    )
    ways = invalidations(gva, profile, pcids)
    return StaleTest(entries, cpu, gva, accesses[0], (edit,), ways[way % len(ways)], accesses[1], global_page, pcids, profile.vpid)


def linear_address(index: Mapping[int, int], levels: int) -> int:
    """The canonical address of the page that these entries map."""
    gva = sum(index[level] << (3 + 9 * level) for level in index)
    top = 12 + 9 * levels
    return gva | (1 << 64) - (1 << top) if gva >> (top - 1) else gva


def _to_an_end(byte: int, index: dict[int, int], levels: int, agent_slot: int) -> None:
    """Seldom, the first page or the last of either half of the address space."""
    root, rest = ((0, 0), (255, 511), (256, 0), (511, 511))[byte & 3]
    if byte >= 240 and root != agent_slot:
        index.update({level: root if level == levels else rest for level in index})


def _entry(level: int, leaf: int, frame: int, global_page: bool) -> int:
    """Below a large page there is a table too, which leads elsewhere, so that an edit may split the page."""
    target = TABLES[level - 1] if level > 1 else frame
    if level == leaf:
        return (target if level == 1 else PS) | FULL | A | D | (G if global_page else 0)
    return target | FULL | A | D


def _edited(byte: int, entry: int, level: int, leaf: int, index: Mapping[int, int], other: int) -> int:
    """An entry changed: it leads elsewhere, or a right is taken, or a flag cleared, or all of it is gone."""
    changes: tuple[Callable[[int], int], ...] = (
        lambda e: _led_elsewhere(e, level, leaf, index, other),
        lambda e: e & ~RW,
        lambda e: e & ~US,
        lambda e: e | NX,
        lambda e: 0,
        lambda e: e & ~D,
        lambda e: e & ~A,
    )
    return changes[byte % len(changes)](entry)


def _led_elsewhere(entry: int, level: int, leaf: int, index: Mapping[int, int], other: int) -> int:
    """A 4 KiB page to another frame; a large page to a table, which splits it; a table to a large page in its place."""
    if level == 1:
        return entry & ~FRAME | other
    if level == leaf:
        return TABLES[level - 1] | FULL | A | D
    within = index[1] << 12 in WINDOW and (level == 2 or index[2] == 0)
    return PS | FULL | A | D if level in (2, 3) and within else 0


def invalidations(gva: int, profile: Profile, pcids: bool) -> tuple[tuple[Operation, ...], ...]:
    """What may be invalidated on such a machine."""
    other = gva ^ OTHER_PAGE
    if profile.vpid:
        return (
            (),
            (Invvpid(0, 1, gva),),
            (Invvpid(0, 1, other),),
            (Invvpid(0, 2, gva),),
            (Invvpid(0, 1, gva ^ NOT_CANONICAL),),
            (Invvpid(1, 1),),
            (Invvpid(1, 2),),
            (Invvpid(1, 0),),
            (Invvpid(2, 0),),
            (Invvpid(3, 1),),
            (Invvpid(3, 2),),
            (Invept(1),),
            (Invept(1, same=False),),
            (Invept(2),),
        )
    here = int(pcids)
    found: list[tuple[Operation, ...]] = [
        (),
        (Invlpg(gva),),
        (LoadCr3(here),),
        (Invlpg(other),),
        (TogglePge(),),
        (Invlpg(gva ^ NOT_CANONICAL),),
    ]
    if profile.smep_smap:
        found.append((ToggleSmep(),))
    if pcids:
        found += [
            (LoadCr3(1, keep=True),),
            (LoadCr3(2),),
            (LoadCr3(2), LoadCr3(1, keep=True)),
            (LoadCr3(2), LoadCr3(1)),
            (LoadCr3(2), Invlpg(gva), LoadCr3(1, keep=True)),
            (LoadCr3(2), TogglePge(), LoadCr3(1, keep=True)),
        ]
    if profile.invpcid:
        found += [
            (Invpcid(0, here, gva),),
            (Invpcid(0, here, other),),
            (Invpcid(0, here, gva ^ NOT_CANONICAL),),
            (Invpcid(1, here, 0),),
            (Invpcid(2, 0, 0),),
            (Invpcid(3, 0, 0),),
        ]
    if pcids and profile.invpcid:
        found += [
            (Invpcid(0, 2, gva),),
            (Invpcid(1, 2, 0),),
            (LoadCr3(2), Invpcid(0, 1, gva), LoadCr3(1, keep=True)),
            (LoadCr3(2), Invpcid(1, 1, 0), LoadCr3(1, keep=True)),
        ]
    return tuple(found)


# ---------------------------------------------------------------- judging


def due(test: StaleTest) -> list[Lawful]:
    """What may come of the second access."""
    tag, remembered = test.tag, Remembered(global_pages=test.global_page)
    remembered.may_read(Marked(test.before), tag, test.cpu, test.gva)
    after = test.after
    for operation in test.invalidation:
        remembered.may_read(Marked(after), tag, test.cpu, test.gva)
        tag = _carried_out(operation, remembered, tag, test)
    remembered.may_read(Marked(after), tag, test.cpu, test.gva)
    ways = []
    for memory, result in remembered.ways(lambda: Marked(after), tag, test.cpu, test.gva, test.second):
        assert isinstance(memory, Marked)
        flags = flags_of(memory.marks)
        ended = end_of(result, test.gva)
        ways.append(Lawful(ended, {}, flags) if isinstance(result, Fault) else Lawful(ended, flags, {}))
    return ways


def _carried_out(operation: Operation, remembered: Remembered, tag: Tag, test: StaleTest) -> Tag:
    """What a processor with this tag forgets, and its tag afterwards."""
    if isinstance(operation, Invlpg):
        remembered.invlpg(tag, operation.gva, test.cpu.levels)
    elif isinstance(operation, LoadCr3):
        tag = Tag(pcid=operation.pcid)
        remembered.mov_cr3(tag, operation.keep)
    elif isinstance(operation, TogglePge):
        for global_pages in (not test.global_page, test.global_page):
            remembered.mov_cr4(tag, global_pages)
    elif isinstance(operation, ToggleSmep):
        remembered.mov_cr4(tag, test.global_page, smep_on=True)
    elif isinstance(operation, Invvpid):
        remembered.invvpid(operation.kind, operation.vpid, operation.gva, test.cpu.levels)
    elif isinstance(operation, Invept):
        remembered.invept(operation.kind, EPTP if operation.same else OTHER_EPTP)
    else:
        with contextlib.suppress(NotCanonical):
            remembered.invpcid(operation.kind, tag, operation.pcid, operation.gva, test.cpu.levels)
    return tag


def faults(operation: Operation, test: StaleTest) -> bool:
    """Whether an operation fails: INVPCID and INVVPID of an address that is not canonical, and INVVPID of VPID 0 (SDM Vol. 2A,
    INVPCID; Vol. 3C 30.3, INVVPID)."""
    if isinstance(operation, Invvpid) and operation.kind != 2 and operation.vpid == 0:
        return True
    return isinstance(operation, Invpcid | Invvpid) and operation.kind == 0 and not canonical(operation.gva, test.cpu.levels)


def compare(test: StaleTest, observed: Observed) -> Finding | None:
    """None if what was observed lies within the envelope."""

    def outcome_finding(expected: Outcome, got: Outcome) -> Finding:
        lawful_ones = sorted({words(way.outcome) for way in due(test)})
        after = f"after {invalidation_words(test)}" if test.invalidation else "with no invalidation"
        title = f"{cause(got) if got.kind == '#PF' else got.kind} {after}, outside the envelope of stale translations"
        return Finding(title, STALENESS, " or ".join(lawful_ones), words(got))

    return judged(
        due(test),
        test.after,
        observed,
        outcome_finding,
        lambda way, address, wrong, entry: flags_finding(way, address, wrong, entry, observed),
    )


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
        where = " in a virtual machine with a VPID and EPT" if self.profile.vpid else ""
        return f"stale translations, {self.profile.levels}-level paging{where}"

    def make(self, data: bytes) -> StaleTest:
        return make(data, self.profile)

    def run(self, tests: Sequence[StaleTest]) -> Sequence[tuple[str, Finding | None]]:
        return [(observed.outcome.kind, compare(test, observed)) for test, observed in zip(tests, self.perform(tests), strict=True)]


def places(test: StaleTest) -> Mapping[int, None]:
    """The physical addresses that the accesses may store to: what a leaf of any level, old or new, makes of the address."""
    found: dict[int, None] = {}
    for address, entry in [*test.before.items(), *test.edits]:
        level = level_at(address)
        if entry & P and maps_a_page(level, entry):
            offset = (1 << (3 + 9 * level)) - 1
            found[entry & FRAME & ~offset | test.gva & offset] = None
    return {place: None for place in found if WINDOW.start <= place < WINDOW.stop}
