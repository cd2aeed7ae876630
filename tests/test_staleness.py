"""The envelope of stale translations: what may be remembered, what is used, and what each event makes a processor forget.

What is forgotten is decided for a whole small universe of chains, against a table of the manual's rules.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from refmodel.language import Fault
from refmodel.machine.words import Marked, Translation
from refmodel.machine.x86.guest_walk import Access, Cpu, NotCanonical, PageFault, walk
from refmodel.machine.x86.staleness import Chain, Remembered, Tag, first_address
from refmodel.machine.x86.words import NX, PS, RW, US, A, D, G, P, lacking

FULL = P | RW | US | A | D
CPU = Cpu(cr3=0x1000)
HERE, OTHER_PCID, OTHER_VPID = Tag(vpid=1, pcid=1, eptp=0x9000), Tag(vpid=1, pcid=2, eptp=0x9000), Tag(vpid=2, pcid=1, eptp=0x9000)
NEIGHBOUR = 0x1000
LAST = 0xFFFFFFFFFFFFF000
NOT_CANONICAL = 1 << 47


def tables(leaf: int = 0x7000 | FULL) -> dict[int, int]:
    return {0x1000: 0x2000 | FULL, 0x2000: 0x3000 | FULL, 0x3000: 0x4000 | FULL, 0x4000: leaf, 0x4008: 0x8000 | FULL}


def remembered(leaf: int = 0x7000 | FULL, tag: Tag = HERE) -> Remembered:
    """Everything about two pages."""
    memory = Remembered(global_pages=True)
    for gva in (0, NEIGHBOUR):
        memory.may_read(Marked(tables(leaf)), tag, CPU, gva)
    return memory


def frames(memory: Remembered, now: dict[int, int], tag: Tag = HERE, gva: int = 0, access: Access = Access()) -> set[object]:
    """Where an access may go, or the code of its fault."""
    found: set[object] = set()
    for _, end in memory.ways(lambda: Marked(now), tag, CPU, gva, access):
        found.add(end.code if isinstance(end, Fault) else end.physical & ~0xFFF)  # type: ignore[attr-defined]
    return found


# ---------------------------------------------------------------- forgetting: a universe of chains, and the manual's rules

SIZES = {1: 1 << 12, 2: 1 << 21, 3: 1 << 30, 4: 1 << 39, 5: 1 << 48}
"""Bytes of the linear addresses that share an entry of a level."""
ADDRESSES = (0, 0x1000, 0x200000, 1 << 30, 1 << 39, (1 << 64) - (1 << 47), LAST)
TAGS = tuple(Tag(*tag) for tag in (*itertools.product((0, 1, 2), (0, 1, 2), (0, 0x9000)), (1, 1, 0xA000), (2, 0, 0xA000)))


def shapes() -> Iterator[tuple[int, int]]:
    """The level of a chain's last entry, and that entry: a table, or a page of each size, global or not."""
    for flags in (FULL, FULL | G):
        yield from ((4, 0x2000 | flags), (3, 0x3000 | flags), (2, 0x4000 | flags))
        yield from ((3, PS | flags), (2, PS | flags), (1, 0x7000 | flags), (1, 0x7000 | PS | flags))


def universe(levels: int = 4) -> set[Chain]:
    return {
        Chain(tag, gva - gva % SIZES[level], levels, (*range(levels - level), entry))
        for tag in TAGS
        for gva in ADDRESSES
        for level, entry in shapes()
    }


class Facts:
    """What the rules ask of a chain."""

    def __init__(self, chain: Chain, pge: bool) -> None:
        self.chain = chain
        self.vpid, self.pcid, self.eptp = chain.tag.vpid, chain.tag.pcid, chain.tag.eptp
        level, last = 5 - len(chain.entries), chain.entries[-1]
        self.first, self.beyond = chain.gva, chain.gva + SIZES[level]
        self.translation = level == 1 or (level in (2, 3) and bool(last & PS))
        """It maps a page; otherwise it is an upper part."""
        self.marked_global = self.translation and bool(last & G)
        self.kept = self.marked_global and pge
        """It is global, and CR4.PGE is set."""

    def used_for(self, gva: int) -> bool:
        return self.first <= gva < self.beyond


Rule = tuple[str, Callable[[Remembered], Any], Callable[[Facts], bool]]
GVA = 0x1234


def rules() -> Iterator[Rule]:
    for here in (Tag(1, 1, 0x9000), Tag(0, 2, 0), Tag(2, 0, 0xA000)):
        for gva in (GVA, 0x201000, LAST | 0xFFF):
            yield (
                f"INVLPG {gva:#x}: the page under this PCID or, with CR4.PGE, global; every upper part under this PCID",
                lambda m, t=here, g=gva: m.invlpg(t, g),
                lambda f, t=here, g=gva: (
                    f.vpid == t.vpid and ((f.used_for(g) and (f.kept or f.pcid == t.pcid)) if f.translation else f.pcid == t.pcid)
                ),
            )
            yield (
                f"a page fault at {gva:#x}: whatever would be used, under this PCID",
                lambda m, t=here, g=gva: m.page_fault(t, g),
                lambda f, t=here, g=gva: (f.vpid, f.pcid) == (t.vpid, t.pcid) and f.used_for(g),
            )
            yield (
                f"an EPT violation at {gva:#x}: whatever would be used, under this VPID, PCID and EPTP",
                lambda m, t=here, g=gva: m.ept_violation(t, g),
                lambda f, t=here, g=gva: (f.vpid, f.pcid, f.eptp) == (t.vpid, t.pcid, t.eptp) and f.used_for(g),
            )
            for pcid in (0, 1, 2):
                yield (
                    f"INVPCID 0, PCID {pcid}, {gva:#x}: whatever would be used, but for global ones",
                    lambda m, t=here, p=pcid, g=gva: m.invpcid(0, t, p, g),
                    lambda f, t=here, p=pcid, g=gva: (f.vpid, f.pcid) == (t.vpid, p) and f.used_for(g) and not f.kept,
                )
        for pcid in (0, 1, 2):
            yield (
                f"INVPCID 1, PCID {pcid}: all but global ones",
                lambda m, t=here, p=pcid: m.invpcid(1, t, p, GVA),
                lambda f, t=here, p=pcid: (f.vpid, f.pcid) == (t.vpid, p) and not f.kept,
            )
        yield "INVPCID 2: everything", lambda m, t=here: m.invpcid(2, t, 1, GVA), lambda f, t=here: f.vpid == t.vpid
        yield (
            "INVPCID 3: everything but global ones",
            lambda m, t=here: m.invpcid(3, t, 1, GVA),
            lambda f, t=here: f.vpid == t.vpid and not f.kept,
        )
        yield (
            "MOV CR3: what is not global, of the new PCID",
            lambda m, t=here: m.mov_cr3(t),
            lambda f, t=here: (f.vpid, f.pcid) == (t.vpid, t.pcid) and not f.kept,
        )
        yield "MOV CR3 with bit 63 set: nothing", lambda m, t=here: m.mov_cr3(t, keep=True), lambda f: False
        yield (
            "MOV CR4 that changes PGE: everything",
            lambda m, t=here: m.mov_cr4(t, not m.global_pages),
            lambda f, t=here: f.vpid == t.vpid,
        )
        yield (
            "MOV CR4 that changes PGE and sets SMEP: everything",
            lambda m, t=here: m.mov_cr4(t, not m.global_pages, smep_on=True),
            lambda f, t=here: f.vpid == t.vpid,
        )
        yield (
            "MOV CR4 that clears PCIDE: everything",
            lambda m, t=here: m.mov_cr4(t, m.global_pages, pcids_off=True),
            lambda f, t=here: f.vpid == t.vpid,
        )
        yield (
            "MOV CR4 that sets SMEP: what is of this PCID, global or not",
            lambda m, t=here: m.mov_cr4(t, m.global_pages, smep_on=True),
            lambda f, t=here: (f.vpid, f.pcid) == (t.vpid, t.pcid),
        )
        yield "MOV CR4 that changes neither: nothing", lambda m, t=here: m.mov_cr4(t, m.global_pages), lambda f: False
        yield ("INVLPG of an address that is not canonical: nothing", lambda m, t=here: m.invlpg(t, NOT_CANONICAL), lambda f: False)
    for vpid in (1, 2):
        for gva in (GVA, LAST):
            yield (
                f"INVVPID 0, VPID {vpid}, {gva:#x}: whatever would be used",
                lambda m, v=vpid, g=gva: m.invvpid(0, v, g),
                lambda f, v=vpid, g=gva: f.vpid == v and f.used_for(g),
            )
        yield f"INVVPID 1, VPID {vpid}: all", lambda m, v=vpid: m.invvpid(1, v, GVA), lambda f, v=vpid: f.vpid == v
        yield (
            f"INVVPID 3, VPID {vpid}: all but global ones",
            lambda m, v=vpid: m.invvpid(3, v, GVA),
            lambda f, v=vpid: f.vpid == v and not f.kept,
        )
        yield "INVVPID 2: all VPIDs but 0", lambda m, v=vpid: m.invvpid(2, v, GVA), lambda f: f.vpid != 0
        yield (
            "INVVPID 0 of an address that is not canonical fails",
            lambda m, v=vpid: m.invvpid(0, v, NOT_CANONICAL),
            lambda f: False,
        )
    yield "INVVPID 2 with VPID 0: all VPIDs but 0", lambda m: m.invvpid(2), lambda f: f.vpid != 0
    for kind in (0, 1, 3):
        yield f"INVVPID {kind} of VPID 0 fails", lambda m, k=kind: m.invvpid(k, 0, GVA), lambda f: False
    for eptp in (0x9000, 0x901E, 0xA000):
        yield (
            f"INVEPT 1, EPTP {eptp:#x}: whatever its tables made",
            lambda m, e=eptp: m.invept(1, e),
            lambda f, e=eptp: f.eptp == e & ~0xFFF,
        )
    yield "INVEPT 1, EPTP 0: nothing is of no EPT", lambda m: m.invept(1, 0x1E), lambda f: False
    yield "INVEPT 2: whatever any EPT made", lambda m: m.invept(2, 0x9000), lambda f: f.eptp != 0
    yield ("a VM entry or exit without VPIDs: VPID 0", lambda m: m.vm_transition(vpids_enabled=False), lambda f: f.vpid == 0)
    yield "a VM entry or exit with VPIDs: nothing", lambda m: m.vm_transition(vpids_enabled=True), lambda f: False


EVERYTHING = universe()


@pytest.mark.parametrize("pge", [False, True])
def test_what_must_be_forgotten_is_forgotten_and_nothing_else(pge: bool) -> None:
    facts = [Facts(chain, pge) for chain in EVERYTHING]
    for says, how, forgotten in rules():
        memory = Remembered(pge, set(EVERYTHING))
        how(memory)
        assert memory.chains == {f.chain for f in facts if not forgotten(f)}, says


def test_mov_cr4_sets_what_global_means_from_then_on() -> None:
    memory = remembered(0x7000 | FULL | G)
    memory.mov_cr4(HERE, False)
    assert memory.global_pages is False and memory.chains == set()
    memory.mov_cr4(HERE, True)
    assert memory.global_pages is True


def test_the_address_counts_for_the_first_kind_only() -> None:
    for kind in (1, 2, 3):
        memory = remembered()
        memory.invvpid(kind, 1, NOT_CANONICAL)
        assert memory.chains == set()


def test_what_is_left_out_is_zero_and_four_levels() -> None:
    assert Tag() == Tag(0, 0, 0) and Remembered() == Remembered(False, set())
    zero, upper = Chain(Tag(), 0, 4, (1, 2, 3, 0x7000 | FULL)), Chain(Tag(), 0, 4, (0x2000 | FULL,))
    other = Chain(Tag(1), 0, 4, (1, 2, 3, 0x7000 | FULL))
    under = Chain(Tag(1, 0, 0x1000), 1 << 12, 4, (1, 2, 3, 0x7000 | FULL))
    for how, left in (
        (lambda m: m.invpcid(0, Tag()), {other, under}),
        (lambda m: m.invpcid(1, Tag()), {other, under}),
        (lambda m: m.invvpid(0, 1), {zero, upper, under}),
        (lambda m: m.invvpid(1), {zero, upper, other, under}),
        (lambda m: m.invept(1), {zero, upper, other, under}),
    ):
        memory = Remembered(False, {zero, upper, other, under})
        how(memory)
        assert memory.chains == left
    for forget in (
        lambda m: m.invlpg(HERE, NOT_CANONICAL),
        lambda m: m.invvpid(0, 1, NOT_CANONICAL),
        lambda m: m.invpcid(0, HERE, 1, NOT_CANONICAL),
    ):
        memory = Remembered(False, {Chain(HERE, NOT_CANONICAL, 5, (1, 2, 3, 4, 0x7000 | FULL))})
        with contextlib.suppress(NotCanonical):
            forget(memory)
        assert memory.chains
    for how in (lambda m: m.invvpid(0, 1, 1 << 40), lambda m: m.invlpg(HERE, 1 << 40), lambda m: m.invpcid(0, HERE, 1, 1 << 40)):
        low = Remembered(False, {Chain(HERE, 1 << 40, 4, (1, 2, 3, 0x7000 | FULL))})
        how(low)  # the address is canonical with 4 levels, and not with 3
        assert low.chains == set()


def test_invpcid_of_an_address_that_is_not_canonical_is_a_general_protection_fault() -> None:
    memory = remembered()
    with pytest.raises(NotCanonical):
        memory.invpcid(0, HERE, 1, NOT_CANONICAL)
    assert memory.chains == remembered().chains
    memory.invpcid(1, HERE, 1, NOT_CANONICAL)  # the address counts for kind 0 only
    assert memory.chains == set()


@pytest.mark.parametrize(
    "forget",
    [
        lambda m, levels: m.invlpg(HERE, NOT_CANONICAL, levels),
        lambda m, levels: m.invvpid(0, 1, NOT_CANONICAL, levels),
        lambda m, levels: m.invpcid(0, HERE, 1, NOT_CANONICAL, levels),
    ],
)
def test_five_levels_make_more_addresses_canonical(forget: Callable[[Remembered, int], None]) -> None:
    chain = Chain(HERE, NOT_CANONICAL, 5, (1, 2, 3, 4, 0x7000 | FULL))
    memory = Remembered(False, {chain})
    with contextlib.suppress(NotCanonical):
        forget(memory, 4)
    assert memory.chains == {chain}
    forget(memory, 5)
    assert memory.chains == set()


# ---------------------------------------------------------------- using


@pytest.mark.parametrize("pge", [False, True])
@pytest.mark.parametrize("levels", [4, 5])
def test_a_chain_serves_its_own_addresses_under_its_own_tag_and_a_global_one_every_pcid(pge: bool, levels: int) -> None:
    memory = Remembered(pge, EVERYTHING | universe(5))
    for tag in (Tag(1, 1, 0x9000), Tag(1, 2, 0x9000), Tag(0, 1, 0)):
        for gva in (0x1FFF, 0x201000, LAST, 1 << 39):
            due = {
                chain
                for chain in memory.chains
                if chain.levels == levels
                and (chain.tag.vpid, chain.tag.eptp) == (tag.vpid, tag.eptp)
                and chain.gva <= gva < chain.gva + SIZES[levels + 1 - len(chain.entries)]
                and (
                    chain.tag.pcid == tag.pcid
                    or (pge and Facts(chain, pge).marked_global if levels == 4 else pge and chain.is_global())
                )
            }
            assert set(memory.usable(tag, attrs.evolve(CPU, levels=levels), gva)) == due


def test_which_addresses_share_an_entry() -> None:
    for level, size in SIZES.items():
        for gva in (*ADDRESSES, GVA, LAST | 0xFFF):
            assert first_address(gva, level) == gva - gva % size


def test_a_level_above_3_never_maps_a_page() -> None:
    assert [Chain(HERE, 0, 5, (FULL,) * n + (PS | G | FULL,)).is_global() for n in range(5)] == [False, False, True, True, True]


def test_nobody_uses_another_s_chains_but_global_ones() -> None:
    assert frames(remembered(), tables(0), OTHER_PCID) == {0}
    assert frames(remembered(0x7000 | FULL | G), tables(0), OTHER_PCID) == {0x7000, 0}
    assert frames(remembered(0x7000 | FULL | G), tables(0), OTHER_VPID) == {0}


def test_old_upper_entries_mix_with_new_lower_ones() -> None:
    memory = remembered()
    now = {**tables(), 0x3000: 0x5000 | FULL, 0x5000: 0xA000 | FULL, 0x4000: 0xB000 | FULL}
    assert frames(memory, now) == {0x7000, 0xA000, 0xB000}  # the translation; all new; an old PDE and a new PTE
    memory.invlpg(HERE, 0)
    assert frames(memory, now) == {0xA000}


def test_what_is_remembered_with_xd_set_is_used_after_nxe_is_cleared() -> None:
    memory = Remembered()
    memory.may_read(Marked(tables(0x7000 | FULL | 1 << 63)), HERE, attrs.evolve(CPU, nxe=True), 0)
    found = [end for _, end in memory.ways(lambda: Marked(tables(0)), HERE, attrs.evolve(CPU, nxe=False), 0, Access())]
    assert [end.physical for end in found if isinstance(end, Translation)] == [0x7000]


def test_invpcid_of_one_address_keeps_the_upper_entries_of_another() -> None:
    there = 1 << 39
    both = {**tables(), 0x1008: 0x2000 | FULL}
    memory = Remembered()
    for gva in (0, there):
        memory.may_read(Marked(both), HERE, CPU, gva)
    memory.invpcid(0, HERE, 1, 0)
    now = {0x2000: 0x3000 | FULL, 0x3000: 0x4000 | FULL, 0x4000: 0xB000 | FULL}  # no root entry leads anywhere
    assert frames(memory, now) == {0}
    assert frames(memory, now, gva=there) == {0, 0x7000, 0xB000}


def test_rights_taken_away_may_still_be_used_and_rights_given_may_be_missed_once() -> None:
    write = Access(write=True)
    assert frames(remembered(), tables(0x7000 | FULL & ~RW), access=write) == {0x7000, 3}
    memory = remembered(0x7000 | FULL & ~RW)
    assert frames(memory, tables(), access=write) == {0x7000, 3}
    memory.page_fault(HERE, 0)
    assert frames(memory, tables(), access=write) == {0x7000}


def test_a_translation_with_a_clear_dirty_flag_is_not_used_for_a_store() -> None:
    memory = remembered(0x7000 | FULL & ~D)
    assert frames(memory, tables(0)) == {0x7000, 0}
    assert frames(memory, tables(0), access=Access(write=True)) == {2}


KINDS = {
    "plain": lambda entry, level: entry,
    "absent": lambda entry, level: entry & ~P,
    "not accessed": lambda entry, level: entry & ~A,
    "malformed": lambda entry, level: entry | 1 << 45,
    "read-only": lambda entry, level: entry & ~(RW | D),
    "clean": lambda entry, level: entry & ~D,
    "large": lambda entry, level: (FULL | PS | level << 30) if level > 1 else entry | PS,
    "no-execute": lambda entry, level: entry | NX,
}


def table_of(kinds: tuple[str, ...]) -> dict[int, int]:
    """Four entries, at 0x1000 to 0x4000, from level 4 down."""
    return {0x1000 * n: KINDS[kind](0x1000 * (n + 1) | FULL, 5 - n) for n, kind in enumerate(kinds, 1)}


@pytest.mark.parametrize("nxe", [False, True])
def test_what_is_remembered_is_present_well_formed_and_accessed(nxe: bool) -> None:
    cpu = attrs.evolve(CPU, nxe=nxe)
    for kinds in itertools.product(KINDS, repeat=4):
        due: list[tuple[int, ...]] = []
        for level, (kind, entry) in zip((4, 3, 2, 1), zip(kinds, table_of(kinds).values(), strict=True), strict=True):
            if (
                kind in ("absent", "not accessed", "malformed")
                or (kind == "large" and level == 4)
                or (kind == "no-execute" and not nxe)
            ):
                break
            due.append((*(due[-1] if due else ()), entry))
            if kind == "large":
                break
        memory = Remembered()
        memory.may_read(Marked(table_of(kinds)), HERE, cpu, 0x123)
        assert memory.chains == {Chain(HERE, 0, 4, entries) for entries in due}, kinds


def mixtures(old: dict[int, int], new: dict[int, int], access: Access) -> Iterator[tuple[object, list[tuple[int, int]]]]:
    """Every way to go with so many old entries from the root down, if these may be remembered, and new ones after them."""
    for count in range(5):
        first = dict(list(old.items())[:count])
        entries = list(first.values())
        if not all(e & P and e & A for e in entries) or any(e & PS for e in entries[:-1]):
            continue  # nothing of this is remembered, or nothing that lies below a large page
        leaf = count == 4 or (count > 1 and entries[-1] & PS)
        memory = Marked({**new, **first})
        end = end_of(memory, lambda m: walk(m, CPU, 0x123, access))
        if leaf and access.write and not entries[-1] & D and not isinstance(end, int):
            continue  # to set the flag, the processor walks again
        yield end, [mark for mark in memory.marks if mark[0] not in first]


def end_of(memory: Marked, access: Callable[[Marked], object]) -> object:
    """A translation, or the code of a fault."""
    try:
        return access(memory)
    except PageFault as fault:
        return fault.code


SOME_KINDS = ("plain", "absent", "not accessed", "read-only", "clean", "large")


@pytest.mark.parametrize("access", [Access(), Access(write=True)], ids=["load", "store"])
def test_the_ways_of_an_access_are_all_mixtures_of_old_entries_and_new_ones(access: Access) -> None:
    for last_old, last_new in itertools.product(itertools.product(SOME_KINDS, repeat=2), repeat=2):
        for upper in itertools.product(("plain", "large"), repeat=2):
            old, new = table_of(("plain", upper[0], *last_old)), table_of(("plain", upper[1], *last_new))
            memory = Remembered()
            memory.may_read(Marked(old), HERE, CPU, 0x123)
            ways = [
                (getattr(end, "code", end), found.marks)
                for found, end in memory.ways(lambda n=new: Marked(n), HERE, CPU, 0x123, access)
            ]
            due = list(mixtures(old, new, access))
            assert len(ways) == len(due) and all(way in due for way in ways) and all(way in ways for way in due)


def test_what_looks_like_a_table_in_a_page_of_data_is_none() -> None:
    for now in (tables(), {**tables(), 0x3000: PS | FULL}, {**tables(), 0x2000: PS | FULL}):
        memory = Remembered()
        memory.may_read(Marked({**now, 0: 0x9000 | FULL, 0x7000: 0x9000 | FULL}), HERE, CPU, 0)
        deepest = 4 if now == tables() else 3 if now[0x2000] == 0x3000 | FULL else 2
        assert max(len(chain.entries) for chain in memory.chains) == deepest


def test_what_is_read_continues_from_what_is_remembered() -> None:
    memory = remembered()
    memory.chains = {chain for chain in memory.chains if chain.level == 2}
    memory.may_read(Marked({0x4000: 0xB000 | FULL}), HERE, CPU, 0)
    assert frames(memory, {}) == {0xB000, 0}
    memory.may_read(Marked({0x4000: 0xC000 | FULL}), OTHER_PCID, CPU, 0)
    assert frames(memory, {}, OTHER_PCID) == {0}


@pytest.mark.parametrize("level", [2, 3])
def test_a_large_page_that_is_not_aligned_is_never_remembered(level: int) -> None:
    for low, remembers in ((0, 5 - level), (1 << 12, 5 - level), (1 << 13, 4 - level), (1 << (2 + 9 * level), 4 - level)):
        memory = Remembered()
        memory.may_read(Marked({**tables(), 0x1000 * (5 - level): PS | FULL | low}), HERE, CPU, 0)
        assert len(memory.chains) == remembers  # bit 12 is PAT


def test_the_last_page_is_remembered_like_any_other() -> None:
    last = {0x1000 * n + 0xFF8: 0x1000 * (n + 1) | FULL for n in range(1, 5)}
    memory = Remembered()
    memory.may_read(Marked(last), HERE, CPU, LAST | 0xFFF)
    assert {(len(chain.entries), chain.gva) for chain in memory.chains} == {
        (5 - level, (1 << 64) - size) for level, size in SIZES.items() if level < 5
    }
    assert frames(memory, {}, gva=LAST) == {0x5000, 0}


def test_of_an_address_that_is_not_canonical_nothing_is_remembered() -> None:
    memory = Remembered()
    memory.may_read(Marked({0x1000 + 8 * 256: 0x2000 | FULL}), HERE, CPU, NOT_CANONICAL)
    assert memory.chains == set()
    memory.may_read(Marked({0x1000 + 8 * 256: 0x2000 | FULL}), HERE, CPU, 0xFFFF_8000_0000_0000)
    assert [chain.gva for chain in memory.chains] == [0xFFFF_8000_0000_0000]


def test_the_registers_decide_what_is_reserved_and_where_the_root_is() -> None:
    for cpu, remembers in (
        (CPU, 4),
        (attrs.evolve(CPU, cr3=0x1FFF), 4),
        (attrs.evolve(CPU, cr3=0x9000), 0),
        (attrs.evolve(CPU, beyond=lacking(32)), 3),
    ):
        memory = Remembered()
        memory.may_read(Marked(tables(1 << 35 | FULL)), HERE, cpu, 0)
        assert len(memory.chains) == remembers, cpu


# ---------------------------------------------------------------- the accessed flag


def test_an_access_through_memory_marks_it_and_one_through_the_cache_does_not() -> None:
    memory = remembered()
    marks = [m.marks for m, _ in memory.ways(lambda: Marked(tables()), HERE, CPU, 0, Access(write=True))]  # type: ignore[attr-defined]
    assert sorted(marks, key=len) == [[(0x1000 * n, A | D if n == 4 else A) for n in range(first, 5)] for first in (5, 4, 3, 2, 1)]


class Noted(Marked):
    """Memory that notes which entry it is told to set flags in."""

    def __init__(self, words: dict[int, int]) -> None:
        super().__init__(words)
        self.noted: list[tuple[int, int]] = []

    def mark(self, address: int, entry: int, flags: int) -> None:
        self.noted.append((address, entry))


def test_flags_are_set_in_the_entry_that_was_read() -> None:
    for memory, _ in remembered().ways(lambda: Noted(tables()), HERE, CPU, 0, Access(write=True)):
        assert all(tables()[address] == entry for address, entry in memory.noted)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "forget",
    [
        lambda m: m.invlpg(HERE, 0),
        lambda m: m.mov_cr3(HERE),
        lambda m: m.mov_cr4(HERE, False),
        lambda m: m.invpcid(0, HERE, 1, 0),
        lambda m: m.invvpid(0, 1, 0),
        lambda m: m.invept(1, 0x9000),
    ],
)
@pytest.mark.parametrize("level", [4, 3, 2, 1])
def test_after_an_invalidation_every_way_that_completes_sets_the_accessed_flag(
    forget: Callable[[Remembered], None], level: int
) -> None:
    memory, at = remembered(), 0x1000 * (5 - level)
    now = {**tables(), at: tables()[at] & ~A}
    memory.may_read(Marked(now), HERE, CPU, 0)
    assert not all((at, A) in m.marks for m, _ in memory.ways(lambda: Marked(now), HERE, CPU, 0, Access()))  # type: ignore
    forget(memory)
    memory.may_read(Marked(now), HERE, CPU, 0)
    ways = list(memory.ways(lambda: Marked(now), HERE, CPU, 0, Access()))
    assert ways and all((at, A) in m.marks for m, _ in ways)  # type: ignore[attr-defined]
