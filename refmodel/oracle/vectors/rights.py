"""Every combination of what decides whether an access is let through: a page's rights, the kind of access, the registers.

The paths of a walk do not tell these apart, since one condition of its code looks at several of them. A right is missing, or an
execution denied, by one of the entries on the way, and each is that one in turn.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import attrs

from refmodel.machine.x86.ept_walk import XU, Ept, R, W, X
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.legacy_walk import Cpu32, CpuPae
from refmodel.machine.x86.words import NX, PS, RW, US, P, lacking
from refmodel.oracle.vectors.legacy import with_pdptes_in_memory
from refmodel.oracle.x86.agent.image import TABLES, WINDOW
from refmodel.oracle.x86.agent.legacy_image import DIRECTORY, PDPT, TABLE
from refmodel.oracle.x86.legacy_tests import LegacyTest
from refmodel.oracle.x86.nested_tests import DATA_1, ROOT, WRITE_BACK, NestedTest
from refmodel.oracle.x86.walk_tests import WalkTest

KINDS = (Access(), Access(write=True), Access(fetch=True))
IMPLICIT = tuple(attrs.evolve(kind, implicit=True) for kind in KINDS if not kind.fetch)
BY_ALL = (*KINDS, *(attrs.evolve(kind, user=True) for kind in KINDS), *IMPLICIT)
ACCESSES = tuple(attrs.evolve(access, ac=ac) for access in BY_ALL for ac in (False, True))
"""An implicit access is none of a user, at any CPL."""
DENIED = tuple(sum(bits) for bits in itertools.product((0, US), (0, RW), (0, NX)))
"""What a page does not give: U/S and R/W by being clear, execution by being set."""
KEY = 5
EPT_RIGHTS = (R | W | X | XU, R | X | XU, R | W | X, R | W | XU, R | W, X, XU, 0)
NPT_RIGHTS = (P | RW | US, P | US, P | RW, P | RW | US | NX)


def of_guest(levels: int) -> Iterator[WalkTest]:
    """Of the guest's walk of tables of 4 or 5 levels."""
    draw, number = random.Random(levels), itertools.count()
    flags = itertools.product((False, True), repeat=4)
    for (wp, smep, smap, nxe), access, denied in itertools.product(flags, ACCESSES, DENIED):
        cpu = Cpu(cr3=TABLES[levels], levels=levels, wp=wp, smep=smep, smap=smap, nxe=nxe, beyond=lacking(40))
        yield _guest(cpu, access, denied, next(number), draw)
    for wp, access, denied, bits in itertools.product((False, True), ACCESSES, (0, RW), (0b01, 0b10, 0b11)):
        cpu = Cpu(cr3=TABLES[levels], levels=levels, wp=wp, pke=True, pkru=bits << 2 * KEY, beyond=lacking(40))
        test = _guest(cpu, access, denied, next(number), draw)
        leaf = max(test.entries)
        yield attrs.evolve(test, entries={**test.entries, leaf: test.entries[leaf] | KEY << 59})


def _guest(cpu: Cpu, access: Access, denied: int, number: int, draw: random.Random) -> WalkTest:
    """A walk to a page of 4 KiB."""
    index = {level: draw.randrange(1, 0x100) for level in range(cpu.levels, 0, -1)}
    entries = {
        TABLES[level] + 8 * index[level]: (TABLES[level - 1] if level > 1 else WINDOW[7])
        | _flags(denied, level, cpu.levels, number)
        for level in index
    }
    return WalkTest(entries, cpu, sum(index[level] << (3 + 9 * level) for level in index) | 0x128, access)


def _flags(denied: int, level: int, levels: int, number: int) -> int:
    """The flags of an entry of this level. What is denied is denied by one level, for each right another, in turn."""
    mine = sum(bit for turn, bit in enumerate((US, RW, NX)) if denied & bit and (number + turn) % levels == level - 1)
    return (P | RW | US) ^ mine


def outside_ia32e_mode(pae: bool) -> Iterator[LegacyTest]:
    """Of the walks of 32-bit paging, or of PAE paging; to small pages and to large ones."""
    draw, number = random.Random(pae), itertools.count()
    flags = itertools.product((False, True), repeat=4 if pae else 3)
    denials = DENIED if pae else [denied for denied in DENIED if not denied & NX]
    for chosen, access, denied, large in itertools.product(flags, ACCESSES, denials, (False, True)):
        wp, smep, smap, *nxe = chosen
        cpu: Cpu32 | CpuPae = Cpu32(DIRECTORY, wp, smep, smap)
        if pae:
            cpu = CpuPae(*(DIRECTORY | P,) * 4, wp, smep, smap, nxe[0])
        yield with_pdptes_in_memory(_legacy(cpu, access, denied, large, next(number), draw))


def _legacy(cpu: Cpu32 | CpuPae, access: Access, denied: int, large: bool, number: int, draw: random.Random) -> LegacyTest:
    pae = isinstance(cpu, CpuPae)
    width, shift = (8, 9) if pae else (4, 10)
    index = draw.randrange(1, 1 << (shift if pae else shift - 1)), draw.randrange(1, 1 << shift)
    if large:
        entries = {DIRECTORY + width * index[0]: PS | _flags(denied, 1, 1, number)}
        index = index[0], WINDOW[7] >> 12
    else:
        entries = {
            DIRECTORY + width * index[0]: TABLE | _flags(denied, 2, 2, number),
            TABLE + width * index[1]: WINDOW[7] | _flags(denied, 1, 2, number),
        }
    gva = index[0] << 12 + shift | index[1] << 12 | 0x128
    return LegacyTest(entries, cpu, gva, access, PDPT if pae else 0)


def through_ept() -> Iterator[tuple[WalkTest, Ept, int]]:
    """Of the guest's walk and of the EPT entry that maps its page: a walk, the EPT, and the rights that this entry gives."""
    draw, number = random.Random(6), itertools.count()
    settings = itertools.product((False, True), repeat=2)
    for (advanced, by_mode), access, denied, rights in itertools.product(settings, BY_ALL, DENIED, EPT_RIGHTS):
        cpu, access = _smap(draw), attrs.evolve(access, ac=draw.random() < 0.5)  # noqa: PLW2901
        ept = Ept(ROOT, accessed_dirty=draw.random() < 0.5, mode_based_execute=by_mode, advanced=advanced)
        yield _guest(cpu, access, denied, next(number), draw), ept, rights | WRITE_BACK


def through_npt() -> Iterator[tuple[WalkTest, Cpu, int]]:
    """Walks of a guest whose page an NPT entry maps: a walk, the host's registers, and the rights that the NPT entry gives."""
    draw, number = random.Random(7), itertools.count()
    settings = itertools.product((False, True), repeat=2)
    for (nxe, smep), access, denied, rights in itertools.product(settings, BY_ALL, DENIED, NPT_RIGHTS):
        cpu, access = _smap(draw), attrs.evolve(access, ac=draw.random() < 0.5)  # noqa: PLW2901
        host = Cpu(ROOT, nxe=nxe, smep=smep, beyond=lacking(40))
        yield _guest(cpu, access, denied, next(number), draw), host, rights


def _smap(draw: random.Random) -> Cpu:
    """The guest's registers, with or without SMAP."""
    return Cpu(cr3=TABLES[4], smap=draw.random() < 0.5, beyond=lacking(40))


def with_rights(test: NestedTest, rights: int) -> NestedTest:
    """The test with these rights in the second tables' entry that maps the page."""
    at = next(at for at in test.entries if at & ~0xFFF == DATA_1)
    return attrs.evolve(test, entries={**test.entries, at: test.entries[at] & ~(R | W | X | XU | NX | 7 << 3) | rights})


__all__ = ["of_guest", "outside_ia32e_mode", "through_ept", "through_npt", "with_rights"]
