"""Tests that differ from one in a single bit: what each bit of an entry, an address, a register and an access changes.

The bits of an entry that say where the next table is are left alone: whoever runs the test has its tables where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from refmodel.machine.x86.ept_walk import Ept, Use
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.legacy_walk import Cpu32, CpuPae
from refmodel.machine.x86.words import FRAME
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.x86.legacy_tests import LegacyTest, LoadTest
from refmodel.oracle.x86.nested_tests import NestedTest
from refmodel.oracle.x86.walk_tests import WalkTest

ADDRESS_BITS = range(3, 64)


def of_walk(test: WalkTest) -> Iterator[tuple[str, WalkTest]]:
    """Neighbours of a test of the guest's walk, each with what was changed."""
    for words, entries in _of_entries(test.entries, test.cpu.beyond):
        yield words, attrs.evolve(test, entries=entries)
    yield from ((words, attrs.evolve(test, gva=gva)) for words, gva in _of_address(test.gva, "linear address"))
    yield from ((words, attrs.evolve(test, cpu=cpu)) for words, cpu in _of_flags(test.cpu))
    yield from ((words, attrs.evolve(test, access=access)) for words, access in of_access(test.access))


def of_ept(test: EptTest) -> Iterator[tuple[str, EptTest]]:
    for words, entries in _of_entries(test.entries, test.ept.beyond):
        yield words, attrs.evolve(test, entries=entries)
    width = min(52 - test.ept.beyond.bit_count(), 12 + 9 * test.ept.levels)  # no processor makes a use of an address with more bits
    yield from ((words, attrs.evolve(test, gpa=gpa)) for words, gpa in _of_address(test.gpa, "guest-physical address", width))
    yield from ((words, attrs.evolve(test, ept=ept)) for words, ept in _of_flags(test.ept))
    for use in (Use(read=True), Use(write=True), Use(read=True, write=True), Use(fetch=True), Use(fetch=True, user_page=True)):
        yield "use", attrs.evolve(test, use=use)


def of_nested(test: NestedTest) -> Iterator[tuple[str, NestedTest]]:
    for words, entries in _of_entries(test.entries, test.cpu.beyond):
        yield words, attrs.evolve(test, entries=entries)
    yield from ((words, attrs.evolve(test, cpu=cpu)) for words, cpu in _of_flags(test.cpu))
    yield from ((words, attrs.evolve(test, second=second)) for words, second in _of_flags(test.second))
    yield from ((words, attrs.evolve(test, access=access)) for words, access in of_access(test.access))


def of_access(access: Access) -> Iterator[tuple[str, Access]]:
    """The same access of another kind (load, store, fetch), in another mode, or with other flags; each with what changed."""
    for write, fetch in ((False, False), (True, False), (False, True)):
        yield "kind of access", attrs.evolve(access, write=write, fetch=fetch, implicit=access.implicit and not fetch)
    yield "mode", attrs.evolve(access, user=not access.user, implicit=False)
    yield "EFLAGS.AC", attrs.evolve(access, ac=not access.ac)
    if not access.fetch:
        yield "implicit", attrs.evolve(access, user=False, implicit=not access.implicit)


def of_legacy(test: LegacyTest) -> Iterator[tuple[str, LegacyTest]]:
    """Of a test of 32-bit paging or PAE paging. A bit of a PDPTE that changes in memory does not change in its register."""
    beyond = test.cpu.beyond | (1 << 63) - (1 << 52)
    for words, entries in _of_entries(test.entries, beyond, 64 if test.pae else 32):
        yield words, attrs.evolve(test, entries=entries)
    yield from ((words, attrs.evolve(test, gva=gva)) for words, gva in _of_address(test.gva, "linear address", 32))
    yield from ((words, attrs.evolve(test, cpu=cpu)) for words, cpu in _of_flags(test.cpu))
    yield from ((words, attrs.evolve(test, access=access)) for words, access in of_access(test.access))


def of_load(test: LoadTest) -> Iterator[tuple[str, LoadTest]]:
    """Of a test of MOV to CR3 with PAE paging."""
    for at, entry in test.entries.items():
        for bit in range(64):
            yield f"bit {bit} of the PDPTE at {at:#x}", attrs.evolve(test, entries={**test.entries, at: entry ^ 1 << bit})
    yield from ((f"bit {bit} of CR3", attrs.evolve(test, cr3=test.cr3 ^ 1 << bit)) for bit in range(64))


def _of_entries(entries: Mapping[int, int], beyond: int, width: int = 64) -> Iterator[tuple[str, dict[int, int]]]:
    for at, entry in entries.items():
        for bit in range(width):
            if not 1 << bit & FRAME & ~beyond or (entry & 1 << 7 and bit < 30):
                yield f"bit {bit} of the entry at {at:#x}", {**entries, at: entry ^ 1 << bit}


def _of_address(address: int, name: str, width: int = 64) -> Iterator[tuple[str, int]]:
    for bit in ADDRESS_BITS[: width - ADDRESS_BITS.start]:
        yield f"bit {bit} of the {name}", address ^ 1 << bit


def _of_flags(record: Cpu | Cpu32 | CpuPae | Ept) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if isinstance(value, bool):
            change: dict[str, Any] = {field.name: not value}
            yield field.name, attrs.evolve(record, **change)
    if isinstance(record, Cpu) and record.pke:
        yield "pkru", attrs.evolve(record, pkru=record.pkru ^ 0xFFFFFFFF)
