"""Vectors of walks: which tests there are, in which order, and what may come of each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Translation
from refmodel.machine.x86.ept_walk import XU, Ept, EptMisconfiguration, EptViolation, R, W, X, ept_walk
from refmodel.machine.x86.guest_walk import Cpu
from refmodel.machine.x86.npt_walk import FINAL_ADDRESS, NestedPageFault, npt_walk
from refmodel.machine.x86.words import FRAME, PS, RW, US, P, lacking
from refmodel.oracle.vectors import legacy, neighbours, rights, variations
from refmodel.oracle.vectors.paths import EptTest, ept_tests, guest_tests
from refmodel.oracle.x86 import legacy_tests, nested_campaign, nested_tests, walk_campaign, walk_tests
from refmodel.oracle.x86.agent.image import TABLES, WINDOW
from refmodel.oracle.x86.legacy_tests import LegacyTest, LoadTest
from refmodel.oracle.x86.nested_tests import DATA_1, DATA_2, GUEST_DATA, GUEST_TABLES, ROOT, TABLES_1, THIRD, WRITE_BACK, NestedTest
from refmodel.oracle.x86.outcomes import Lawful, Outcome, lawful
from refmodel.oracle.x86.walk_tests import Profile, WalkTest

RIGHTS = "access rights"
"""Why a combination of rights was chosen."""

PHYSICAL_BITS = (40, 52, 36)
"""MAXPHYADDR of the processors that vectors are for."""

SAMPLE = 120
"""Paths of whose tests all neighbours may be chosen."""


@attrs.frozen
class NptTest:
    """A use of a guest-physical address under nested paging."""

    entries: dict[int, int]
    host: Cpu
    gpa: int
    write: bool
    fetch: bool


Test: TypeAlias = WalkTest | EptTest | NptTest | NestedTest | LegacyTest | LoadTest
Chosen: TypeAlias = tuple[str, Test]
"""Why a test was chosen, and the test."""


def guest(levels: int) -> Iterator[Chosen]:
    """Tests of the guest's walk."""
    models = (each for bits in PHYSICAL_BITS for test in guest_tests(levels, bits) for each in _plain_and_ornate(test))
    draw = random.Random(levels)
    profiles = [Profile(levels=levels, physical_bits=bits, amd=amd, pke=True) for bits in PHYSICAL_BITS for amd in (False, True)]
    drawn = (("drawn", walk_tests.make(draw.randbytes(walk_tests.SIZE), draw.choice(profiles))) for _ in itertools.count())
    every = itertools.chain(models, variations.self_mapped(levels))
    return _chosen(every, _rights(rights.of_guest(levels)), neighbours.of_walk, lambda _: _varied(drawn, levels))


def _rights(tests: Iterable[Test]) -> list[Chosen]:
    """Every combination of rights, in no order, so that few of them are of all kinds."""
    every = [(RIGHTS, test) for test in tests]
    random.Random(0).shuffle(every)
    return every


def _plain_and_ornate(test: WalkTest) -> Iterator[Chosen]:
    """A path; if it may be let through, also with all that it has to ignore."""
    yield "a path", test
    if due(test)[0].outcome.kind == "completed":
        yield "a path; every ignored bit", variations.with_every_ignored_bit(test)


def ept(levels: int) -> Iterator[Chosen]:
    """Tests of the EPT walk."""
    physical_bits = PHYSICAL_BITS if levels == 4 else PHYSICAL_BITS[:1]
    models = (("a path", test) for bits in physical_bits for test in ept_tests(levels, bits))
    return _chosen(models, [], neighbours.of_ept, lambda every: _varied(_changed_often(every), levels))


def _changed_often(models: Sequence[EptTest]) -> Iterator[Chosen]:
    """Uses that are let through, with a few things changed."""
    draw = random.Random(0)
    through = [test for test in models if due(test)[0].outcome.kind == "completed"]
    while True:
        test, changes = draw.choice(through), list[str]()
        for _ in range(draw.choice((1, 2, 2, 3))):
            near = list(itertools.islice(neighbours.of_ept(test), draw.randrange(8, 120)))
            what, test = draw.choice(near)
            changes.append(what)
        yield "; ".join(changes), test


def npt(levels: int) -> Iterator[Chosen]:
    """Tests of the walk of nested tables: those of the guest's walk, made by a user. The highest bit of an address is no sign. What
    comes of an address with more bits than the tables translate is left open by the manual, so there is none."""
    for why, test in guest(levels):
        assert isinstance(test, WalkTest)
        gpa = test.gva & (1 << 12 + 9 * levels) - 1
        if why == RIGHTS and not (
            test.access.user and test.cpu.wp and not test.access.ac and not test.cpu.smep and not test.cpu.smap
        ):
            continue  # it differs from another only in what nested tables do not look at
        yield (
            why,
            NptTest(
                test.entries, attrs.evolve(test.cpu, wp=True, smep=False, smap=False), gpa, test.access.write, test.access.fetch
            ),
        )


def outside_ia32e_mode(pae: bool) -> Iterator[Chosen]:
    """Tests of 32-bit paging or of PAE paging; with PAE, of MOV to CR3 too."""
    models: Iterator[Chosen] = (("a path", test) for test in legacy.paths(pae))
    loads: Iterator[Chosen] = (("MOV to CR3", test) for test in legacy.loads() if pae)

    def near(test: LegacyTest | LoadTest) -> Iterator[Chosen]:
        return neighbours.of_load(test) if isinstance(test, LoadTest) else neighbours.of_legacy(test)

    every = itertools.chain(loads, models, legacy.self_mapped(pae))
    return _chosen(every, _rights(rights.outside_ia32e_mode(pae)), near, lambda _: legacy.drawn(pae))


def through_ept() -> Iterator[Chosen]:
    """Tests of two-dimensional walks under EPT."""
    combined = (rights.with_rights(two_dimensional(test, ept), given) for test, ept, given in rights.through_ept())
    return _nested([Ept(ROOT, accessed_dirty=on, advanced=True) for on in (False, True)], combined)


def through_npt() -> Iterator[Chosen]:
    """Tests of two-dimensional walks under nested paging."""
    combined = (
        attrs.evolve(rights.with_rights(two_dimensional(test, None), given), second=host)
        for test, host, given in rights.through_npt()
    )
    return _nested([None], combined)


def _nested(seconds: list[Ept | None], combined: Iterable[NestedTest]) -> Iterator[Chosen]:
    models = (("a path", two_dimensional(test, second)) for test in guest_tests(4, 40) for second in seconds)
    draw, profile = random.Random(4), Profile()
    drawn = (
        ("drawn", nested_tests.make(draw.randbytes(nested_tests.SIZE), profile, second)) for second in itertools.cycle(seconds)
    )
    return _chosen(models, _rights(combined), neighbours.of_nested, lambda _: _varied(drawn, 4))


def _varied(tests: Iterator[Chosen], seed: int) -> Iterator[Chosen]:
    """By turns a test as it is, and one that is varied in what a walk must ignore and must not cut short."""
    draw = random.Random(seed)
    for because, test in tests:
        yield because, test
        because_of_other, other = next(tests)
        what, other = variations.varied(other, draw)
        yield f"{because_of_other}; {what}", other


def two_dimensional(test: WalkTest, ept: Ept | None) -> NestedTest:
    """A guest's walk with second tables under it that let everything through."""
    below = {TABLES[level]: GUEST_TABLES + TABLES[level] for level in range(1, 4)}
    by_users = XU if ept and ept.mode_based_execute else 0
    page = R | W | X | by_users | WRITE_BACK if ept else P | RW | US
    table = R | W | X | by_users if ept else P | RW | US
    large = next(
        (
            3 if level == 3 else 2
            for at, entry in test.entries.items()
            if (level := walk_tests.level_at(at)) in (2, 3) and entry & P and entry & PS
        ),
        1,
    )
    entries = {}
    for at, entry in test.entries.items():
        if entry & FRAME in below:
            entries[at] = entry & ~FRAME | below[entry & FRAME]
        elif entry & FRAME == WINDOW[0]:
            entries[at] = entry & ~FRAME | GUEST_DATA
        else:
            entries[at] = entry | GUEST_DATA if large > 1 and entry & PS else entry
    upper, lower = (test.gva >> 21 & 0x1FF if large == 3 else 0), (test.gva >> 12 & 0x1FF if large > 1 else 0)
    frame = WINDOW[0]
    entries |= {TABLES_1 + 8 * (TABLES[level] >> 12): TABLES[level] | page for level in range(1, 4)}
    entries |= {THIRD + 24: DATA_2 | table, DATA_2 + 8 * upper: DATA_1 | table, DATA_1 + 8 * lower: frame | page}
    host = Cpu(cr3=ROOT, beyond=lacking(40))
    cpu = attrs.evolve(test.cpu, cr3=GUEST_TABLES + TABLES[4])
    return NestedTest(entries, cpu, ept or host, test.gva, test.access, frame | test.gva & 0xFFF)


def _chosen(
    models: Iterable[Chosen],
    combined: Iterable[Chosen],
    near: Callable[[Any], Iterator[tuple[str, Any]]],
    drawn: Callable[[Sequence[Any]], Iterator[Chosen]],
) -> Iterator[Chosen]:
    """All models; then, by turns, a neighbour of one of them, in no order, one that is drawn, and a combination of rights.

    Each is made when it is asked for, so that a few vectors take as long as a few.
    """
    every = []
    for because, model in models:
        every.append(model)
        yield because, model
    draw, others = random.Random(0), drawn(every)
    neighbours_of_some = [pair for model in draw.sample(every, min(len(every), SAMPLE)) for pair in near(model)]
    draw.shuffle(neighbours_of_some)
    for neighbour, combination in itertools.zip_longest(neighbours_of_some, combined):
        yield from (each for each in (neighbour, next(others), combination) if each is not None)
    yield from others


# ---------------------------------------------------------------- what may come of a test


def due(test: Test) -> list[Lawful]:
    """The ways in which a test may end."""
    if isinstance(test, WalkTest):
        return walk_campaign.due(test)
    if isinstance(test, NestedTest):
        return nested_campaign.due(test)
    if isinstance(test, LegacyTest):
        return legacy_tests.due(test)
    if isinstance(test, LoadTest):
        return legacy_tests.due_of_load(test)
    if isinstance(test, EptTest):
        return lawful(lambda memory, _: ept_walk(memory, test.ept, test.gpa, test.use), test.entries, _end)
    return lawful(
        lambda memory, _: npt_walk(memory, test.host, test.gpa, test.write, test.fetch, FINAL_ADDRESS), test.entries, _end
    )


def _end(result: Translation | Fault) -> Outcome:
    if isinstance(result, EptViolation):
        return Outcome("EPT violation", result.qualification, result.gpa)
    if isinstance(result, EptMisconfiguration):
        return Outcome("EPT misconfiguration", 0, result.gpa)
    if isinstance(result, NestedPageFault):
        return Outcome("#NPF", result.code, result.gpa)
    assert isinstance(result, Translation)
    return Outcome("completed", 0, result.physical)


def clauses(ways: list[Lawful]) -> list[str]:
    """The clauses that a vector is about."""
    completed = any(way.outcome.kind == "completed" for way in ways)
    return ["EQV-1", "EQV-4"] if completed else ["EQV-2"] if all(way.outcome.code == 0 for way in ways) else ["EQV-2", "EQV-3"]
