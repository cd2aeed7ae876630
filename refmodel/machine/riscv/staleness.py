"""What a RISC-V hart may remember of its walks, and which fences make it forget: how stale translations may be.

The manual's address-translation cache holds *results of reads of entries*, any number for one address. A walk may take any entry
from the cache instead of memory, if the cache has it for the same place and address space; and it may use any leaf that is
remembered for the same address, whatever has become of the entries above. Unlike on x86, an entry may be remembered that is not
valid, or lacks A or D; only to set these the entry in memory is looked at. A hart may forget at any time; a fence says when it
must.

The two stages are remembered apart: a VS-stage entry by VMID and ASID, a G-stage entry by VMID. A TLB that holds both stages in
one, from a guest-virtual to a physical address, does what a remembered entry of each together allow.

(Privileged Architecture, Supervisor, *Supervisor Memory-Management Fence Instruction* and *Virtual Address Translation Process*;
Hypervisor, *Hypervisor Memory-Management Fence Instructions* and *Memory-Management Fences*; Svinval; Svvptc; Svnapot.) Where
the manual leaves a question open, the envelope is the wider reading, and the reason stands where it is decided.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.two_stages import READ_32, READ_64, WRITE_32, WRITE_64, GuestPageFault, TwoStages
from refmodel.machine.riscv.walk import Access, PageFault, Stage, first_bit, index_mask, translatable, walk
from refmodel.machine.riscv.words import G, R, Translation, V, X
from refmodel.machine.words import WalkMemory, Word

End = TypeVar("End")


class Tables(enum.Enum):
    """Whose tables an entry is of: those of satp with V=0, of vsatp, of hgatp."""

    HS = "HS"
    VS = "VS"
    G = "G"


@attrs.frozen
class Space:
    """An address space. The effective ASID of a guest is its VMID and its ASID together (``norm:sfence_vma_v1``)."""

    tables: Tables
    vmid: int = 0
    """Of hgatp, 14 bits; 0 for HS."""
    asid: int = 0
    """Of satp or vsatp, 16 bits; 0 for the G-stage."""


@attrs.frozen
class Entry:
    """The result of a read of an entry, as the hart may remember it."""

    space: Space
    address: Word
    """The first address for which a walk uses it: virtual, or guest-physical in the G-stage."""
    level: int
    sv32: bool
    slot: Word
    """The place it was read from: a physical address, or a guest-physical one in the VS-stage."""
    value: Word
    is_global: bool
    """G is set in it, or in an entry above it (Sv32, *Addressing and Memory Protection*). Not so in the G-stage, where G has no
    meaning (``norm:H_vm_gpa_g``)."""

    @property
    def leaf(self) -> bool:
        """Whether it is certainly a leaf: a fence for one address concerns leaves only.

        At the lowest level nothing else can be. An entry above that is not valid is open: the manual asks for a fence of all
        addresses where a pointer changes, and for one of an address where *an invalid PTE* becomes *a valid leaf*. It may be kept.
        """
        return self.level == 1 or (self.value & V != 0 and self.value & (R | X) != 0)

    def covers(self, address: Word) -> bool:
        """Whether a walk for an address would use it."""
        return first_address(address, self.level, self.sv32) == self.address


def first_address(address: Word, level: int, sv32: bool) -> Word:
    """The first address for which a walk uses the entry of a level that it uses for this one.

    One entry of Svnapot may be remembered for each page of its 64 KiB (``norm:Svnapot_cache_entries``), each by itself.
    """
    shift = first_bit(sv32, level)
    return address >> shift << shift


class _Chooser:
    """Goes through every sequence of choices that a run may make."""

    def __init__(self) -> None:
        self.made: list[tuple[int, int]] = []
        self.next = 0

    def pick(self, options: list[End]) -> End:
        if self.next == len(self.made):
            self.made.append((0, len(options)))
        chosen = self.made[self.next][0]
        self.next += 1
        return options[chosen]

    def again(self) -> bool:
        """Prepare the next sequence; False if there is none."""
        del self.made[self.next :]
        while self.made and self.made[-1][0] + 1 == self.made[-1][1]:
            self.made.pop()
        if self.made:
            number, of = self.made.pop()
            self.made.append((number + 1, of))
        self.next = 0
        return bool(self.made)


class _NoWay(Exception):
    """This sequence of choices is none that a hart may make."""


class _Reads:
    """The entries of one stage's walk, each from memory or from what is remembered."""

    def __init__(self, hart: Remembered, pick: _Chooser, below: WalkMemory, stage: Stage, space: Space, address: Word) -> None:
        self.pick, self.below, self.level = pick, below, stage.levels + 1
        self.kept = [e for e in hart.serving(space, address) if e.sv32 == stage.sv32]
        leaves = [e for e in self.kept if e.leaf and e.value & V and e.level <= stage.levels]
        self.start: Entry | None = pick.pick([None, *leaves])
        self.taken: Entry | None = None

    def read(self, slot: Word) -> Word:
        self.level -= 1
        if self.start is not None:  # a leaf that is remembered: what is above it does not matter
            self.taken = self.start
            return self.start.value if self.level == self.start.level else V
        self.taken = self.pick.pick([None, *(e for e in self.kept if e.slot == slot and e.level == self.level)])
        return self.taken.value if self.taken else self.below.read(slot)

    def mark(self, slot: Word, entry: Word, flags: Word) -> None:
        """Flags are set in memory alone, in the entry that was read (steps 9; the cache cannot be used there)."""
        place = self.taken.slot if self.taken else slot
        if self.taken is not None and self.below.read(place) != entry:
            raise _NoWay  # the walk begins anew, which is another way
        self.below.mark(place, entry, flags)


class _ThroughStaleG:
    """The VS-stage's tables as they are reached through a G-stage that may be stale."""

    def __init__(self, hart: Remembered, pick: _Chooser, memory: WalkMemory, g: Stage, vmid: int, sv32: bool) -> None:
        self.hart, self.pick, self.memory, self.g, self.vmid, self.sv32 = hart, pick, memory, g, vmid, sv32

    def locate(self, gpa: Word, access: Access, why: Word) -> Translation:
        reads = _Reads(self.hart, self.pick, self.memory, self.g, Space(Tables.G, self.vmid), gpa)
        try:
            return walk(reads, self.g, gpa, access)
        except PageFault:
            raise GuestPageFault(gpa, why) from None

    def read(self, address: Word) -> Word:
        return self.memory.read(self.locate(address, Access(implicit=True), READ_32 if self.sv32 else READ_64).physical)

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        place = self.locate(address, Access(write=True, implicit=True), WRITE_32 if self.sv32 else WRITE_64)
        self.memory.mark(place.physical, entry, flags)


@attrs.define
class Remembered:
    """The entries that one hart may remember. The cache is private to the hart (``norm:asid_hart_private``)."""

    asid_bits: int = 16
    vmid_bits: int = 14
    """How many bits are implemented; fences ignore the others (``norm:sfence_vma_rs2_bits``, ``norm:hfence-gvma_vmid``)."""
    svvptc: bool = False
    entries: set[Entry] = attrs.field(factory=set)
    _ordered: frozenset[Entry] | None = None
    """What was remembered at the last SFENCE.W.INVAL."""
    _pending: list[Callable[[Entry], bool]] = attrs.field(factory=list)

    # ------------------------------------------------------------ remembering

    def serving(self, space: Space, address: Word) -> Iterator[Entry]:
        """The entries that a walk for an address may use: of the same space, or global in another space of the same hart or VM.

        That a guest's global entry serves no other VM is open: *global mappings exist in all address spaces*. The envelope is the
        narrower one here, since a VM's effective ASID has its VMID in it, and a hypervisor relies on it.
        """
        for entry in self.entries:
            same = entry.space.tables == space.tables and entry.space.vmid == space.vmid
            if same and (entry.is_global or entry.space.asid == space.asid) and entry.covers(address):
                yield entry

    def may_read(self, memory: WalkMemory, stage: Stage, space: Space, address: Word) -> None:
        """From now on the hart may remember what a walk for this address reads: it may walk at any time while the registers are
        as they are. ``memory`` is guest-physical memory, as the G-stage shows it, for the VS-stage."""
        if not translatable(stage, address):
            return
        todo = [(stage.root, stage.levels, False)]
        while todo:
            table, level, was_global = todo.pop()
            slot = table | (address >> first_bit(stage.sv32, level) & index_mask(stage, level)) << (2 if stage.sv32 else 3)
            kept = {e.value for e in self.serving(space, address) if e.slot == slot and e.level == level}
            for value in {memory.read(slot), *kept}:
                is_global = not stage.guest and (was_global or value & (V | G) == V | G)
                self.entries.add(Entry(space, first_address(address, level, stage.sv32), level, stage.sv32, slot, value, is_global))
                if value & V and not value & (R | X) and level > 1:
                    todo.append((_table(value), level - 1, is_global))

    # ------------------------------------------------------------ using

    def ways(
        self, memory: Callable[[], WalkMemory], stage: Stage, space: Space, address: Word, access: Access
    ) -> Iterator[tuple[WalkMemory, Translation | Fault]]:
        """Every way in which an access with one stage may go, over fresh memory each."""

        def run(fresh: WalkMemory, pick: _Chooser) -> Translation:
            return walk(_Reads(self, pick, fresh, stage, space, address), stage, address, access)

        return self._every(memory, run)

    def two_stage_ways(
        self, memory: Callable[[], WalkMemory], g: Stage, vs: Stage, vmid: int, asid: int, address: Word, access: Access
    ) -> Iterator[tuple[WalkMemory, TwoStages | Fault]]:
        """Every way in which an access with both stages may go, over fresh memory each."""

        def run(fresh: WalkMemory, pick: _Chooser) -> TwoStages:
            below = _ThroughStaleG(self, pick, fresh, g, vmid, vs.sv32)
            first = walk(_Reads(self, pick, below, vs, Space(Tables.VS, vmid, asid), address), vs, address, access)
            return TwoStages(first, below.locate(first.physical, access, 0))

        return self._every(memory, run)

    @staticmethod
    def _every(
        memory: Callable[[], WalkMemory], run: Callable[[WalkMemory, _Chooser], End]
    ) -> Iterator[tuple[WalkMemory, End | Fault]]:
        pick, more = _Chooser(), True
        while more:
            fresh = memory()
            try:
                yield fresh, run(fresh, pick)
            except Fault as fault:
                yield fresh, fault
            except _NoWay:
                pass
            more = pick.again()

    # ------------------------------------------------------------ forgetting

    def forget(self, which: Callable[[Entry], bool]) -> None:
        """Drop the entries of which this holds."""
        self.entries = {entry for entry in self.entries if not which(entry)}

    def _of(self, tables: Tables, vmid: int, address: Word | None, asid: int | None) -> Callable[[Entry], bool]:
        """What a fence with these operands concerns; None is x0. With an ASID that is what is not global
        (``norm:sfence_vma_asid_only``), with an address the leaves for it (``norm:sfence_vma_va_all_asid``)."""
        mask = (1 << self.asid_bits) - 1
        return lambda e: (
            e.space.tables == tables
            and e.space.vmid == vmid
            and (asid is None or (e.space.asid == asid & mask and not e.is_global))
            and (address is None or (e.leaf and e.covers(address)))
        )

    def sfence_vma(self, stage: Stage, vmid: int | None = None, address: Word | None = None, asid: int | None = None) -> None:
        """SFENCE.VMA, in HS-mode or M-mode without a VMID, and in VS-mode under the VMID of hgatp (``norm:sfence_vma_v0``,
        ``norm:sfence_vma_v1``). Without effect if the address is not one of the scheme (``norm:sfence_vma_invalid_va``)."""
        if address is None or translatable(stage, address):
            self.forget(self._of(Tables.HS if vmid is None else Tables.VS, vmid or 0, address, asid))

    def hfence_vvma(self, stage: Stage, vmid: int, address: Word | None = None, asid: int | None = None) -> None:
        """HFENCE.VVMA while hgatp has this VMID: as SFENCE.VMA in that VM (``norm:hfence-vvma_mode``, ``norm:hfence-vvma_limits``).
        What the G-stage remembers stays."""
        self.sfence_vma(stage, vmid, address, asid)

    def hfence_gvma(self, shifted: Word | None = None, vmid: int | None = None) -> None:
        """HFENCE.GVMA with a guest-physical address shifted right by 2, and a VMID (``norm:hfence-gvma_op``).

        Entries of the VS-stage stay, also those that were read where a page of tables was before: a cache from guest-virtual to
        guest-physical addresses *need not* be flushed (same section, note). A hypervisor that puts other tables in the place of
        a guest's has to execute HFENCE.VVMA besides.
        """
        self.forget(self._of_g(shifted, vmid))

    def _of_g(self, shifted: Word | None, vmid: int | None) -> Callable[[Entry], bool]:
        mask = (1 << self.vmid_bits) - 1
        return lambda e: (
            e.space.tables is Tables.G
            and (vmid is None or e.space.vmid == vmid & mask)
            and (shifted is None or (e.leaf and e.covers(shifted << 2)))
        )

    # ------------------------------------------------------------ Svinval and Svvptc

    def sfence_w_inval(self) -> None:
        """SFENCE.W.INVAL: stores so far are ordered before the SINVAL.VMA, HINVAL.VVMA and HINVAL.GVMA that follow."""
        self._ordered, self._pending = frozenset(self.entries), []

    def sinval_vma(self, stage: Stage, vmid: int | None = None, address: Word | None = None, asid: int | None = None) -> None:
        """SINVAL.VMA, and with a VMID HINVAL.VVMA: what SFENCE.VMA and HFENCE.VVMA would forget, but not yet."""
        if address is None or translatable(stage, address):
            self._pending.append(self._of(Tables.HS if vmid is None else Tables.VS, vmid or 0, address, asid))

    def hinval_gvma(self, shifted: Word | None = None, vmid: int | None = None) -> None:
        """HINVAL.GVMA: what HFENCE.GVMA would forget, but not yet (``norm:Svinval_hinval_gvma_uses_vmid``)."""
        self._pending.append(self._of_g(shifted, vmid))

    def sfence_inval_ir(self) -> None:
        """SFENCE.INVAL.IR: what was remembered at the SFENCE.W.INVAL, and was invalidated since, is forgotten now. Without an
        SFENCE.W.INVAL nothing is: then no store need come before the invalidation."""
        for which in self._pending if self._ordered is not None else ():
            before = self._ordered or frozenset()
            self.forget(lambda e, which=which, before=before: e in before and which(e))  # type: ignore[misc]
        self._ordered, self._pending = None, []

    def time_passes(self) -> None:
        """A bounded time, after which Svvptc has it seen that an entry became valid
        (``norm:Svvptc_explicit_stores_update_valid_bit``)."""
        if self.svvptc:
            self.forget(lambda e: not e.value & V)


def _table(value: Word) -> Word:
    """The table that a pointer leads to."""
    return (value >> 10 & ((1 << 44) - 1)) << 12
