"""Conformance vectors of RISC-V's walks: choosing them, writing them, reading them back, having a machine carry them out.

The format is told in specs/riscv.md.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import msgspec
from msgspec import Meta

from refmodel.language import BadDesign
from refmodel.language.asking import Fault
from refmodel.language.unsound import UNDECODABLE
from refmodel.machine.riscv.hart import MACHINE, USER, Hart, Instruction, Trap, translate
from refmodel.machine.riscv.words import A, D, N, R, W, X
from refmodel.machine.words import Marked
from refmodel.oracle.judging import Deviation, Finding, Verdict
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.layout import BASE, TABLES, TABLES_1, WINDOW, is_vs
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome, due
from refmodel.oracle.riscv.rules import rules_of
from refmodel.oracle.riscv.walk_campaign import RiscvCampaign, compare
from refmodel.oracle.riscv.walk_tests import ALONE, BOTH, HIGH, SIZE, Stages, WalkTest, make
from refmodel.oracle.trace.reading import Source

SETS_64 = (
    *(stages for levels in (3, 4, 5) for stages in (Stages(levels), Stages(levels, levels, True))),
    Stages(0, 3, True),
    Stages(3, 0, True),
)
SETS_32 = (Stages(2), Stages(2, 2, True), Stages(2, 2, True, high=True), Stages(0, 2, True), Stages(2, 0, True))
SETS = (*SETS_64, *SETS_32)
"""In an order that stays as it is: an ELF's label has the number of its set."""
ARCHITECTURES = {"riscv": SETS_64, "riscv32": SETS_32}
PROFILE, PROFILE_32 = Profile(svadu=True, svpbmt=True, schemes=(3, 4, 5)), Profile(svadu=True, svpbmt=False, schemes=(2,))
"""Of the machines that vectors are for."""
OF_64_BITS = ("pbmte", "vs_pbmte")
SWITCHES = ("sum", "mxr", "vs_sum", "vs_mxr", "adue", "pbmte", "vs_adue", "vs_pbmte")
"""Registers' bits. Machines of 32 bits have no Svpbmt."""

Hex = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{1,16}(?!\n)$", description="an unsigned 64-bit number")]
Words = dict[Hex, Hex]


class End(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The way in which a test must end."""

    end: Literal["completed", "trap"]
    flags: Words
    """The flags that must be set afterwards, by the address of their entry."""
    may: Words
    """Those that may be set besides."""
    physical: Hex | None = None
    cause: int | None = None
    tval: Hex | None = None
    tval2: Hex | None = None
    tinst: Hex | None = None
    gva: bool | None = None


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a file."""

    id: str
    rules: list[str]
    because: str
    hart: dict[str, int | Hex]
    instruction: Literal["fetch", "load", "store", "amo", "hlv", "hlvx", "hsv"]
    address: Hex
    memory: Words
    end: End


def set_name(stages: Stages) -> str:
    """A set in short."""
    return stages.name.replace(HIGH, " high")


def file_name(stages: Stages) -> str:
    """The file of a set, without ``.jsonl``."""
    return f"riscv-{set_name(stages).lower().replace(' ', '-')}"


def file_of(folder: Path, stages: Stages) -> Path:
    """Where a set lies in a folder. Raises ``BadDesign`` if it does not."""
    file = folder / f"{file_name(stages)}.jsonl"
    if not file.is_file():
        architecture = next(name for name, sets in ARCHITECTURES.items() if stages in sets)
        raise BadDesign(f"{file}: no such file; refmodel vectors --architecture {architecture} --out {folder} makes it")
    return file


def profile_for(stages: Stages) -> Profile:
    """Of the machine that the vectors of a set are for."""
    return PROFILE_32 if stages.sv32 else PROFILE


def width(rv32: bool) -> int:
    """Bits of a physical address."""
    return 34 if rv32 else 56


# ---------------------------------------------------------------- choosing


def chosen(stages: Stages) -> Iterator[tuple[str, WalkTest, Lawful]]:
    """Tests for ever, no two alike: of every plain test in turn the test itself and one that differs in a bit; and drawn ones."""
    draw, seen = random.Random(f"{stages}"), set[Any]()
    near = [_neighbours(test, random.Random(f"{stages} {number}")) for number, test in enumerate(plain(stages))]
    every = list(plain(stages)) if stages.first and stages.second else []
    near += [
        _where_flags_are_set(every[at : at + TOGETHER], random.Random(f"{stages} {at}")) for at in range(0, len(every), TOGETHER)
    ]
    near += [_of_m_mode(list(plain(stages)), random.Random(f"{stages} M"))] * (1 + len(near) // 12)
    for number in itertools.count():
        if near and number % 2 == 0:
            source = near[number // 2 % len(near)]
            candidate = next(source, None)
            if candidate is None:
                near.remove(source)
                continue
        else:
            candidate = "drawn", make(draw.randbytes(SIZE), stages, profile_for(stages))
        because, test = candidate
        key = (tuple(sorted(test.entries.items())), test.hart, test.instruction, test.address)
        if key not in seen and _stays(test):
            seen.add(key)
            yield because, test, due({**test.fixed, **test.entries}, test.hart, test.instruction, test.address)


class _Watched(Marked):
    """Memory that knows where entries were read."""

    def __init__(self, words: Mapping[int, int]) -> None:
        super().__init__(words)
        self.places: set[int] = set()

    def read(self, address: int) -> int:
        self.places.add(address)
        return super().read(address)


def _stays(test: WalkTest) -> bool:
    """Whether the walk reads nothing but tables, and an access that is let through reaches a page for data."""
    memory = _Watched({**test.fixed, **test.entries})
    try:
        at = translate(memory, test.hart, test.instruction, test.address).g.physical
    except Fault:
        at = WINDOW.start
    return at & ~0xFFF in WINDOW and all(place in TABLES for place in memory.places)


def plain(stages: Stages) -> Iterator[WalkTest]:
    """A test that is let through for every instruction, mode and size of page in each stage."""
    kinds = BOTH if stages.virtual else ALONE
    sizes = (0, 200) if stages.sv32 else (0, 200, 240)
    for leaf, g_leaf, kind, user in itertools.product(
        sizes if stages.first else (0,), sizes if stages.second else (0,), range(len(kinds)), (0, 1)
    ):
        yield make(bytes([leaf, g_leaf, kind, user, 0, 7]), stages, profile_for(stages))


def _neighbours(test: WalkTest, draw: random.Random) -> Iterator[tuple[str, WalkTest]]:
    """The test itself, and those with one bit changed: of an entry, of a register, of the address; in a drawn order."""
    yield "plain", test
    near: list[tuple[str, WalkTest]] = []
    for at, entry in test.entries.items():
        near += [
            (f"bit {bit} of the entry at {at:#x}", attrs.evolve(test, entries={**test.entries, at: entry ^ 1 << bit}))
            for bit in range(8 * test.stages.size)
        ]
    near += [
        (name, attrs.evolve(test, hart=attrs.evolve(test.hart, **{name: not getattr(test.hart, name)})))
        for name in SWITCHES
        if not (test.stages.sv32 and name in OF_64_BITS)
    ]
    near += [
        (f"bit {bit} of the address", attrs.evolve(test, address=test.address ^ 1 << bit))
        for bit in range(12, 8 * test.stages.size)
    ]
    draw.shuffle(near)
    yield from near


FLAGS = "flags to be set in a page without rights"
TOGETHER = 6
"""Plain tests of which such tests are chosen in turn."""


def _where_flags_are_set(tests: Sequence[WalkTest], draw: random.Random) -> Iterator[tuple[str, WalkTest]]:
    """Tests with flags to be set in the VS-stage leaf, and without some rights and flags in the G-stage entry that maps the table
    of that leaf: the hart has to store to that page (specs/hgatp.md has the faults). In a drawn order."""
    found: list[tuple[str, WalkTest]] = []
    for test in tests:
        leaf = next(at for at, entry in test.entries.items() if is_vs(at) and entry & (R | W | X))
        below = TABLES_1 + test.stages.size * ((leaf & ~0xFFF) - BASE >> 12)
        for missing, withheld, adue in itertools.product((A, D, A | D), (0, W, D, A | D, W | D, R | W | A | D), (True, False)):
            changed = {leaf: test.entries[leaf] & ~missing, below: test.entries[below] & ~withheld}
            hart = attrs.evolve(test.hart, vs_adue=True, adue=adue)
            found.append((FLAGS, attrs.evolve(test, entries={**test.entries, **changed}, hart=hart)))
    draw.shuffle(found)
    yield from found


M_MODE = "an access of M-mode"


def _of_m_mode(tests: Sequence[WalkTest], draw: random.Random) -> Iterator[tuple[str, WalkTest]]:
    """Accesses that no table translates, beside tables that would: explicit ones with MPRV set and M-mode in MPP, whatever MPV is,
    and fetches of M-mode with MPRV set, since MPRV is about explicit accesses only. In a drawn order."""
    found: list[tuple[str, WalkTest]] = []
    for at, test in enumerate(tests):
        physical = attrs.evolve(test, address=WINDOW[at % len(WINDOW)] | 0x800 | test.address & 0x7F8)
        if test.instruction is Instruction.FETCH:
            hart = attrs.evolve(test.hart, privilege=MACHINE, virtual=False, mprv=True, mpv=False, mpp=USER)
        elif test.hart.mprv:
            hart = attrs.evolve(test.hart, mpp=MACHINE)
        else:
            continue
        found.append((M_MODE, attrs.evolve(physical, hart=hart)))
    draw.shuffle(found)
    yield from found


# ---------------------------------------------------------------- writing


def write(
    folder: Path, count: int, progress: Callable[[int, int], None] = lambda done, of: None, sets: Sequence[Stages] = SETS_64
) -> dict[str, int]:
    """Write these sets, of ``count`` vectors together; how many each file has. Always the same files.

    ``progress`` is called with the number written so far, and the count. Raises ``BadDesign`` if the folder cannot be written.
    """
    written = dict[str, int]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, stages in enumerate(sets):
            share = count // len(sets) + (number < count % len(sets))
            lines = []
            for n, test in enumerate(itertools.islice(chosen(stages), share)):
                lines.append(msgspec.json.encode(vector_of(f"{set_name(stages)}/{n:06}", *test)))
                progress(sum(written.values()) + len(lines), count)
            (folder / f"{file_name(stages)}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
            written[file_name(stages)] = len(lines)
    except OSError as why:
        raise BadDesign(f"{folder}: cannot be written: {why.strerror or why}") from None
    return written


def vector_of(name: str, because: str, test: WalkTest, way: Lawful) -> Vector:
    """A test, what must come of it, and the rules that it is about."""
    hart: dict[str, int | str] = {}
    for field, value in attrs.asdict(test.hart).items():
        if field == "beyond":
            hart["physical_bits"] = width(test.hart.rv32) - value.bit_count()
        else:
            hart[field] = hex(value) if field in ("satp", "vsatp", "hgatp") else int(value)
    return Vector(
        name,
        rules_of(test, way),
        because,
        hart,
        test.instruction.value,
        hex(test.address),
        _hexes({**test.fixed, **test.entries}),
        _end(way),
    )


def _end(way: Lawful) -> End:
    flags, may, trap = _hexes(way.must), _hexes(way.may), way.outcome.trap
    if trap is None:
        assert way.outcome.physical is not None
        return End("completed", flags, may, physical=hex(way.outcome.physical))
    return End(
        "trap", flags, may, cause=trap.cause, tval=hex(trap.tval), tval2=hex(trap.tval2), tinst=hex(trap.tinst), gva=trap.gva
    )


def _hexes(words: Any) -> dict[str, str]:
    return {hex(at): hex(word) for at, word in words.items()}


# ---------------------------------------------------------------- reading


def read(file: Path, stages: Stages) -> Iterator[tuple[Vector, WalkTest, Lawful]]:
    """The vectors of a file, each as a test and what must come of it. ``BadDesign`` says what is wrong where."""
    decoder = msgspec.json.Decoder(Vector)
    for first, block in Source(str(file)).blocks():
        for number, line in enumerate(block.split(b"\n"), first):
            if line.strip():
                try:
                    vector = decoder.decode(line)
                    yield vector, _test(vector, stages), _lawful(vector.end)
                except (*UNDECODABLE, KeyError, TypeError) as why:
                    message, _, path = str(why).partition(" - at `$.")
                    raise BadDesign(f"{file}:{number}: {path.rstrip('`') + ': ' if path else ''}{message}") from None


def _test(vector: Vector, stages: Stages) -> WalkTest:
    fields: dict[str, Any] = {}
    for name, value in vector.hart.items():
        plain_value = int(value, 16) if isinstance(value, str) else value
        if name == "physical_bits":
            fields["beyond"] = (1 << width(stages.sv32)) - (1 << plain_value)
            continue
        field = getattr(attrs.fields(Hart), name, None)
        if field is None:
            raise ValueError(f"hart.{name}: no register or flag that is known here")
        fields[name] = bool(plain_value) if field.type in (bool, "bool") else plain_value
    test = WalkTest({}, Hart(**fields), Instruction(vector.instruction), int(vector.address, 16), stages)
    return attrs.evolve(test, entries={at: word for at, word in _numbers(vector.memory).items() if at not in test.fixed})


def _lawful(end: End) -> Lawful:
    flags, may = _numbers(end.flags), _numbers(end.may)
    if end.end == "completed":
        if end.physical is None:
            raise ValueError('end.physical: missing, and the end is "completed"')
        return Lawful(Outcome(physical=int(end.physical, 16)), flags, may)
    if end.cause is None or end.tval is None or end.tval2 is None or end.tinst is None or end.gva is None:
        raise ValueError('end: cause, tval, tval2, tinst and gva were expected, since the end is "trap"')
    trap = Trap(end.cause, int(end.tval, 16), int(end.tval2, 16), int(end.tinst, 16), end.gva)
    return Lawful(Outcome(trap=trap), flags, may)


def _numbers(words: Words) -> dict[int, int]:
    return {int(at, 16): int(word, 16) for at, word in words.items()}


# ---------------------------------------------------------------- carrying out


def has_none(folder: Path, stages: Stages) -> bool:
    """Whether a folder has vectors, but none for machines of as many bits as these stages are of."""

    def has(sets: Sequence[Stages]) -> bool:
        return any((folder / f"{file_name(each)}.jsonl").is_file() for each in sets)

    mine, others = (SETS_32, SETS_64) if stages.sv32 else (SETS_64, SETS_32)
    return has(others) and not has(mine)


def run(campaign: RiscvCampaign, folder: Path) -> Verdict:
    """Have an implementation carry out the vectors of these stages, as far as its machine can be set up for them."""
    file = file_of(folder, campaign.stages)
    began, ran = time.perf_counter(), 0
    seen, outcomes, first = Counter[str](), Counter[str](), dict[str, Deviation]()
    possible = ((test, way) for _, test, way in read(file, campaign.stages) if _can_be_set_up(test, campaign.profile))
    while batch := list(itertools.islice(possible, campaign.batch)):
        for (test, _), (outcome, finding) in zip(batch, _carried_out(campaign, batch), strict=True):
            ran += 1
            outcomes[outcome] += 1
            if finding is not None:
                seen[finding.title] += 1
                first.setdefault(finding.title, Deviation(finding, test))
    return Verdict(
        campaign.implementation,
        f"vectors of {campaign.subject}",
        ran,
        time.perf_counter() - began,
        tuple(first.values()),
        dict(seen),
        dict(outcomes),
    )


def _carried_out(campaign: RiscvCampaign, batch: Sequence[tuple[WalkTest, Lawful]]) -> Iterator[tuple[str, Finding | None]]:
    """How each ends, against what its vector says. What looks wrong is made again alone."""
    for (test, way), (_, observed) in zip(batch, campaign.perform([test for test, _ in batch]), strict=True):
        seen: Observed = observed
        finding = compare(test, way, seen)
        if finding is not None:
            _, seen = campaign.perform([test])[0]
            finding = compare(test, way, seen)
        yield seen.outcome.kind, campaign.told_apart(test, finding)


def _can_be_set_up(test: WalkTest, profile: Profile) -> bool:
    """Whether a machine has what a vector asks for: of its registers, and Svnapot where an entry has N set."""
    hart = test.hart
    flags = (hart.adue, hart.vs_adue) if test.stages.virtual else (hart.adue,)
    return (
        (profile.svadu or set(flags) == {profile.sets_flags})
        and (profile.svpbmt or not (hart.pbmte or hart.vs_pbmte))
        and (profile.svnapot or not any(entry & N for entry in test.entries.values()))
    )
