"""Judging a guest's page walk: what is due, and what is wrong with what was observed, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, Translation, WalkMemory
from refmodel.machine.x86.guest_walk import FETCH, PK, RSVD, Cpu, NotCanonical, PageFault, reserved, walk
from refmodel.machine.x86.words import FRAME, NX, PS, RW, US, A, D, G, P
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome, judged, lawful
from refmodel.oracle.x86.walk_tests import SIZE, Profile, WalkTest, flag_names, level_at, make

SIZES = {1: "4 KiB", 2: "2 MiB", 3: "1 GiB"}
CODE_FLAGS = (("P", P), ("W/R", RW), ("U/S", US), ("RSVD", RSVD), ("I/D", FETCH), ("PK", PK))
ERROR_CODE = 'SDM Vol. 3A 4.7, "Page-Fault Exceptions"'
ADDRESS = 'SDM Vol. 3A 4.5, "4-Level Paging and 5-Level Paging"'
FLAGS = 'SDM Vol. 3A 4.8, "Accessed and Dirty Flags"'


@attrs.frozen
class WalkCampaign:
    """Tests of the guest's walk for one implementation: ``perform`` makes the accesses and says what came of them."""

    implementation: str
    profile: Profile
    perform: Callable[[Sequence[WalkTest]], Sequence[Observed]]
    size: int = SIZE
    slow: bool = False

    @property
    def subject(self) -> str:
        return f"{self.profile.levels}-level paging"

    def make(self, data: bytes) -> WalkTest:
        return make(data, self.profile)

    def run(self, tests: Sequence[WalkTest]) -> Sequence[tuple[str, Finding | None]]:
        return [(observed.outcome.kind, compare(test, observed)) for test, observed in zip(tests, self.perform(tests), strict=True)]


def due(test: WalkTest) -> list[Lawful]:
    """What may come of a test."""
    return lawful(
        lambda memory, guest_walk: guest_walk(memory, test.cpu, test.gva, test.access),
        test.entries,
        lambda result: end_of(result, test.gva),
    )


def end_of(result: Any, gva: int) -> Outcome:
    """A walk's result as an outcome."""
    if isinstance(result, PageFault):
        return Outcome("#PF", result.code, gva)
    if isinstance(result, NotCanonical):
        return Outcome("#GP")
    assert isinstance(result, Translation)
    return Outcome("completed", 0, result.physical)


def compare(test: WalkTest, observed: Observed, ways: list[Lawful] | None = None) -> Finding | None:
    """None if the manual (or these ways, if they are given) allows what was observed."""
    return judged(
        due(test) if ways is None else ways,
        test.entries,
        observed,
        lambda expected, got: outcome_finding(test, expected, got),
        lambda way, address, wrong, entry: flags_finding(way, address, wrong, entry, observed, level_used(test, address)),
    )


# ---------------------------------------------------------------- in words


def outcome_finding(test: WalkTest, expected: Outcome, got: Outcome) -> Finding:
    source = ADDRESS if expected.kind == got.kind == "completed" else ERROR_CODE
    return Finding(_title(test, expected, got), source, words(expected), words(got))


def words(outcome: Outcome) -> str:
    if outcome.kind == "#PF":
        return f"#PF, error code {outcome.code:#x} ({code_names(outcome.code)}), CR2 {outcome.address:#x}"
    if outcome.kind == "completed":
        return f"completed at physical address {outcome.address:#x}"
    return f"{outcome.kind}, error code {outcome.code:#x}" if outcome.code else outcome.kind


def code_names(code: int) -> str:
    """The flags of an error code by name."""
    return " ".join(name for name, bit in CODE_FLAGS if code & bit) or "none"


def _title(test: WalkTest, expected: Outcome, got: Outcome) -> str:
    if expected.kind == "#PF" and expected.code & RSVD and got.kind != "#GP" and not (got.kind == "#PF" and got.code & RSVD):
        which = reserved_by(lambda memory: walk(memory, test.cpu, test.gva, test.access), test.entries, test.cpu, level_at)
        return f"not taken as reserved: {which}"
    if got.kind != expected.kind:
        return f"{got.kind} where {cause(expected)} is due"
    if got.code != expected.code:
        return f"error code of {cause(expected)} {difference(expected.code, got.code)}"
    return "another CR2 than is due" if expected.kind == "#PF" else "another physical address than is due"


def cause(outcome: Outcome) -> str:
    """Why an access ends as it does."""
    if outcome.kind != "#PF":
        return outcome.kind
    if outcome.code & RSVD:
        return "a #PF for reserved bits"
    if outcome.code & PK:
        return "a #PF for a protection key"
    return "a #PF for rights" if outcome.code & P else "a #PF for a page not present"


def difference(expected: int, got: int) -> str:
    """How one error code differs from another."""
    lacks, has = code_names(expected & ~got), code_names(got & ~expected)
    said = [f"lacks {lacks}"] if expected & ~got else []
    return " and ".join([*said, *([f"has {has}"] if got & ~expected else [])])


class Watched:
    """Memory that remembers which entry was read last."""

    def __init__(self, entries: Mapping[int, int]) -> None:
        self.memory, self.last = Marked(entries), 0

    def read(self, address: int) -> int:
        self.last = address
        return self.memory.read(address)

    def mark(self, address: int, entry: int, flags: int) -> None:
        """Flags are of no interest here."""


def reserved_by(access: Callable[[WalkMemory], Any], entries: Mapping[int, int], cpu: Cpu, level_of: Callable[[int], int]) -> str:
    """Which reserved bits an access comes to grief on, in words."""
    memory = Watched(entries)
    with contextlib.suppress(Fault):
        access(memory)
    level, entry = level_of(memory.last), entries.get(memory.last, 0)
    leaf = level == 1 or (level < 4 and entry & PS != 0)
    return ", ".join(names_of_reserved(entry & reserved(cpu, level, leaf), cpu.beyond, level))


def names_of_reserved(bits: int, beyond: int, level: int) -> Iterator[str]:
    rules = [
        (beyond, "address bits above MAXPHYADDR"),
        (NX, "bit 63 without EFER.NXE"),
        (G if level >= 4 else 0, "bit 8 of a PML4E"),
        (PS if level >= 3 else 0, "the page-size bit"),
        (FRAME & ~beyond, f"address bits below {SIZES.get(level, 'the page')}"),
    ]
    for mask, name in rules:
        if bits & mask:
            yield name
            bits &= ~mask


def level_used(test: WalkTest, address: int) -> int:
    """The level that an entry is last used at; that of its table, if the walk does not come to it."""
    table, found = test.cpu.cr3 & FRAME, level_at(address)
    for level in range(test.cpu.levels, 0, -1):
        at = table | (test.gva >> 3 + 9 * level & 0x1FF) << 3
        entry = test.entries.get(at, 0)
        if at == address:
            found = level
        if not entry & P or (level < 4 and entry & PS):
            break
        table = entry & FRAME
    return found


def flags_finding(way: Lawful, address: int, wrong: int, entry: int, observed: Observed, used_at: int | None = None) -> Finding:
    """What is wrong with an entry's flags. Without the level that it was used at, that is the level of its table."""
    level, after = used_at or level_at(address), observed.entries[address]
    flag = "accessed flag" if wrong & A else "dirty flag" if wrong & D else f"bits {wrong:#x}"
    change = "set" if wrong & after else "not set"
    leaf = level == 1 or (level < 4 and after & PS)
    where = f"a {SIZES[level]} leaf" if leaf else f"a level {level} entry"
    when = "by an access that completes" if way.outcome.kind == "completed" else "although the access faults"
    return Finding(
        f"{flag} of {where} {change} {when}",
        FLAGS,
        f"level {level} entry {flag_names(entry, level)}",
        f"level {level} entry {flag_names(after, level)}",
    )
