"""Judging two-dimensional walks: what is due, and what is wrong with what was observed, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from refmodel.machine.words import WalkMemory
from refmodel.machine.x86.ept_walk import (
    EPT_A,
    EPT_D,
    EXECUTE_DISABLED_PAGE,
    FINAL,
    LINEAR,
    USER_EXECUTABLE,
    USER_PAGE,
    WRITABLE_PAGE,
    Ept,
    EptMisconfiguration,
    EptViolation,
    R,
    W,
    X,
)
from refmodel.machine.x86.guest_walk import RSVD, NotCanonical, PageFault, walk, walk_marking_late
from refmodel.machine.x86.nested_walk import GuestWalk, Nested, walk_through_ept, walk_through_npt
from refmodel.machine.x86.npt_walk import FINAL_ADDRESS, TABLE_ADDRESS, NestedPageFault
from refmodel.machine.x86.words import FRAME, PS, A, D
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.nested_tests import SIZE, NestedTest, entry_words, is_guest_s, level_of, make, name_of
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome, judged, lawful
from refmodel.oracle.x86.walk_campaign import (
    ERROR_CODE,
    FLAGS,
    SIZES,
    cause,
    code_names,
    difference,
    end_of,
    reserved_by,
)
from refmodel.oracle.x86.walk_tests import Profile

QUALIFICATION_BITS = (
    ("read", R),
    ("write", W),
    ("fetch", X),
    ("was readable", R << 3),
    ("was writable", W << 3),
    ("was executable", X << 3),
    ("was user-executable", USER_EXECUTABLE),
    ("linear address valid", LINEAR),
    ("final", FINAL),
    ("user page", USER_PAGE),
    ("writable page", WRITABLE_PAGE),
    ("execute-disabled page", EXECUTE_DISABLED_PAGE),
)
VIOLATION = 'SDM Vol. 3C 28.3.3.2, "EPT Violations", and table 27-7'
MISCONFIGURATION = 'SDM Vol. 3C 28.3.3.1, "EPT Misconfigurations"'
EPT_FLAGS = 'SDM Vol. 3C 28.3.5, "Accessed and Dirty Flags for EPT"'
NESTED_FAULT = 'APM Vol. 2 15.25.6, "Nested versus Guest Page Faults, Fault Ordering"'


@attrs.frozen
class NestedCampaign:
    """Tests of two-dimensional walks for one implementation."""

    implementation: str
    profile: Profile
    ept: Ept | None
    perform: Callable[[Sequence[NestedTest]], Sequence[Observed]]
    size: int = SIZE
    slow: bool = False

    @property
    def subject(self) -> str:
        if self.ept is None:
            return f"{self.profile.levels}-level paging under nested paging"
        return f"{self.profile.levels}-level paging under EPT, its flags {'on' if self.ept.accessed_dirty else 'off'}"

    def make(self, data: bytes) -> NestedTest:
        return make(data, self.profile, self.ept)

    def run(self, tests: Sequence[NestedTest]) -> Sequence[tuple[str, Finding | None]]:
        return [(observed.outcome.kind, compare(test, observed)) for test, observed in zip(tests, self.perform(tests), strict=True)]


def due(test: NestedTest) -> list[Lawful]:
    """What may come of a test."""
    return lawful(
        lambda memory, guest_walk: _walk(test, memory, guest_walk),
        {**test.fixed, **test.entries},
        lambda result: _end(result, test),
    )


def _walk(test: NestedTest, memory: WalkMemory, guest_walk: GuestWalk) -> Nested:
    if isinstance(test.second, Ept):
        return walk_through_ept(memory, test.second, test.cpu, test.gva, test.access, guest_walk)
    return walk_through_npt(memory, test.second, test.cpu, test.gva, test.access, guest_walk)


def _end(result: Any, test: NestedTest) -> Outcome:
    if isinstance(result, Nested):
        return Outcome("completed", 0, result.host.physical)
    if isinstance(result, EptViolation):
        return Outcome("EPT violation", result.qualification, result.gpa, test.gva)
    if isinstance(result, EptMisconfiguration):
        return Outcome("EPT misconfiguration", 0, result.gpa)
    if isinstance(result, NestedPageFault):
        return Outcome("#NPF", result.code, result.gpa)
    assert isinstance(result, PageFault | NotCanonical)
    return end_of(result, test.gva)


def compare(test: NestedTest, observed: Observed, ways: list[Lawful] | None = None) -> Finding | None:
    """None if the manuals (or these ways, if they are given) allow what was observed."""
    return judged(
        due(test) if ways is None else ways,
        test.entries,
        observed,
        lambda expected, got: _outcome_finding(test, expected, got),
        lambda way, address, wrong, entry: _flags_finding(test, way, address, wrong, entry, observed),
    )


# ---------------------------------------------------------------- in words


def _outcome_finding(test: NestedTest, expected: Outcome, got: Outcome) -> Finding:
    source = {"EPT violation": VIOLATION, "EPT misconfiguration": MISCONFIGURATION, "#NPF": NESTED_FAULT}.get(
        expected.kind, ERROR_CODE
    )
    return Finding(_title(test, expected, got), source, _words(expected), _words(got))


def _words(outcome: Outcome) -> str:
    if outcome.kind == "EPT violation":
        return (
            f"EPT violation at {outcome.address:#x}, linear address {outcome.linear:#x}, exit qualification {outcome.code:#x} "
            f"({qualification_names(outcome.code)})"
        )
    if outcome.kind == "EPT misconfiguration":
        return f"EPT misconfiguration at {outcome.address:#x}"
    if outcome.kind == "#NPF":
        return f"#NPF at {outcome.address:#x}, EXITINFO1 {outcome.code:#x} ({code_names(outcome.code)}, {_stage(outcome.code)})"
    if outcome.kind == "#PF":
        return f"#PF, error code {outcome.code:#x} ({code_names(outcome.code)}), CR2 {outcome.address:#x}"
    return f"completed at physical address {outcome.address:#x}" if outcome.kind == "completed" else outcome.kind


def qualification_names(qualification: int) -> str:
    return ", ".join(name for name, bit in QUALIFICATION_BITS if qualification & bit) or "none"


def _stage(code: int) -> str:
    return "final address" if code & FINAL_ADDRESS else "guest's table" if code & TABLE_ADDRESS else "no stage"


def _title(test: NestedTest, expected: Outcome, got: Outcome) -> str:
    told_reserved = got.kind == expected.kind and got.code & RSVD
    if expected.kind in ("#PF", "#NPF") and expected.code & RSVD and not told_reserved:
        return f"not taken as reserved: {_reserved(test, expected)}"
    if expected.kind == "EPT misconfiguration" and got.kind != expected.kind:
        assert isinstance(test.second, Ept)
        return not_misconfigured({**test.fixed, **test.entries}, test.second, expected.address)
    if expected.kind == "completed" and got.kind != "completed":
        return f"{got.kind} where completed is due"
    if got.kind == expected.kind == "completed":
        return "another physical address than is due"
    if (got.kind, got.address) != (expected.kind, expected.address):
        return f"no {_cause(test, expected).removeprefix('an ').removeprefix('a ')}"
    if got.code != expected.code:
        return _code_title(test, expected, got)
    return f"another linear address of {_cause(test, expected)} than is due"


def _code_title(test: NestedTest, expected: Outcome, got: Outcome) -> str:
    if expected.kind != "EPT violation":
        stages = "" if expected.code >> 32 == got.code >> 32 else ", and tells another stage"
        return f"code of {_cause(test, expected)} {difference(expected.code, got.code)}{stages}"
    return f"exit qualification of {_cause(test, expected)} {qualification_difference(expected.code, got.code)}"


def qualification_difference(expected: int, got: int) -> str:
    """What an exit qualification lacks, and what it has besides."""
    lacks, has = expected & ~got, got & ~expected
    said = [*([f"lacks '{qualification_names(lacks)}'"] if lacks else []), *([f"has '{qualification_names(has)}'"] if has else [])]
    return " and ".join(said)


def _cause(test: NestedTest, outcome: Outcome) -> str:
    if outcome.kind == "EPT violation":
        if outcome.code & FINAL:
            return "an EPT violation at a final address"
        return f"an EPT violation at a guest's table{_setting_flags(test, outcome)}"
    if outcome.kind == "#NPF":
        return f"{cause(attrs.evolve(outcome, kind='#PF')).replace('#PF', '#NPF')} at a {_stage(outcome.code)}"
    return cause(outcome)


def _setting_flags(test: NestedTest, outcome: Outcome) -> str:
    """Whether the table may be read but not written, and the violation is for setting a flag in it."""
    assert isinstance(test.second, Ept)
    readable = outcome.code & R << 3 and not outcome.code & W << 3
    return ", read-only, in which a flag is to be set" if readable and not test.second.accessed_dirty else ""


def _reserved(test: NestedTest, expected: Outcome) -> str:
    guest_s = expected.kind == "#PF"
    cpu = test.cpu if guest_s or isinstance(test.second, Ept) else test.second

    def words(one: GuestWalk) -> str:
        return reserved_by(lambda memory: _walk(test, memory, one), {**test.fixed, **test.entries}, cpu, level_of)

    by = next(filter(None, map(words, (walk, walk_marking_late))), "an entry")  # one may end before it reads the entry
    return f"{by} ({'guest' if guest_s else 'nested'} tables)"


def not_misconfigured(memory: Mapping[int, int], ept: Ept, gpa: int) -> str:
    """What was not taken as an EPT misconfiguration: which rule the EPT entries of a guest-physical address break."""
    return f"not taken as a misconfiguration: {_rule_broken(memory, ept, gpa)}"


def _rule_broken(memory: Mapping[int, int], ept: Ept, gpa: int) -> str:
    table = ept.root & FRAME
    for level in range(ept.levels, 0, -1):
        entry = memory.get(table | (gpa >> (3 + 9 * level) & 0x1FF) << 3, 0)
        leaf = level == 1 or (level < 4 and bool(entry & PS))
        broken = _broken_rule(ept, level, leaf, entry)
        if broken:
            return broken
        if leaf:
            break
        table = entry & FRAME
    return "by no rule"


def _broken_rule(ept: Ept, level: int, leaf: bool, entry: int) -> str:
    if entry & (R | W) == W:
        return "writable and not readable"
    if not entry & R and not ept.execute_only:
        return "execute-only"
    if entry & ept.beyond:
        return "address bits above MAXPHYADDR"
    if leaf and entry >> 3 & 7 in (2, 3, 7):
        return "a reserved memory type"
    if entry & PS and (level >= 4 or (level == 3 and not ept.gigabyte_pages)):
        return f"bit 7 of a level {level} entry{'' if level >= 4 else ', without 1 GiB pages'}"
    if not leaf and entry & 0x78:
        return f"bits 6:3 of a level {level} entry that maps no page"
    if leaf and level > 1 and entry & ((1 << (3 + 9 * level)) - 0x1000):
        low = entry & ((1 << (3 + 9 * level)) - 0x1000)
        return f"{'bit 12' if low == 0x1000 else 'address bits below the page'} of a {SIZES[level]} leaf"
    return ""


def _flags_finding(test: NestedTest, way: Lawful, address: int, wrong: int, entry: int, observed: Observed) -> Finding:
    after = observed.entries[address]
    ept_s = isinstance(test.second, Ept) and not is_guest_s(address)
    accessed, dirty = (EPT_A, EPT_D) if ept_s else (A, D)
    flag = "accessed flag" if wrong & accessed else "dirty flag" if wrong & dirty else f"bits {wrong:#x}"
    level = level_of(address)
    leaf = level == 1 or (level < 4 and bool(after & PS))
    where = f"a {SIZES[level]} leaf" if leaf else f"a level {level} entry"
    whose = "the guest's tables" if is_guest_s(address) else "EPT" if ept_s else "the nested tables"
    when = "by an access that completes" if way.outcome.kind == "completed" else f"although the access ends in {way.outcome.kind}"
    title = f"{flag} of {where} of {whose} {'set' if wrong & after else 'not set'} {when}"
    return Finding(
        title,
        EPT_FLAGS if ept_s else FLAGS,
        f"{name_of(address)} {entry_words(test, address, entry)}",
        f"{name_of(address)} {entry_words(test, address, after)}",
    )
