"""Tests of staleness on RISC-V, drawn as bytes: a page is used; then one entry on its way is edited, something is fenced, and it is
used again; and that once more.

Between an edit and the next access the hart may or may not have read the tables. So any state that the entry had may be met, unless
a fence covers it (``machine/riscv/staleness.py``). Each access is judged by itself, over memory as it is then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.hart import (
    MACHINE,
    SUPERVISOR,
    Hart,
    Instruction,
    access_of,
    effective,
    g_stage,
    hs_stage,
    translate,
    trap,
)
from refmodel.machine.riscv.hart import vs_stage as first_stage
from refmodel.machine.riscv.staleness import Remembered, Space, Tables
from refmodel.machine.riscv.two_stages import GuestPageFault, TwoStages
from refmodel.machine.riscv.walk import PageFault
from refmodel.machine.riscv.words import PPN, A, D, G, R, Translation, U, V, W, X
from refmodel.machine.words import Marked, flags_of
from refmodel.oracle.drawing import Draw
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.layout import BASE, GPA_TABLES, TABLES_1, VS_TABLES, WINDOW, is_vs
from refmodel.oracle.riscv.outcomes import Lawful, Outcome, speculated
from refmodel.oracle.riscv.walk_tests import Stages, WalkTest, entry_words, make, name_of

SIZE = 24
ASID, VMID = 1, 1
"""Those of satp, vsatp and hgatp in every test."""
OTHER_PAGE = 1 << 21
"""What is added to an address to fence another page, which shares no leaf of 4 KiB."""
DATA = (Instruction.LOAD, Instruction.STORE, Instruction.FETCH)
GUESTS = (*DATA, Instruction.HLV, Instruction.HSV)
FENCES = ("sfence.vma", "hfence.vvma", "hfence.gvma", "sinval.vma", "hinval.vvma", "hinval.gvma")
"""The last three are made between SFENCE.W.INVAL and SFENCE.INVAL.IR, and do what the first three do (Svinval)."""
OF_SVINVAL = FENCES[3:]
OF_HS = ("sfence.vma", "sinval.vma")
"""Those that concern satp's tables."""
OF_G = ("hfence.gvma", "hinval.gvma")
"""Those that concern the G-stage."""


@attrs.frozen
class Fence:
    """A fence with its operands; None is x0. That of HFENCE.GVMA is an address shifted right by 2, and a VMID."""

    name: str
    address: int | None = None
    identifier: int | None = None

    @property
    def kind(self) -> int:
        """As the agent counts them."""
        return FENCES.index(self.name) * 4 + (self.address is not None) + 2 * (self.identifier is not None)


@attrs.frozen
class Round:
    """What is stored in the entry under test, what is fenced, and the access that follows."""

    entry: int
    fence: Fence | None
    instruction: Instruction


@attrs.frozen
class StaleTest:
    """One test. ``start`` has the tables as they are at first, and the first access."""

    start: WalkTest
    place: int
    """The address of the entry that is edited."""
    rounds: tuple[Round, ...]

    @property
    def tests(self) -> tuple[WalkTest, ...]:
        """The accesses one by one, each over the entries as its round stores them. What accesses set besides is not in them."""
        entries = self.start.entries
        return (
            self.start,
            *(
                attrs.evolve(
                    self.start,
                    entries={**entries, self.place: each.entry},
                    instruction=each.instruction,
                    hart=_for(self.start.hart, each.instruction, self.start.stages),
                )
                for each in self.rounds
            ),
        )

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield from self.start.lines()
        for each in self.rounds:
            yield f"then {name_of(self.place, self.start.stages)}: {each.entry:#018x} = {entry_words(each.entry)}"
            yield f"then {fence_words(each.fence, self.start)}, {each.instruction.value}"


def fence_words(fence: Fence | None, start: WalkTest) -> str:
    """A fence in words: the same for all tests of a class."""
    if fence is None:
        return "no fence"
    mine = VMID if fence.name in OF_G else ASID
    here = _gpa(start) >> 2 if fence.name in OF_G else start.address
    address = "" if fence.address is None else " of the page" if fence.address == here else " of another page"
    what = "VMID" if fence.name in OF_G else "ASID"
    return f"{fence.name}{address}" + (
        "" if fence.identifier is None else f" of the same {what}" if fence.identifier == mine else f" of another {what}"
    )


# ---------------------------------------------------------------- drawing


def make_stale(data: bytes, stages: Stages, profile: Profile) -> StaleTest:
    """The test that these bytes stand for."""
    draw = Draw(data)
    as_users = stages.virtual and profile.guests_as_users
    kinds = DATA if not stages.virtual else GUESTS[2:] if as_users else GUESTS
    leaf, g_leaf, kind, user = draw.byte(), draw.byte(), kinds[draw.byte() % len(kinds)], draw.byte() & 1 | as_users
    plain = make(
        bytes([leaf, g_leaf, 0, user, 0 if draw.byte() % 4 else 3, *(draw.byte() for _ in range(3 + stages.first))]),
        stages,
        profile,
    )
    hart = plain.hart
    tag = ASID << 44
    hart = attrs.evolve(
        hart,
        satp=hart.satp and hart.satp | tag,
        vsatp=hart.vsatp and hart.vsatp | tag,
        hgatp=hart.hgatp and hart.hgatp | VMID << 44,
    )
    entries = dict(plain.entries)
    if draw.byte() % 4 == 3:
        entries = {at: entry | G if is_vs(at) and entry & R else entry for at, entry in entries.items()}
    places = sorted(entries)
    place = places[draw.byte() % len(places)]
    start = attrs.evolve(plain, entries=entries, instruction=kind, hart=_for(hart, kind, stages))
    rounds, entry = [], entries[place]
    for _ in range(2):
        entry = _edited(draw.byte(), draw.byte(), entries[place], entry, place)
        rounds.append(Round(entry, _fence(draw.byte(), start, profile), kinds[draw.byte() % len(kinds)]))
    return StaleTest(start, place, tuple(rounds))


def _for(hart: Hart, instruction: Instruction, stages: Stages) -> Hart:
    """The registers with which the agent makes an access by this instruction in the same mode. Those that it does not need stay
    clear, since some machines forget translations where mstatus changes."""
    fetch, mode = instruction is Instruction.FETCH, hart.mpp if hart.privilege == MACHINE else hart.privilege
    plain = instruction in DATA
    return attrs.evolve(
        hart,
        privilege=mode if fetch else MACHINE,
        virtual=stages.virtual and fetch,
        mprv=plain and not fetch,
        mpv=stages.virtual and plain,
        mpp=mode,
        spvp=mode == SUPERVISOR,
    )


def _edited(byte: int, frame: int, first: int, entry: int, place: int) -> int:
    """An entry changed: the page lies elsewhere, a right or a flag is taken, all is gone, or all is as it was at first.

    The G-stage's leaves for tables keep W and D, without which QEMU deviates anyhow (R2, R3 in known_deviations.toml).
    """
    if not first & R:
        return (first, 0, first & ~V)[byte % 3]
    of_tables = place & ~0xFFF == TABLES_1
    changes = [first, 0, first & ~V, first ^ U, first & ~A]
    if not of_tables:
        changes += [_moved(entry or first, frame), _moved(first, frame), first & ~(R | W), first & ~W, first & ~D, first & ~X]
    return changes[byte % len(changes)]


def _moved(entry: int, frame: int) -> int:
    """A page of 4 KiB in the window lies in another frame of it; one elsewhere stays."""
    page = (entry & PPN) << 2
    return entry & ~PPN | WINDOW[frame % len(WINDOW)] >> 2 if page in WINDOW else entry


def _fence(byte: int, start: WalkTest, profile: Profile) -> Fence | None:
    """A fence of the page or of another one, of all pages, of the same identifier or of another; often none."""
    every: list[Fence | None] = [None]
    for name in FENCES if start.stages.virtual else OF_HS:
        if name in OF_SVINVAL and not profile.svinval:
            continue
        here = _gpa(start) >> 2 if name in OF_G else start.address
        mine = VMID if name in OF_G else ASID
        every += [
            Fence(name, address, identifier) for address in (None, here, here + OTHER_PAGE) for identifier in (None, mine, mine + 1)
        ]
    return every[byte % len(every)] if byte < 160 else None


# ---------------------------------------------------------------- judging


class Envelope:
    """What a hart may remember in the course of a test, and every way in which its accesses may go.

    Only entries that the edit makes a difference to are remembered here: others are as they are in memory. So G-stage entries are
    remembered for those guest-physical addresses whose walk reads the edited one.
    """

    def __init__(self, test: StaleTest) -> None:
        self.test, self.hart = test, Remembered()
        self.gpas = [gpa for gpa in (*_table_gpas(test.start), _gpa(test.start)) if self._concerned(gpa)]

    def _concerned(self, gpa: int) -> bool:
        g = g_stage(self.test.start.hart)
        if g is None or is_vs(self.test.place):
            return False
        watched, memory = Remembered(), Marked({**self.test.start.fixed, **self.test.start.entries})
        watched.may_read(memory, g, Space(Tables.G, VMID), gpa)
        return any(entry.slot == self.test.place for entry in watched.entries)

    def may_read(self, entries: Mapping[int, int]) -> None:
        """From now on the hart may remember what memory holds. The VS-stage's tables may have been reached at any time before."""
        hart, memory, address = self.test.start.hart, Marked({**self.test.start.fixed, **entries}), self.test.start.address
        g = g_stage(hart)
        if self.test.start.stages.virtual:
            stage = first_stage(hart)
            if stage is not None:
                shown = _FromGuest(memory.words) if g else memory
                self.hart.may_read(shown, stage, Space(Tables.VS, VMID if g else 0, ASID), address)
        elif (stage := hs_stage(hart)) is not None:
            self.hart.may_read(memory, stage, Space(Tables.HS, 0, ASID), address)
        for gpa in self.gpas if g else ():
            self.hart.may_read(memory, g, Space(Tables.G, VMID), gpa)  # type: ignore[arg-type]

    def fenced(self, fence: Fence | None) -> None:
        """A fence, executed in M-mode."""
        if fence is None:
            return
        hart, in_parts = self.test.start.hart, FENCES.index(fence.name) >= 3
        vmid = None if fence.name in OF_HS else VMID if hart.hgatp else 0
        stage = first_stage(hart) if self.test.start.stages.virtual else hs_stage(hart)
        if in_parts:
            self.hart.sfence_w_inval()
        if fence.name in OF_G:
            (self.hart.hinval_gvma if in_parts else self.hart.hfence_gvma)(fence.address, fence.identifier)
        elif stage is not None:
            (self.hart.sinval_vma if in_parts else self.hart.sfence_vma)(stage, vmid, fence.address, fence.identifier)
        if in_parts:
            self.hart.sfence_inval_ir()

    def fresh(self, access: WalkTest) -> Lawful:
        """What comes of an access by memory alone."""
        (way,) = self._ways(Remembered(), access)
        return way

    def ways(self, access: WalkTest) -> list[Lawful]:
        """Everything that may come of an access over memory as it is."""
        return self._ways(self.hart, access)

    def _ways(self, hart: Remembered, access: WalkTest) -> list[Lawful]:
        found = dict.fromkeys(_frozen(self._way(access, memory, end)) for memory, end in self._ends(hart, access))
        may = {
            at: bits & (A | D if at & ~0xFFF == TABLES_1 else A)
            for at, bits in speculated({**access.fixed, **access.entries}, access.hart, access.address).items()
        }
        return [
            Lawful(
                outcome,
                dict(must),
                {at: (may.get(at, 0) | dict(flags).get(at, 0)) & ~dict(must).get(at, 0) for at in {*may, *dict(flags)}},
            )
            for outcome, must, flags in found
        ]

    def _ends(self, hart: Remembered, access: WalkTest) -> Iterator[tuple[Marked, TwoStages | Translation | Fault]]:
        registers, words = access.hart, {**access.fixed, **access.entries}
        made = access_of(access.instruction, effective(registers, access.instruction).user)

        def memory() -> Marked:
            return Marked(words)

        vs, g = first_stage(registers), g_stage(registers)
        ways: Iterator[tuple[object, object]]
        if not access.stages.virtual:
            stage = hs_stage(registers)
            assert stage is not None
            ways = hart.ways(memory, stage, Space(Tables.HS, 0, ASID), access.address, made)
        elif vs and g:
            ways = hart.two_stage_ways(memory, g, vs, VMID, ASID, access.address, made)
        elif g:
            ways = hart.ways(memory, g, Space(Tables.G, VMID), access.address, made)
        else:
            assert vs is not None
            ways = hart.ways(memory, vs, Space(Tables.VS, 0, ASID), access.address, made)
        for marked, end in ways:
            assert isinstance(marked, Marked) and isinstance(end, TwoStages | Translation | Fault)
            of_g = isinstance(end, PageFault) and access.stages.virtual and not vs
            yield marked, GuestPageFault(access.address, 0) if of_g else end

    @staticmethod
    def _way(access: WalkTest, memory: Marked, end: TwoStages | Translation | Fault) -> Lawful:
        flags = flags_of(memory.marks)
        if isinstance(end, Fault):
            virtual = effective(access.hart, access.instruction).virtual
            return Lawful(Outcome(trap=trap(access.instruction, access.address, virtual, end)), {}, flags)
        return Lawful(Outcome(physical=end.g.physical if isinstance(end, TwoStages) else end.physical), flags, {})


def _frozen(way: Lawful) -> tuple[Outcome, tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    return way.outcome, tuple(sorted(way.must.items())), tuple(sorted(way.may.items()))


class _FromGuest(Marked):
    """Guest-physical memory with the VS-stage's tables in it, which the layout puts at a fixed distance."""

    def read(self, address: int) -> int:
        return super().read(address - (GPA_TABLES - BASE))


def _table_gpas(start: WalkTest) -> list[int]:
    """The guest-physical addresses of the entries of the VS-stage's way."""
    return [at + GPA_TABLES - BASE for at in start.entries if is_vs(at)] if start.stages.second else []


def _gpa(start: WalkTest) -> int:
    """The guest-physical address of the access, by the tables as they are at first."""
    if not start.stages.first:
        return start.address
    leaf = next(at for at in sorted(start.entries, reverse=True) if is_vs(at))
    level = next(level for level, table in VS_TABLES.items() if table == leaf & ~0xFFF)
    offset = (1 << (3 + 9 * level)) - 1
    return (start.entries[leaf] & PPN) << 2 & ~offset | start.address & offset


def places_of(test: StaleTest) -> list[int]:
    """The places in the window that a store of the test may go to, whatever state of the edited entry it uses."""
    start, found = test.start, dict[int, None]()
    first = start.entries[test.place]
    for entry in (first, *(each.entry for each in test.rounds)):
        given = entry & PPN | first & ~PPN | (V | R | W | X | A | D if first & R else 0)
        memory = Marked({**start.fixed, **start.entries, test.place: given})
        with contextlib.suppress(Fault):
            hart = _for(start.hart, Instruction.LOAD, start.stages)
            found[translate(memory, hart, Instruction.LOAD, start.address).g.physical] = None
    return [at for at in found if at & ~0xFFF in WINDOW]
