"""What a walker must have for a vector to concern it, so that one which lacks it can leave the vector out.

A vector needs a feature if the walk of a processor without it ends otherwise, or sets other flags. So it is found by walking
again with the register or capability as it is on such a processor.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import attrs

from refmodel.language import BadDesign
from refmodel.oracle.vectors import walks
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.vectors.walks import NptTest, Test
from refmodel.oracle.x86.legacy_tests import LegacyTest, LoadTest, with_pdptes_of_memory
from refmodel.oracle.x86.outcomes import Lawful


@attrs.frozen
class Feature:
    """Something that a walker may lack."""

    name: str
    about: str
    field: str = ""
    """Of the registers or of the access: what is as ``lacking`` for a walker that lacks the feature. Empty for what is no flag."""
    lacking: bool | int = False

    def without(self, test: Test) -> Test | None:
        """The test as a walker sees it that lacks the feature; None if it sees the same test."""
        changed: dict[str, Any] = {}
        for part in ("cpu", "second", "ept", "host", "access"):
            record = getattr(test, part, None)
            if record is not None and getattr(record, self.field, self.lacking) != self.lacking:
                change: dict[str, Any] = {self.field: self.lacking}
                changed[part] = attrs.evolve(record, **change)
        return attrs.evolve(test, **changed) if changed else None


@attrs.frozen
class PdpteRegisters(Feature):
    """That PDPTEs are registers: a walker that lacks it reads them from memory whenever it walks."""

    field: str = "cr3"

    def without(self, test: Test) -> Test | None:
        if not isinstance(test, LegacyTest):
            return None
        seen = with_pdptes_of_memory(test)
        return seen if seen != test else None


FIVE_LEVELS, NON_CANONICAL, MOV_CR3 = "5-levels", "non-canonical", "mov-cr3"
FEATURES = {
    feature.name: feature
    for feature in (
        Feature("smep", "CR4.SMEP set", "smep"),
        Feature("smap", "CR4.SMAP set", "smap"),
        Feature("keys", "CR4.PKE set: protection keys", "pke"),
        Feature("nx", "EFER.NXE set: bit 63 is no-execute, and error codes identify fetches", "nxe"),
        Feature("no-nx", "EFER.NXE clear: bit 63 is reserved", "nxe", True),
        Feature("wp", "CR0.WP set: supervisor writes obey R/W", "wp"),
        Feature("no-wp", "CR0.WP clear", "wp", True),
        Feature("1gib", "pages of 1 GiB", "gigabyte_pages"),
        Feature("no-1gib", "a processor without pages of 1 GiB: bit 7 of a level 3 entry is reserved", "gigabyte_pages", True),
        Feature("maxphyaddr", "a MAXPHYADDR below 52: address bits above MAXPHYADDR are reserved", "beyond", 0),
        Feature("amd", "AMD processors: bit 8 of entries of levels 4 and 5 is reserved", "amd"),
        Feature("intel", "Intel processors: bit 8 of entries of levels 4 and 5 is ignored", "amd", True),
        Feature("implicit", "implicit accesses of the processor to descriptor tables and TSS", "implicit"),
        Feature("pse", "CR4.PSE set: pages of 4 MiB with 32-bit paging", "pse"),
        Feature("no-pse", "CR4.PSE clear: bit 7 of a page-directory entry is ignored with 32-bit paging", "pse", True),
        Feature("pse36", "PSE-36: pages of 4 MiB above 4 GiB", "pse36"),
        Feature("no-pse36", "a processor without PSE-36: bits 21:13 of an entry that maps 4 MiB are reserved", "pse36", True),
        PdpteRegisters("pdpte-registers", "PDPTEs that changed in memory after CR3 was loaded, which does not change translations"),
        Feature("ept-flags", "EPTP bit 6 set: accessed and dirty flags for EPT", "accessed_dirty"),
        Feature("ept-user-execute", "mode-based execute control for EPT", "mode_based_execute"),
        Feature("ept-execute-only", "EPT entries that give only the right to execute", "execute_only"),
        Feature(
            "no-ept-execute-only", "a processor on which an execute-only EPT entry is a misconfiguration", "execute_only", True
        ),
        Feature("ept-advanced", "advanced information in exit qualifications, bits 9 to 11", "advanced"),
        Feature(MOV_CR3, "MOV to CR3 with PAE paging, which loads PDPTEs or raises #GP"),
        Feature(FIVE_LEVELS, "tables of 5 levels"),
        Feature(NON_CANONICAL, "non-canonical linear addresses, for which the walker itself raises #GP"),
    )
}
"""By name."""


def known(names: Iterable[str]) -> frozenset[str]:
    """These names, if there are such features; raises ``BadDesign``."""
    given = frozenset(names)
    for name in sorted(given - FEATURES.keys()):
        raise BadDesign(f"{name}: no such feature; expected one of {', '.join(FEATURES)}")
    return given


def needs(test: Test, ways: list[Lawful]) -> list[str]:
    """The features that a walker must have to end in one of these ways, in the order of the table."""
    there = {FIVE_LEVELS} if _levels(test) == 5 else set()
    if isinstance(test, LoadTest):
        there.add(MOV_CR3)
    elif any(way.outcome.kind == "#GP" for way in ways):
        there.add(NON_CANONICAL)
    on = [name for name, feature in FEATURES.items() if feature.field and feature.without(test) is not None]
    there |= {name for name in on if _matters(test, ways, (name,))}
    rest = [name for name in on if name not in there]
    if any(_matters(test, ways, each) for each in _at_once(rest)):  # two stand in for each other, as NX and SMEP in an error code
        for pair in itertools.combinations(rest, 2):
            if FEATURES[pair[0]].field != FEATURES[pair[1]].field and _matters(test, ways, pair):
                there |= set(pair)
        if any(_matters(test, ways, each) for each in _at_once([name for name in rest if name not in there])):
            there |= set(rest)
    return [name for name in FEATURES if name in there]


def _at_once(names: list[str]) -> list[list[str]]:
    """Features that a walker may lack at once. The guest's registers may need one, such as NX, and the host's its opposite: a
    walker lacks one of the two."""
    by_field = {FEATURES[name].field: name for name in names}
    first = {FEATURES[name].field: name for name in reversed(names)}
    return [[*first.values()], [*by_field.values()]] if first != by_field else [names]


def _matters(test: Test, ways: list[Lawful], names: Iterable[str]) -> bool:
    """Whether a walker that lacks all of these ends otherwise."""
    seen = test
    for name in names:
        seen = FEATURES[name].without(seen) or seen
    return walks.due(seen) != ways


def _levels(test: Test) -> int:
    registers = test.ept if isinstance(test, EptTest) else test.host if isinstance(test, NptTest) else test.cpu
    return getattr(registers, "levels", 0)
