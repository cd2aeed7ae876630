"""Tests of RISC-V's walks, drawn as bytes: chains of entries for each stage, a hart, an instruction, an address.

A byte of zero is the plainest choice everywhere (valid, with every right, accessed, dirty, 4 KiB, a supervisor's load), so that
what deviates shrinks to what makes it deviate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from refmodel.machine.riscv.hart import MACHINE, SUPERVISOR, USER, Hart, Instruction
from refmodel.machine.riscv.words import PBMT, PPN, A, D, G, N, R, U, V, W, X
from refmodel.oracle.drawing import Draw
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.layout import (
    BASE,
    DATA_1,
    DATA_2,
    G_ROOT,
    G_UPPER,
    GPA_DATA,
    TABLES_1,
    VS_TABLES,
    WINDOW,
    first_of_data,
    first_of_tables,
    fixed_entries,
    is_vs,
    level_3,
    level_of,
    pointer,
)

SIZE = 48
"""Bytes that a test is made of."""
PHYSICAL_BITS = 40
"""Where tests have addresses that lead beyond memory, some bit from this one on is set."""
SCHEMES = {0: "Bare", 2: "Sv32", 3: "Sv39", 4: "Sv48", 5: "Sv57"}
HIGH = ", guest-physical addresses from 4 GiB on"
TOP = ", of a guest-physical address whose highest bit is set"
ALONE = (Instruction.LOAD, Instruction.STORE, Instruction.FETCH, Instruction.AMO)
BOTH = (*ALONE, Instruction.HLV, Instruction.HSV, Instruction.HLVX)


@attrs.frozen
class Stages:
    """Which stages tests have: the levels of each, 0 for Bare."""

    first: int
    """Of satp, or of vsatp."""
    second: int = 0
    """Of hgatp."""
    virtual: bool = False
    high: bool = attrs.field(default=False, repr=False)  # vectors are drawn from what prints
    """Of a machine of 32 bits: guest-physical addresses have 34, and begin at 4 GiB."""

    @property
    def low(self) -> bool:
        """Whether all guest-physical addresses have 32 bits."""
        return self.sv32 and not self.high

    @property
    def sv32(self) -> bool:
        """Whether the machine has 32 bits."""
        return 2 in (self.first, self.second)

    @property
    def bits(self) -> int:
        """How many bits of an address select an entry of a table."""
        return 10 if self.sv32 else 9

    @property
    def size(self) -> int:
        """Bytes of an entry."""
        return 4 if self.sv32 else 8

    def shift(self, level: int) -> int:
        """The lowest bit of an address that selects an entry of a level."""
        return 12 + self.bits * (level - 1)

    @property
    def name(self) -> str:
        return (
            SCHEMES[self.first]
            if not self.virtual
            else f"{SCHEMES[self.first]} over {SCHEMES[self.second]}" + ("x4" if self.second else "") + (HIGH if self.high else "")
        )


@attrs.frozen
class WalkTest:
    """One test: entries by physical address (all others are zero), the hart, the instruction, the virtual address."""

    entries: Mapping[int, int]
    hart: Hart
    instruction: Instruction
    address: int
    stages: Stages

    @property
    def made_by(self) -> str:
        """How the access is made: by which instruction, and whether MPRV and MPV make M-mode's access a guest's."""
        return f"{self.instruction.value} with MPV" if self.hart.mprv and self.hart.mpv else self.instruction.value

    @property
    def top(self) -> bool:
        """Whether the highest bit of the page's guest-physical address is set, so that the upper half of the G-stage's root is
        used."""
        return not self.stages.sv32 and any(G_ROOT + 0x2000 <= at < G_ROOT + 0x4000 for at in self.entries)

    @property
    def fixed(self) -> Mapping[int, int]:
        """Entries besides that no test changes."""
        return fixed_entries(self.stages.second, self.stages.low) if self.stages.second else {}

    def lines(self) -> Iterator[str]:
        """The test in words."""
        hart = self.hart
        user = hart.privilege == USER if self.instruction is Instruction.FETCH else hart.mpp == USER
        mode = ("V" if self.stages.virtual else "") + ("U" if user else "S")
        yield f"{mode}-mode {self.instruction.value} at {self.address:#018x}"
        yield (
            f"{self.stages.name}, sstatus.SUM={hart.sum:d} MXR={hart.mxr:d}"
            + (f" vsstatus.SUM={hart.vs_sum:d} MXR={hart.vs_mxr:d}" if self.stages.virtual else "")
            + f" menvcfg.ADUE={hart.adue:d} PBMTE={hart.pbmte:d}"
            + (f" henvcfg.ADUE={hart.vs_adue:d} PBMTE={hart.vs_pbmte:d}" if self.stages.virtual else "")
        )
        for at, entry in sorted(self.entries.items()):
            yield f"{name_of(at, self.stages)}: {entry:#018x} = {entry_words(entry)}"


def name_of(address: int, stages: Stages) -> str:
    """An entry by its stage, its level and its place."""
    whose = ("VS-stage " if stages.virtual else "") if is_vs(address) else "G-stage "
    return f"{whose}level {level_of(address, stages.second)} entry at {address:#x}"


def entry_words(entry: int) -> str:
    """An entry's bits by name."""
    names = [n for n, bit in zip("VRWXUGAD", (V, R, W, X, U, G, A, D), strict=True) if entry & bit]
    if entry & N:
        names.append("N")
    if entry & PBMT:
        names.append(f"PBMT={entry >> 61 & 3}")
    if entry >> 54 & 0x7F:
        names.append(f"reserved {entry >> 54 & 0x7F:#x}")
    return " ".join([*names, f"page {(entry & PPN) << 2:#x}"])


def make(data: bytes, stages: Stages, profile: Profile) -> WalkTest:
    """The test that these bytes stand for."""
    draw, mask = Draw(data), (1 << stages.bits) - 1
    leaf, g_leaf = (min(_leaf(draw.byte()), 2 if stages.sv32 else 3) for _ in range(2))
    instruction, who = draw.byte(), draw.byte()
    hart, made = _hart(draw.byte(), instruction, who, stages, profile)
    frame = WINDOW[draw.byte() % len(WINDOW)]
    data_2, data_1 = draw.byte() * (1 if stages.sv32 else 2), (draw.byte() * 73) & mask
    if g_leaf > 1 or not stages.second:  # a large page maps memory from its own start: the address chooses the frame
        data_1 = frame >> 12 & mask
    if g_leaf > 2 or not stages.second:
        data_2 = frame >> stages.shift(2) & 0x1FF if not stages.sv32 else 0
    signed = 1 if stages.sv32 else 2
    index = {
        level: (draw.byte() * 73) & (mask // signed if level == stages.first else mask) for level in range(1, stages.first + 1)
    }
    user = bool(who & 1)
    entries: dict[int, int] = {}
    within, first = data_2 << stages.shift(2) | data_1 << 12, first_of_data(stages.low)
    if stages.first:
        index.update({level: at for level, at in ((1, data_1), (2, data_2)) if level < leaf})
        page = first if stages.second else BASE
        for level in range(stages.first, leaf - 1, -1):
            target = _target(level, leaf, page | within, stages)
            entries[VS_TABLES[level] + stages.size * index[level]] = _entry(draw, level, leaf, target, user, stages)
    address = sum(at << stages.shift(level) for level, at in index.items()) if stages.first else first | within
    if stages.second:
        entries.update(_g_entries(draw, g_leaf, (first | within, data_2, data_1), frame, leaf, stages))
    address += (draw.byte() * 8 & 0x7F8) | (0x800 if draw.byte() & 1 else 0)
    if draw.one_in(64) and not stages.sv32:
        address ^= 1 << (38 + draw.byte() % 26)
    if address & ~0xFFF == BASE:
        address |= 0x800  # a store that is not translated must miss the agent
    if stages.second in (3, 4) and draw.one_in(8):
        at = VS_TABLES[leaf] + stages.size * index[leaf] if stages.first else None
        return _in_upper_quarter(WalkTest(entries, hart, made, address, stages), at, 1 + draw.byte() % 3)
    return WalkTest(entries, hart, made, address, stages)


def _in_upper_quarter(test: WalkTest, leaf: int | None, quarter: int) -> WalkTest:
    """The same test with its page elsewhere in guest-physical memory, where the G-stage's root has entries beyond the first quarter
    (``norm:hgatp_mode_x4``). ``leaf``: which entry of the VS-stage's leads there. Under Sv57x4 none can."""
    above, entries = quarter << test.stages.shift(test.stages.second + 1), dict(test.entries)
    if test.stages.second == 3:
        first = G_ROOT + test.stages.size * (GPA_DATA >> 30)
        entries[first + 0x1000 * quarter] = entries.pop(first)
    else:
        entries[G_ROOT + 0x1000 * quarter] = pointer(G_UPPER[3])
    if leaf is None:
        return attrs.evolve(test, entries=entries, address=test.address ^ above)
    return attrs.evolve(test, entries={**entries, leaf: entries[leaf] ^ above >> 2})


def _leaf(byte: int) -> int:
    return 3 if byte >= 240 else 2 if byte >= 200 else 1


def _hart(byte: int, instruction: int, who: int, stages: Stages, profile: Profile) -> tuple[Hart, Instruction]:
    """The registers of a test, and its instruction. Of a machine without Svadu, ADUE stands for what it does."""
    kinds = BOTH if stages.virtual else ALONE
    made = kinds[instruction % len(kinds)]
    mode = USER if who & 1 else SUPERVISOR
    root = (VS_TABLES[stages.first] + (first_of_tables(stages.low) - BASE if stages.second else 0)) if stages.first else 0
    table = mode_of(stages.first) | root >> 12 if stages.first else 0
    fetch = made is Instruction.FETCH
    adue = not byte & 1 if profile.svadu else profile.sets_flags
    vs_adue = adue and (not byte & 2 if profile.svadu else profile.sets_flags)
    pbmte = profile.svpbmt and byte & 4 != 0
    return Hart(
        privilege=mode if fetch else MACHINE,
        virtual=stages.virtual and fetch,
        satp=0 if stages.virtual else table,
        vsatp=table if stages.virtual else 0,
        hgatp=mode_of(stages.second) | G_ROOT >> 12 if stages.second else 0,
        rv32=stages.sv32,
        vs_rv32=stages.sv32,
        sum=who & 2 != 0,
        mxr=who & 4 != 0,
        vs_sum=who & 16 != 0,
        vs_mxr=who & 32 != 0,
        mprv=made in ALONE and not fetch,
        mpv=stages.virtual,
        mpp=mode,
        spvp=mode == SUPERVISOR,
        adue=adue,
        vs_adue=vs_adue,
        pbmte=pbmte,
        vs_pbmte=pbmte and byte & 8 != 0,
        svnapot=profile.svnapot,
        beyond=(1 << 34) - (1 << 32) if stages.sv32 else (1 << 56) - (1 << PHYSICAL_BITS),
    ), made


def mode_of(levels: int) -> int:
    """MODE of satp, vsatp or hgatp, in its place."""
    return 1 << 31 if levels == 2 else (levels + 5) << 60


def _target(level: int, leaf: int, page: int, stages: Stages) -> int:
    """What a VS-stage entry leads to: the next table, or the page, as far as a page of its size names it."""
    if level > leaf:
        return VS_TABLES[level - 1] + (first_of_tables(stages.low) - BASE if stages.second else 0)
    return page >> stages.shift(leaf) << stages.shift(leaf)


def _g_entries(draw: Draw, leaf: int, data: tuple[int, int, int], frame: int, vs_leaf: int, stages: Stages) -> dict[int, int]:
    """The G-stage's way to each table of the VS-stage's, and to the frame. ``data`` is the guest-physical address of the page, and
    its places in tables of level 2 and 1."""
    entries, size, (gpa, data_2, data_1) = {}, stages.size, data
    for level in range(stages.first, vs_leaf - 1, -1) if stages.first else ():
        table = VS_TABLES[level]
        entries[TABLES_1 + size * (table - BASE >> 12)] = _entry(draw, 1, 1, table, True, stages, calm=True)
    chain = {2: G_ROOT + size * (gpa >> stages.shift(2)), 1: DATA_1 + size * data_1}
    if not stages.sv32:
        chain = {3: level_3(stages.second) + size * (GPA_DATA >> 30), 2: DATA_2 + size * data_2, 1: chain[1]}
    for level in range(max(chain), leaf - 1, -1):
        shift = stages.shift(leaf)
        target = {3: DATA_2, 2: DATA_1, 1: frame}[level] if level != leaf else frame >> shift << shift
        entries[chain[level]] = _entry(draw, level, leaf, target, True, stages)
    return entries


def _entry(draw: Draw, level: int, leaf: int, target: int, user: bool, stages: Stages, calm: bool = False) -> int:
    """An entry that leads to ``target``, a bit out of order now and then; seldom, if ``calm``."""
    plain, odd = draw.byte(), draw.byte()
    if calm and plain < 192:
        return pointer(target, V | R | W | X | U | A | D)
    plain = (plain - 192) * 4 if calm else plain
    if level > leaf:
        return _odd_pointer(plain, odd, pointer(target), stages.sv32)
    flags = V | R | W | X | A | D | (U if user else 0)
    if plain >= 224:
        flags = plain & 0x1F ^ flags & ~0xF & ~(A if plain & 1 else D)
    elif plain >= 160:
        flags ^= 1 << plain % 8
    elif plain >= 128:
        flags &= ~(A | D if plain & 2 else A if plain & 1 else D)
    elif plain >= 112:
        flags = flags & ~(R | W | X) | (plain & 7) << 1
    elif plain >= 80:  # execute-only: MXR decides of loads
        flags &= ~(R | W)
    return _odd_leaf_32(odd, level, target, flags) if stages.sv32 else _odd_leaf(odd, level, target, flags)


def _odd_pointer(plain: int, odd: int, entry: int, sv32: bool) -> int:
    if plain == 255:
        return entry & ~V
    if odd >= 248:
        return entry | 1 << ({248: 4, 249: 6, 250: 7}.get(odd, 4) if sv32 or odd <= 250 else 54 + plain % 10)
    if odd >= 244:
        return entry | 1 << (30 + plain % 2 if sv32 else PHYSICAL_BITS - 2 + plain % 16)
    return entry | (G if odd >= 224 else 0) | (odd & 3) << 8


def _odd_leaf_32(odd: int, level: int, target: int, flags: int) -> int:
    if odd >= 248:
        return pointer(target | 1 << (32 + odd % 2), flags)
    if odd >= 240:
        return pointer(target ^ 0x1000 << odd % 10 if level > 1 else target, flags)
    return pointer(target, flags | (G if odd >= 192 else 0) | (odd & 3) << 8)


def _odd_leaf(odd: int, level: int, target: int, flags: int) -> int:
    if odd >= 248:
        return pointer(target, flags | 1 << (54 + odd % 7))
    if odd >= 240:
        return pointer(target, flags | (odd & 3) << 61)
    if odd >= 232:
        return pointer(target, flags | N)
    if odd >= 216 and level == 1:
        return pointer(target & ~0xF000 | 0x8000, flags | N)
    if odd >= 212:
        return pointer(target | 1 << (PHYSICAL_BITS + odd % 16), flags)
    if odd >= 208:
        return pointer(target ^ 0x1000 << odd % (9 * (level - 1)) if level > 1 else target, flags)
    return pointer(target, flags | (G if odd >= 192 else 0) | (odd & 3) << 8)
